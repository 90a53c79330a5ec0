//! Alerts by HTTP to a receiver that is well, down, slow, failing, or that refuses them.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chandra_alerts::figures::{Cause, SinkFigures};
use chandra_alerts::sink::{self, Http, Target, TlsFiles};
use chandra_alerts::{Options, Outlets, fold, redact, spool};
use chandra_tests::patience::{PATIENCE, wait_for};
use chandra_tests::scratch::Scratch;

use crate::receiver::{listen, start};
use crate::storm::{alert, http, outlets};

fn figures(outlets: &Outlets) -> SinkFigures {
    outlets.figures().sinks.remove(0)
}

fn to_http(http: Http) -> Outlets {
    outlets(vec![("http", Target::Http(http))], 100_000)
}

#[test]
fn alerts_arrive_in_order_as_falcos_json() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    let received = start(listener, |_, _| 200);
    let http = Http {
        headers: vec![("Authorization".into(), "Bearer abc".into())],
        ..http(&format!("http://{address}/falco?x=1"), &scratch.at("spool"))
    };
    let mut outlets = to_http(http);
    (0..50).for_each(|number| outlets.take(alert(number)));
    wait_for("all", || (figures(&outlets).delivered == 50).then_some(()));
    assert_eq!(received.numbers(), (0..50).collect::<Vec<_>>());
    let (head, body) = received.all().remove(0);
    for part in [
        "post /falco?x=1 http/1.1\r\n",
        &format!("\r\nhost: {address}\r\n"),
        "\r\ncontent-type: application/json\r\n",
        "\r\nauthorization: bearer abc\r\n",
    ] {
        assert!(head.contains(part), "{part:?} in {head}");
    }
    assert_eq!(body["rule"], "Storm");
    assert_eq!(body["priority"], "Critical");
    let ids: std::collections::HashSet<_> =
        received.all().iter().map(|(_, body)| body["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 50);
    assert_eq!(figures(&outlets).spool.unwrap().records, 0);
}

#[test]
fn a_receiver_that_is_down_gets_all_when_it_is_up() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    drop(listener);
    let mut outlets = to_http(http(&format!("http://{address}/"), &scratch.at("spool")));
    (0..200).for_each(|number| outlets.take(alert(number)));
    wait_for("the spool and retries", || {
        let figures = figures(&outlets);
        (figures.spooled == 200 && figures.retries > 2).then_some(())
    });
    assert_eq!(figures(&outlets).spool.unwrap().records, 200);
    let received = start(std::net::TcpListener::bind(address).unwrap(), |_, _| 204);
    wait_for("all", || (figures(&outlets).delivered == 200).then_some(()));
    assert_eq!(received.numbers(), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_fails_is_asked_again() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    // Two of three requests, with all that may be mended.
    let statuses = [500, 503, 200, 429, 401, 200, 404, 302, 200];
    let received = start(listener, move |number, _| statuses[number as usize % statuses.len()]);
    let mut outlets = to_http(http(&format!("http://{address}/"), &scratch.at("spool")));
    (0..30).for_each(|number| outlets.take(alert(number)));
    wait_for("all", || (figures(&outlets).delivered == 30).then_some(()));
    assert_eq!(received.numbers(), (0..30).collect::<Vec<_>>());
    assert!(figures(&outlets).retries >= 50);
}

#[test]
fn an_alert_that_is_refused_holds_up_no_other() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    let is_bad = |body: &serde_json::Value| body["output_fields"]["fd.name"] == 3;
    let received = start(listener, move |_, body| if is_bad(body) { 400 } else { 200 });
    let mut outlets = to_http(http(&format!("http://{address}/"), &scratch.at("spool")));
    (0..6).for_each(|number| outlets.take(alert(number)));
    wait_for("the rest", || (figures(&outlets).delivered == 5).then_some(()));
    assert_eq!(received.numbers(), [0, 1, 2, 4, 5]);
    assert_eq!(figures(&outlets).dropped(Cause::Refused), 1);
}

