//! Profiles of programs whose shares are known: the programs, built as asked, and what a profile says of them.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::launch::checked;
use crate::lines::Lines;
use crate::patience::wait_for;
use crate::scratch::{Scratch, unique};
use crate::trace::chandra;

/// A stack, from its root, and how many samples it has.
pub type Stack = (Vec<String>, u64);

/// A program of `tests/profiling`, under a name that no other program has.
#[derive(Debug)]
pub struct Workload {
    /// Its name, as the kernel keeps it.
    pub name: String,
    program: PathBuf,
    folder: Scratch,
}

/// A file of `tests/profiling`.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("profiling").join(name)
}

/// Runs a program to its end.
///
/// # Panics
/// When it fails.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

impl Workload {
    /// `workload.c`, built with these options of gcc.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn build(options: &[&str]) -> Self {
        Self::build_by("gcc", "workload.c", options)
    }

    /// The same, of another file and by another compiler.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn build_by(compiler: &str, file: &str, options: &[&str]) -> Self {
        let (folder, name) = (Scratch::new(), format!("work{}", unique()));
        let program = folder.path().join(&name);
        succeed(Command::new(compiler).arg("-o").arg(&program).arg(source(file)).args(options));
        Self { name, program, folder }
    }

    /// `calls.c`, linked with one copy of `library.c`; and the path of another, to be opened.
    ///
    /// # Panics
    /// When they cannot be built.
    pub fn build_with_libraries(options: &[&str]) -> (Self, PathBuf) {
        let folder = Scratch::new();
        let build = |name: &str, file: &str, more: &[&Path]| {
            let path = folder.at(name);
            let mut compiler = Command::new("gcc");
            compiler.args(options).arg("-o").arg(&path).arg(source(file)).args(more);
            succeed(&mut compiler);
            path
        };
        let library = [Path::new("-shared"), Path::new("-fPIC")];
        let linked = build("linked.so", "library.c", &library);
        let opened = build("opened.so", "library.c", &library);
        let name = format!("work{}", unique());
        let program = build(&name, "calls.c", &[&linked]);
        (Self { name, program, folder }, opened)
    }

    /// Its debug information in a file of its own, `NAME.debug` beside it, that it names in `.gnu_debuglink`.
    ///
    /// # Panics
    /// When binutils fail.
    pub fn strip(&self) {
        let program = self.program.to_str().unwrap();
        let debug = format!("{program}.debug");
        succeed(Command::new("objcopy").args(["--only-keep-debug", program, &debug]));
        succeed(Command::new("strip").args(["--strip-all", program]));
        let link = format!("--add-gnu-debuglink={debug}");
        succeed(Command::new("objcopy").args([&link, program]));
    }

    /// Its folder.
    pub fn folder(&self) -> &Scratch {
        &self.folder
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs it to its end; what it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        succeed(Command::new(&self.program).args(arguments))
    }
}

/// A running `chandra profile`, folded.
#[derive(Debug)]
pub struct Profiling {
    child: Child,
    messages: Lines,
}

/// What came of it.
#[derive(Debug)]
pub struct Profiled {
    /// All stacks.
    pub stacks: Vec<Stack>,
    /// The last line on stderr.
    pub summary: String,
}

impl Profiling {
    /// Starts it and waits until it samples.
    ///
    /// # Panics
    /// When it never does.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_program(&chandra(), arguments)
    }

    /// The same, of this binary.
    ///
    /// # Panics
    /// As [`Profiling::start`].
    pub fn start_program(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.arg("profile").args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr: ChildStderr = child.stderr.take().unwrap();
        let messages = Lines::of(stderr);
        wait_for("a profile that has begun", || {
            let lines = messages.since(0);
            let is_over = child.try_wait().unwrap().is_some();
            assert!(!is_over, "chandra profile {arguments:?} ended: {lines:#?}");
            lines.iter().any(|line| line.starts_with("profiling ")).then_some(())
        });
        Self { child, messages }
    }

    /// Ends it as a machine that goes does: it says nothing any more.
    ///
    /// # Panics
    /// When that cannot be.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as Ctrl-C does.
    ///
    /// # Panics
    /// When it does not end well.
    pub fn stop(self) -> Profiled {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: takes numbers only; the child was not reaped, so the id is still its own.
        checked(unsafe { libc::kill(pid, libc::SIGINT) }).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let messages = self.messages.finish();
        assert!(output.status.success(), "{messages:#?}");
        let folded = String::from_utf8(output.stdout).unwrap();
        let stacks = folded.lines().map(stack).collect();
        Profiled { stacks, summary: messages.last().cloned().unwrap_or_default() }
    }
}

fn stack(line: &str) -> Stack {
    let (frames, samples) = line.rsplit_once(' ').unwrap();
    (frames.split(';').map(str::to_owned).collect(), samples.parse().unwrap())
}

impl Profiled {
    /// What it has of processes of this name.
    #[must_use]
    pub fn of_processes(&self, name: &str) -> Self {
        let begin = format!("{name} (");
        let of_them = |(frames, _): &&Stack| frames[0].starts_with(&begin);
        let stacks = self.stacks.iter().filter(of_them).cloned().collect();
        Self { stacks, summary: self.summary.clone() }
    }

    /// What it has, without stacks that this function is in.
    #[must_use]
    pub fn but_those_in(&self, function: &str) -> Self {
        let of_others = |(frames, _): &&Stack| !frames.iter().any(|frame| frame == function);
        let stacks = self.stacks.iter().filter(of_others).cloned().collect();
        Self { stacks, summary: self.summary.clone() }
    }

    /// Samples in all.
    pub fn samples(&self) -> u64 {
        self.samples_of(|_| true)
    }

    /// Samples of stacks like that.
    pub fn samples_of(&self, is_counted: impl Fn(&[String]) -> bool) -> u64 {
        let counted = self.stacks.iter().filter(|(frames, _)| is_counted(frames));
        counted.map(|(_, samples)| samples).sum()
    }

    /// Samples of stacks with all of these functions, in this order from the root, whatever is between them.
    pub fn samples_below(&self, functions: &[&str]) -> u64 {
        self.samples_of(|frames| {
            let mut rest = frames.iter();
            functions.iter().all(|function| rest.any(|frame| frame == function))
        })
    }
}

/// Whether so many of so many are a share that chance explains: within three standard deviations.
pub fn is_share(part: u64, all: u64, expected: f64) -> Result<(), String> {
    let found = part as f64 / (all as f64).max(1.0);
    let deviation = (expected * (1.0 - expected) / (all as f64).max(1.0)).sqrt();
    let text = format!("{part} of {all} are {found:.4}, not {expected} ± 3 · {deviation:.4}");
    if (found - expected).abs() <= 3.0 * deviation { Ok(()) } else { Err(text) }
}
