//! The options of the security audit: which rules watch, and where their alerts go.

use std::path::PathBuf;

use chandra_alerts::sink::{Format, Http, Options as Sink, Rotation, Syslog, Target, Transport};
use chandra_doctor::Problem;
use chandra_rules::load::{Matching, Options as Rules, Unanswered};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use serde::Deserialize;

use super::common::bad_value;

/// Alerts that wait for a sink at most.
const QUEUE: usize = 4096;
/// Of syslog: security and authorisation messages (RFC 5424, 6.2.1).
const FACILITY: u8 = 10;
/// Size at which the file of alerts is set aside, and how many are kept.
const ROTATION: Rotation = Rotation { max_bytes: 10 << 20, max_backups: 5, compress: false };
/// Where alerts wait for a receiver of HTTP.
const SPOOL_FOLDER: &str = "/var/lib/chandra/alerts";

/// How alerts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertFormat {
    /// A line as Falco prints it.
    #[default]
    Text,
    /// A line of JSON with Falco's keys.
    Json,
    /// They are not printed.
    Off,
}

/// Which rules fire of those that match one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleMatching {
    /// The first, in the order of the files.
    #[default]
    First,
    /// All.
    All,
}

/// Options of the audit.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Security audit")]
pub struct AuditArguments {
    /// Files of Falco's or Sigma's rules, or folders, read one after the other, and again when they change or on SIGHUP;
    /// `default` and `default-files` stand for Chandra's own [default: none]
    #[arg(long, env = "CHANDRA_RULES", value_name = "FILE", value_delimiter = ',')]
    pub rules: Option<Vec<PathBuf>>,
    /// Which rules fire of those that match one event [default: first]
    #[arg(long, env = "CHANDRA_RULE_MATCHING", value_name = "WHICH")]
    pub rule_matching: Option<RuleMatching>,
    /// Leave rules out that cannot be answered here, and say which, instead of refusing the files
    #[arg(long, env = "CHANDRA_RULES_LEAVE_OUT", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub rules_leave_out: Option<bool>,
    /// What is not known makes a rule undecided, and not false
    #[arg(long, env = "CHANDRA_STRICT_UNKNOWN", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub strict_unknown: Option<bool>,
    /// proc.name is compared with the name of what really runs, too [default: true]
    #[arg(long, env = "CHANDRA_MATCH_REAL_EXE", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub match_real_exe: Option<bool>,
    /// How alerts are printed [default: text]
    #[arg(long, env = "CHANDRA_ALERTS", value_name = "FORMAT")]
    pub alerts: Option<AlertFormat>,
    /// File to write alerts to as lines of JSON, rotated at 10 MiB
    #[arg(long, env = "CHANDRA_ALERTS_FILE", value_name = "FILE")]
    pub alerts_file: Option<PathBuf>,
    /// Receiver of syslog: unix:/dev/log, udp://HOST:PORT or tcp://HOST:PORT
    #[arg(long, env = "CHANDRA_ALERTS_SYSLOG", value_name = "PLACE")]
    pub alerts_syslog: Option<String>,
    /// Receiver to post each alert to as a JSON object: http://… or https://…
    #[arg(long, env = "CHANDRA_ALERTS_HTTP", value_name = "URL")]
    pub alerts_http: Option<String>,
    /// Folder where alerts wait for that receiver [default: /var/lib/chandra/alerts]
    #[arg(long, env = "CHANDRA_ALERTS_SPOOL_FOLDER", value_name = "FOLDER")]
    pub alerts_spool_folder: Option<PathBuf>,
    /// Take secrets out of alerts [default: true]
    #[arg(long, env = "CHANDRA_ALERTS_REDACT", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub alerts_redact: Option<bool>,
}

/// The same, checked.
#[derive(Debug, Clone, Default)]
pub struct AuditOptions {
    /// Files of rules; none: nothing is audited.
    pub files: Vec<PathBuf>,
    /// How rules are loaded and evaluated.
    pub rules: Rules,
    /// `proc.name` is only the kernel's name of a process.
    pub by_name_only: bool,
    /// Where alerts go.
    pub sinks: Vec<Sink>,
    /// Secrets are taken out.
    pub redacts: bool,
}

