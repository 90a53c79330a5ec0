//! More conversations over UDP than the table has room for. It stands apart because every trace on this machine
//! has these conversations, too.

use std::net::SocketAddr;

use chandra_tests::datagrams::{bind, ended, went};
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;

fn peer(record: &Record) -> SocketAddr {
    let address = record.text("connection.peer.address").unwrap();
    let port = record.number("connection.peer.port").unwrap();
    SocketAddr::new(address.parse().unwrap(), u16::try_from(port).unwrap())
}

#[test]
fn where_the_table_is_full_the_quiet_ones_are_ended_and_none_is_lost() {
    needs!("root", "ip");
    const ROOM: usize = 65_536;
    const PEERS: usize = ROOM + 3000;
    let namespace = Namespace::new("crowd");
    let trace = Trace::start(&["udp", "--type", "udp_close", "--ring-size", "32m"]);
    let client = bind(&namespace, "127.0.0.1:0");
    // Half of them at each of two addresses.
    let peers = (0..PEERS).map(|peer| {
        let (address, port) = (2 + peer % 2, 1000 + peer / 2);
        SocketAddr::from(([127, 0, 0, address as u8], port as u16))
    });
    for peer in peers.clone() {
        client.send_to(b"x", peer).unwrap();
    }
    assert_eq!(namespace.counter("Udp", "OutDatagrams"), PEERS as u64);
    drop(client);
    let outcome = ended(trace, &namespace, PEERS);
    let told = || outcome.records.iter();
    let mut peers_told: Vec<_> = told().map(peer).collect();
    peers_told.sort_unstable();
    let mut peers: Vec<_> = peers.collect();
    peers.sort_unstable();
    // Each of them once, and each with what went over it.
    assert!(peers_told == peers, "{} of {}", peers_told.len(), peers.len());
    assert!(told().all(|record| went(record) == [1, 1, 0, 0]));
    let ended_as = |why: &str| {
        let is_it = |record: &&Record| record.text("end") == Some(why);
        outcome.records.iter().filter(is_it).count()
    };
    let evicted = ended_as("evicted");
    assert_eq!(evicted + ended_as("socket_closed"), PEERS);
    // Others on this machine may have conversations, too.
    assert!((PEERS - ROOM..PEERS - ROOM + 1000).contains(&evicted), "{evicted}");
}
