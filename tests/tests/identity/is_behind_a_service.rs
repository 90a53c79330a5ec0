//! Where the connection went that a client opened to a service's address: translated by nftables as
//! kube-proxy does it, in the network namespace of a node of the test's own, where the agent runs. What is
//! compared with is the address that the server accepted on.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::agent::{self, Agent};
use chandra_tests::api_server::{Pod, Served};
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::{launch, needs};
use serde_json::{Value, json};

use crate::cluster_network::{POD, SERVICE, WEB, cluster, peer_of, service, web};

/// Another pod of the same node, behind both services.
const OTHER_POD: &str = "10.77.1.6";
const OTHER: Pod<'_> = Pod {
    name: "web-7d4b9c6f5-b2c4d",
    uid: "6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e23",
    ip: Some(OTHER_POD),
    ..WEB
};
/// A service whose connections get another source, too, and one that nobody listens behind.
const API: &str = "10.96.0.11";
const AWAY: &str = "10.96.0.12";
/// An address that no API tells of.
const UNTOLD: &str = "10.96.0.13";
const HTTP: u16 = 8080;
/// The ports on which connections get another source.
const SOURCE_CHANGED: u16 = 8081;
const API_PORT: u16 = 8082;

/// What kube-proxy has in the kernel, in short: services lead to endpoints, some by chance.
const RULES: [&str; 12] = [
    "add table ip proxy",
    "add chain ip proxy first { ip protocol tcp dnat to 10.77.1.5:8080 ; }",
    "add chain ip proxy second { ip protocol tcp dnat to 10.77.1.6:8080 ; }",
    "add chain ip proxy web { numgen inc mod 2 vmap { 0 : goto first , 1 : goto second } ; }",
    "add chain ip proxy forwarded { type nat hook prerouting priority -100 ; }",
    "add rule ip proxy forwarded ip daddr 10.96.0.10 tcp dport 80 goto web",
    "add rule ip proxy forwarded ip daddr 10.96.0.11 tcp dport 80 dnat to 10.77.1.6:8082",
    "add rule ip proxy forwarded ip daddr 10.96.0.12 tcp dport 80 dnat to 10.77.1.5:9",
    "add rule ip proxy forwarded ip daddr 10.96.0.13 tcp dport 80 dnat to 10.77.1.5:8080",
    "add chain ip proxy leaving { type nat hook postrouting priority 100 ; }",
    "add rule ip proxy leaving ip daddr 10.77.1.5 tcp dport 8081 snat to 10.77.1.1",
    "add rule ip proxy leaving ip daddr 10.77.1.6 tcp dport 8082 snat to 10.77.1.1",
];

/// A node with a client on the one side and the pods of another node on the other.
struct Network {
    client: Actor,
    listeners: Vec<TcpListener>,
    served: Served,
    node: Namespace,
    /// The client's and the server's.
    others: [Namespace; 2],
}

/// A connection, as those who have its ends see it.
struct Connection {
    local: SocketAddr,
    dialled: SocketAddr,
    /// Where the server accepted it.
    accepted: SocketAddr,
    /// From where it seemed to come there.
    seen_from: SocketAddr,
    server: Option<TcpStream>,
}

impl Connection {
    /// Accepts what was opened from the one end to the other.
    fn accept(listener: &TcpListener, [local, dialled]: [SocketAddr; 2]) -> Self {
        let (server, seen_from) = listener.accept().unwrap();
        let accepted = server.local_addr().unwrap();
        Self { local, dialled, accepted, seen_from, server: Some(server) }
    }
}

