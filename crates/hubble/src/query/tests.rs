//! Requests and what they give, on rings whose flows are their own numbers.

use std::sync::Arc;

use prost_types::FieldMask;

use super::*;
use crate::flow::{Endpoint, Flow, Verdict};
use crate::proto::flow::{FlowFilter, LostEvent, LostEventSource};

const SECOND: u64 = 1_000_000_000;
/// Flows are a second apart, from here on, so that times and numbers can be told apart.
const START: u64 = 1000;

fn node() -> Node {
    Node::new("east", "n1", vec![])
}

/// The time of a flow by its number.
fn time(number: u64) -> u64 {
    (START + number) * SECOND
}

/// Every third flow is dropped.
fn flow(number: u64) -> Flow {
    let verdict = if number.is_multiple_of(3) { Verdict::Dropped } else { Verdict::Forwarded };
    let source = Some(Arc::new(Endpoint { identity: 7, ..Endpoint::default() }));
    Flow { time_ns: time(number), verdict, source, ..Flow::default() }
}

fn ring(flows: u64) -> Ring {
    let ring = Ring::new(1 << 20);
    (0..flows).for_each(|number| assert_eq!(ring.push(flow(number)), number));
    assert_eq!(ring.range(), 0..flows);
    ring
}

fn at(number: u64) -> Option<Timestamp> {
    Some(timestamp(time(number)))
}

fn query(request: &GetFlowsRequest) -> Query {
    Query::new(request, &Limits::default()).expect("a request")
}

/// Steps until there is nothing more for now.
fn run(query: &mut Query, ring: &Ring, now_ns: u64) -> (Vec<GetFlowsResponse>, Step) {
    let mut responses = Vec::new();
    loop {
        match query.step(ring, &node(), now_ns, &mut responses) {
            Step::More => {}
            step => return (responses, step),
        }
    }
}

/// The numbers of the flows, and the losses.
fn told(responses: &[GetFlowsResponse]) -> (Vec<u64>, Vec<u64>) {
    let (mut flows, mut lost) = (Vec::new(), Vec::new());
    for response in responses {
        match &response.response_types {
            Some(ResponseTypes::Flow(_)) => {
                let seconds = response.time.expect("a time").seconds as u64;
                flows.push(seconds - START);
            }
            Some(ResponseTypes::LostEvents(event)) => lost.push(event.num_events_lost),
            other => panic!("{other:?}"),
        }
    }
    (flows, lost)
}

fn flows(request: &GetFlowsRequest, ring: &Ring) -> Vec<u64> {
    let (responses, step) = run(&mut query(request), ring, time(2000));
    assert_eq!(matches!(step, Step::Done), !request.follow, "{step:?}");
    told(&responses).0
}

