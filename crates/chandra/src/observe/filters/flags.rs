//! Every filter flag: its help, and what it puts into a filter.

use chandra_hubble::proto::flow::flow_filter::Experimental;
use chandra_hubble::proto::flow::{FlowFilter, IpVersion, NetworkInterface};

use super::values;

/// One end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Who sent it.
    Source,
    /// Who gets it.
    Destination,
}

/// Which end a flag asks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The one or the other.
    Either,
    /// This one.
    One(End),
}

/// Set, or the end of the sentence `"x" is …`.
type Set = Result<(), String>;

/// What a flag does.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// It asks of the flow as a whole.
    Both(fn(&mut FlowFilter, &str) -> Set),
    /// It asks of an end.
    Ends(Ends, fn(&mut FlowFilter, End, &str) -> Set),
    /// It asks for a namespace.
    Namespace(Ends),
}

/// A flag.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Without dashes.
    pub name: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// What its value is called; empty where it takes none.
    pub value_name: &'static str,
    /// A value that it takes.
    pub example: &'static str,
    /// One line of help.
    pub help: &'static str,
    pub(super) effect: Effect,
}

/// A flag that stands for itself: its name and its help.
type Named = (&'static str, &'static str);

const fn flag(named: Named, value: Named, effect: Effect) -> Flag {
    let ((name, help), (value_name, example)) = (named, value);
    Flag { name, short: None, value_name, example, help, effect }
}

const fn short(letter: char, flag: Flag) -> Flag {
    Flag { short: Some(letter), ..flag }
}

const NO_VALUE: Named = ("", "");
const EITHER: Ends = Ends::Either;
const SOURCE: Ends = Ends::One(End::Source);
const DESTINATION: Ends = Ends::One(End::Destination);

/// Adds a text to the field of the flow as a whole.
macro_rules! text {
    ($field:ident) => {
        Effect::Both(|filter, text| {
            filter.$field.push(text.to_owned());
            Ok(())
        })
    };
}

/// Adds what a text means to the field of the flow as a whole.
macro_rules! value {
    ($field:ident, $parse:expr) => {
        Effect::Both(|filter, text| {
            filter.$field.push($parse(text)?);
            Ok(())
        })
    };
}

/// Adds what a text means to the field of an end.
macro_rules! at {
    ($ends:expr, $source:ident, $destination:ident, $parse:expr) => {
        Effect::Ends($ends, |filter, end, text| {
            let field = match end {
                End::Source => &mut filter.$source,
                End::Destination => &mut filter.$destination,
            };
            field.push($parse(text)?);
            Ok(())
        })
    };
    ($ends:expr, $source:ident, $destination:ident) => {
        at!($ends, $source, $destination, same)
    };
}

