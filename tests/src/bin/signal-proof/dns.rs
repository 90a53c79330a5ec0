//! A query and its answer between two processes, by UDP and by TCP, both families.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::linux::fs::MetadataExt;
use std::path::Path;

use chandra_tests::actor::{Actor, to_hex};
use chandra_tests::comparison::Comparison;
use chandra_tests::dns::{ALIAS, answer, framed, query};
use chandra_tests::process::{Process, host_name};
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock::{now, since_boot};
use serde_json::json;
use simple_dns::TYPE;

use crate::hooks::Hooks;
use crate::new_actor;

/// An address of the loopback device that nobody else listens on.
const SERVER: &str = "127.0.53.7:53";
const SERVER_V6: &str = "[::1]:53";

/// One end of the exchange as it truly is.
#[derive(Clone)]
struct End {
    owner: Option<Process>,
    role: &'static str,
    protocol: &'static str,
    local: SocketAddr,
    peer: SocketAddr,
    cookie: u64,
    namespace: u64,
}

/// The message, and how long the answer may have taken at most.
struct Sent<'a> {
    message: &'a [u8],
    id: u16,
    took_ns: Option<u64>,
}

impl End {
    fn is_in(&self, record: &Record, kind: &str, id: u16) -> bool {
        let port = |name: &str| record.number(&format!("connection.{name}.port"));
        record.kind() == kind
            && record.number("dns.id") == Some(id.into())
            && record.text("connection.role") == Some(self.role)
            && record.text("connection.protocol") == Some(self.protocol)
            && port("local") == Some(self.local.port().into())
            && port("peer") == Some(self.peer.port().into())
    }

    fn compare(
        &self,
        record: &Record,
        kind: &str,
        sent: &Sent<'_>,
        when: RangeInclusive<u64>,
    ) -> Result<(), String> {
        let mut fields = Comparison::of(record, "dns", kind, when);
        match &self.owner {
            Some(owner) => owner.compare(&mut fields, "process"),
            None => fields.is("node", host_name()),
        }
        self.compare_ends(&mut fields);
        fields.is("dns.name", ALIAS);
        fields.is("dns.type", "A");
        fields.is("dns.class", 1);
        fields.is("dns.id", sent.id);
        fields.is("dns.operation", "query");
        fields.is("dns.question_count", 1);
        fields.is("dns.message_bytes", sent.message.len());
        fields.is("dns.message_is_cut", false);
        fields.is("dns.recursion_desired", true);
        fields.is("dns.checking_disabled", false);
        fields.is("dns.is_authentic", false);
        if kind == "dns_response" {
            match sent.took_ns {
                Some(took) => fields.is_within("latency_ns", 1..=took),
                None => fields.is_absent("latency_ns"),
            }
            fields.is("dns.rcode", "NOERROR");
            fields.is("dns.is_authoritative", false);
            fields.is("dns.is_truncated", false);
            fields.is("dns.recursion_available", true);
            fields.is("dns.answer_count", 4);
            let [middle, web] = ["middle.example.test", "web.example.test"];
            let address =
                |address| json!({"name": web, "type": "A", "ttl_seconds": 300, "address": address});
            let answers = json!([
                {"name": ALIAS, "type": "CNAME", "ttl_seconds": 60, "target": middle},
                {"name": middle, "type": "CNAME", "ttl_seconds": 30, "target": web},
                address("198.51.100.7"),
                address("198.51.100.8"),
            ]);
            fields.is("dns.answers", answers);
        }
        fields.finish()
    }

    fn compare_ends(&self, fields: &mut Comparison) {
        let family = if self.peer.is_ipv4() { "ipv4" } else { "ipv6" };
        fields.is("connection.family", family);
        fields.is("connection.protocol", self.protocol);
        for (name, end) in [("local", self.local), ("peer", self.peer)] {
            fields.is(&format!("connection.{name}.address"), end.ip().to_string());
            fields.is(&format!("connection.{name}.port"), end.port());
        }
        fields.is("connection.role", self.role);
        fields.is("connection.net_namespace", self.namespace);
        fields.is_big("connection.socket_cookie", self.cookie);
        fields.is("peer_entity", "host");
        fields.is("peer_node", host_name());
    }
}

fn namespace_of(actor: &Actor) -> u64 {
    std::fs::metadata(format!("/proc/{}/ns/net", actor.pid())).unwrap().st_ino()
}

