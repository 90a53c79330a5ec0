//! What alerts cost: nanoseconds per command line that is redacted, per alert that is folded and told.
//!
//! `cargo run --release -p chandra-alerts --example alerts_bench`
//!
//! Lines that begin with `alerts_` are for programs: name, value, unit.
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

#[path = "../tests/suite/shapes/mod.rs"]
mod shapes;

use std::hint::black_box;
use std::time::Instant;

use chandra_alerts::alert::{Alert, Context, Priority, Process, Value};
use chandra_alerts::fold::{self, Fold};
use chandra_alerts::redact::Redactor;
use chandra_alerts::spool::{self, Spool};

const ROUNDS: usize = 30;

fn main() {
    let redactor = Redactor::default();
    let benign = shapes::benign();
    let secret: Vec<String> = shapes::shapes().iter().map(shapes::Shape::line).collect();
    for (name, lines) in [("benign", &benign), ("secret", &secret)] {
        let bytes: usize = lines.iter().map(String::len).sum();
        say(&format!("{name}_line_size"), bytes as f64 / lines.len() as f64, "bytes");
        let each = best(lines.len(), |index| {
            black_box(redactor.line(black_box(lines[index].as_bytes())));
        });
        say(&format!("redact_{name}_line"), each, "ns");
        let words: Vec<Vec<String>> = lines.iter().map(|line| shapes::words(line)).collect();
        let borrowed: Vec<Vec<&[u8]>> =
            words.iter().map(|words| words.iter().map(String::as_bytes).collect()).collect();
        let each = best(lines.len(), |index| {
            black_box(redactor.arguments(black_box(&borrowed[index])));
        });
        say(&format!("redact_{name}_arguments"), each, "ns");
    }

    // The time per byte is the same however long a text is, also where much in it looks like the begin of
    // something.
    let hostile = [
        "a=",
        "://a:",
        "eyJ-",
        "-----BEGIN ",
        "\"",
        "'",
        "password: ",
        "$6$",
        "sh -c '",
        "@",
        "<redacted:",
        "cookie: no ",
        "authorization: none ",
        "authorization: bearer no ",
        "authorization: digest no ",
    ];
    for kib in [1, 32, 1024] {
        let worst = hostile.iter().map(|piece: &&str| {
            let text = piece.repeat(kib * 1024 / piece.len());
            let each = best(1, |_| drop(black_box(redactor.line(black_box(text.as_bytes())))));
            each / text.len() as f64
        });
        let each = worst.fold(0.0, f64::max);
        say(&format!("redact_worst_of_{kib}_kib"), each, "ns/byte");
    }

    let alerts: Vec<Alert> = benign.iter().zip(0..).map(|(line, time)| alert(line, time)).collect();
    let now = Instant::now();
    let mut fold = Fold::new(fold::Options::default());
    let each = best(alerts.len(), |index| {
        black_box(fold.take(black_box(alerts[index].clone()), now, |_| None));
    });
    let clone = best(alerts.len(), |index| drop(black_box(alerts[index].clone())));
    say("fold", each - clone, "ns");
    let each = best(alerts.len(), |index| {
        black_box(redactor.alert(alerts[index].clone(), None));
    });
    say("redact_alert", each - clone, "ns");
    let redacted: Vec<_> = alerts.iter().map(|alert| redactor.alert(alert.clone(), None)).collect();
    let each = best(redacted.len(), |index| drop(black_box(redacted[index].json())));
    say("json", each, "ns");

    let folder = std::env::temp_dir().join(format!("chandra-alerts-bench-{}", std::process::id()));
    let mut spool = Spool::open(&folder, spool::Options::default()).unwrap();
    let payload = redacted[0].json();
    let each = best(1000, |_| {
        spool.append(&payload, now).unwrap();
    });
    say("spool_append", each, "ns");
    let each = best(1000, |_| {
        let (number, _) = spool.oldest().unwrap().unwrap();
        spool.deliver(number).unwrap();
    });
    say("spool_deliver", each, "ns");
    drop(spool);
    std::fs::remove_dir_all(folder).unwrap();
}

fn alert(line: &str, time_ns: u64) -> Alert {
    let argv: Vec<Vec<u8>> = shapes::words(line).into_iter().map(String::into_bytes).collect();
    let process =
        Process { pid: 42, comm: "x".into(), exe: "/usr/bin/x".into(), argv, ..Process::default() };
    let text = |text: &str| Value::Text(text.to_owned());
    Alert {
        time_ns,
        rule: "Bench".into(),
        priority: Priority::Notice,
        source: "syscall".into(),
        hostname: "node-1".into(),
        tags: ["process".into()].into(),
        output: format!("A program ran (user=root command={line})"),
        output_fields: vec![
            ("evt.time".into(), Value::Uint(time_ns)),
            ("user.name".into(), text("root")),
            ("proc.cmdline".into(), text(line)),
        ],
        context: Context { process: Some(process), ..Context::default() },
    }
}

/// Nanoseconds per call, in the round that others disturbed least.
fn best(count: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut round = || {
        let began = Instant::now();
        (0..count).for_each(&mut call);
        began.elapsed().as_nanos() as f64 / count as f64
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn say(name: &str, value: f64, unit: &str) {
    println!("alerts_{name} {value:.1} {unit}");
}
