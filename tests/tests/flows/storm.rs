//! More conversations than the kernel's table has room for, as flows of an agent: each is told from its beginning to its
//! end, the books balance, and memory stays within its bounds. Who sends waits for the agent now and then, so that the
//! ring holds what is made on any machine; what is over at the end is over at once.

use std::net::SocketAddr;

use chandra_tests::agent::Agent;
use chandra_tests::datagrams::bind;
use chandra_tests::flows::Observed;
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::process::resident_kib;

const PEERS: u64 = 100_000;
const AT_ONCE: u64 = 2000;
/// What the table has room for.
const ROOM: u64 = 65_536;
/// Others on this machine have conversations, too.
const OTHERS: u64 = 1000;
/// What flows may take in memory.
const FLOWS_KIB: u64 = 8 << 10;
/// The most that everything else may grow by.
const MORE_KIB: u64 = 32 << 10;

fn udp(agent: &Agent, path: &str) -> u64 {
    agent.signal("udp").number(path).unwrap()
}

/// Flows over UDP that were made, as Hubble's metric counts them.
fn flows(agent: &Agent) -> u64 {
    agent.sum("hubble_flows_processed_total", &["protocol=\"UDP\""])
}

#[test]
fn a_storm_of_conversations_is_told_whole_within_its_memory() {
    needs!("root", "ip");
    let namespace = Namespace::new("storm");
    let buffer = format!("{FLOWS_KIB}k");
    let bounds = ["--hubble-buffer-size", &buffer, "--event-budget", "off"];
    let told = ["--signals", "process,udp", "--hubble-metrics", "flow"];
    let observed = Observed::start(&[&bounds[..], &told].concat());
    let agent = &observed.agent;
    let (client, before) = (bind(&namespace, "127.0.0.1:0"), resident_kib(agent.pid()));
    for peer in 0..PEERS {
        let [_, high, middle, low] = (peer as u32 + 0x1_0000).to_be_bytes();
        client.send_to(b"x", SocketAddr::from(([127, high, middle, low], 9))).unwrap();
        if peer % AT_ONCE == 0 {
            let keeps_up = || (udp(agent, "ledger.decoded") >= peer).then_some(());
            wait_for("an agent that keeps up", keeps_up);
        }
    }
    assert_eq!(namespace.counter("Udp", "OutDatagrams"), PEERS);
    drop(client);
    // A beginning and an end of each, some of which had to make room for others.
    wait_for("all ends", || (udp(agent, "ledger.seen") >= 2 * PEERS).then_some(()));
    wait_for("all flows", || (flows(agent) >= 2 * PEERS).then_some(()));
    let evicted = PEERS - ROOM..PEERS - ROOM + OTHERS;
    assert!(evicted.contains(&udp(agent, "flow_table.evicted")), "{:?}", agent.signal("udp"));
    let sample = "chandra_flow_table_overflows_total{signal=\"udp\",outcome=\"evicted\"}";
    assert!(evicted.contains(&agent.metric(sample)));
    let grown = resident_kib(agent.pid()).saturating_sub(before);
    assert!(grown < FLOWS_KIB + MORE_KIB, "{grown} KiB more than {before}");
    agent.wait_until_balanced("udp");
    for door in ["ledger.lost", "ledger.rate_limited", "ledger.decode_errors", "flow_table.refused"]
    {
        assert_eq!(udp(agent, door), 0, "{door}");
    }
    observed.agent.stop();
}
