//! How long requests over TCP take, against a server that waits for known times; and what is no request.

use std::process::Command;
use std::time::Duration;

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::http::get_as;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::trace::{Outcome, Trace};
use chandra_tests::turns::{ANSWER, Bounds, Pair, REQUEST, compare};

/// After runs that overlapped a connection has to go so many turns without, until it is told of again.
const DOUBTS: usize = 8;

fn actor() -> Actor {
    Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")))
}

fn pair(address: &str) -> Pair {
    Pair::connect(actor(), actor(), address)
}

fn trace_of(pair: &Pair) -> Trace {
    Trace::start(&["request-latency", "--port", &pair.port().to_string()])
}

/// The histogram of each end, where there is one.
fn ends(outcome: &Outcome) -> [Option<&Record>; 2] {
    let of = |role| outcome.records.iter().find(|record| record.text("operation") == Some(role));
    assert!(outcome.records.len() <= 2, "{:?}", outcome.records);
    ["client", "server"].map(of)
}

fn assert_told(outcome: &Outcome, turns: &[[Bounds; 2]]) {
    for (end, record) in ends(outcome).into_iter().enumerate() {
        let values: Vec<Bounds> = turns.iter().map(|turn| turn[end].clone()).collect();
        compare(record.unwrap(), &values).unwrap();
    }
}

fn count(record: Option<&Record>) -> usize {
    let count = record.and_then(|record| record.number("histogram.count")).unwrap_or(0);
    usize::try_from(count).unwrap()
}

#[test]
fn a_connection_is_told_of_from_its_first_request_on_over_ipv6_too() {
    needs!("root");
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (client, mut server) = (actor(), actor());
        let listens = server.ask(&format!("listen {address}"));
        let port = listens.rsplit_once(':').unwrap().1.to_owned();
        let trace = Trace::start(&["request-latency", "--port", &port]);
        let mut pair = Pair::connect_to(client, server, &listens);
        let turns = [3, 30].map(|wait| pair.exchange(Duration::from_millis(wait)));
        let outcome = trace.stop();
        outcome.summary_without_loss();
        assert_told(&outcome, &turns);
    }
}

/// What of it went before nobody saw: where its first request began is not known.
#[test]
fn a_connection_that_went_on_before_is_told_of_from_its_second_request_on() {
    needs!("root");
    let mut pair = pair("127.0.0.1:0");
    pair.exchange(Duration::ZERO);
    let trace = trace_of(&pair);
    pair.exchange(Duration::ZERO);
    let turns = [2, 20].map(|wait| pair.exchange(Duration::from_millis(wait)));
    let outcome = trace.stop();
    outcome.summary_without_loss();
    assert_told(&outcome, &turns);
}

#[test]
fn what_goes_one_way_only_is_no_request() {
    needs!("root");
    let mut pair = pair("127.0.0.1:0");
    let trace = trace_of(&pair);
    for _ in 0..10 {
        pair.server.ask("send 1000");
        pair.client.ask("receive 1000");
    }
    let outcome = trace.stop();
    outcome.summary_without_loss();
    assert_eq!(outcome.records.len(), 0, "{:?}", outcome.records);
}

/// A second request goes before the answer to the first was read to its end: which answer is whose cannot be
/// told without reading them.
#[test]
fn requests_that_overlap_are_not_told_until_they_do_no_more() {
    needs!("root");
    let mut pair = pair("127.0.0.1:0");
    let trace = trace_of(&pair);
    let mut turns = vec![pair.exchange(Duration::from_millis(2))];
    pair.client.ask(&format!("send {REQUEST}"));
    pair.server.ask(&format!("receive {REQUEST}"));
    pair.server.ask(&format!("send {ANSWER}"));
    pair.client.ask("receive 1000");
    pair.client.ask(&format!("send {REQUEST}"));
    pair.server.ask(&format!("receive {REQUEST}"));
    pair.server.ask(&format!("send {ANSWER}"));
    pair.client.ask(&format!("receive {}", 2 * ANSWER - 1000));
    (0..DOUBTS).for_each(|_| {
        pair.exchange(Duration::ZERO);
    });
    turns.push(pair.exchange(Duration::from_millis(2)));
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let [client, server] = ends(&outcome);
    // The first of the two answers came to an undoubted request; of the second, and then eight, nothing is told.
    assert_eq!((count(client), count(server)), (turns.len() + 1, turns.len() + 2 + DOUBTS));
}

