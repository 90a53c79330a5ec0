//! What records say happened.

use std::fmt::Write;
use std::sync::MutexGuard;

use chandra_event::drop::{Drop, protocol_word};
use chandra_event::record::{Event, Record};
use chandra_event::socket::Part;
use chandra_event::tcp::{Happened, Role, Tcp};
use chandra_event::udp::{self, Udp};
use chandra_event::who::Who;
use chandra_top::Watch;
use chandra_top::fact::{End, Fact, Owner, Protocol, Totals};

use super::Feed;
use super::owners::Owners;
use crate::follow::{Sink, Told};

/// The kinds of records that figures come from, those of UDP apart.
pub const KINDS: &[&str] = &[
    "exec",
    "exit",
    "tcp_established",
    "tcp_connect_failed",
    "tcp_accept",
    "tcp_update",
    "tcp_close",
    "packet_drop",
];
/// Those of UDP.
pub const UDP_KINDS: &[&str] = &["udp_open", "udp_reply", "udp_update", "udp_close"];

/// Where records go: into the watch, which is locked from the first of a batch to the last.
#[derive(Debug)]
pub struct Facts<'a> {
    feed: &'a Feed,
    locked: Option<MutexGuard<'a, Watch>>,
    owners: Owners,
    peer_name: String,
}

impl<'a> Facts<'a> {
    /// Feeds this.
    pub fn new(feed: &'a Feed) -> Self {
        Self { feed, locked: None, owners: Owners::default(), peer_name: String::new() }
    }
}

impl Sink for Facts<'_> {
    fn tell(&mut self, _part: usize, told: &Told<'_>) {
        let Self { feed, locked, owners, peer_name } = self;
        let owner = owners.of(told);
        let owner = owner.as_deref();
        write_peer_name(told.known.who, peer_name);
        let peer_name = Some(peer_name.as_str()).filter(|name| !name.is_empty());
        let fact = match (told.known.event(), owner) {
            (Event::Exec(_), Some(owner)) => Some(Fact::Exec { owner }),
            (Event::Exit(_), Some(owner)) => Some(Fact::Exit { owner }),
            (Event::Tcp(tcp), owner) => of_tcp(tcp, owner, peer_name),
            (Event::Udp(udp), owner) => Some(of_udp(udp, owner, peer_name)),
            (Event::Drop(drop), owner) if !drop.is_ordinary => Some(of_drop(drop, owner)),
            _ => None,
        };
        if let Some(fact) = fact {
            locked.get_or_insert_with(|| feed.lock()).take(&fact);
        }
    }

    fn flush(&mut self) {
        self.locked = None;
    }
}

fn of_tcp<'a>(tcp: &Tcp, owner: Option<&'a Owner>, peer_name: Option<&'a str>) -> Option<Fact<'a>> {
    let connection = &tcp.connection;
    let end = End {
        protocol: Protocol::Tcp,
        local: connection.local,
        peer: connection.peer,
        is_opener: connection.role != Some(Role::Acceptor),
        key: connection.key.ok(),
        net_namespace: connection.net_namespace,
        owner,
        peer_name,
        // A view of its own is told all.
        stands_for: 1,
    };
    let (totals, is_over) = match tcp.happened {
        Happened::Established { latency_ns } => return Some(Fact::Opened { end, latency_ns }),
        Happened::Accept { .. } => return Some(Fact::Opened { end, latency_ns: None }),
        Happened::ConnectFailed { .. } => return Some(Fact::Failed { end }),
        Happened::Update(totals) => (totals, false),
        Happened::Close(totals) => (totals, true),
        _ => return None,
    };
    Some(Fact::Traffic {
        end,
        totals: Totals {
            bytes_sent: totals.bytes_sent,
            bytes_received: totals.bytes_received,
            packets_sent: totals.segments_sent,
            packets_received: totals.segments_received,
            retransmits: totals.retransmits,
        },
        rtt_us: totals.smoothed_rtt_us,
        is_older: connection.opened_before_start,
        is_over,
    })
}

/// A conversation is counted from its first datagram on that was seen, so none is older.
fn of_udp<'a>(udp: &Udp, owner: Option<&'a Owner>, peer_name: Option<&'a str>) -> Fact<'a> {
    let end = End {
        protocol: Protocol::Udp,
        local: udp.ends.local,
        peer: udp.ends.peer,
        is_opener: udp.ends.part != Some(Part::Server),
        key: None,
        net_namespace: udp.ends.net_namespace,
        owner,
        peer_name,
        stands_for: 1,
    };
    Fact::Traffic {
        end,
        totals: Totals {
            bytes_sent: udp.totals.bytes_sent,
            bytes_received: udp.totals.bytes_received,
            packets_sent: udp.totals.datagrams_sent,
            packets_received: udp.totals.datagrams_received,
            retransmits: 0,
        },
        rtt_us: None,
        is_older: false,
        is_over: matches!(udp.happened, udp::Happened::Close(_)),
    }
}

fn of_drop<'a>(drop: &Drop, owner: Option<&'a Owner>) -> Fact<'a> {
    let packet = &drop.packet;
    let protocol = packet.ethertype.and_then(|it| protocol_word(it, packet.protocol));
    // Before kernel 5.17 there is no reason, but where in the kernel's code it was.
    let reason = drop.reason.and_then(|reason| reason.name).or(drop.location);
    Fact::Dropped {
        reason: reason.unwrap_or("unknown"),
        protocol: protocol.unwrap_or("-"),
        ends: packet.source.zip(packet.destination).map(|(source, peer)| [source, peer]),
        owner,
        length_bytes: u64::from(packet.length_bytes),
    }
}

/// Who is at the other end, by the name that says most; nothing where none is known.
fn write_peer_name(who: &Who<'_>, name: &mut String) {
    name.clear();
    let peer = &who.peer;
    let pod = peer.pod.and_then(|pod| Some((pod.namespace?, pod.name?)));
    let service = peer.service.map(|service| (service.namespace, service.name));
    match service.or(pod) {
        // Writing into a string cannot fail.
        Some((namespace, of)) => drop(write!(name, "{namespace}/{of}")),
        None => name.push_str(peer.name.or(peer.node).unwrap_or_default()),
    }
}
