//! The rules in force, read again when their files change; and what has to be watched for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use chandra_doctor::Problem;
use chandra_loader::path_selection::{Prefix, path_access};
use chandra_rules::diagnostic::{Report, Severity};
use chandra_rules::needs::{self as rules, Opens};
use chandra_rules::reload::InForce;
use chandra_rules::rules::{Ruleset, State};
use chandra_rules::source::{Source, Sources};
use chandra_signals::Signal;
use chandra_signals::system_call::calls::{self, Call};
use signal_hook::consts::SIGHUP;

use crate::cli::audit::AuditOptions;
use crate::rules::{do_not_load, read};

/// Rules, and where they come from.
#[derive(Debug)]
pub struct Watch {
    files: Vec<PathBuf>,
    in_force: InForce,
    needs: Needs,
    changed: Vec<Option<SystemTime>>,
    is_asked: Arc<AtomicBool>,
    reloads: u64,
    failed_reloads: u64,
}

/// What has to be watched: kinds of records by their names, and of opens and system calls which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    kinds: Vec<&'static str>,
    opens: Vec<Prefix>,
    calls: Vec<&'static Call>,
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
        Self { kinds: kinds.collect(), opens: prefixes(&opens), calls }
    }

    /// Beginnings of the paths whose opens are needed, for a signal that is there for nothing else.
    pub fn opens(&self) -> &[Prefix] {
        &self.opens
    }

    /// Bits of the kinds of a signal that are needed.
    pub fn kinds_of(&self, signal: &Signal) -> u32 {
        let kinds = signal.kinds.iter().filter(|(name, _)| self.kinds.contains(name));
        kinds.fold(0, |bits, (_, number)| bits | 1 << number)
    }

    /// System calls that are needed.
    pub fn calls(&self) -> &[&'static Call] {
        &self.calls
    }

    fn are_within(&self, others: &Self) -> bool {
        self.kinds.iter().all(|kind| others.kinds.contains(kind))
            && self.opens.iter().all(|open| others.opens.contains(open))
            && self.calls.iter().all(|call| others.calls.contains(call))
    }
}

impl Watch {
    /// Reads the rules; from now on SIGHUP reads them again.
    pub fn new(options: &AuditOptions) -> Result<Self, Problem> {
        let files = options.files.clone();
        let loaded = InForce::load(&sources(&files)?, options.rules.clone());
        let (in_force, report) = loaded.map_err(|report| do_not_load(&report, &files))?;
        warn_of(&report);
        let is_asked = Arc::new(AtomicBool::new(false));
        // A machine without SIGHUP has no other way to fail here.
        let _ = signal_hook::flag::register(SIGHUP, Arc::clone(&is_asked));
        let needs = Needs::of(in_force.rules());
        let changed = times(&files);
        Ok(Self { files, in_force, needs, changed, is_asked, reloads: 0, failed_reloads: 0 })
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<Ruleset> {
        self.in_force.rules()
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

    /// Reads the rules again if somebody asked for it or a file changed. What cannot be read or loaded is
    /// said, and the rules before it stay.
    pub fn look(&mut self) {
        let now = times(&self.files);
        let is_asked = self.is_asked.swap(false, Ordering::Relaxed);
        if !is_asked && now == self.changed {
            return;
        }
        self.changed = now;
        let reloaded = sources(&self.files).and_then(|sources| {
            self.in_force.reload(&sources).map_err(|report| do_not_load(&report, &self.files))
        });
        match reloaded {
            Ok(report) => {
                self.reloads += 1;
                warn_of(&report);
                eprintln!("{}", self.line());
                if !Needs::of(self.rules()).are_within(&self.needs) {
                    eprintln!(
                        "warning: new rules are of events that are not watched; start the agent anew"
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

/// In place of files: the rules that Chandra comes with, those on files and system calls apart, because
/// what they have watched costs more.
const OWN: [(&str, &str); 2] = [
    ("default", chandra_rules::DEFAULT_RULES),
    ("default-files", chandra_rules::DEFAULT_FILE_RULES),
];

fn sources(files: &[PathBuf]) -> Result<Sources, Problem> {
    let mut sources = Sources::default();
    for file in files {
        let name = file.display().to_string();
        let own = OWN.iter().find(|(own, _)| file.as_os_str() == *own);
        let text = own.map_or_else(|| read(file), |(_, text)| Ok((*text).to_owned()))?;
        sources.add(Source::new(name, text));
    }
    Ok(sources)
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

/// When each file changed last.
fn times(files: &[PathBuf]) -> Vec<Option<SystemTime>> {
    let time = |file: &PathBuf| fs::metadata::<&Path>(file).ok()?.modified().ok();
    files.iter().map(time).collect()
}

fn warn_of(report: &Report) {
    for one in report.diagnostics.iter().filter(|one| one.severity == Severity::Warning) {
        eprintln!("warning: {one}");
    }
}
