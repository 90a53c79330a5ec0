//! Flows go into real files, and what does not is counted.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use chandra_flow_export::settings::{self, FlowLog};
use chandra_flow_export::{Exporter, Figures};
use chandra_hubble::flow::{Flow, FlowType, L4, Node, TcpFlags, Verdict};
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;
use serde_json::{Value, json};

fn flow(number: u64, verdict: Verdict) -> Flow {
    Flow {
        time_ns: 1_700_000_000_000_000_000 + number,
        verdict,
        flow_type: FlowType::L3L4,
        source_ip: Some(IpAddr::from([10, 0, 0, 1])),
        destination_ip: Some(IpAddr::from([10, 0, 0, 2])),
        l4: L4::Tcp { source_port: 40000, destination_port: 80, flags: TcpFlags::SYN },
        ..Flow::default()
    }
}

fn exporter() -> Exporter {
    Exporter::new(Node::new("east", "n1", vec![]), |name, error| eprintln!("{name}: {error}"))
}

/// A log into this file, with more settings in YAML.
fn log(path: &Path, more: &str) -> Vec<FlowLog> {
    let text =
        format!("flowLogs: [{{name: a, filePath: {:?}, {more}}}]", path.display().to_string());
    settings::parse(Path::new("logs.yaml"), &text).unwrap()
}

