//! What resolvers of everyday programs ask, against what the server of the test saw and said.

use std::net::SocketAddr;
use std::process::{Command, Output};

use chandra_tests::dns::{ALIAS, LARGE_ANSWERS, Server};
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::trace::{Outcome, Trace};
use serde_json::{Value, json};

/// The server's address, in a namespace where nothing else is.
const ADDRESS: &str = "10.53.0.1";

/// A network namespace with a name server, and a file for resolvers that names it.
struct Network {
    server: Server,
    namespace: Namespace,
}

impl Network {
    fn new(options: &str) -> Self {
        let namespace = Namespace::new("dns");
        namespace.add_addresses(&[ADDRESS]);
        // glibc asks for addresses of the families that the machine has.
        namespace.run("ip address add 2001:db8:53::1/128 dev lo");
        let address = SocketAddr::new(ADDRESS.parse().unwrap(), 53);
        let server = namespace.enter(|| Server::start(address));
        // `ip netns exec` puts it in place of /etc/resolv.conf.
        let folder = format!("/etc/netns/{}", namespace.name());
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!("nameserver {ADDRESS}\noptions timeout:5 attempts:2 {options}\n");
        std::fs::write(format!("{folder}/resolv.conf"), text).unwrap();
        // Only DNS is asked, whatever this machine's nsswitch.conf says.
        std::fs::write(format!("{folder}/nsswitch.conf"), "hosts: dns\n").unwrap();
        Self { server, namespace }
    }

    /// Runs a resolver, which may find nothing.
    fn run(&self, command: &[&str]) -> Output {
        let mut words = Command::new("ip");
        words.args(["netns", "exec", self.namespace.name()]).args(command);
        words.output().unwrap()
    }

    /// The records of this namespace, once each message that the server got or gave has its four.
    fn records(&self, mut trace: Trace) -> (Vec<Record>, Outcome) {
        let (datagrams, over_tcp) = self.server.counts();
        let inode = self.namespace.inode();
        let is_here = |record: &&Record| record.number("connection.net_namespace") == Some(inode);
        let of_both_ends = usize::try_from(4 * (datagrams + over_tcp)).unwrap();
        wait_for("all records", || {
            let count = trace.records().iter().filter(is_here).count();
            (count >= of_both_ends).then_some(())
        });
        let outcome = trace.stop();
        let records: Vec<Record> = outcome.records.iter().filter(is_here).cloned().collect();
        assert_eq!(records.len(), of_both_ends, "{records:#?}");
        outcome.summary_without_loss();
        (records, outcome)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(format!("/etc/netns/{}", self.namespace.name())));
    }
}

fn of<'a>(records: &'a [Record], kind: &'a str, role: &'a str) -> impl Iterator<Item = &'a Record> {
    records
        .iter()
        .filter(move |record| record.kind() == kind && record.text("connection.role") == Some(role))
}

fn texts(records: &[Record], kind: &str, role: &str, path: &str) -> Vec<String> {
    let text = |record: &Record| record.at(path).map_or("-".to_owned(), Value::to_string);
    of(records, kind, role).map(|record| text(record).trim_matches('"').to_owned()).collect()
}

