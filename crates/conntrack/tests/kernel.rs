//! What the kernel really says of connections, in network namespaces with translation of the test's own.
//! What is compared with is what the sockets at both ends say.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use chandra_conntrack::{Change, Events, Translation, list};
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::needs;
use socket2::{Domain, Socket, Type};

/// What is dialled at these addresses is answered at loopback; behind one port by nobody.
const RULES: [&str; 9] = [
    "add table inet nat",
    "add chain inet nat out { type nat hook output priority -100 ; }",
    "add chain inet nat after { type nat hook postrouting priority 100 ; }",
    "add rule inet nat out ip daddr 10.96.0.10 tcp dport 80 dnat to 127.0.0.1:8080",
    "add rule inet nat out ip daddr 10.96.0.10 tcp dport 81 dnat to 127.0.0.1:9",
    "add rule inet nat out ip daddr 10.96.0.10 udp dport 53 dnat to 127.0.0.1:8053",
    "add rule inet nat out ip6 daddr fd96::a tcp dport 80 dnat to [fd00::1]:8080",
    "add rule inet nat out ip daddr 127.0.0.7 tcp dport 8080 redirect to :8081",
    "add rule inet nat after ip daddr 127.0.0.5 tcp dport 8080 snat to 127.0.0.6",
];

struct Network {
    namespace: Namespace,
    listeners: Vec<TcpListener>,
}

impl Network {
    fn new() -> Self {
        let namespace = Namespace::new("conntrack");
        namespace.add_addresses(&["10.1.1.1"]);
        for command in [
            "ip -6 address add fd00::1/128 dev lo nodad",
            "ip route add 10.96.0.0/16 dev lo",
            "ip -6 route add fd96::/16 dev lo",
        ] {
            namespace.run(command);
        }
        for rule in RULES {
            namespace.run(&format!("nft {rule}"));
        }
        let listen = |port| TcpListener::bind(("::", port)).unwrap();
        let listeners = namespace.enter(|| [8080, 8081].map(listen).into_iter().collect());
        Self { namespace, listeners }
    }

    /// Connects, and says what both ends say.
    fn translation(&self, to: &str, port: u16) -> (Translation, TcpStream) {
        let connection = self.namespace.enter(|| TcpStream::connect(to)).unwrap();
        let listens = |listener: &&TcpListener| listener.local_addr().unwrap().port() == port;
        let listener = self.listeners.iter().find(listens).unwrap();
        let accepted = listener.accept().unwrap().0.local_addr().unwrap();
        let backend = SocketAddr::new(accepted.ip().to_canonical(), accepted.port());
        let (client, dialled) = (connection.local_addr().unwrap(), connection.peer_addr().unwrap());
        (Translation { client, dialled, backend }, connection)
    }

    fn list(&self) -> Vec<Change> {
        let mut all = Vec::new();
        self.namespace
            .enter(|| {
                list(&mut |changes| {
                    all.extend(changes);
                    true
                })
            })
            .unwrap();
        all
    }

