//! Processes as columns, as a tree, or as JSON.

use std::collections::{HashMap, HashSet};

use chandra_event::text::escape;
use chandra_identity::process::ProcessEntry;
use serde_json::{Value, json};

use super::Now;
use super::containers::{self, short};
use crate::cli::list::ListFormat;

/// The list.
pub fn text(now: &Now, format: ListFormat) -> String {
    let mut entries: Vec<_> = now.processes.iter().filter(|entry| entry.is_alive()).collect();
    entries.sort_by_key(|entry| (entry.process().start_boottime_ns, entry.process().pid));
    match format {
        ListFormat::Json => {
            entries.iter().map(|entry| format!("{}\n", object(now, entry))).collect()
        }
        ListFormat::Table => {
            let lines = entries.iter().map(|entry| line(now, entry, 0)).collect::<String>();
            header() + &lines
        }
        ListFormat::Tree => header() + &tree(now, &entries),
    }
}

fn header() -> String {
    format!("{:>8} {:>8} {:>6} {:<14} {}\n", "PID", "PPID", "UID", "CONTAINER", "COMMAND")
}

fn line(now: &Now, entry: &ProcessEntry, depth: usize) -> String {
    let process = entry.process();
    let container = now.container(entry).map_or("-", |container| short(&container.id));
    let indent = "  ".repeat(depth);
    let (pid, ppid, uid) = (process.pid, process.ppid, process.uid);
    format!("{pid:>8} {ppid:>8} {uid:>6} {container:<14} {indent}{}\n", command(entry))
}

/// The arguments, or for a kernel thread its name in brackets.
fn command(entry: &ProcessEntry) -> String {
    let arguments = entry.program().map(|program| arguments(&program.arguments_head));
    match arguments.filter(|arguments| !arguments.is_empty()) {
        Some(arguments) => arguments.join(" "),
        None => format!("[{}]", escape(entry.process().comm.as_bytes())),
    }
}

fn arguments(head: &[u8]) -> Vec<String> {
    head.strip_suffix(b"\0")
        .unwrap_or(head)
        .split(|byte| *byte == 0)
        .filter(|_| !head.is_empty())
        .map(escape)
        .collect()
}

/// Every process below its parent, in the order of their starts; one whose parent is not there, or
/// would close a circle, is at the left.
fn tree(now: &Now, entries: &[&ProcessEntry]) -> String {
    let there: HashSet<u32> = entries.iter().map(|entry| entry.process().pid).collect();
    let mut children: HashMap<u32, Vec<&ProcessEntry>> = HashMap::new();
    let mut open: Vec<(&ProcessEntry, usize)> = Vec::new();
    for entry in entries.iter().rev() {
        let parent = entry.process().ppid;
        if parent != entry.process().pid && there.contains(&parent) {
            children.entry(parent).or_default().push(entry);
        } else {
            open.push((entry, 0));
        }
    }
    let mut text = String::new();
    while let Some((entry, depth)) = open.pop() {
        text += &line(now, entry, depth);
        let below = children.remove(&entry.process().pid).unwrap_or_default();
        open.extend(below.into_iter().map(|child| (child, depth + 1)));
    }
    for entry in children.into_values().flatten() {
        text += &line(now, entry, 0);
    }
    text
}

fn object(now: &Now, entry: &ProcessEntry) -> Value {
    let process = entry.process();
    let mut fields = json!({
        "pid": process.pid,
        "start_time": process.start_time.to_string(),
        "start_boottime_ns": process.start_boottime_ns.to_string(),
        "ppid": process.ppid,
        "uid": process.uid,
        "gid": process.gid,
        "comm": escape(process.comm.as_bytes()),
        "cgroup_id": process.cgroup_id.to_string(),
    });
    if let Some(program) = entry.program() {
        fields["exe"] = escape(&program.executable).into();
        fields["cwd"] = escape(&program.cwd).into();
        fields["argv"] = arguments(&program.arguments_head).into();
        fields["argv_bytes"] = program.arguments_bytes.into();
    }
    let mut object = json!({ "process": fields });
    let ancestors: Vec<_> = now.processes.ancestors(entry.id()).map(|ancestor| {
        json!({ "pid": ancestor.process().pid, "comm": escape(ancestor.process().comm.as_bytes()) })
    }).collect();
    object["ancestors"] = ancestors.into();
    if let Some(container) = now.container(entry) {
        for (name, value) in containers::object(now, container) {
            object[name] = value;
        }
    }
    object
}
