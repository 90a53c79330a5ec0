//! What labels say of a flow, in Hubble's words.

use chandra_hubble::flow::{Flow, L4, L7Record, Verdict};

/// The protocol: that of the application where it is known.
pub(super) fn protocol(flow: &Flow) -> &'static str {
    match flow.l7.as_deref().map(|l7| &l7.record) {
        Some(L7Record::Dns(_)) => return "DNS",
        Some(L7Record::Http(_)) => return "HTTP",
        None => {}
    }
    l4_protocol(flow.l4)
}

/// The protocol above IP.
pub(super) fn l4_protocol(l4: L4) -> &'static str {
    match l4 {
        L4::Tcp { .. } => "TCP",
        L4::Udp { .. } => "UDP",
        L4::Sctp { .. } => "SCTP",
        L4::Icmpv4 { .. } => "ICMPv4",
        L4::Icmpv6 { .. } => "ICMPv6",
        L4::Vrrp { .. } => "VRRP",
        L4::Igmp { .. } => "IGMP",
        L4::Unknown => "Unknown flow",
    }
}

/// It went on its way.
pub(super) fn has_passed(flow: &Flow) -> bool {
    matches!(flow.verdict, Verdict::Forwarded | Verdict::Redirected)
}

/// Trace points by the number of the event (`to-endpoint` is 0 there).
pub(super) fn trace_point(sub_type: i32) -> &'static str {
    const POINTS: [&str; 14] = [
        "to-endpoint",
        "to-proxy",
        "to-host",
        "to-stack",
        "to-overlay",
        "from-endpoint",
        "from-proxy",
        "from-host",
        "from-stack",
        "from-overlay",
        "from-network",
        "to-network",
        "from-crypto",
        "to-crypto",
    ];
    let index = usize::try_from(sub_type).ok();
    index.and_then(|index| POINTS.get(index)).copied().unwrap_or_default()
}

/// Response codes of DNS (IANA's registry), as the metric has them; empty where a number has no name.
pub(super) fn rcode(number: u32) -> &'static str {
    match number {
        0 => "No Error",
        1 => "Format Error",
        2 => "Server Failure",
        3 => "Non-Existent Domain",
        4 => "Not Implemented",
        5 => "Query Refused",
        6 => "Name Exists when it should not",
        7 => "RR Set Exists when it should not",
        8 => "RR Set that should exist does not",
        9 => "Not Authorized",
        10 => "Name not contained in zone",
        11 => "DSO-TYPE Not Implemented",
        16 => "Bad OPT Version",
        17 => "Key not recognized",
        18 => "Signature out of time window",
        19 => "Bad TKEY Mode",
        20 => "Duplicate key name",
        21 => "Algorithm not supported",
        22 => "Bad Truncation",
        23 => "Bad/missing Server Cookie",
        _ => "",
    }
}

/// How a policy matched.
pub(super) fn policy_match(number: u32) -> &'static str {
    match number {
        0 => "none",
        1 => "l3-only",
        2 => "l3-l4",
        3 => "l4-only",
        4 => "all",
        5 => "l3-proto",
        6 => "proto-only",
        _ => "unknown",
    }
}
