//! From rings into memory, as fast as records come: a thread that does nothing else, so that a burst,
//! or a reader of the output that is slow for a while, does not fill a ring.
//!
//! What waits is bounded. Beyond the bound the rings are left alone until some of it was told; what
//! then finds no room there is counted by the kernel, so that there is one place where records are
//! lost.

use std::cell::RefCell;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, SyncSender};
use std::time::{Duration, Instant};

use chandra_doctor::Problem;
use chandra_identity::translation;
use chandra_loader::load::Loaded;
use chandra_loader::ring::{Reader, wait_any};
use chandra_loader::{clock, ledger};

use super::translations::Translations;
use super::{Part, Plan};
use crate::session;

/// Bytes of records that may wait to be told.
const WAITING_BYTES: usize = 64 << 20;
/// How long to leave the rings alone when so much waits.
const PAUSE: Duration = Duration::from_millis(1);
/// How often, and how many times, to look for what probes were sending when they were detached.
const LAST_LOOK: Duration = Duration::from_millis(2);
const LAST_LOOKS: u32 = 50;
/// What probes remember is gone through so many times in the interval in which they tell of it, and at most
/// once a second.
const SWEEPS: u32 = 10;
const SWEEP: Duration = Duration::from_secs(1);
/// The teller hears at least so often up to when everything was taken.
const NEWS: Duration = Duration::from_secs(1);

/// Records one after another, each behind its length.
#[derive(Debug, Default)]
pub struct Chunk(Vec<u8>);

impl Chunk {
    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.0.extend_from_slice(&(record.len() as u64).to_ne_bytes());
        self.0.extend_from_slice(record);
    }

    /// These records.
    pub fn of<'r>(records: impl Iterator<Item = &'r [u8]>) -> Self {
        let mut chunk = Self::default();
        records.for_each(|record| chunk.push(record));
        chunk
    }

    /// The records.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk()?;
            let (record, tail) =
                tail.split_at_checked(usize::try_from(u64::from_ne_bytes(*length)).ok()?)?;
            rest = tail;
            Some(record)
        })
    }

    /// What it takes of the bytes that may wait.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// What was taken at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// A chunk for each part, in their order.
    pub chunks: Vec<Chunk>,
    /// What connection tracking said before these records, and some of what it said since.
    pub translations: Vec<translation::Change>,
    /// Everything that somebody waits for and that was sent before this moment (CLOCK_BOOTTIME) is in this batch or an
    /// earlier one.
    pub complete_until_boottime_ns: u64,
}

impl Batch {
    /// What it takes of the bytes that may wait.
    pub fn bytes(&self) -> usize {
        let translations = self.translations.len() * size_of::<translation::Change>();
        self.chunks.iter().map(Chunk::bytes).sum::<usize>() + translations
    }
}

/// What reaches the teller.
#[derive(Debug)]
pub enum Message {
    /// Records.
    Batch(Batch),
    /// What a source found out.
    News(super::sources::News),
    /// Nothing more is taken.
    End,
}

/// What the draining thread and the telling one share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Bytes that were handed over and not told yet.
    pub waiting_bytes: AtomicUsize,
    /// What was there at start has been looked at, for which hooks must be attached.
    pub is_seeded: AtomicBool,
    /// Nothing more will be told.
    pub is_over: AtomicBool,
}

/// Drains all rings until the end, detaches their hooks, and drains what was under way. Says through
/// `ready` that it listens.
pub fn run(
    plan: &Plan<'_>,
    shared: &Shared,
    translations: Option<Translations>,
    ready: Sender<()>,
    messages: &SyncSender<Message>,
) -> Result<(), Problem> {
    let chunks: Vec<_> = plan.parts.iter().map(|_| RefCell::new(Chunk::default())).collect();
    let translated = RefCell::new(Vec::new());
    let mut rings = Rings::open(plan.parts, &chunks)?;
    rings.translations = translations.map(|translations| (translations, &translated));
    let hand_over = |complete_until_boottime_ns| {
        let chunks = chunks.iter().map(RefCell::take).collect();
        let batch = Batch { chunks, translations: translated.take(), complete_until_boottime_ns };
        shared.waiting_bytes.fetch_add(batch.bytes(), Ordering::Relaxed);
        // Nobody there to tell it: the end is near.
        let _ = messages.send(Message::Batch(batch));
    };
    let _ = ready.send(());
    let (mut last_news, mut was_found) = (Instant::now(), false);
    let mut sweeps: Vec<_> = plan.parts.iter().filter_map(Sweep::of).collect();
    let patience = || {
        let goes_on = !shared.is_over.load(Ordering::Relaxed);
        let unseeded = (!shared.is_seeded.load(Ordering::Relaxed)).then_some(PAUSE);
        (plan.patience)().filter(|_| goes_on).or(unseeded)
    };
    while let Some(patience) = patience() {
        if shared.waiting_bytes.load(Ordering::Relaxed) > WAITING_BYTES {
            std::thread::sleep(PAUSE);
            continue;
        }
        sweeps.iter_mut().for_each(Sweep::make);
        let Taken { found, somebody_waits, complete_until } = rings.take(patience)?;
        // Behind what was found follows up to when it was all, though nothing more was.
        if found || was_found || last_news.elapsed() >= NEWS {
            last_news = Instant::now();
            hand_over(complete_until);
        }
        was_found = somebody_waits;
    }
    for part in plan.parts {
        if let Ok(mut loaded) = part.loaded.write() {
            loaded.detach();
        }
    }
    rings.take_the_rest(plan.parts, &hand_over)
}