/// The server has read a part of what was asked when it answers: that is to something before.
#[test]
fn an_answer_before_all_was_read_is_not_told() {
    needs!("root");
    let mut pair = pair("127.0.0.1:0");
    let trace = trace_of(&pair);
    pair.client.ask(&format!("send {}", 2 * REQUEST));
    pair.server.ask(&format!("receive {REQUEST}"));
    pair.server.ask(&format!("send {ANSWER}"));
    pair.client.ask(&format!("receive {ANSWER}"));
    pair.server.ask("settle");
    pair.server.ask(&format!("receive {REQUEST}"));
    // Nor are those that follow, which shows that it was seen.
    (0..=DOUBTS).for_each(|_| {
        pair.exchange(Duration::ZERO);
    });
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let [client, server] = ends(&outcome);
    // All that was asked had been received by the server's kernel, which is what the client is told.
    assert_eq!((count(client), count(server)), (1 + DOUBTS + 1, 1));
}

/// Nothing that is sent gets through, so that what is read is no answer to it.
#[test]
fn what_is_read_before_the_request_has_arrived_is_no_answer() {
    needs!("root");
    let mut pair = pair("127.0.0.1:0");
    let trace = trace_of(&pair);
    pair.server.ask("lose");
    pair.client.ask(&format!("send {REQUEST}"));
    pair.server.ask(&format!("send {ANSWER}"));
    pair.client.ask(&format!("receive {ANSWER}"));
    pair.server.ask("lose-nothing");
    pair.server.ask(&format!("receive {REQUEST}"));
    (0..=DOUBTS).for_each(|_| {
        pair.exchange(Duration::ZERO);
    });
    let outcome = trace.stop();
    outcome.summary_without_loss();
    assert_eq!(count(ends(&outcome)[0]), 1);
}

#[test]
fn an_agent_that_is_asked_to_tells_prometheus_of_both_ends() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process,tcp_request"]);
    let metrics = || get_as(agent.address(), "/metrics", "text/plain").1;
    let value = |text: &str, sample: &str| -> f64 {
        let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.map_or(0.0, |value| value.parse().unwrap())
    };
    let family = "chandra_tcp_request_duration_seconds";
    let before = metrics();
    let mut pair = pair("127.0.0.1:0");
    let turns: Vec<_> = (0..20).map(|_| pair.exchange(Duration::from_millis(5))).collect();
    pair.client.ask(&format!("send {}", 2 * REQUEST));
    pair.server.ask(&format!("receive {REQUEST}"));
    pair.server.ask(&format!("send {ANSWER}"));
    let text = metrics();
    for (end, role) in ["client", "server"].into_iter().enumerate() {
        // Others of this machine may ask and answer, too.
        let grown = |name: &str| {
            let sample = format!("{name}{{role=\"{role}\"}}");
            value(&text, &sample) - value(&before, &sample)
        };
        let at_least: u64 = turns.iter().map(|turn| *turn[end].start()).sum();
        assert!(grown(&format!("{family}_count")) >= 20.0, "{text}");
        assert!(grown(&format!("{family}_sum")) >= at_least as f64 / 1e9, "{text}");
    }
    let overlapped = "chandra_tcp_requests_overlapped_total{role=\"server\"}";
    assert!(value(&text, overlapped) > value(&before, overlapped), "{text}");
    assert!(text.contains(&format!("# TYPE {family} histogram\n")), "{text}");
    assert!(text.contains("chandra_ledger_imbalance{signal=\"tcp_request\"} 0\n"), "{text}");
}
