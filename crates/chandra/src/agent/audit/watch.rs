//! The rules in force, read again when their files change; and what has to be watched for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use chandra_doctor::Problem;
use chandra_rules::catalogue::EventTypes;
use chandra_rules::diagnostic::{Report, Severity};
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

/// What has to be watched: by names of kinds of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    kinds: Vec<&'static str>,
    calls: Vec<&'static Call>,
}

impl Needs {
    /// What rules on these types of events stand on.
    pub fn of(types: EventTypes) -> Self {
        let mut needs = Self::default();
        for event_type in types.iter() {
            let kind = match event_type.name() {
                "execve" | "execveat" => "exec",
                "clone" | "clone3" | "fork" | "vfork" => "fork",
                "procexit" => "exit",
                "connect" => "tcp_connect",
                "accept" | "accept4" => "tcp_accept",
                "open" | "openat" | "openat2" | "creat" => "file_open",
                name => match calls::by_name(name) {
                    Some(call) => {
                        needs.calls.push(call);
                        "system_call"
                    }
                    None => continue,
                },
            };
            if !needs.kinds.contains(&kind) {
                needs.kinds.push(kind);
            }
        }
        needs
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
        let needs = Needs::of(in_force.rules().event_types());
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
                if !Needs::of(self.rules().event_types()).are_within(&self.needs) {
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

fn sources(files: &[PathBuf]) -> Result<Sources, Problem> {
    let mut sources = Sources::default();
    for file in files {
        sources.add(Source::new(file.display().to_string(), read(file)?));
    }
    Ok(sources)
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
