//! What `chandra observe` asks a server for, flag by flag.

use chandra_hubble::proto::flow::{EventTypeFilter, FlowFilter, Verdict};
use chandra_hubble::proto::observer::GetFlowsRequest;
use chandra_tests::failure::fails;
use chandra_tests::hubble::{Answers, HubbleServer};
use chandra_tests::observe::{Running, asking, command, configuration, printed};

/// The paths of the mask that text is printed from, as the reference has them.
const TEXT: [&str; 26] = [
    "time",
    "verdict",
    "ethernet",
    "IP",
    "l4",
    "source.identity",
    "source.namespace",
    "source.pod_name",
    "destination.identity",
    "destination.namespace",
    "destination.pod_name",
    "Type",
    "node_name",
    "l7",
    "event_type",
    "source_service",
    "destination_service",
    "is_reply",
    "Summary",
    "ip_trace_id",
    "traffic_direction",
    "policy_match_type",
    "egress_allowed_by",
    "ingress_allowed_by",
    "egress_denied_by",
    "ingress_denied_by",
];

/// The one request that comes of these arguments.
#[track_caller]
fn request(arguments: &[&str]) -> GetFlowsRequest {
    let server = HubbleServer::start(Answers::default());
    printed(&mut asking(&server, &[&["observe"], arguments].concat()));
    let asked = server.asked();
    let [request] = asked.flows.as_slice() else { panic!("{:?}", asked.flows) };
    request.clone()
}

#[test]
fn selectors_become_numbers_and_times() {
    for (arguments, number, first) in [
        (&[][..], 20, false),
        (&["--last", "5"], 5, false),
        (&["--first", "5"], 5, true),
        (&["--all"], u64::MAX, false),
        (&["flows", "--last", "7"], 7, false),
        (&["--since", "2026-01-02"], 0, false),
        (&["--since", "2026-01-02", "--last", "3"], 3, false),
    ] {
        let asked = request(arguments);
        assert_eq!(
            (asked.number, asked.first, asked.follow),
            (number, first, false),
            "{arguments:?}"
        );
    }
    let asked =
        request(&["--since", "2026-01-02T15:04:05.5Z", "--until", "2026-01-02T15:05-07:00"]);
    let seconds = |time: Option<prost_types::Timestamp>| time.map(|it| (it.seconds, it.nanos));
    assert_eq!(seconds(asked.since), Some((1_767_366_245, 500_000_000)));
    assert_eq!(seconds(asked.until), Some((1_767_391_500, 0)));
    let before = i64::try_from(chandra_tests::wall_clock::now() / 1_000_000_000).unwrap();
    let since = request(&["--since", "1h"]).since.unwrap().seconds;
    assert!((before - 3600..=before - 3600 + 60).contains(&since), "{since} of {before}");
}

#[test]
fn following_asks_for_what_comes() {
    let server = HubbleServer::start(Answers::default());
    let running =
        Running::start(&mut asking(&server, &["observe", "-f", "--last", "3", "--until", "1m"]));
    chandra_tests::patience::wait_for("a request", || server.asked().flows.first().cloned());
    running.interrupt();
    let asked = server.asked().flows[0].clone();
    assert_eq!((asked.number, asked.follow, asked.until), (3, true, None));
}

