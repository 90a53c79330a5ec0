//! Protocols by name.

use super::{Subject, Why};
use crate::flow::L4;

/// A protocol that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Icmp,
    Icmpv4,
    Icmpv6,
    Tcp,
    Udp,
    Sctp,
    Vrrp,
    Igmp,
    Dns,
    Http,
}

impl Protocol {
    /// By its name, in any case.
    pub fn parse(text: &str) -> Result<Self, Why> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "icmp" => Protocol::Icmp,
            "icmpv4" => Protocol::Icmpv4,
            "icmpv6" => Protocol::Icmpv6,
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            "vrrp" => Protocol::Vrrp,
            "igmp" => Protocol::Igmp,
            "dns" => Protocol::Dns,
            "http" => Protocol::Http,
            _ => return Err(Why::Protocol),
        })
    }

    /// Whether a flow is of it.
    pub fn matches(self, subject: Subject<'_>) -> bool {
        match self {
            Protocol::Dns => subject.dns().is_some(),
            Protocol::Http => subject.http().is_some(),
            of_l4 => matches!(
                (of_l4, subject.l4()),
                (Protocol::Icmp | Protocol::Icmpv4, L4::Icmpv4 { .. })
                    | (Protocol::Icmp | Protocol::Icmpv6, L4::Icmpv6 { .. })
                    | (Protocol::Tcp, L4::Tcp { .. })
                    | (Protocol::Udp, L4::Udp { .. })
                    | (Protocol::Sctp, L4::Sctp { .. })
                    | (Protocol::Vrrp, L4::Vrrp { .. })
                    | (Protocol::Igmp, L4::Igmp { .. })
            ),
        }
    }
}
