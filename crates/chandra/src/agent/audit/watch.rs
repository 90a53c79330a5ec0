//! The rules in force, read again when their files change; and what has to be watched for them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, SystemTime};

use chandra_doctor::{Check, Problem};
use chandra_event::record::Kind;
use chandra_loader::path_selection::{Prefix, path_access};
use chandra_rules::diagnostic::{Report, Severity};
use chandra_rules::load::Options;
use chandra_rules::needs::{self as rules, Opens};
use chandra_rules::rules::{Ruleset, State};
use chandra_signals::Signal;
use chandra_signals::system_call::calls::{self, Call};
use signal_hook::consts::SIGHUP;

use crate::agent::rights;
use crate::cli::audit::AuditOptions;
use crate::rules::{do_not_load, files, unused_switches};

/// Rules, and where they come from.
#[derive(Debug)]
pub struct Watch {
    files: Vec<PathBuf>,
    options: Options,
    rules: Arc<Ruleset>,
    /// What was to be watched at the start.
    needs: Needs,
    /// Where rules come from that were read again.
    loaded: Receiver<Loaded>,
    /// While it is there, files are looked at.
    _looking: Sender<()>,
    reloads: u64,
    failed_reloads: u64,
}

/// What came of reading rules.
type Loaded = Result<(Arc<Ruleset>, Needs, Report), Problem>;

/// What has to be watched: kinds of records by their names, and of opens and system calls which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    kinds: Vec<&'static str>,
    opens: Vec<Prefix>,
    calls: Vec<&'static Call>,
    environment: bool,
}

impl Needs {
    /// What these rules stand on.
    pub fn of(rules: &Ruleset) -> Self {
        let needs = rules::Needs::of(rules);
        let opens = needs.opens.unwrap_or_default();
        let calls: Vec<_> =
            needs.calls.iter().filter_map(|name| calls::by_name_but_tcp(name)).collect();
        let kinds = [
            (needs.exec, "exec"),
            (needs.fork, "fork"),
            (needs.exit, "exit"),
            (needs.tcp, "tcp_connect"),
            (needs.tcp, "tcp_accept"),
            (needs.udp, "udp_open"),
            (!opens.is_empty(), "file_open"),
            (!calls.is_empty(), "system_call"),
        ];
        let kinds = kinds.into_iter().filter_map(|(is_needed, kind)| is_needed.then_some(kind));
        let environment = needs.environment;
        Self { kinds: kinds.collect(), opens: prefixes(&opens), calls, environment }
    }

    /// What the rules of these files stand on.
    pub fn of_files(options: &AuditOptions) -> Result<Self, Problem> {
        load(&options.files, &options.rules).map(|(_, needs, _)| needs)
    }

    /// All that rules can be asked about.
    pub fn everything() -> Self {
        let kinds =
            ["exec", "fork", "exit", "tcp_connect", "tcp_accept", "file_open", "system_call"];
        let calls = calls::usual().collect();
        // A recording has no environments: nobody takes secrets out of it.
        Self { kinds: kinds.to_vec(), opens: Vec::new(), calls, environment: false }
    }

    /// Beginnings of the paths whose opens are needed, for a signal that is there for nothing else;
    /// none stands for all.
    pub fn opens(&self) -> &[Prefix] {
        &self.opens
    }

    /// Bits of the kinds of a signal that are needed.
    pub fn kinds_of(&self, signal: &Signal) -> u32 {
        let kinds = signal.kinds.iter().filter(|(name, _)| self.kinds.contains(name));
        kinds.fold(0, |bits, (_, number)| bits | 1 << number)
    }

    /// Records of this kind are needed.
    pub fn has(&self, kind: &Kind) -> bool {
        self.kinds.contains(&kind.name)
    }

    /// System calls that are needed.
    pub fn calls(&self) -> &[&'static Call] {
        &self.calls
    }

    /// The environments of programs that are executed are needed.
    pub fn environment(&self) -> bool {
        self.environment
    }

    fn are_within(&self, others: &Self) -> bool {
        self.kinds.iter().all(|kind| others.kinds.contains(kind))
            && self.opens.iter().all(|open| others.opens.contains(open))
            && self.calls.iter().all(|call| others.calls.contains(call))
            && (!self.environment || others.environment)
    }
}

