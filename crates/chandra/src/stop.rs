//! SIGINT and SIGTERM ask every loop to end in good order; a second one ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Shared by everything that runs until it is asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for SIGINT and SIGTERM. A signal also ends a wait for records.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, and sets it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop.0))?;
            flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    /// Whether to stop.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks everything that shares this to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long who waits for records sleeps before it looks whether it should end.
const IDLE: Duration = Duration::from_millis(50);

/// When what runs until it is asked to stop ends by itself.
#[derive(Debug)]
pub struct Ending<'a> {
    deadline: Option<Instant>,
    stop: &'a Stop,
}

impl<'a> Ending<'a> {
    /// After so long, or never.
    pub fn new(duration: Option<Duration>, stop: &'a Stop) -> Self {
        Self { deadline: duration.and_then(|duration| Instant::now().checked_add(duration)), stop }
    }

    /// How long to wait at most before asking again; `None` when it is over.
    pub fn patience(&self) -> Option<Duration> {
        let left = self
            .deadline
            .map_or(IDLE, |deadline| deadline.saturating_duration_since(Instant::now()));
        (!left.is_zero() && !self.stop.is_asked()).then(|| left.min(IDLE))
    }
}
