//! `chandra record` and `chandra replay`, for tests of what they make of each other.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::launch::checked;
use crate::lines::Lines;
use crate::observe::{command, said};
use crate::patience::wait_for;
use crate::record::Record;

/// A running `chandra record`, killed when dropped.
#[derive(Debug)]
pub struct Recorder {
    child: Child,
    messages: Option<Lines>,
}

impl Recorder {
    /// Starts it, and waits until it records.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = command(&["record"]);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let messages = Lines::of(child.stderr.take().unwrap());
        wait_for("the recording to begin", || {
            let lines = messages.since(0);
            assert!(child.try_wait().unwrap().is_none(), "it ended: {lines:#?}");
            lines.iter().any(|line| line.starts_with("recording to ")).then_some(())
        });
        Self { child, messages: Some(messages) }
    }

    /// Ctrl-C, and its last line.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn interrupt(self) -> String {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: takes numbers only; the child is not waited for yet, so that the pid is its own.
        checked(unsafe { libc::kill(pid, libc::SIGINT) }).unwrap();
        self.end()
    }

    /// Its last line, when it ends by itself.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn end(mut self) -> String {
        let status = wait_for("its end", || self.child.try_wait().unwrap());
        let messages = self.messages.take().unwrap().finish();
        assert!(status.success(), "{messages:#?}");
        messages.last().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What must be the same of an alert. The moment is not: each has probes of its own, which run one after the
/// other.
///
/// # Panics
/// When it is no alert.
#[track_caller]
pub fn compared(alert: &Record) -> Vec<Value> {
    let names = |process: &Value| {
        let of = |name: &str| process.get(name).cloned().unwrap_or_default();
        Value::from(["pid", "comm", "exe", "argv", "cwd", "uid", "ppid"].map(of).to_vec())
    };
    let at = |name: &str| alert.0.get(name).cloned().unwrap_or_default();
    let of = |name: &str| at(name).as_array().map_or(0, Vec::len);
    let ancestors = at("ancestors").as_array().unwrap().iter().map(names).collect();
    let output = alert.text("output").unwrap().split_once(": ").unwrap().1.to_owned();
    vec![
        at("rule"),
        at("priority"),
        at("tags"),
        at("hostname"),
        output.into(),
        at("output_fields"),
        names(&at("process")),
        Value::Array(ancestors),
        at("container"),
        at("pod"),
        at("connection"),
        of("preceding").into(),
    ]
}

/// The alerts of a recording, and what was said beside them.
///
/// # Panics
/// When it cannot be replayed.
#[track_caller]
pub fn replay(events: &Path, rules: &str, arguments: &[&str]) -> (Vec<Record>, String) {
    let usual = ["replay", events.to_str().unwrap(), "--rules", rules, "-o", "json"];
    let said = said(&mut command(&[&usual[..], arguments].concat()));
    assert_eq!(said.code, Some(0), "{}", said.error);
    (said.out.lines().map(Record::parse).collect(), said.error)
}
