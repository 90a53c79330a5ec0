//! The agent under test: started, asked over HTTP and stopped as an operator does.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::iter::Sum;
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::str::FromStr;

use crate::http::{self, Answer};
use crate::launch::checked;
use crate::lines::Lines;
use crate::patience::wait_for;
use crate::record::Record;
use crate::trace::chandra;

/// A running `chandra agent`, killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    unread: Option<ChildStdout>,
    output: Option<Lines>,
    messages: Option<Lines>,
    address: SocketAddr,
}

/// `chandra agent ARGUMENTS`, not started yet, in an environment of which it takes nothing but that it
/// serves no flows, unless the arguments say where, that no rules watch, unless they say which, and that a neighbour's
/// storm is no reason to tell flows in part, unless they say what signals may cost.
pub fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(chandra());
    command.arg("agent").args(arguments);
    without_variables(&mut command);
    for place in ["SOCKET_PATH", "LISTEN_ADDRESS"] {
        command.env(format!("CHANDRA_HUBBLE_{place}"), "off");
    }
    command.env("CHANDRA_RULES", "off").env("CHANDRA_CPU_BUDGET", "tcp=off,udp=off");
    command
}

/// Takes every `CHANDRA_*` and `OTEL_*` of this process out of what the program gets.
pub fn without_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name_of = name.to_string_lossy();
        if name_of.starts_with("CHANDRA") || name_of.starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
}

