//! Spans as a collector reads them, with OpenTelemetry's own types.

use chandra_otlp::figures::Cause;
use chandra_otlp::wire::Any;
use chandra_otlp::wire::spans::{Span, SpanKind};
use chandra_tests::collector::{Collector, Reply, Speaks, attribute};
use chandra_tests::patience::PATIENCE;
use opentelemetry_proto::tonic::trace::v1::Span as TraceSpan;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as Kind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tonic::Code;

use crate::common::{Families, given, settings, start};

fn span(span_id: u64, kind: SpanKind, is_error: bool) -> Span<'static> {
    Span {
        trace_id: *b"0123456789abcdef",
        span_id,
        parent_id: 7,
        trace_flags: 1,
        kind,
        name: "GET",
        time_ns: [1_507_566_716_000_000_000, 1_507_566_716_746_609_046],
        is_error,
        attributes: &|out| {
            out.known("url.path", "/cart");
            out.known("url.query", "");
            out.add("http.response.status_code", Any::Int(404));
        },
    }
}

fn of(pod: &str) -> Vec<(String, String)> {
    vec![("service.name".into(), "web".into()), ("k8s.pod.name".into(), pod.into())]
}

#[test]
fn spans_come_with_all_that_was_seen_each_under_its_own_resource() {
    for speaks in [Speaks::Grpc, Speaks::Http] {
        let collector = Collector::start(speaks);
        let mut given = given(&collector, speaks);
        given.signals = Some(vec!["traces".into()]);
        let exporter = start(&settings(&given), &Families::new(Default::default()).registry);
        let traces = exporter.traces().unwrap();
        assert!(exporter.logs().is_none());
        traces.push(&of("web-0"), &span(1, SpanKind::Client, true));
        traces.push(&of("web-1"), &span(2, SpanKind::Server, false));
        traces.push(&of("web-0"), &span(3, SpanKind::Client, false));
        let [figures] = &exporter.stop(PATIENCE)[..] else { panic!("not one") };
        assert_eq!((figures.made, figures.sent, figures.queued), (3, 3, 0));
        collector.received(|received| {
            let id = |span: &TraceSpan| u64::from_be_bytes(span.span_id[..].try_into().unwrap());
            let mut told: Vec<_> = received.all_spans().collect();
            told.sort_by_key(|(_, span)| id(span));
            let pods = told.iter().map(|(resource, span)| {
                let value = |key: &str| attribute(&resource.attributes, key);
                assert_eq!(
                    (value("service.name"), value("host.name")),
                    ("web".into(), "host-1".into())
                );
                assert_eq!(value("k8s.node.name"), "node-1");
                (value("k8s.pod.name"), id(span))
            });
            let expected =
                [("web-0", 1), ("web-1", 2), ("web-0", 3)].map(|(pod, id)| (pod.to_owned(), id));
            assert_eq!(pods.collect::<Vec<_>>(), expected);
            let (_, first) = told[0];
            assert_eq!(first.trace_id, b"0123456789abcdef");
            assert_eq!(first.parent_span_id, 7_u64.to_be_bytes());
            assert_eq!((first.name.as_str(), first.kind()), ("GET", Kind::Client));
            let took = first.end_time_unix_nano - first.start_time_unix_nano;
            assert_eq!(
                (first.start_time_unix_nano, took),
                (1_507_566_716_000_000_000, 746_609_046)
            );
            // Sampled, of a parent that is known to be elsewhere.
            assert_eq!(first.flags, 0x301);
            assert_eq!(first.status.as_ref().unwrap().code(), StatusCode::Error);
            assert_eq!(attribute(&first.attributes, "url.path"), "/cart");
            assert_eq!(attribute(&first.attributes, "http.response.status_code"), "404");
            assert_eq!(first.attributes.len(), 2);
            let (_, last) = told[1];
            assert_eq!((last.kind(), &last.status), (Kind::Server, &None));
        });
    }
}

#[test]
fn spans_for_which_there_is_no_room_or_no_taker_are_counted() {
    let collector = Collector::start(Speaks::Http);
    let mut given = given(&collector, Speaks::Http);
    given.signals = Some(vec!["traces".into()]);
    let exporter = start(&settings(&given), &Families::new(Default::default()).registry);
    let traces = exporter.traces().unwrap();
    collector.reply([Reply::Refuse(400, Code::Ok, None)]);
    traces.push(&of("web-0"), &span(1, SpanKind::Client, false));
    collector.wait("the refusal", |received| (!received.headers.is_empty()).then_some(()));
    for number in 0..30_000 {
        traces.push(&of("web-0"), &span(number + 2, SpanKind::Client, false));
    }
    let [figures] = &exporter.stop(PATIENCE)[..] else { panic!("not one") };
    let dropped = |cause| {
        let of_cause = figures.drops.iter().filter(|(of, _)| *of == cause);
        of_cause.map(|(_, count)| count).sum::<u64>()
    };
    assert_eq!(dropped(Cause::Refused), 1);
    assert_eq!(figures.made, 30_001);
    assert_eq!(figures.sent + dropped(Cause::QueueFull) + 1, 30_001, "{figures:?}");
    let came = collector.received(|received| received.all_spans().count());
    assert_eq!(came as u64, figures.sent);
}
