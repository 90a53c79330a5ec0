//! An agent on one screen of 80 columns and 24 lines, without colours. Numbers are short; `-o json` has them
//! exactly.

use std::fmt::Write;
use std::time::Duration;

use chandra_event::unit::short;

use super::overview::{Overview, SignalRow};
use crate::observe::status::go_duration;

const COLUMNS: usize = 80;
/// A screen less the line of the prompt.
const LINES: usize = 23;

/// The screen, below so many lines that are there already.
pub fn text(overview: &Overview, lines_above: usize) -> String {
    let mut lines = vec![headline(overview), String::new()];
    lines.push(row(["SIGNAL", "STATE", "SEEN/S", "SEEN", "LOST", "SHED", "CORE%", "BY"]));
    lines.extend(overview.signals.iter().map(signal));
    lines.push(String::new());
    lines.push(who(overview));
    lines.push(audit(overview));
    let mut told: Vec<_> = overview.failures.iter().map(|what| format!("failed: {what}")).collect();
    told.extend(overview.warnings.iter().map(|what| format!("warning: {what}")));
    let room = LINES.saturating_sub(lines_above + lines.len()).max(2);
    let more = told.len().saturating_sub(room);
    if more > 0 {
        told.truncate(room - 1);
        told.push(format!("and {} more: chandra status -o json", more + 1));
    }
    lines.extend(told);
    let fitted = lines.iter().map(|line| fit(line) + "\n");
    fitted.collect()
}

fn headline(overview: &Overview) -> String {
    let up = go_duration(Duration::from_secs(overview.uptime_seconds));
    let word = if overview.ready { "ready" } else { "not ready" };
    let cost = overview.percent_of_one_core;
    let cost =
        cost.map_or_else(|| "cost unknown".to_owned(), |cost| format!("{cost:.2}% of a core"));
    let (address, kernel) = (overview.address, &overview.kernel);
    format!("Agent (http://{address}): {word}, up {up}, {cost}, kernel {kernel}")
}

fn signal(signal: &SignalRow) -> String {
    let ledger = &signal.ledger;
    let cost = signal.percent_of_one_core;
    row([
        &signal.signal,
        &signal.verdict,
        &format!("{:.1}", signal.seen_per_second),
        &short(ledger.seen),
        &short(ledger.lost),
        &short(ledger.shed.slow_reader),
        &cost.map_or_else(|| "-".to_owned(), |cost| format!("{cost:.2}")),
        &signal.rungs.join(", "),
    ])
}

fn row([signal, state, rate, seen, lost, shed, cost, rungs]: [&str; 8]) -> String {
    let row =
        format!("{signal:<12}{state:<12}{rate:>8}{seen:>7}{lost:>6}{shed:>6}{cost:>6}  {rungs}");
    row.trim_end().to_owned()
}

fn who(overview: &Overview) -> String {
    let identity = &overview.identity;
    let mut line = format!(
        "Identity: {} processes, {} containers, {} containers and pods described",
        identity.processes, identity.containers, identity.described
    );
    if let Some([pods, services, nodes]) = identity.cluster {
        let _ = write!(line, "; cluster: {pods} pods, {services} services, {nodes} nodes");
    }
    line
}

fn audit(overview: &Overview) -> String {
    let Some(rules) = &overview.rules else { return "Rules: none watch".to_owned() };
    let mut line = format!("Rules: {} watch, {} alerts", rules.loaded, rules.alerts);
    for (name, sink) in &overview.sinks {
        let _ = write!(line, "; {name} {} told, {} dropped", sink.delivered, sink.dropped);
    }
    line
}

/// As much of a line as fits, without what a terminal would act on.
fn fit(line: &str) -> String {
    let line = chandra_event::text::escape(line.as_bytes());
    match line.char_indices().nth(COLUMNS) {
        None => line,
        Some(_) => line.chars().take(COLUMNS - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::overview::tests::overview;
    use super::*;

    #[test]
    fn a_screen_says_all_of_it() {
        assert_eq!(
            text(&overview(&json!({ "/signals/0/ledger/lost": 5 })), 3),
            "Agent (http://127.0.0.1:9965): ready, up 1h2m3s, 0.75% of a core, kernel 6.18.0\n\
             \n\
             SIGNAL      STATE         SEEN/S   SEEN  LOST  SHED CORE%  BY\n\
             tcp         active         120.0    160     5     0  0.75  tp_btf, tracepoint\n\
             \n\
             Identity: 7 processes, 0 containers, 0 containers and pods described\n\
             Rules: 42 watch, 3 alerts; http 0 told, 7 dropped; stdout 3 told, 0 dropped\n\
             warning: signal tcp: 5 lost: no room in its ring\n\
             warning: sink http: 7 alerts dropped\n"
        );
    }

    #[test]
    fn it_fits_whatever_there_is_to_say() {
        let mut overview = overview(&json!({ "/kernel": "6.18.0-\u{1b}[31m-long-long-long-name" }));
        let long = "x".repeat(200);
        overview.warnings = (0..50).map(|number| format!("ä\n{number}{long}")).collect();
        let text = text(&overview, 3);
        assert_eq!(text.lines().count() + 3, LINES);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(text.lines().last(), Some("and 38 more: chandra status -o json"));
    }
}
