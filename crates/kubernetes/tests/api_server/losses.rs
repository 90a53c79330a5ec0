//! Servers that go, come back, or have forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chandra_identity::cluster::Resource;
use chandra_kubernetes::Options;
use chandra_tests::api_server::{Answer, Cluster, Piece, line, refusal, refused};
use serde_json::json;

use crate::watching::{Watching, options};

fn any() -> serde_json::Value {
    json!({"metadata": {"namespace": "n"}})
}

fn with_pods(names: &[&str]) -> Cluster {
    let cluster = Cluster::new(10, 0);
    for name in names {
        cluster.put("pods", name, any());
    }
    cluster
}

#[test]
fn a_watch_that_is_cut_goes_on_where_it_was() {
    let cluster = with_pods(&["a"]);
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_for("listed pods");
    for round in 1..=5 {
        watching.wait_until("a watch", |counts| counts.watches == round);
        cluster.put("pods", &format!("before-{round}"), any());
        watching.wait_for(&format!("pods before-{round}"));
        cluster.cut("pods");
        // While nobody watches, or just after: either way it comes once.
        cluster.put("pods", &format!("after-{round}"), any());
        watching.wait_for(&format!("pods after-{round}"));
    }
    let counts = watching.handle.counts();
    assert_eq!((counts.lists, counts.events, counts.cuts), (1, 10, 5));
    assert!(!watching.told.iter().any(|told| told.starts_with("stale")));
    assert_eq!(watching.told.len(), 3 + 10);
}

#[test]
fn a_bookmark_says_where_to_go_on_when_nothing_else_happened() {
    let cluster = with_pods(&["a"]);
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    // The versions go on by other things, and the server forgets what was before.
    cluster.compact();
    cluster.bookmark("pods");
    watching.wait_until("the bookmark", |counts| counts.bookmarks == 1);
    cluster.cut("pods");
    watching.wait_until("another watch", |counts| counts.watches == 2);
    cluster.put("pods", "b", any());
    watching.wait_for("pods b");
    let counts = watching.handle.counts();
    assert_eq!((counts.lists, counts.expired), (1, 0));
    assert_eq!(watching.told, ["listing pods", "pods a", "listed pods", "pods b"]);
}

#[test]
fn a_watch_that_the_server_ends_goes_on_at_once() {
    let cluster = with_pods(&[]);
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    for round in 1..=3 {
        watching.wait_until("a watch", |counts| counts.watches == round);
        cluster.put("pods", &format!("p{round}"), any());
        watching.wait_for(&format!("pods p{round}"));
        cluster.end("pods");
    }
    watching.wait_until("a watch", |counts| counts.watches == 4);
    let counts = watching.handle.counts();
    assert_eq!((counts.lists, counts.cuts), (1, 0));
}

#[test]
fn a_version_that_is_too_old_costs_one_list_and_drops_what_was_deleted() {
    let cluster = with_pods(&["kept", "deleted"]);
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    watching.wait_for("listed pods");
    // Nobody is told of it: the watch ends first, and the log is gone when it is opened again.
    let held = Cluster::clone(&cluster);
    held.cut("pods");
    held.delete("pods", "deleted");
    held.put("pods", "new", any());
    held.compact();
    watching.wait_for("listed pods");
    assert_eq!(watching.names(Resource::Pods), ["kept", "new"]);
    watching.wait_until("a watch", |counts| counts.watches >= 2);
    let counts = watching.handle.counts();
    assert_eq!((counts.lists, counts.expired), (2, 1));
    assert!(!watching.told.contains(&"pods deleted gone".to_owned()));
    assert!(!watching.told.contains(&"stale pods".to_owned()));
    // The second must be no older than what was told.
    let lists: Vec<_> = server.asked().into_iter().filter(|asked| !asked.is_watch()).collect();
    assert_eq!(lists[0].get("resourceVersion"), Some("0"));
    assert_eq!(lists[1].get("resourceVersion"), None);
}

