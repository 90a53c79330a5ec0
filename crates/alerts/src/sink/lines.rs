//! Lines on standard output, or in a file that is rotated.

use std::io::{self, Write};
use std::path::PathBuf;

use chandra_rotating_file::{Rotating, Rotation};

use super::{Format, Prepared};

/// Writes a line for each alert.
#[derive(Debug)]
pub(super) struct Lines {
    out: Out,
    format: Format,
    line: Vec<u8>,
}

#[derive(Debug)]
enum Out {
    Stdout,
    File(Rotating),
}

impl Lines {
    pub fn stdout(format: Format) -> Self {
        Self { out: Out::Stdout, format, line: Vec::new() }
    }

    pub fn file(path: PathBuf, rotation: Rotation, format: Format) -> Self {
        Self { out: Out::File(Rotating::new(path, rotation)), format, line: Vec::new() }
    }

    pub fn write(&mut self, alert: &Prepared) -> io::Result<()> {
        self.line.clear();
        self.line.extend_from_slice(alert.bytes(self.format));
        self.line.push(b'\n');
        match &mut self.out {
            Out::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&self.line)?;
                stdout.flush()
            }
            Out::File(file) => file.write(&self.line).map_err(|(_, error)| error),
        }
    }
}
