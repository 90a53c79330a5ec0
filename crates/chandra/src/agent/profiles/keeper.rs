//! The thread that keeps profiles: it takes samples, cuts windows, and answers.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chandra_loader::memory;
use chandra_loader::sampling::period_ns;
use chandra_profile::filter::Filter;
use chandra_profile::metadata::ValueType;
use chandra_profile::pprof;
use chandra_profile::profile::Profile;
use chandra_profiler::cost::thread_cpu_ns;
use chandra_profiler::{LibraryFigures, Of, Profiler, Shown, What, Window};
use tokio::sync::oneshot;

use super::HERTZ;
use super::mailbox::{LOOK, Left, Letters};
use super::question::Question;
use super::sample::Sample;
use super::windows::Windows;

/// At the end of a profile, unwind tables that samples need are waited for so long.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// What the thread is told.
#[derive(Debug)]
pub enum Message {
    /// A sample.
    Sample(Box<Sample>),
    /// Somebody wants a profile of what is kept.
    Ask(Box<Question>, oneshot::Sender<io::Result<Made>>),
    /// Somebody has samples of a kind marked so from now on.
    Begin(Of, u8),
    /// And wants the profile of them now that all of them were sent.
    End(Box<End>, oneshot::Sender<io::Result<Made>>),
    /// A collector is to have each window from now on.
    Export(chandra_otlp::Profiles),
}

/// A profile.
#[derive(Debug)]
pub struct Made {
    /// Packed pprof.
    pub bytes: Vec<u8>,
    /// Samples in it.
    pub samples: u64,
    /// So long a time at its beginning made room for what came later.
    pub missing: Duration,
}