impl AuditOptions {
    /// Nothing is audited.
    pub fn is_off(&self) -> bool {
        self.files.is_empty()
    }
}

impl AuditArguments {
    /// Takes from the other what is not given here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            rules: self.rules.or(other.rules),
            rule_matching: self.rule_matching.or(other.rule_matching),
            rules_leave_out: self.rules_leave_out.or(other.rules_leave_out),
            strict_unknown: self.strict_unknown.or(other.strict_unknown),
            match_real_exe: self.match_real_exe.or(other.match_real_exe),
            alerts: self.alerts.or(other.alerts),
            alerts_file: self.alerts_file.or(other.alerts_file),
            alerts_syslog: self.alerts_syslog.or(other.alerts_syslog),
            alerts_http: self.alerts_http.or(other.alerts_http),
            alerts_spool_folder: self.alerts_spool_folder.or(other.alerts_spool_folder),
            alerts_redact: self.alerts_redact.or(other.alerts_redact),
        }
    }

    /// Checks them.
    pub fn options(self) -> Result<AuditOptions, Problem> {
        let leaves_out = self.rules_leave_out.unwrap_or(false);
        Ok(AuditOptions {
            sinks: self.sinks()?,
            files: self.rules.unwrap_or_default(),
            rules: Rules {
                matching: match self.rule_matching.unwrap_or_default() {
                    RuleMatching::First => Matching::First,
                    RuleMatching::All => Matching::All,
                },
                unanswered: if leaves_out { Unanswered::LeaveOut } else { Unanswered::Refuse },
                strict_unknown: self.strict_unknown.unwrap_or(false),
                ..Rules::default()
            },
            by_name_only: !self.match_real_exe.unwrap_or(true),
            redacts: self.alerts_redact.unwrap_or(true),
        })
    }

    fn sinks(&self) -> Result<Vec<Sink>, Problem> {
        let sink = |name: &str, target| Sink { name: name.to_owned(), target, queue: QUEUE };
        let mut sinks = Vec::new();
        match self.alerts.unwrap_or_default() {
            AlertFormat::Text => sinks.push(sink("stdout", Target::Stdout(Format::Text))),
            AlertFormat::Json => sinks.push(sink("stdout", Target::Stdout(Format::Json))),
            AlertFormat::Off => {}
        }
        if let Some(path) = &self.alerts_file {
            let (path, rotation, format) = (path.clone(), ROTATION, Format::Json);
            sinks.push(sink("file", Target::File { path, rotation, format }));
        }
        if let Some(place) = &self.alerts_syslog {
            let transport = transport(place)?;
            let syslog = Syslog { transport, facility: FACILITY, format: Format::Json };
            sinks.push(sink("syslog", Target::Syslog(syslog)));
        }
        if let Some(url) = &self.alerts_http {
            let folder = self.alerts_spool_folder.clone().unwrap_or_else(|| SPOOL_FOLDER.into());
            sinks.push(sink("http", Target::Http(Http::new(url, folder))));
        }
        Ok(sinks)
    }
}

fn transport(place: &str) -> Result<Transport, Problem> {
    let of = |scheme: &str| place.strip_prefix(scheme).filter(|rest| !rest.is_empty());
    let unix = of("unix:").map(|path| Transport::Unix(path.trim_start_matches("//").into()));
    let udp = || of("udp://").map(|place| Transport::Udp(place.to_owned()));
    let tcp = || of("tcp://").map(|place| Transport::Tcp(place.to_owned()));
    unix.or_else(udp).or_else(tcp).ok_or_else(|| {
        let why = "none of unix:PATH, udp://HOST:PORT and tcp://HOST:PORT";
        bad_value("--alerts-syslog", place, why, "--alerts-syslog unix:/dev/log")
    })
}
