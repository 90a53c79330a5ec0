//! Alerts on standard output, of a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use chandra_alerts::sink::{Format, Target};
use chandra_tests::patience::PATIENCE;

use crate::storm::{alert, outlets};

const ALERTS: u64 = 500;

#[test]
#[ignore = "is run by the test below, which reads what it prints"]
fn prints_alerts() {
    let targets =
        vec![("text", Target::Stdout(Format::Text)), ("json", Target::Stdout(Format::Json))];
    let mut outlets = outlets(targets, 1000);
    (0..ALERTS).for_each(|number| outlets.take(alert(number)));
    let figures = outlets.stop(PATIENCE);
    assert!(figures.sinks.iter().all(|sink| sink.delivered == ALERTS), "{figures:?}");
}

#[test]
fn each_alert_is_a_line_of_text_and_one_of_json() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "stdout::prints_alerts", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success());
    // The harness has words of its own, before and after.
    let text: Vec<_> = lines.iter().filter(|line| line.starts_with("22:13:20.")).collect();
    let json: Vec<serde_json::Value> =
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let expected = |number: u64| format!("22:13:20.{number:09}: Critical Number {number} happened");
    let expected: Vec<_> = (0..ALERTS).map(expected).collect();
    assert_eq!(text, expected.iter().collect::<Vec<_>>());
    let outputs: Vec<_> = json.iter().map(|json| json["output"].as_str().unwrap()).collect();
    assert_eq!(outputs, expected);
}
