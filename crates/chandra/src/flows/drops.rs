//! Packets that the kernel dropped, as flows.

use std::sync::Arc;

use chandra_event::drop::{Direction, Drop, Interface, Reason};
use chandra_hubble::flow::{
    DropReason, EventType, KernelDrop, NetworkInterface, TcpFlags, Verdict,
};

use super::cache::Cache;
use super::endpoints::{Carried, Seen};

/// Names and numbers of protocols (IANA).
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// Reasons and interfaces that were told before.
#[derive(Debug, Default)]
pub struct Drops {
    kernel: Cache<(u32, usize), KernelDrop>,
    interfaces: Cache<(u32, [u8; 16]), NetworkInterface>,
}

impl Drops {
    /// The kernel's own word for why and where.
    pub fn kernel(&mut self, drop: &Drop) -> Arc<KernelDrop> {
        let number = drop.reason.map_or(0, |reason| reason.number);
        // Places are kept for the whole run, so each has an address of its own.
        let place = drop.location.map_or(0, |location| location.as_ptr() as usize);
        self.kernel.get(
            (number, place),
            |_| true,
            || KernelDrop {
                reason: kernel_name(drop.reason),
                number,
                location: drop.location.unwrap_or_default().into(),
                decided_by: String::new(),
            },
        )
    }

    /// Where it was.
    pub fn interface(&mut self, interface: &Interface) -> Arc<NetworkInterface> {
        let name = || String::from_utf8_lossy(interface.name().unwrap_or_default()).into_owned();
        let make = || NetworkInterface { index: interface.index, name: name() };
        self.interfaces.get((interface.index, interface.name), |_| true, make)
    }
}

/// As the kernel writes it: `NETFILTER_DROP`.
fn kernel_name(reason: Option<Reason>) -> String {
    let name = reason.and_then(|reason| reason.name);
    name.map(str::to_uppercase).unwrap_or_default()
}

/// What was dropped.
pub fn seen(drop: &Drop) -> Seen {
    let packet = &drop.packet;
    let icmp = packet.icmp.unwrap_or_default();
    let carried = match packet.protocol {
        Some(TCP) => Carried::Tcp(TcpFlags(packet.tcp_flags.unwrap_or_default().into())),
        Some(UDP) => Carried::Udp,
        Some(SCTP) => Carried::Sctp,
        Some(ICMP) => Carried::Icmpv4(icmp.0, icmp.1),
        Some(ICMPV6) => Carried::Icmpv6(icmp.0, icmp.1),
        _ => Carried::Other,
    };
    let is_sent = drop.direction == Direction::Sent;
    Seen { is_sent, is_reply: None, carried, verdict: Verdict::Dropped }
}

/// Hubble's reason that says the same as the kernel's, where there is one; for the others the kernel's name
/// is in the flow's summary.
pub fn hubble_reason(reason: Option<Reason>) -> DropReason {
    match reason.and_then(|reason| reason.name).unwrap_or_default() {
        "netfilter_drop" => DropReason::PolicyDenied,
        "ip_csum" | "ip_inhdr" | "tcp_csum" | "udp_csum" | "icmp_csum" | "pkt_too_small"
        | "hdr_trunc" => DropReason::InvalidPacketDropped,
        "ip_rpfilter" | "ip_invalid_source" | "ip_localnet" => DropReason::InvalidSourceIp,
        "ip_noproto" => DropReason::UnknownL4Protocol,
        "unhandled_proto" => DropReason::UnsupportedL3Protocol,
        "ip_innoroutes" | "ip_outnoroutes" => DropReason::FibLookupFailed,
        _ => DropReason::Unknown,
    }
}

/// Hubble's clients take number 0 for a success, so what has no number there gets one that means nothing.
pub fn event_type(reason: DropReason) -> EventType {
    const NONE_OF_HUBBLES: i32 = 255;
    match EventType::drop(reason) {
        EventType { sub_type: 0, number } => EventType { number, sub_type: NONE_OF_HUBBLES },
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reasons_with_an_equal_are_translated() {
        let of = |name| hubble_reason(Some(Reason { number: 1, name: Some(name) }));
        assert_eq!(of("netfilter_drop"), DropReason::PolicyDenied);
        assert_eq!(of("tcp_csum"), DropReason::InvalidPacketDropped);
        assert_eq!(of("socket_rcvbuff"), DropReason::Unknown);
        assert_eq!(hubble_reason(None), DropReason::Unknown);
        let reason = Reason { number: 2, name: Some("no_socket") };
        assert_eq!(kernel_name(Some(reason)), "NO_SOCKET");
    }
}
