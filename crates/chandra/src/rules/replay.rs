//! `chandra replay`: recorded events through rules, alerts out.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use chandra_doctor::{Check, Problem};
use chandra_rules::adapter::{NoLineage, Node, RecordFacts};
use chandra_rules::evaluate::Scratch;
use chandra_rules::rules::{Outcome, Ruleset};

use super::recorded::Recorded;
use super::{RulesFormat, RulesOptions, counted};
use crate::output::{self, Written};

/// A line that is longer is no record: argv alone may have 10 KiB.
const MAX_LINE_BYTES: u64 = 1 << 20;

#[derive(Debug, Default)]
struct Counts {
    lines: usize,
    events: usize,
    alerts: usize,
    unreadable: usize,
}

/// Prints the alerts of all events of a file, then says on standard error how many there were.
pub(super) fn run(rules: &Ruleset, events: &Path, options: &RulesOptions) -> Result<(), Problem> {
    let problem = |error: std::io::Error| {
        Problem::new(
            Check::RULES,
            format!("cannot read {}", events.display()),
            error,
            format!("ls -l {}", events.display()),
        )
    };
    let mut input = BufReader::new(File::open(events).map_err(problem)?);
    let (mut counts, mut scratch, mut line) = (Counts::default(), Scratch::default(), Vec::new());
    loop {
        line.clear();
        let taken = (&mut input).take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        if taken.map_err(problem)? == 0 {
            break;
        }
        counts.lines += 1;
        let alerts = alerts_of(&line, rules, &mut scratch, &mut counts, options.format);
        if !alerts.is_empty() && output::write(alerts.as_bytes())? == Written::ReaderGone {
            return Ok(());
        }
    }
    eprintln!(
        "replay: {}, {} that rules are about, {}, {} that cannot be read",
        counted(counts.lines, "line"),
        counts.events,
        counted(counts.alerts, "alert"),
        counts.unreadable
    );
    Ok(())
}

fn alerts_of(
    line: &[u8],
    rules: &Ruleset,
    scratch: &mut Scratch,
    counts: &mut Counts,
    format: RulesFormat,
) -> String {
    let mut text = String::new();
    let recorded = std::str::from_utf8(line).ok().map(Recorded::parse);
    let Some(Ok(recorded)) = recorded else {
        counts.unreadable += 1;
        return text;
    };
    let node = Node { hostname: recorded.node.clone().unwrap_or_default(), ..Node::default() };
    let number = counts.lines as u64;
    recorded.with(&mut |record, who| {
        let Some(facts) = RecordFacts::new(record, number, who, &NoLineage, &node) else { return };
        counts.events += 1;
        let mut fired = Vec::new();
        rules.evaluate(&facts, scratch, &mut |rule, outcome| {
            if outcome == Outcome::Fires {
                fired.push(rule);
            }
        });
        for rule in fired {
            counts.alerts += 1;
            let alert = rule.alert(&facts, facts.time(), scratch);
            let line = match format {
                RulesFormat::Text => alert.line(),
                RulesFormat::Json => alert.json(recorded.node.as_deref()).to_string(),
            };
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}
