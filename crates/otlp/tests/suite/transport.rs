//! What becomes of requests when a collector refuses, hesitates, is away, or wants to know who asks.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chandra_otlp::figures::{Cause, SignalFigures};
use chandra_otlp::{Exporter, Given, Settings};
use chandra_tests::certificates::{Authority, Validity};
use chandra_tests::collector::{Collector, Reply, Speaks};
use chandra_tests::patience::{PATIENCE, wait_for};
use chandra_tests::scratch::Scratch;

use crate::common::{Families, given, settings, start, values};
use tonic::Code;

const BOTH: [Speaks; 2] = [Speaks::Grpc, Speaks::Http];

/// A family with one series, so that a request has few items.
fn families() -> Families {
    let mut families = Families::new(chandra_metrics::Registry::default());
    families.drops.with(&values(&["a", "b"])).increment();
    families
}

fn figures(exporter: &Exporter) -> SignalFigures {
    exporter.exported().figures().into_iter().find(|it| it.signal.word() == "metrics").unwrap()
}

fn dropped(figures: &SignalFigures, cause: Cause) -> u64 {
    figures.drops.iter().find(|(of, _)| *of == cause).map_or(0, |(_, count)| *count)
}

fn failed(figures: &SignalFigures, reason: &str) -> u64 {
    figures.failures.iter().find(|(of, _)| of == reason).map_or(0, |(_, count)| *count)
}

fn balances(figures: &SignalFigures) -> bool {
    let dropped: u64 = figures.drops.iter().map(|(_, count)| count).sum();
    figures.made == figures.sent + dropped + figures.queued
}

/// At the end, when nothing moves any more.
fn assert_balanced(exporter: Exporter) -> SignalFigures {
    let figures = exporter.stop(PATIENCE).into_iter().next().unwrap();
    assert!(balances(&figures) && figures.queued == 0 && figures.queue_bytes == 0, "{figures:?}");
    figures
}

#[test]
fn headers_go_with_each_request() {
    for speaks in BOTH {
        let collector = Collector::start(speaks);
        let headers = "Authorization=Bearer%20s3cret,x-tenant=a";
        let given = Given { headers: Some(headers.into()), ..given(&collector, speaks) };
        let _exporter = start(&settings(&given), &families().registry);
        let headers = collector.wait("two requests", |received| {
            (received.headers.len() > 1).then(|| received.headers.clone())
        });
        for headers in headers {
            let value = |name: &str| {
                let mut found = headers.iter().filter(|(known, _)| known == name);
                found.next().map(|(_, value)| value.clone()).unwrap_or_default()
            };
            assert_eq!(value("authorization"), "Bearer s3cret");
            assert_eq!(value("x-tenant"), "a");
            assert!(value("user-agent").starts_with("chandra/"), "{headers:?}");
        }
    }
}

/// Until it is told when, it waits as long as it was told, which is longer than it would wait by itself.
#[test]
fn a_throttled_request_comes_again_when_the_collector_said() {
    for (speaks, after) in [(Speaks::Grpc, 700), (Speaks::Http, 1000)] {
        let after = Duration::from_millis(after);
        let collector = Collector::start(speaks);
        collector.reply([Reply::Refuse(429, Code::ResourceExhausted, Some(after))]);
        let exporter = start(&settings(&given(&collector, speaks)), &families().registry);
        let [first, second] = collector.wait("two requests", |received| {
            Some([*received.times.first()?, *received.times.get(1)?])
        });
        assert!(second - first >= after, "{speaks:?}: {:?}", second - first);
        let reason = if speaks == Speaks::Grpc { "grpc_resource_exhausted" } else { "http_429" };
        let figures = assert_balanced(exporter);
        assert_eq!(failed(&figures, reason), 1, "{figures:?}");
        assert_eq!(figures.sent, figures.made, "nothing is lost");
    }
}

#[test]
fn what_may_be_taken_later_is_tried_until_it_is() {
    for speaks in BOTH {
        let collector = Collector::start(speaks);
        let busy = || Reply::Refuse(503, Code::Unavailable, None);
        collector.reply([busy(), busy(), busy()]);
        let exporter = start(&settings(&given(&collector, speaks)), &families().registry);
        wait_for("a request that is taken", || (figures(&exporter).sent > 0).then_some(()));
        let figures = assert_balanced(exporter);
        let reason = if speaks == Speaks::Grpc { "grpc_unavailable" } else { "http_503" };
        assert_eq!(figures.failures, [(reason.to_owned(), 3)]);
        assert_eq!(figures.sent, figures.made, "nothing is lost");
    }
}

