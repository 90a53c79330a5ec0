//! The way to the thread that keeps profiles: a bounded queue.
//!
//! To wake that thread takes more than to count a sample, which nobody waits for. So it looks into the queue by itself
//! every [`LOOK`], and is woken by who asks for something, and where much waits.
//!
//! Invariants: what was sent earlier is taken earlier, woken or not; what may wait takes no more than [`MOST_BYTES`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

/// How often the queue is looked into without being asked to.
pub const LOOK: Duration = Duration::from_millis(250);
/// Messages that may wait: some seconds of samples, while stacks are named.
const MOST: usize = 4096;
/// Bytes of those that may wait: samples of new processes bring their stacks along.
const MOST_BYTES: usize = 8 << 20;
/// From so many on it is time to look.
const MUCH_BYTES: usize = 1 << 20;
/// So many messages are taken before other things are looked at.
const AT_ONCE: usize = 1024;

/// A message, and what it counts for of the bytes that may wait.
type Letter<M> = (M, usize);

/// To send something.
#[derive(Debug)]
pub struct Mailbox<M> {
    letters: SyncSender<Letter<M>>,
    waiting_bytes: Arc<AtomicUsize>,
    reader: Thread,
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        let Self { letters, waiting_bytes, reader } = self;
        let (letters, waiting_bytes) = (letters.clone(), Arc::clone(waiting_bytes));
        Self { letters, waiting_bytes, reader: reader.clone() }
    }
}

impl<M> Mailbox<M> {
    /// Sends something that is to be heeded now.
    ///
    /// # Errors
    /// When there is no room, or nobody looks any more.
    pub fn send(&self, message: M) -> Result<(), TrySendError<M>> {
        let sent = self.letters.try_send((message, 0));
        self.reader.unpark();
        sent.map_err(|error| match error {
            TrySendError::Full((message, _)) => TrySendError::Full(message),
            TrySendError::Disconnected((message, _)) => TrySendError::Disconnected(message),
        })
    }

    /// Sends something of so many bytes that may wait until the next look; false where there is no room for it.
    pub fn leave(&self, message: M, bytes: usize) -> bool {
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let all = before + bytes;
        let is_left = all <= MOST_BYTES && self.letters.try_send((message, bytes)).is_ok();
        if !is_left {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        if !is_left || before < MUCH_BYTES && all >= MUCH_BYTES {
            self.reader.unpark();
        }
        is_left
    }
}

/// What is left after messages were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// There may be more.
    More,
    /// There are none for now.
    Nothing,
    /// There will be none any more.
    End,
}

/// The end of the queue at which messages are taken.
#[derive(Debug)]
pub struct Letters<M> {
    received: Receiver<Letter<M>>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl<M> Letters<M> {
    /// Takes what is there, or much of it.
    pub fn take(&self, mut each: impl FnMut(M)) -> Left {
        for _ in 0..AT_ONCE {
            match self.received.try_recv() {
                Ok((message, bytes)) => {
                    self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    each(message);
                }
                Err(TryRecvError::Empty) => return Left::Nothing,
                Err(TryRecvError::Disconnected) => return Left::End,
            }
        }
        Left::More
    }

    /// Waits until it is time for the next look.
    pub fn rest(&self) {
        thread::park_timeout(LOOK);
    }
}

/// The thread that `start` begins looks into a queue; what is sent to it.
///
/// # Errors
/// Those of `start`.
pub fn open<M, E>(start: impl FnOnce(Letters<M>) -> Result<Thread, E>) -> Result<Mailbox<M>, E> {
    let ((letters, received), waiting_bytes) = (sync_channel(MOST), Arc::<AtomicUsize>::default());
    let reader = start(Letters { received, waiting_bytes: Arc::clone(&waiting_bytes) })?;
    Ok(Mailbox { letters, waiting_bytes, reader })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// A queue that this thread looks into.
    fn own() -> (Mailbox<usize>, Letters<usize>) {
        let mut kept = None;
        let opened = open(|letters| {
            kept = Some(letters);
            Ok::<_, Infallible>(thread::current())
        });
        let Ok(mailbox) = opened;
        (mailbox, kept.expect("it was given"))
    }

    #[test]
    fn all_is_taken_in_order_woken_or_not() {
        let (mailbox, letters) = own();
        assert!(mailbox.leave(1, 10) && mailbox.send(2).is_ok() && mailbox.leave(3, 10));
        let mut taken = Vec::new();
        assert_eq!(letters.take(|message| taken.push(message)), Left::Nothing);
        assert_eq!(taken, [1, 2, 3]);
        assert!(mailbox.leave(4, 10));
        drop(mailbox);
        assert_eq!(letters.take(|message| taken.push(message)), Left::End);
        assert_eq!(taken, [1, 2, 3, 4]);
    }

    #[test]
    fn what_may_wait_is_bounded_by_its_bytes_and_what_may_not_has_room() {
        let (mailbox, letters) = own();
        let bytes = MOST_BYTES / 4;
        assert!((0..4).all(|number| mailbox.leave(number, bytes)));
        assert!(!mailbox.leave(4, 1) && mailbox.send(5).is_ok());
        let mut taken = Vec::new();
        letters.take(|message| taken.push(message));
        assert_eq!(taken, [0, 1, 2, 3, 5]);
        assert!(mailbox.leave(6, bytes));
    }
}
