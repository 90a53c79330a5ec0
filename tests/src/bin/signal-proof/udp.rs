//! Conversations over UDP between two processes, both families, from their first datagram to their end: one
//! socket is closed, the other is left alone; one is connected, the other is not; one is older than the trace.

use std::net::{SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use chandra_tests::actor::{Actor, to_hex};
use chandra_tests::comparison::Comparison;
use chandra_tests::patience::wait_for;
use chandra_tests::process::{Process, host_name};
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock::{now, since_boot};

use crate::hooks::Hooks;
use crate::new_actor;

/// Long enough that an emulated machine does not take what waits for its turn for idle.
const INTERVAL: &str = "3s";
const QUESTION: &[u8] = b"a question";
const ANSWER: &[u8] = b"its answer, which is longer";

/// One end of a conversation as it truly is.
struct End {
    owner: Process,
    role: Option<&'static str>,
    local: SocketAddr,
    peer: SocketAddr,
    cookie: u64,
    namespace: u64,
}

/// What went over it so far: datagrams and bytes sent, and received.
type Went = [(u64, u64); 2];

impl End {
    fn is_in(&self, record: &Record, kind: &str) -> bool {
        let port = |name: &str| record.number(&format!("connection.{name}.port"));
        record.kind() == kind
            && port("local") == Some(self.local.port().into())
            && port("peer") == Some(self.peer.port().into())
    }

    fn begin(
        &self,
        record: &Record,
        kind: &str,
        went: Went,
        when: RangeInclusive<u64>,
    ) -> Comparison {
        let mut fields = Comparison::of(record, "udp", kind, when);
        self.owner.compare(&mut fields, "process");
        let family = if self.peer.is_ipv4() { "ipv4" } else { "ipv6" };
        fields.is("connection.family", family);
        fields.is("connection.protocol", "udp");
        for (name, end) in [("local", self.local), ("peer", self.peer)] {
            fields.is(&format!("connection.{name}.address"), end.ip().to_string());
            fields.is(&format!("connection.{name}.port"), end.port());
        }
        fields.is_optional("connection.role", self.role);
        fields.is("connection.net_namespace", self.namespace);
        fields.is_big("connection.socket_cookie", self.cookie);
        fields.is("connection.opened_before_start", self.role.is_none());
        for (way, (datagrams, bytes)) in ["sent", "received"].into_iter().zip(went) {
            fields.is_big(&format!("datagrams_{way}"), datagrams);
            fields.is_big(&format!("bytes_{way}"), bytes);
        }
        fields.is("peer_entity", "host");
        fields.is("peer_node", host_name());
        fields
    }
}

fn bind(actor: &mut Actor, address: &str) -> SocketAddr {
    actor.ask(&format!("bind-datagrams {address}")).parse().unwrap()
}

fn end(actor: &mut Actor, role: Option<&'static str>, local: SocketAddr, peer: SocketAddr) -> End {
    End {
        owner: Process::of(actor.pid()),
        role,
        local,
        peer,
        cookie: actor.ask("datagram-cookie").parse().unwrap(),
        namespace: std::fs::metadata(format!("/proc/{}/ns/net", actor.pid())).unwrap().st_ino(),
    }
}

/// Two processes that talk, and the ends of what they say.
struct Talk {
    client: Actor,
    server: Actor,
    ends: [End; 2],
    /// When the first datagram was about to be sent.
    before: u64,
    begun: u64,
}

/// A question and its answer; by a connected socket, or by one that is not.
fn talk(any: &str, is_connected: bool) -> Talk {
    let (mut client, mut server) = (new_actor(), new_actor());
    let (at_server, at_client) = (bind(&mut server, any), bind(&mut client, any));
    let (before, begun) = (now(), since_boot());
    if is_connected {
        client.ask(&format!("connect-datagrams {at_server}"));
        client.ask(&format!("send-datagram {}", to_hex(QUESTION)));
    } else {
        client.ask(&format!("send-datagram {} {at_server}", to_hex(QUESTION)));
    }
    server.ask("receive-datagram");
    server.ask(&format!("send-datagram {} {at_client}", to_hex(ANSWER)));
    client.ask("receive-datagram");
    let ends = [
        end(&mut client, Some("client"), at_client, at_server),
        end(&mut server, Some("server"), at_server, at_client),
    ];
    Talk { client, server, ends, before, begun }
}

const QUESTION_BYTES: u64 = QUESTION.len() as u64;
const ANSWER_BYTES: u64 = ANSWER.len() as u64;
const ASKED: (u64, u64) = (1, QUESTION_BYTES);
const ANSWERED: (u64, u64) = (1, ANSWER_BYTES);
const NOTHING: (u64, u64) = (0, 0);

fn mirrored([sent, received]: Went) -> Went {
    [received, sent]
}

/// The first datagram and the first reply, at both ends.
fn prove_beginning(trace: &mut Trace, hooks: &mut Hooks, talk: &Talk) {
    let took = since_boot() - talk.begun;
    let [client, server] = &talk.ends;
    for (hook, end, kind, went) in [
        ("datagram_sent", client, "udp_open", [ASKED, NOTHING]),
        // It has sent nothing yet: that it bound the socket says whose it is.
        ("socket_bind", server, "udp_open", [NOTHING, ASKED]),
        ("datagram_sent", server, "udp_reply", [ANSWERED, ASKED]),
        ("datagram_received", client, "udp_reply", [ASKED, ANSWERED]),
    ] {
        let record = trace.wait_for(kind, |record| end.is_in(record, kind));
        let mut fields = end.begin(&record, kind, went, talk.before..=now());
        fields.is_big("socket_drops", 0);
        if kind == "udp_reply" {
            fields.is_within("latency_ns", 1..=took);
        }
        hooks.compared(hook, fields.finish());
    }
}

/// What went over it with one question more.
const WENT: Went = [(2, 2 * QUESTION_BYTES), ANSWERED];

/// The update that tells of it. The client then closes its socket.
fn prove_update(trace: &mut Trace, hooks: &mut Hooks, talk: &mut Talk) {
    let [client, server] = &talk.ends;
    for (end, went) in [(client, WENT), (server, mirrored(WENT))] {
        let record = trace.wait_for("an update", |record| end.is_in(record, "udp_update"));
        let mut fields = end.begin(&record, "udp_update", went, talk.before..=now());
        fields.is_big("socket_drops", 0);
        fields.is_within("duration_ns", 1..=since_boot() - talk.begun);
        hooks.compared("conversations", fields.finish());
    }
    talk.client.ask("close-datagrams");
}

/// The end of a socket that was closed, and of one that has been quiet.
fn prove_end(trace: &mut Trace, hooks: &mut Hooks, talk: &Talk) {
    let [client, server] = &talk.ends;
    for (hook, end, went, why) in [
        ("socket_release", client, WENT, "socket_closed"),
        ("conversations", server, mirrored(WENT), "idle"),
    ] {
        let record = trace.wait_for(why, |record| end.is_in(record, "udp_close"));
        let mut fields = end.begin(&record, "udp_close", went, talk.before..=now());
        fields.is_big("socket_drops", 0);
        fields.is_within("duration_ns", 1..=since_boot() - talk.begun);
        fields.is("end", why);
        hooks.compared(hook, fields.finish());
    }
}

/// What the kernel has dropped at the UDP socket with this port.
fn drops_at(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let local = format!(":{port:04X}");
    let row = table.lines().find(|row| row.split_whitespace().nth(1).unwrap().ends_with(&local));
    row.unwrap().split_whitespace().last().unwrap().parse().unwrap()
}

/// More than a socket has room for, to one that is older than the trace and whose owner never reads.
fn prove_overflow(trace: &mut Trace, hooks: &mut Hooks, deaf: &mut Actor, at_deaf: SocketAddr) {
    const SENT: u64 = 64;
    const BYTES: u64 = 1000;
    let mut sender = new_actor();
    let at_sender = bind(&mut sender, "127.0.0.1:0");
    let (before, begun) = (now(), since_boot());
    let bytes = to_hex(&[b'x'; BYTES as usize]);
    for _ in 0..SENT {
        sender.ask(&format!("send-datagram {bytes} {at_deaf}"));
    }
    let dropped = wait_for("drops", || Some(drops_at(at_deaf.port())).filter(|drops| *drops > 0));
    let of_deaf = end(deaf, None, at_deaf, at_sender);
    let opened = trace.wait_for("an older socket", |record| of_deaf.is_in(record, "udp_open"));
    let mut fields = of_deaf.begin(&opened, "udp_open", [NOTHING, (1, BYTES)], before..=now());
    fields.is_big("socket_drops", 0);
    hooks.compared("open_sockets", fields.finish());
    deaf.ask("close-datagrams");
    let closed = trace.wait_for("its end", |record| of_deaf.is_in(record, "udp_close"));
    let went = [NOTHING, (SENT, SENT * BYTES)];
    let mut fields = of_deaf.begin(&closed, "udp_close", went, before..=now());
    fields.is_big("socket_drops", dropped);
    fields.is_within("duration_ns", 1..=since_boot() - begun);
    fields.is("end", "socket_closed");
    hooks.compared("receive_queue_full", fields.finish());
}

/// A connected socket that sends to another address than its peer's: only the call says which.
fn prove_name(trace: &mut Trace, hooks: &mut Hooks) {
    let [mut client, mut peer, mut other] = [(); 3].map(|()| new_actor());
    let [from, to_peer, to_other] =
        [&mut client, &mut peer, &mut other].map(|actor| bind(actor, "127.0.0.1:0"));
    client.ask(&format!("connect-datagrams {to_peer}"));
    let before = now();
    client.ask(&format!("send-datagram {} {to_other}", to_hex(QUESTION)));
    let truth = end(&mut client, Some("client"), from, to_other);
    let record = trace.wait_for("what is sent elsewhere", |record| truth.is_in(record, "udp_open"));
    let mut fields = truth.begin(&record, "udp_open", [ASKED, NOTHING], before..=now());
    fields.is_big("socket_drops", 0);
    hooks.compared("address_named", fields.finish());
}

/// All of it.
pub fn conversations(chandra: &Path, hooks: &mut Hooks) {
    let mut deaf = new_actor();
    let at_deaf = deaf.ask("bind 127.0.0.1:0").parse().unwrap();
    let mut trace = Trace::start_program(chandra, &["udp", "--interval", INTERVAL]);
    prove_overflow(&mut trace, hooks, &mut deaf, at_deaf);
    prove_name(&mut trace, hooks);
    let mut talks = [("127.0.0.1:0", false), ("[::1]:0", true)].map(|(any, is_connected)| {
        let mut talk = talk(any, is_connected);
        prove_beginning(&mut trace, hooks, &talk);
        let address = talk.ends[1].local;
        talk.client.ask(&format!("send-datagram {} {address}", to_hex(QUESTION)));
        talk.server.ask("receive-datagram");
        talk
    });
    for talk in &mut talks {
        prove_update(&mut trace, hooks, talk);
    }
    for talk in &talks {
        prove_end(&mut trace, hooks, talk);
    }
    hooks.served(&trace.stop());
}

/// More conversations at once than a cgroup may tell of: what is told and what is over the budget is all of them.
pub fn over_budget(chandra: &Path, hooks: &mut Hooks) {
    const CONVERSATIONS: u16 = 2000;
    const RATE: u64 = 100;
    let (pid, budget) = (std::process::id().to_string(), RATE.to_string());
    let started = Instant::now();
    let options = ["udp", "--type", "udp_open", "--pid", &pid, "--event-budget", &budget];
    let trace = Trace::start_program(chandra, &options);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for port in 2000..2000 + CONVERSATIONS {
        sender.send_to(QUESTION, ("127.0.0.1", port)).unwrap();
    }
    let outcome = trace.stop();
    hooks.served(&outcome);
    let summary = outcome.summary();
    let number = |name: &str| summary.number(name).unwrap();
    let (shown, limited) = (number("shown"), number("rate_limited"));
    let allowed = started.elapsed().as_millis() as u64 * RATE / 1000 + RATE / 4 + 64;
    let is_right = shown + limited == u64::from(CONVERSATIONS)
        && shown + limited == number("seen") - number("filtered")
        && (RATE / 4..=allowed).contains(&shown);
    let why = || format!("{shown} told of {CONVERSATIONS}, {allowed} allowed: {summary:?}");
    hooks.compared("datagram_sent", if is_right { Ok(()) } else { Err(why()) });
}
