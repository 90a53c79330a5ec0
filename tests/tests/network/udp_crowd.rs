//! More conversations over UDP than the table has room for. It stands apart because every trace on this machine
//! has these conversations, too.

use std::net::SocketAddr;

use chandra_tests::datagrams::{bind, ended, ports, went};
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;

#[test]
fn where_the_table_is_full_the_quiet_ones_are_ended_and_none_is_lost() {
    needs!("root", "ip");
    const ROOM: usize = 16_384;
    const PEERS: usize = ROOM + 3000;
    let namespace = Namespace::new("crowd");
    let trace = Trace::start(&["udp", "--ring-size", "32m"]);
    let client = bind(&namespace, "127.0.0.1:0");
    let peers = (0..PEERS).map(|peer| SocketAddr::from(([127, 0, 0, 2], 1000 + peer as u16)));
    for peer in peers.clone() {
        client.send_to(b"x", peer).unwrap();
    }
    assert_eq!(namespace.counter("Udp", "OutDatagrams"), PEERS as u64);
    drop(client);
    let outcome = ended(trace, &namespace, PEERS);
    let mut told = outcome.records.iter().filter(|record| record.kind() == "udp_close");
    let mut ports_told: Vec<_> = told.clone().map(|record| ports(record)[1]).collect();
    ports_told.sort_unstable();
    // Each of them once, and each with what went over it.
    assert_eq!(ports_told, peers.map(|peer| peer.port()).collect::<Vec<_>>());
    assert!(told.all(|record| went(record) == [1, 1, 0, 0]));
    let ended_as = |why: &str| {
        let is_it = |record: &&Record| record.text("end") == Some(why);
        outcome.records.iter().filter(is_it).count()
    };
    let evicted = ended_as("evicted");
    assert_eq!(evicted + ended_as("socket_closed"), PEERS);
    // Others on this machine may have conversations, too.
    assert!((PEERS - ROOM..PEERS - ROOM + 1000).contains(&evicted), "{evicted}");
}