#[test]
fn an_event_that_says_too_old_costs_one_list() {
    let cluster = with_pods(&["a"]);
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    let gone = refusal(410, "Gone", "too old resource version: 1 (2)");
    cluster.send("pods", line(&json!({"type": "ERROR", "object": gone})));
    watching.wait_until("another watch", |counts| counts.watches == 2);
    cluster.put("pods", "b", any());
    watching.wait_for("pods b");
    let counts = watching.handle.counts();
    assert_eq!((counts.lists, counts.expired, counts.events), (2, 1, 1));
    let told = ["listing pods", "pods a", "listed pods"];
    assert_eq!(watching.told, [&told[..], &told[..], &["pods b"]].concat());
}

#[test]
fn a_server_that_starts_again_with_other_versions_is_waited_for() {
    let first = Cluster::new(5000, 0);
    first.put("pods", "old", any());
    first.put("pods", "both", any());
    let server = first.serve();
    let address = server.address;
    let mut watching = Watching::start(address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    watching.wait_for("listed pods");
    drop(server);
    watching.wait_for("stale pods");
    assert!(watching.stale[&Resource::Pods].contains("no connection to the API server"));
    assert_eq!(watching.names(Resource::Pods), ["both", "old"]);
    // Below those of the first: it was restored from somewhere.
    let second = Cluster::new(3, 0);
    second.put("pods", "both", any());
    let _server = second.serve_at(address);
    watching.wait_for("listed pods");
    assert_eq!(watching.names(Resource::Pods), ["both"]);
    assert!(watching.stale.is_empty());
    second.put("pods", "new", any());
    watching.wait_for("pods new");
    assert_eq!(watching.handle.counts().lists, 2);
}

#[test]
fn a_server_that_comes_back_as_it_was_costs_no_list() {
    let cluster = with_pods(&["a"]);
    let server = cluster.serve();
    let address = server.address;
    let mut watching = Watching::start(address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    drop(server);
    watching.wait_for("stale pods");
    let _server = cluster.serve_at(address);
    cluster.put("pods", "b", any());
    watching.wait_for("pods b");
    let told = ["listing pods", "pods a", "listed pods", "stale pods", "fresh pods", "pods b"];
    assert_eq!(watching.told, told);
    assert_eq!(watching.handle.counts().lists, 1);
}

#[test]
fn what_is_quiet_after_a_loss_becomes_fresh_all_the_same() {
    let cluster = with_pods(&["a"]);
    let server = cluster.serve();
    let address = server.address;
    let mut watching = Watching::start(address, Resource::Pods);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    drop(server);
    watching.wait_for("stale pods");
    let _server = cluster.serve_at(address);
    watching.wait_for("fresh pods");
    assert_eq!(watching.handle.counts().lists, 1);
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let cluster = with_pods(&["a"]);
    let address = cluster.serve().address;
    let mut watching = Watching::start(address, Resource::Pods);
    watching.wait_for("stale pods");
    let _server = cluster.serve_at(address);
    watching.wait_for("listed pods");
    assert_eq!(watching.told, ["stale pods", "listing pods", "pods a", "listed pods"]);
}

#[test]
fn what_is_not_allowed_is_said_and_harms_nothing_else() {
    let cluster = with_pods(&["a"]);
    cluster.put("nodes", "own", any());
    let is_allowed = Arc::new(AtomicBool::new(false));
    let allowed = Arc::clone(&is_allowed);
    let server = cluster.but(move |asked| {
        let message = "nodes is forbidden: User \"chandra\" cannot list resource \"nodes\"";
        let is_denied = asked.resource() == "nodes" && !allowed.load(Ordering::Relaxed);
        is_denied.then(|| refused(403, "Forbidden", message))
    });
    let mut watching = Watching::with(server.address, |access| Options {
        resources: vec![Resource::Nodes, Resource::Pods],
        ..options(access, Resource::Pods)
    });
    watching.wait_for("stale nodes");
    let words = &watching.stale[&Resource::Nodes];
    assert!(words.starts_with("list of nodes was refused: 403: nodes is forbidden"), "{words}");
    assert!(words.ends_with("docs/reference/rbac.md says"), "{words}");
    watching.wait_until("more refusals", |counts| counts.refused > 3);
    cluster.put("pods", "b", any());
    watching.wait_for("pods b");
    assert_eq!(watching.stale.keys().collect::<Vec<_>>(), [&Resource::Nodes]);
    is_allowed.store(true, Ordering::Relaxed);
    watching.wait_for("listed nodes");
    assert!(watching.stale.is_empty());
    assert_eq!(watching.told.iter().filter(|told| *told == "stale nodes").count(), 1);
}

#[test]
fn a_page_that_is_too_old_begins_the_list_again() {
    let cluster = Cluster::new(1, 2);
    for name in ["a", "b", "c", "d", "e"] {
        cluster.put("pods", name, any());
    }
    let is_first = AtomicBool::new(true);
    let server = cluster.but(move |asked| {
        let is_next = asked.get("continue").is_some_and(|page| page.ends_with("/4"));
        (is_next && is_first.swap(false, Ordering::Relaxed))
            .then(|| refused(410, "Expired", "The provided continue parameter is too old"))
    });
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_for("listed pods");
    assert_eq!(watching.names(Resource::Pods), ["a", "b", "c", "d", "e"]);
    assert_eq!(watching.told.iter().filter(|told| *told == "listing pods").count(), 2);
    assert_eq!(watching.handle.counts().expired, 1);
}

#[test]
fn a_half_open_watch_is_opened_again_without_a_list() {
    let cluster = with_pods(&["a"]);
    let held = Arc::new(std::sync::Mutex::new(Vec::new()));
    let silent = Arc::clone(&held);
    let is_first = AtomicBool::new(true);
    let server = cluster.but(move |asked| {
        (asked.is_watch() && is_first.swap(false, Ordering::Relaxed)).then(|| {
            let (to, pieces) = tokio::sync::mpsc::unbounded_channel();
            silent.lock().unwrap().push(to);
            Answer::Pieces(pieces)
        })
    });
    let mut watching = Watching::with(server.address, |access| Options {
        silence: Duration::from_millis(300),
        ..options(access, Resource::Pods)
    });
    watching.wait_for("listed pods");
    cluster.put("pods", "b", any());
    // Bytes that make no line are silence, too.
    let dripping = Arc::clone(&held);
    let dripper = std::thread::spawn(move || {
        while let Some(watch) = dripping.lock().unwrap().first() {
            if watch.send(Piece::Bytes(b" ".to_vec())).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    watching.wait_for("pods b");
    dripper.join().unwrap();
    let counts = watching.handle.counts();
    assert_eq!((counts.lists, counts.silences), (1, 1));
    assert_eq!(watching.told, ["listing pods", "pods a", "listed pods", "pods b"]);
}

#[test]
fn a_server_that_says_nothing_again_and_again_is_asked_for_a_new_list() {
    let cluster = with_pods(&["a"]);
    let mute = Arc::new(std::sync::Mutex::new(Vec::new()));
    let server = cluster.but(move |asked| {
        // As if it waited for a version that is far away.
        asked.is_watch().then(|| {
            let (to, pieces) = tokio::sync::mpsc::unbounded_channel();
            mute.lock().unwrap().push(to);
            Answer::Pieces(pieces)
        })
    });
    let mut watching = Watching::with(server.address, |access| Options {
        silence: Duration::from_millis(20),
        ..options(access, Resource::Pods)
    });
    watching.wait_for("listed pods");
    cluster.delete("pods", "a");
    watching.wait_for("listed pods");
    assert!(watching.names(Resource::Pods).is_empty());
    assert!(watching.handle.counts().silences >= 3);
}

#[test]
fn a_server_that_ends_every_watch_at_once_is_not_asked_in_a_storm() {
    let cluster = with_pods(&["a"]);
    let watches = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&watches);
    let server = cluster.but(move |asked| {
        asked.is_watch().then(|| {
            counted.fetch_add(1, Ordering::Relaxed);
            Answer::Whole(200, Vec::new(), None)
        })
    });
    let mut watching = Watching::with(server.address, |access| Options {
        max_backoff: Duration::from_secs(3600),
        ..options(access, Resource::Pods)
    });
    watching.wait_for("stale pods");
    assert!(watching.stale[&Resource::Pods].contains("ends as soon as it begins"));
    assert_eq!(watches.load(Ordering::Relaxed), 2);
    assert_eq!(watching.handle.counts().lists, 1);
}
