//! Connections from their opening to their close.

use std::path::Path;

use chandra_tests::actor::Actor;
use chandra_tests::comparison::Comparison;
use chandra_tests::endpoint::Endpoint;
use chandra_tests::handshake::Wire;
use chandra_tests::socket;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock::{now, since_boot};

use crate::hooks::Hooks;
use crate::new_actor;

/// Two processes, one of which listens, and what goes between them.
pub struct Scene {
    pub opener: Actor,
    pub acceptor: Actor,
    pub address: String,
    wire: Wire,
}

impl Scene {
    pub fn new() -> Self {
        let (opener, mut acceptor) = (new_actor(), new_actor());
        let address = acceptor.ask("listen 127.0.0.1:0");
        Self { opener, acceptor, address, wire: Wire::new() }
    }

    /// Opens a connection and returns its two ends.
    pub fn connect(&mut self) -> [Endpoint; 2] {
        let opener = self.opener.ask(&format!("connect {}", self.address));
        let acceptor = self.acceptor.ask("accept");
        let mut ends = [
            Endpoint::new(self.opener.pid(), "opener", &opener),
            Endpoint::new(self.acceptor.pid(), "acceptor", &acceptor),
        ];
        let key = self.wire.key(ends[0].local, ends[0].peer);
        for end in &mut ends {
            end.key = Ok(key.clone());
        }
        ends
    }
}

/// A connection that is established, and one that is refused.
pub fn connect(chandra: &Path, hooks: &mut Hooks) {
    let mut scene = Scene::new();
    let mut trace = Trace::start_program(chandra, &["tcp-connect"]);
    let (before, begun) = (now(), since_boot());
    let [opener, _] = scene.connect();
    let (when, took) = (before..=now(), since_boot() - begun);
    let record = trace.wait_for("the connect", |record| opener.is_in(record, "tcp_established"));
    let mut fields = opener.compare(&record, "tcp_established", when);
    fields.is_within("latency_ns", 1..=took);
    hooks.compared("state", fields.finish());

    // A port that is taken and on which nobody listens.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let (before, begun) = (now(), since_boot());
    let error = libc::ECONNREFUSED;
    assert_eq!(scene.opener.ask(&format!("connect {address}")), format!("error {error}"));
    let (when, took) = (before..=now(), since_boot() - begun);
    let record = trace.wait_for("the refusal", |record| {
        record.kind() == "tcp_connect_failed"
            && record.number("connection.peer.port") == Some(address.port().into())
    });
    // The program never learns its port: any that the system gives out.
    let port = record.number("connection.local.port").unwrap_or_default();
    let ends = format!("127.0.0.1:{port} {address}");
    let refused = Endpoint::new(scene.opener.pid(), "opener", &ends);
    let mut fields = refused.compare(&record, "tcp_connect_failed", when);
    if port < 1024 {
        fields.problem(format!("local port {port}"));
    }
    fields.is_within("latency_ns", 1..=took);
    fields.is("error", "ECONNREFUSED");
    fields.is("error_number", error);
    hooks.compared("state", fields.finish());
    hooks.served(&trace.stop());
}

/// A connection that waits to be accepted for a while.
pub fn accept(chandra: &Path, hooks: &mut Hooks) {
    let mut scene = Scene::new();
    let mut trace = Trace::start_program(chandra, &["tcp-accept"]);
    let (before, begun) = (now(), since_boot());
    let [_, acceptor] = scene.connect();
    let (when, took) = (before..=now(), since_boot() - begun);
    let record = trace.wait_for("the accept", |record| acceptor.is_in(record, "tcp_accept"));
    let mut fields = acceptor.compare(&record, "tcp_accept", when);
    fields.is_within("queued_ns", 1..=took);
    hooks.compared("accept", fields.finish());
    hooks.served(&trace.stop());
}

