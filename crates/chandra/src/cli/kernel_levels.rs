//! At which level what the kernel counts is told: `node page_fault=pod`.

use chandra_doctor::Problem;
use chandra_metrics::network::Level;
use chandra_signals::{SIGNALS, Signal};

use super::common::bad_value;

const OPTION: &str = "--kernel-metrics-levels";
const EXAMPLE: &str = "--kernel-metrics-levels \"page_fault=pod run_queue=workload\"";

/// The level of each signal whose probe can tell cgroups apart; the others have but one, the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelLevels {
    others: Level,
    named: Vec<(&'static str, Level)>,
}

impl Default for KernelLevels {
    fn default() -> Self {
        Self { others: Level::Node, named: Vec::new() }
    }
}

/// Its families can be told of cgroups, and so of pods.
pub fn has_levels(signal: &Signal) -> bool {
    !signal.metrics.is_empty() && signal.group_by.iter().any(|(name, _)| *name == "cgroup")
}

impl KernelLevels {
    /// Reads levels, each of a signal or, alone, of all that are not named.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut this = Self::default();
        for pair in text.split([' ', ',']).filter(|pair| !pair.is_empty()) {
            let (name, word) =
                pair.split_once('=').map_or((None, pair), |(name, word)| (Some(name), word));
            let refused = |why: &str| bad_value(OPTION, pair, why, EXAMPLE);
            let level = Level::of_word(word)
                .ok_or_else(|| refused("no level: node, namespace, workload or pod"))?;
            let Some(name) = name else {
                this.others = level;
                continue;
            };
            let mut leveled = SIGNALS.iter().filter(|signal| has_levels(signal));
            let signal = leveled.find(|signal| signal.spec.name == name).ok_or_else(|| {
                let names = SIGNALS.iter().filter(|signal| has_levels(signal));
                let names: Vec<_> = names.map(|signal| signal.spec.name).collect();
                refused(&format!(
                    "no signal that counts by cgroup; there are: {}",
                    names.join(", ")
                ))
            })?;
            this.named.retain(|(named, _)| *named != signal.spec.name);
            this.named.push((signal.spec.name, level));
        }
        Ok(this)
    }

    /// That of a signal.
    pub fn of(&self, signal: &Signal) -> Level {
        let named = self.named.iter().find(|(name, _)| *name == signal.spec.name);
        match named {
            _ if !has_levels(signal) => Level::Node,
            Some((_, level)) => *level,
            None => self.others,
        }
    }
}

#[cfg(test)]
mod tests {
    use chandra_signals::registry::signal;

    use super::*;

    #[test]
    fn what_is_not_named_has_the_level_of_all_and_what_is_nobodys_the_node() {
        let levels = KernelLevels::parse("workload, page_fault=pod").unwrap();
        let of = |name| levels.of(signal(name).unwrap());
        assert_eq!((of("page_fault"), of("run_queue")), (Level::Pod, Level::Workload));
        assert_eq!((of("interrupt"), of("block_io")), (Level::Node, Level::Node));
        assert_eq!(KernelLevels::parse("").unwrap(), KernelLevels::default());
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for (text, told) in [
            ("page_fault=Pod", "no level: node, namespace, workload or pod"),
            ("interrupt=pod", "no signal that counts by cgroup; there are: "),
        ] {
            let problem = KernelLevels::parse(text).unwrap_err().to_string();
            assert!(problem.contains(told), "{problem}");
        }
    }
}
