//! Processes as columns, as a tree, or as JSON.

use std::collections::{BTreeMap, HashMap, HashSet};

use chandra_doctor::Problem;
use chandra_event::json::Line;
use chandra_event::record::{Record, Shown};
use chandra_event::text::escape;
use chandra_event::who::Known;
use chandra_identity::Spelled;
use chandra_identity::process::{ProcessEntry, ProcessId};
use serde_json::json;

use super::containers::short;
use super::{Now, find};
use crate::cli::list::ListFormat;

/// The list.
pub fn text(now: &mut Now<'_>) -> Result<String, Problem> {
    if now.options.format == ListFormat::Json {
        return lines_of_json(now);
    }
    let numbers = now.identity.cgroups.containers().map(|container| Some(container.number));
    let numbers: Vec<_> = numbers.chain([None]).collect();
    let selected: HashSet<_> = numbers.into_iter().filter(|number| now.selects(*number)).collect();
    let is_selected = |entry: &&ProcessEntry| {
        entry.is_alive()
            && selected.contains(&now.container(entry).map(|container| container.number))
    };
    let mut entries: Vec<_> = now.identity.processes.iter().filter(is_selected).collect();
    entries.sort_by_key(|entry| (entry.process().start_boottime_ns, entry.process().pid));
    let lines = match now.options.format {
        ListFormat::Tree => tree(now, &entries),
        _ => entries.iter().map(|entry| line(now, entry, 0)).collect(),
    };
    Ok(header() + &lines)
}

fn header() -> String {
    format!("{:>8} {:>8} {:>6} {:<14} {}\n", "PID", "PPID", "UID", "CONTAINER", "COMMAND")
}

fn line(now: &Now<'_>, entry: &ProcessEntry, depth: usize) -> String {
    let process = entry.process();
    let container = now.container(entry).map_or("-", |container| short(&container.id));
    let indent = "  ".repeat(depth);
    let (pid, ppid, uid) = (process.pid, process.ppid, process.uid);
    format!("{pid:>8} {ppid:>8} {uid:>6} {container:<14} {indent}{}\n", command(entry))
}

/// The arguments, or for a kernel thread its name in brackets.
fn command(entry: &ProcessEntry) -> String {
    let arguments = entry.program().map(|program| program.arguments().map(escape).collect());
    match arguments.filter(|arguments: &Vec<String>| !arguments.is_empty()) {
        Some(arguments) => arguments.join(" "),
        None => format!("[{}]", escape(entry.process().comm.as_bytes())),
    }
}

/// Every process below its parent, in the order of their starts; one whose parent is not there, or
/// would close a circle, is at the left.
fn tree(now: &Now<'_>, entries: &[&ProcessEntry]) -> String {
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

/// The record of each process that runs, as a trace would show it, with its ancestors; in the order of
/// their starts. They are looked at a second time, now that all of them are known.
fn lines_of_json(now: &mut Now<'_>) -> Result<String, Problem> {
    let mut lines = BTreeMap::new();
    let Some(found) = find(now.options, "process")? else { return Ok(String::new()) };
    let context = now.context.clone();
    found.each(&context, &mut |record| {
        let number = now.identity.container_of(record);
        if let Some(process) = record.process()
            && now.selects(number)
        {
            lines.insert((process.start_boottime_ns, process.pid), line_of_json(now, record));
        }
    });
    Ok(lines.into_values().collect())
}

fn line_of_json(now: &mut Now<'_>, record: &dyn Record) -> String {
    let id = record.process().map(ProcessId::of);
    let ancestors = id.into_iter().flat_map(|id| now.identity.processes.ancestors(id));
    let ancestors = ancestors.map(|ancestor| {
        let process = ancestor.process();
        json!({ "pid": process.pid, "comm": escape(process.comm.as_bytes()) })
    });
    let ancestors = serde_json::Value::from(ancestors.collect::<Vec<_>>()).to_string();
    let (mut bytes, mut spelled) = (Vec::new(), Spelled::default());
    let who = now.identity.who(record, &mut spelled);
    let mut line = Line::begin(record.kind(), record.time(), Some(&now.options.node), &mut bytes);
    Known { record, who: &who }.visit(&mut |field, value| {
        if field.shown != Shown::TableOnly {
            line.field(field.path, value);
        }
    });
    line.json("ancestors", &ancestors);
    line.end();
    String::from_utf8_lossy(&bytes).into_owned()
}