/// A connection opened before the trace, and one opened within.
pub fn close(chandra: &Path, hooks: &mut Hooks) {
    for is_older in [true, false] {
        let mut scene = Scene::new();
        let mut early = is_older.then(|| (now(), scene.connect()));
        let mut trace = Trace::start_program(chandra, &["tcp-close"]);
        let begun = since_boot();
        let (_, mut ends) = early.take().unwrap_or_else(|| (now(), scene.connect()));
        let sent = [70_001, 1234];
        scene.opener.ask(&format!("send {}", sent[0]));
        scene.acceptor.ask(&format!("receive {}", sent[0]));
        scene.acceptor.ask(&format!("send {}", sent[1]));
        scene.opener.ask(&format!("receive {}", sent[1]));
        for (actor, end) in [&mut scene.opener, &mut scene.acceptor].into_iter().zip(&mut ends) {
            actor.ask("settle");
            end.cookie = Some(actor.ask("cookie").parse().unwrap());
            end.is_older = is_older;
        }
        let measured = [scene.opener.ask("measure"), scene.acceptor.ask("measure")];
        let before = now();
        scene.opener.ask("close");
        scene.acceptor.ask("receive-end");
        scene.acceptor.ask("close");
        let hook = if is_older { "open" } else { "state" };
        let bytes = [[sent[0], sent[1]], [sent[1], sent[0]]];
        for ((end, bytes), measured) in ends.iter().zip(bytes).zip(&measured) {
            let record = trace.wait_for("the close", |record| end.is_in(record, "tcp_close"));
            let mut fields = end.compare(&record, "tcp_close", before..=now());
            compare_totals(&mut fields, bytes, measured);
            match is_older {
                true => fields.is_absent("duration_ns"),
                false => fields.is_within("duration_ns", 1..=since_boot() - begun),
            }
            hooks.compared(hook, fields.finish());
        }
        hooks.served(&trace.stop());
    }
}

/// Bytes to the last one; segments and times as the kernel gave them shortly before the close.
fn compare_totals(fields: &mut Comparison, bytes: [u64; 2], measured: &str) {
    let measured: Vec<u64> = measured.split(' ').map(|number| number.parse().unwrap()).collect();
    let &[out, back, again, rtt] = &*measured else { panic!("{measured:?}") };
    fields.is_big("bytes_sent", bytes[0]);
    fields.is_big("bytes_received", bytes[1]);
    // A FIN and its acknowledgement go either way, one of each; on a busy machine an answer may come
    // too late and a FIN go twice. Exactly counted they are where retransmits are the subject.
    fields.is_within("segments_sent", out + 1..=out + 4);
    fields.is_within("segments_received", back + 1..=back + 4);
    fields.is_within("retransmits", again..=again + 2);
    is_little_held_up(fields);
    fields.is_within("minimum_rtt_us", 0..=rtt);
    fields.is_within("smoothed_rtt_us", 0..=60_000_000);
}

/// For some jiffies it may be; a test of its own compares with `ss`.
fn is_little_held_up(fields: &mut Comparison) {
    for limited in ["receive_window_limited_ns", "send_buffer_limited_ns"] {
        fields.is_within(limited, 0..=60_000_000_000);
    }
}

