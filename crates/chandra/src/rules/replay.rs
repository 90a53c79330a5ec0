//! `chandra replay`: recorded events through rules, alerts out, as an agent would have told them.
//!
//! A recording of `chandra record` begins with what an agent would have known, and has in it what it would have
//! learnt: from what these rules do not ask about is learnt, and no more. From other records, without that heading,
//! no ancestors are learnt: half of them would be worse than what each record says of its own parent.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use chandra_alerts::redact::Redactor;
use chandra_doctor::{Check, Problem};
use chandra_event::record::{Event, Record};
use chandra_event::who::{Known, Who};
use chandra_identity::Identity;
use chandra_rules::adapter::Node;
use chandra_rules::rules::Ruleset;
use serde_json::Value;

use super::recorded::Recorded;
use super::{RulesFormat, RulesOptions, counted};
use crate::agent::audit::{Accounts, Copies, Evaluator, Needs};
use crate::follow::Told;
use crate::output::{self, Written};
use crate::record::container::{CONTAINER, Said};
use crate::record::heading::{ACCOUNTS, Heading, RECORDING, RECORDING_END, Unusable, accounts_of};

/// A line that is longer is no record: argv alone may have 10 KiB. A heading has all users of a machine.
const MAX_LINE_BYTES: u64 = 16 << 20;
/// Processes that ended stay so long for what comes late, as in an agent.
const LINGER_NS: u64 = 2_000_000_000;

#[derive(Debug, Default)]
struct Counts {
    lines: usize,
    events: usize,
    alerts: usize,
    unreadable: usize,
}

/// What is known while a file is read.
struct Replay<'a> {
    evaluator: Evaluator,
    identity: Identity,
    /// What the recording says of containers, by their ids.
    containers: HashMap<String, Said>,
    redactor: Redactor,
    /// What an agent would have watched for these rules.
    needs: Needs,
    options: &'a RulesOptions,
    counts: Counts,
    heading: Reading,
    /// Records that the recording says are missing in it.
    lost: u64,
}

/// How far a recording is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// It is none.
    Records,
    /// It has begun.
    Begun,
    /// It was written to its end.
    Ended,
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
    let mut replay = Replay::new(rules, options);
    let mut line = Vec::new();
    loop {
        line.clear();
        let taken = (&mut input).take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        if taken.map_err(problem)? == 0 {
            break;
        }
        let alerts = replay.take(&line).map_err(|why| {
            let next = "record it anew with this version: chandra record -o events.jsonl";
            Problem::new(Check::RULES, format!("cannot replay {}", events.display()), why, next)
        })?;
        if !alerts.is_empty() && output::write(alerts.as_bytes())? == Written::ReaderGone {
            return Ok(());
        }
    }
    replay.summarise();
    Ok(())
}

impl<'a> Replay<'a> {
    fn new(rules: &Ruleset, options: &'a RulesOptions) -> Self {
        let by_name_only = options.evaluation.by_name_only();
        let node = Node { by_name_only, ..Node::default() };
        Self {
            evaluator: Evaluator::new(
                Arc::new(rules.clone()),
                node,
                Copies::default(),
                Accounts::default(),
            ),
            identity: Identity::default(),
            containers: HashMap::new(),
            redactor: Redactor::default(),
            needs: Needs::of(rules),
            options,
            counts: Counts::default(),
            heading: Reading::Records,
            lost: 0,
        }
    }

    /// The alerts of a line.
    fn take(&mut self, line: &[u8]) -> Result<String, Unusable> {
        self.counts.lines += 1;
        let object = serde_json::from_slice::<Value>(line).unwrap_or_default();
        match object.get("type").and_then(Value::as_str) {
            Some(RECORDING) => {
                let Heading { mut node, clock } = Heading::of(&object)?;
                node.by_name_only = self.options.evaluation.by_name_only();
                *self.evaluator.node_mut() = node;
                self.identity = Identity::new(clock);
                self.heading = Reading::Begun;
                return Ok(String::new());
            }
            Some(RECORDING_END) => {
                self.lost += object.get("lost").and_then(Value::as_u64).unwrap_or_default();
                self.heading = Reading::Ended;
                return Ok(String::new());
            }
            Some(CONTAINER) => {
                self.containers.extend(Said::read(&object));
                return Ok(String::new());
            }
            Some(ACCOUNTS) => {
                if let Some((place, names)) = accounts_of(&object) {
                    self.evaluator.accounts_mut().learn(place, names);
                }
                return Ok(String::new());
            }
            _ => {}
        }
        let Ok(recorded) = Recorded::new(object) else {
            self.counts.unreadable += 1;
            return Ok(String::new());
        };
        if self.heading == Reading::Records {
            let node = self.evaluator.node_mut();
            recorded.node.as_deref().unwrap_or_default().clone_into(&mut node.hostname);
        }
        let mut text = String::new();
        let copy_of = recorded.copy_of();
        let said = recorded.container().and_then(|id| self.containers.remove_entry(id));
        recorded.with(&mut |record, who| {
            let mut who = *who;
            if let Some((_, said)) = &said {
                said.add_to(&mut who);
            }
            self.evaluate(record, &who, copy_of, &mut text);
        });
        self.containers.extend(said);
        Ok(text)
    }

    fn evaluate(
        &mut self,
        record: &dyn Record,
        who: &Who<'_>,
        copy_of: Option<&[u8]>,
        text: &mut String,
    ) {
        let Self { evaluator, identity, redactor, needs, options, counts, .. } = self;
        if self.heading != Reading::Records {
            let now_ns = identity.processes.boottime_ns_of(record.time());
            identity.learn(record, now_ns);
            while identity.processes.advance(now_ns.saturating_sub(LINGER_NS)) {}
            if !needs.has(record.kind()) {
                return;
            }
        }
        if let Event::Exec(exec) = record.event() {
            evaluator.copies_mut().tell(exec, copy_of);
        }
        let known = &Known { record, who };
        let told = Told { known, container: None, identity };
        let is_event = evaluator.take(&told, &mut |alert| {
            counts.alerts += 1;
            let redacted = redactor.alert(alert, None);
            match options.format {
                RulesFormat::Text => text.push_str(&redacted.text()),
                RulesFormat::Json => text.push_str(&String::from_utf8_lossy(&redacted.json())),
            }
            text.push('\n');
        });
        counts.events += usize::from(is_event);
    }

    fn summarise(&self) {
        let Counts { lines, events, alerts, unreadable } = self.counts;
        let (lines, alerts) = (counted(lines, "line"), counted(alerts, "alert"));
        eprintln!(
            "replay: {lines}, {events} that rules are about, {alerts}, {unreadable} that cannot be read"
        );
        if self.heading == Reading::Begun {
            eprintln!("warning: the recording was not written to its end");
        }
        if self.lost > 0 {
            let lost = counted(usize::try_from(self.lost).unwrap_or(usize::MAX), "record");
            eprintln!(
                "warning: {lost} were lost when it was recorded; alerts of those are missing"
            );
        }
    }
}
