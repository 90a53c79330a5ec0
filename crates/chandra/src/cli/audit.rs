//! The options of the security audit: which rules watch, and where their alerts go.

use std::path::PathBuf;

use chandra_alerts::recent;
use chandra_alerts::sink::{Format, Http, Options as Sink, Rotation, Syslog, Target, Transport};
use chandra_doctor::Problem;
use chandra_rules::load::{Options as Rules, Unanswered};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use serde::Deserialize;

use super::common::{bad_value, size_bytes};
use super::evaluation::EvaluationArguments;

/// Alerts that wait for a sink at most.
const QUEUE: usize = 4096;
/// Of syslog: security and authorisation messages (RFC 5424, 6.2.1).
const FACILITY: u8 = 10;
/// Size at which the file of alerts is set aside, and how many are kept.
const ROTATION: Rotation = Rotation { max_bytes: 10 << 20, max_backups: 5, compress: false };
/// Where alerts wait for a receiver of HTTP.
const SPOOL_FOLDER: &str = "/var/lib/chandra/alerts";

/// The rules that watch where nobody names others: their signals are on anyway, while those on files and
/// system calls cost every open and every system call something.
const OUT_OF_THE_BOX: &str = "default";
/// In place of files: no rules.
const NONE: [&str; 2] = ["off", "none"];
/// What the latest alerts may take in memory at most.
const MOST_BUFFER_BYTES: usize = 1 << 30;

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

/// Options of the audit.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Security audit")]
pub struct AuditArguments {
    /// Files of Falco's or Sigma's rules, or folders, read one after the other, and again when they change or on
    /// SIGHUP; default and default-files stand for Chandra's own, off for none [default: default]
    #[arg(long, env = "CHANDRA_RULES", value_name = "FILE", value_delimiter = ',')]
    pub rules: Option<Vec<PathBuf>>,
    /// Leave rules out that cannot be answered here, and say which, instead of refusing the files
    #[arg(long, env = "CHANDRA_RULES_LEAVE_OUT", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub rules_leave_out: Option<bool>,
    #[command(flatten)]
    pub evaluation: EvaluationArguments,
    /// How alerts are printed [default: text, or off where JSON is printed]
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
    /// What the latest alerts may take in memory, for chandra alerts: bytes, or with k or m; off for
    /// none [default: 4m]
    #[arg(long, env = "CHANDRA_ALERTS_BUFFER_SIZE", value_name = "SIZE")]
    pub alerts_buffer_size: Option<String>,
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
    /// What the latest alerts may take in memory; nothing: none are kept.
    pub buffer_bytes: Option<usize>,
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
            rules_leave_out: self.rules_leave_out.or(other.rules_leave_out),
            evaluation: self.evaluation.or(other.evaluation),
            alerts: self.alerts.or(other.alerts),
            alerts_file: self.alerts_file.or(other.alerts_file),
            alerts_syslog: self.alerts_syslog.or(other.alerts_syslog),
            alerts_http: self.alerts_http.or(other.alerts_http),
            alerts_spool_folder: self.alerts_spool_folder.or(other.alerts_spool_folder),
            alerts_buffer_size: self.alerts_buffer_size.or(other.alerts_buffer_size),
            alerts_redact: self.alerts_redact.or(other.alerts_redact),
        }
    }

    /// Checks them. Where JSON is printed beside, alerts are only printed if somebody asked for it.
    pub fn options(self, prints_json: bool) -> Result<AuditOptions, Problem> {
        let unanswered = match self.rules_leave_out.unwrap_or(false) {
            true => Unanswered::LeaveOut,
            false => Unanswered::Refuse,
        };
        let usual = if prints_json { AlertFormat::Off } else { AlertFormat::Text };
        Ok(AuditOptions {
            sinks: self.sinks(self.alerts.unwrap_or(usual))?,
            rules: self.evaluation.options(unanswered)?,
            by_name_only: self.evaluation.by_name_only(),
            redacts: self.alerts_redact.unwrap_or(true),
            buffer_bytes: buffer_bytes(self.alerts_buffer_size.as_deref())?,
            files: files(self.rules)?,
        })
    }

    fn sinks(&self, format: AlertFormat) -> Result<Vec<Sink>, Problem> {
        let sink = |name: &str, target| Sink { name: name.to_owned(), target, queue: QUEUE };
        let mut sinks = Vec::new();
        match format {
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

/// Files of rules: those that watch out of the box where none are named, none where that is said.
fn files(named: Option<Vec<PathBuf>>) -> Result<Vec<PathBuf>, Problem> {
    let Some(named) = named else { return Ok(vec![OUT_OF_THE_BOX.into()]) };
    let is_off = |file: &PathBuf| NONE.iter().any(|word| file.as_os_str() == *word);
    match named.as_slice() {
        [only] if is_off(only) => Ok(Vec::new()),
        several if several.iter().any(is_off) => {
            let said: Vec<_> = several.iter().map(|file| file.display().to_string()).collect();
            let why = "rules, and that there are none";
            Err(bad_value("--rules", &said.join(","), why, "--rules off"))
        }
        _ => Ok(named),
    }
}

fn buffer_bytes(text: Option<&str>) -> Result<Option<usize>, Problem> {
    match text {
        None => Ok(Some(recent::DEFAULT_BUDGET_BYTES)),
        Some("off") => Ok(None),
        Some(text) => {
            let size = size_bytes(text).filter(|bytes| *bytes <= MOST_BUFFER_BYTES);
            let why = "not a size up to 1g";
            let example = "--alerts-buffer-size 4m";
            let size = size.ok_or_else(|| bad_value("--alerts-buffer-size", text, why, example));
            size.map(Some)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_watch_out_of_the_box_unless_it_is_said_that_none_do() {
        let named = |names: &[&str]| {
            let rules = Some(names.iter().map(PathBuf::from).collect());
            AuditArguments { rules, ..AuditArguments::default() }.options(false)
        };
        let usual = AuditArguments::default().options(false).unwrap();
        assert_eq!(usual.files, [PathBuf::from("default")]);
        for word in NONE {
            assert!(named(&[word]).unwrap().is_off());
        }
        assert!(named(&["off", "rules.yaml"]).is_err());
        assert_eq!(named(&["a.yaml", "b.yaml"]).unwrap().files.len(), 2);
    }

    #[test]
    fn alerts_are_not_printed_among_json_unless_that_is_asked_for() {
        let printed = |alerts, prints_json| {
            let arguments = AuditArguments { alerts, ..AuditArguments::default() };
            arguments.options(prints_json).unwrap().sinks.len()
        };
        assert_eq!([printed(None, false), printed(None, true)], [1, 0]);
        assert_eq!(printed(Some(AlertFormat::Text), true), 1);
        assert_eq!(printed(Some(AlertFormat::Off), false), 0);
    }

    #[test]
    fn the_latest_alerts_have_a_size_or_are_not_kept() {
        assert_eq!(buffer_bytes(None).unwrap(), Some(4 << 20));
        assert_eq!(buffer_bytes(Some("64k")).unwrap(), Some(64 << 10));
        assert_eq!(buffer_bytes(Some("off")).unwrap(), None);
        assert!(buffer_bytes(Some("2g")).is_err() && buffer_bytes(Some("much")).is_err());
    }
}
