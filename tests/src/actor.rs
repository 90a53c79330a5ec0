//! A process of its own that does, one at a time and exactly, what a test asks of it.
//!
//! It reads a command a line from stdin, with one read(2) each, and answers with a line, with one
//! write(2) each: so a test knows every system call that it makes. At the end of stdin it exits
//! with code 0. Its arguments mean nothing, so that a test may choose them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use crate::launch::checked;
use crate::patience::wait_for;

mod acts;
mod calls;
mod family;
mod memory;
mod relative;
mod signed;

pub use acts::play;
pub use relative::{Player, Relative};

/// Bytes as two digits each, to be a word of a command.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Such a word's bytes.
///
/// # Panics
/// When it is none.
pub fn from_hex(digits: &str) -> Vec<u8> {
    let bytes = digits.as_bytes().chunks(2);
    bytes.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// An actor, as the test that directs it sees it. It is killed when dropped.
#[derive(Debug)]
pub struct Actor {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Actor {
    /// Starts the actor; what `command` executes must end up in [`play`].
    ///
    /// # Panics
    /// When it does not answer.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut this = Self { child, commands, answers };
        assert_eq!(this.ask("hello"), "hello");
        this
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives a command and waits for its answer.
    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.hear()
    }

    /// Gives a command that is answered later or never.
    ///
    /// # Panics
    /// When the actor is gone.
    pub fn tell(&mut self, command: &str) {
        let line = format!("{command}\n");
        self.commands.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// The next answer.
    ///
    /// # Panics
    /// When the actor is gone.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.strip_suffix('\n').expect("the actor has gone").to_owned()
    }

    /// Waits until it sleeps in the read(2) of its next command.
    pub fn wait_until_idle(&self) {
        let stat = format!("/proc/{}/stat", self.pid());
        wait_for("an idle actor", || {
            let stat = std::fs::read_to_string(&stat).unwrap();
            stat.rsplit_once(')').unwrap().1.starts_with(" S").then_some(())
        });
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.pid()).unwrap();
        // SAFETY: takes numbers only; the child was not reaped, so the id is still its own.
        checked(unsafe { libc::kill(pid, signal) }).unwrap();
    }

    /// Ends its stdin, so that it exits, and waits for that.
    pub fn finish(mut self) -> ExitStatus {
        self.commands = None;
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(mut self) -> ExitStatus {
        wait_for("end of the actor", || self.child.try_wait().unwrap())
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
