//! The kernel: its version, its types, and how far it is locked.

use crate::known_bad::{self, Danger};
use crate::node::Node;
use crate::{Check, Finding, Grade};

/// The oldest kernel that the signals are proven on (docs/reference/kernels.md).
const OLDEST_PROVEN: (u32, u32) = (5, 10);

pub fn examine(node: &Node) -> Vec<Finding> {
    let mut findings = vec![version(node)];
    findings.extend(known_bad::of(&node.kernel).map(|bad| {
        let (grade, what) = match bad.danger {
            Danger::Everything => (Grade::Failed, "run nothing of this kind on it"),
            Danger::Profiling => (Grade::Warning, "take no profiles of it"),
            Danger::UserProbes => (Grade::Note, "put no probes into programs (Chandra puts none)"),
        };
        let says = format!("known to be bad: {} ({})", bad.harm, bad.source);
        Finding::new(grade, Check::KERNEL, "kernel", says, format!("{what}, or use another kernel"))
    }));
    findings.extend([btf(node), lockdown(node), lsm(node)]);
    findings
}

fn version(node: &Node) -> Finding {
    let kernel = &node.kernel;
    if kernel.release.is_empty() {
        let next = "mount /proc";
        let says = "its version cannot be read";
        return Finding::new(Grade::Warning, Check::KERNEL, "kernel", says, next);
    }
    let (major, minor) = OLDEST_PROVEN;
    if kernel.is_at_least(major, minor) {
        return Finding::fine(Check::KERNEL, "kernel", &kernel.release);
    }
    let says =
        format!("{} is older than {major}.{minor}, the oldest that is proven", kernel.release);
    let next = "see docs/reference/kernels.md";
    Finding::new(Grade::Warning, Check::KERNEL, "kernel", says, next)
}

fn btf(node: &Node) -> Finding {
    match &node.btf {
        Ok(()) => Finding::fine(Check::BTF, "kernel types (BTF)", "there"),
        Err(why) => Finding::new(
            Grade::Failed,
            Check::BTF,
            "kernel types (BTF)",
            why,
            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, or name a BTF file for this kernel: --btf FILE",
        ),
    }
}

/// The word in brackets is the one that holds.
fn chosen(choices: &str) -> Option<&str> {
    Some(choices.split_once('[')?.1.split_once(']')?.0)
}

fn lockdown(node: &Node) -> Finding {
    let subject = "lockdown";
    let Ok(choices) = &node.lockdown else {
        let says = "not known: securityfs is not mounted, or the kernel has no lockdown";
        return Finding::fine(Check::LOCKDOWN, subject, says).as_note();
    };
    match chosen(choices) {
        Some("confidentiality") => Finding::new(
            Grade::Failed,
            Check::LOCKDOWN,
            subject,
            "confidentiality: programs may not read the kernel's memory",
            "boot with lockdown=integrity, or without lockdown",
        ),
        Some(level) => Finding::fine(Check::LOCKDOWN, subject, level),
        None => Finding::fine(Check::LOCKDOWN, subject, choices).as_note(),
    }
}

fn lsm(node: &Node) -> Finding {
    match &node.lsm {
        Ok(modules) => Finding::fine(Check::LSM, "security modules", modules),
        Err(_) => {
            let says = "not known: securityfs is not mounted";
            Finding::fine(Check::LSM, "security modules", says).as_note()
        }
    }
}
