//! The thread that keeps profiles: it takes samples, cuts windows, and answers.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chandra_loader::memory;
use chandra_loader::sampling::period_ns;
use chandra_profile::filter::Filter;
use chandra_profile::metadata::ValueType;
use chandra_profile::pprof;
use chandra_profile::profile::Profile;
use chandra_profiler::cost::thread_cpu_ns;
use chandra_profiler::{LibraryFigures, Of, Profiler, What, Window};
use tokio::sync::oneshot;

use super::HERTZ;
use super::question::Question;
use super::sample::Sample;
use super::windows::Windows;

/// What happened meanwhile is looked at so often.
const IDLE: Duration = Duration::from_millis(250);

/// What the thread is told.
#[derive(Debug)]
pub enum Message {
    /// A sample.
    Sample(Box<Sample>),
    /// Somebody wants a profile: packed pprof.
    Ask(Box<Question>, oneshot::Sender<io::Result<Vec<u8>>>),
    /// A collector is to have each window from now on.
    Export(chandra_otlp::Profiles),
}

/// What became of samples, and what it took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Samples that were taken.
    pub samples: u64,
    /// Windows that are kept.
    pub windows: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Windows that made room for others.
    pub dropped: u64,
    /// Profiles that were asked for.
    pub asked: u64,
    /// Of all signals: time on a CPU of the keeping thread.
    pub keep_cpu_ns: u64,
    /// Of all signals: time on a CPU that tables took.
    pub table_cpu_ns: u64,
    /// Of all signals: bytes of tables.
    pub table_bytes: usize,
    /// Of all signals: names.
    pub names: LibraryFigures,
    /// Of all signals: frames of Python.
    pub python_frames: u64,
    /// Of those, that have no name.
    pub python_frames_unnamed: u64,
    /// Of all signals: samples whose frames of Python are not all there, or not where they belong.
    pub python_stacks_incomplete: u64,
}

/// One signal's profiles.
#[derive(Debug)]
pub struct Kept {
    of: Of,
    windows: Windows<Window>,
    asked: u64,
    /// Told about once a second.
    figures: Arc<Mutex<Figures>>,
}

impl Kept {
    /// None yet.
    pub fn new(of: Of, figures: Arc<Mutex<Figures>>, budget_bytes: usize) -> Self {
        Self { of, windows: Windows::new(budget_bytes, Instant::now()), asked: 0, figures }
    }

    /// The window that is over, if one is, goes to the collector, where there is one, and is kept.
    fn cut(
        &mut self,
        profiler: &mut Profiler,
        node: &str,
        export: Option<&chandra_otlp::Profiles>,
        now: Instant,
    ) {
        if self.windows.is_due(now) {
            let window = profiler.cut(self.of);
            if let Some(export) = export {
                let time = now.duration_since(self.windows.began());
                let windows = std::iter::once(&window);
                export.push(&self.profile(profiler, node, windows, &Filter::default(), time));
            }
            let bytes = window.bytes();
            self.windows.push(window, bytes, now);
        }
    }

    fn tell(&self, profiler: &Profiler) {
        let (windows, bytes, dropped) = self.windows.figures();
        let of_all = profiler.figures(self.of);
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        *figures = Figures {
            samples: of_all.samples,
            windows,
            bytes,
            dropped,
            asked: self.asked,
            keep_cpu_ns: thread_cpu_ns(),
            table_cpu_ns: of_all.table_cpu_ns,
            table_bytes: of_all.table_bytes,
            names: profiler.library_figures().unwrap_or(figures.names),
            python_frames: of_all.python.frames,
            python_frames_unnamed: of_all.python.gone + of_all.python.forbidden,
            python_stacks_incomplete: of_all.python.incomplete(),
        };
    }

    fn answer(&mut self, profiler: &Profiler, node: &str, asked: &Question) -> io::Result<Vec<u8>> {
        self.asked += 1;
        let now = Instant::now();
        let (windows, since) = self.windows.last(asked.time, now);
        let time = now.duration_since(since);
        let profile = self.profile(profiler, node, windows, &asked.filter, time);
        let profile = if asked.filter.is_empty() { profile } else { asked.filter.apply(&profile) };
        let mut bytes = Vec::new();
        pprof::write(&profile, &mut bytes)?;
        Ok(bytes)
    }

    /// A profile of windows that end now, and are so long.
    fn profile<'w>(
        &self,
        profiler: &Profiler,
        node: &str,
        windows: impl Iterator<Item = &'w Window>,
        filter: &Filter,
        duration: Duration,
    ) -> Profile {
        let mut profile = profiler.profile_of(self.of, windows, What::All, filter);
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).ok();
        let begun = SystemTime::now().checked_sub(duration);
        let metadata = &mut profile.metadata;
        metadata.host = Some(node.to_owned());
        metadata.duration_ns = nanoseconds(duration);
        metadata.start_unix_ns =
            begun.and_then(|begun| nanoseconds(begun.duration_since(UNIX_EPOCH).ok()?));
        if self.of == Of::Cpu {
            metadata.frequency_hz = Some(HERTZ);
            metadata.period = Some((ValueType::cpu(), period_ns(HERTZ)));
        }
        profile
    }
}

/// Keeps profiles until nobody sends any more.
#[derive(Debug)]
pub struct Keeper {
    /// What samples are put into.
    pub profiler: Profiler,
    /// The node.
    pub node: String,
    /// The profiles of each signal.
    pub kept: Vec<Kept>,
}

impl Keeper {
    /// The thread's work.
    pub fn run(mut self, messages: &Receiver<Message>) {
        let (mut told, mut tended) = (Instant::now(), Instant::now());
        let mut export = None;
        loop {
            match messages.recv_timeout(IDLE) {
                Ok(Message::Sample(sample)) => sample.give(&mut self.profiler, &self.node),
                Ok(Message::Ask(question, answer)) => {
                    let of = if question.off_cpu { Of::Waits } else { Of::Cpu };
                    if let Some(kept) = self.kept.iter_mut().find(|kept| kept.of == of) {
                        // Who does not wait any more needs no answer.
                        let _ = answer.send(kept.answer(&self.profiler, &self.node, &question));
                        memory::give_back();
                    }
                }
                Ok(Message::Export(way)) => export = Some(way),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            if now.duration_since(tended) >= IDLE {
                tended = now;
                self.profiler.tend();
            }
            for kept in &mut self.kept {
                kept.cut(&mut self.profiler, &self.node, export.as_ref(), now);
            }
            if now.duration_since(told) >= Duration::from_secs(1) {
                told = now;
                self.kept.iter().for_each(|kept| kept.tell(&self.profiler));
            }
        }
    }
}
