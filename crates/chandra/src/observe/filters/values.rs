//! What the values of flags mean. An error is the end of a sentence: `"x" is …`.

use chandra_hubble::proto::flow::{
    AgentEventType, DropReason, EventTypeFilter, HttpHeader, IpVersion, TcpFlags,
    TraceObservationPoint, TrafficDirection, Verdict, Workload,
};
use chandra_identity::numbers::Reserved;

/// Names of event types with their numbers, of which the last is not of flows.
const EVENT_TYPES: [(&str, i32); 9] = [
    ("drop", 1),
    ("debug", 2),
    ("capture", 3),
    ("trace", TRACE),
    ("policy-verdict", 5),
    ("recorder", 6),
    ("trace-sock", 7),
    ("l7", 129),
    ("agent", AGENT),
];
const DROP: i32 = 1;
const TRACE: i32 = 4;
const AGENT: i32 = 130;

/// The sub type of a packet on its way to an endpoint, whose point has another number.
const TO_ENDPOINT_SUB_TYPE: i32 = 0;

/// `TYPE[:SUBTYPE]`, each a name or a number.
pub fn event_type(text: &str) -> Result<EventTypeFilter, String> {
    let (name, sub_type) = match text.split_once(':') {
        Some((name, sub_type)) => (name, Some(sub_type)),
        None => (text, None),
    };
    let by_name = EVENT_TYPES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    let r#type = by_name.or_else(|| number(name)).ok_or_else(|| {
        let names: Vec<_> = EVENT_TYPES.iter().map(|(name, _)| *name).collect();
        format!("no type of event; there are {}, and numbers", names.join(", "))
    })?;
    let Some(text) = sub_type else {
        return Ok(EventTypeFilter { r#type, match_sub_type: false, sub_type: 0 });
    };
    let sub_type = sub_type_named(r#type, text).or_else(|| number(text));
    let sub_type = sub_type
        .ok_or_else(|| format!("no event: {name} has no sub type {text:?}, and it is no number"))?;
    Ok(EventTypeFilter { r#type, match_sub_type: true, sub_type })
}

fn sub_type_named(r#type: i32, text: &str) -> Option<i32> {
    let constant = text.to_ascii_uppercase().replace('-', "_");
    match r#type {
        TRACE => match TraceObservationPoint::from_str_name(&constant)? {
            TraceObservationPoint::UnknownPoint => None,
            TraceObservationPoint::ToEndpoint => Some(TO_ENDPOINT_SUB_TYPE),
            point => Some(point.into()),
        },
        DROP => DropReason::from_str_name(&constant).map(Into::into),
        AGENT => match text {
            "unspecified" => Some(0),
            "message" => Some(1),
            _ => AgentEventType::from_str_name(&constant).map(Into::into),
        },
        _ => None,
    }
}

fn number(text: &str) -> Option<i32> {
    text.parse().ok().filter(|number| *number >= 0)
}

/// A verdict by name.
pub fn verdict(text: &str) -> Result<i32, String> {
    let found = Verdict::from_str_name(&text.to_ascii_uppercase());
    found.map(Into::into).ok_or_else(|| {
        let names = (1..).map_while(|number| Verdict::try_from(number).ok());
        let names: Vec<_> = names.map(|verdict| verdict.as_str_name()).collect();
        format!("no verdict; there are {}", names.join(", "))
    })
}

/// A reason of a drop by name.
pub fn drop_reason(text: &str) -> Result<i32, String> {
    let found = DropReason::from_str_name(&text.to_ascii_uppercase());
    found.map(Into::into).ok_or_else(|| "no reason for a drop that Hubble has a name for".into())
}

/// `SYN,ACK`: all of them are set.
pub fn tcp_flags(text: &str) -> Result<TcpFlags, String> {
    let mut flags = TcpFlags::default();
    for name in text.split(',') {
        let flag = match name.trim().to_ascii_uppercase().as_str() {
            "SYN" => &mut flags.syn,
            "FIN" => &mut flags.fin,
            "RST" => &mut flags.rst,
            "PSH" => &mut flags.psh,
            "ACK" => &mut flags.ack,
            "URG" => &mut flags.urg,
            "ECE" => &mut flags.ece,
            "CWR" => &mut flags.cwr,
            "NS" => &mut flags.ns,
            _ => {
                return Err(format!(
                    "no list of TCP flags: {name:?} is none of SYN, FIN, RST, PSH, ACK, URG, ECE, CWR, NS"
                ));
            }
        };
        *flag = true;
    }
    Ok(flags)
}

/// `v4`, `v6` or `none`.
pub fn ip_version(text: &str) -> Result<i32, String> {
    match text.to_ascii_lowercase().as_str() {
        "4" | "v4" | "ipv4" | "ip4" => Ok(IpVersion::IPv4.into()),
        "6" | "v6" | "ipv6" | "ip6" => Ok(IpVersion::IPv6.into()),
        "none" => Ok(IpVersion::IpNotUsed.into()),
        _ => Err("no version of IP; there are none, v4 and v6".into()),
    }
}

/// A number, or the word of a reserved identity.
pub fn identity(text: &str) -> Result<u32, String> {
    let word = text.strip_prefix("reserved:").unwrap_or(text);
    let reserved = Reserved::ALL.into_iter().find(|identity| identity.word() == word);
    reserved.map(Reserved::number).or_else(|| text.parse().ok()).ok_or_else(|| {
        let words: Vec<_> = Reserved::ALL.iter().map(|identity| identity.word()).collect();
        format!("no identity: a number, or one of {}", words.join(", "))
    })
}

/// `[KIND/]NAME`.
pub fn workload(text: &str) -> Result<Workload, String> {
    let (kind, name) = text.split_once('/').unwrap_or(("", text));
    if kind.is_empty() && name.is_empty() {
        return Err("no workload: it is NAME or KIND/NAME".into());
    }
    Ok(Workload { kind: kind.to_owned(), name: name.to_owned() })
}

/// `NAME:VALUE`.
pub fn http_header(text: &str) -> Result<HttpHeader, String> {
    let (key, value) = text.split_once(':').ok_or("no header: it is NAME:VALUE")?;
    Ok(HttpHeader { key: key.to_owned(), value: value.to_owned() })
}

/// `ingress` or `egress`.
pub fn traffic_direction(text: &str) -> Result<i32, String> {
    match text.to_ascii_lowercase().as_str() {
        "ingress" => Ok(TrafficDirection::Ingress.into()),
        "egress" => Ok(TrafficDirection::Egress.into()),
        _ => Err("no direction; there are ingress and egress".into()),
    }
}

/// A number above 0.
pub fn ip_trace_id(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "no number above 0".into())
}