/// All four records of an exchange, each of the two messages where it is sent and where it comes: the
/// query as the server has it is its `asked` end's.
fn prove(
    trace: &mut Trace,
    hooks: &mut Hooks,
    [client, asked, server]: [&End; 3],
    [query, answer]: [&Sent<'_>; 2],
    before: u64,
) {
    for (hook, end, kind, sent) in [
        ("egress", client, "dns_query", query),
        ("ingress", asked, "dns_query", query),
        ("egress", server, "dns_response", answer),
        ("ingress", client, "dns_response", answer),
    ] {
        let what = format!("{kind} of the {} by {}", end.role, end.protocol);
        let record = trace.wait_for(&what, |record| end.is_in(record, kind, sent.id));
        hooks.compared(hook, end.compare(&record, kind, sent, before..=now()));
    }
}

/// By UDP.
pub fn exchange(chandra: &Path, hooks: &mut Hooks) {
    let mut trace = Trace::start_program(chandra, &["dns"]);
    for (address, any) in [(SERVER, "127.0.0.1:0"), (SERVER_V6, "[::1]:0")] {
        let (mut client, mut server) = (new_actor(), new_actor());
        let server_address = server.ask(&format!("bind-datagrams {address}")).parse().unwrap();
        let client_address: SocketAddr =
            client.ask(&format!("bind-datagrams {any}")).parse().unwrap();
        client.ask(&format!("connect-datagrams {address}"));
        // What a server is asked is its process's from its first answer on.
        let first = query(1, "first.example.test", TYPE::A);
        client.ask(&format!("send-datagram {}", to_hex(&first)));
        server.ask("receive-datagram");
        let refusal = answer(&first, false).unwrap();
        server.ask(&format!("send-datagram {} {client_address}", to_hex(&refusal)));
        client.ask("receive-datagram");
        let is_first = |record: &Record| record.text("dns.name") == Some("first.example.test");
        trace.wait_for("the first exchange", is_first);

        let (id, before, begun) = (0x1234, now(), since_boot());
        let message = query(id, ALIAS, TYPE::A);
        client.ask(&format!("send-datagram {}", to_hex(&message)));
        let received = server.ask("receive-datagram");
        assert_eq!(received, format!("{} {client_address}", to_hex(&message)));
        let reply = answer(&message, false).unwrap();
        server.ask(&format!("send-datagram {} {client_address}", to_hex(&reply)));
        client.ask("receive-datagram");
        let took_ns = Some(since_boot() - begun);
        let namespace = namespace_of(&client);
        let end = |actor: &mut Actor, role, local, peer| End {
            owner: Some(Process::of(actor.pid())),
            role,
            protocol: "udp",
            local,
            peer,
            cookie: actor.ask("datagram-cookie").parse().unwrap(),
            namespace,
        };
        let of_client = end(&mut client, "client", client_address, server_address);
        let of_server = end(&mut server, "server", server_address, client_address);
        let asked = Sent { message: &message, id, took_ns: None };
        let given = Sent { message: &reply, id, took_ns };
        // The first exchange's records were taken before: what comes now is of this one.
        prove(&mut trace, hooks, [&of_client, &of_server, &of_server], [&asked, &given], before);
    }
    hooks.served(&trace.stop());
}

/// By TCP: the length that comes before a message is sent with it, or by itself.
pub fn by_tcp(chandra: &Path, hooks: &mut Hooks) {
    let mut trace = Trace::start_program(chandra, &["dns"]);
    let (mut client, mut server) = (new_actor(), new_actor());
    server.ask(&format!("listen {SERVER}"));
    let ends = client.ask(&format!("connect {SERVER}"));
    server.ask("accept");
    let (local, peer) = ends.split_once(' ').unwrap();
    let (local, peer): (SocketAddr, SocketAddr) = (local.parse().unwrap(), peer.parse().unwrap());
    let (id, before, begun) = (0x4321, now(), since_boot());
    let message = query(id, ALIAS, TYPE::A);
    client.ask(&format!("send-bytes {}", to_hex(&framed(&message))));
    server.ask(&format!("receive {}", message.len() + 2));
    let reply = answer(&message, true).unwrap();
    let whole = framed(&reply);
    let (length, rest) = whole.split_at(2);
    server.ask(&format!("send-bytes {}", to_hex(length)));
    server.ask("settle");
    server.ask(&format!("send-bytes {}", to_hex(rest)));
    client.ask(&format!("receive {}", whole.len()));
    let took_ns = Some(since_boot() - begun);
    let namespace = namespace_of(&client);
    let end = |actor: &mut Actor, role, local, peer| End {
        owner: Some(Process::of(actor.pid())),
        role,
        protocol: "tcp",
        local,
        peer,
        cookie: actor.ask("cookie").parse().unwrap(),
        namespace,
    };
    let of_client = end(&mut client, "client", local, peer);
    let of_server = end(&mut server, "server", peer, local);
    // Who accepted is not seen; who answers is.
    let unowned = End { owner: None, ..of_server.clone() };
    let asked = Sent { message: &message, id, took_ns: None };
    let given = Sent { message: &reply, id, took_ns };
    prove(&mut trace, hooks, [&of_client, &unowned, &of_server], [&asked, &given], before);
    hooks.served(&trace.stop());
}
