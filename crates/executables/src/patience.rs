//! How long somebody waits for answers of a thread that opens other people's files.
//!
//! Files are another's: a file system may answer late or never. So one answer is waited for no longer than
//! [`MAX_WAIT`], and all of them together no more than a quarter of the time.

use std::time::{Duration, Instant};

/// How long one answer is waited for at most.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// Of the time that passes, the part that may be waited.
const WAITED_PART: u32 = 4;
/// What may be waited at once after a time of rest.
const MAX_ALLOWANCE: Duration = Duration::from_millis(250);

/// What may be waited still.
#[derive(Debug)]
pub struct Patience {
    may_wait: Duration,
    looked: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Self { may_wait: MAX_ALLOWANCE, looked: Instant::now() }
    }
}

impl Patience {
    /// Calls `receive` with the time that is left until it says that it has what was waited for, or none is left.
    pub fn wait(&mut self, mut receive: impl FnMut(Duration) -> Waited) {
        let began = Instant::now();
        let rested = began.saturating_duration_since(self.looked);
        self.may_wait = MAX_ALLOWANCE.min(self.may_wait + rested / WAITED_PART);
        let until = began + self.may_wait.min(MAX_WAIT);
        while receive(until.saturating_duration_since(Instant::now())) == Waited::More {}
        self.looked = Instant::now();
        self.may_wait = self.may_wait.saturating_sub(self.looked - began);
    }
}

/// Whether one goes on to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Something else came.
    More,
    /// It came, or the time is over.
    Enough,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_comes_is_waited_for_less_and_less() {
        let mut patience = Patience::default();
        let mut given = Vec::new();
        for _ in 0..6 {
            patience.wait(|left| {
                given.push(left);
                std::thread::sleep(left);
                Waited::Enough
            });
        }
        assert!(given.iter().all(|left| *left <= MAX_WAIT), "{given:?}");
        let last = given.last().copied().unwrap_or_default();
        assert!(
            last < MAX_WAIT,
            "nothing is left of the allowance but what grew meanwhile: {given:?}"
        );
    }
}
