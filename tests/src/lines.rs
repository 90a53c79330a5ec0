//! Lines that a program prints, read by a thread so that the program never waits for its test.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Lines that a thread reads as they come.
#[derive(Debug)]
pub struct Lines {
    read: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Lines {
    /// Reads all lines of a stream from now on.
    pub fn of(stream: impl std::io::Read + Send + 'static) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&read);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                into.lock().unwrap().push(line.expect("output is UTF-8"));
            }
        });
        Self { read, reader }
    }

    /// Those from this one on.
    ///
    /// # Panics
    /// When the reader did.
    pub fn since(&self, from: usize) -> Vec<String> {
        self.read.lock().unwrap().get(from..).unwrap_or_default().to_vec()
    }

    /// How many there are.
    ///
    /// # Panics
    /// When the reader did.
    pub fn len(&self) -> usize {
        self.read.lock().unwrap().len()
    }

    /// There are none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, once the stream has ended.
    ///
    /// # Panics
    /// When the reader did.
    pub fn finish(self) -> Vec<String> {
        self.reader.join().unwrap();
        std::mem::take(&mut *self.read.lock().unwrap())
    }
}
