//! Lines that a program prints, read by a thread so that the program never waits for its test.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Lines that a thread reads as they come.
#[derive(Debug)]
pub(crate) struct Lines {
    read: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Lines {
    pub(crate) fn of(stream: impl std::io::Read + Send + 'static) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&read);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                into.lock().unwrap().push(line.expect("output is UTF-8"));
            }
        });
        Self { read, reader }
    }

    pub(crate) fn since(&self, from: usize) -> Vec<String> {
        self.read.lock().unwrap().get(from..).unwrap_or_default().to_vec()
    }

    pub(crate) fn len(&self) -> usize {
        self.read.lock().unwrap().len()
    }

    pub(crate) fn finish(self) -> Vec<String> {
        self.reader.join().unwrap();
        std::mem::take(&mut *self.read.lock().unwrap())
    }
}
