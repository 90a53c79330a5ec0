//! From the ring into memory, as fast as records come: a thread that does nothing else, so that a
//! burst, or a reader of the output that is slow for a while, does not fill the ring.
//!
//! What waits is bounded. Beyond the bound the ring is left alone until some of it was shown; what
//! then finds no room there is counted by the kernel, so that there is one place where records are
//! lost.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use chandra_doctor::Problem;
use chandra_loader::ledger;
use chandra_loader::load::Loaded;

use super::Ending;
use crate::session;

/// Bytes of records that may wait to be shown.
const WAITING_BYTES: usize = 64 << 20;
/// How long to leave the ring alone when so much waits.
const PAUSE: Duration = Duration::from_millis(1);
/// How often, and how many times, to look for what probes were sending when they were detached.
const LAST_LOOK: Duration = Duration::from_millis(2);
const LAST_LOOKS: u32 = 50;

/// Records one after another, each behind its length.
#[derive(Debug, Default)]
pub struct Chunk(Vec<u8>);

impl Chunk {
    fn push(&mut self, record: &[u8]) {
        self.0.extend_from_slice(&(record.len() as u64).to_ne_bytes());
        self.0.extend_from_slice(record);
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

/// What the draining thread and the showing one share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Bytes that were handed over and not shown yet.
    pub waiting_bytes: AtomicUsize,
    /// Nothing more will be shown.
    pub is_over: AtomicBool,
}

/// Drains a signal's ring until the end, detaches its hooks, and drains what was under way. Says
/// through `ready` that it listens.
pub fn run(
    loaded: &mut Loaded,
    ending: &Ending<'_>,
    shared: &Shared,
    ready: Sender<()>,
    chunks: Sender<Chunk>,
) -> Result<(), Problem> {
    let signal = loaded.name;
    let failed = |error: std::io::Error| session::ring_problem(signal, &error);
    let (chunk, received) = (RefCell::new(Chunk::default()), Cell::new(0));
    let mut reader = session::reader(loaded, |record| {
        chunk.borrow_mut().push(record);
        received.set(received.get() + 1);
    })?;
    let hand_over = || {
        let chunk = chunk.take();
        shared.waiting_bytes.fetch_add(chunk.bytes(), Ordering::Relaxed);
        // Nobody there to show it: the end is near.
        let _ = chunks.send(chunk);
    };
    let _ = ready.send(());
    while let Some(patience) = ending.patience().filter(|_| !shared.is_over.load(Ordering::Relaxed))
    {
        if shared.waiting_bytes.load(Ordering::Relaxed) > WAITING_BYTES {
            std::thread::sleep(PAUSE);
        } else if reader.wait(patience).map_err(failed)? {
            hand_over();
        }
    }
    loaded.detach();
    for _ in 0..LAST_LOOKS {
        reader.drain().map_err(failed)?;
        if ledger::read(loaded.object()).submitted <= received.get() {
            break;
        }
        std::thread::sleep(LAST_LOOK);
    }
    hand_over();
    Ok(())
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
