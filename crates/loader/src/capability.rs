//! The capabilities that BPF needs, and which of them this process lacks.

/// Names by number, as far as loading and attaching asks for them.
const NAMES: [(u32, &str); 5] = [
    (12, "CAP_NET_ADMIN"),
    (21, "CAP_SYS_ADMIN"),
    (24, "CAP_SYS_RESOURCE"),
    (38, "CAP_PERFMON"),
    (39, "CAP_BPF"),
];

const SYS_ADMIN: u32 = 21;
/// What CAP_SYS_ADMIN stands for.
const FINER: [&str; 2] = ["CAP_BPF", "CAP_PERFMON"];

/// The effective capability set of this thread, which is what the kernel asks; 0 when unreadable.
pub fn effective() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

/// Which of `needed` (names) are not in the set `have`. CAP_SYS_ADMIN stands for CAP_BPF and
/// CAP_PERFMON, as it does in the kernel (5.8 and later; before, it is the only one there is).
pub fn missing<'a>(needed: &[&'a str], have: u64) -> Vec<&'a str> {
    let has = |number: u32| have >> number & 1 == 1;
    needed
        .iter()
        .filter(|name| {
            let number = NAMES.iter().find(|(_, known)| known == *name).map(|(number, _)| *number);
            !(number.is_some_and(has) || FINER.contains(name) && has(SYS_ADMIN))
        })
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sys_admin_stands_for_the_finer_ones() {
        let needed = ["CAP_BPF", "CAP_PERFMON"];
        assert_eq!(missing(&needed, 0), needed);
        assert_eq!(missing(&needed, 1 << 39), ["CAP_PERFMON"]);
        assert!(missing(&needed, 1 << 21).is_empty());
    }

    #[test]
    fn sys_admin_stands_for_nothing_else() {
        assert_eq!(missing(&["CAP_SYS_RESOURCE"], 1 << 21), ["CAP_SYS_RESOURCE"]);
        assert!(missing(&["CAP_SYS_RESOURCE"], 1 << 24).is_empty());
    }
}
