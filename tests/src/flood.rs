//! Programs of `bench/` that do one thing as often as they can, and say how often they did.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::patience::wait_for;
use crate::scratch::Scratch;

/// A program that makes a flood, from when it is let go until its end. It goes before others, so that it is a
/// flood on a busy machine, too.
#[derive(Debug)]
pub struct Flood(Child);

impl Flood {
    /// Compiles `bench/NAME.c`.
    ///
    /// # Panics
    /// When it cannot be compiled.
    pub fn compiled(scratch: &Scratch, name: &str) -> PathBuf {
        let program = scratch.at(name);
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench").join(name).with_extension("c");
        let mut compiler = Command::new("cc");
        compiler.arg("-O2").arg("-o").arg(&program).arg(source);
        assert!(compiler.status().unwrap().success());
        program
    }

    /// One that waits still.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn waiting(program: &Path, arguments: &[&str]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "read go && exec nice -n -10 \"$0\" \"$@\""]).arg(program);
        shell.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(shell.spawn().unwrap())
    }

    /// Lets it go.
    ///
    /// # Panics
    /// When it was before.
    pub fn go(&mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
    }

    /// One that goes.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut flood = Self::waiting(program, arguments);
        flood.go();
        flood
    }

    /// Ends it. How often it did what it does.
    ///
    /// # Panics
    /// When it does not say.
    pub fn stop(self) -> u64 {
        let pid = self.0.id().to_string();
        wait_for("a flood that has begun", || catches_terminate(&pid).then_some(()));
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.ended()
    }

    /// Waits until it ends by itself. How often it did what it does.
    ///
    /// # Panics
    /// When it does not say.
    pub fn ended(mut self) -> u64 {
        let mut said = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success());
        said.trim().parse().unwrap()
    }
}

/// Until it does, SIGTERM kills it without a word.
fn catches_terminate(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() >> (15 - 1) & 1 == 1
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
