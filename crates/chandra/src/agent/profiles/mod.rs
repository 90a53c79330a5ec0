//! Profiles that an agent keeps all the time, of the signals `cpu_profile` and `off_cpu` where they are on.
//!
//! A thread of its own keeps them ([`keeper`]): what it takes to know a process, or to name a stack, holds up no record,
//! and is there once for both signals. Samples go there by a bounded queue; one that finds no room is counted as shed. What was counted is cut
//! into windows of ten seconds, which are kept within a budget ([`windows`]) and named when somebody asks.

mod keeper;
mod mailbox;
mod question;
mod sample;
mod served;
mod sessions;
mod wanted;
mod windows;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_hubble_grpc::server::ProfileCounts;
use chandra_metrics::{Kind, Writer};
use chandra_profiler::{LibraryFigures, Of, Profiler, StartError};
use tokio::sync::oneshot;

pub use keeper::Figures;
use keeper::{Keeper, Kept, Message};
use mailbox::Mailbox;
pub use question::Question;
use sample::Sample;
pub use served::Making;
use sessions::Sessions;

use super::state::SignalState;
use crate::follow::Told;
use crate::session::STACKS;

/// Samples a second and CPU: little enough to do it always.
pub const HERTZ: u32 = 19;

/// Names that are kept for the next who asks.
const NAME_BYTES: usize = 8 << 20;

/// To name the stacks of large programs may take a while; after that nobody waits any more.
const PATIENCE: Duration = Duration::from_secs(30);

/// The profiles of one signal.
#[derive(Debug)]
pub struct Profiles {
    signal: &'static str,
    of: Of,
    /// To the thread that keeps all of them.
    messages: Mailbox<Message>,
    figures: Arc<Mutex<Figures>>,
    /// Of all signals: who asks for what comes.
    sessions: Arc<Sessions>,
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
    /// Whether it had room for a record; `None` where that is no sample of this signal.
    pub fn take(&self, told: &Told<'_>) -> Option<bool> {
        if told.known.record.kind().signal != self.signal {
            return None;
        }
        let mut sample = Box::new(Sample::of(told)?);
        Some(self.sessions.mark(self.of, told, |marked| {
            sample.marked = marked;
            let bytes = sample.bytes();
            self.messages.leave(Message::Sample(sample), bytes)
        }))
    }

    /// What was sampled before this moment (CLOCK_BOOTTIME) was offered to [`take`](Self::take).
    pub fn note(&self, told_until_ns: u64) {
        self.sessions.note(told_until_ns);
    }

