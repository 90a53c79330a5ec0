//! Sockets of UDP in a namespace, and what records say of what went over them.

use std::net::{SocketAddr, UdpSocket};

use crate::namespaces::Namespace;
use crate::patience::{PATIENCE, wait_for};
use crate::record::Record;
use crate::trace::{Outcome, Trace};

/// A socket in the namespace, with this address, that does not wait for ever.
///
/// # Panics
/// When it cannot be had.
pub fn bind(namespace: &Namespace, address: &str) -> UdpSocket {
    let socket = namespace.enter(|| UdpSocket::bind(address).unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Where to reach a socket that is bound to all addresses.
///
/// # Panics
/// When that is no address.
pub fn at(address: &str, socket: &UdpSocket) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), socket.local_addr().unwrap().port())
}

/// Reads so many datagrams.
///
/// # Panics
/// When they do not come.
pub fn receive(socket: &UdpSocket, count: usize) {
    for _ in 0..count {
        socket.recv(&mut [0; 65_535]).unwrap();
    }
}

/// Whether a record is of this namespace.
pub fn is_in(namespace: &Namespace) -> impl Fn(&Record) -> bool {
    let inode = namespace.inode();
    move |record| record.number("connection.net_namespace") == Some(inode)
}

/// The trace's records of this namespace, once so many of its conversations have ended.
///
/// # Panics
/// When they do not end, or records were lost.
pub fn ended(mut trace: Trace, namespace: &Namespace, count: usize) -> Outcome {
    let is_here = is_in(namespace);
    let mut closed = 0;
    let mut looked_at = 0;
    wait_for(&format!("{count} ends"), || {
        let records = trace.records();
        let new = records.get(looked_at..).unwrap().iter();
        closed += new.filter(|record| record.kind() == "udp_close" && is_here(record)).count();
        looked_at = records.len();
        (closed >= count).then_some(())
    });
    let mut outcome = trace.stop();
    outcome.summary_without_loss();
    outcome.records.retain(is_here);
    outcome
}

/// The ports of a record's ends, the local one first.
///
/// # Panics
/// When it has none.
pub fn ports(record: &Record) -> [u16; 2] {
    let port = |end: &str| record.number(&format!("connection.{end}.port")).unwrap();
    ["local", "peer"].map(|end| u16::try_from(port(end)).unwrap())
}

/// The one record of this kind with these ports, the local one first.
///
/// # Panics
/// When there is not just one.
pub fn only<'r>(outcome: &'r Outcome, kind: &str, ends: [u16; 2]) -> &'r Record {
    let is_it = |record: &&Record| record.kind() == kind && ports(record) == ends;
    let found: Vec<_> = outcome.records.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{kind} {ends:?}: {found:#?} of {:#?}", outcome.records);
    found[0]
}

/// Datagrams and bytes sent, datagrams and bytes received.
///
/// # Panics
/// When the record does not say.
pub fn went(record: &Record) -> [u64; 4] {
    ["datagrams_sent", "bytes_sent", "datagrams_received", "bytes_received"]
        .map(|name| record.number(name).unwrap())
}