impl Network {
    fn new() -> Self {
        let [client, node, server] = ["client", "node", "server"].map(Namespace::new);
        join((&client, "wire", "10.77.0.2/24"), (&node, "near", "10.77.0.1/24"));
        join((&node, "far", "10.77.1.1/24"), (&server, "wire", "10.77.1.5/24"));
        server.run("ip address add 10.77.1.6/24 dev wire");
        client.run("ip route add default via 10.77.0.1");
        server.run("ip route add default via 10.77.1.1");
        node.run("sysctl -q -w net.ipv4.ip_forward=1");
        for rule in RULES {
            node.run(&format!("nft {rule}"));
        }
        let listen = |port| TcpListener::bind(("0.0.0.0", port)).unwrap();
        let listeners =
            server.enter(|| [HTTP, SOURCE_CHANGED, API_PORT].map(listen).into_iter().collect());
        let served = node.enter(cluster);
        served.cluster.put_pod(&OTHER);
        for (name, ip) in [("api", API), ("away", AWAY)] {
            served.cluster.put_service("shop", name, ip, ("http", 80));
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_actor"));
        client.start_in(&mut command);
        let client_actor = Actor::start(&mut command);
        Self { client: client_actor, listeners, served, node, others: [client, server] }
    }

    fn agent(&self, arguments: &[&str]) -> Agent {
        self.agent_prepared(arguments, |_| ())
    }

    /// An agent on the node, after this was done to its command.
    fn agent_prepared(&self, arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Agent {
        let own = ["--http", "127.0.0.1:0", "--print", "-o", "json"];
        let mut command = agent::command(&[&own, &self.served.arguments()[..], arguments].concat());
        self.node.start_in(&mut command);
        prepare(&mut command);
        let mut agent = Agent::start_command(&mut command);
        agent.read_output();
        if !arguments.contains(&"off") {
            self.served.wait_until_watched();
        }
        agent
    }

    fn figure(&self, agent: &Agent, name: &str) -> u64 {
        let answer = self.node.enter(|| agent.get("/signals"));
        answer.body.number(&format!("identity.translations.{name}")).unwrap()
    }

    /// Opens a connection, which the server accepts.
    fn open(&mut self, to: &str, server_port: u16) -> Connection {
        let ends = self.client.ask(&format!("connect {to}"));
        let (local, dialled) = ends.split_once(' ').unwrap();
        let [local, dialled]: [SocketAddr; 2] = [local, dialled].map(|end| end.parse().unwrap());
        let listens =
            |listener: &&TcpListener| listener.local_addr().unwrap().port() == server_port;
        Connection::accept(self.listeners.iter().find(listens).unwrap(), [local, dialled])
    }

    /// Closes both ends: one that waits for the other may do so for a minute.
    fn close(&mut self, connection: &mut Connection) {
        self.client.ask("close");
        connection.server = None;
    }

    fn is(&self, kind: &str, local: SocketAddr) -> impl Fn(&Record) -> bool + use<> {
        let (pid, kind) = (self.client.pid(), kind.to_owned());
        move |record| {
            record.is(&kind, pid)
                && record.number("connection.local.port") == Some(local.port().into())
        }
    }

    /// Opens and closes a connection, and returns what the agent told of that.
    fn converse(&mut self, agent: &Agent, to: &str, port: u16) -> (Connection, [Record; 2]) {
        let mut connection = self.open(to, port);
        self.close(&mut connection);
        let told = ["tcp_established", "tcp_close"].map(|kind| {
            let record = agent.wait_for(to, self.is(kind, connection.local));
            assert_ends(&record, &connection);
            record
        });
        (connection, told)
    }
}

fn end(address: SocketAddr) -> Value {
    json!({"address": address.ip().to_string(), "port": address.port()})
}

/// The addresses of a record are those that the client's socket has.
#[track_caller]
fn assert_ends(record: &Record, connection: &Connection) {
    assert_eq!(record.at("connection.local"), Some(&end(connection.local)), "{record:?}");
    assert_eq!(record.at("connection.peer"), Some(&end(connection.dialled)), "{record:?}");
}

/// The record tells of the backend where the server accepted.
#[track_caller]
fn assert_reached(record: &Record, connection: &Connection) {
    assert_ne!(connection.accepted, connection.dialled);
    assert_eq!(record.at("connection.backend"), Some(&end(connection.accepted)), "{record:?}");
}

/// What is said of the other end: the pod of this address, and the service that was dialled.
fn pod_behind(address: SocketAddr, dialled: Option<&str>) -> Value {
    let mut peer = web();
    if address.ip().to_string() == OTHER_POD {
        peer["peer_pod"]["name"] = json!(OTHER.name);
    }
    if let Some(name) = dialled {
        peer["peer_service"] = service("shop", name, Some("http"))["peer_service"].clone();
    }
    peer
}

#[test]
fn a_record_names_the_service_that_was_dialled_and_the_pod_that_was_reached() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let agent = network.agent(&[]);
    let mut backends = Vec::new();
    for _ in 0..6 {
        let (connection, told) = network.converse(&agent, &format!("{SERVICE}:80"), HTTP);
        let accepted = connection.accepted;
        for record in told {
            assert_reached(&record, &connection);
            assert_eq!(peer_of(&record), pod_behind(accepted, Some("web")), "{record:?}");
        }
        backends.push(accepted.ip().to_string());
    }
    backends.sort();
    backends.dedup();
    assert_eq!(backends, [POD, OTHER_POD], "the kernel chose both");
    assert_eq!([network.figure(&agent, "lost"), network.figure(&agent, "malformed")], [0, 0]);
    agent.stop();
}

#[test]
fn a_source_that_is_translated_too_hides_no_backend() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let agent = network.agent(&[]);
    let (connection, told) = network.converse(&agent, &format!("{API}:80"), API_PORT);
    let from = connection.seen_from.ip().to_string();
    assert_eq!(from, "10.77.1.1", "the source was translated");
    for record in told {
        assert_reached(&record, &connection);
        assert_eq!(peer_of(&record), pod_behind(connection.accepted, Some("api")), "{record:?}");
    }
    agent.stop();
}

