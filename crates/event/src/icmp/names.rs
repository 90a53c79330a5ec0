//! Names of types and codes: IANA's registries "ICMP Type Numbers" and "ICMPv6 Parameters", as words.

use super::Version;

/// A type's name: `echo_request`; `None` where there is none.
pub fn type_word(version: Version, number: u8) -> Option<&'static str> {
    let word = match version {
        Version::V4 => match number {
            0 => "echo_reply",
            3 => "destination_unreachable",
            4 => "source_quench",
            5 => "redirect",
            8 => "echo_request",
            9 => "router_advertisement",
            10 => "router_solicitation",
            11 => "time_exceeded",
            12 => "parameter_problem",
            13 => "timestamp_request",
            14 => "timestamp_reply",
            42 => "extended_echo_request",
            43 => "extended_echo_reply",
            _ => return None,
        },
        Version::V6 => match number {
            1 => "destination_unreachable",
            2 => "packet_too_big",
            3 => "time_exceeded",
            4 => "parameter_problem",
            128 => "echo_request",
            129 => "echo_reply",
            130 => "multicast_listener_query",
            131 => "multicast_listener_report",
            132 => "multicast_listener_done",
            133 => "router_solicitation",
            134 => "router_advertisement",
            135 => "neighbor_solicitation",
            136 => "neighbor_advertisement",
            137 => "redirect",
            143 => "multicast_listener_report_v2",
            160 => "extended_echo_request",
            161 => "extended_echo_reply",
            _ => return None,
        },
    };
    Some(word)
}

/// What a code says within its type: `port_unreachable`; `None` where it says nothing.
pub fn code_word(version: Version, type_number: u8, code: u8) -> Option<&'static str> {
    let words: &[&str] = match (version, type_number) {
        (Version::V4, 3) => &UNREACHABLE,
        (Version::V4, 5) => &["net", "host", "net_for_tos", "host_for_tos"],
        (Version::V4, 11) => &["ttl_exceeded", "reassembly_timeout"],
        (Version::V4, 12) => &["erroneous_header", "option_missing", "bad_length"],
        (Version::V6, 1) => &UNREACHABLE_V6,
        (Version::V6, 3) => &["hop_limit_exceeded", "reassembly_timeout"],
        (Version::V6, 4) => &["erroneous_header", "unknown_next_header", "unknown_option"],
        _ => &[],
    };
    words.get(usize::from(code)).copied()
}

/// RFC 792, RFC 1122 (3.2.2.1), RFC 1812 (5.2.7.1).
const UNREACHABLE: [&str; 16] = [
    "net_unreachable",
    "host_unreachable",
    "protocol_unreachable",
    "port_unreachable",
    "fragmentation_needed",
    "source_route_failed",
    "net_unknown",
    "host_unknown",
    "source_host_isolated",
    "net_prohibited",
    "host_prohibited",
    "net_unreachable_for_tos",
    "host_unreachable_for_tos",
    "communication_prohibited",
    "host_precedence_violation",
    "precedence_cutoff",
];

/// RFC 4443 (3.1), RFC 6550.
const UNREACHABLE_V6: [&str; 8] = [
    "no_route",
    "communication_prohibited",
    "beyond_scope",
    "address_unreachable",
    "port_unreachable",
    "source_policy_failed",
    "route_rejected",
    "source_routing_error",
];
