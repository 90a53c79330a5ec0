//! Waiting for conditions instead of for time to pass.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: an emulated processor is slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `poll` until it has an answer; gives up with `what` after [`PATIENCE`].
///
/// # Panics
/// When there is no answer in time.
#[track_caller]
pub fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = poll() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