/// Which profile of marked samples is wanted.
#[derive(Debug)]
pub struct End {
    /// Of what.
    pub of: Of,
    /// The mark.
    pub marks: u8,
    /// Which frames.
    pub what: What,
    /// When it began.
    pub begun: SystemTime,
    /// How long it went on.
    pub duration: Duration,
    /// Samples that were lost in that time, by why.
    pub losses: Vec<(&'static str, u64)>,
    /// Of the last of it not all samples may be there.
    pub is_late: bool,
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

    /// The window that is under way ends: it goes to the collector, where there is one, and is kept.
    fn cut(
        &mut self,
        profiler: &mut Profiler,
        node: &str,
        export: Option<&chandra_otlp::Profiles>,
        now: Instant,
    ) {
        let window = profiler.cut(self.of);
        if let Some(export) = export {
            let time = now.duration_since(self.windows.began());
            let windows = std::iter::once(&window);
            let filter = Filter::default();
            let all = (What::All, Shown::of(&filter));
            export.push(&self.profile(profiler, node, windows, all, (until_now(time), time)));
        }
        let bytes = window.bytes();
        self.windows.push(window, bytes, now);
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

    fn answer(&mut self, profiler: &Profiler, node: &str, asked: &Question) -> io::Result<Made> {
        self.asked += 1;
        let now = Instant::now();
        let (windows, since) = self.windows.last(asked.time, now);
        let time = now.duration_since(since);
        let wanted = (asked.what, Shown::of(&asked.filter));
        let profile = self.profile(profiler, node, windows, wanted, (until_now(time), time));
        let profile = if asked.filter.is_empty() { profile } else { asked.filter.apply(&profile) };
        packed(&profile, Duration::ZERO)
    }

    /// The profile of marked samples, which were counted from this moment on.
    fn finish(
        &mut self,
        profiler: &Profiler,
        node: &str,
        begun: Instant,
        end: &End,
    ) -> io::Result<Made> {
        self.asked += 1;
        let (windows, missing) = self.windows.since(begun);
        let wanted = (end.what, Shown { filter: &Filter::default(), marks: end.marks });
        let time = (Some(end.begun), end.duration);
        let mut profile = self.profile(profiler, node, windows, wanted, time);
        let metadata = &mut profile.metadata;
        let losses = end.losses.iter().filter(|(_, samples)| *samples > 0);
        losses.for_each(|(why, samples)| metadata.lose(why, *samples));
        if !missing.is_zero() {
            metadata.comments.push(format!("the first {:.1} s made room", missing.as_secs_f64()));
        }
        if end.is_late || profiler.is_waiting(self.of, end.marks) {
            metadata.comments.push("not all samples were there in time".to_owned());
        }
        packed(&profile, missing)
    }

    /// A profile of windows, of a time that began then and was so long.
    fn profile<'w>(
        &self,
        profiler: &Profiler,
        node: &str,
        windows: impl Iterator<Item = &'w Window>,
        (what, shown): (What, Shown<'_>),
        (begun, duration): (Option<SystemTime>, Duration),
    ) -> Profile {
        let mut profile = profiler.profile_of(self.of, windows, what, shown);
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).ok();
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

/// When a time began that is over now.
fn until_now(time: Duration) -> Option<SystemTime> {
    SystemTime::now().checked_sub(time)
}

fn packed(profile: &Profile, missing: Duration) -> io::Result<Made> {
    let mut bytes = Vec::new();
    pprof::write(profile, &mut bytes)?;
    // Samples, or waits, are the first that is counted.
    let samples = profile.totals().first().copied().unwrap_or(0);
    Ok(Made { bytes, samples, missing })
}

/// Somebody who waits for a profile until its samples are all counted, but not for ever.
#[derive(Debug)]
struct Ending {
    end: Box<End>,
    answer: oneshot::Sender<io::Result<Made>>,
    until: Instant,
}

/// Keeps profiles until nobody sends any more.
#[derive(Debug)]
pub struct Keeper {
    profiler: Profiler,
    node: String,
    /// The profiles of each signal.
    kept: Vec<Kept>,
    export: Option<chandra_otlp::Profiles>,
    /// When samples with a mark began to be counted.
    begun: HashMap<u8, Instant>,
    ending: Vec<Ending>,
}

impl Keeper {
    /// Puts samples of this node into that.
    pub fn new(profiler: Profiler, node: &str, kept: Vec<Kept>) -> Self {
        let (begun, ending) = (HashMap::new(), Vec::new());
        Self { profiler, node: node.to_owned(), kept, export: None, begun, ending }
    }

    /// The thread's work.
    pub fn run(mut self, letters: &Letters<Message>) {
        let (mut told, mut tended) = (Instant::now(), Instant::now());
        loop {
            let left = letters.take(|message| self.take(message));
            let now = Instant::now();
            if now.duration_since(tended) >= LOOK {
                tended = now;
                self.profiler.tend();
            }
            self.finish(now);
            let Self { profiler, node, kept, export, .. } = &mut self;
            for kept in kept.iter_mut().filter(|kept| kept.windows.is_due(now)) {
                kept.cut(profiler, node, export.as_ref(), now);
            }
            if now.duration_since(told) >= Duration::from_secs(1) {
                told = now;
                kept.iter().for_each(|kept| kept.tell(profiler));
            }
            match left {
                Left::More => {}
                Left::Nothing => letters.rest(),
                Left::End => break,
            }
        }
    }

    fn take(&mut self, message: Message) {
        let Self { profiler, node, kept, export, begun, ending } = self;
        match message {
            Message::Sample(sample) => sample.give(profiler, node),
            Message::Ask(question, answer) => {
                let of = if question.off_cpu { Of::Waits } else { Of::Cpu };
                if let Some(kept) = kept.iter_mut().find(|kept| kept.of == of) {
                    // Who does not wait any more needs no answer.
                    let _ = answer.send(kept.answer(profiler, node, &question));
                    memory::give_back();
                }
            }
            Message::Begin(of, marks) => {
                // What has the same mark from before is in another window.
                let now = Instant::now();
                begun.insert(marks, now);
                if let Some(kept) = kept.iter_mut().find(|kept| kept.of == of) {
                    kept.cut(profiler, node, export.as_ref(), now);
                }
            }
            Message::End(end, answer) => {
                ending.push(Ending { end, answer, until: Instant::now() + LAST_WAIT });
            }
            Message::Export(way) => *export = Some(way),
        }
    }

    /// Answers those whose samples are all counted.
    fn finish(&mut self, now: Instant) {
        let Self { profiler, node, kept, begun, ending, .. } = self;
        let is_ready =
            |it: &mut Ending| now >= it.until || !profiler.is_waiting(it.end.of, it.end.marks);
        for Ending { end, answer, .. } in ending.extract_if(.., is_ready) {
            let begun = begun.remove(&end.marks).unwrap_or(now);
            let Some(kept) = kept.iter_mut().find(|kept| kept.of == end.of) else { continue };
            let _ = answer.send(kept.finish(profiler, node, begun, &end));
            memory::give_back();
        }
    }
}
