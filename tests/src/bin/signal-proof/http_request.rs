//! Requests over HTTP between two processes, of a server that waits for known times, both families.

use std::path::Path;
use std::time::Duration;

use chandra_tests::actor::to_hex;
use chandra_tests::exchange::{Talk, Told};
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock::{now, since_boot};

use crate::hooks::Hooks;
use crate::new_actor;

const TRACED: &[u8] = b"POST /cart/items?token=x8Kp2Qz7 HTTP/1.1\r\nHost: shop.test:8080\r\n\
    Authorization: Bearer x8Kp2Qz7\r\ncontent-length: 2\r\n\
    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n{}";
const PLAIN: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// What is to be told of the two, but how long they took.
fn told() -> [Told; 2] {
    let traced = Told {
        outcome: "answered",
        status: Some(201),
        method: Some("POST"),
        version: Some("1.1"),
        host: Some("shop.test:8080"),
        path: Some("/cart/items"),
        trace: Some(("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", true)),
        ..Told::default()
    };
    let plain = Told {
        outcome: "answered",
        status: Some(404),
        method: Some("GET"),
        version: Some("1.0"),
        path: Some("/"),
        ..Told::default()
    };
    [traced, plain]
}

/// Both ends of two requests that are answered and of one that is not.
pub fn requests(chandra: &Path, hooks: &mut Hooks) {
    let mut trace = Trace::start_program(chandra, &["http"]);
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let before = now();
        let mut talk = Talk::connect(new_actor(), new_actor(), address);
        let [mut traced, mut plain] = told();
        let created = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
        traced.duration_ns = Some(talk.exchange(TRACED, Duration::from_millis(30), created));
        let missing = b"HTTP/1.0 404 Not Found\r\n\r\n";
        plain.duration_ns = Some(talk.exchange(PLAIN, Duration::ZERO, missing));
        let sending = since_boot();
        talk.request(PLAIN);
        let sent = since_boot();
        let mut keys = Vec::new();
        for told in [&traced, &plain] {
            for (role, hook) in [("client", "segment_sent"), ("server", "segment_received")] {
                let record = trace.wait_for(&format!("{told:?} of the {role}"), |record| {
                    talk.is_of(record, role)
                        && record.number("http.status") == told.status.map(u64::from)
                });
                let compared = talk.compare(&record, role, told, before..=now());
                hooks.compared(hook, compared.map(|key| keys.push(key)));
            }
        }
        // All that the kernel says of the connection's key is the same at both ends, and throughout.
        let is_one = keys.len() == 4 && keys.windows(2).all(|two| two[0] == two[1]);
        hooks.compared("segment_sent", is_one.then_some(()).ok_or(format!("keys {keys:?}")));

        for role in ["client", "server"] {
            let closing = since_boot();
            let actor = if role == "client" { &mut talk.client } else { &mut talk.server };
            actor.ask("close");
            let closed = since_boot();
            let is_it = |record: &Record| {
                talk.is_of(record, role) && record.text("http.outcome") == Some("closed")
            };
            let record = trace.wait_for(&format!("the {role}'s close"), is_it);
            let unanswered = Told {
                outcome: "closed",
                status: None,
                duration_ns: Some(closing - sent..=closed - sending),
                ..plain.clone()
            };
            let compared = talk.compare(&record, role, &unanswered, before..=now());
            hooks.compared("connection_close", compared.map(drop));
        }
        abandoned(&mut trace, hooks, address);
    }
    hooks.served(&trace.stop());
}

/// A request over a connection that nobody accepts, and that ends with its listener.
fn abandoned(trace: &mut Trace, hooks: &mut Hooks, address: &str) {
    let (mut client, mut server) = (new_actor(), new_actor());
    let listens = server.ask(&format!("listen {address}"));
    let ends = client.ask(&format!("connect {listens}"));
    client.ask(&format!("send-bytes {}", to_hex(PLAIN)));
    client.ask("settle");
    // In place of the other.
    server.ask(&format!("listen {address}"));
    let port = |end: &str| end.rsplit_once(':').and_then(|(_, port)| port.parse::<u64>().ok());
    let (local, peer) = ends.split_once(' ').unwrap();
    let record = trace.wait_for("the request that nobody took", |record| {
        record.text("connection.role") == Some("server")
            && record.number("connection.local.port") == port(peer)
            && record.number("connection.peer.port") == port(local)
    });
    let is_right = record.text("http.outcome") == Some("closed")
        && record.text("http.path") == Some("/")
        && record.at("process").is_none()
        && record.at("http.status").is_none();
    hooks.compared("requests", is_right.then_some(()).ok_or(format!("{}", record.0)));
}
