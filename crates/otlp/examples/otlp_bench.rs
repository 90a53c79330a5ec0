//! What exporting 10,000 series each 10 seconds costs: processor time of the export's thread, memory, and bytes
//! on the network. One series in ten is a histogram in exponential buckets.
//!
//! `cargo run --release -p chandra-otlp --example otlp_bench`
//!
//! Lines that begin with `otlp_` are for programs: name, value, unit.
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use chandra_metrics::{Registry, Settings as RegistrySettings, Spec, Values, Writer};
use chandra_otlp::{Exporter, Given, Resource, Settings};

const SERIES: usize = 10_000;
const HISTOGRAMS: usize = SERIES / 10;
const INTERVAL: Duration = Duration::from_secs(10);
const INTERVALS: u64 = 3;

fn main() {
    let registry = filled();
    let received = Arc::new(AtomicU64::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let counts = Arc::clone(&received);
    std::thread::spawn(move || listener.incoming().for_each(|it| take(it.unwrap(), &counts)));
    for compression in ["gzip", "none"] {
        let given = Given {
            endpoint: Some(endpoint.clone()),
            signals: Some(vec!["metrics".into()]),
            interval: Some(INTERVAL),
            compression: Some(compression.into()),
            queue_bytes: Some(64 << 20),
            ..Given::default()
        };
        let settings = Settings::new(&given, &|_| None).unwrap().unwrap();
        let told = registry.clone();
        let before_kib = memory_kib("VmRSS:");
        received.store(0, Ordering::Relaxed);
        let collect = move |out: &mut Writer<'_>| told.write(out);
        let tell = |what: &str| eprintln!("{what}");
        let resource = Resource(Vec::new());
        let exporter =
            Exporter::start(&settings, &resource, SystemTime::now(), collect, tell).unwrap();
        // Half an interval after the last one, so that it is over.
        std::thread::sleep(INTERVAL * INTERVALS as u32 + INTERVAL / 2);
        let cpu_ns = thread_ns("otlp");
        let figures = exporter.exported().figures().remove(0);
        assert!(figures.sent >= SERIES as u64 * INTERVALS && figures.failures.is_empty());
        let say = |name: &str, value: f64, unit: &str| {
            println!("otlp_{compression}_{name} {value:.3} {unit}");
        };
        say("cpu_per_export", cpu_ns as f64 / INTERVALS as f64 / 1e6, "ms");
        let whole_ns = INTERVAL.as_nanos() as f64 * INTERVALS as f64;
        say("cpu_of_one_core", cpu_ns as f64 * 100.0 / whole_ns, "percent");
        let more_kib = memory_kib("VmRSS:").saturating_sub(before_kib);
        say("memory", more_kib as f64 / 1024.0, "MiB");
        let bytes = received.load(Ordering::Relaxed) as f64 / INTERVALS as f64;
        say("sent_per_export", bytes / 1024.0, "KiB");
    }
}

/// As many series as labels with names of pods make of them.
fn filled() -> Registry {
    let settings = RegistrySettings { max_series: SERIES, ..RegistrySettings::default() };
    let registry = Registry::new(settings);
    let spec = |name, unit| Spec {
        name,
        help: "What it is, in a line.",
        unit,
        labels: vec!["source", "destination", "protocol"],
    };
    let values = |number: usize| {
        let source = format!("namespace-{}/deployment-{number}-7d9c8b6f5-x2x4z", number % 40);
        let destination = format!("namespace-{}/service-{}", number % 30, number % 300);
        [source.as_str(), &destination, "TCP"].into_iter().collect::<Values>()
    };
    let mut counters = registry.counter(spec("flows", "")).unwrap();
    for number in 0..SERIES - HISTOGRAMS {
        counters.with(&values(number)).add(number as u64 * 7919 % 100_003);
    }
    let bounds = [0.001, 0.01, 0.1, 1.0];
    let mut histograms = registry.histogram(spec("wait_seconds", "seconds"), &bounds).unwrap();
    for number in 0..HISTOGRAMS {
        let histogram = histograms.with(&values(number));
        (1..200).for_each(|it| histogram.observe(f64::from(it * it) * 1e-6));
    }
    registry
}

/// Answers each request as soon as it is there, and counts its bytes.
fn take(mut stream: TcpStream, received: &AtomicU64) {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..length]);
        while let Some(size) = request_size(&bytes).filter(|size| bytes.len() >= *size) {
            received.fetch_add(size as u64, Ordering::Relaxed);
            bytes.drain(..size);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
}

/// Of head and body, once the head is there.
fn request_size(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    Some(head + length.trim().parse::<usize>().ok()?)
}

/// What the threads of this name ran so far, by the scheduler's own account.
fn thread_ns(name: &str) -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|it| it.unwrap().path());
    let own = threads.filter(|thread| {
        std::fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    let ran = own.map(|thread| {
        let text = std::fs::read_to_string(thread.join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    ran.sum()
}

fn memory_kib(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