fn numbers(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

fn of_dropped(request: GetFlowsRequest) -> GetFlowsRequest {
    let dropped = FlowFilter { verdict: vec![Verdict::Dropped.into()], ..FlowFilter::default() };
    GetFlowsRequest { whitelist: vec![dropped], ..request }
}

#[test]
fn a_request_gets_the_flows_that_it_asks_for() {
    let all = 1000;
    let ring = ring(all);
    let none = GetFlowsRequest::default();
    let asked = |number, since: Option<u64>, until: Option<u64>, first, follow| GetFlowsRequest {
        number,
        since: since.and_then(at),
        until: until.and_then(at),
        first,
        follow,
        ..GetFlowsRequest::default()
    };
    for (name, request, expected) in [
        ("nothing said", none, numbers(0..all)),
        ("all", asked(u64::MAX, None, None, false, false), numbers(0..all)),
        ("last 5", asked(5, None, None, false, false), numbers(995..all)),
        ("last 700", asked(700, None, None, false, false), numbers(300..all)),
        ("last 2000", asked(2000, None, None, false, false), numbers(0..all)),
        ("first 5", asked(5, None, None, true, false), numbers(0..5)),
        ("first", asked(0, None, None, true, false), numbers(0..all)),
        ("since", asked(0, Some(990), None, false, false), numbers(990..all)),
        ("since the beginning", asked(0, Some(0), None, false, false), numbers(0..all)),
        ("since later", asked(0, Some(2000), None, false, false), vec![]),
        ("until", asked(0, None, Some(9), false, false), numbers(0..10)),
        ("since and until", asked(0, Some(100), Some(700), false, false), numbers(100..701)),
        ("since, last 5", asked(5, Some(100), None, false, false), numbers(995..all)),
        ("since, last 2000", asked(2000, Some(100), None, false, false), numbers(100..all)),
        ("since, first 5", asked(5, Some(100), None, true, false), numbers(100..105)),
        ("until, last 5", asked(5, None, Some(400), false, false), numbers(396..401)),
        ("until, last 1000", asked(1000, None, Some(400), false, false), numbers(0..401)),
        ("until, first 5", asked(5, None, Some(2), true, false), numbers(0..3)),
        ("both, last 5", asked(5, Some(100), Some(400), false, false), numbers(396..401)),
        ("both, last 500", asked(500, Some(100), Some(400), false, false), numbers(100..401)),
        ("follow", asked(0, None, None, false, true), vec![]),
        ("follow, last 5", asked(5, None, None, false, true), numbers(995..all)),
        ("follow, since", asked(0, Some(990), None, false, true), numbers(990..all)),
        ("follow, since, last 5", asked(5, Some(100), None, false, true), numbers(995..all)),
        ("dropped", of_dropped(asked(0, Some(990), None, false, false)), vec![990, 993, 996, 999]),
        ("last dropped", of_dropped(asked(3, None, None, false, false)), vec![993, 996, 999]),
        ("first dropped", of_dropped(asked(3, None, None, true, false)), vec![0, 3, 6]),
        ("last dropped until", of_dropped(asked(2, None, Some(10), false, false)), vec![6, 9]),
        (
            "all dropped but few",
            of_dropped(asked(1000, Some(994), None, false, false)),
            vec![996, 999],
        ),
    ] {
        assert_eq!(flows(&request, &ring), expected, "{name}");
    }
}

#[test]
fn who_follows_gets_each_flow_at_once_and_no_number_ends_it() {
    let ring = ring(10);
    let request = GetFlowsRequest { number: 2, follow: true, ..GetFlowsRequest::default() };
    let mut query = query(&request);
    let (responses, step) = run(&mut query, &ring, 0);
    assert_eq!(told(&responses).0, [8, 9]);
    assert_eq!(step, Step::Wait { next: 10, until_ns: None });
    for number in 10..20 {
        assert_eq!(ring.push(flow(number)), number);
        let (responses, step) = run(&mut query, &ring, 0);
        assert_eq!(told(&responses).0, [number]);
        assert_eq!(step, Step::Wait { next: ring.next(), until_ns: None });
    }
}

#[test]
fn what_comes_after_a_request_is_not_of_it_unless_it_follows() {
    let ring = ring(600);
    let mut query = query(&GetFlowsRequest { number: 400, ..GetFlowsRequest::default() });
    let mut responses = Vec::new();
    while query.step(&ring, &node(), 0, &mut responses) != Step::Done {
        ring.push(flow(ring.next()));
    }
    assert_eq!(told(&responses).0, numbers(200..600));
}

#[test]
fn a_follower_with_an_end_ends() {
    let ring = ring(10);
    let request =
        GetFlowsRequest { follow: true, since: at(8), until: at(11), ..GetFlowsRequest::default() };
    let mut query = query(&request);
    let (responses, _) = run(&mut query, &ring, 0);
    assert_eq!(told(&responses).0, [8, 9]);
    (10..20).for_each(|number| assert_eq!(ring.push(flow(number)), number));
    let (responses, step) = run(&mut query, &ring, 0);
    assert_eq!((told(&responses).0, step), (vec![10, 11], Step::Done));
}

#[test]
fn flows_out_of_order_are_in_their_range_of_time() {
    let ring = Ring::new(1 << 20);
    for number in [0, 5, 3, 4, 9, 6, 7, 12, 8, 10, 11, 30, 31] {
        ring.push(flow(number));
    }
    let asked = |number, since, until| GetFlowsRequest {
        number,
        since: at(since),
        until: at(until),
        ..GetFlowsRequest::default()
    };
    assert_eq!(flows(&asked(0, 4, 10), &ring), [5, 4, 9, 6, 7, 8, 10]);
    assert_eq!(flows(&asked(3, 4, 10), &ring), [7, 8, 10]);
}

#[test]
fn a_lapped_follower_is_told_totals_once_a_second() {
    let ring = Ring::new(100_000);
    let request = GetFlowsRequest { follow: true, ..GetFlowsRequest::default() };
    let mut query = query(&request);
    ring.push(flow(0));
    assert_eq!(run(&mut query, &ring, 0).0, []);
    let flood = || {
        for number in 0..5000 {
            ring.push(flow(number));
        }
    };
    let mut seen = (0, 0);
    for (now_ns, expected) in [(SECOND, 1), (SECOND + 1, 0), (2 * SECOND - 1, 0), (2 * SECOND, 1)] {
        flood();
        let (responses, step) = run(&mut query, &ring, now_ns);
        let (flows, lost) = told(&responses);
        assert_eq!(lost.len(), expected, "{now_ns}");
        seen = (seen.0 + flows.len() as u64, seen.1 + lost.iter().sum::<u64>());
        let due = (expected == 0).then_some(2 * SECOND);
        assert_eq!(step, Step::Wait { next: ring.next(), until_ns: due });
    }
    assert_eq!(seen.0 + seen.1, 4 * 5000, "each is given or told as lost");
}

#[test]
fn losses_before_the_ring_are_added_up_by_source_and_told_at_the_end() {
    let ring = Ring::new(1 << 20);
    let lost = |source: LostEventSource, count, cpu| LostEvent {
        source: source.into(),
        num_events_lost: count,
        cpu,
        first: at(count),
        last: at(count),
    };
    ring.push_lost(lost(LostEventSource::PerfEventRingBuffer, 5, Some(1)));
    ring.push(flow(1));
    ring.push_lost(lost(LostEventSource::ObserverEventsQueue, 7, None));
    ring.push_lost(lost(LostEventSource::PerfEventRingBuffer, 2, Some(1)));
    let request = of_dropped(GetFlowsRequest::default());
    let (responses, _) = run(&mut query(&request), &ring, 0);
    let events: Vec<_> = responses
        .iter()
        .map(|response| match &response.response_types {
            Some(ResponseTypes::LostEvents(event)) => *event,
            other => panic!("{other:?}"),
        })
        .collect();
    let perf = LostEvent {
        num_events_lost: 7,
        first: at(2),
        last: at(5),
        ..lost(LostEventSource::PerfEventRingBuffer, 5, Some(1))
    };
    assert_eq!(events, [perf, lost(LostEventSource::ObserverEventsQueue, 7, None)]);
}

#[test]
fn a_mask_is_of_the_flow_and_leaves_the_response_its_time() {
    let ring = ring(1);
    let field_mask = Some(FieldMask { paths: vec!["source.identity".into()] });
    let request = GetFlowsRequest { field_mask, ..GetFlowsRequest::default() };
    let (responses, _) = run(&mut query(&request), &ring, 0);
    let [response] = &responses[..] else { panic!("{responses:?}") };
    assert_eq!((response.node_name.as_str(), response.time), ("east/n1", at(0)));
    let Some(ResponseTypes::Flow(flow)) = &response.response_types else { panic!("no flow") };
    assert_eq!(flow.source.as_ref().map(|source| source.identity), Some(7));
    assert_eq!((flow.time, flow.node_name.as_str()), (None, ""));
}

#[test]
fn a_request_that_cannot_be_is_refused() {
    let told = |request| Query::new(&request, &Limits::default()).expect_err("refused").to_string();
    let none = GetFlowsRequest::default;
    let both = GetFlowsRequest { first: true, follow: true, ..none() };
    assert_eq!(told(both), "first cannot be specified with follow");
    let since = Some(Timestamp { seconds: 1, nanos: -1 });
    assert_eq!(told(GetFlowsRequest { since, ..none() }), "since is not a valid time");
    let field_mask = Some(FieldMask { paths: vec!["x".into()] });
    let expected = "invalid fieldmask: a flow has no field \"x\"";
    assert_eq!(told(GetFlowsRequest { field_mask, ..none() }), expected);
    let blacklist = vec![FlowFilter { protocol: vec!["x".into()], ..FlowFilter::default() }];
    let expected = "invalid protocol filter: unknown protocol: \"x\"";
    assert_eq!(told(GetFlowsRequest { blacklist, ..none() }), expected);
    // A moment before 1970 is no error: everything is since then.
    let since = Some(Timestamp { seconds: -5, nanos: 0 });
    assert!(Query::new(&GetFlowsRequest { since, ..none() }, &Limits::default()).is_ok());
}

#[test]
fn an_empty_ring_gives_nothing_and_ends() {
    let ring = Ring::new(1 << 20);
    for number in [0, 1, u64::MAX] {
        for since in [None, at(1)] {
            let request = GetFlowsRequest { number, since, ..GetFlowsRequest::default() };
            assert_eq!(flows(&request, &ring), Vec::<u64>::new());
        }
    }
}
