//! The program under test: started, waited for, read and stopped as a person at a terminal does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::launch::checked;
use crate::lines::Lines;
use crate::patience::wait_for;
use crate::record::Record;

/// Where the binary is: `$CHANDRA`, or beside the tests in cargo's target folder.
///
/// # Panics
/// When it is not there.
pub fn chandra() -> PathBuf {
    if let Some(path) = std::env::var_os("CHANDRA") {
        return path.into();
    }
    // target/PROFILE/deps/TEST, or target/PROFILE/PROGRAM
    let own = std::env::current_exe().unwrap();
    let places = own.ancestors().skip(1).take(2).map(|folder| folder.join("chandra"));
    let mut places = places.filter(|path| path.is_file());
    places.next().expect("no chandra binary: `cargo build -p chandra`, or set CHANDRA to its path")
}

/// A running `chandra trace … -o json`.
#[derive(Debug)]
pub struct Trace {
    child: Child,
    output: Option<Lines>,
    messages: Option<Lines>,
    records: Vec<Record>,
    arguments: String,
    attached: Duration,
}

impl Trace {
    /// Starts `chandra trace ARGUMENTS -o json` and waits until its hooks are attached.
    ///
    /// # Panics
    /// When they never are.
    pub fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Self {
        Self::start_program(&chandra(), arguments)
    }

    /// The same, of this binary.
    ///
    /// # Panics
    /// When hooks are never attached.
    pub fn start_program<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Self {
        let started = Instant::now();
        let mut this = Self::spawn(program, arguments);
        wait_for("hooks attached", || {
            let messages = this.messages();
            assert!(this.is_running(), "{} ended: {messages:#?}", this.arguments);
            messages.iter().any(|line| line.starts_with("tracing ")).then_some(())
        });
        this.attached = started.elapsed();
        this
    }

    /// Runs `PROGRAM trace ARGUMENTS -o json` to the end that these arguments ask for.
    pub fn run_program<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Outcome {
        Self::spawn(program, arguments).end()
    }

    fn spawn<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Self {
        let mut command = Command::new(program);
        command.arg("trace").args(arguments).args(["-o", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Some(Lines::of(child.stdout.take().unwrap()));
        let messages = Some(Lines::of(child.stderr.take().unwrap()));
        let arguments = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let attached = Duration::ZERO;
        Self { child, output, messages, records: Vec::new(), arguments, attached }
    }

    /// How long it took from its start to its hooks being attached.
    pub fn time_to_attach(&self) -> Duration {
        self.attached
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// It has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The lines on stderr so far.
    pub fn messages(&self) -> Vec<String> {
        self.messages.as_ref().unwrap().since(0)
    }

    /// How many lines came on stdout so far.
    pub fn lines(&self) -> usize {
        self.output.as_ref().unwrap().len()
    }

    /// The records that came so far.
    pub fn records(&mut self) -> &[Record] {
        let new = self.output.as_ref().unwrap().since(self.records.len());
        self.records.extend(new.iter().map(|line| Record::parse(line)));
        &self.records
    }

    /// Waits for the first record that is wanted.
    ///
    /// # Panics
    /// When it never comes.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Record) -> bool) -> Record {
        let mut looked_at = 0;
        wait_for(&format!("{what}, from {}", self.arguments.clone()), || {
            let records = self.records();
            let found = records[looked_at..].iter().find(|record| wanted(record)).cloned();
            looked_at = records.len();
            found
        })
    }

    /// Waits until so many lines came, and at most a second longer than the last of them when
    /// they stop coming.
    pub fn wait_for_lines(&mut self, count: usize) {
        let (mut before, mut since) = (0, Instant::now());
        wait_for(&format!("{count} lines from {}", self.arguments.clone()), || {
            let lines = self.lines();
            if lines != before {
                (before, since) = (lines, Instant::now());
            }
            (lines >= count || since.elapsed() > QUIET).then_some(())
        });
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: takes numbers only; the child was not reaped, so the id is still its own.
        checked(unsafe { libc::kill(pid, signal) }).unwrap();
    }

    /// Ends it as Ctrl-C does, and returns what it said.
    pub fn stop(self) -> Outcome {
        self.signal(libc::SIGINT);
        self.end()
    }

    /// Waits for its end, and returns what it said.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end(mut self) -> Outcome {
        let status = wait_for(&format!("end of {}", self.arguments.clone()), || {
            self.child.try_wait().unwrap()
        });
        let lines = self.output.take().unwrap().finish();
        let messages = self.messages.take().unwrap().finish();
        let mut records = std::mem::take(&mut self.records);
        records.extend(lines[records.len()..].iter().map(|line| Record::parse(line)));
        Outcome { records, messages, status, arguments: self.arguments.clone() }
    }
}

/// After this long without a line no more are expected.
const QUIET: Duration = Duration::from_secs(3);

impl Drop for Trace {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a trace said in all.
#[derive(Debug)]
pub struct Outcome {
    /// Records on stdout.
    pub records: Vec<Record>,
    /// Lines on stderr.
    pub messages: Vec<String>,
    /// How it ended.
    pub status: ExitStatus,
    arguments: String,
}

impl Outcome {
    /// The summary's object, after checking that the trace ended well and its books balance.
    ///
    /// # Panics
    /// When they do not.
    pub fn summary(&self) -> Record {
        let context = format!("{}: {:#?}", self.arguments, self.messages);
        assert!(self.status.success(), "{:?} of {context}", self.status);
        let last = self.messages.last().expect("no message at all");
        let summary = Record::parse(last).0.get("summary").cloned();
        let summary = Record(summary.unwrap_or_else(|| panic!("no summary: {context}")));
        let number =
            |name: &str| summary.number(name).unwrap_or_else(|| panic!("{name} {context}"));
        assert_eq!(number("imbalance"), 0, "{context}");
        assert_eq!(number("decode_errors"), 0, "{context}");
        let doors =
            ["filtered", "aggregated", "rate_limited", "lost"].map(number).iter().sum::<u64>();
        let optional = |name: &str| summary.number(name).unwrap_or_default();
        let read = number("shown") + optional("not_shown") + optional("not_selected");
        // What was there before was seen by nobody, nor were lines that complete others.
        let completions = self.records.iter().filter(|it| it.kind() == "container_described");
        let read = read - number("found_at_start") - completions.count() as u64;
        // Where the kernel counts, the lines are not records.
        let submitted = if number("aggregated") == 0 { read } else { 0 };
        assert_eq!(number("seen"), doors + submitted, "{context}");
        assert_eq!(number("shown"), self.records.len() as u64, "{context}");
        summary
    }

    /// The summary of a trace that lost nothing.
    ///
    /// # Panics
    /// When something was lost.
    pub fn summary_without_loss(&self) -> Record {
        let summary = self.summary();
        assert_eq!(summary.number("lost"), Some(0), "{summary:?}");
        summary
    }

    /// The records of this kind and process.
    pub fn of<'a>(&'a self, kind: &'a str, pid: u32) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| record.is(kind, pid))
    }
}
