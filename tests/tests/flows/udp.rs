//! Conversations over UDP as flows: who with whom by which program, which way, and what went over them; and
//! messages of DNS, which are flows of their own beside.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::process::Command;

use chandra_tests::actor::{Actor, to_hex};
use chandra_tests::datagrams::{bind, receive};
use chandra_tests::dns::{Server, query};
use chandra_tests::flows::Observed;
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use simple_dns::TYPE;

/// An actor of this name in the namespace.
fn actor(namespace: &Namespace, programs: &Scratch, name: &str) -> Actor {
    symlink(env!("CARGO_BIN_EXE_actor"), programs.at(name)).unwrap();
    let mut command = Command::new(programs.at(name));
    namespace.start_in(&mut command);
    Actor::start(&mut command)
}

/// `SOURCE -> DESTINATION DIRECTION by COMM of EVENT`, ports only.
fn told(flow: &Record) -> String {
    let port = |end: &str| flow.number(&format!("flow.l4.UDP.{end}_port")).unwrap();
    let text = |path: &str| flow.text(&format!("flow.{path}")).unwrap_or("-");
    format!(
        "{} -> {} {} by {} of {}",
        port("source"),
        port("destination"),
        text("traffic_direction"),
        text("extensions.process.comm"),
        text("extensions.event"),
    )
}

fn went(flow: &Record) -> [Option<u64>; 4] {
    ["forward.packets", "forward.bytes", "backward.packets", "backward.bytes"]
        .map(|name| flow.number(&format!("flow.extensions.{name}")))
}

#[test]
fn both_ends_of_a_conversation_are_flows_with_their_programs() {
    needs!("root", "ip");
    let (namespace, programs) = (Namespace::new("talk"), Scratch::new());
    let observed = Observed::start(&["--signals", "process,udp"]);
    let (mut asker, mut teller) =
        (actor(&namespace, &programs, "asker"), actor(&namespace, &programs, "teller"));
    let server: SocketAddr = teller.ask("bind-datagrams 127.0.0.1:0").parse().unwrap();
    let client: SocketAddr = asker.ask("bind-datagrams 127.0.0.1:0").parse().unwrap();
    for question in ["one", "two"] {
        asker.ask(&format!("send-datagram {} {server}", to_hex(question.as_bytes())));
        teller.ask("receive-datagram");
    }
    teller.ask(&format!("send-datagram {} {client}", to_hex(b"an answer")));
    asker.ask("receive-datagram");
    asker.ask("close-datagrams");
    teller.ask("close-datagrams");
    let port = server.port().to_string();
    let flows = observed.wait_for_flows(6, &["--protocol", "udp", "--port", &port]);
    let (client, server) = (client.port(), server.port());
    let mut all: Vec<_> = flows.iter().map(told).collect();
    all.sort();
    let mut expected = vec![
        format!("{client} -> {server} EGRESS by asker of udp_open"),
        format!("{client} -> {server} INGRESS by teller of udp_open"),
        format!("{server} -> {client} EGRESS by teller of udp_reply"),
        format!("{server} -> {client} INGRESS by asker of udp_reply"),
        format!("{client} -> {server} EGRESS by asker of udp_close"),
        format!("{client} -> {server} INGRESS by teller of udp_close"),
    ];
    expected.sort();
    assert_eq!(all, expected, "{flows:#?}");
    for flow in &flows {
        assert_eq!(flow.text("flow.Summary"), Some("UDP"), "{flow:?}");
        assert_eq!(flow.text("flow.Type"), Some("L3_L4"));
        assert_eq!(flow.text("flow.verdict"), Some("FORWARDED"));
        assert_eq!(flow.text("flow.IP.source"), Some("127.0.0.1"));
        let event = flow.text("flow.extensions.event").unwrap();
        assert_eq!(flow.at("flow.is_reply"), Some(&(event == "udp_reply").into()), "{flow:?}");
        let latency = flow.number("flow.extensions.latency_ns");
        assert_eq!(latency.is_some(), event == "udp_reply", "{flow:?}");
        // What one end has sent the other has received.
        let expected = match event {
            "udp_close" => [2, 6, 1, 9].map(Some),
            _ => [None; 4],
        };
        assert_eq!(went(flow), expected, "{flow:?}");
    }
    let line = observed.printed(&["observe", "--all", "--protocol", "udp", "--port", &port]);
    assert!(line.contains(":") && line.contains("FORWARDED (UDP)"), "{line}");
    observed.agent.stop();
}

#[test]
fn a_message_of_dns_is_a_flow_of_its_own_beside_the_conversation() {
    needs!("root", "ip");
    let namespace = Namespace::new("names");
    namespace.add_addresses(&["10.53.0.1"]);
    let server = namespace.enter(|| Server::start("10.53.0.1:53".parse().unwrap()));
    let observed = Observed::start(&["--signals", "process,dns,udp"]);
    let client = bind(&namespace, "10.53.0.1:0");
    client.connect(server.address()).unwrap();
    for id in [1, 2] {
        client.send(&query(id, "web.example.test", TYPE::A)).unwrap();
        receive(&client, 1);
    }
    let port = client.local_addr().unwrap().port().to_string();
    drop(client);
    // Two questions with their answers, each at both ends; and the client's first datagram, first reply and
    // end, of which the server has the first two.
    let flows = observed.wait_for_flows(13, &["--protocol", "udp", "--port", &port]);
    let of = |kind: &str| {
        let is_it = |flow: &&Record| flow.text("flow.Type") == Some(kind);
        flows.iter().filter(is_it).collect::<Vec<_>>()
    };
    let messages = of("L7");
    assert_eq!(messages.len(), 8, "{flows:#?}");
    let is_dns = |flow: &&Record| flow.text("flow.Summary").unwrap().starts_with("DNS ");
    assert!(messages.iter().all(is_dns), "{messages:#?}");
    let datagrams = of("L3_L4");
    assert_eq!(datagrams.len(), 5, "{flows:#?}");
    assert!(datagrams.iter().all(|flow| flow.text("flow.Summary") == Some("UDP")));
    assert_eq!(observed.flows(&["--protocol", "dns", "--port", &port]).len(), 8);
    // The two are told apart by their type.
    let conversations = ["--protocol", "udp", "--type", "trace", "--port", &port];
    assert_eq!(observed.flows(&conversations).len(), 5);
    observed.agent.stop();
}