/// Lets a probe go through what it remembers.
struct Sweep<'a> {
    loaded: &'a RwLock<Loaded>,
    hook: &'static str,
    every: Duration,
    due: Instant,
}

impl<'a> Sweep<'a> {
    /// Of a part that has something to go through.
    fn of(part: &Part<'a>) -> Option<Self> {
        let (sweep, loaded) = (part.signal.sweep.as_ref()?, part.loaded);
        let by_interval = SWEEP.max(loaded.read().ok()?.interval / SWEEPS);
        let every = sweep.apart.unwrap_or(by_interval);
        Some(Self { loaded, hook: sweep.hook, every, due: Instant::now() + every })
    }

    /// Makes it, when it is time.
    fn make(&mut self) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + self.every;
        if let Ok(loaded) = self.loaded.read()
            // Where the kernel has no way to it, what is over is told when its place is needed.
            && let Err(error) = loaded.iterate(self.hook, &mut Vec::new())
            && error.kind() == std::io::ErrorKind::WouldBlock
        {
            // Its ring is half full: the rest follows what is there.
            self.due = now;
        }
    }
}

/// What came of looking at all rings.
struct Taken {
    /// There were records.
    found: bool,
    /// Of those, some that somebody waits for.
    somebody_waits: bool,
    /// All that somebody waits for and that was sent before this moment was taken (CLOCK_BOOTTIME).
    complete_until: u64,
}

/// The readers of all parts that send records; those that identity lives from are the last. And behind
/// them what connection tracking says.
struct Rings<'a> {
    translations: Option<(Translations, &'a RefCell<Vec<translation::Change>>)>,
    readers: Vec<Reader<'a>>,
    /// Of these, how many come before those.
    others: usize,
    signal: &'static str,
}

impl<'a> Rings<'a> {
    fn open(parts: &[Part<'_>], chunks: &'a [RefCell<Chunk>]) -> Result<Self, Problem> {
        let mut rings = Self { translations: None, readers: Vec::new(), others: 0, signal: "" };
        let both: Vec<_> = parts.iter().zip(chunks).collect();
        let (teaching, others): (Vec<_>, Vec<_>) =
            both.into_iter().partition(|(part, _)| part.learns);
        for (part, chunk) in others.into_iter().chain(teaching) {
            let Ok(loaded) = part.loaded.read() else { continue };
            if !part.signal.spec.sends_records {
                session::listen(&loaded)?;
                continue;
            }
            let push = move |record: &[u8]| chunk.borrow_mut().push(record);
            match session::reader(part.signal, &loaded, push) {
                Ok(reader) => rings.readers.push(reader),
                // One that cannot be read leaves the others running.
                Err(problem) if parts.len() > 1 => {
                    eprintln!("{problem}");
                    continue;
                }
                Err(problem) => return Err(problem),
            }
            rings.others += usize::from(!part.learns);
            rings.signal = part.signal.spec.name;
        }
        Ok(rings)
    }

    /// Waits for records and takes them.
    fn take(&mut self, patience: Duration) -> Result<Taken, Problem> {
        let (signal, before) = (self.signal, self.waited_for());
        let failed = |error: std::io::Error| session::ring_problem(signal, &error);
        let mut found = wait_any(&mut self.readers, patience).map_err(failed)?;
        let complete_until = clock::boottime_ns();
        // What was sent by then, with what a probe is just writing: what the others' records stand on. Only
        // those: looking at what is being written slows who writes it.
        for reader in self.readers.iter_mut().skip(self.others) {
            found |= reader.drain_all_sent().map_err(failed)?;
        }
        let mut is_translated = false;
        if let Some((translations, changes)) = &mut self.translations {
            let mut changes = changes.borrow_mut();
            translations.take(&mut changes);
            is_translated = !changes.is_empty();
        }
        let somebody_waits = is_translated || self.waited_for() != before;
        Ok(Taken { found: found || is_translated, somebody_waits, complete_until })
    }

    /// Records so far that somebody waits for.
    fn waited_for(&self) -> u64 {
        let hurried = self.readers.iter().filter(|reader| !reader.is_unhurried());
        hurried.map(Reader::taken).sum()
    }

    /// Takes what probes were still sending when they were detached.
    fn take_the_rest(
        &mut self,
        parts: &[Part<'_>],
        hand_over: &dyn Fn(u64),
    ) -> Result<(), Problem> {
        self.readers.iter_mut().for_each(Reader::hurry);
        for _ in 0..LAST_LOOKS {
            let Taken { found, complete_until, .. } = self.take(Duration::ZERO)?;
            hand_over(complete_until);
            let submitted = |part: &Part<'_>| {
                let loaded = part.loaded.read();
                loaded.map_or(0, |loaded| ledger::read(loaded.object()).submitted)
            };
            let taken: u64 = self.readers.iter().map(Reader::taken).sum();
            if !found && parts.iter().map(submitted).sum::<u64>() <= taken {
                break;
            }
            std::thread::sleep(LAST_LOOK);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_gives_back_its_records() {
        let mut chunk = Chunk::default();
        for record in [&b"one"[..], b"", b"three"] {
            chunk.push(record);
        }
        assert_eq!(chunk.iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        chunk.0.truncate(chunk.0.len() - 1);
        assert_eq!(chunk.iter().count(), 2, "what is cut is not a record");
    }
}