    /// Connections with everything that is not told of.
    fn connect_without_translation(&self) -> Vec<TcpStream> {
        let datagrams = self.namespace.enter(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
        datagrams.send_to(b"?", "10.96.0.10:53").unwrap();
        // To itself, with another source, and IPv6.
        [("127.0.0.1:8080", 8080), ("127.0.0.5:8080", 8080), ("[fd00::1]:8081", 8081)]
            .map(|(to, port)| {
                let (translation, connection) = self.translation(to, port);
                assert_eq!(translation.backend, translation.dialled);
                connection
            })
            .into()
    }
}

fn take(events: &mut Events) -> (usize, Vec<Change>) {
    let mut changes = Vec::new();
    let taken = events.take(&mut |change| changes.push(change));
    (taken, changes)
}

#[test]
fn connections_are_told_that_were_translated_and_of_others_nothing_leaves_the_kernel() {
    needs!("root", "ip", "nft");
    let network = Network::new();
    let mut events = network.namespace.enter(Events::open).unwrap();
    let mut open = network.connect_without_translation();
    assert_eq!(take(&mut events), (0, vec![]), "the filter has none of them pass");
    for (to, port) in [("10.96.0.10:80", 8080), ("[fd96::a]:80", 8080), ("127.0.0.7:8080", 8081)] {
        let (translation, connection) = network.translation(to, port);
        let (taken, changes) = take(&mut events);
        assert_eq!((taken, changes), (1, vec![Change::Made(translation)]), "{to}");
        open.push(connection);
    }
}

#[test]
fn all_that_there_is_is_listed_and_only_what_was_translated() {
    needs!("root", "ip", "nft");
    let network = Network::new();
    assert_eq!(network.list(), [Change::Listing, Change::Listed]);
    let mut open = Vec::new();
    let mut expected = Vec::new();
    for (to, port) in [("10.96.0.10:80", 8080), ("[fd96::a]:80", 8080), ("127.0.0.7:8080", 8081)] {
        let (translation, connection) = network.translation(to, port);
        expected.push(Change::Found(translation));
        open.push(connection);
    }
    open.extend(network.connect_without_translation());
    let listed = network.list();
    assert_eq!((listed.first(), listed.last()), (Some(&Change::Listing), Some(&Change::Listed)));
    assert_eq!(listed.len(), 2 + expected.len(), "{listed:?}");
    assert!(expected.iter().all(|found| listed.contains(found)), "{listed:?}");
}

#[test]
fn a_connection_that_is_refused_is_made_and_gone_before_its_opener_hears_of_it() {
    needs!("root", "ip", "nft");
    let network = Network::new();
    let mut events = network.namespace.enter(Events::open).unwrap();
    network.namespace.enter(|| TcpStream::connect("10.96.0.10:81")).unwrap_err();
    let (taken, changes) = take(&mut events);
    assert_eq!(taken, 2);
    let [Change::Made(made), Change::Gone(gone)] = changes[..] else { panic!("{changes:?}") };
    assert_eq!(made, gone);
    assert_eq!(
        [made.dialled, made.backend],
        ["10.96.0.10:81", "127.0.0.1:9"].map(|end| end.parse().unwrap())
    );
}

#[test]
fn more_than_can_wait_is_told_as_lost_and_a_listing_has_what_is_there() {
    needs!("root", "ip", "nft");
    let network = Network::new();
    let mut events = network.namespace.enter(Events::open).unwrap();
    let (translation, _connection) = network.translation("10.96.0.10:80", 8080);
    // Two events each; each takes more than a kilobyte of what may wait, which is 8 MiB.
    network.namespace.enter(|| {
        for _ in 0..8_000 {
            TcpStream::connect("10.96.0.10:81").unwrap_err();
        }
    });
    let (taken, changes) = take(&mut events);
    assert!(taken > 1000, "{taken}");
    assert_eq!(changes.first(), Some(&Change::Lost), "it is told at once");
    assert_eq!(changes.iter().filter(|change| **change == Change::Lost).count(), 1);
    assert_eq!(take(&mut events), (0, vec![]));
    assert_eq!(network.list()[1..], [Change::Found(translation), Change::Listed]);
}

/// IPVS turns the answers' source itself and sets no mark of translation.
#[test]
fn what_ipvs_translates_is_told_like_the_rest() {
    needs!("root", "ip", "nft", "ipvsadm");
    let [node, server] = ["node", "server"].map(Namespace::new);
    join((&node, "wire", "10.2.0.1/24"), (&server, "wire", "10.2.0.2/24"));
    node.add_addresses(&["10.96.0.10"]);
    let ipvs = ["netns", "exec", node.name(), "ipvsadm", "-L"];
    if !Command::new("ip").args(ipvs).output().unwrap().status.success() {
        eprintln!("skipped: {}: needs a kernel with IPVS", file!());
        return;
    }
    for command in [
        "sysctl -q -w net.ipv4.vs.conntrack=1",
        "nft add table ip nat",
        "nft add chain ip nat after { type nat hook postrouting priority 100 ; }",
        "nft add rule ip nat after oifname wire masquerade",
        "ipvsadm -A -t 10.96.0.10:80 -s rr",
        "ipvsadm -a -t 10.96.0.10:80 -r 10.2.0.2:8080 -m",
    ] {
        node.run(command);
    }
    let listener = server.enter(|| TcpListener::bind("10.2.0.2:8080")).unwrap();
    let mut events = node.enter(Events::open).unwrap();
    let [own, dialled]: [SocketAddr; 2] =
        ["10.2.0.1:40000", "10.96.0.10:80"].map(|end| end.parse().unwrap());
    // Not from the service's address, which is the node's own, too.
    let client = node.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&own.into()).unwrap();
        socket.connect(&dialled.into()).unwrap();
        socket
    });
    let backend = listener.accept().unwrap().0.local_addr().unwrap();
    let translation = Translation { client: own, dialled, backend };
    assert_eq!(take(&mut events), (1, vec![Change::Made(translation)]));
    drop(client);
}
