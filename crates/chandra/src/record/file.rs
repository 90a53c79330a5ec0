//! Where a recording is written to: as lines of JSON, whole, up to a size.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chandra_doctor::{Check, Problem};

/// Lines are written when so much of them is ready, or when nothing more is there to read.
const CHUNK_BYTES: usize = 64 << 10;

/// A file, or standard output, that records are written to.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    out: Out,
    lines: Vec<u8>,
    written_bytes: u64,
    max_bytes: u64,
    ended: Option<Ended>,
}

/// Why nothing more is written.
#[derive(Debug)]
pub enum Ended {
    /// It is as large as it may be.
    Full,
    /// Its reader has gone.
    ReaderGone,
    /// It cannot be written.
    Failed(Problem),
}

#[derive(Debug)]
enum Out {
    File(File),
    Stdout(io::Stdout),
}

impl Recording {
    /// Begins a file anew, which nobody but its owner can read: command lines may have secrets in them. `-` is
    /// standard output.
    pub fn create(path: &Path, max_bytes: u64) -> Result<Self, Problem> {
        let out = if path.as_os_str() == "-" {
            Out::Stdout(io::stdout())
        } else {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            Out::File(options.open(path).map_err(|error| unwritable(path, &error))?)
        };
        let path = path.to_owned();
        Ok(Self { path, out, lines: Vec::new(), written_bytes: 0, max_bytes, ended: None })
    }

    /// Adds what `write` appends: whole lines. False where there is no room for them any more.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.ended.is_some() {
            return false;
        }
        let before = self.lines.len();
        write(&mut self.lines);
        if self.bytes() > self.max_bytes {
            self.lines.truncate(before);
            self.flush();
            self.ended.get_or_insert(Ended::Full);
            return false;
        }
        if self.lines.len() >= CHUNK_BYTES {
            self.flush();
        }
        true
    }

    /// Adds the first line, or the last, whatever the size.
    pub fn add_line(&mut self, line: &str) {
        if !matches!(self.ended, Some(Ended::ReaderGone | Ended::Failed(_))) {
            self.lines.extend_from_slice(line.as_bytes());
            self.write();
        }
    }

    /// Writes what is ready.
    pub fn flush(&mut self) {
        if !self.lines.is_empty() && self.ended.is_none() {
            self.write();
        }
    }

    /// Its size, with what is not written yet.
    pub fn bytes(&self) -> u64 {
        self.written_bytes + self.lines.len() as u64
    }

    /// Whether, and why, nothing more is written.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The same, when all is over.
    pub fn into_ended(self) -> Option<Ended> {
        self.ended
    }

    fn write(&mut self) {
        let written = match &mut self.out {
            Out::File(file) => file.write_all(&self.lines),
            Out::Stdout(out) => out.write_all(&self.lines).and_then(|()| out.flush()),
        };
        match written {
            Ok(()) => self.written_bytes += self.lines.len() as u64,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.ended = Some(Ended::ReaderGone);
            }
            Err(error) => self.ended = Some(Ended::Failed(unwritable(&self.path, &error))),
        }
        self.lines.clear();
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Problem {
    let what = format!("cannot write {}", path.display());
    let next = "free space there, or name another file: chandra record -o FILE";
    Problem::new(Check::OUTPUT, what, error, next)
}
