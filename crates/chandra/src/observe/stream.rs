//! Waiting for what a server sends, until somebody says to stop.

use std::future::Future;
use std::io;

use chandra_doctor::{Check, Problem};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::stop::Stop;

/// Until SIGINT or SIGTERM; the second one ends the program at once.
#[derive(Debug)]
pub struct Until {
    stop: Stop,
    signals: [Signal; 2],
}

impl Until {
    /// Listens for signals.
    pub fn signals() -> Result<Self, Problem> {
        let listen = || -> io::Result<Self> {
            let stop = Stop::on_signals()?;
            let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
            Ok(Self { stop, signals })
        };
        listen().map_err(|error| {
            Problem::new(Check::OUTPUT, "cannot listen for Ctrl-C", error, "start it again")
        })
    }

    /// Whether somebody said so.
    pub fn is_asked(&self) -> bool {
        self.stop.is_asked()
    }

    /// What comes of this; nothing if told to stop before.
    pub async fn stopped<T>(&mut self, coming: impl Future<Output = T>) -> Option<T> {
        if self.stop.is_asked() {
            return None;
        }
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            biased;
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            came = coming => Some(came),
        }
    }
}