#[test]
fn where_only_the_source_is_translated_or_nothing_there_is_no_backend() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let agent = network.agent(&[]);
    for (port, from) in [(SOURCE_CHANGED, "10.77.1.1"), (HTTP, "10.77.0.2")] {
        let (connection, told) = network.converse(&agent, &format!("{POD}:{port}"), port);
        assert_eq!(connection.seen_from.ip().to_string(), from);
        assert_eq!(connection.accepted, connection.dialled);
        for record in told {
            assert_eq!(record.at("connection.backend"), None, "{record:?}");
            assert_eq!(peer_of(&record), web(), "{record:?}");
        }
    }
    agent.stop();
}

#[test]
fn an_address_of_no_service_has_its_backend_all_the_same() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let agent = network.agent(&[]);
    let (connection, told) = network.converse(&agent, &format!("{UNTOLD}:80"), HTTP);
    for record in told {
        assert_reached(&record, &connection);
        assert_eq!(peer_of(&record), web(), "{record:?}");
    }
    agent.stop();
}

#[test]
fn a_connection_that_is_older_than_the_agent_has_its_backend() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let mut connection = network.open(&format!("{SERVICE}:80"), HTTP);
    let agent = network.agent(&[]);
    wait_for("the connection among those that were there", || {
        (network.figure(&agent, "connections") == 1).then_some(())
    });
    network.close(&mut connection);
    let record = agent.wait_for("close", network.is("tcp_close", connection.local));
    assert_ends(&record, &connection);
    assert_reached(&record, &connection);
    assert_eq!(record.at("connection.opened_before_start"), Some(&json!(true)), "{record:?}");
    assert_eq!(peer_of(&record), pod_behind(connection.accepted, Some("web")), "{record:?}");
    wait_for("its leaving", || (network.figure(&agent, "connections") == 0).then_some(()));
    agent.stop();
}

#[test]
fn a_backend_that_refuses_is_named_though_the_kernel_forgets_it_at_once() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let agent = network.agent(&[]);
    // With everything waiting for the agent at once.
    agent.pause();
    let answer = network.client.ask(&format!("connect {AWAY}:80"));
    assert_eq!(answer, format!("error {}", libc::ECONNREFUSED));
    agent.go_on();
    let pid = network.client.pid();
    let record = agent.wait_for("failure", |record| record.is("tcp_connect_failed", pid));
    let backend = "10.77.1.5:9".parse().unwrap();
    assert_eq!(record.at("connection.backend"), Some(&end(backend)), "{record:?}");
    assert_eq!(peer_of(&record), pod_behind(backend, Some("away")), "{record:?}");
    agent.stop();
}

#[test]
fn no_record_comes_before_its_backend_however_late_the_agent_looks() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let agent = network.agent(&[]);
    for round in 0..6 {
        let is_late = round % 2 == 0;
        if is_late {
            agent.pause();
        }
        let connections: Vec<_> = (0..20)
            .map(|_| {
                let mut connection = network.open(&format!("{SERVICE}:80"), HTTP);
                network.close(&mut connection);
                connection
            })
            .collect();
        if is_late {
            agent.go_on();
        }
        for connection in connections {
            for kind in ["tcp_established", "tcp_close"] {
                let record =
                    agent.wait_for(&format!("{kind} {round}"), network.is(kind, connection.local));
                assert_reached(&record, &connection);
            }
        }
    }
    agent.stop();
}