/// Connections that go on, one opened before the trace, and one opened within: what went over them so far.
pub fn traffic(chandra: &Path, hooks: &mut Hooks) {
    for is_older in [true, false] {
        let mut scene = Scene::new();
        let mut early = is_older.then(|| scene.connect());
        let mut trace = Trace::start_program(chandra, &["tcp-traffic", "--interval", "1s"]);
        let begun = since_boot();
        let mut ends = early.take().unwrap_or_else(|| scene.connect());
        // Before anything is told: who asks for a cookie makes it.
        for (actor, end) in [&mut scene.opener, &mut scene.acceptor].into_iter().zip(&mut ends) {
            end.cookie = Some(actor.ask("cookie").parse().unwrap());
            end.is_older = is_older;
        }
        let sent = [70_001, 1234];
        scene.opener.ask(&format!("send {}", sent[0]));
        scene.acceptor.ask(&format!("receive {}", sent[0]));
        scene.acceptor.ask(&format!("send {}", sent[1]));
        scene.opener.ask(&format!("receive {}", sent[1]));
        let before = now();
        let bytes = [[sent[0], sent[1]], [sent[1], sent[0]]];
        for (end, bytes) in ends.iter().zip(bytes) {
            // What was told before all of it had gone over is not the last word.
            let record = trace.wait_for("all that went over it", |record| {
                let went = ["bytes_sent", "bytes_received"].map(|name| record.number(name));
                end.is_in(record, "tcp_update") && went == bytes.map(Some)
            });
            // It may have been told before the test knew that all had arrived.
            let long_before = before.saturating_sub(since_boot() - begun);
            let mut fields = end.compare(&record, "tcp_update", long_before..=now());
            fields.is_big("bytes_sent", bytes[0]);
            fields.is_big("bytes_received", bytes[1]);
            // At least one each way, and no more than one for each kibibyte and its answer.
            fields.is_within("segments_sent", 1..=200);
            fields.is_within("segments_received", 1..=200);
            fields.is_within("retransmits", 0..=2);
            is_little_held_up(&mut fields);
            fields.is_within("minimum_rtt_us", 0..=60_000_000);
            fields.is_within("smoothed_rtt_us", 0..=60_000_000);
            match is_older {
                true => fields.is_absent("duration_ns"),
                false => fields.is_within("duration_ns", 1..=since_boot() - begun),
            }
            hooks.compared("update", fields.finish());
        }
        for actor in [&mut scene.opener, &mut scene.acceptor] {
            actor.ask("close");
        }
        hooks.served(&trace.stop());
    }
}

/// A listening socket with room for 17 connections, which nobody accepts, and 20 that want to be.
pub fn listen_drops(chandra: &Path, hooks: &mut Hooks) {
    let socket = socket::bound(0).unwrap();
    let std::net::SocketAddr::V4(address) = socket.local_addr().unwrap() else { return };
    let _listener = socket::listen(socket, false);
    let port = address.port().to_string();
    let mut trace = Trace::start_program(chandra, &["tcp-listen-drops", "--port", &port]);
    let client = |_| {
        let client = socket::unbound(0).unwrap();
        client.set_nonblocking(true).unwrap();
        // Some are under way for as long as they are there.
        drop(socket::connect(&client, address));
        client
    };
    let clients: Vec<_> = (0..20).map(client).collect();
    let record = trace.wait_for("drops", |record| record.kind() == "tcp_listen_drop");
    drop(clients);
    let names = ["process.pid", "connection.local.port", "accept_queue", "accept_queue_limit"];
    let told = names.map(|name| record.number(name));
    let truth = [u64::from(std::process::id()), address.port().into(), 17, 16].map(Some);
    let is_right = told == truth && record.number("drops").is_some_and(|drops| drops >= 3);
    hooks.compared(
        "update",
        is_right.then_some(()).ok_or_else(|| format!("not {truth:?}: {record:?}")),
    );
    hooks.served(&trace.stop());
}

/// Every change of state of both ends, in order.
pub fn state(chandra: &Path, hooks: &mut Hooks) {
    let mut scene = Scene::new();
    let mut trace = Trace::start_program(chandra, &["tcp-state"]);
    let before = now();
    let ends = scene.connect();
    scene.opener.ask("close");
    scene.acceptor.ask("receive-end");
    scene.acceptor.ask("close");
    let changes: [&[(&str, &str)]; 2] = [
        &[("syn_sent", "established"), ("established", "fin_wait_1"), ("fin_wait_1", "fin_wait_2")],
        &[("established", "close_wait"), ("close_wait", "last_ack"), ("last_ack", "close")],
    ];
    for (end, changes) in ends.iter().zip(changes) {
        for (old, new) in changes {
            let record = trace.wait_for(&format!("{old} to {new}"), |record| {
                end.is_in(record, "tcp_state") && record.text("new_state") == Some(new)
            });
            let mut fields = end.compare(&record, "tcp_state", before..=now());
            fields.is("old_state", *old);
            fields.is("new_state", *new);
            hooks.compared("state", fields.finish());
        }
    }
    hooks.served(&trace.stop());
}