#[test]
fn a_receiver_that_never_answers_holds_up_nobody_and_is_given_up() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    let http = Http {
        timeout: Duration::from_millis(50),
        ..http(&format!("http://{address}/"), &scratch.at("spool"))
    };
    let mut outlets = to_http(http);
    (0..1000).for_each(|number| outlets.take(alert(number)));
    wait_for("the spool and a retry", || {
        let figures = figures(&outlets);
        (figures.spooled == 1000 && figures.retries > 1).then_some(())
    });
    // The connections that were given up are still in the listener's queue.
    let received = start(listener, |_, _| 200);
    wait_for("all", || (figures(&outlets).spool.unwrap().records == 0).then_some(()));
    let mut numbers = received.numbers();
    numbers.dedup();
    assert!(numbers.len() >= 1000);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_spool_that_is_full_refuses_what_is_new_and_counts_it() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    drop(listener);
    let spool =
        spool::Options { max_bytes: 64 << 10, segment_bytes: 8 << 10, ..Default::default() };
    let http = Http { spool, ..http(&format!("http://{address}/"), &scratch.at("spool")) };
    let mut outlets = to_http(http);
    (0..1000).for_each(|number| outlets.take(alert(number)));
    let full = wait_for("all to be told of", || {
        let figures = figures(&outlets);
        (figures.spooled + figures.dropped(Cause::SpoolFull) == 1000).then_some(figures)
    });
    assert!(full.spooled > 100 && full.spooled < 900, "{full:?}");
    assert!(full.spool.unwrap().bytes <= 64 << 10);
    let received = start(std::net::TcpListener::bind(address).unwrap(), |_, _| 200);
    wait_for("the old ones", || (figures(&outlets).delivered == full.spooled).then_some(()));
    assert_eq!(received.numbers(), (0..full.spooled).collect::<Vec<_>>());
}

#[test]
fn what_is_left_at_the_end_comes_after_the_next_start() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    drop(listener);
    let url = format!("http://{address}/");
    let mut outlets = to_http(http(&url, &scratch.at("spool")));
    (0..100).for_each(|number| outlets.take(alert(number)));
    let begun = Instant::now();
    let left = outlets.stop(Duration::from_millis(300)).sinks.remove(0);
    assert!(begun.elapsed() < PATIENCE / 4);
    assert_eq!((left.spooled, left.spool.unwrap().records), (100, 100));
    let received = start(std::net::TcpListener::bind(address).unwrap(), |_, _| 200);
    // The thread of the first may need a moment to give the spool back.
    let outlets = wait_for("the spool", || {
        let target = Target::Http(http(&url, &scratch.at("spool")));
        let sink = sink::Options { name: "http".into(), target, queue: 10 };
        Outlets::new(&options(sink)).ok()
    });
    wait_for("all", || (figures(&outlets).delivered == 100).then_some(()));
    assert_eq!(received.numbers(), (0..100).collect::<Vec<_>>());
}

fn options(sink: sink::Options) -> Options {
    Options {
        fold: fold::Options::default(),
        redact: redact::Options::default(),
        queue: 10,
        sinks: vec![sink],
        recent: None,
        say: |name, why| eprintln!("{name}: {why}"),
    }
}

#[test]
fn before_it_ends_it_delivers_what_it_can() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    let received = start(listener, |_, _| 200);
    let mut outlets = to_http(http(&format!("http://{address}/"), &scratch.at("spool")));
    (0..500).for_each(|number| outlets.take(alert(number)));
    let figures = outlets.stop(PATIENCE);
    assert_eq!(figures.sinks[0].delivered, 500);
    assert_eq!(received.numbers().len(), 500);
}

#[test]
fn a_second_agent_cannot_have_the_spool() {
    let scratch = Scratch::new();
    let target = || Target::Http(http("http://127.0.0.1:9/", &scratch.at("spool")));
    let _first = outlets(vec![("http", target())], 10);
    let sink = sink::Options { name: "http".into(), target: target(), queue: 10 };
    let error = Outlets::new(&options(sink)).unwrap_err().to_string();
    assert!(error.contains("alerts to http: ") && error.contains("another process"), "{error}");
}

#[test]
fn with_tls_only_a_receiver_that_is_known_gets_alerts() {
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring};
    let scratch = Scratch::new();
    let known = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(scratch.at("ca.pem"), known.cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(known.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![known.cert.der().clone()], PrivateKeyDer::from(key))
        .unwrap();
    let config = Arc::new(config);
    let (listener, address) = listen();
    let received = crate::receiver::Received::default();
    let all = received.clone();
    std::thread::spawn(move || {
        let count = Mutex::new(0);
        for stream in listener.incoming().flatten() {
            let tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            // Whoever does not trust this server ends the connection.
            drop(crate::receiver::serve(tls, &all, &|_, _| 200, &count));
        }
    });
    let url = format!("https://localhost:{}/", address.port());
    let mut stranger = to_http(http(&url, &scratch.at("stranger")));
    stranger.take(alert(1));
    wait_for("refusals", || (figures(&stranger).retries > 2).then_some(()));
    assert!(received.numbers().is_empty());
    drop(stranger);
    let tls = TlsFiles { authorities: vec![scratch.at("ca.pem")], identity: None };
    let mut outlets = to_http(Http { tls, ..http(&url, &scratch.at("spool")) });
    outlets.take(alert(2));
    wait_for("it", || (figures(&outlets).delivered == 1).then_some(()));
    assert_eq!(received.numbers(), [2]);
}