/// Also what was too much, where the collector does not say when to come again.
#[test]
fn what_is_refused_is_not_tried_again() {
    for (speaks, status, code, reason) in [
        (Speaks::Grpc, 0, Code::InvalidArgument, "grpc_invalid_argument"),
        (Speaks::Grpc, 0, Code::ResourceExhausted, "grpc_resource_exhausted"),
        (Speaks::Http, 400, Code::Ok, "http_400"),
        (Speaks::Http, 500, Code::Ok, "http_500"),
    ] {
        let collector = Collector::start(speaks);
        collector.reply([Reply::Refuse(status, code, None)]);
        let exporter = start(&settings(&given(&collector, speaks)), &families().registry);
        wait_for("a request that is taken", || (figures(&exporter).sent > 0).then_some(()));
        let figures = assert_balanced(exporter);
        assert_eq!(figures.failures, [(reason.to_owned(), 1)]);
        let requests = collector.received(|received| received.headers.len() as u64);
        assert_eq!(figures.requests, requests - 1);
        let refused = dropped(&figures, Cause::Refused);
        assert!(refused > 0 && figures.made == figures.sent + refused, "{figures:?}");
    }
}

#[test]
fn what_is_taken_in_part_is_counted_and_said_once() {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    for speaks in BOTH {
        SAID.lock().unwrap().clear();
        let collector = Collector::start(speaks);
        collector.reply([Reply::Partial(2, "two are too old"), Reply::Partial(1, "one more")]);
        let registry = families().registry;
        let resource = chandra_otlp::Resource(Vec::new());
        let exporter = Exporter::start(
            &settings(&given(&collector, speaks)),
            &resource,
            std::time::SystemTime::now(),
            move |out| registry.write(out),
            |what| SAID.lock().unwrap().push(what.to_owned()),
        );
        let exporter = exporter.unwrap();
        wait_for("three requests", || (figures(&exporter).requests > 2).then_some(()));
        let figures = assert_balanced(exporter);
        assert_eq!(figures.drops, [(Cause::Rejected, 3)]);
        let said = SAID.lock().unwrap().clone();
        assert!(said.len() == 1 && said[0].contains("two are too old"), "{said:?}");
    }
}

/// What it is told while it is away takes no more memory than it may, and what had no room is counted.
#[test]
fn a_collector_that_was_away_gets_what_there_was_room_for() {
    const QUEUE: usize = 4000;
    for speaks in BOTH {
        let collector = Collector::start(speaks);
        let address = collector.address();
        let mut settings = settings(&given(&collector, speaks));
        settings.queue_bytes = QUEUE;
        drop(collector);
        let mut families = families();
        let exporter = start(&settings, &families.registry);
        let away = wait_for("a queue that runs over", || {
            // Each telling is another, so that none is as small as the one before.
            families.drops.with(&values(&["a", "b"])).increment();
            let figures = figures(&exporter);
            assert!(figures.queue_bytes <= QUEUE as u64, "{figures:?}");
            (dropped(&figures, Cause::QueueFull) > 0 && figures.queued > 0).then_some(figures)
        });
        assert!(failed(&away, "unreachable") > 0 && away.sent == 0, "{away:?}");
        let collector = Collector::at(address, speaks, None);
        wait_for("what waited", || (figures(&exporter).sent >= away.queued).then_some(()));
        let figures = assert_balanced(exporter);
        assert_eq!(figures.made, figures.sent + dropped(&figures, Cause::QueueFull));
        let points = collector.received(|received| {
            let points = received.all_metrics().map(|(_, metric)| count(metric));
            points.sum::<u64>()
        });
        assert_eq!(figures.sent, points, "what it says is sent is there");
    }
}