fn same(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn constant<T>(value: T) -> impl FnOnce(&str) -> Result<T, String> {
    move |_| Ok(value)
}

fn interface(name: &str) -> Result<NetworkInterface, String> {
    Ok(NetworkInterface { index: 0, name: name.to_owned() })
}

fn cel_expression(filter: &mut FlowFilter, text: &str) -> Set {
    let experimental = filter.experimental.get_or_insert_with(Experimental::default);
    experimental.cel_expression.push(text.to_owned());
    Ok(())
}

const POD: Named = ("[NAMESPACE/]POD", "shop/web");
const SERVICE: Named = ("[NAMESPACE/]SERVICE", "shop/web");
const NAMESPACE: Named = ("NAMESPACE", "shop");
const WORKLOAD: Named = ("[KIND/]NAME", "Deployment/web");
const LABELS: Named = ("LABELS", "'app in (web,api),tier!=db'");
const IP: Named = ("IP|CIDR", "10.0.0.0/8");
const PORT: Named = ("PORT", "443");
const FQDN: Named = ("NAME", "'*.example.com'");
const IDENTITY: Named = ("IDENTITY", "world");
const CLUSTER: Named = ("CLUSTER", "west");

/// All of them, in the order of the help: whose flows first, then what they are.
pub const FLAGS: &[Flag] = &[
    short(
        'n',
        flag(
            ("namespace", "Pods of this namespace, at either end"),
            NAMESPACE,
            Effect::Namespace(EITHER),
        ),
    ),
    flag(("from-namespace", "From pods of this namespace"), NAMESPACE, Effect::Namespace(SOURCE)),
    flag(("to-namespace", "To pods of this namespace"), NAMESPACE, Effect::Namespace(DESTINATION)),
    short(
        'A',
        flag(
            ("all-namespaces", "Pods of any namespace, at either end"),
            NO_VALUE,
            Effect::Namespace(EITHER),
        ),
    ),
    flag(
        ("from-all-namespaces", "From pods of any namespace"),
        NO_VALUE,
        Effect::Namespace(SOURCE),
    ),
    flag(
        ("to-all-namespaces", "To pods of any namespace"),
        NO_VALUE,
        Effect::Namespace(DESTINATION),
    ),
    flag(
        (
            "pod",
            "Pods whose names begin so, at either end; of the namespace default unless it is said",
        ),
        POD,
        at!(EITHER, source_pod, destination_pod),
    ),
    flag(
        ("from-pod", "From pods whose names begin so"),
        POD,
        at!(SOURCE, source_pod, destination_pod),
    ),
    flag(
        ("to-pod", "To pods whose names begin so"),
        POD,
        at!(DESTINATION, source_pod, destination_pod),
    ),
    flag(
        ("service", "Services whose names begin so, at either end"),
        SERVICE,
        at!(EITHER, source_service, destination_service),
    ),
    flag(
        ("from-service", "From services whose names begin so"),
        SERVICE,
        at!(SOURCE, source_service, destination_service),
    ),
    flag(
        ("to-service", "To services whose names begin so"),
        SERVICE,
        at!(DESTINATION, source_service, destination_service),
    ),
    flag(
        ("workload", "Pods of this workload, at either end"),
        WORKLOAD,
        at!(EITHER, source_workload, destination_workload, values::workload),
    ),
    flag(
        ("from-workload", "From pods of this workload"),
        WORKLOAD,
        at!(SOURCE, source_workload, destination_workload, values::workload),
    ),
    flag(
        ("to-workload", "To pods of this workload"),
        WORKLOAD,
        at!(DESTINATION, source_workload, destination_workload, values::workload),
    ),
    short(
        'l',
        flag(
            ("label", "Endpoints with these labels, at either end"),
            LABELS,
            at!(EITHER, source_label, destination_label),
        ),
    ),
    flag(
        ("from-label", "From endpoints with these labels"),
        LABELS,
        at!(SOURCE, source_label, destination_label),
    ),
    flag(
        ("to-label", "To endpoints with these labels"),
        LABELS,
        at!(DESTINATION, source_label, destination_label),
    ),
    flag(
        ("ip", "This address or range, at either end"),
        IP,
        at!(EITHER, source_ip, destination_ip),
    ),
    flag(("from-ip", "From this address or range"), IP, at!(SOURCE, source_ip, destination_ip)),
    flag(("to-ip", "To this address or range"), IP, at!(DESTINATION, source_ip, destination_ip)),
    flag(
        ("snat-ip", "With a source that was translated to this address or range"),
        IP,
        text!(source_ip_xlated),
    ),
    flag(("port", "This port, at either end"), PORT, at!(EITHER, source_port, destination_port)),
    flag(("from-port", "From this port"), PORT, at!(SOURCE, source_port, destination_port)),
    flag(("to-port", "To this port"), PORT, at!(DESTINATION, source_port, destination_port)),
    flag(
        ("fqdn", "This DNS name, at either end; * for any part"),
        FQDN,
        at!(EITHER, source_fqdn, destination_fqdn),
    ),
    flag(("from-fqdn", "From this DNS name"), FQDN, at!(SOURCE, source_fqdn, destination_fqdn)),
    flag(("to-fqdn", "To this DNS name"), FQDN, at!(DESTINATION, source_fqdn, destination_fqdn)),
    flag(
        (
            "identity",
            "This security identity, at either end: a number, host, world, remote-node, …",
        ),
        IDENTITY,
        at!(EITHER, source_identity, destination_identity, values::identity),
    ),
    flag(
        ("from-identity", "From this security identity"),
        IDENTITY,
        at!(SOURCE, source_identity, destination_identity, values::identity),
    ),
    flag(
        ("to-identity", "To this security identity"),
        IDENTITY,
        at!(DESTINATION, source_identity, destination_identity, values::identity),
    ),
    flag(
        ("cluster", "Endpoints of this cluster, at either end"),
        CLUSTER,
        at!(EITHER, source_cluster_name, destination_cluster_name),
    ),
    flag(
        ("from-cluster", "From endpoints of this cluster"),
        CLUSTER,
        at!(SOURCE, source_cluster_name, destination_cluster_name),
    ),
    flag(
        ("to-cluster", "To endpoints of this cluster"),
        CLUSTER,
        at!(DESTINATION, source_cluster_name, destination_cluster_name),
    ),
    flag(
        ("node-name", "Seen on nodes of this name; * for any part"),
        ("[CLUSTER/]NODE", "'west/worker-*'"),
        text!(node_name),
    ),
    flag(("node-label", "Seen on nodes with these labels"), LABELS, text!(node_labels)),
    flag(
        ("verdict", "FORWARDED, DROPPED, AUDIT, REDIRECTED, ERROR, TRACED or TRANSLATED"),
        ("VERDICT", "DROPPED"),
        value!(verdict, values::verdict),
    ),
    flag(
        ("drop-reason-desc", "Dropped for this reason"),
        ("REASON", "POLICY_DENIED"),
        value!(drop_reason_desc, values::drop_reason),
    ),
    short(
        't',
        flag(
            (
                "type",
                "Of this kind: drop, trace, l7, policy-verdict, capture, trace-sock; trace:to-stack for a place",
            ),
            ("TYPE[:SUBTYPE]", "trace:to-stack"),
            value!(event_type, values::event_type),
        ),
    ),
    flag(
        ("protocol", "tcp, udp, sctp, icmp, icmpv4, icmpv6, vrrp, igmp, dns or http"),
        ("PROTOCOL", "tcp"),
        text!(protocol),
    ),
    flag(
        ("tcp-flags", "TCP with all of these flags"),
        ("FLAGS", "SYN,ACK"),
        value!(tcp_flags, values::tcp_flags),
    ),
    flag(
        ("traffic-direction", "ingress or egress"),
        ("DIRECTION", "egress"),
        value!(traffic_direction, values::traffic_direction),
    ),
    flag(("reply", "Replies"), NO_VALUE, value!(reply, constant(true))),
    flag(("not-reply", "What is no reply"), NO_VALUE, value!(reply, constant(false))),
    flag(("encrypted", "Encrypted between nodes"), NO_VALUE, value!(encrypted, constant(true))),
    flag(
        ("unencrypted", "Not encrypted between nodes"),
        NO_VALUE,
        value!(encrypted, constant(false)),
    ),
    short(
        '4',
        flag(("ipv4", "Over IPv4"), NO_VALUE, value!(ip_version, constant(IpVersion::IPv4.into()))),
    ),
    short(
        '6',
        flag(("ipv6", "Over IPv6"), NO_VALUE, value!(ip_version, constant(IpVersion::IPv6.into()))),
    ),
    flag(
        ("ip-version", "Over v4, v6 or none"),
        ("VERSION", "v6"),
        value!(ip_version, values::ip_version),
    ),
    flag(
        ("interface", "Seen at this network interface"),
        ("NAME", "eth0"),
        value!(interface, interface),
    ),
    flag(
        ("http-status", "HTTP with this status, or a beginning with + behind it"),
        ("STATUS", "5+"),
        text!(http_status_code),
    ),
    flag(("http-method", "HTTP with this method"), ("METHOD", "GET"), text!(http_method)),
    flag(
        ("http-path", "HTTP whose path this regular expression finds"),
        ("REGEX", "'^/page/[0-9]+'"),
        text!(http_path),
    ),
    flag(
        ("http-url", "HTTP whose URL this regular expression finds"),
        ("REGEX", "'example.com/page'"),
        text!(http_url),
    ),
    flag(
        ("http-header", "HTTP with this header"),
        ("NAME:VALUE", "x-user:jane"),
        value!(http_header, values::http_header),
    ),
    flag(
        ("uuid", "The flow with this id"),
        ("UUID", "b9fab269-04ae-495c-9d12-b6c36d41de0d"),
        text!(uuid),
    ),
    flag(
        ("trace-id", "Of this W3C trace"),
        ("ID", "4bf92f3577b34da6a3ce929d0e0e4736"),
        text!(trace_id),
    ),
    flag(
        ("ip-trace-id", "With this trace id in an IP option"),
        ("ID", "42"),
        value!(ip_trace_id, values::ip_trace_id),
    ),
    flag(
        ("cel-expression", "For which this expression of CEL over _flow is true"),
        ("EXPRESSION", "'_flow.l4.TCP.destination_port > 1024u'"),
        Effect::Both(cel_expression),
    ),
];
