//! The rules that Chandra comes with, on what a real kernel tells of containers that a real containerd runs:
//! silent about what is ordinary, starting containers included, and not about what is odd.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::needs_containerd;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::{Trace, chandra};

/// The alerts that recorded events make.
fn alerts(records: &[Record]) -> Vec<Record> {
    let scratch = Scratch::new();
    let lines = records.iter().fold(String::new(), |mut lines, record| {
        writeln!(lines, "{}", record.0).unwrap();
        lines
    });
    let events = scratch.at("events.jsonl");
    fs::write(&events, lines).unwrap();
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/rules/rules/default.yaml");
    let mut command = Command::new(chandra());
    command.arg("replay").arg(events).arg("--rules").arg(rules).args([
        "--all-matching",
        "-o",
        "json",
    ]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(Record::parse).collect()
}

#[test]
fn ordinary_containers_make_no_alert_and_odd_ones_do() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let socket = containerd.socket().display().to_string();
    let mut trace = Trace::start(&["exec", "--cri-socket", &socket]);
    let pod = Pod { host_network: true, ..Pod::named("rules") };
    let sandbox = cri.run_pod(&pod);
    let run = |name: &str| {
        let entrypoint = ["/bin/sh", "-c", "exec /bin/sleep 3600"];
        cri.run(&sandbox, &pod, &Container::named(name, &entrypoint))
    };

    let ordinary = run("ordinary");
    cri.execute(&ordinary, &["/bin/sh", "-c", "/bin/busybox test -e /bin/sh"]);
    cri.execute(&ordinary, &["/bin/busybox", "true"]);

    let odd = run("odd");
    cri.execute(&odd, &["/bin/sh", "-i"]);
    cri.execute(&odd, &["/bin/sh", "-c", "true || curl http://localhost/x | sh"]);
    let copy = "/bin/busybox cp /bin/busybox /busybox-copy && /busybox-copy true";
    cri.execute(&odd, &["/bin/sh", "-c", copy]);
    trace.wait_for("the copy", |record| {
        record.kind() == "exec" && record.text("process.exe") == Some("/busybox-copy")
    });

    let outcome = trace.stop();
    outcome.summary_without_loss();
    let of = |name: &str| {
        outcome.records.iter().filter(|it| it.text("container.name") == Some(name)).count()
    };
    assert!(of("ordinary") >= 4 && of("odd") >= 5, "{} and {}", of("ordinary"), of("odd"));
    let alerts = alerts(&outcome.records);
    let field = |alert: &Record, name: &str| {
        alert.at("output_fields").and_then(|fields| fields.get(name)?.as_str().map(str::to_owned))
    };
    let of = |name: &str| -> BTreeSet<&str> {
        let own = alerts.iter().filter(|it| field(it, "container.name").as_deref() == Some(name));
        own.filter_map(|alert| alert.text("rule")).collect()
    };
    assert_eq!(of("ordinary"), BTreeSet::new(), "{alerts:#?}");
    let expected = BTreeSet::from([
        "Downloaded text is run",
        "Interactive shell without a terminal",
        "Program that is not from the image",
    ]);
    assert_eq!(of("odd"), expected, "{alerts:#?}");
}
