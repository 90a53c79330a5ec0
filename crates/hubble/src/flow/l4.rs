//! The protocol above IP, in ten bytes, and as Hubble's message.

use std::fmt;
use std::net::Ipv4Addr;

use crate::proto::flow as proto;
use crate::proto::flow::SctpChunkType;
use crate::proto::flow::layer4::Protocol;

/// The protocol above IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum L4 {
    /// None, or one that there is no message for.
    #[default]
    Unknown,
    /// TCP (RFC 9293).
    Tcp {
        /// Port of the source.
        source_port: u16,
        /// Port of the destination.
        destination_port: u16,
        /// Flags of the segment, or those that a connection has shown.
        flags: TcpFlags,
    },
    /// UDP (RFC 768).
    Udp {
        /// Port of the source.
        source_port: u16,
        /// Port of the destination.
        destination_port: u16,
    },
    /// SCTP (RFC 9260).
    Sctp {
        /// Port of the source.
        source_port: u16,
        /// Port of the destination.
        destination_port: u16,
        /// The first chunk.
        chunk_type: SctpChunkType,
    },
    /// ICMP (RFC 792).
    Icmpv4 {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// ICMPv6 (RFC 4443).
    Icmpv6 {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// VRRP (RFC 9568).
    Vrrp {
        /// Type.
        kind: u8,
        /// The virtual router.
        virtual_router_id: u8,
        /// Its priority.
        priority: u8,
    },
    /// IGMP (RFC 9776).
    Igmp {
        /// Type.
        kind: u8,
        /// The group.
        group: Ipv4Addr,
    },
}

impl L4 {
    /// The ports of source and destination, where the protocol has ports.
    pub fn ports(self) -> Option<(u16, u16)> {
        match self {
            L4::Tcp { source_port, destination_port, .. }
            | L4::Udp { source_port, destination_port }
            | L4::Sctp { source_port, destination_port, .. } => {
                Some((source_port, destination_port))
            }
            _ => None,
        }
    }

    /// The flags, where it is TCP.
    pub fn tcp_flags(self) -> Option<TcpFlags> {
        match self {
            L4::Tcp { flags, .. } => Some(flags),
            _ => None,
        }
    }

    /// As Hubble's message.
    pub fn to_proto(self) -> Option<proto::Layer4> {
        let protocol = match self {
            L4::Unknown => return None,
            L4::Tcp { source_port, destination_port, flags } => Protocol::Tcp(proto::Tcp {
                source_port: source_port.into(),
                destination_port: destination_port.into(),
                flags: Some(flags.to_proto()),
            }),
            L4::Udp { source_port, destination_port } => Protocol::Udp(proto::Udp {
                source_port: source_port.into(),
                destination_port: destination_port.into(),
            }),
            L4::Sctp { source_port, destination_port, chunk_type } => Protocol::Sctp(proto::Sctp {
                source_port: source_port.into(),
                destination_port: destination_port.into(),
                chunk_type: chunk_type.into(),
            }),
            L4::Icmpv4 { kind, code } => {
                Protocol::IcmPv4(proto::IcmPv4 { r#type: kind.into(), code: code.into() })
            }
            L4::Icmpv6 { kind, code } => {
                Protocol::IcmPv6(proto::IcmPv6 { r#type: kind.into(), code: code.into() })
            }
            L4::Vrrp { kind, virtual_router_id, priority } => Protocol::Vrrp(proto::Vrrp {
                r#type: kind.into(),
                vrid: virtual_router_id.into(),
                priority: priority.into(),
            }),
            L4::Igmp { kind, group } => Protocol::Igmp(proto::Igmp {
                r#type: kind.into(),
                group_address: group.to_string(),
            }),
        };
        Some(proto::Layer4 { protocol: Some(protocol) })
    }
}

impl From<&proto::Layer4> for L4 {
    /// What cannot be (a port above 65535) is [`L4::Unknown`].
    fn from(layer: &proto::Layer4) -> Self {
        layer.protocol.as_ref().and_then(of_protocol).unwrap_or_default()
    }
}

fn of_protocol(protocol: &Protocol) -> Option<L4> {
    let port = |number: u32| u16::try_from(number).ok();
    let byte = |number: u32| u8::try_from(number).ok();
    Some(match protocol {
        Protocol::Tcp(tcp) => L4::Tcp {
            source_port: port(tcp.source_port)?,
            destination_port: port(tcp.destination_port)?,
            flags: tcp.flags.as_ref().map(TcpFlags::from).unwrap_or_default(),
        },
        Protocol::Udp(udp) => L4::Udp {
            source_port: port(udp.source_port)?,
            destination_port: port(udp.destination_port)?,
        },
        Protocol::Sctp(sctp) => L4::Sctp {
            source_port: port(sctp.source_port)?,
            destination_port: port(sctp.destination_port)?,
            chunk_type: sctp.chunk_type(),
        },
        Protocol::IcmPv4(icmp) => L4::Icmpv4 { kind: byte(icmp.r#type)?, code: byte(icmp.code)? },
        Protocol::IcmPv6(icmp) => L4::Icmpv6 { kind: byte(icmp.r#type)?, code: byte(icmp.code)? },
        Protocol::Vrrp(vrrp) => L4::Vrrp {
            kind: byte(vrrp.r#type)?,
            virtual_router_id: byte(vrrp.vrid)?,
            priority: byte(vrrp.priority)?,
        },
        Protocol::Igmp(igmp) => L4::Igmp {
            kind: byte(igmp.r#type)?,
            group: igmp.group_address.parse().unwrap_or(Ipv4Addr::UNSPECIFIED),
        },
    })
}

/// Flags of TCP, with the numbers of the header; NS is 256.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// The sender has no more to say.
    pub const FIN: TcpFlags = TcpFlags(1);
    /// Opening.
    pub const SYN: TcpFlags = TcpFlags(2);
    /// Broken off.
    pub const RST: TcpFlags = TcpFlags(4);
    /// To be handed on.
    pub const PSH: TcpFlags = TcpFlags(8);
    /// Acknowledging.
    pub const ACK: TcpFlags = TcpFlags(16);
    /// Urgent.
    pub const URG: TcpFlags = TcpFlags(32);
    /// Congestion was seen (RFC 3168).
    pub const ECE: TcpFlags = TcpFlags(64);
    /// The congestion window was made smaller (RFC 3168).
    pub const CWR: TcpFlags = TcpFlags(128);
    /// Nonce sum (RFC 3540), historic.
    pub const NS: TcpFlags = TcpFlags(256);

    /// All, in the order in which Hubble writes them.
    const WRITTEN: [(TcpFlags, &'static str); 9] = [
        (Self::SYN, "SYN"),
        (Self::ACK, "ACK"),
        (Self::RST, "RST"),
        (Self::FIN, "FIN"),
        (Self::PSH, "PSH"),
        (Self::URG, "URG"),
        (Self::ECE, "ECE"),
        (Self::CWR, "CWR"),
        (Self::NS, "NS"),
    ];

    /// All flags of the other are set here.
    pub fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// As Hubble's message.
    pub fn to_proto(self) -> proto::TcpFlags {
        proto::TcpFlags {
            fin: self.contains(Self::FIN),
            syn: self.contains(Self::SYN),
            rst: self.contains(Self::RST),
            psh: self.contains(Self::PSH),
            ack: self.contains(Self::ACK),
            urg: self.contains(Self::URG),
            ece: self.contains(Self::ECE),
            cwr: self.contains(Self::CWR),
            ns: self.contains(Self::NS),
        }
    }
}

impl From<&proto::TcpFlags> for TcpFlags {
    fn from(flags: &proto::TcpFlags) -> Self {
        let each = [
            (flags.fin, Self::FIN),
            (flags.syn, Self::SYN),
            (flags.rst, Self::RST),
            (flags.psh, Self::PSH),
            (flags.ack, Self::ACK),
            (flags.urg, Self::URG),
            (flags.ece, Self::ECE),
            (flags.cwr, Self::CWR),
            (flags.ns, Self::NS),
        ];
        each.into_iter().fold(Self(0), |all, (is_set, flag)| if is_set { all | flag } else { all })
    }
}

impl std::ops::BitOr for TcpFlags {
    type Output = TcpFlags;

    fn bitor(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Self::WRITTEN.iter().filter(|(flag, _)| self.contains(*flag));
        for (index, (_, name)) in set.enumerate() {
            f.write_str(if index > 0 { ", " } else { "" })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpFlags({self})")
    }
}
