//! How BPF is set up: rings, machine code, statistics, and the file systems around it.

use crate::node::{Node, Reading};
use crate::{Check, Finding, Grade};

pub fn examine(node: &Node) -> Vec<Finding> {
    let mut findings = vec![ring(node), jit(node), statistics(node), cgroups(node)];
    findings.extend(mounts(node));
    findings.push(clock(node));
    findings
}

fn ring(node: &Node) -> Finding {
    let (kib, cpus) = (node.ring_bytes / 1024, node.cpus);
    let size = format!("{kib} KiB for each signal, for {cpus} CPUs");
    match &node.has_ring_buffer {
        Ok(true) => Finding::fine(Check::RING, "rings", format!("ring buffers of {size}")),
        Ok(false) => Finding::new(
            Grade::Note,
            Check::RING,
            "rings",
            format!("this kernel has no ring buffers (5.8 and later); perf buffers of {size}"),
            "nothing: records of different CPUs come less well in order",
        ),
        Err(why) => {
            Finding::fine(Check::RING, "rings", format!("{size}; the kind is not known: {why}"))
                .as_note()
        }
    }
}

fn setting<'a>(node: &'a Node, name: &str) -> Option<&'a Reading<i64>> {
    node.settings.get(name)
}

fn jit(node: &Node) -> Finding {
    let name = "net.core.bpf_jit_enable";
    match setting(node, name) {
        Some(Ok(0)) => Finding::new(
            Grade::Warning,
            Check::JIT,
            name,
            "0: programs are interpreted, and cost several times as much",
            format!("sysctl {name}=1"),
        ),
        Some(Ok(value)) => Finding::fine(Check::JIT, name, value.to_string()),
        _ => {
            let says = "not there: this kernel compiles always, or never";
            Finding::fine(Check::JIT, name, says).as_note()
        }
    }
}

fn statistics(node: &Node) -> Finding {
    let name = "kernel.bpf_stats_enabled";
    match setting(node, name) {
        Some(Ok(0)) => {
            let says = "0: measured only while somebody asks, as the agent does now and then";
            Finding::fine(Check::STATISTICS, name, says)
        }
        Some(Ok(value)) => Finding::new(
            Grade::Note,
            Check::STATISTICS,
            name,
            format!("{value}: every run of every program costs 20 to 30 ns more"),
            format!("sysctl {name}=0"),
        ),
        _ => Finding::fine(Check::STATISTICS, name, "not there").as_note(),
    }
}

fn points(node: &Node, filesystem: &str) -> Vec<String> {
    let mounts = node.mounts.as_deref().unwrap_or_default().iter();
    mounts.filter(|mount| mount.filesystem == filesystem).map(|mount| mount.point.clone()).collect()
}

fn cgroups(node: &Node) -> Finding {
    let (check, subject) = (Check::CGROUPS, "cgroups");
    let (unified, old) = (points(node, "cgroup2"), points(node, "cgroup"));
    match (unified.first(), old.len()) {
        (Some(point), 0) => Finding::fine(check, subject, format!("v2 on {point}")),
        (Some(point), hierarchies) => {
            let says = format!(
                "v2 on {point}, and {hierarchies} hierarchies of v1; containers are known by either"
            );
            Finding::fine(check, subject, says)
        }
        (None, _) => Finding::new(
            Grade::Warning,
            check,
            subject,
            "no cgroup2 is mounted: signals on sockets (dns, udp, icmp) mount it for themselves, which takes CAP_SYS_ADMIN",
            "mount -t cgroup2 none /sys/fs/cgroup/unified; in a pod: mount the host's /sys/fs/cgroup",
        ),
    }
}

fn mounts(node: &Node) -> Vec<Finding> {
    if let Err(why) = &node.mounts {
        let says = format!("what is mounted cannot be read: {why}");
        return vec![Finding::new(Grade::Warning, Check::MOUNTS, "mounts", says, "mount /proc")];
    }
    let told = [
        ("tracefs", "hooks by tracepoints look there; without it they take CAP_SYS_ADMIN"),
        ("bpf", "Chandra pins nothing, so that nothing stays behind"),
        ("debugfs", "Chandra does not use it"),
    ];
    let finding = |(filesystem, says): (&str, &str)| match points(node, filesystem).first() {
        Some(point) => Finding::fine(Check::MOUNTS, filesystem, format!("on {point}")),
        None if filesystem == "tracefs" => Finding::new(
            Grade::Note,
            Check::MOUNTS,
            filesystem,
            format!("not mounted; {says}"),
            "mount -t tracefs tracefs /sys/kernel/tracing",
        ),
        None => Finding::fine(Check::MOUNTS, filesystem, format!("not mounted; {says}")),
    };
    told.into_iter().map(finding).collect()
}

fn clock(node: &Node) -> Finding {
    let (check, subject) = (Check::CLOCK, "clock source");
    match &node.clock_source {
        Ok(source)
            if ["hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"]
                .contains(&source.as_str()) =>
        {
            Finding::new(
                Grade::Warning,
                check,
                subject,
                format!("{source} is slow to read, or coarse: each record takes its time from it"),
                "see why tsc was given up: dmesg | grep -i clocksource",
            )
        }
        Ok(source) => Finding::fine(check, subject, source),
        Err(why) => Finding::fine(check, subject, format!("not known: {why}")).as_note(),
    }
}
