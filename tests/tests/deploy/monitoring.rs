//! Dashboards and alerts of the chart, judged by Prometheus' own promtool and by the list of what an agent tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_tests::prometheus;
use chandra_tests::scratch::Scratch;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Runs promtool, which must find nothing wrong; says so and does nothing where there is none.
fn promtool(arguments: &[&str]) {
    let Some(program) = prometheus::program("promtool") else {
        eprintln!("skipped: needs promtool (tests/prometheus/fetch)");
        return;
    };
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// Queries of a dashboard, each with what it is called.
fn queries(path: &str) -> Vec<(String, String)> {
    let board: Value = serde_json::from_str(&read(path)).unwrap();
    let mut queries = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap().to_owned();
            queries.push((title, target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        if let Some(metric) = variable["query"].as_str().unwrap().strip_prefix("label_values(") {
            queries
                .push((variable["name"].to_string(), metric.split(',').next().unwrap().to_owned()));
        }
    }
    queries
}

const DASHBOARDS: [&str; 4] = [
    "deploy/chart/files/dashboards/agents.json",
    "deploy/chart/files/dashboards/network.json",
    "deploy/chart/files/dashboards/nodes.json",
    "deploy/chart/files/dashboards/tcp.json",
];

fn expressions_of_alerts() -> Vec<(String, String)> {
    let text = read("deploy/chart/files/alerts.yaml");
    let found = text.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    found.map(|query| ("alert".to_owned(), query.to_owned())).collect()
}

/// Series with their labels, of the page that is drawn from the code: a family's name, or of a histogram what it
/// consists of.
fn series() -> BTreeMap<String, BTreeSet<String>> {
    let page = read("docs/reference/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut series = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').collect();
        let labels: BTreeSet<_> =
            cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let family = cells[0].trim().trim_end_matches('`');
        let ends: &[&str] =
            if cells[1].trim() == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        series.extend(ends.iter().map(|end| (format!("{family}{end}"), labels.clone())));
    }
    series
}

/// Words of a query, with the letter that follows each.
fn words(query: &str) -> Vec<(String, Option<char>)> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for letter in query.chars().chain([' ']) {
        if letter == '"' {
            quoted = !quoted;
        }
        if !quoted && (letter.is_ascii_alphanumeric() || letter == '_') {
            word.push(letter);
        } else if !word.is_empty() {
            words.push((std::mem::take(&mut word), Some(letter)));
        }
    }
    words
}

#[test]
fn every_query_names_what_an_agent_tells() {
    let series = series();
    assert!(series.len() > 30);
    let mut asked = 0;
    let queries = DASHBOARDS.iter().flat_map(|path| queries(path)).chain(expressions_of_alerts());
    for (title, query) in queries {
        let mut labels = BTreeSet::from(["instance", "job", "le"].map(str::to_owned));
        let mut count = 0;
        for (word, _) in words(&query) {
            if !(word.starts_with("chandra_") || word.starts_with("hubble_")) {
                continue;
            }
            let known = series.get(&word);
            labels.extend(known.unwrap_or_else(|| panic!("{title}: no series {word}")).clone());
            count += 1;
        }
        assert!(
            count > 0 || query.starts_with("up{"),
            "{title}: {query} asks for nothing of Chandra's"
        );
        asked += count;
        for piece in query.split(['{', ',', '(', '}']) {
            // `label="value"` of a matcher, or a label of `by (…)`.
            let matcher = piece.split_once(['=', '!']).filter(|(name, _)| !name.contains(' '));
            if let Some((label, _)) = matcher {
                assert!(labels.contains(label), "{title}: {query}: no label {label}");
            }
        }
        for group in query.split("by (").skip(1) {
            for label in group.split(')').next().unwrap().split(',') {
                assert!(labels.contains(label.trim()), "{title}: {query}: no label {label}");
            }
        }
    }
    assert!(asked > 45, "{asked}");
}

#[test]
fn promtool_takes_every_query_of_the_dashboards() {
    let mut rules = "groups:\n- name: dashboards\n  rules:\n".to_owned();
    let all = DASHBOARDS.iter().flat_map(|path| queries(path));
    for (number, (_, query)) in all.enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
        rules += &format!("  - record: query_{number}\n    expr: {}\n", Value::from(query));
    }
    let scratch = Scratch::new();
    let file = scratch.at("queries.yaml");
    fs::write(&file, rules).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()]);
}

#[test]
fn every_alert_fires_of_what_it_is_for_and_of_nothing_else() {
    let rules = root().join("deploy/chart/files/alerts.yaml").canonicalize().unwrap();
    promtool(&["check", "rules", rules.to_str().unwrap()]);
    let tests = read("tests/prometheus/alerts.test.yaml");
    for line in read("deploy/chart/files/alerts.yaml").lines() {
        let Some(name) = line.trim().strip_prefix("- alert: ") else { continue };
        let fires = tests.contains(&format!("alertname: {name}\n        exp_alerts:\n"));
        assert!(fires, "no test in which {name} fires");
    }
    let scratch = Scratch::new();
    let file = scratch.at("alerts.test.yaml");
    fs::write(&file, tests.replace("RULES", rules.to_str().unwrap())).unwrap();
    promtool(&["test", "rules", file.to_str().unwrap()]);
}

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept =
        kept.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[test]
fn every_alert_names_a_page_that_is_there() {
    let mut count = 0;
    for line in read("deploy/chart/files/alerts.yaml").lines() {
        let Some(link) = line.trim().strip_prefix("runbook_url: ") else { continue };
        let (page, wanted) = link.split_once('#').unwrap();
        let page = read(page);
        let mut headings = page.lines().filter(|line| line.starts_with('#'));
        assert!(headings.any(|heading| anchor(heading) == wanted), "{link}");
        count += 1;
    }
    assert!(count >= 8);
}
