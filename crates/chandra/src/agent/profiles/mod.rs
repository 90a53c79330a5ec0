//! Profiles that an agent keeps all the time, of the signals `cpu_profile` and `off_cpu` where they are on.
//!
//! Each has a thread of its own ([`keeper`]): what it takes to know a process, or to name a stack, holds up no
//! record. Samples go there by a bounded queue; one that finds no room is counted as shed. What was counted is cut
//! into windows of ten seconds, which are kept within a budget ([`windows`]) and named when somebody asks.

mod keeper;
mod question;
mod sample;
mod windows;

use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_metrics::{Kind, Writer};
use chandra_profiler::Profiler;
use tokio::sync::oneshot;

pub use keeper::Figures;
use keeper::{Keeper, Message};
pub use question::Question;
use sample::Sample;

use super::state::SignalState;
use crate::follow::Told;

/// The class of signals that profiles are made of.
pub const CLASS: &str = "stacks";

/// Samples a second and CPU: little enough to do it always.
pub const HERTZ: u32 = 19;

/// Samples that may wait: some seconds of them, while stacks are named.
const WAITING: usize = 4096;

/// To name the stacks of large programs may take a while; after that nobody waits any more.
const PATIENCE: Duration = Duration::from_secs(30);

/// The profiles of one signal.
#[derive(Debug)]
pub struct Profiles {
    signal: &'static str,
    messages: SyncSender<Message>,
    figures: Arc<Mutex<Figures>>,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum NoProfile {
    /// The signal is not on.
    #[error("the agent keeps no such profiles: start it with --signals …,{0}")]
    Off(&'static str),
    /// Others ask, too.
    #[error("too much is waiting; ask again")]
    Busy,
    /// It took too long, or could not be written.
    #[error("the profile could not be made: {0}")]
    Failed(io::Error),
}

impl Profiles {
    /// Keeps profiles of a signal from now on, if it is one that profiles are made of, and works.
    ///
    /// # Errors
    /// When the kernel, or the system, does not allow what that takes.
    pub fn start(
        signal: &SignalState,
        node: &str,
        budget_bytes: usize,
    ) -> Result<Option<Self>, Problem> {
        let name = signal.signal.spec.name;
        if !signal.is_on || signal.signal.class != CLASS || !signal.verdict().is_active() {
            return Ok(None);
        }
        let Some(profiler) = signal.with_loaded(Profiler::start) else { return Ok(None) };
        let cannot = |why: &dyn std::fmt::Display| {
            let what = format!("cannot keep profiles of signal {name}");
            Problem::new(
                Check::CAPABILITIES,
                what,
                why,
                "grant CAP_PERFMON, or leave it out of --signals",
            )
        };
        let profiler = profiler.map_err(|error| cannot(&error))?;
        let figures = Arc::new(Mutex::new(Figures::default()));
        let keeper = Keeper {
            profiler,
            node: node.to_owned(),
            hertz: (name == "cpu_profile").then_some(HERTZ),
            budget_bytes,
            figures: Arc::clone(&figures),
        };
        let (messages, received) = sync_channel(WAITING);
        // It ends when nobody can send any more.
        let thread = std::thread::Builder::new().name(format!("keep {name}"));
        thread.spawn(move || keeper.run(&received)).map_err(|error| cannot(&error))?;
        Ok(Some(Self { signal: name, messages, figures }))
    }

    /// Whether it had room for a record; `None` where that is no sample of this signal.
    pub fn take(&self, told: &Told<'_>) -> Option<bool> {
        if told.known.record.kind().signal != self.signal {
            return None;
        }
        let message = Message::Sample(Box::new(Sample::of(told)?));
        Some(self.messages.try_send(message).is_ok())
    }

    /// The signal.
    pub fn signal(&self) -> &'static str {
        self.signal
    }

    /// What became of samples, as of about a second ago.
    pub fn figures(&self) -> Figures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps profiles of all signals that they are made of. Where that cannot be, it is said, and the others go on.
pub fn start_all(signals: &[SignalState], node: &str, budget_bytes: usize) -> Vec<Profiles> {
    let start = |signal: &SignalState| match Profiles::start(signal, node, budget_bytes) {
        Ok(profiles) => profiles,
        Err(problem) => {
            eprintln!("{problem}");
            None
        }
    };
    signals.iter().filter_map(start).collect()
}

/// Answers a question, from whichever of these it is about: pprof, packed.
///
/// # Errors
/// When there is none, or it cannot be made.
pub async fn answer(profiles: &[Profiles], question: Question) -> Result<Vec<u8>, NoProfile> {
    let name = if question.off_cpu { "off_cpu" } else { "cpu_profile" };
    let asked = profiles.iter().find(|profiles| profiles.signal == name);
    let asked = asked.ok_or(NoProfile::Off(name))?;
    let (answer, answered) = oneshot::channel();
    asked.messages.try_send(Message::Ask(Box::new(question), answer)).map_err(
        |error| match error {
            TrySendError::Full(_) => NoProfile::Busy,
            TrySendError::Disconnected(_) => NoProfile::Off(name),
        },
    )?;
    let late = |_| NoProfile::Failed(io::ErrorKind::TimedOut.into());
    let answered = tokio::time::timeout(PATIENCE, answered).await.map_err(late)?;
    let gone = |_| NoProfile::Failed(io::ErrorKind::BrokenPipe.into());
    answered.map_err(gone)?.map_err(NoProfile::Failed)
}

/// Writes the families of profiles.
pub fn write(profiles: &[(&'static str, Figures)], out: &mut Writer<'_>) {
    let mut family = |kind, name, unit, help, value: fn(&Figures) -> u64| {
        let mut family = out.family(kind, name, unit, help);
        for (signal, figures) in profiles {
            family.sample(&[("signal", signal)], value(figures));
        }
    };
    let help = "Samples, or waits, that profiles were made of.";
    family(Kind::Counter, "chandra_profile_samples", "", help, |it| it.samples);
    let help = "Windows of ten seconds that are kept.";
    family(Kind::Gauge, "chandra_profile_windows", "", help, |it| it.windows as u64);
    let help = "Memory that kept windows take.";
    family(Kind::Gauge, "chandra_profile_window_bytes", "bytes", help, |it| it.bytes as u64);
    let help = "Windows that made room for newer ones.";
    family(Kind::Counter, "chandra_profile_windows_dropped", "", help, |it| it.dropped);
    let help = "Profiles that somebody asked for.";
    family(Kind::Counter, "chandra_profile_requests", "", help, |it| it.asked);
    let help = "Frames of Python code in samples.";
    let python_frames = "chandra_profile_python_frames";
    family(Kind::Counter, python_frames, "", help, |it| it.python_frames);
    let help = "Frames of Python code whose name could not be read.";
    let unnamed = "chandra_profile_python_frames_unnamed";
    family(Kind::Counter, unnamed, "", help, |it| it.python_frames_unnamed);
    let help = "Samples whose frames of Python are not all there, or not where they belong.";
    let incomplete = "chandra_profile_python_stacks_incomplete";
    family(Kind::Counter, incomplete, "", help, |it| it.python_stacks_incomplete);
    let help = "CPU time of the thread that keeps profiles; what its probe takes is on /signals.";
    let mut cost = out.family(Kind::Counter, "chandra_profile_cpu_seconds", "seconds", help);
    for (signal, figures) in profiles {
        cost.sample(&[("signal", signal)], figures.cpu_ns as f64 / 1e9);
    }
}
