//! Which capabilities are needed, for what, and which are missing.

use crate::node::Kernel;

/// Names by their bits in capabilities(7), as far as anything here asks for them.
const BITS: [(&str, u32); 5] = [
    ("CAP_NET_ADMIN", 12),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYS_RESOURCE", 24),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
];

/// A capability, and what needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub capability: &'static str,
    /// What cannot be without it: signals, or what else.
    pub by: Vec<String>,
    /// Without it only that is lost which is named; the signals all work.
    pub is_optional: bool,
}

/// What these signals need on this kernel, each with the capabilities that its folder names, with what is
/// useful beside it. `has_tracefs`: somebody mounted it where it belongs.
pub fn needs(signals: &[(&str, &[&'static str])], kernel: &Kernel, has_tracefs: bool) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for (signal, capabilities) in signals {
        for capability in *capabilities {
            match needs.iter_mut().find(|need| need.capability == *capability) {
                Some(need) => need.by.push((*signal).to_owned()),
                None => needs.push(Need {
                    capability,
                    by: vec![(*signal).to_owned()],
                    is_optional: false,
                }),
            }
        }
    }
    if !kernel.is_at_least(5, 11) {
        let by = vec!["maps, which count against the limit on locked memory here".to_owned()];
        needs.push(Need { capability: "CAP_SYS_RESOURCE", by, is_optional: false });
    }
    let mut useful = |capability, by: &str| {
        let by = by.to_owned();
        match needs.iter_mut().find(|need| need.capability == capability) {
            Some(need) => need.by.push(by),
            None => needs.push(Need { capability, by: vec![by], is_optional: true }),
        }
    };
    useful("CAP_NET_ADMIN", "where a service's address led to");
    useful("CAP_SYS_ADMIN", "what programs cost (/signals)");
    if !has_tracefs {
        useful("CAP_SYS_ADMIN", "hooks by tracepoints, as long as tracefs is not mounted");
    }
    needs
}

/// Whether the set `have` has the capability, or one that stands for it in the kernel.
pub fn has(have: u64, capability: &str) -> bool {
    let bit = |name: &str| BITS.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit);
    let is_set = |name: &str| bit(name).is_some_and(|bit| have >> bit & 1 == 1);
    let is_finer = ["CAP_BPF", "CAP_PERFMON"].contains(&capability);
    is_set(capability) || is_finer && is_set("CAP_SYS_ADMIN")
}

/// Which of the set `have` has a name here, one after the other.
pub fn names(have: u64) -> Vec<&'static str> {
    BITS.iter().filter(|(_, bit)| have >> bit & 1 == 1).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALS: [(&str, &[&str]); 2] = [
        ("tcp", &["CAP_BPF", "CAP_PERFMON"]),
        ("dns", &["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"]),
    ];

    fn required(release: &str, has_tracefs: bool) -> Vec<&'static str> {
        let kernel = Kernel { release: release.to_owned(), ..Kernel::default() };
        let needs = needs(&SIGNALS, &kernel, has_tracefs).into_iter();
        needs.filter(|need| !need.is_optional).map(|need| need.capability).collect()
    }

    #[test]
    fn what_is_needed_is_what_the_signals_name_and_what_the_kernel_asks_for() {
        assert_eq!(required("6.18.0", true), ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"]);
        assert_eq!(
            required("5.10.0", true),
            ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_RESOURCE"]
        );
    }

    #[test]
    fn each_need_says_for_what() {
        let kernel = Kernel { release: "6.18.0".to_owned(), ..Kernel::default() };
        let needs = needs(&SIGNALS, &kernel, false);
        let by = |name| &needs.iter().find(|need| need.capability == name).unwrap().by;
        assert_eq!(by("CAP_BPF"), &["tcp", "dns"]);
        assert_eq!(by("CAP_NET_ADMIN").first().unwrap(), "dns");
        assert_eq!(by("CAP_SYS_ADMIN").len(), 2);
        assert!(needs.iter().any(|need| need.capability == "CAP_SYS_ADMIN" && need.is_optional));
    }

    #[test]
    fn sys_admin_stands_for_the_finer_two_only() {
        let sys_admin = 1 << 21;
        assert!(has(sys_admin, "CAP_BPF") && has(sys_admin, "CAP_PERFMON"));
        assert!(!has(sys_admin, "CAP_NET_ADMIN") && !has(0, "CAP_BPF") && has(1 << 39, "CAP_BPF"));
        assert_eq!(names(1 << 12 | 1 << 39), ["CAP_NET_ADMIN", "CAP_BPF"]);
    }
}