#[test]
fn what_the_c_library_asks_and_is_answered() {
    needs!("root", "ip", "getent");
    let network = Network::new("");
    let trace = Trace::start(&["dns"]);
    let output = network.run(&["getent", "ahosts", ALIAS]);
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(found.contains("198.51.100.7") && found.contains("2001:db8::7"), "{found}");
    let missing = network.run(&["getent", "ahostsv4", "nobody.example.test"]);
    assert!(!missing.status.success());
    let broken = network.run(&["getent", "ahostsv4", "broken.example.test"]);
    assert!(!broken.status.success());
    let (records, _) = network.records(trace);

    let asked = texts(&records, "dns_query", "client", "dns.name");
    let types = texts(&records, "dns_query", "client", "dns.type");
    let mut asked: Vec<_> = asked.iter().zip(&types).collect();
    asked.sort_unstable();
    asked.dedup();
    let pair = |name: &'static str, kind: &'static str| (name.to_owned(), kind.to_owned());
    let expected = [
        pair(ALIAS, "A"),
        pair(ALIAS, "AAAA"),
        pair("broken.example.test", "A"),
        pair("nobody.example.test", "A"),
    ];
    assert!(asked.into_iter().eq(expected.iter().map(|(name, kind)| (name, kind))), "{records:#?}");
    for record in of(&records, "dns_response", "client") {
        let expected = match record.text("dns.name").unwrap() {
            "nobody.example.test" => "NXDOMAIN",
            "broken.example.test" => "SERVFAIL",
            _ => "NOERROR",
        };
        assert_eq!(record.text("dns.rcode"), Some(expected));
        assert_eq!(record.text("process.comm"), Some("getent"));
        assert!(record.number("latency_ns") > Some(0), "{record:?}");
        if expected == "NOERROR" {
            let targets: Vec<_> = (record.at("dns.answers").unwrap().as_array().unwrap().iter())
                .map(|answer| answer.get("target").or(answer.get("address")).unwrap())
                .collect();
            let chain = [&json!("middle.example.test"), &json!("web.example.test")];
            assert_eq!(targets[..2], chain);
            let addresses: &[&str] = match record.text("dns.type") {
                Some("A") => &["198.51.100.7", "198.51.100.8"],
                _ => &["2001:db8::7"],
            };
            assert!(targets[2..].iter().eq(addresses), "{record:?}");
        }
    }
    // The server sees each question as its client does, and answers no later.
    for path in ["dns.id", "dns.name", "dns.type", "dns.message_bytes"] {
        for kind in ["dns_query", "dns_response"] {
            let [mut left, mut right] =
                ["client", "server"].map(|role| texts(&records, kind, role, path));
            left.sort_unstable();
            right.sort_unstable();
            assert_eq!(left, right, "{path} of {kind}");
        }
    }
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_by_tcp() {
    needs!("root", "ip", "getent");
    let network = Network::new("");
    let trace = Trace::start(&["dns"]);
    let output = network.run(&["getent", "ahostsv4", "large.example.test"]);
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(found.contains("198.51.101.39"), "{found}");
    let (records, _) = network.records(trace);
    assert_eq!(network.server.counts(), (1, 1));
    let answers: Vec<_> = of(&records, "dns_response", "client").collect();
    let [by_udp, by_tcp] = answers[..] else { panic!("{answers:#?}") };
    assert_eq!(by_udp.at("dns.is_truncated"), Some(&json!(true)));
    assert_eq!(by_udp.text("connection.protocol"), Some("udp"));
    assert_eq!(by_tcp.at("dns.is_truncated"), Some(&json!(false)));
    assert_eq!(by_tcp.text("connection.protocol"), Some("tcp"));
    assert_eq!(by_tcp.number("dns.answer_count"), Some(LARGE_ANSWERS as u64));
    assert_eq!(by_tcp.at("dns.answers").unwrap().as_array().unwrap().len(), LARGE_ANSWERS);
    for record in [by_udp, by_tcp] {
        assert_eq!(record.text("process.comm"), Some("getent"));
        assert!(record.number("latency_ns") > Some(0));
        assert_eq!(record.at("dns.malformed"), None);
    }
}

#[test]
fn with_edns_it_fits_and_the_sizes_are_told() {
    needs!("root", "ip", "getent");
    let network = Network::new("edns0");
    let trace = Trace::start(&["dns"]);
    network.run(&["getent", "ahostsv4", "large.example.test"]);
    let (records, _) = network.records(trace);
    assert_eq!(network.server.counts(), (1, 0));
    for record in of(&records, "dns_query", "client").chain(of(&records, "dns_query", "server")) {
        // What glibc offers.
        assert_eq!(record.number("dns.edns.udp_payload_bytes"), Some(1200), "{record:?}");
        assert_eq!(record.number("dns.edns.version"), Some(0));
    }
    for record in of(&records, "dns_response", "client") {
        assert_eq!(record.at("dns.is_truncated"), Some(&json!(false)));
        assert_eq!(record.number("dns.answer_count"), Some(LARGE_ANSWERS as u64));
    }
}

#[test]
fn both_questions_in_one_segment_are_two_messages() {
    needs!("root", "ip", "getent");
    // glibc then writes A and AAAA together into one connection.
    let network = Network::new("use-vc");
    let trace = Trace::start(&["dns"]);
    let output = network.run(&["getent", "ahosts", "web.example.test"]);
    assert!(output.status.success());
    let (records, _) = network.records(trace);
    assert_eq!(network.server.counts(), (0, 2));
    let mut types = texts(&records, "dns_query", "client", "dns.type");
    types.sort_unstable();
    assert_eq!(types, ["A", "AAAA"]);
    for record in of(&records, "dns_response", "client") {
        assert!(record.number("latency_ns") > Some(0), "{record:?}");
        assert_eq!(record.text("dns.rcode"), Some("NOERROR"));
    }
}

#[test]
fn a_client_without_the_c_librarys_resolver() {
    needs!("root", "ip", "busybox");
    let network = Network::new("");
    let mut trace = Trace::start(&["dns", "--comm", "busybox"]);
    network.run(&["busybox", "nslookup", "web.example.test", ADDRESS]);
    let (datagrams, _) = network.server.counts();
    assert!(datagrams > 0);
    let inode = network.namespace.inode();
    let is_answer = |record: &&Record| {
        record.kind() == "dns_response" && record.number("connection.net_namespace") == Some(inode)
    };
    wait_for("all answers to busybox", || {
        let count = trace.records().iter().filter(is_answer).count() as u64;
        (count == datagrams).then_some(())
    });
    let outcome = trace.stop();
    for record in &outcome.records {
        assert_eq!(record.text("connection.role"), Some("client"), "the server is filtered");
        assert_eq!(record.text("process.comm"), Some("busybox"));
    }
    let summary = outcome.summary_without_loss();
    assert!(summary.number("filtered") >= Some(datagrams * 2), "{summary:?}");
}
