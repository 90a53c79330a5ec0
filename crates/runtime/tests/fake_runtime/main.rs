//! What Debian's containerd does not do: events, and answers that are slow, huge or wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what it expects by stopping")]

#[path = "../common/mod.rs"]
mod common;
mod messages;
mod server;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chandra_identity::description::RuntimeId;
use chandra_runtime::{Change, Error, Options, Source};
use tokio::sync::mpsc;

use common::Watch;
use messages::{container_status, event, field, listed_container, listed_pod, pod_status, version};
use server::{Answer, NOT_FOUND, Server, UNIMPLEMENTED};

const NEVER: Duration = Duration::from_secs(3600);

fn options() -> Options {
    Options {
        poll: Duration::from_millis(50),
        call_timeout: Duration::from_millis(500),
        max_backoff: Duration::from_millis(100),
        ..Options::default()
    }
}

/// A runtime with the containers of this set, all in one pod, and no events.
fn answer(containers: &BTreeSet<String>, call: &str, id: &str) -> Answer {
    match call {
        "Version" => Answer::Message(version()),
        "ListPodSandbox" => Answer::Message(listed_pod("pod")),
        "ListContainers" => {
            let lines = containers.iter().map(|id| listed_container(id, "pod"));
            Answer::Message(lines.flatten().collect())
        }
        "PodSandboxStatus" if id == "pod" => Answer::Message(pod_status(id)),
        "ContainerStatus" if containers.contains(id) => {
            Answer::Message(container_status(id, &[], r#"{"pid":7,"sandboxID":"pod"}"#))
        }
        "PodSandboxStatus" | "ContainerStatus" => Answer::Refusal(NOT_FOUND),
        _ => Answer::Refusal(UNIMPLEMENTED),
    }
}

type Containers = Arc<Mutex<BTreeSet<String>>>;

fn containers(ids: &[&str]) -> Containers {
    Arc::new(Mutex::new(ids.iter().map(|id| (*id).to_owned()).collect()))
}

/// That runtime, but some calls get another answer.
fn but(
    containers: &Containers,
    other: impl Fn(&str, &str) -> Option<Answer> + Send + Sync + 'static,
) -> Server {
    let containers = Arc::clone(containers);
    Server::start(move |call, id| {
        other(call, id).unwrap_or_else(|| answer(&containers.lock().unwrap(), call, id))
    })
}

/// That runtime with events. The sender can be taken away to end the stream.
type Events = Arc<Mutex<Vec<mpsc::UnboundedSender<Vec<u8>>>>>;

fn with_events(containers: &Containers) -> (Server, Events) {
    let events = Events::default();
    let streams = Arc::clone(&events);
    let server = but(containers, move |call, _| {
        (call == "GetContainerEvents").then(|| {
            let (to, messages) = mpsc::unbounded_channel();
            streams.lock().unwrap().push(to);
            Answer::Stream(messages)
        })
    });
    (server, events)
}

fn send(events: &Events, id: &str) {
    let sender = chandra_tests::patience::wait_for("a stream of events", || {
        events.lock().unwrap().last().cloned()
    });
    sender.send(event(id)).unwrap();
}

#[test]
fn events_tell_sooner_than_lists() {
    let running = containers(&["first"]);
    let (server, events) = with_events(&running);
    let mut watch = Watch::start(&server.socket(), Options { poll: NEVER, ..options() });
    watch.wait_until_fresh();
    running.lock().unwrap().insert("second".to_owned());
    send(&events, "second");
    watch.wait_until_running("second");
    assert_eq!(watch.told.pod_of("second").unwrap().name.as_str(), "name-of-pod");
    running.lock().unwrap().remove("first");
    send(&events, "first");
    watch.wait_until_gone("first");
    let counts = watch.handle.counts();
    assert_eq!((counts.lists, counts.events), (1, 2));
}

#[test]
fn a_stream_of_events_that_ends_leaves_lists() {
    let running = containers(&[]);
    let (server, events) = with_events(&running);
    let mut watch =
        Watch::start(&server.socket(), Options { poll_beside_events: NEVER, ..options() });
    watch.wait_until_fresh();
    running.lock().unwrap().insert("first".to_owned());
    send(&events, "first");
    watch.wait_until_running("first");
    // Long enough for one more list, after which the next is never, because there are events.
    std::thread::sleep(2 * options().poll);
    events.lock().unwrap().clear();
    running.lock().unwrap().insert("second".to_owned());
    watch.wait_until_running("second");
    assert!(watch.told.stale().is_none());
}

#[test]
fn events_that_never_come_do_not_slow_down_lists() {
    let running = containers(&[]);
    // containerd answers this call only when there is the first event.
    let server = but(&running, |call, _| (call == "GetContainerEvents").then_some(Answer::Silence));
    let mut watch = Watch::start(&server.socket(), options());
    watch.wait_until_fresh();
    running.lock().unwrap().insert("first".to_owned());
    watch.wait_until_running("first");
}

#[test]
fn garbage_in_the_stream_of_events_does_no_harm() {
    let running = containers(&[]);
    let (server, events) = with_events(&running);
    let mut watch = Watch::start(&server.socket(), options());
    watch.wait_until_fresh();
    send(&events, "");
    send(&events, &"x".repeat(100));
    let sender = events.lock().unwrap().last().cloned().unwrap();
    sender.send(b"\xff\xff\xff".to_vec()).unwrap();
    running.lock().unwrap().insert("first".to_owned());
    watch.wait_until_running("first");
}

#[test]
fn a_container_whose_status_hangs_does_not_hold_up_the_others() {
    let ids: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    let running = containers(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let server = but(&running, |call, id| {
        (call == "ContainerStatus" && ["c3", "c7"].contains(&id)).then_some(Answer::Silence)
    });
    let patient = Options { call_timeout: Duration::from_secs(5), poll: NEVER, ..options() };
    let mut watch = Watch::start(&server.socket(), patient);
    let until = Instant::now() + chandra_tests::patience::PATIENCE;
    while watch.told.containers().count() < 18 {
        watch.next(until, "all that answer");
    }
    assert_eq!(watch.handle.counts().failed_looks, 0);
    watch.wait_until_fresh();
    assert_eq!(watch.told.containers().count(), 18);
    assert_eq!(watch.handle.counts().failed_looks, 2);
}

#[test]
fn a_hint_is_answered_while_the_looks_of_a_list_hang() {
    let ids: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
    let running = containers(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let server = but(&running, |call, id| {
        (call == "ContainerStatus" && id.starts_with('c')).then_some(Answer::Silence)
    });
    let patient = Options { call_timeout: Duration::from_secs(30), poll: NEVER, ..options() };
    let mut watch = Watch::start(&server.socket(), patient);
    chandra_tests::patience::wait_for("looks", || (watch.handle.counts().looks >= 8).then_some(()));
    running.lock().unwrap().insert("now".to_owned());
    watch.handle.look(RuntimeId::new("now").unwrap());
    watch.wait_until_running("now");
}

#[test]
fn what_the_runtime_does_not_know_yet_is_tried_again() {
    let asked = Arc::new(Mutex::new(0));
    let server = but(&containers(&[]), move |call, id| {
        (call == "PodSandboxStatus" && id == "late").then(|| {
            *asked.lock().unwrap() += 1;
            match *asked.lock().unwrap() {
                0..3 => Answer::Refusal(NOT_FOUND),
                _ => Answer::Message(pod_status(id)),
            }
        })
    });
    let mut watch = Watch::start(&server.socket(), Options { poll: NEVER, ..options() });
    watch.wait_until_fresh();
    watch.handle.look(RuntimeId::new("late").unwrap());
    let change = watch.wait_for("an answer", |_| true);
    assert!(matches!(change, Change::PodSeen(pod) if common::is(&pod.sandbox_id, "late")));
}

#[test]
fn a_list_that_hangs_makes_it_stale_until_lists_come_again() {
    let running = containers(&["first"]);
    let hangs = Arc::new(Mutex::new(false));
    let hanging = Arc::clone(&hangs);
    let server = but(&running, move |call, _| {
        (call == "ListContainers" && *hanging.lock().unwrap()).then_some(Answer::Silence)
    });
    let mut watch = Watch::start(&server.socket(), options());
    watch.wait_until_fresh();
    *hangs.lock().unwrap() = true;
    let reason = watch.wait_until_stale();
    assert_eq!(reason, "ListContainers had no answer within 500ms");
    assert!(watch.told.container("first").is_some());
    running.lock().unwrap().clear();
    *hangs.lock().unwrap() = false;
    watch.wait_until_fresh();
    assert_eq!(watch.told.containers().count(), 0);
}

#[test]
fn a_huge_list_is_followed_up_to_a_ceiling() {
    let server = but(&containers(&[]), |call, _| {
        let lines = (0..20_000).flat_map(|id| listed_container(format!("{id:064}"), "pod"));
        (call == "ListContainers").then(|| Answer::Message(lines.collect()))
    });
    let mut watch = Watch::start(&server.socket(), Options { poll: NEVER, ..options() });
    watch.wait_until_fresh();
    // With the pod.
    assert_eq!(watch.handle.counts().omitted, 20_001 - 16_384);
}

#[test]
fn a_list_beyond_the_size_of_a_message_makes_it_stale() {
    let server = but(&containers(&[]), |call, _| {
        (call == "ListPodSandbox").then(|| Answer::Message(field(9, vec![0; 17 << 20])))
    });
    let mut watch = Watch::start(&server.socket(), options());
    assert!(watch.wait_until_stale().starts_with("ListPodSandbox was refused"));
    let error = Source::connect(&server.socket(), options()).unwrap().snapshot().unwrap_err();
    assert!(matches!(error, Error::Refused { call: "ListPodSandbox", .. }), "{error}");
}

#[test]
fn garbage_about_one_container_costs_that_one() {
    let running = containers(&["good", "cut", "empty", "noise", "liar", "strange"]);
    let server = but(&running, |call, id| {
        (call == "ContainerStatus").then_some(match id {
            "cut" => Answer::Message(container_status(id, &[], "{")[..9].to_vec()),
            "empty" => Answer::Message(Vec::new()),
            "noise" => Answer::Raw(vec![0xff; 1000]),
            // Says that it is longer than any message may be.
            "liar" => Answer::Raw(vec![0, 0xff, 0xff, 0xff, 0xff, 1]),
            "strange" => {
                let more = [
                    messages::number(4, u64::MAX),
                    messages::entry(12, b"\xff\xfe", "no text as key"),
                    messages::entry(12, "key", b"\xff\x00\x1b"),
                    field(8, field(1, b"\xf0\x28\x8c\x28")),
                ];
                Answer::Message(container_status(id, &more.concat(), "[{]"))
            }
            _ => return None,
        })
    });
    let mut watch = Watch::start(&server.socket(), Options { poll: NEVER, ..options() });
    watch.wait_until_fresh();
    assert_eq!(watch.told.containers().count(), 2);
    assert!(watch.told.container("good").is_some());
    let strange = watch.told.container("strange").unwrap();
    assert_eq!(
        strange.details.labels.as_ref().unwrap().get("key").unwrap().as_str(),
        "\u{fffd}\0\u{1b}"
    );
    assert_eq!((strange.details.labels.as_ref().unwrap().omitted(), strange.created_at_ns), (1, 0));
    assert_eq!((strange.pid, strange.details.privileged), (None, None));
    assert_eq!(watch.handle.counts().failed_looks, 4);
}

#[test]
fn lines_of_a_list_that_are_garbage_are_passed_over() {
    let server = but(&containers(&["good"]), |call, _| {
        let lines = [
            listed_container("good", "pod"),
            listed_container("", "pod"),
            listed_container(b"\xff", "pod"),
            listed_container("x".repeat(1000), "pod"),
            listed_container("good", "pod"),
        ];
        (call == "ListContainers").then(|| Answer::Message(lines.concat()))
    });
    let mut watch = Watch::start(&server.socket(), options());
    watch.wait_until_fresh();
    assert_eq!(watch.told.containers().count(), 1);
}

#[test]
fn who_does_not_speak_cri_is_refused_in_words() {
    let refusing = Server::start(|_, _| Answer::Refusal(UNIMPLEMENTED));
    let silent = Server::start(|_, _| Answer::Silence);
    let file = refusing.folder().join("file");
    std::fs::write(&file, "").unwrap();
    // Takes connections and says nothing, not even in HTTP.
    let mute = refusing.folder().join("mute.sock");
    let _mute = std::os::unix::net::UnixListener::bind(&mute).unwrap();
    for (socket, expected) in [
        (&*refusing.socket(), "Version was refused"),
        (&*silent.socket(), "Version had no answer within 500ms"),
        (&*mute, "had no answer within 500ms"),
        (&*file, "no connection to"),
        (Path::new("/nowhere/at.sock"), "No such file"),
        (Path::new("relative.sock"), "not the path of a Unix socket"),
    ] {
        let error = Source::connect(socket, options()).unwrap_err().to_string();
        assert!(error.contains(expected), "{}: {error}", socket.display());
    }
}

#[test]
fn it_stops_at_once_whatever_hangs() {
    for hanging in ["ListPodSandbox", "ContainerStatus", "GetContainerEvents"] {
        let server =
            but(&containers(&["c"]), move |call, _| (call == hanging).then_some(Answer::Silence));
        let patient = Options { call_timeout: NEVER, ..options() };
        let watch = Watch::start(&server.socket(), patient);
        let begun = || (watch.handle.counts().lists > 0).then_some(());
        chandra_tests::patience::wait_for("a list", begun);
        let started = Instant::now();
        drop(watch);
        assert!(started.elapsed() < Duration::from_secs(2), "{hanging}");
    }
}
