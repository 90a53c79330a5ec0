//! Alerts to send, and outlets to send them by.

use std::path::Path;
use std::time::Duration;

use chandra_alerts::alert::{Alert, Context, Priority, Value};
use chandra_alerts::sink::{self, Http, Target};
use chandra_alerts::{Options, Outlets, fold, redact};

/// An alert that is like no other.
pub fn alert(number: u64) -> Alert {
    Alert {
        time_ns: 1_700_000_000_000_000_000 + number,
        rule: "Storm".into(),
        priority: Priority::Critical,
        source: "syscall".into(),
        hostname: "node-1".into(),
        tags: [].into(),
        output: format!("Number {number} happened"),
        output_fields: vec![("fd.name".into(), Value::Uint(number))],
        context: Context::default(),
    }
}

pub fn outlets(targets: Vec<(&str, Target)>, queue: usize) -> Outlets {
    let sinks = targets.into_iter();
    let sinks = sinks.map(|(name, target)| sink::Options { name: name.into(), target, queue });
    let options = Options {
        fold: fold::Options::default(),
        redact: redact::Options::default(),
        queue: 100_000,
        sinks: sinks.collect(),
        recent: None,
        say: |name, why| eprintln!("{name}: {why}"),
    };
    Outlets::new(&options).unwrap()
}

/// A sink that tries again soon, since tests wait for it.
pub fn http(url: &str, spool: &Path) -> Http {
    Http {
        first_retry: Duration::from_millis(5),
        longest_retry: Duration::from_millis(20),
        ..Http::new(url, spool.to_owned())
    }
}