impl Agent {
    /// Starts `chandra agent --http 127.0.0.1:0 ARGUMENTS` and waits until its signals are loaded.
    ///
    /// # Panics
    /// When they never are.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_command(&mut command(&[&["--http", "127.0.0.1:0"], arguments].concat()))
    }

    /// The same, with what it prints read as it comes.
    ///
    /// # Panics
    /// When signals are never loaded.
    pub fn start_printing(arguments: &[&str]) -> Self {
        let mut this = Self::start(&[&["--print"], arguments].concat());
        this.read_output();
        this
    }

    /// The same, with JSON and a container runtime to ask at this socket.
    ///
    /// # Panics
    /// When signals are never loaded, or no canary comes through.
    pub fn asking(socket: &std::path::Path, arguments: &[&str]) -> Self {
        let socket = socket.display().to_string();
        let named = ["-o", "json", "--cri-socket", &socket];
        let this = Self::start_printing(&[&named, arguments].concat());
        this.wait_until_ready();
        this
    }

    /// Starts this command and waits until signals are loaded; what it prints lies unread in a pipe.
    ///
    /// # Panics
    /// When signals are never loaded.
    pub fn start_command(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::of(command.spawn().unwrap())
    }

    /// An agent just started, with its stderr to read here.
    ///
    /// # Panics
    /// When signals are never loaded.
    pub fn of(mut child: Child) -> Self {
        let unread = child.stdout.take();
        let messages = Some(Lines::of(child.stderr.take().unwrap()));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut this = Self { child, unread, output: None, messages, address };
        this.address = wait_for("the agent's address", || {
            let messages = this.messages();
            assert!(this.child.try_wait().unwrap().is_none(), "it ended: {messages:#?}");
            let line = messages.iter().find(|line| line.starts_with("agent: "))?;
            let (_, address) = line.split_once("serving on http://").expect(line);
            Some(address.parse().unwrap())
        });
        this
    }

    /// From now on what it prints is read as it comes.
    ///
    /// # Panics
    /// When it is already.
    pub fn read_output(&mut self) {
        self.output = Some(Lines::of(self.unread.take().unwrap()));
    }

    /// The reading end of its stdout, from which nothing was read yet.
    ///
    /// # Panics
    /// When it is being read.
    pub fn take_output(&mut self) -> ChildStdout {
        self.unread.take().unwrap()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The lines on stderr so far.
    pub fn messages(&self) -> Vec<String> {
        self.messages.as_ref().unwrap().since(0)
    }

    /// The start-up line of a signal.
    pub fn start_line(&self, signal: &str) -> Option<String> {
        let begin = format!("signal {signal}: ");
        let mut lines = self.messages().into_iter().filter(|line| line.starts_with(&begin));
        let line = lines.next();
        assert_eq!(lines.next(), None, "a signal has one line");
        line
    }

    /// The lines on stdout so far, from this one on.
    pub fn lines(&self, from: usize) -> Vec<String> {
        self.output.as_ref().unwrap().since(from)
    }

    /// The records on stdout so far.
    pub fn records(&self) -> Vec<Record> {
        self.lines(0).iter().map(|line| Record::parse(line)).collect()
    }

    /// Waits for the first record on stdout that is wanted.
    ///
    /// # Panics
    /// When it never comes.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Record) -> bool) -> Record {
        let mut looked_at = 0;
        wait_for(what, || {
            let lines = self.lines(looked_at);
            looked_at += lines.len();
            lines.iter().map(|line| Record::parse(line)).find(&wanted)
        })
    }

    /// Asks it for a path.
    pub fn get(&self, path: &str) -> Answer {
        http::get(self.address, path)
    }

    /// What `/signals` says of a signal.
    ///
    /// # Panics
    /// When it says nothing of it.
    pub fn signal(&self, name: &str) -> Record {
        let all = self.get("/signals").body;
        let signals = all.at("signals").unwrap().as_array().unwrap();
        let found = signals.iter().find(|signal| signal["signal"] == name);
        Record(found.unwrap_or_else(|| panic!("no signal {name} in {all:?}")).clone())
    }

    /// Waits until the books of a signal balance: what is between two of its counters just now is not missing.
    ///
    /// # Panics
    /// When they never do.
    pub fn wait_until_balanced(&self, signal: &str) {
        let balances = || self.signal(signal).number("ledger.imbalance") == Some(0);
        wait_for(&format!("books of {signal} that balance"), || balances().then_some(()));
    }

    /// The value of a sample in what it tells Prometheus, which is 0 where it is not told.
    ///
    /// # Panics
    /// When it is no whole number.
    pub fn metric(&self, sample: &str) -> u64 {
        let (_, text) = http::get_as(self.address, "/metrics", "text/plain");
        let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.map_or(0, |value| value.parse().unwrap())
    }

    /// The values of all samples of a family whose labels have all of these texts.
    ///
    /// # Panics
    /// When it has no metrics.
    pub fn samples(&self, family: &str, labels: &[&str]) -> Vec<String> {
        let (_, text) = http::get_as(self.address, "/metrics", "text/plain");
        assert!(text.contains("chandra_ledger_facts_total{"), "no metrics: {text}");
        let values = text.lines().filter_map(|line| {
            let (found, value) = line.strip_prefix(family)?.strip_prefix('{')?.rsplit_once(' ')?;
            labels.iter().all(|label| found.contains(label)).then(|| value.to_owned())
        });
        values.collect()
    }

    /// Their sum.
    ///
    /// # Panics
    /// When one is no such number, or there are no metrics.
    pub fn sum<T: FromStr<Err: Debug> + Sum>(&self, family: &str, labels: &[&str]) -> T {
        self.samples(family, labels).iter().map(|value| value.parse::<T>().unwrap()).sum()
    }

    /// What a signal costs from now on, in percent of a core: the median of so many windows of its governor.
    ///
    /// # Panics
    /// When windows do not come.
    pub fn median_cost_percent(&self, signal: &str, windows: usize) -> f64 {
        let mut costs: Vec<f64> = Vec::new();
        wait_for("windows", || {
            let cost = self.signal(signal).at("governor.cost_percent")?.as_f64()?;
            if !costs.contains(&cost) {
                costs.push(cost);
            }
            // The first may be of a window that began before now.
            (costs.len() > windows).then_some(())
        });
        let costs = costs.get_mut(1..=windows).unwrap();
        costs.sort_unstable_by(f64::total_cmp);
        costs[windows / 2]
    }

    /// Waits until it is ready.
    pub fn wait_until_ready(&self) {
        wait_for("a ready agent", || (self.get("/readyz").status == 200).then_some(()));
    }

    /// Sends it a signal.
    pub fn kill(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.pid()).unwrap();
        // SAFETY: takes numbers only; the child was not reaped, so the id is still its own.
        checked(unsafe { libc::kill(pid, signal) }).unwrap();
    }

    /// Stops it where it is, until it is told to go on: what happens meanwhile comes to it at once.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn pause(&self) {
        self.kill(libc::SIGSTOP);
        let threads = format!("/proc/{}/task", self.pid());
        wait_for("a stopped agent", || {
            let is_stopped = |thread: std::path::PathBuf| {
                let stat = std::fs::read_to_string(thread.join("stat")).unwrap_or_default();
                stat.rsplit_once(')').is_none_or(|(_, rest)| rest.starts_with(" T"))
            };
            let mut threads = std::fs::read_dir(&threads).unwrap();
            threads.all(|thread| is_stopped(thread.unwrap().path())).then_some(())
        });
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.kill(libc::SIGCONT);
    }

    /// Ends it as a service manager does; it must end well.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(self) -> Outcome {
        self.kill(libc::SIGTERM);
        let outcome = self.end();
        assert_eq!(outcome.status.code(), Some(0), "{:#?}", outcome.messages);
        outcome
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end(mut self) -> Outcome {
        let status = wait_for("end of the agent", || self.child.try_wait().unwrap());
        let lines = self.output.take().map(Lines::finish).unwrap_or_default();
        let messages = self.messages.take().unwrap().finish();
        Outcome { status, lines, messages }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What an agent said in all.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Lines on stdout, where they were read.
    pub lines: Vec<String>,
    /// Lines on stderr.
    pub messages: Vec<String>,
}

impl Outcome {
    /// Its lines as records.
    pub fn records(&self) -> Vec<Record> {
        self.lines.iter().map(|line| Record::parse(line)).collect()
    }

    /// The number before this word in its last line, `agent: stopped; 12 seen, 0 lost, …`.
    ///
    /// # Panics
    /// When there is none.
    pub fn total(&self, word: &str) -> u64 {
        let last = self.messages.last().expect("no message at all");
        let totals = last.strip_prefix("agent: stopped; ").expect(last);
        let mut parts = totals.split(", ").filter_map(|part| part.split_once(' '));
        let (number, _) = parts.find(|(_, rest)| *rest == word).expect(last);
        number.parse().unwrap()
    }
}
