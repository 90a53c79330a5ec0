//! When the kernel measures what programs cost, and what the agent's own threads do.
//!
//! To measure costs 20 to 30 ns for each run of every BPF program on the machine, not only of ours, and that
//! is in what is measured. So it is done for a tenth of each window, at its beginning, and stands for all of it.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chandra_loader::cost::Statistics;

/// The part of a window in which programs are measured.
const MEASURED: u32 = 10;

/// Opens and closes the kernel's statistics.
#[derive(Debug)]
pub struct Meter {
    window: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<(Instant, Statistics)>,
    last: Option<Instant>,
    measured: Duration,
    refused: Option<String>,
}

/// What a look at the meter came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Programs are measured from now on.
    Opened,
    /// They were, for so long.
    Closed(Duration),
    /// It was time to, and they are not.
    Refused,
    /// It is not time yet.
    Same,
}

impl Meter {
    /// With windows of this length.
    pub fn new(window: Duration) -> Self {
        Self { window, state: Mutex::default() }
    }

    /// How often to look.
    pub fn tick(&self) -> Duration {
        self.window / (2 * MEASURED)
    }

    /// Opens or closes when it is time.
    pub fn turn(&self) -> Turn {
        let Ok(mut state) = self.state.lock() else { return Turn::Same };
        let now = Instant::now();
        if let Some((opened, _)) = &state.open {
            let open_for = now.duration_since(*opened);
            if open_for < self.window / MEASURED {
                return Turn::Same;
            }
            state.open = None;
            state.measured += open_for;
            return Turn::Closed(open_for);
        }
        if state.last.is_some_and(|last| now.duration_since(last) < self.window) {
            return Turn::Same;
        }
        state.last = Some(now);
        match Statistics::enable() {
            Ok(statistics) => {
                state.open = Some((now, statistics));
                Turn::Opened
            }
            Err(error) => {
                state.refused = Some(error.to_string());
                Turn::Refused
            }
        }
    }

    /// For how long programs were measured so far, and why not when they could not be.
    pub fn measured(&self) -> (Duration, Option<String>) {
        let Ok(state) = self.state.lock() else { return (Duration::ZERO, None) };
        let open = state.open.as_ref().map_or(Duration::ZERO, |(opened, _)| opened.elapsed());
        (state.measured + open, state.refused.clone())
    }
}

/// Nanoseconds that those threads of this process had a processor that are called so; 0 where the kernel does
/// not tell (`CONFIG_SCHED_INFO`).
pub fn threads_ns(names: &[&str]) -> u64 {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return 0 };
    let times = threads.flatten().map(|thread| thread_ns(&thread.path(), names).unwrap_or(0));
    times.sum()
}

fn thread_ns(thread: &Path, names: &[&str]) -> Option<u64> {
    let name = fs::read_to_string(thread.join("comm")).ok()?;
    if !names.contains(&name.trim_end()) {
        return None;
    }
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_threads_is_told_by_their_names() {
        let work = || {
            let (begun, mut sum) = (threads_ns(&["governed"]), 0_u64);
            while threads_ns(&["governed"]) < begun + 2_000_000 {
                sum = std::hint::black_box(sum + 1);
            }
            threads_ns(&["governed"])
        };
        let named = std::thread::Builder::new().name("governed".to_owned());
        let worked = named.spawn(work).unwrap().join().unwrap();
        assert!(worked >= 2_000_000, "{worked}");
        assert_eq!(threads_ns(&["governed"]), 0, "it is gone");
        assert_eq!(threads_ns(&["nobody"]), 0);
    }
}
