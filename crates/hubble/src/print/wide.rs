//! What Chandra knows of a flow, behind its compact line: `process=curl[42] sent=1234B/5`.

use std::fmt::Write;

use chandra_event::text::escape;

use crate::proto::chandra::v1::{FlowDetails, Traffic};
use crate::proto::flow::Flow;

/// All details that are known, each with a space before it.
pub(super) fn details(flow: &Flow) -> String {
    flow.details().as_ref().map(write_details).unwrap_or_default()
}

fn write_details(details: &FlowDetails) -> String {
    let mut out = String::new();
    let mut add = |key: &str, value: String| {
        let _ = write!(out, " {key}={value}");
    };
    if let Some(process) = &details.process {
        add("process", word(&format!("{}[{}]", process.comm, process.pid)));
        if !process.exe.is_empty() {
            add("exe", word(&process.exe));
        }
    }
    if let Some(parent) = &details.parent {
        add("parent", word(&format!("{}[{}]", parent.comm, parent.pid)));
    }
    if let Some(container) = &details.container {
        let name = if container.name.is_empty() { &container.id } else { &container.name };
        add("container", word(name));
    }
    if !details.event.is_empty() {
        add("event", word(&details.event));
    }
    for (key, traffic) in [("sent", &details.forward), ("received", &details.backward)] {
        if let Some(Traffic { bytes, packets }) = traffic {
            add(key, format!("{bytes}B/{packets}"));
        }
    }
    if details.rtt_us > 0 {
        add("rtt_us", details.rtt_us.to_string());
    }
    if details.retransmits > 0 {
        add("retransmits", details.retransmits.to_string());
    }
    if details.latency_ns > 0 {
        add("latency_ns", details.latency_ns.to_string());
    }
    if details.duration_ns > 0 {
        add("duration_ns", details.duration_ns.to_string());
    }
    if let Some(drop) = &details.drop {
        add("drop", word(&drop.reason));
        for (key, value) in [("at", &drop.location), ("by", &drop.decided_by)] {
            if !value.is_empty() {
                add(key, word(value));
            }
        }
    }
    if let Some(id) = details.dns_id {
        add("dns_id", id.to_string());
    }
    if let Some(icmp) = &details.icmp {
        for (key, value) in [("icmp_id", icmp.id), ("icmp_seq", icmp.sequence)] {
            if let Some(value) = value {
                add(key, value.to_string());
            }
        }
        if icmp.mtu > 0 {
            add("mtu", icmp.mtu.to_string());
        }
        if !icmp.gateway.is_empty() {
            add("gateway", word(&icmp.gateway));
        }
        if let Some(quoted) = &icmp.quoted {
            let source = end(&quoted.source, quoted.source_port);
            let destination = end(&quoted.destination, quoted.destination_port);
            add("about", word(&format!("{source}->{destination}")));
        }
    }
    if details.sampled_one_in > 1 {
        add("sampled", format!("1/{}", details.sampled_one_in));
    }
    if details.connection_key > 0 {
        add("key", format!("{:016x}", details.connection_key));
    }
    out
}

/// An address with its port, where there is one.
fn end(address: &str, port: Option<u32>) -> String {
    match port {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    }
}

/// A value that reads as one: quoted if there is a space in it, or nothing at all.
fn word(text: &str) -> String {
    let escaped = escape(text.as_bytes());
    let is_one = !escaped.is_empty() && !escaped.contains([' ', '"']);
    if is_one { escaped } else { format!("\"{}\"", escaped.replace('"', "\\\"")) }
}
