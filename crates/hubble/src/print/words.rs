//! What kind of a flow it is, in the words that Hubble shows.

use crate::flow::EventType;
use crate::proto::flow::layer7::Record;
use crate::proto::flow::{Flow, Layer7, SocketTranslationPoint};

/// The type of a flow: `to-endpoint`, `dns-response proxy`, `Policy denied`.
///
/// A drop that Hubble has no number for is told by the kernel's own reason, where that is known.
pub fn flow_type(flow: &Flow) -> String {
    if let Some(l7) = &flow.l7 {
        return l7_type(l7);
    }
    let (number, sub_type) =
        flow.event_type.as_ref().map_or((0, 0), |event| (event.r#type, event.sub_type));
    match number {
        EventType::TRACE => trace_point(sub_type),
        EventType::DROP => drop_reason(flow, sub_type),
        EventType::POLICY_VERDICT => {
            let direction = flow.traffic_direction().as_str_name();
            format!("policy-verdict:{} {direction}", policy_match(flow.policy_match_type))
        }
        EventType::CAPTURE => flow.debug_capture_point().as_str_name().into(),
        EventType::TRACE_SOCK => match flow.sock_xlate_point() {
            SocketTranslationPoint::SockXlatePointPreDirectionFwd => "pre-xlate-fwd".into(),
            SocketTranslationPoint::SockXlatePointPostDirectionFwd => "post-xlate-fwd".into(),
            SocketTranslationPoint::SockXlatePointPreDirectionRev => "pre-xlate-rev".into(),
            SocketTranslationPoint::SockXlatePointPostDirectionRev => "post-xlate-rev".into(),
            unknown => unknown.as_str_name().into(),
        },
        _ => "UNKNOWN".into(),
    }
}

#[allow(deprecated, reason = "an old server may still send Kafka")]
fn l7_type(l7: &Layer7) -> String {
    let half = l7.r#type().as_str_name().to_ascii_lowercase();
    match &l7.record {
        Some(Record::Dns(dns)) => format!("dns-{half} {}", dns.observation_source),
        Some(Record::Http(_)) => format!("http-{half}"),
        Some(Record::Kafka(_)) => format!("kafka-{half}"),
        None => format!("l7-{half}"),
    }
}

fn trace_point(sub_type: i32) -> String {
    let word = match sub_type {
        0 => "to-endpoint",
        1 => "to-proxy",
        2 => "to-host",
        3 => "to-stack",
        4 => "to-overlay",
        5 => "from-endpoint",
        6 => "from-proxy",
        7 => "from-host",
        8 => "from-stack",
        9 => "from-overlay",
        10 => "from-network",
        11 => "to-network",
        12 => "from-crypto",
        13 => "to-crypto",
        number => return number.to_string(),
    };
    word.into()
}

fn policy_match(number: u32) -> &'static str {
    match number {
        0 => "none",
        1 => "L3-Only",
        2 => "L3-L4",
        3 => "L4-Only",
        4 => "all",
        5 => "L3-Proto",
        6 => "Proto-Only",
        _ => "unknown",
    }
}

fn drop_reason(flow: &Flow, number: i32) -> String {
    if let Some(words) = drop_words(number) {
        return words.into();
    }
    let of_kernel = flow.details().and_then(|details| details.drop).map(|drop| drop.reason);
    of_kernel.filter(|reason| !reason.is_empty()).unwrap_or_else(|| number.to_string())
}

/// Hubble's words for its drop reasons, which people search for.
fn drop_words(number: i32) -> Option<&'static str> {
    Some(match number {
        130 => "Invalid source mac",
        131 => "Invalid destination mac",
        132 => "Invalid source ip",
        133 => "Policy denied",
        2 | 134 => "Invalid packet",
        135 => "CT: Truncated or invalid header",
        136 => "CT: Missing TCP ACK flag",
        137 => "CT: Unknown L4 protocol",
        138 => "CT: Can't create entry from packet",
        139 => "Unsupported L3 protocol",
        140 => "Missed tail call",
        141 => "Error writing to packet",
        142 => "Unknown L4 protocol",
        143 => "Unknown ICMPv4 code",
        144 => "Unknown ICMPv4 type",
        145 => "Unknown ICMPv6 code",
        146 => "Unknown ICMPv6 type",
        147 => "Error retrieving tunnel key",
        148 => "Error retrieving tunnel options",
        149 => "Invalid Geneve option",
        150 => "Unknown L3 target address",
        151 => "Stale or unroutable IP",
        152 => "No matching local container found",
        153 => "Error while correcting L3 checksum",
        154 => "Error while correcting L4 checksum",
        155 => "CT: Map insertion failed",
        156 => "Invalid IPv6 extension header",
        157 => "IP fragmentation not supported",
        158 => "Service backend not found",
        160 => "No tunnel/encapsulation endpoint (datapath BUG!)",
        161 => "Failed to insert into proxymap",
        162 => "Reached EDT rate-limiting drop horizon",
        163 => "Unknown connection tracking state",
        164 => "Local host is unreachable",
        165 => "No configuration available to perform policy decision",
        166 => "Unsupported L2 protocol",
        167 => "No mapping for NAT masquerade",
        168 => "Unsupported protocol for NAT masquerade",
        169 => "FIB lookup failed",
        170 => "Encapsulation traffic is prohibited",
        171 => "Invalid identity",
        172 => "Unknown sender",
        173 => "NAT not needed",
        174 => "Is a ClusterIP",
        175 => "First logical datagram fragment not found",
        176 => "Forbidden ICMPv6 message",
        177 => "Denied by LB src range check",
        178 => "Socket lookup failed",
        179 => "Socket assign failed",
        180 => "Proxy redirection not supported for protocol",
        181 => "Policy denied by denylist",
        182 => "VLAN traffic disallowed by VLAN filter",
        183 => "Incorrect VNI from VTEP",
        184 => "Failed to update or lookup TC buffer",
        185 => "No SID was found for the IP address",
        186 => "SRv6 state was removed during tail call",
        187 => "L3 translation from IPv4 to IPv6 failed (NAT46)",
        188 => "L3 translation from IPv6 to IPv4 failed (NAT64)",
        189 => "Authentication required",
        190 => "No conntrack map found",
        191 => "No nat map found",
        192 => "Invalid ClusterID",
        193 => "Unsupported packet protocol for DSR encapsulation",
        194 => "No egress gateway found",
        195 => "Traffic is unencrypted",
        196 => "TTL exceeded",
        197 => "No node ID found",
        198 => "Rate limited",
        199 => "IGMP handled",
        200 => "IGMP subscribed",
        201 => "Multicast handled",
        202 => "Host datapath not ready",
        203 => "Endpoint policy program not available",
        204 => "No Egress IP configured",
        205 => "Punt to proxy",
        _ => return None,
    })
}
