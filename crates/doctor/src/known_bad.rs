//! Kernels that are known to come to harm by what programs like Chandra's do in them.

use crate::node::Kernel;

/// What does harm there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Danger {
    /// Taking stacks from perf events, as a profiler does.
    Profiling,
    /// Probes on functions of programs (uprobes).
    UserProbes,
    /// Any use.
    Everything,
}

/// A range of kernels with a defect.
#[derive(Debug)]
pub struct KnownBad {
    /// From this version on.
    pub from: (u32, u32, u32),
    /// Before this version.
    pub before: (u32, u32, u32),
    /// Only where its release or `/proc/version` has this.
    pub mark: &'static str,
    /// What does harm.
    pub danger: Danger,
    /// What happens.
    pub harm: &'static str,
    /// Who reported it.
    pub source: &'static str,
}

/// All that are known.
pub const KNOWN_BAD: &[KnownBad] = &[
    KnownBad {
        from: (4, 19, 0),
        before: (4, 20, 0),
        mark: "",
        danger: Danger::Everything,
        harm: "processors lock up in raw tracepoints of page faults",
        source: "falcosecurity/falco#896",
    },
    KnownBad {
        from: (5, 19, 0),
        before: (6, 1, 0),
        mark: "",
        danger: Danger::Profiling,
        harm: "the whole machine locks up while stacks are taken",
        source: "parca-dev/parca-agent#2070",
    },
    KnownBad {
        from: (6, 6, 58),
        before: (6, 6, 59),
        mark: "talos",
        danger: Danger::Profiling,
        harm: "the kernel panics while stacks are taken",
        source: "grafana/pyroscope#3673",
    },
    KnownBad {
        from: (6, 11, 0),
        before: (6, 11, 1),
        mark: "6.11.0-19",
        danger: Danger::Profiling,
        harm: "the kernel dies within hours in perf_callchain_user (Ubuntu 24.04 HWE)",
        source: "coroot/coroot-node-agent#275",
    },
    KnownBad {
        from: (6, 13, 0),
        before: (u32::MAX, 0, 0),
        mark: "PREEMPT",
        danger: Danger::UserProbes,
        harm: "a uprobe's program can be preempted on its private stack, and the kernel panics",
        source: "open-telemetry/opentelemetry-ebpf-instrumentation#3056",
    },
];

/// Those that this kernel is among.
pub fn of(kernel: &Kernel) -> impl Iterator<Item = &'static KnownBad> {
    let numbers = kernel.numbers();
    KNOWN_BAD.iter().filter(move |bad| {
        let is_in = (bad.from..bad.before).contains(&numbers);
        is_in && (kernel.release.contains(bad.mark) || kernel.version_line.contains(bad.mark))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dangers(release: &str, version_line: &str) -> Vec<Danger> {
        let kernel = Kernel { release: release.to_owned(), version_line: version_line.to_owned() };
        of(&kernel).map(|bad| bad.danger).collect()
    }

    #[test]
    fn ranges_end_where_the_defect_was_mended() {
        assert_eq!(dangers("4.19.0-27-amd64", ""), [Danger::Everything]);
        assert_eq!(dangers("5.18.19", ""), []);
        assert_eq!(dangers("5.19.0", ""), [Danger::Profiling]);
        assert_eq!(dangers("6.0.19", ""), [Danger::Profiling]);
        assert_eq!(dangers("6.1.0-50-amd64", ""), []);
    }

    #[test]
    fn a_defect_of_one_distribution_is_not_laid_to_others() {
        assert_eq!(dangers("6.11.0-19-generic", "Ubuntu"), [Danger::Profiling]);
        assert_eq!(dangers("6.11.0-21-generic", "Ubuntu"), []);
        assert_eq!(dangers("6.6.58-talos", ""), [Danger::Profiling]);
        assert_eq!(dangers("6.6.58", ""), []);
        assert_eq!(dangers("6.18.1", "#1 SMP PREEMPT_DYNAMIC"), [Danger::UserProbes]);
        assert_eq!(dangers("6.18.1", "#1 SMP"), []);
    }
}
