//! The line about a flow that Hubble's clients show in parentheses, in Hubble's words.

use std::fmt::{self, Write};

use super::{Flow, L4, L7, L7FlowType, L7Record};
use crate::proto::flow::{Dns, Http};

/// The line about a flow: `TCP Flags: SYN, ACK`, `DNS Query example.com. A`.
///
/// A drop whose reason the kernel named ends with that name, because Hubble's list of reasons has no
/// number for most of them.
pub fn summary(flow: &Flow) -> String {
    let mut text = match &flow.l7 {
        Some(l7) => l7_summary(l7),
        None => l4_summary(flow.l4),
    };
    if let Some(drop) = &flow.details.drop {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}{}", drop.reason);
        if !drop.location.is_empty() {
            let _ = write!(text, " at {}", drop.location);
        }
    }
    text
}

fn l4_summary(l4: L4) -> String {
    match l4 {
        L4::Unknown => String::new(),
        L4::Tcp { flags, .. } => format!("TCP Flags: {flags}"),
        L4::Udp { .. } => "UDP".into(),
        L4::Sctp { .. } => "SCTP".into(),
        L4::Icmpv4 { kind, code } => format!("ICMPv4 {}", IcmpType::v4(kind, code)),
        L4::Icmpv6 { kind, code } => format!("ICMPv6 {}", IcmpType::v6(kind, code)),
        L4::Vrrp { .. } => "VRRP".into(),
        L4::Igmp { .. } => "IGMP".into(),
    }
}

/// Type and code of a message of ICMP or ICMPv6, shown by their names.
#[derive(Debug, Clone, Copy)]
pub struct IcmpType {
    kind: u8,
    code: u8,
    name: &'static str,
    codes: &'static [&'static str],
}

impl IcmpType {
    /// Of a flow; `None` where it is neither.
    pub fn of(l4: L4) -> Option<Self> {
        match l4 {
            L4::Icmpv4 { kind, code } => Some(Self::v4(kind, code)),
            L4::Icmpv6 { kind, code } => Some(Self::v6(kind, code)),
            _ => None,
        }
    }

    /// Of ICMP (RFC 792, 1122, 1812).
    fn v4(kind: u8, code: u8) -> Self {
        let (name, codes) = icmpv4(kind);
        Self { kind, code, name, codes }
    }

    /// Of ICMPv6 (RFC 4443, 4861).
    fn v6(kind: u8, code: u8) -> Self {
        let (name, codes) = icmpv6(kind);
        Self { kind, code, name, codes }
    }
}

impl fmt::Display for IcmpType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, code, name, codes } = *self;
        match codes.get(usize::from(code)) {
            _ if name.is_empty() => write!(out, "{kind}({code})"),
            Some(code) => write!(out, "{name}({code})"),
            None if codes.is_empty() && code == 0 => out.write_str(name),
            None => write!(out, "{name}(Code: {code})"),
        }
    }
}

