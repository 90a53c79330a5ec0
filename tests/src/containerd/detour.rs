//! A socket on the way to a runtime, where a test can hold up everything that the runtime says and is
//! told: so it is slow exactly as long as the test wants.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use crate::scratch::Scratch;

/// A way to a runtime's socket that can be closed and opened.
#[derive(Debug)]
pub struct Detour {
    folder: Scratch,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Detour {
    /// An open one to this socket. Its threads end with those who use it.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn to(socket: &Path) -> Self {
        let folder = Scratch::new();
        let gate = Arc::new(Gate::default());
        let listener = UnixListener::bind(folder.at("detour.sock")).unwrap();
        let (there, passing) = (socket.to_owned(), Arc::clone(&gate));
        std::thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                let Ok(there) = UnixStream::connect(&there) else { continue };
                let ends = [(&here, &there), (&there, &here)];
                for (from, to) in ends.map(|(from, to)| (from.try_clone(), to.try_clone())) {
                    let (from, to, gate) = (from.unwrap(), to.unwrap(), Arc::clone(&passing));
                    std::thread::spawn(move || pass(from, to, &gate));
                }
            }
        });
        Self { folder, gate }
    }

    /// The socket to connect to.
    pub fn socket(&self) -> PathBuf {
        self.folder.at("detour.sock")
    }

    /// From now on nothing passes.
    ///
    /// # Panics
    /// Never: nobody panics while it looks.
    pub fn close(&self) {
        *self.gate.is_closed.lock().unwrap() = true;
    }

    /// Everything passes again, what waited first.
    ///
    /// # Panics
    /// Never: nobody panics while it looks.
    pub fn open(&self) {
        *self.gate.is_closed.lock().unwrap() = false;
        self.gate.opened.notify_all();
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, gate: &Gate) {
    let mut bytes = [0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let is_closed = gate.is_closed.lock().unwrap();
        drop(gate.opened.wait_while(is_closed, |is_closed| *is_closed).unwrap());
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}
