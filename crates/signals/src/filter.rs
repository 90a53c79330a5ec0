//! What a probe lets through, as the probe's configuration.

use std::time::Duration;

use chandra_loader::abi::Config;
use chandra_loader::path_selection::Prefix;

use crate::off_cpu::MIN_DURATION;
use crate::system_call::calls::Call;

/// How many values of one kind a probe compares with.
pub const FILTER_VALUES: usize = 8;

/// Bytes of a process name that the kernel keeps.
pub const COMM_BYTES: usize = 15;

/// A filter; an empty list lets everything through, a list any of its values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Process ids.
    pub pids: Vec<u32>,
    /// Process names.
    pub comms: Vec<String>,
    /// User ids.
    pub uids: Vec<u32>,
    /// Cgroups, each by its hierarchy (0 is the unified one) and its id there; each stands for what
    /// is below it, too.
    pub cgroups: Vec<(u32, u64)>,
    /// Ports of either end.
    pub ports: Vec<u16>,
    /// Beginnings of paths.
    pub paths: Vec<Prefix>,
    /// System calls; none stands for the usual ones.
    pub calls: Vec<&'static Call>,
    /// Of what takes time: only what takes so long; what the signal says, when absent.
    pub min_duration: Option<Duration>,
    /// Cgroups are selected one by one while the probe runs; see [`chandra_loader::selection`].
    pub selects_cgroups: bool,
    /// Programs that are executed are told with their environment.
    pub sends_environment: bool,
}

/// Why a filter cannot be given to a probe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// More values than a probe compares with.
    #[error("{count} values for {name}; a probe compares with at most {FILTER_VALUES}")]
    TooMany {
        /// The filter.
        name: &'static str,
        /// How many were given.
        count: usize,
    },
    /// A name that no process can have.
    #[error("the kernel keeps {COMM_BYTES} bytes of a process name; {0:?} is {len} bytes long", len = .0.len())]
    LongComm(String),
}

impl Filter {
    /// The configuration of a probe that lets `kinds` (bits) through, counted by `group_by` (bits).
    ///
    /// # Errors
    /// When the filter is larger than a probe can hold.
    pub fn config(&self, kinds: u32, group_by: u32) -> Result<Config, FilterError> {
        let mut config = Config { kinds, group_by, ..Config::ZERO };
        config.pid_count = fill(&mut config.pids, "pid", &self.pids)?;
        config.uid_count = fill(&mut config.uids, "uid", &self.uids)?;
        let (hierarchies, ids): (Vec<u32>, Vec<u64>) = self.cgroups.iter().copied().unzip();
        config.cgroup_count = fill(&mut config.cgroup_ids, "cgroup", &ids)?;
        fill(&mut config.cgroup_hierarchies, "cgroup", &hierarchies)?;
        config.port_count = fill(&mut config.ports, "port", &self.ports)?;
        let mut comms = Vec::with_capacity(self.comms.len());
        for comm in &self.comms {
            let mut padded = [0; COMM_BYTES + 1];
            let place = padded.get_mut(..comm.len()).filter(|place| place.len() <= COMM_BYTES);
            place
                .ok_or_else(|| FilterError::LongComm(comm.clone()))?
                .copy_from_slice(comm.as_bytes());
            comms.push(padded);
        }
        config.comm_count = fill(&mut config.comms, "comm", &comms)?;
        let min_duration = self.min_duration.unwrap_or(MIN_DURATION);
        config.min_duration_ns = u64::try_from(min_duration.as_nanos()).unwrap_or(u64::MAX);
        config.selects_cgroups = u8::from(self.selects_cgroups);
        config.selects_paths = u32::from(!self.paths.is_empty());
        config.sends_environment = u32::from(self.sends_environment);
        Ok(config)
    }
}

fn fill<T: Copy>(
    slots: &mut [T; FILTER_VALUES],
    name: &'static str,
    values: &[T],
) -> Result<u8, FilterError> {
    let count = values.len();
    let Some(places) = slots.get_mut(..count) else {
        return Err(FilterError::TooMany { name, count });
    };
    places.copy_from_slice(values);
    Ok(u8::try_from(count).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_padded_as_the_kernel_pads_it() {
        let filter = Filter { comms: vec!["curl".to_owned()], ..Filter::default() };
        let config = filter.config(1, 0).unwrap();
        assert_eq!((config.comm_count, &config.comms[0]), (1, b"curl\0\0\0\0\0\0\0\0\0\0\0\0"));
    }

    #[test]
    fn a_name_no_process_can_have_is_refused() {
        let filter = Filter { comms: vec!["sixteen-bytes-in".to_owned()], ..Filter::default() };
        assert_eq!(filter.config(1, 0), Err(FilterError::LongComm("sixteen-bytes-in".to_owned())));
    }

    #[test]
    fn more_values_than_fit_are_refused() {
        let filter = Filter { pids: (0..9).collect(), ..Filter::default() };
        assert_eq!(filter.config(1, 0), Err(FilterError::TooMany { name: "pid", count: 9 }));
    }
}
