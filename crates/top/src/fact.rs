//! What is told: one end of a connection that something happened to, a process, a dropped packet.

use std::net::SocketAddr;

/// Whose something is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// Its start, to tell it from a later one of its pid: hundredths of a second since some moment.
    pub start_ticks: u64,
    /// Its name.
    pub comm: String,
    /// Where it runs.
    pub place: Place,
    /// The name that people know it by: its pod's, or its container's, or else its own.
    pub name: String,
    /// The name of where it runs; none is the host.
    pub place_name: Option<String>,
}

/// Where a process runs: a container's pod, a container without one, or the host itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The pod's namespace.
    pub namespace: Option<String>,
    /// The pod.
    pub pod: Option<String>,
    /// What the pod belongs to: its kind and its name.
    pub workload: Option<(String, String)>,
    /// The container's name, or its id where it has none.
    pub container: Option<String>,
}

impl Place {
    /// `shop/web-1`, or the container of no pod.
    pub fn name(&self) -> Option<String> {
        match (&self.namespace, &self.pod) {
            (Some(namespace), Some(pod)) => Some(format!("{namespace}/{pod}")),
            (None, Some(pod)) => Some(pod.clone()),
            _ => self.container.clone(),
        }
    }
}

impl Owner {
    /// A process that runs somewhere.
    pub fn new(pid: u32, start_ticks: u64, comm: String, place: Place) -> Self {
        let place_name = place.name();
        let name = place_name.clone().unwrap_or_else(|| comm.clone());
        Self { pid, start_ticks, comm, place, name, place_name }
    }
}

/// What carries data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
}

impl Protocol {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A connection or conversation, from one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End<'a> {
    /// What carries the data.
    pub protocol: Protocol,
    /// Local address and port.
    pub local: SocketAddr,
    /// Peer's address and port.
    pub peer: SocketAddr,
    /// This end opened it, or asked first. Where that is not known it is taken for the opener.
    pub is_opener: bool,
    /// Equal at both ends, where there is such a thing.
    pub key: Option<u64>,
    /// The network namespace, where no key says which connection it is; 0 is none.
    pub net_namespace: u32,
    /// Whose it is, if known.
    pub owner: Option<&'a Owner>,
    /// Who is at the other end, if known.
    pub peer_name: Option<&'a str>,
    /// How many connections it stands for, itself included.
    pub stands_for: u64,
}

/// What went over a connection so far, from one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Payload sent.
    pub bytes_sent: u64,
    /// Payload received.
    pub bytes_received: u64,
    /// Segments or datagrams sent.
    pub packets_sent: u64,
    /// Segments or datagrams received.
    pub packets_received: u64,
    /// Segments sent again.
    pub retransmits: u64,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'a> {
    /// A connection was opened, or was accepted.
    Opened {
        /// Which, and by whom.
        end: End<'a>,
        /// How long it took, as the opener knows it.
        latency_ns: Option<u64>,
    },
    /// A connection could not be opened.
    Failed {
        /// Which, and by whom.
        end: End<'a>,
    },
    /// What went over a connection.
    Traffic {
        /// Which, and whose.
        end: End<'a>,
        /// So far, of all that it stands for.
        totals: Totals,
        /// The smoothed round-trip time, where there is one.
        rtt_us: Option<u64>,
        /// It was there before anybody watched: what was told first is where counting begins.
        is_older: bool,
        /// It is over.
        is_over: bool,
    },
    /// A process executed a program.
    Exec {
        /// Which.
        owner: &'a Owner,
    },
    /// A process ended.
    Exit {
        /// Which.
        owner: &'a Owner,
    },
    /// A process ran on a processor for so long.
    Ran {
        /// Which.
        owner: &'a Owner,
        /// How long.
        cpu_ns: u64,
    },
    /// A packet was dropped.
    Dropped {
        /// Why, in the kernel's words.
        reason: &'a str,
        /// What it was of: `tcp`, `icmp`, …
        protocol: &'a str,
        /// Where from and where to, as far as that is known.
        ends: Option<[SocketAddr; 2]>,
        /// Whose socket it was of, if known.
        owner: Option<&'a Owner>,
        /// Its length where it died.
        length_bytes: u64,
    },
}