fn figures(exporter: &Exporter) -> Figures {
    exporter.figures().next().unwrap().1
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_filters_let_pass_is_written_by_the_mask() {
    let scratch = Scratch::new();
    let path = scratch.at("deep/er/flows.log");
    let mut exporter = exporter();
    let more = "includeFilters: [{verdict: [DROPPED]}], excludeFilters: [{destinationPort: ['81']}], \
                fieldMask: [verdict, IP.source]";
    exporter.apply(&log(&path, more)).unwrap();
    exporter.take(&flow(1, Verdict::Forwarded));
    exporter.take(&flow(2, Verdict::Dropped));
    let l4 = L4::Udp { source_port: 1, destination_port: 81 };
    exporter.take(&Flow { l4, ..flow(3, Verdict::Dropped) });
    exporter.flush();
    wait_for("a line", || (figures(&exporter).written == 1).then_some(()));
    let expected = json!({
        "flow": { "verdict": "DROPPED", "IP": { "source": "10.0.0.1" } },
        "node_name": "east/n1",
        "time": "2023-11-14T22:13:20.000000002Z",
    });
    assert_eq!(lines(&path), [expected]);
}

#[test]
fn all_flows_are_in_the_files_each_once() {
    let scratch = Scratch::new();
    let path = scratch.at("flows.log");
    let mut exporter = exporter();
    exporter.apply(&log(&path, "fileMaxSizeMb: 1, fileMaxBackups: 100")).unwrap();
    const FLOWS: u64 = 6000;
    for number in 0..FLOWS {
        exporter.take(&flow(number, Verdict::Forwarded));
        if number % 1000 == 999 {
            exporter.flush();
            // So that none is lost to a machine that has other things to do.
            wait_for("lines", || (figures(&exporter).written == number + 1).then_some(()));
        }
    }
    let mut paths: Vec<_> =
        fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(paths.len() > 1, "{paths:?}");
    for path in &paths {
        assert!(fs::metadata(path).unwrap().len() <= 1 << 20);
    }

    paths.sort();
    let times = paths.iter().flat_map(|path| lines(path));
    let mut times: Vec<String> =
        times.map(|line| line["flow"]["time"].as_str().unwrap().to_owned()).collect();
    assert_eq!(times.len() as u64, FLOWS);
    times.sort();
    times.dedup();
    assert_eq!(times.len() as u64, FLOWS);
}

#[test]
fn a_disk_that_takes_nothing_costs_lines_and_no_time() {
    let scratch = Scratch::new();
    let path = scratch.at("pipe");
    // Opening a pipe that nobody reads waits.
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut exporter = exporter();
    exporter.apply(&log(&path, "")).unwrap();
    const FLOWS: u64 = 50_000;
    (0..FLOWS).for_each(|number| exporter.take(&flow(number, Verdict::Forwarded)));
    exporter.flush();
    let Figures { written, slow, failed } = figures(&exporter);
    assert!((FLOWS - 40 * 256..FLOWS).contains(&slow), "{slow}");
    assert_eq!((written, failed), (0, 0));
    // Whoever reads at last gets what waited.
    let reader = fs::File::open(&path).unwrap();
    let reading = std::thread::spawn(move || {
        use std::io::BufRead;
        std::io::BufReader::new(reader).lines().count() as u64
    });
    wait_for("the rest", || (figures(&exporter).written + slow == FLOWS).then_some(()));
    drop(exporter);
    assert_eq!(reading.join().unwrap() + slow, FLOWS);
}

#[test]
fn a_full_disk_is_counted() {
    let mut exporter = exporter();
    exporter.apply(&log(Path::new("/dev/full"), "")).unwrap();
    (0..10).for_each(|number| exporter.take(&flow(number, Verdict::Forwarded)));
    exporter.flush();
    let expected = Figures { written: 0, slow: 0, failed: 10 };
    wait_for("failures", || (figures(&exporter) == expected).then_some(()));
}

#[test]
fn logs_come_and_go_while_others_go_on() {
    let scratch = Scratch::new();
    let (one, other) = (scratch.at("one.log"), scratch.at("other.log"));
    let both = |more: &str| {
        let (one, other) = (one.display(), other.display());
        let text = format!(
            "flowLogs: [{{name: one, filePath: {one}}}, {{name: other, filePath: {other}, {more}}}]"
        );
        settings::parse(Path::new("logs.yaml"), &text).unwrap()
    };
    let mut exporter = exporter();
    let take = |exporter: &mut Exporter, number| {
        exporter.take(&flow(number, Verdict::Forwarded));
        exporter.flush();
    };
    exporter.apply(&both("")).unwrap();
    take(&mut exporter, 1);
    exporter.apply(&both("includeFilters: [{verdict: [DROPPED]}]")).unwrap();
    take(&mut exporter, 2);
    // One that changed begins its figures anew, the other goes on with them.
    wait_for("lines of the one", || {
        let figures: Vec<_> = exporter.figures().collect();
        assert_eq!(figures[1].1, Figures::default());
        (figures[0].1.written == 2).then_some(())
    });
    assert_eq!(lines(&one).len(), 2);
    wait_for("the line of the one that changed", || (lines(&other).len() == 1).then_some(()));

    let later = SystemTime::now() + Duration::from_secs(3600);
    exporter.apply(&both("end: 2026-01-01T00:00:00Z")).unwrap();
    exporter.tick(later);
    assert_eq!(exporter.figures().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(), ["one"]);
    let twice = [both(""), both("")].concat();
    assert!(exporter.apply(&twice).unwrap_err().to_string().contains("another has"));
    assert_eq!(exporter.figures().count(), 1, "all is as it was");
    exporter.apply(&[]).unwrap();
    assert_eq!(exporter.figures().count(), 0);
    // What was taken is written before all ends.
    exporter.apply(&both("")).unwrap();
    take(&mut exporter, 3);
    drop(exporter);
    assert_eq!((lines(&one).len(), lines(&other).len()), (3, 2));
}

#[test]
fn flows_that_are_alike_are_one_line_a_span_and_none_is_lost() {
    let scratch = Scratch::new();
    let path = scratch.at("flows.log");
    let mut exporter = exporter();
    let more = "fieldAggregate: [verdict, IP.source], aggregationInterval: 1s";
    exporter.apply(&log(&path, more)).unwrap();
    const FLOWS: u64 = 1000;
    for number in 1..=FLOWS {
        let is_dropped = number.is_multiple_of(4);
        exporter
            .take(&flow(number, if is_dropped { Verdict::Dropped } else { Verdict::Forwarded }));
    }
    exporter.flush();
    // Flows are written when their span is over; nobody has to ask for it.
    wait_for("lines", || (figures(&exporter).written == FLOWS).then_some(()));
    let of = |lines: &[Value], verdict: &str| {
        let of_verdict = lines.iter().filter(|line| line["flow"]["verdict"] == verdict);
        let count =
            |line: &Value| line["flow"]["aggregate"]["unknown_direction_flow_count"].as_u64();
        of_verdict.map(|line| count(line).unwrap()).sum::<u64>()
    };
    let first = lines(&path);
    assert!(
        first.len() <= 4,
        "two lines a span, and a machine that is slow for one more: {first:?}"
    );
    assert_eq!((of(&first, "DROPPED"), of(&first, "FORWARDED")), (250, 750));
    assert_eq!(first[0]["flow"]["IP"], json!({ "source": "10.0.0.1" }));
    assert_eq!(first[0]["time"], "2023-11-14T22:13:20.000000001Z");
    assert_eq!(first[0]["flow"]["time"], Value::Null);
    // What waits is written when all ends.
    exporter.take(&flow(1, Verdict::Dropped));
    drop(exporter);
    assert_eq!(of(&lines(&path), "DROPPED"), 251);
}
