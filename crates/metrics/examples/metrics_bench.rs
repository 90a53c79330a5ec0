//! What a metric costs: nanoseconds per observation, bytes per series, and a scrape.
//!
//! `cargo run --release -p chandra-metrics --example metrics_bench`
//!
//! Lines that begin with `metrics_` are for programs: name, value, unit.
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

use std::hint::black_box;
use std::time::Instant;

use chandra_metrics::{Counter, Family, Format, Registry, Settings, Spec, Values, Writer};

const SERIES: usize = 10_000;
const MANY_SERIES: usize = 100_000;
const OBSERVATIONS: usize = 400_000;
const ROUNDS: usize = 20;
const SCRAPES: u32 = 50;
const FORMATS: [(&str, Format); 3] =
    [("text", Format::Text), ("openmetrics", Format::OpenMetrics), ("protobuf", Format::Protobuf)];

fn main() {
    let resident = resident_bytes();
    let registry = Registry::new(Settings { max_series: SERIES, ..Settings::default() });
    let labels = vec!["source", "destination", "protocol", "verdict"];
    let spec = Spec { name: "bench_flows", help: "Flows.", unit: "", labels };
    let mut family = registry.counter(spec).unwrap();
    let known: Vec<Values> = (0..SERIES).map(values).collect();
    let unknown: Vec<Values> = (SERIES..SERIES + 1000).map(values).collect();
    let inputs = resident_bytes() - resident;

    let began = Instant::now();
    known.iter().for_each(|values| family.with(values).increment());
    say("new_series", per(began, SERIES), "ns");
    let grown = resident_bytes() - resident - inputs;
    say("resident_bytes_per_series", grown as f64 / SERIES as f64, "bytes");

    // The few series that most flows are of, and all of them in turn, which leaves the processor's caches.
    say("observe_hot", observe(&mut family, &known[..16]), "ns");
    say("observe_all", observe(&mut family, &known), "ns");
    say("observe_overflow", observe(&mut family, &unknown), "ns");
    let mut made = Values::default();
    let making = best(|number| {
        made.clear();
        make(&mut made, number % 16);
        family.with(&made).increment();
    });
    say("make_values_and_observe_hot", making, "ns");

    let spec = Spec { name: "bench_seconds", help: "", unit: "seconds", labels: Vec::new() };
    let mut histograms = registry.histogram(spec, &[0.001, 0.01, 0.1, 1.0]).unwrap();
    let histogram = histograms.with(&Values::default());
    say("observe_histogram", best(|number| histogram.observe((number % 997) as f64 * 1e-4)), "ns");

    let many = Registry::new(Settings { max_series: MANY_SERIES, ..Settings::default() });
    let labels = vec!["source", "destination", "protocol", "verdict"];
    let spec = Spec { name: "bench_many", help: "Flows.", unit: "", labels };
    let mut family = many.counter(spec).unwrap();
    (0..MANY_SERIES).for_each(|number| family.with(&values(number)).increment());
    for (name, format) in FORMATS {
        let mut best = f64::INFINITY;
        for _ in 0..SCRAPES {
            let began = Instant::now();
            let mut text = Vec::new();
            let mut writer = Writer::new(format, &mut text);
            many.write(&mut writer);
            writer.finish();
            black_box(text);
            best = best.min(began.elapsed().as_secs_f64() * 1e3);
        }
        say(&format!("scrape_100000_series_{name}"), best, "ms");
    }
    for (name, format) in FORMATS {
        let began = Instant::now();
        let mut bytes = 0;
        for _ in 0..SCRAPES {
            let mut text = Vec::new();
            let mut writer = Writer::new(format, &mut text);
            registry.write(&mut writer);
            writer.finish();
            bytes = black_box(text).len();
        }
        let ms = began.elapsed().as_secs_f64() * 1e3 / f64::from(SCRAPES);
        say(&format!("scrape_10000_series_{name}"), ms, "ms");
        say(&format!("scrape_10000_series_{name}_size"), bytes as f64, "bytes");
    }
}

fn make(values: &mut Values, number: usize) {
    use std::fmt::Write;
    let _ = write!(values, "shop-{}/web-{}", number % 10, number / 10);
    values.end();
    let _ = write!(values, "shop-{}/database-{}", number % 7, number / 100);
    values.end();
    values.push("TCP");
    values.push("FORWARDED");
}

fn values(number: usize) -> Values {
    let mut values = Values::default();
    make(&mut values, number);
    values
}

/// Nanoseconds per observation.
fn observe(family: &mut Family<Counter>, all: &[Values]) -> f64 {
    let mut values = all.iter().cycle();
    best(|_| family.with(black_box(values.next().unwrap())).increment())
}

/// Nanoseconds per call, in the round that others disturbed least.
fn best(mut call: impl FnMut(usize)) -> f64 {
    let round = |_| {
        let began = Instant::now();
        (0..OBSERVATIONS).for_each(&mut call);
        per(began, OBSERVATIONS)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn per(began: Instant, count: usize) -> f64 {
    began.elapsed().as_nanos() as f64 / count as f64
}

fn say(name: &str, value: f64, unit: &str) {
    println!("metrics_{name} {value:.1} {unit}");
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
