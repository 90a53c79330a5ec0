//! Connections by the thousand: each opened, accepted and closed once, its two ends recognised as
//! one connection, and its bytes counted to the last one, also behind a router that hides both.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use chandra_tests::conversation::{Conversation, Ending, Plan, converse};
use chandra_tests::namespaces::Routed;
use chandra_tests::needs;
use chandra_tests::trace::Trace;

use crate::both_ends::assert_seen_whole;

const CONNECTIONS: u32 = 10_000;
const KINDS: &str = "tcp_connect,tcp_established,tcp_accept,tcp_close";

/// Addresses that no two connections share.
fn address(number: u32, network: u32, port: u16) -> SocketAddr {
    (Ipv4Addr::from(network + number / 250 * 256 + number % 250 + 1), port).into()
}

/// Converses by two workers, each with a listener of its own, and traces it all.
fn trace_conversations(
    options: &[&str],
    listeners: [TcpListener; 2],
    connect: impl Fn(u32, usize) -> SocketAddr + Sync,
    inside: impl Fn(&(dyn Fn() -> Vec<Conversation> + Sync)) -> Vec<Conversation> + Sync,
) {
    // Two workers open more than 30,000 connections a second; the ring has its usual size.
    let shared = ["tcp-close", "--type", KINDS];
    let mut trace = Trace::start(&[&shared, options].concat());
    let started = Instant::now();
    let begun = AtomicU32::new(0);
    let work = |worker: usize| {
        let mut done = Vec::new();
        loop {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            if number >= CONNECTIONS {
                return done;
            }
            let plan = match number {
                0 => Plan { opener_sends: 5 << 20, acceptor_sends: 0, ending: Ending::OpenerFirst },
                1 => {
                    Plan { opener_sends: 1, acceptor_sends: 5 << 20, ending: Ending::OpenerCloses }
                }
                2 => Plan { opener_sends: 0, acceptor_sends: 0, ending: Ending::AcceptorFirst },
                _ => Plan::of(number),
            };
            done.push(converse(connect(number, worker), &listeners[worker], plan));
        }
    };
    let conversations: Vec<Conversation> = std::thread::scope(|scope| {
        let workers = [0, 1].map(|worker| {
            let (inside, work) = (&inside, &work);
            scope.spawn(move || inside(&move || work(worker)))
        });
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    println!("{CONNECTIONS} connections in {:?}", started.elapsed());
    assert_eq!(conversations.len(), CONNECTIONS as usize);
    trace.wait_for_lines(5 * CONNECTIONS as usize);
    let outcome = trace.stop();
    outcome.summary_without_loss();
    assert_seen_whole(&outcome.records, &conversations);
}

#[test]
fn ten_thousand_on_loopback() {
    needs!("root");
    let listeners = [(); 2].map(|()| TcpListener::bind("0.0.0.0:0").unwrap());
    let ports = [0, 1].map(|worker: usize| listeners[worker].local_addr().unwrap().port());
    let option = format!("{},{}", ports[0], ports[1]);
    let loopback = u32::from(Ipv4Addr::new(127, 1, 0, 0));
    let connect = |number, worker: usize| address(number, loopback, ports[worker]);
    trace_conversations(&["--port", &option], listeners, connect, |work| work());
}

#[test]
fn ten_thousand_through_a_router_that_changes_both_addresses() {
    needs!("root", "ip", "nft");
    let net = Routed::new();
    let listeners = [0, 1].map(|worker| {
        let address = (Ipv4Addr::new(10, 202, 0, 2), Routed::SERVER_PORT + worker);
        net.server.enter(|| TcpListener::bind(address).unwrap())
    });
    let visible = u32::from(Ipv4Addr::new(10, 203, 0, 0));
    let port = |worker: usize| Routed::VISIBLE_PORT + u16::try_from(worker).unwrap();
    let connect = |number, worker| address(number, visible, port(worker));
    let (visible_port, server_port) = (Routed::VISIBLE_PORT, Routed::SERVER_PORT);
    let ports = [visible_port, visible_port + 1, server_port, server_port + 1];
    let option = ports.map(|port| port.to_string()).join(",");
    trace_conversations(&["--port", &option], listeners, connect, |work| net.client.enter(work));
    assert!(net.translated() > 0);
}
