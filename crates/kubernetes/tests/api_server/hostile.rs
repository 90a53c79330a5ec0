//! Answers that no API server gives.

use chandra_identity::cluster::{Change, Resource};
use chandra_kubernetes::Options;
use chandra_tests::api_server::{Answer, Cluster, Piece, Server, line, refusal};
use serde_json::json;

use crate::watching::{Watching, options};

fn any() -> serde_json::Value {
    json!({"metadata": {"namespace": "n"}})
}

#[test]
fn lines_that_are_garbage_are_counted_and_passed_over() {
    let cluster = Cluster::new(10, 0);
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    let garbage: [&[u8]; 9] = [
        b"garbage\n",
        b"{\"type\":\"ADDED\"}\n",
        b"{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n",
        b"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\"}}}\n",
        b"{\"type\":\"OTHER\",\"object\":{}}\n",
        b"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}\n",
        b"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\xff\xfe\",\"resourceVersion\":\"9\"}}}\n",
        b"{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":7,\"resourceVersion\":\"9\"}}}\n",
        b"\xf0\x28\x8c\x28\x00\n",
    ];
    for line in garbage {
        cluster.send("pods", line);
    }
    cluster.send("pods", [vec![b'['; 100_000], b"\n".to_vec()].concat());
    cluster.put("pods", "good", any());
    watching.wait_for("pods good");
    assert_eq!(watching.told, ["listing pods", "listed pods", "pods good"]);
    let counts = watching.handle.counts();
    assert_eq!((counts.malformed, counts.events, counts.lists), (10, 1, 1));
}

#[test]
fn a_line_that_is_too_long_is_passed_over() {
    let cluster = Cluster::new(10, 0);
    let server = cluster.serve();
    let mut watching = Watching::with(server.address, |access| Options {
        max_object_bytes: 100_000,
        ..options(access, Resource::Pods)
    });
    watching.wait_until("a watch", |counts| counts.watches == 1);
    let long = json!({"metadata": {"namespace": "n", "annotations": {"a": "x".repeat(100_000)}}});
    cluster.put("pods", "long", long);
    cluster.put("pods", "good", any());
    watching.wait_for("pods good");
    assert_eq!(watching.names(Resource::Pods), ["good"]);
    let counts = watching.handle.counts();
    assert_eq!((counts.too_long, counts.malformed), (1, 0));
}

#[test]
fn objects_of_a_list_that_are_garbage_cost_only_themselves() {
    let cluster = Cluster::new(10, 0);
    let server = cluster.but(|asked| {
        let list =
            br#"{"items":[7,null,{"metadata":{"name":"good","namespace":"n"}},{"metadata":{}},
            {"metadata":{"name":"port"},"spec":{"ports":[{"port":99999}]}},
            {"metadata":{"name":"last","namespace":"n"}}],"metadata":{"resourceVersion":"10"}}"#;
        (!asked.is_watch()).then(|| Answer::Whole(200, list.to_vec(), None))
    });
    let mut watching = Watching::start(server.address, Resource::Services);
    watching.wait_for("listed services");
    assert_eq!(watching.names(Resource::Services), ["good", "last"]);
    assert_eq!(watching.handle.counts().malformed, 4);
}

#[test]
fn answers_that_are_no_list_are_said() {
    for body in ["", "<html>", "{}", r#"{"items":[]}"#, r#"{"metadata":{"resourceVersion":"1"},"#] {
        let server = Server::start(move |_| Answer::Whole(200, body.into(), None));
        let mut watching = Watching::start(server.address, Resource::Nodes);
        watching.wait_for("stale nodes");
        assert_eq!(watching.stale[&Resource::Nodes], "the answer is not a list of nodes", "{body}");
        assert!(watching.known.is_empty());
    }
}

#[test]
fn a_list_that_does_not_end_is_given_up() {
    let server = Server::start(|_| {
        let metadata = r#"{"metadata":{"resourceVersion":"1","continue":"more"},"items":[]}"#;
        Answer::Whole(200, metadata.into(), None)
    });
    let mut watching = Watching::start(server.address, Resource::Nodes);
    watching.wait_for("stale nodes");
    assert_eq!(watching.stale[&Resource::Nodes], "the list of nodes does not end");
}

#[test]
fn an_object_that_does_not_end_is_given_up() {
    let server = Server::start(|_| {
        let (to, pieces) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let begin = br#"{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":""#;
            let mut sent = to.send(Piece::Bytes(begin.to_vec()));
            while sent.is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(1));
                sent = to.send(Piece::Bytes(vec![b'x'; 10_000]));
            }
        });
        Answer::Pieces(pieces)
    });
    let mut watching = Watching::with(server.address, |access| Options {
        call_timeout: std::time::Duration::from_millis(500),
        ..options(access, Resource::Nodes)
    });
    watching.wait_for("stale nodes");
    assert_eq!(watching.stale[&Resource::Nodes], "list of nodes had no answer within 500ms");
}

#[test]
fn an_object_with_more_than_any_has_is_kept_within_bounds() {
    let cluster = Cluster::new(10, 0);
    let addresses: Vec<_> =
        (0..10_000).map(|n| json!({"ip": format!("10.1.{}.{}", n / 250, n % 250)})).collect();
    let labels: std::collections::BTreeMap<_, _> =
        (0..10_000).map(|number| (format!("label-{number}"), "x".repeat(63))).collect();
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    let pod =
        json!({"metadata": {"namespace": "n", "labels": labels}, "status": {"podIPs": addresses}});
    cluster.put("pods", "many", pod);
    watching.wait_for("pods many");
    let Change::Pod(pod) = watching.get(Resource::Pods, "many") else { panic!() };
    assert_eq!(pod.ips.len(), 64);
    assert!(pod.labels.len() <= 128 && pod.labels.omitted() > 9_000);
    chandra_tests::patience::wait_for("the count", || {
        (watching.handle.counts().omitted == 10_000 - 64).then_some(())
    });
}

#[test]
fn words_of_a_refusal_are_shortened_and_do_no_harm() {
    let noise = format!("{{\"message\":\"{}\\u001b[2J\"}}", "\\u001b".repeat(1000));
    for body in [noise.into_bytes(), vec![0xff; 1 << 20], Vec::new()] {
        let server = Server::start(move |_| Answer::Whole(500, body.clone(), None));
        let mut watching = Watching::start(server.address, Resource::Pods);
        watching.wait_for("stale pods");
        let words = &watching.stale[&Resource::Pods];
        assert!(words.starts_with("list of pods was refused: 500"), "{words}");
        assert!(words.len() < 400 && !words.chars().any(char::is_control), "{words:?}");
    }
}

#[test]
fn an_error_in_a_watch_that_is_not_about_age_costs_a_list() {
    let cluster = Cluster::new(10, 0);
    cluster.put("pods", "a", any());
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    let object = refusal(500, "InternalError", "etcd event without value");
    cluster.send("pods", line(&json!({"type": "ERROR", "object": object})));
    watching.wait_for("stale pods");
    assert!(watching.stale[&Resource::Pods].ends_with("500: etcd event without value"));
    watching.wait_for("listed pods");
    assert_eq!(watching.handle.counts().refused, 1);
}
