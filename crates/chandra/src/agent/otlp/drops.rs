//! Packets that the kernel dropped, as log records.
//!
//! What is thrown away in the ordinary course of things is none: there is no end of it, and it is counted.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::SystemTime;

use chandra_event::drop::{Drop, PACKET_DROP, protocol_word};
use chandra_event::record::Event;
use chandra_otlp::Logs;
use chandra_otlp::wire::Any;
use chandra_otlp::wire::logs::{Attributes, Record, Severity};
use chandra_signals::Signal;

use crate::follow::Told;

/// `event_name` of them.
const EVENT: &str = "chandra.packet_drop";

/// Bits of the kinds of a signal's records that become log records.
pub fn kinds(signal: &Signal) -> u32 {
    let kinds = signal.kinds.iter().filter(|(name, _)| *name == PACKET_DROP.name);
    kinds.fold(0, |bits, (_, number)| bits | 1 << number)
}

/// Makes log records of drops. Owned by the thread that tells.
#[derive(Debug)]
pub struct Drops {
    logs: Logs,
    /// Made again and again.
    body: String,
}

impl Drops {
    /// They go this way.
    pub fn new(logs: Logs) -> Self {
        Self { logs, body: String::new() }
    }

    /// Whether it was one.
    pub fn take(&mut self, told: &Told<'_>) -> bool {
        let Event::Drop(drop) = told.known.record.event() else { return false };
        if drop.is_ordinary {
            return false;
        }
        self.body.clear();
        describe(drop, &mut self.body);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.logs.push(&Record {
            time_ns: drop.time.0,
            observed_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            severity: Severity::Warn,
            severity_text: "Warning",
            event_name: EVENT,
            body: &self.body,
            attributes: &|out| attributes(drop, told, out),
        });
        true
    }
}

/// `packet dropped: netfilter_drop, tcp 10.0.0.1:40000 to 10.0.0.2:80`
fn describe(drop: &Drop, out: &mut String) {
    // A text takes everything.
    let reason = drop.reason.and_then(|reason| reason.name).unwrap_or("no reason told");
    let _ = write!(out, "packet dropped: {reason}");
    if let Some(protocol) = protocol(drop) {
        let _ = write!(out, ", {protocol}");
    }
    let end = |out: &mut String, end: SocketAddr| match drop.packet.has_ports {
        true => write!(out, " {end}"),
        false => write!(out, " {}", end.ip()),
    };
    if let (Some(source), Some(destination)) = (drop.packet.source, drop.packet.destination) {
        let _ = end(out, source);
        out.push_str(" to");
        let _ = end(out, destination);
    }
}

fn protocol(drop: &Drop) -> Option<&'static str> {
    protocol_word(drop.packet.ethertype?, drop.packet.protocol)
}

fn attributes(drop: &Drop, told: &Told<'_>, out: &mut Attributes<'_>) {
    if let Some(reason) = drop.reason {
        out.known("chandra.drop.reason", reason.name.unwrap_or_default());
    }
    out.known("chandra.drop.location", drop.location.unwrap_or_default());
    out.known("network.transport", protocol(drop).unwrap_or_default());
    let has_ports = drop.packet.has_ports;
    for (address, port, end) in [
        ("source.address", "source.port", drop.packet.source),
        ("destination.address", "destination.port", drop.packet.destination),
    ] {
        let Some(end) = end else { continue };
        out.known(address, &end.ip().to_string());
        if has_ports {
            out.add(port, Any::Int(end.port().into()));
        }
    }
    if let Some(source) = drop.packet.source {
        out.known("network.type", if source.is_ipv4() { "ipv4" } else { "ipv6" });
    }
    let direction = match drop.direction.word() {
        "received" => "receive",
        _ => "transmit",
    };
    out.known("network.io.direction", direction);
    let interface = drop.interface.as_ref().and_then(|interface| interface.name());
    out.known("network.interface.name", &String::from_utf8_lossy(interface.unwrap_or_default()));
    if let Some(process) = drop.process {
        out.add("process.pid", Any::Int(process.pid.into()));
        out.add("process.parent_pid", Any::Int(process.ppid.into()));
    }
    let who = told.known.who;
    out.known(
        "process.executable.path",
        &String::from_utf8_lossy(who.executable.unwrap_or_default()),
    );
    if let Some(container) = who.container {
        out.known("container.id", container.id);
        out.known("container.image.name", container.image.unwrap_or_default());
        out.known("k8s.container.name", container.name.unwrap_or_default());
    }
    if let Some(pod) = who.pod {
        out.known("k8s.namespace.name", pod.namespace.unwrap_or_default());
        out.known("k8s.pod.name", pod.name.unwrap_or_default());
        out.known("k8s.pod.uid", pod.uid.unwrap_or_default());
    }
    if let Some(workload) = who.workload
        && let Some(key) = chandra_otlp::workload_key(workload.kind)
    {
        out.known(key, workload.name);
    }
}
