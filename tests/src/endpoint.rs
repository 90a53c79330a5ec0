//! One end of a TCP connection as it truly is, to compare records with.

use std::net::{SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::linux::fs::MetadataExt;

use crate::comparison::Comparison;
use crate::process::{self, Process};
use crate::record::Record;

/// An end, and who has it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Who connected or accepted.
    pub owner: Process,
    /// `opener` or `acceptor`.
    pub role: &'static str,
    /// Its own address.
    pub local: SocketAddr,
    /// The other end's, as this one sees it.
    pub peer: SocketAddr,
    /// The key, or why there is none.
    pub key: Result<String, &'static str>,
    /// The socket's cookie, once somebody asked for it.
    pub cookie: Option<u64>,
    /// It was open before the trace began.
    pub is_older: bool,
}

impl Endpoint {
    /// The ends, as an actor names them: `LOCAL PEER`.
    ///
    /// # Panics
    /// When these are not two addresses.
    pub fn new(pid: u32, role: &'static str, ends: &str) -> Self {
        let (local, peer) = ends.split_once(' ').expect(ends);
        Self {
            owner: Process::of(pid),
            role,
            local: local.parse().unwrap(),
            peer: peer.parse().unwrap(),
            key: Err("not_established"),
            cookie: None,
            is_older: false,
        }
    }

    /// Begins to compare a record of this kind; what only this kind has is left to the caller.
    pub fn compare(&self, record: &Record, kind: &str, when: RangeInclusive<u64>) -> Comparison {
        let mut fields = Comparison::of(record, "tcp", kind, when);
        self.owner.compare(&mut fields, "process");
        self.compare_connection(&mut fields);
        fields
    }

    fn compare_connection(&self, fields: &mut Comparison) {
        fields.is_optional("connection.key", self.key.as_deref().ok());
        fields.is_optional("connection.key_absent", self.key.as_ref().err().copied());
        let family = if self.peer.ip().to_canonical().is_ipv4() { "ipv4" } else { "ipv6" };
        fields.is("connection.family", family);
        fields.is("connection.protocol", "tcp");
        for (name, end) in [("local", self.local), ("peer", self.peer)] {
            let address = end.ip().to_canonical().to_string();
            fields.is(&format!("connection.{name}.address"), address);
            fields.is(&format!("connection.{name}.port"), end.port());
        }
        fields.is("connection.role", self.role);
        let namespace = std::fs::metadata(format!("/proc/{}/ns/net", self.owner.pid));
        fields.is("connection.net_namespace", namespace.unwrap().st_ino());
        fields
            .is_optional("connection.socket_cookie", self.cookie.map(|cookie| cookie.to_string()));
        fields.is("connection.opened_before_start", self.is_older);
        self.compare_peer(fields);
    }

    /// Where no cluster is asked, an address is this host's or the world's: nobody can bind to another's.
    fn compare_peer(&self, fields: &mut Comparison) {
        let is_here = UdpSocket::bind((self.peer.ip().to_canonical(), 0)).is_ok();
        fields.is("peer_entity", if is_here { "host" } else { "world" });
        fields.is_optional("peer_node", is_here.then(process::host_name));
    }

    /// It is a record of this kind, and of this end.
    pub fn is_in(&self, record: &Record, kind: &str) -> bool {
        let port = |name: &str| record.number(&format!("connection.{name}.port"));
        record.kind() == kind
            && port("local") == Some(self.local.port().into())
            && port("peer") == Some(self.peer.port().into())
    }
}
