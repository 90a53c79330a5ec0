//! Flags in, filters out, each as it is in the reference of Hubble's interface.

use chandra_hubble::proto::flow::FlowFilter;
use serde_json::{Value, json};

use super::{Error, FLAGS, Given, Lists, NOT, build, flag_named};

fn as_json(filter: &FlowFilter) -> Value {
    serde_json::from_str(&chandra_hubble::json::filter_line(filter).unwrap()).unwrap()
}

/// Flags as typed: `--pod web -A`, without quotes.
fn given(line: &str) -> Vec<Given> {
    let mut words = line.split(' ').filter(|word| !word.is_empty()).peekable();
    let mut given = Vec::new();
    while let Some(word) = words.next() {
        let name = word.trim_start_matches('-');
        let flag = if name == NOT { NOT } else { flag_named(name).expect(name).name };
        let takes = flag_named(flag).is_some_and(|flag| !flag.value_name.is_empty());
        let value = if takes { words.next().unwrap().to_owned() } else { String::new() };
        given.push(Given { flag, value });
    }
    given
}

fn lists(line: &str) -> Lists {
    build(&given(line)).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// What is allowed by flags, as JSON.
fn allow(line: &str) -> Value {
    let lists = lists(line);
    assert_eq!(lists.deny, [], "{line}");
    lists.allow.iter().map(as_json).collect()
}

#[test]
fn a_flag_of_either_end_makes_two_filters() {
    for (line, left, right) in [
        ("--pod web", json!({"source_pod": ["web"]}), json!({"destination_pod": ["web"]})),
        (
            "--ip 10.0.0.0/8",
            json!({"source_ip": ["10.0.0.0/8"]}),
            json!({"destination_ip": ["10.0.0.0/8"]}),
        ),
        (
            "--service a/b",
            json!({"source_service": ["a/b"]}),
            json!({"destination_service": ["a/b"]}),
        ),
        (
            "--fqdn *.x.io",
            json!({"source_fqdn": ["*.x.io"]}),
            json!({"destination_fqdn": ["*.x.io"]}),
        ),
        (
            "--label app=web",
            json!({"source_label": ["app=web"]}),
            json!({"destination_label": ["app=web"]}),
        ),
        (
            "--port 80 --port 81",
            json!({"source_port": ["80", "81"]}),
            json!({"destination_port": ["80", "81"]}),
        ),
        (
            "--cluster west",
            json!({"source_cluster_name": ["west"]}),
            json!({"destination_cluster_name": ["west"]}),
        ),
        ("--identity world", json!({"source_identity": [2]}), json!({"destination_identity": [2]})),
        (
            "--identity 4711",
            json!({"source_identity": [4711]}),
            json!({"destination_identity": [4711]}),
        ),
        (
            "--workload Deployment/web",
            json!({"source_workload": [{"name": "web", "kind": "Deployment"}]}),
            json!({"destination_workload": [{"name": "web", "kind": "Deployment"}]}),
        ),
        (
            "--workload web",
            json!({"source_workload": [{"name": "web"}]}),
            json!({"destination_workload": [{"name": "web"}]}),
        ),
    ] {
        assert_eq!(allow(line), json!([left, right]), "{line}");
    }
}

#[test]
fn a_flag_of_one_end_or_of_none_makes_one() {
    for (line, filter) in [
        ("--from-pod a/b --to-port 80", json!({"source_pod": ["a/b"], "destination_port": ["80"]})),
        (
            "--from-ip 1.1.1.1 --to-ip 2.2.2.2",
            json!({"source_ip": ["1.1.1.1"], "destination_ip": ["2.2.2.2"]}),
        ),
        (
            "--from-service a --to-service b",
            json!({"source_service": ["a"], "destination_service": ["b"]}),
        ),
        ("--from-fqdn a --to-fqdn b", json!({"source_fqdn": ["a"], "destination_fqdn": ["b"]})),
        ("--from-label a --to-label b", json!({"source_label": ["a"], "destination_label": ["b"]})),
        ("--from-port 1", json!({"source_port": ["1"]})),
        (
            "--from-identity host --to-identity kube-apiserver",
            json!({"source_identity": [1], "destination_identity": [7]}),
        ),
        (
            "--from-cluster a --to-cluster b",
            json!({"source_cluster_name": ["a"], "destination_cluster_name": ["b"]}),
        ),
        (
            "--from-workload a --to-workload b",
            json!({"source_workload": [{"name": "a"}], "destination_workload": [{"name": "b"}]}),
        ),
        ("--to-pod /x", json!({"destination_pod": ["/x"]})),
        ("--snat-ip 1.2.3.4", json!({"source_ip_xlated": ["1.2.3.4"]})),
        ("--uuid 1-2", json!({"uuid": ["1-2"]})),
        ("--node-name west/k8s*", json!({"node_name": ["west/k8s*"]})),
        ("--node-label a=b", json!({"node_labels": ["a=b"]})),
        ("--verdict DROPPED --verdict ERROR", json!({"verdict": ["DROPPED", "ERROR"]})),
        ("--drop-reason-desc POLICY_DENIED", json!({"drop_reason_desc": ["POLICY_DENIED"]})),
        ("--protocol udp --protocol dns", json!({"protocol": ["udp", "dns"]})),
        (
            "--tcp-flags syn,ACK --tcp-flags RST",
            json!({"tcp_flags": [{"SYN": true, "ACK": true}, {"RST": true}]}),
        ),
        (
            "--tcp-flags fin,psh,urg,ece,cwr,ns",
            json!({"tcp_flags": [{"FIN": true, "PSH": true, "URG": true, "ECE": true, "CWR": true, "NS": true}]}),
        ),
        ("--traffic-direction Egress", json!({"traffic_direction": ["EGRESS"]})),
        ("--reply", json!({"reply": [true]})),
        ("--not-reply", json!({"reply": [false]})),
        ("--encrypted", json!({"encrypted": [true]})),
        ("--unencrypted", json!({"encrypted": [false]})),
        ("--ipv4 --ipv6", json!({"ip_version": ["IPv4", "IPv6"]})),
        ("--ip-version none --ip-version v6", json!({"ip_version": ["IP_NOT_USED", "IPv6"]})),
        ("--interface eth0", json!({"interface": [{"name": "eth0"}]})),
        ("--http-status 404 --http-status 5+", json!({"http_status_code": ["404", "5+"]})),
        ("--http-method get", json!({"http_method": ["get"]})),
        ("--http-path /a.*", json!({"http_path": ["/a.*"]})),
        ("--http-url x", json!({"http_url": ["x"]})),
        ("--http-header a:b:c", json!({"http_header": [{"key": "a", "value": "b:c"}]})),
        ("--trace-id ab", json!({"trace_id": ["ab"]})),
        ("--ip-trace-id 7", json!({"ip_trace_id": ["7"]})),
        (
            "--cel-expression true --cel-expression false",
            json!({"experimental": {"cel_expression": ["true", "false"]}}),
        ),
    ] {
        assert_eq!(allow(line), json!([filter]), "{line}");
    }
}

#[test]
fn types_have_the_numbers_of_the_reference() {
    for (text, number, sub_type) in [
        ("drop", 1, None),
        ("debug", 2, None),
        ("capture", 3, None),
        ("trace", 4, None),
        ("policy-verdict", 5, None),
        ("trace-sock", 7, None),
        ("l7", 129, None),
        ("agent", 130, None),
        ("12", 12, None),
        ("0", 0, None),
        ("drop:133", 1, Some(133)),
        ("drop:POLICY_DENIED", 1, Some(133)),
        ("trace:to-endpoint", 4, Some(0)),
        ("trace:to-proxy", 4, Some(1)),
        ("trace:to-host", 4, Some(2)),
        ("trace:to-stack", 4, Some(3)),
        ("trace:to-overlay", 4, Some(4)),
        ("trace:from-endpoint", 4, Some(5)),
        ("trace:from-proxy", 4, Some(6)),
        ("trace:from-host", 4, Some(7)),
        ("trace:from-stack", 4, Some(8)),
        ("trace:from-overlay", 4, Some(9)),
        ("trace:from-network", 4, Some(10)),
        ("trace:to-network", 4, Some(11)),
        ("trace:from-crypto", 4, Some(12)),
        ("trace:to-crypto", 4, Some(13)),
        ("agent:agent-started", 130, Some(2)),
        ("agent:ipcache-deleted", 130, Some(10)),
        ("4:3", 4, Some(3)),
    ] {
        let filter = &lists(&format!("--type {text}")).allow[0].event_type[0];
        let told = filter.match_sub_type.then_some(filter.sub_type);
        assert_eq!((filter.r#type, told), (number, sub_type), "{text}");
    }
}

#[test]
fn namespaces_stand_before_names() {
    let either = |source: Value, destination: Value| json!([source, destination]);
    for (line, filters) in [
        (
            "--namespace a",
            either(json!({"source_pod": ["a/"]}), json!({"destination_pod": ["a/"]})),
        ),
        (
            "--namespace a --namespace b",
            either(json!({"source_pod": ["a/", "b/"]}), json!({"destination_pod": ["a/", "b/"]})),
        ),
        (
            "--all-namespaces",
            either(json!({"source_pod": ["/"]}), json!({"destination_pod": ["/"]})),
        ),
        (
            "--namespace a --pod x",
            either(json!({"source_pod": ["a/x"]}), json!({"destination_pod": ["a/x"]})),
        ),
        (
            "--pod a/x --namespace a",
            either(json!({"source_pod": ["a/x"]}), json!({"destination_pod": ["a/x"]})),
        ),
        (
            "--all-namespaces --pod x",
            either(json!({"source_pod": ["/x"]}), json!({"destination_pod": ["/x"]})),
        ),
        (
            "--namespace a --service s",
            either(json!({"source_service": ["a/s"]}), json!({"destination_service": ["a/s"]})),
        ),
        ("--from-namespace a", json!([{"source_pod": ["a/"]}])),
        ("--to-namespace a --to-namespace b", json!([{"destination_pod": ["a/", "b/"]}])),
        (
            "--from-namespace a --to-namespace b",
            json!([{"source_pod": ["a/"], "destination_pod": ["b/"]}]),
        ),
        ("--from-namespace a --from-pod x --from-pod y", json!([{"source_pod": ["a/x", "a/y"]}])),
        ("--to-all-namespaces --to-service s", json!([{"destination_service": ["/s"]}])),
        (
            "--from-namespace a --pod x",
            either(
                json!({"source_pod": ["a/x"]}),
                json!({"source_pod": ["a/"], "destination_pod": ["x"]}),
            ),
        ),
    ] {
        assert_eq!(allow(line), filters, "{line}");
    }
}

#[test]
fn not_concerns_the_next_flag_only() {
    let found = lists("--not --namespace kube-system --verdict DROPPED --not --port 53");
    let json = |filters: &[FlowFilter]| filters.iter().map(as_json).collect::<Value>();
    assert_eq!(json(&found.allow), json!([{"verdict": ["DROPPED"]}]));
    assert_eq!(
        json(&found.deny),
        json!([
            {"source_pod": ["kube-system/"], "source_port": ["53"]},
            {"destination_pod": ["kube-system/"], "destination_port": ["53"]},
        ])
    );
    for line in ["--not", "--port 1 --not", "--not --not --port 1"] {
        assert!(matches!(build(&given(line)), Err(Error::Not(_))), "{line}");
    }
}

#[test]
fn flags_that_exclude_each_other_are_said() {
    for (first, second) in [
        ("pod x", "from-pod y"),
        ("pod x", "to-pod y"),
        ("pod x", "ip 1.1.1.1"),
        ("ip 1.1.1.1", "to-fqdn y"),
        ("ip 1.1.1.1", "namespace y"),
        ("namespace x", "from-namespace y"),
        ("namespace x", "all-namespaces"),
        ("namespace x", "to-pod y"),
        ("namespace x", "from-service y"),
        ("label x", "from-label y"),
        ("service x", "to-service y"),
        ("port 1", "to-port 2"),
        ("identity 1", "from-identity 2"),
        ("workload x", "to-workload y"),
        ("encrypted", "unencrypted"),
        ("reply", "not-reply"),
    ] {
        for (first, second) in [(first, second), (second, first)] {
            let error = build(&given(&format!("--{first} --{second}"))).unwrap_err();
            assert!(matches!(error, Error::Conflict(..)), "--{first} --{second}: {error}");
            let text = error.to_string();
            for flag in [first, second] {
                let name = flag.split(' ').next().unwrap();
                assert!(text.contains(&format!("--{name}")), "{text}");
            }
            // Of two lists each may have its own.
            build(&given(&format!("--{first} --not --{second}"))).unwrap();
        }
    }
    for line in [
        "--from-pod a/x --to-pod b/y",
        "--from-ip 1.1.1.1 --to-fqdn x",
        "--from-port 1 --to-port 2",
    ] {
        build(&given(line)).unwrap();
    }
}

#[test]
fn names_that_contradict_their_namespace_are_said() {
    for line in [
        "--namespace a --pod b/x",
        "--pod b/x --namespace a",
        "--from-namespace a --from-pod b/x",
        "--to-namespace a --to-service b/x",
        "--to-pod a/x --to-service b/s",
    ] {
        let error = build(&given(line)).unwrap_err();
        assert!(matches!(error, Error::Namespace(_)), "{line}: {error}");
    }
}

#[test]
fn values_that_mean_nothing_are_said_with_their_flag() {
    for line in [
        "--verdict SOMETIMES",
        "--drop-reason-desc NEVER",
        "--type sometimes",
        "--type trace:nowhere",
        "--type -1",
        "--tcp-flags SYN,XYZ",
        "--tcp-flags ,",
        "--ip-version v5",
        "--identity nobody",
        "--identity -1",
        "--http-header x",
        "--traffic-direction up",
        "--ip-trace-id 0",
        "--workload /",
    ] {
        let error = build(&given(line)).unwrap_err();
        let (flag, value) = line.split_once(' ').unwrap();
        assert!(matches!(error, Error::Value { .. }), "{line}");
        let problem = error.problem();
        assert_eq!((problem.what, problem.is_usage), (format!("cannot use {flag} {value}"), true));
        assert!(problem.next.contains(flag), "{}", problem.next);
    }
}

#[test]
fn every_flag_takes_its_example() {
    for flag in FLAGS {
        let value = flag.example.trim_matches('\'').to_owned();
        assert_eq!(flag.value_name.is_empty(), value.is_empty(), "--{}", flag.name);
        let lists = build(&[Given { flag: flag.name, value }]).unwrap();
        assert!(!lists.allow.is_empty(), "--{} asks nothing", flag.name);
    }
}
