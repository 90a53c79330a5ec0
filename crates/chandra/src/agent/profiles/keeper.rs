//! The thread that keeps one signal's profiles: it takes samples, cuts windows, and answers.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chandra_loader::sampling::period_ns;
use chandra_profile::metadata::ValueType;
use chandra_profile::pprof;
use chandra_profiler::{Profiler, What, Window};
use tokio::sync::oneshot;

use super::question::Question;
use super::sample::Sample;
use super::windows::Windows;

/// What happened meanwhile is looked at so often.
const IDLE: Duration = Duration::from_millis(100);

/// What the thread is told.
#[derive(Debug)]
pub enum Message {
    /// A sample.
    Sample(Box<Sample>),
    /// Somebody wants a profile: packed pprof.
    Ask(Box<Question>, oneshot::Sender<io::Result<Vec<u8>>>),
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
    /// Frames of Python.
    pub python_frames: u64,
    /// Of those, that have no name.
    pub python_frames_unnamed: u64,
    /// Samples whose frames of Python are not all there, or not where they belong.
    pub python_stacks_incomplete: u64,
    /// Time on a CPU.
    pub cpu_ns: u64,
}

/// Keeps profiles until nobody sends any more.
#[derive(Debug)]
pub struct Keeper {
    /// What samples are put into.
    pub profiler: Profiler,
    /// The node.
    pub node: String,
    /// Samples a second and CPU, of what a clock samples.
    pub hertz: Option<u32>,
    /// What windows may take.
    pub budget_bytes: usize,
    /// Told about once a second.
    pub figures: Arc<Mutex<Figures>>,
}

impl Keeper {
    /// The thread's work.
    pub fn run(mut self, messages: &Receiver<Message>) {
        let mut windows = Windows::new(self.budget_bytes, Instant::now());
        let mut asked = 0;
        let (mut told, mut tended) = (Instant::now(), Instant::now());
        loop {
            match messages.recv_timeout(IDLE) {
                Ok(Message::Sample(sample)) => sample.give(&mut self.profiler, &self.node),
                Ok(Message::Ask(question, answer)) => {
                    asked += 1;
                    // Who does not wait any more needs no answer.
                    let _ = answer.send(self.answer(&question, &windows));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            if now.duration_since(tended) >= IDLE {
                tended = now;
                self.profiler.tend();
            }
            if windows.is_due(now) {
                let window = self.profiler.cut();
                let bytes = window.bytes();
                windows.push(window, bytes, now);
            }
            if now.duration_since(told) >= Duration::from_secs(1) {
                told = now;
                self.tell(&windows, asked);
            }
        }
    }

    fn tell(&self, windows: &Windows<Window>, asked: u64) {
        let (count, bytes, dropped) = windows.figures();
        let figures = self.profiler.figures();
        let python = &figures.python;
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner) = Figures {
            samples: figures.samples,
            windows: count,
            bytes,
            dropped,
            asked,
            python_frames: python.frames,
            python_frames_unnamed: python.gone + python.forbidden,
            python_stacks_incomplete: python.incomplete(),
            cpu_ns: own_cpu_ns().unwrap_or(0),
        };
    }

    fn answer(&self, asked: &Question, windows: &Windows<Window>) -> io::Result<Vec<u8>> {
        let now = Instant::now();
        let (windows, since) = windows.last(asked.time, now);
        let mut profile = self.profiler.profile_of(windows, What::All, &asked.filter);
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).ok();
        let duration = now.duration_since(since);
        let begun = SystemTime::now().checked_sub(duration);
        let metadata = &mut profile.metadata;
        metadata.host = Some(self.node.clone());
        metadata.duration_ns = nanoseconds(duration);
        metadata.start_unix_ns =
            begun.and_then(|begun| nanoseconds(begun.duration_since(UNIX_EPOCH).ok()?));
        if let Some(hertz) = self.hertz {
            metadata.frequency_hz = Some(hertz);
            metadata.period = Some((ValueType::cpu(), period_ns(hertz)));
        }
        let profile = if asked.filter.is_empty() { profile } else { asked.filter.apply(&profile) };
        let mut bytes = Vec::new();
        pprof::write(&profile, &mut bytes)?;
        Ok(bytes)
    }
}

/// What this thread ran: the first number of its schedstat.
fn own_cpu_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}