fn count(metric: &opentelemetry_proto::tonic::metrics::v1::Metric) -> u64 {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    match metric.data.as_ref().unwrap() {
        Data::Gauge(of) => of.data_points.len() as u64,
        Data::Sum(of) => of.data_points.len() as u64,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_collector_that_says_nothing_is_asked_again_after_the_timeout() {
    for speaks in BOTH {
        let collector = Collector::start(speaks);
        collector.reply([Reply::Silence, Reply::Silence]);
        let mut given = given(&collector, speaks);
        given.timeout = Some(Duration::from_millis(200));
        let exporter = start(&settings(&given), &families().registry);
        wait_for("a request that is taken", || (figures(&exporter).sent > 0).then_some(()));
        let figures = assert_balanced(exporter);
        // A server of gRPC that is told of a time may say itself that it is over.
        let late = failed(&figures, "timeout")
            + failed(&figures, "grpc_cancelled")
            + failed(&figures, "grpc_deadline_exceeded");
        assert_eq!(late, 2, "{figures:?}");
        assert_eq!(figures.sent, figures.made, "nothing is lost");
    }
}

#[test]
fn the_end_waits_for_a_collector_no_longer_than_it_may() {
    for speaks in BOTH {
        let collector = Collector::start(speaks);
        collector.reply((0..100).map(|_| Reply::Silence));
        let exporter = start(&settings(&given(&collector, speaks)), &families().registry);
        collector.wait("a request", |received| (!received.headers.is_empty()).then_some(()));
        let (patience, began) = (Duration::from_millis(300), Instant::now());
        let figures = exporter.stop(patience).remove(0);
        assert!(began.elapsed() >= patience, "it tried");
        assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
        assert_eq!((figures.sent, figures.made), (0, dropped(&figures, Cause::Stopped)));
    }
}

/// What was counted last is told, though the next telling was an hour away.
#[test]
fn the_end_tells_all_a_last_time() {
    for speaks in BOTH {
        let collector = Collector::start(speaks);
        let mut settings = settings(&given(&collector, speaks));
        settings.interval = Duration::from_secs(3600);
        let exporter = start(&settings, &families().registry);
        assert_eq!(figures(&exporter).made, 0);
        let figures = assert_balanced(exporter);
        assert!(figures.sent > 0 && figures.sent == figures.made, "{figures:?}");
    }
}

#[test]
fn tls_is_spoken_with_whom_the_authority_vouches_for() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "authority");
    let other = Authority::new(&scratch, "other");
    let own = authority.sign(&scratch, "collector", "127.0.0.1", Validity::Now);
    let agent = authority.sign(&scratch, "agent", "agent", Validity::Now);
    for speaks in BOTH {
        let (open, closed) = (
            Collector::start_tls(speaks, &own, None),
            Collector::start_tls(speaks, &own, Some(&authority)),
        );
        // To whom, trusting whom, showing a certificate or none; and whether that will do.
        for (collector, trusted, shows, will_do) in [
            (&open, &authority, false, true),
            (&open, &other, false, false),
            (&closed, &authority, true, true),
            (&closed, &authority, false, false),
        ] {
            let given = Given {
                endpoint: Some(format!("https://{}", collector.address())),
                ca_file: Some(trusted.file.clone()),
                client_certificate_file: shows.then(|| agent.certificate.clone()),
                client_key_file: shows.then(|| agent.key.clone()),
                ..given(collector, speaks)
            };
            let exporter = start(&settings(&given), &families().registry);
            wait_for("an outcome", || {
                let figures = figures(&exporter);
                let fails: u64 = figures.failures.iter().map(|(_, count)| count).sum();
                (figures.sent > 0 || fails > 2).then_some(())
            });
            let figures = figures(&exporter);
            assert_eq!(figures.sent > 0, will_do, "{speaks:?}: {figures:?}");
            let tls = failed(&figures, "tls");
            assert_eq!(tls > 0, !will_do && !std::ptr::eq(collector, &closed), "{figures:?}");
        }
    }
}

#[test]
fn a_name_that_nobody_has_is_a_collector_that_is_away() {
    let given = Given { endpoint: Some("http://nobody.invalid:4318".into()), ..Given::default() };
    let exporter = start(&settings(&given), &families().registry);
    wait_for("a failure", || (failed(&figures(&exporter), "unreachable") > 0).then_some(()));
    drop(exporter);
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let given = Given { endpoint: Some(format!("http://{nobody}")), ..Given::default() };
    assert!(Settings::new(&given, &|_| None).unwrap().is_some(), "it may come up later");
}
