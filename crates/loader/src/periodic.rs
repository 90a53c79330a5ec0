//! A thread that does something about once a second, until it is dropped.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::capability;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Periodic {
    end: Arc<End>,
    thread: Option<JoinHandle<()>>,
}

impl Periodic {
    /// Does `work` after this pause, and again after each that it returns. The thread has these capabilities alone:
    /// it lives as long as its process, and goes on as well where the others cannot be given up.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub fn start(
        name: &str,
        capabilities: &'static [&'static str],
        mut pause: Duration,
        mut work: impl FnMut() -> Duration + Send + 'static,
    ) -> io::Result<Self> {
        let end = Arc::new(End::default());
        let asked = Arc::clone(&end);
        let run = move || {
            let _ = capability::keep_only(capabilities);
            while !asked.wait(pause) {
                pause = work();
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { end, thread: Some(thread) })
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        self.end.ask();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Set once, to end the thread.
#[derive(Debug, Default)]
struct End {
    is_asked: Mutex<bool>,
    asked: Condvar,
}

impl End {
    /// Waits so long at most; true when the end was asked for.
    fn wait(&self, time: Duration) -> bool {
        let is_asked = self.is_asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.asked.wait_timeout_while(is_asked, time, |is_asked| !*is_asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn ask(&self) {
        *self.is_asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.asked.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_ends_a_wait_at_once() {
        let end = End::default();
        assert!(!end.wait(Duration::ZERO));
        end.ask();
        assert!(end.wait(Duration::from_secs(3600)));
    }
}
