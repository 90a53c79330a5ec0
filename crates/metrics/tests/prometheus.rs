//! A real Prometheus scrapes a registry as protobuf, and answers for what it understood of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test states what it expects by stopping"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use chandra_metrics::{Exemplar, ExemplarId, Format, Registry, Settings, Spec, Values, Writer};
use chandra_tests::prometheus::Prometheus;

/// Answers scrapes of a registry until the test ends, and tells in which format.
fn serve(registry: Registry) -> (SocketAddr, Receiver<Format>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, (told, formats)) = (listener.local_addr().unwrap(), channel());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let head = BufReader::new(&connection).lines().map_while(Result::ok);
            let head = head.take_while(|line| !line.is_empty());
            let head: Vec<_> = head.collect();
            let accept = head.iter().find_map(|line| line.strip_prefix("Accept: "));
            let format = Format::negotiate(accept.unwrap_or_default());
            let mut body = Vec::new();
            let mut writer = Writer::new(format, &mut body);
            registry.write(&mut writer);
            writer.finish();
            let (kind, length) = (format.content_type(), body.len());
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n"
            );
            let _ = connection.write_all(head.as_bytes());
            let _ = connection.write_all(&body);
            if told.send(format).is_err() {
                break;
            }
        }
    });
    (address, formats)
}

/// Durations from 1 µs to 20 s, and two that are none.
fn observations() -> Vec<f64> {
    let spread = (0..2000).map(|number| 1e-6 * (f64::from(number) / 2000.0 * 2e7_f64.ln()).exp());
    spread.chain([0.0, 0.0]).collect()
}

#[test]
fn native_histograms_are_exact() {
    let registry = Registry::new(Settings { tells_created: true, ..Settings::default() });
    let spec = |name, unit, labels| Spec { name, help: "Help.", unit, labels };
    let mut family =
        registry.histogram(spec("test_seconds", "seconds", vec!["a"]), &[0.005, 1.0]).unwrap();
    let values: Values = ["x\n\"ü"].into_iter().collect();
    let mut observed = observations();
    for value in &observed {
        let id = ExemplarId::Connection(7);
        let exemplar = Exemplar { id, value: *value, unix_ms: 1_700_000_000_000 };
        family.with(&values).observe_with(*value, 1, Some(exemplar));
    }
    let mut counters = registry.counter(spec("test_sent_bytes", "bytes", vec![])).unwrap();
    counters.with(&Values::default()).add(1 << 52);
    let mut gauges = registry.gauge(spec("test_level", "", vec!["a"])).unwrap();
    gauges.with(&["y"].into_iter().collect()).set(-0.125);

    let (address, formats) = serve(registry);
    let Some(prometheus) = Prometheus::scraping(address) else { return };
    assert_eq!(formats.recv().unwrap(), Format::Protobuf, "what it likes best");

    let count = observed.len() as f64;
    assert_eq!(prometheus.value("histogram_count(test_seconds)"), count);
    let sum = prometheus.value("histogram_sum(test_seconds)");
    assert!((sum / observed.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{sum}");
    // Powers of two end buckets, so these shares are exact and not interpolated.
    for power in [-20, -12, -7, -3, -1, 0, 1, 4] {
        let bound = f64::from(power).exp2();
        let up_to = observed.iter().filter(|value| **value <= bound).count() as f64;
        let share = prometheus.value(&format!("histogram_fraction(-1, {bound:e}, test_seconds)"));
        assert!(
            (share * count - up_to).abs() < 1e-6,
            "{} up to {bound}, not {up_to}",
            share * count
        );
    }
    observed.sort_by(f64::total_cmp);
    for (quantile, at) in [(0.1, 200), (0.5, 1001), (0.9, 1801), (0.99, 1981)] {
        let told = prometheus.value(&format!("histogram_quantile({quantile}, test_seconds)"));
        let (low, high) = (observed[at] / 1.1, observed[at] * 1.1);
        assert!((low..=high).contains(&told), "{quantile}: {told}, not {}", observed[at]);
    }
    // One series instead of one for each bucket.
    assert_eq!(prometheus.value("count({__name__=~\"test_seconds.*\"})"), 1.0);
    assert_eq!(prometheus.query("histogram_count(test_seconds)")[0].0["a"], "x\n\"ü");
    assert_eq!(prometheus.value("test_sent_bytes_total"), (1_u64 << 52) as f64);
    assert_eq!(prometheus.value("test_level{a=\"y\"}"), -0.125);
}
