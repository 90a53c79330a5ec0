//! What this process may do: capabilities, the limit on locked memory, and the settings that take rights.

use crate::capabilities::{self, Need};
use crate::node::{Node, Reading};
use crate::{Check, Finding, Grade};

/// A process of every signal needs about so much for its maps, by what they ask the kernel for.
const ENOUGH_MEMLOCK_BYTES: u64 = 64 << 20;

pub fn examine(node: &Node, needs: &[Need]) -> Vec<Finding> {
    let mut findings: Vec<_> = needs.iter().map(|need| capability(node, need)).collect();
    findings.extend([memlock(node), unprivileged(node), perf_events(node), addresses(node)]);
    findings
}

fn capability(node: &Node, need: &Need) -> Finding {
    let Need { capability, by, is_optional } = need;
    let by = by.join(", ");
    if capabilities::has(node.capabilities, capability) {
        return Finding::fine(Check::CAPABILITIES, *capability, format!("held; needed by {by}"));
    }
    let grade = if *is_optional { Grade::Note } else { Grade::Failed };
    let next = format!("run it as root (sudo chandra …), or grant {capability}");
    let says = format!("missing; needed by {by}");
    Finding::new(grade, Check::CAPABILITIES, *capability, says, next)
}

fn memlock(node: &Node) -> Finding {
    let (check, subject) = (Check::MEMLOCK, "locked memory");
    let limit = match &node.memlock_bytes {
        Ok(None) => "unlimited".to_owned(),
        Ok(Some(bytes)) => format!("limit {} KiB", bytes / 1024),
        Err(why) => format!("limit not known: {why}"),
    };
    if node.kernel.is_at_least(5, 11) {
        let says = format!(
            "{limit}, which does not matter: maps count against the cgroup (5.11 and later)"
        );
        return Finding::fine(check, subject, says);
    }
    let is_low = matches!(node.memlock_bytes, Ok(Some(bytes)) if bytes < ENOUGH_MEMLOCK_BYTES);
    if !is_low {
        return Finding::fine(check, subject, format!("{limit}; maps count against it"));
    }
    if capabilities::has(node.capabilities, "CAP_SYS_RESOURCE") {
        let says = format!("{limit}; maps count against it, and Chandra may raise it");
        return Finding::fine(check, subject, says);
    }
    let says =
        format!("{limit}; maps count against it, and CAP_SYS_RESOURCE, to raise it, is missing");
    Finding::new(
        Grade::Failed,
        check,
        subject,
        says,
        "ulimit -l unlimited before starting, or grant CAP_SYS_RESOURCE",
    )
}

fn setting(node: &Node, name: &str) -> Reading<i64> {
    node.settings.get(name).cloned().unwrap_or_else(|| Err("it was not read".to_owned()))
}

fn unprivileged(node: &Node) -> Finding {
    let name = "kernel.unprivileged_bpf_disabled";
    match setting(node, name) {
        Ok(0) => Finding::new(
            Grade::Note,
            Check::UNPRIVILEGED_BPF,
            name,
            "0: every user may load programs; Chandra does not need that",
            format!("sysctl {name}=2"),
        ),
        Ok(value) => Finding::fine(Check::UNPRIVILEGED_BPF, name, value.to_string()),
        Err(why) => {
            Finding::fine(Check::UNPRIVILEGED_BPF, name, format!("not known: {why}")).as_note()
        }
    }
}

fn perf_events(node: &Node) -> Finding {
    let name = "kernel.perf_event_paranoid";
    let check = Check::PERF_EVENT_PARANOID;
    let value = match setting(node, name) {
        Ok(value) => value,
        Err(why) => return Finding::fine(check, name, format!("not known: {why}")).as_note(),
    };
    let may = capabilities::has(node.capabilities, "CAP_PERFMON");
    // From 3 on, some distributions ask for CAP_SYS_ADMIN, whatever else is held.
    let may_anyway = capabilities::has(node.capabilities, "CAP_SYS_ADMIN");
    match value {
        ..=2 if may => Finding::fine(check, name, format!("{value}, which CAP_PERFMON passes")),
        3.. if may_anyway => {
            Finding::fine(check, name, format!("{value}, which CAP_SYS_ADMIN passes"))
        }
        3.. if may => Finding::new(
            Grade::Warning,
            check,
            name,
            format!(
                "{value}: some kernels then ask for CAP_SYS_ADMIN, for tracepoints and profiles"
            ),
            format!("sysctl {name}=2"),
        ),
        _ => Finding::new(
            Grade::Warning,
            check,
            name,
            format!("{value}, and CAP_PERFMON is missing: no tracepoints and no profiles"),
            "grant CAP_PERFMON",
        ),
    }
}

fn addresses(node: &Node) -> Finding {
    let name = "kernel.kptr_restrict";
    match setting(node, name) {
        Ok(2) => Finding::new(
            Grade::Note,
            Check::KPTR_RESTRICT,
            name,
            "2: nobody sees addresses of the kernel, so its functions are not named (drops, profiles)",
            format!("sysctl {name}=1"),
        ),
        Ok(value) => Finding::fine(Check::KPTR_RESTRICT, name, value.to_string()),
        Err(why) => {
            Finding::fine(Check::KPTR_RESTRICT, name, format!("not known: {why}")).as_note()
        }
    }
}