/// Records are as they would be without connection tracking, and a line says why.
fn assert_works_without(network: &mut Network, agent: Agent, says: Option<&str>) {
    let (_connection, told) = network.converse(&agent, &format!("{SERVICE}:80"), HTTP);
    for record in told {
        assert_eq!(record.at("connection.backend"), None, "{record:?}");
        let name = record.text("peer_service.name");
        assert_eq!(name, says.map(|_| "web"), "{record:?}");
    }
    let messages = agent.stop().messages;
    let lines = messages.iter().filter(|line| line.contains("where a service's address led"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), usize::from(says.is_some()), "{messages:#?}");
    assert!(lines.iter().all(|line| line.contains(says.unwrap_or_default())), "{messages:#?}");
}

#[test]
fn without_the_right_to_hear_it_says_so_once_and_all_else_works() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    const NET_ADMIN: u8 = 12;
    let agent = network.agent_prepared(&[], |command| {
        launch::without_capabilities(command, &[NET_ADMIN]);
    });
    assert_works_without(&mut network, agent, Some("CAP_NET_ADMIN"));
}

#[test]
fn without_connection_tracking_it_says_so_once_and_all_else_works() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let agent = network.agent_prepared(&[], |command| {
        launch::with_empty_folder(command, c"/proc/sys/net/netfilter");
    });
    assert_works_without(&mut network, agent, Some("does not track connections yet"));
}

#[test]
fn connection_tracking_that_comes_later_is_heard_then() {
    needs!("root", "ip", "nft", "nsenter", "umount");
    let mut network = Network::new();
    let place = c"/proc/sys/net/netfilter";
    let agent = network.agent_prepared(&[], |command| launch::with_empty_folder(command, place));
    let mut converse = || network.converse(&agent, &format!("{SERVICE}:80"), HTTP);
    assert_eq!(converse().1[0].at("connection.backend"), None);
    let (pid, place) = (agent.pid().to_string(), place.to_str().unwrap());
    let mut command = Command::new("nsenter");
    let status = command.args(["-t", &pid, "-m", "-n", "umount", place]).status().unwrap();
    assert!(status.success());
    wait_for("a backend", || converse().1[0].at("connection.backend").map(drop));
    let (connection, told) = converse();
    told.iter().for_each(|record| assert_reached(record, &connection));
    agent.stop();
}

#[test]
fn what_was_said_while_nobody_listened_is_learnt_by_a_listing() {
    needs!("root", "ip", "nft");
    let network = Network::new();
    let agent = network.agent(&[]);
    agent.pause();
    // More than can wait; then some whose beginning is lost.
    network.others[0].enter(|| {
        for _ in 0..8_000 {
            TcpStream::connect((AWAY, 80)).unwrap_err();
        }
    });
    let open = |_| {
        let stream = network.others[0].enter(|| TcpStream::connect((SERVICE, 80)).unwrap());
        let ends = [stream.local_addr(), stream.peer_addr()].map(Result::unwrap);
        (stream, Connection::accept(&network.listeners[0], ends))
    };
    let open: Vec<_> = (0..5).map(open).collect();
    agent.go_on();
    wait_for("the listing", || {
        let figures = ["lost", "connections"].map(|name| network.figure(&agent, name));
        (figures[0] > 0 && figures[1] == 5).then_some(())
    });
    for (stream, mut connection) in open {
        drop((stream, connection.server.take()));
        let port = Some(u64::from(connection.local.port()));
        let record = agent.wait_for("close", |record| {
            record.is("tcp_close", std::process::id())
                && record.number("connection.local.port") == port
                && record.text("connection.role") == Some("opener")
                && record.text("connection.peer.address") == Some(SERVICE)
        });
        assert_reached(&record, &connection);
    }
    agent.stop();
}

#[test]
fn where_nobody_is_asked_connection_tracking_is_not_either() {
    needs!("root", "ip", "nft");
    let mut network = Network::new();
    let agent = network.agent(&["--identity", "off"]);
    assert_works_without(&mut network, agent, None);
}