#[test]
fn flags_become_filters() {
    let text = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let asked = request(&[
        "-n",
        "shop",
        "--verdict",
        "DROPPED",
        "-t",
        "drop",
        "--not",
        "--to-port",
        "53",
        "--not",
        "-A",
    ]);
    let dropped = FlowFilter {
        verdict: vec![Verdict::Dropped.into()],
        event_type: vec![EventTypeFilter { r#type: 1, ..EventTypeFilter::default() }],
        ..FlowFilter::default()
    };
    let allowed = [
        FlowFilter { source_pod: text(&["shop/"]), ..dropped.clone() },
        FlowFilter { destination_pod: text(&["shop/"]), ..dropped },
    ];
    assert_eq!(asked.whitelist, allowed);
    let port = FlowFilter { destination_port: text(&["53"]), ..FlowFilter::default() };
    let denied = [
        FlowFilter { source_pod: text(&["/"]), ..port.clone() },
        FlowFilter { destination_pod: text(&["/"]), ..port },
    ];
    assert_eq!(asked.blacklist, denied);
}

#[test]
fn raw_filters_are_sent_as_they_are() {
    let allow = r#"{"source_pod":["a/b"]} {"destinationPod":["c/"]}"#;
    let asked =
        request(&["--allowlist", allow, "--denylist", r#"{"verdict":["AUDIT"]}"#, "--port", "1"]);
    let pods: Vec<_> =
        asked.whitelist.iter().map(|it| (&it.source_pod[..], &it.destination_pod[..])).collect();
    assert_eq!(pods.len(), 4, "two of the flag, two raw ones");
    assert_eq!(pods[2..], [(&["a/b".to_owned()][..], &[][..]), (&[], &["c/".to_owned()])]);
    assert_eq!(asked.blacklist[0].verdict, [4]);
    for wrong in ["{", r#"{"pod":["x"]}"#] {
        fails(&mut command(&["observe", "--allowlist", wrong]), 2, "filters", &["--allowlist"]);
    }
}

#[test]
fn raw_filters_are_printed_as_the_configuration_takes_them() {
    let printed_filters = printed(&mut command(&[
        "observe",
        "--print-raw-filters",
        "--pod",
        "it's/x",
        "--not",
        "--verdict",
        "DROPPED",
    ]));
    assert_eq!(
        printed_filters,
        "allowlist:\n    - '{\"source_pod\":[\"it''s/x\"]}'\n    - '{\"destination_pod\":[\"it''s/x\"]}'\n\
         denylist:\n    - '{\"verdict\":[\"DROPPED\"]}'\n"
    );
    let folder = configuration(&printed_filters);
    let again =
        printed(command(&["observe", "--print-raw-filters"]).env("XDG_CONFIG_HOME", folder.path()));
    assert_eq!(again, printed_filters);
    assert_eq!(printed(&mut command(&["observe", "--print-raw-filters"])), "{}\n");
}

#[test]
fn text_asks_for_what_it_prints_and_json_for_all() {
    let mask = |arguments: &[&str]| request(arguments).field_mask.map(|mask| mask.paths);
    for format in ["compact", "dict", "table", "tab", "wide"] {
        let paths = mask(&["-o", format]).unwrap();
        for path in TEXT {
            assert!(paths.iter().any(|asked| asked == path), "{format}: no {path}");
        }
        assert!(!paths.iter().any(|asked| asked == "source_names"), "{format}");
    }
    for arguments in [
        &["-o", "json"][..],
        &["-o", "jsonpb"],
        &["-o", "yaml"],
        &["--use-default-field-masks=false"],
    ] {
        assert_eq!(mask(arguments), None, "{arguments:?}");
    }
    let own = mask(&["-o", "json", "--field-mask", "time,source.pod_name", "--field-mask", "IP"]);
    assert_eq!(own.unwrap(), ["time", "source.pod_name", "IP"]);
    fails(&mut command(&["observe", "--field-mask", "time"]), 2, "filters", &["--field-mask"]);
    let wrong = &["observe", "-o", "json", "--field-mask", "source.nothing"];
    fails(&mut command(wrong), 2, "filters", &["source.nothing"]);
}

#[test]
fn what_cannot_be_asked_is_said_before_anybody_is_asked() {
    for (arguments, check, words) in [
        (&["--first", "1", "--last", "1"][..], "filters", &["--first", "--last"][..]),
        (&["--first", "1", "-f"], "filters", &["--follow"]),
        (&["--since", "soon"], "filters", &["--since", "soon"]),
        (&["--pod", "a", "--from-pod", "b"], "filters", &["--pod", "--from-pod"]),
        (&["--verdict", "MAYBE"], "filters", &["--verdict MAYBE", "DROPPED"]),
        (&["--port", "1", "--not"], "filters", &["--not"]),
        (&["-o", "table", "-f"], "usage", &["table"]),
        (&["-o", "xml"], "filters", &["xml", "compact"]),
        (&["--time-format", "noon"], "filters", &["noon"]),
        (&["--aggregate-by", "who"], "filters", &["who", "src"]),
        (&["--aggregate-by", "src", "-o", "dict"], "filters", &["dict"]),
        (&["--conn-key", "x"], "filters", &["--conn-key"]),
        (&["--min-latency", "x"], "filters", &["--min-latency"]),
        (&["--server", "nowhere"], "hubble", &["nowhere"]),
        (&["--podd", "x"], "usage", &["--pod"]),
    ] {
        fails(&mut command(&[&["observe"], arguments].concat()), 2, check, words);
    }
}
