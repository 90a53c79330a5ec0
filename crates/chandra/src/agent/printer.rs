//! One writer to standard output behind a bounded queue.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

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
    /// How many.
    pub count: u64,
}

/// The readers' end. Closed from the start when nothing is printed.
#[derive(Debug, Clone)]
pub struct Queue(Option<SyncSender<Lines>>);

/// The writer's end.
#[derive(Debug)]
pub struct Printer(Receiver<Lines>);

/// A queue, whose readers' end is closed when nothing is to be printed.
pub fn queue(print: bool) -> (Printer, Queue) {
    let (sender, receiver) = sync_channel(WAITING_CHUNKS);
    (Printer(receiver), Queue(print.then_some(sender)))
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

impl Printer {
    /// Writes until the last reader has gone. Output that nobody reads ends the agent.
    pub fn run(self, stop: &Stop) -> Result<(), Problem> {
        for lines in self.0 {
            match output::write(&lines.bytes) {
                Ok(Written::All) => {}
                Ok(Written::ReaderGone) => {
                    stop.ask();
                    return Ok(());
                }
                Err(problem) => {
                    stop.ask();
                    return Err(problem);
                }
            }
        }
        Ok(())
    }
}
