//! The parts of the archive, one after the other. JSON stays JSON: of it texts are redacted, of all else lines.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_alerts::redact::{Options, Redactor};
use serde_json::{Value, json};

use super::archive::Part;
use crate::cli::sysdump::SysdumpOptions;
use crate::doctor;
use crate::status::{Overview, http};

/// Of each part, its last so many bytes.
const MOST_BYTES: u64 = 4 << 20;
/// Lines of the journal.
const JOURNAL_LINES: &str = "5000";

/// What the kernel and the system say of themselves.
const FILES: [&str; 16] = [
    "/etc/os-release",
    "/proc/version",
    "/proc/cmdline",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/self/mountinfo",
    "/proc/self/status",
    "/proc/self/limits",
    "/proc/sys/kernel/perf_event_paranoid",
    "/proc/sys/kernel/unprivileged_bpf_disabled",
    "/proc/sys/kernel/kptr_restrict",
    "/proc/sys/net/core/bpf_jit_enable",
    "/sys/kernel/security/lockdown",
    "/sys/kernel/security/lsm",
];

/// All that could be had.
#[derive(Debug)]
pub struct Parts {
    redactor: Redactor,
    /// Files of the archive.
    pub parts: Vec<Part>,
    /// What could not be had, and why.
    pub missing: Vec<(String, String)>,
    /// Secrets that were taken out.
    pub secrets: u64,
}

/// Gathers.
pub fn all(options: &SysdumpOptions) -> Parts {
    // Options are no secrets, as far as no line of text is; what else there is may be (a password).
    let harmless = variables().into_iter().map(|(name, _)| name);
    let harmless = harmless.filter(|name| name.starts_with("CHANDRA_")).collect();
    let redactor = Redactor::new(Options { environment: harmless, ..Options::default() });
    let mut parts = Parts { redactor, parts: Vec::new(), missing: Vec::new(), secrets: 0 };
    parts.add("doctor.json", Ok(doctor::node_json(&options.node)));
    parts.add("capabilities.json", Ok(doctor::capabilities_json(&options.node.signals)));
    for (name, path) in [
        ("agent/signals.json", "/signals"),
        ("agent/ready.json", "/readyz"),
        ("agent/metrics.txt", "/metrics"),
    ] {
        parts.add(name, http::get(options.agent, path).map(|answer| answer.body));
    }
    parts.add("agent/status.json", Overview::ask(options.agent).map(|it| json!(it).to_string()));
    parts.add("agent/config.toml", end_of(&options.config));
    parts.add("environment", Ok(environment(&parts.redactor)));
    let log = match &options.log {
        Some(file) => end_of(file),
        None => journal(),
    };
    parts.add("agent/log", log);
    for path in FILES {
        parts.add(&format!("system{path}"), end_of(Path::new(path)));
    }
    parts.finish()
}

impl Parts {
    /// Adds a part, without the secrets in it.
    fn add(&mut self, name: &str, text: Result<String, String>) {
        match text {
            Ok(text) => {
                let bytes = match serde_json::from_str(&text) {
                    Ok(value) if name.ends_with(".json") => {
                        format!("{:#}\n", redacted_value(&self.redactor, value)).into_bytes()
                    }
                    _ => redacted(&self.redactor, &text),
                };
                self.parts.push(Part { name: name.to_owned(), bytes });
            }
            Err(why) => self.missing.push((name.to_owned(), why)),
        }
    }

    /// Adds the list of what there is.
    fn finish(mut self) -> Self {
        let counts = self.redactor.figures().filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counts.map(|(kind, count)| (kind.name(), count)).collect();
        self.secrets = counts.iter().map(|(_, count)| count).sum();
        let missing = self.missing.iter().map(|(part, why)| json!({ "part": part, "why": why }));
        let contents = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "time": jiff::Timestamp::now().to_string(),
            "parts": self.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(),
            "missing": missing.collect::<Vec<_>>(),
            "redacted": counts.into_iter().collect::<BTreeMap<_, _>>(),
        });
        let contents = Ok(format!("{contents:#}\n"));
        self.add("contents.json", contents);
        self
    }
}

/// Each text in it: what stands around texts is not theirs, and stays as it is.
fn redacted_value(redactor: &Redactor, value: Value) -> Value {
    match value {
        Value::String(text) => {
            String::from_utf8_lossy(&redactor.line(text.as_bytes())).into_owned().into()
        }
        Value::Array(items) => {
            items.into_iter().map(|item| redacted_value(redactor, item)).collect()
        }
        Value::Object(items) => {
            items.into_iter().map(|(name, item)| (name, redacted_value(redactor, item))).collect()
        }
        other => other,
    }
}

/// Line by line, as far as it is not too long.
fn redacted(redactor: &Redactor, text: &str) -> Vec<u8> {
    let least = text.len().saturating_sub(usize::try_from(MOST_BYTES).unwrap_or(usize::MAX));
    let begin = text.char_indices().map(|(at, _)| at).find(|at| *at >= least).unwrap_or(0);
    let text = text.get(begin..).unwrap_or_default();
    let mut bytes = Vec::with_capacity(text.len());
    for line in text.lines() {
        bytes.extend_from_slice(&redactor.line(line.as_bytes()));
        bytes.push(b'\n');
    }
    bytes
}

/// The end of a file.
fn end_of(path: &Path) -> Result<String, String> {
    let read = || {
        let mut file = File::open(path)?;
        // Files of the kernel have no length; they are read from the beginning.
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MOST_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))
}

/// Variables that say something to Chandra, in order.
fn variables() -> Vec<(String, String)> {
    let said = |name: &str| name.starts_with("CHANDRA_") || name.starts_with("HUBBLE_");
    let variables = std::env::vars_os().map(|(name, value)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    });
    let mut variables: Vec<_> = variables.filter(|(name, _)| said(name)).collect();
    variables.sort_unstable();
    variables
}

fn environment(redactor: &Redactor) -> String {
    let lines = variables().into_iter().map(|(name, value)| {
        let variable = format!("{name}={value}");
        String::from_utf8_lossy(&redactor.variable(variable.as_bytes())).into_owned() + "\n"
    });
    lines.collect()
}

/// What the journal has of the unit.
fn journal() -> Result<String, String> {
    let mut command = Command::new("journalctl");
    command.args(["--unit", "chandra", "--no-pager", "--lines", JOURNAL_LINES]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.map_err(|error| format!("journalctl: {error}"))?;
    if !output.status.success() {
        return Err(format!("journalctl ended with {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