    /// A collector has each window of all signals from now on. Nobody sends samples yet, so there is room.
    pub fn export(&self, way: chandra_otlp::Profiles) {
        let _ = self.messages.send(Message::Export(way));
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

/// Keeps profiles of all signals that they are made of, if they work. Where that cannot be, it is said, and the rest
/// goes on.
pub fn start_all(signals: &[SignalState], node: &str, budget_bytes: usize) -> Vec<Profiles> {
    let is_one = |signal: &&SignalState| {
        signal.is_on && signal.signal.class == STACKS && signal.verdict().is_active()
    };
    let signals: Vec<_> = signals.iter().filter(is_one).collect();
    start(&signals, node, budget_bytes).unwrap_or_else(|why| {
        let problem = Problem::new(
            Check::CAPABILITIES,
            "cannot keep profiles",
            why,
            "grant CAP_PERFMON, or leave cpu_profile and off_cpu out of --signals",
        );
        eprintln!("{problem}");
        Vec::new()
    })
}

fn start(
    signals: &[&SignalState],
    node: &str,
    budget_bytes: usize,
) -> Result<Vec<Profiles>, StartError> {
    if signals.is_empty() {
        return Ok(Vec::new());
    }
    let mut profiler = Profiler::prepare(NAME_BYTES)?;
    let mut measured = Vec::new();
    for signal in signals {
        let name = signal.signal.spec.name;
        let Some((of, added)) =
            Of::signal(name).zip(signal.with_loaded(|loaded| profiler.add(loaded)))
        else {
            continue;
        };
        added?;
        measured.push((name, of, Arc::default()));
    }
    profiler.seed();
    let kept = measured.iter().map(|(_, of, it)| Kept::new(*of, Arc::clone(it), budget_bytes));
    let keeper = Keeper::new(profiler, node, kept.collect());
    let messages = mailbox::open(|letters| {
        // It ends when nobody can send any more.
        let keeping = std::thread::Builder::new().name("keep profiles".to_owned());
        let keeping = keeping.spawn(move || keeper.run(&letters)).map_err(StartError::Thread)?;
        Ok::<_, StartError>(keeping.thread().clone())
    })?;
    let sessions = Arc::new(Sessions::default());
    let profiles = measured.into_iter().map(|(signal, of, figures)| {
        let (messages, sessions) = (messages.clone(), Arc::clone(&sessions));
        Profiles { signal, of, messages, figures, sessions }
    });
    Ok(profiles.collect())
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
    asked.messages.send(Message::Ask(Box::new(question), answer)).map_err(|error| match error {
        TrySendError::Full(_) => NoProfile::Busy,
        TrySendError::Disconnected(_) => NoProfile::Off(name),
    })?;
    let late = |_| NoProfile::Failed(io::ErrorKind::TimedOut.into());
    let answered = tokio::time::timeout(PATIENCE, answered).await.map_err(late)?;
    let gone = |_| NoProfile::Failed(io::ErrorKind::BrokenPipe.into());
    answered.map_err(gone)?.map(|made| made.bytes).map_err(NoProfile::Failed)
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
    let help = "Windows, ten seconds long at most, that are kept.";
    family(Kind::Gauge, "chandra_profile_windows", "", help, |it| it.windows as u64);
    let help = "Memory that kept windows take.";
    family(Kind::Gauge, "chandra_profile_window_bytes", "bytes", help, |it| it.bytes as u64);
    let help = "Windows that made room for newer ones.";
    family(Kind::Counter, "chandra_profile_windows_dropped", "", help, |it| it.dropped);
    let help = "Profiles that somebody asked for.";
    family(Kind::Counter, "chandra_profile_requests", "", help, |it| it.asked);
    // All signals have the same of these.
    let Some((_, figures)) = profiles.first() else { return };
    let Figures { keep_cpu_ns, table_cpu_ns, table_bytes, names, .. } = figures;
    let help = "CPU time of keeping profiles: taking samples, building unwind tables, looking for names; what the \
                probes take is on /signals.";
    let mut cost = out.family(Kind::Counter, "chandra_profile_cpu_seconds", "seconds", help);
    for (work, cpu_ns) in
        [("samples", keep_cpu_ns), ("tables", table_cpu_ns), ("names", &names.cpu_ns)]
    {
        cost.sample(&[("work", work)], *cpu_ns as f64 / 1e9);
    }
    let help = "Memory that unwind tables take, large ones only in the kernel.";
    let mut family = out.family(Kind::Gauge, "chandra_profile_table_bytes", "bytes", help);
    family.sample(&[], *table_bytes as u64);
    let help = "Names that were looked for when a profile was asked for, by whether they were kept from before.";
    let mut looked = out.family(Kind::Counter, "chandra_profile_names", "", help);
    let LibraryFigures { asked, kept, evicted, bytes, .. } = names;
    for (outcome, count) in [("kept", *kept), ("found_anew", asked.saturating_sub(*kept))] {
        looked.sample(&[("outcome", outcome)], count);
    }
    let help = "Names that were kept and had to go.";
    let mut family = out.family(Kind::Counter, "chandra_profile_names_evicted", "", help);
    family.sample(&[], *evicted);
    let help = "Memory that kept names take.";
    let mut family = out.family(Kind::Gauge, "chandra_profile_name_bytes", "bytes", help);
    family.sample(&[], *bytes as u64);
    write_python(figures, out);
}

/// Writes the families of those who ask for profiles over the network.
pub fn write_clients(counts: &ProfileCounts, out: &mut Writer<'_>) {
    let ProfileCounts { clients, waiting_bytes, refused, let_go } = counts;
    let gauges = [clients, waiting_bytes].map(|it| it.load(Ordering::Relaxed) as u64);
    let [clients, waiting_bytes] = gauges;
    let help = "Profiles that are under way for a client of gRPC, or wait for it to take them.";
    out.family(Kind::Gauge, "chandra_profile_clients", "", help).sample(&[], clients);
    let help = "Memory of profiles that wait for their client of gRPC to take them.";
    let mut family = out.family(Kind::Gauge, "chandra_profile_client_bytes", "bytes", help);
    family.sample(&[], waiting_bytes);
    let help = "Clients of gRPC that got no profile: refused because too many were under way, or let go because they did \
                not take it.";
    let mut family = out.family(Kind::Counter, "chandra_profile_clients_failed", "", help);
    for (reason, count) in [("refused", refused), ("let_go", let_go)] {
        family.sample(&[("reason", reason)], count.load(Ordering::Relaxed));
    }
}

fn write_python(figures: &Figures, out: &mut Writer<'_>) {
    let mut count = |name, help, value| {
        out.family(Kind::Counter, name, "", help).sample(&[], value);
    };
    let help = "Frames of Python code in samples.";
    count("chandra_profile_python_frames", help, figures.python_frames);
    let help = "Frames of Python code whose name could not be read.";
    count("chandra_profile_python_frames_unnamed", help, figures.python_frames_unnamed);
    let help = "Samples whose frames of Python are not all there, or not where they belong.";
    count("chandra_profile_python_stacks_incomplete", help, figures.python_stacks_incomplete);
}
