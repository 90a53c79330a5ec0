//! One writer to standard output behind a bounded queue.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use chandra_doctor::Problem;

use crate::output::{self, Written};
use crate::stop::Stop;

/// How many chunks may wait: with chunks of 32 KiB, 4 MiB at most.
const WAITING_CHUNKS: usize = 128;

/// Rendered records.
#[derive(Debug, Default)]
pub struct Lines {
    /// The lines, each with its end.
    pub bytes: Vec<u8>,
}

/// The readers' end. Closed from the start when nothing is printed.
#[derive(Debug, Clone)]
pub struct Queue(Option<SyncSender<Lines>>);

/// The writer, in a thread of its own.
#[derive(Debug)]
pub struct Printer {
    finished: Receiver<Result<(), Problem>>,
}

/// After so long without a reader of the output, what is left of it is given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts the writer; the queue to it is closed when nothing is to be printed.
pub fn start(print: bool, stop: &Stop) -> (Printer, Queue) {
    let (sender, lines) = sync_channel(WAITING_CHUNKS);
    let (finish, finished) = channel();
    let stop = stop.clone();
    std::thread::spawn(move || {
        let printed = write_all(lines);
        // Without a reader of what it prints, or with a full disk, the agent ends.
        if !matches!(printed, Ok(Written::All)) {
            stop.ask();
        }
        let _ = finish.send(printed.map(drop));
    });
    (Printer { finished }, Queue(print.then_some(sender)))
}

fn write_all(lines: Receiver<Lines>) -> Result<Written, Problem> {
    for lines in lines {
        if output::write(&lines.bytes)? == Written::ReaderGone {
            return Ok(Written::ReaderGone);
        }
    }
    Ok(Written::All)
}

impl Printer {
    /// Waits until all is written that the readers handed over, but not for a reader of the output
    /// that takes nothing.
    pub fn finish(self) -> Result<(), Problem> {
        match self.finished.recv_timeout(PATIENCE) {
            Ok(printed) => printed,
            Err(_) => {
                eprintln!("warning: nobody reads what is printed; the rest of it is given up");
                Ok(())
            }
        }
    }
}

impl Queue {
    /// Whether lines are wanted.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Hands lines over; false when there was no room for them.
    pub fn send(&self, lines: Lines) -> bool {
        self.0.as_ref().is_some_and(|sender| sender.try_send(lines).is_ok())
    }
}
