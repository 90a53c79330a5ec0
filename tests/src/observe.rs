//! `chandra observe` and its kin, run as a person runs them, against a server of the test's own.

use std::process::{Child, Command, Stdio};

use crate::hubble::HubbleServer;
use crate::launch::checked;
use crate::lines::Lines;
use crate::patience::wait_for;
use crate::scratch::Scratch;
use crate::trace::chandra;

/// What came of it.
#[derive(Debug)]
pub struct Said {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub error: String,
    /// The exit code.
    pub code: Option<i32>,
}

/// `chandra ARGUMENTS`, without any configuration of whoever runs the tests.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(chandra());
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HUBBLE_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_CONFIG_HOME", "/nonexistent").env_remove("NO_COLOR");
    command
}

/// `chandra ARGUMENTS --server SERVER`.
pub fn asking(server: &HubbleServer, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.args(["--server", server.address()]);
    command
}

/// Runs it to its end.
///
/// # Panics
/// When it does not start, or says what is no UTF-8.
pub fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { out: text(output.stdout), error: text(output.stderr), code: output.status.code() }
}

/// Runs it to its end, which must be a good one, and what it prints.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn printed(command: &mut Command) -> String {
    let arguments = format!("{:?}", command.get_args().collect::<Vec<_>>());
    let said = said(command);
    assert_eq!((said.code, said.error.as_str()), (Some(0), ""), "{arguments}: {}", said.out);
    said.out
}

/// One that goes on until it is told to stop.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: Lines,
}

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = Lines::of(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// What it has printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.out.since(0)
    }

    /// Waits until it has printed so many lines.
    ///
    /// # Panics
    /// When it never does.
    #[track_caller]
    pub fn wait_for_lines(&self, count: usize) -> Vec<String> {
        wait_for("lines", || (self.out.len() >= count).then(|| self.out.since(0)))
    }

    /// Stops it where it is, until it is told to go on.
    pub fn pause(&self) {
        self.kill(libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.kill(libc::SIGCONT);
    }

    fn kill(&self, signal: libc::c_int) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: takes numbers only; the child is not waited for yet, so that the pid is its own.
        checked(unsafe { libc::kill(pid, signal) }).unwrap();
    }

    /// Ctrl-C, and all that it printed. It must end well.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn interrupt(mut self) -> Vec<String> {
        self.kill(libc::SIGINT);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        self.out.finish()
    }
}

/// A folder with this `config.yaml` in it, as Hubble has it.
///
/// # Panics
/// When it cannot be written.
pub fn configuration(text: &str) -> Scratch {
    let folder = Scratch::new();
    std::fs::create_dir(folder.at("hubble")).unwrap();
    std::fs::write(folder.at("hubble").join("config.yaml"), text).unwrap();
    folder
}
