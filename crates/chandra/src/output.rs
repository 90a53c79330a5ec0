//! Standard output: a reader that went away is the end, not an error; a full disk is an error.

use std::io::{self, ErrorKind, Write};

use chandra_doctor::{Check, Problem};

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of it.
    All,
    /// The reader is gone (a closed pipe).
    ReaderGone,
}

/// Writes all of `bytes` to standard output at once.
pub fn write(bytes: &[u8]) -> Result<Written, Problem> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(Written::All),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::ReaderGone),
        Err(error) => Err(unwritable(&error)),
    }
}

/// The problem of an output that cannot be written.
pub fn unwritable(error: &io::Error) -> Problem {
    Problem::new(
        Check::OUTPUT,
        "cannot write to standard output",
        error,
        "free space there, or send the output elsewhere: chandra … > FILE",
    )
}

/// Prints a text, such as a page of help.
pub fn print(text: &str) -> Result<(), Problem> {
    write(text.as_bytes()).map(drop)
}
