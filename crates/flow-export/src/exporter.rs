//! All flow logs of an agent.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chandra_hubble::flow::{Flow, Node};
use chandra_hubble::{filter, mask};

use crate::log::{Figures, Log};
use crate::settings::{FlowLog, twice};

/// Why a flow log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Its filters mean nothing.
    #[error(transparent)]
    Filter(#[from] filter::Error),
    /// Its mask names fields that a flow does not have.
    #[error(transparent)]
    Mask(#[from] mask::Error),
    /// Another has its name, or its file.
    #[error("another has this name or this file")]
    Twice,
    /// There is no thread for it.
    #[error("no thread for it: {0}")]
    Thread(io::Error),
}

/// How long the last lines may take when all ends.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes flows to flow logs. Owned by the thread that has the flows.
#[derive(Debug)]
pub struct Exporter {
    node: Arc<Node>,
    logs: Vec<Log>,
    say: fn(&str, &io::Error),
}

impl Exporter {
    /// Without a log. `say` is told the name of a log that cannot be written, and why, once for each row
    /// of lines that were lost by it.
    pub fn new(node: Node, say: fn(&str, &io::Error)) -> Self {
        Self { node: Arc::new(node), logs: Vec::new(), say }
    }

    /// These are the flow logs from now on. One that is as it was goes on; one that changed is ended and
    /// begun anew.
    ///
    /// # Errors
    /// When one of them cannot be; then all is as it was before.
    pub fn apply(&mut self, settings: &[FlowLog]) -> Result<(), Failure> {
        settings.iter().try_for_each(FlowLog::check)?;
        if twice(settings).is_some() {
            return Err(Failure::Twice);
        }
        let is_wanted = |log: &mut Log| settings.contains(&log.settings);
        let ended = self.logs.extract_if(.., |log| !is_wanted(log));
        let mut ended: Vec<_> = ended.map(|log| (log.settings.target.clone(), log.end())).collect();
        for settings in settings {
            if self.logs.iter().any(|log| log.settings == *settings) {
                continue;
            }
            let same_file = ended.iter().position(|(target, _)| *target == settings.target);
            let before = same_file.map(|index| ended.swap_remove(index).1);
            self.logs.push(Log::start(settings, &self.node, before, self.say)?);
        }
        Ok(())
    }

    /// Takes a flow into all logs whose filters let it pass.
    pub fn take(&mut self, flow: &Flow) {
        self.logs.iter_mut().for_each(|log| log.take(flow));
    }

    /// Hands over what was taken, without waiting.
    pub fn flush(&mut self) {
        self.logs.iter_mut().for_each(Log::flush);
    }

    /// Ends logs whose time is over; about once a second.
    pub fn tick(&mut self, now: SystemTime) {
        self.logs.extract_if(.., |log| log.is_over(now)).for_each(|log| drop(log.end()));
    }

    /// What became of the flows of each log, by its name.
    pub fn figures(&self) -> impl Iterator<Item = (&str, Figures)> {
        self.logs.iter().map(|log| (log.settings.name.as_str(), log.figures()))
    }
}

impl Drop for Exporter {
    /// The last lines are written, unless that takes too long.
    fn drop(&mut self) {
        let latest = Instant::now() + PATIENCE;
        let ended: Vec<_> = self.logs.drain(..).map(Log::end).collect();
        ended.into_iter().for_each(|ended| ended.wait_until(latest));
    }
}