impl Watch {
    /// Reads the rules; from now on a change of their files, or SIGHUP, has them read again.
    pub fn new(options: &AuditOptions) -> Result<Self, Problem> {
        let (files, options) = (options.files.clone(), options.rules.clone());
        let changed = times(&files);
        let (rules, needs, report) = load(&files, &options)?;
        warn_of(&report, &rules, &options);
        let is_asked = Arc::new(AtomicBool::new(false));
        // A machine without SIGHUP has no other way to fail here.
        let _ = signal_hook::flag::register(SIGHUP, Arc::clone(&is_asked));
        let ((sender, loaded), (looking, is_over)) = (sync_channel(1), channel());
        let (of, with) = (files.clone(), options.clone());
        let reading = Reading { files: of, options: with, changed, is_asked, sender };
        let thread = std::thread::Builder::new().name("rules".to_owned());
        let started = thread.spawn(move || {
            rights::give_up_for_reading();
            reading.run(&is_over);
        });
        started.map_err(|error| thread_problem(&error))?;
        let (reloads, failed_reloads) = (0, 0);
        Ok(Self {
            files,
            options,
            rules,
            needs,
            loaded,
            _looking: looking,
            reloads,
            failed_reloads,
        })
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<Ruleset> {
        &self.rules
    }

    /// What was to be watched at the start.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// How many of them are evaluated.
    pub fn active_rules(&self) -> u64 {
        self.rules().rules().iter().filter(|rule| rule.state == State::Active).count() as u64
    }

    /// Times that rules were read anew.
    pub fn reloads(&self) -> u64 {
        self.reloads
    }

    /// Times that they could not be.
    pub fn failed_reloads(&self) -> u64 {
        self.failed_reloads
    }

    /// `rules: 12 of 14 watch (rules.yaml)`
    pub fn line(&self) -> String {
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        let all = self.rules().rules().len();
        format!("rules: {} of {all} watch ({})", self.active_rules(), files.join(", "))
    }

    /// Puts rules in force that were read by now. What could not be read or loaded is said, and the rules before
    /// it stay.
    pub fn look(&mut self) {
        while let Ok(loaded) = self.loaded.try_recv() {
            self.adopt(loaded);
        }
    }

    fn adopt(&mut self, loaded: Loaded) {
        match loaded {
            Ok((rules, needs, report)) => {
                self.rules = rules;
                self.reloads += 1;
                warn_of(&report, &self.rules, &self.options);
                eprintln!("{}", self.line());
                if !needs.are_within(&self.needs) {
                    eprintln!(
                        "warning: new rules ask for what is not watched; start the agent anew"
                    );
                }
            }
            Err(problem) => {
                self.failed_reloads += 1;
                eprintln!("warning: the rules before them stay in force:\n{problem}");
            }
        }
    }
}

/// How often files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Looks at the files, and reads them, in a thread of its own: many rules, or a folder that is slow to answer,
/// take longer than records may wait.
#[derive(Debug)]
struct Reading {
    files: Vec<PathBuf>,
    options: Options,
    changed: Vec<(PathBuf, Option<SystemTime>)>,
    is_asked: Arc<AtomicBool>,
    sender: SyncSender<Loaded>,
}

impl Reading {
    /// Until nobody wants rules any more.
    fn run(mut self, is_over: &Receiver<()>) {
        while is_over.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
            // What changes while rules are read is seen the next time.
            let now = times(&self.files);
            let is_asked = self.is_asked.swap(false, Ordering::Relaxed);
            if !is_asked && now == self.changed {
                continue;
            }
            self.changed = now;
            if self.sender.send(load(&self.files, &self.options)).is_err() {
                return;
            }
        }
    }
}

fn load(files: &[PathBuf], options: &Options) -> Loaded {
    let loaded = Ruleset::load(&files::sources(files)?, options);
    let (rules, report) = loaded.map_err(|report| do_not_load(&report, files))?;
    let needs = Needs::of(&rules);
    Ok((Arc::new(rules), needs, report))
}

fn thread_problem(why: &dyn std::fmt::Display) -> Problem {
    let next = "allow more threads (ulimit -u, pids.max of its cgroup)";
    Problem::new(Check::RULES, "rules are not read again: there is no thread for it", why, next)
}

/// With the one that lets through what failed, if a rule is of such.
fn prefixes(opens: &[Opens]) -> Vec<Prefix> {
    let failed = opens
        .iter()
        .any(|opens| opens.failed)
        .then(|| Prefix { path: Vec::new(), accesses: path_access::PATH_ACCESS_FAILED });
    opens.iter().map(prefix).chain(failed).collect()
}

fn prefix(opens: &Opens) -> Prefix {
    let accesses = [
        (opens.read, path_access::PATH_ACCESS_READ),
        (opens.write, path_access::PATH_ACCESS_WRITE),
        (opens.none, path_access::PATH_ACCESS_NONE),
    ];
    let accesses = accesses.into_iter().filter(|(is_needed, _)| *is_needed);
    Prefix { path: opens.path.clone(), accesses: accesses.fold(0, |all, (_, access)| all | access) }
}

/// When each file changed last. A folder that cannot be read has none.
fn times(named: &[PathBuf]) -> Vec<(PathBuf, Option<SystemTime>)> {
    let time = |file: &PathBuf| fs::metadata(file).ok()?.modified().ok();
    let all = files::rules(named).unwrap_or_default().into_iter();
    all.map(|file| (file.clone(), time(&file))).collect()
}

/// Says what somebody should look at.
fn warn_of(report: &Report, rules: &Ruleset, options: &Options) {
    for one in report.diagnostics.iter().filter(|one| one.severity == Severity::Warning) {
        eprintln!("warning: {one}");
    }
    for warning in unused_switches(rules, options) {
        eprintln!("warning: {warning}");
    }
}