/// The name of a type of ICMP, empty where there is none, and those of its codes.
fn icmpv4(kind: u8) -> (&'static str, &'static [&'static str]) {
    let codes: &[&str] = match kind {
        3 => &[
            "Net",
            "Host",
            "Protocol",
            "Port",
            "FragmentationNeeded",
            "SourceRoutingFailed",
            "NetUnknown",
            "HostUnknown",
            "SourceIsolated",
            "NetAdminProhibited",
            "HostAdminProhibited",
            "NetTOS",
            "HostTOS",
            "CommAdminProhibited",
            "HostPrecedence",
            "PrecedenceCutoff",
        ],
        5 => &["Net", "Host", "TOS+Net", "TOS+Host"],
        11 => &["TTLExceeded", "FragmentReassemblyTimeExceeded"],
        12 => &["PointerIndicatesError", "MissingOption", "BadLength"],
        _ => &[],
    };
    let name = match kind {
        0 => "EchoReply",
        3 => "DestinationUnreachable",
        4 => "SourceQuench",
        5 => "Redirect",
        8 => "EchoRequest",
        9 => "RouterAdvertisement",
        10 => "RouterSolicitation",
        11 => "TimeExceeded",
        12 => "ParameterProblem",
        13 => "TimestampRequest",
        14 => "TimestampReply",
        17 => "AddressMaskRequest",
        18 => "AddressMaskReply",
        _ => "",
    };
    (name, codes)
}

/// The same of ICMPv6.
fn icmpv6(kind: u8) -> (&'static str, &'static [&'static str]) {
    let codes: &[&str] = match kind {
        1 => &[
            "NoRouteToDst",
            "AdminProhibited",
            "BeyondScopeOfSrc",
            "AddressUnreachable",
            "PortUnreachable",
            "SrcAddressFailedPolicy",
            "RejectRouteToDst",
        ],
        3 => &["HopLimitExceeded", "FragmentReassemblyTimeExceeded"],
        4 => &["ErroneousHeader", "UnrecognizedNextHeader", "UnrecognizedIPv6Option"],
        _ => &[],
    };
    let name = match kind {
        1 => "DestinationUnreachable",
        2 => "PacketTooBig",
        3 => "TimeExceeded",
        4 => "ParameterProblem",
        128 => "EchoRequest",
        129 => "EchoReply",
        133 => "RouterSolicitation",
        134 => "RouterAdvertisement",
        135 => "NeighborSolicitation",
        136 => "NeighborAdvertisement",
        137 => "Redirect",
        _ => "",
    };
    (name, codes)
}

fn l7_summary(l7: &L7) -> String {
    match &l7.record {
        L7Record::Dns(dns) => dns_summary(l7.kind, dns),
        L7Record::Http(http) => http_summary(l7.kind, l7.latency_ns, http),
    }
}

fn dns_summary(kind: L7FlowType, dns: &Dns) -> String {
    let (query, types) = (&dns.query, dns.qtypes.join(","));
    if kind == L7FlowType::Request {
        return format!("DNS Query {query} {types}");
    }
    if kind != L7FlowType::Response {
        return String::new();
    }
    let mut answers = Vec::new();
    if dns.rcode != 0 {
        answers.push(format!("RCode: {}", rcode(dns.rcode)));
    } else {
        if !dns.ips.is_empty() {
            answers.push(format!("\"{}\"", dns.ips.join(",")));
        }
        if !dns.cnames.is_empty() {
            answers.push(format!("CNAMEs: \"{}\"", dns.cnames.join(",")));
        }
    }
    let source = if dns.observation_source == "proxy" { "Proxy" } else { "Query" };
    format!("DNS Answer {} TTL: {} ({source} {query} {types})", answers.join(" "), dns.ttl)
}

/// Response codes (RFC 1035, 2136) in Hubble's words.
fn rcode(number: u32) -> String {
    let words = match number {
        0 => "No Error",
        1 => "Format Error",
        2 => "Server Failure",
        3 => "Non-Existent Domain",
        4 => "Not Implemented",
        5 => "Query Refused",
        6 => "Name Exists when it should not",
        7 => "RR Set Exists when it should not",
        8 => "RR Set that should exist does not",
        9 => "Server Not Authoritative for zone",
        10 => "Name not contained in zone",
        _ => return format!("{number}"),
    };
    words.into()
}

fn http_summary(kind: L7FlowType, latency_ns: u64, http: &Http) -> String {
    let Http { protocol, method, url, code, .. } = http;
    match kind {
        L7FlowType::Request => format!("{protocol} {method} {url}"),
        L7FlowType::Response => {
            format!("{protocol} {code} {}ms ({method} {url})", latency_ns / 1_000_000)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::flow::{Details, KernelDrop, TcpFlags};

    fn of_l4(l4: L4) -> String {
        summary(&Flow { l4, ..Flow::default() })
    }

    fn of_l7(kind: L7FlowType, record: L7Record) -> String {
        let l7 = L7 { kind, latency_ns: 5_700_000, record };
        summary(&Flow { l7: Some(Arc::new(l7)), ..Flow::default() })
    }

    #[test]
    fn protocols_are_told_in_hubbles_words() {
        let tcp = |flags| of_l4(L4::Tcp { source_port: 1, destination_port: 2, flags });
        assert_eq!(tcp(TcpFlags::ACK | TcpFlags::SYN), "TCP Flags: SYN, ACK");
        assert_eq!(tcp(TcpFlags(0x1ff)), "TCP Flags: SYN, ACK, RST, FIN, PSH, URG, ECE, CWR, NS");
        for (l4, expected) in [
            (L4::Udp { source_port: 1, destination_port: 2 }, "UDP"),
            (L4::Icmpv4 { kind: 8, code: 0 }, "ICMPv4 EchoRequest"),
            (L4::Icmpv4 { kind: 3, code: 3 }, "ICMPv4 DestinationUnreachable(Port)"),
            (L4::Icmpv4 { kind: 200, code: 7 }, "ICMPv4 200(7)"),
            (L4::Icmpv6 { kind: 135, code: 0 }, "ICMPv6 NeighborSolicitation"),
            (L4::Unknown, ""),
        ] {
            assert_eq!(of_l4(l4), expected);
        }
    }

    #[test]
    fn questions_and_answers_of_dns_are_told() {
        let dns = Dns {
            query: "example.com.".into(),
            qtypes: vec!["A".into()],
            ttl: 30,
            ips: vec!["1.2.3.4".into(), "1.2.3.5".into()],
            observation_source: "proxy".into(),
            ..Dns::default()
        };
        let told = |kind, dns: &Dns| of_l7(kind, L7Record::Dns(dns.clone()));
        assert_eq!(told(L7FlowType::Request, &dns), "DNS Query example.com. A");
        let answer = "DNS Answer \"1.2.3.4,1.2.3.5\" TTL: 30 (Proxy example.com. A)";
        assert_eq!(told(L7FlowType::Response, &dns), answer);
        let alias = Dns { ips: vec![], cnames: vec!["a.b.".into()], ..dns.clone() };
        let answer = "DNS Answer CNAMEs: \"a.b.\" TTL: 30 (Proxy example.com. A)";
        assert_eq!(told(L7FlowType::Response, &alias), answer);
        let absent = Dns { rcode: 3, ttl: 0, observation_source: String::new(), ..dns };
        let answer = "DNS Answer RCode: Non-Existent Domain TTL: 0 (Query example.com. A)";
        assert_eq!(told(L7FlowType::Response, &absent), answer);
    }

    #[test]
    fn requests_and_responses_of_http_are_told() {
        let http = Http {
            code: 200,
            method: "GET".into(),
            url: "http://x/".into(),
            protocol: "HTTP/1.1".into(),
            headers: vec![],
        };
        let told = |kind| of_l7(kind, L7Record::Http(http.clone()));
        assert_eq!(told(L7FlowType::Request), "HTTP/1.1 GET http://x/");
        assert_eq!(told(L7FlowType::Response), "HTTP/1.1 200 5ms (GET http://x/)");
    }

    #[test]
    fn a_drop_ends_with_the_kernels_reason() {
        let drop = KernelDrop {
            reason: "NETFILTER_DROP".into(),
            location: "nf_hook_slow+0x8c".into(),
            ..KernelDrop::default()
        };
        let details = Details { drop: Some(Arc::new(drop)), ..Details::default() };
        let l4 = L4::Udp { source_port: 1, destination_port: 2 };
        let flow = Flow { l4, details, ..Flow::default() };
        assert_eq!(summary(&flow), "UDP; NETFILTER_DROP at nf_hook_slow+0x8c");
    }
}
