//! Questions and answers of DNS, as flows of the application's layer.
//!
//! An exchange within this node is seen twice, by the client's socket and by the server's. Where the
//! client's address is known to be of this node it is told as the client saw it, because that is how Hubble
//! counts; what others ask a server here is told as the server saw it.

use std::sync::Arc;

use chandra_event::dns::{Data, Dns, Message, type_name};
use chandra_event::socket::{Part, Transport};
use chandra_hubble::flow::{self, L7, L7FlowType, L7Record, TcpFlags, Verdict};

use super::endpoints::{Carried, Seen};

/// What is said of where it was observed; Hubble has `proxy` for its own.
const OBSERVED: &str = "socket";

/// What went over the wire.
pub fn seen(dns: &Dns<'_>) -> Seen {
    let is_reply = dns.message.is_response();
    let carried = match dns.ends.transport {
        Transport::Tcp => Carried::Tcp(TcpFlags::ACK | TcpFlags::PSH),
        Transport::Udp => Carried::Udp,
    };
    let is_sent = is_client(dns) != is_reply;
    Seen { is_sent, is_reply: Some(is_reply), carried, verdict: Verdict::Forwarded }
}

/// This end asks.
pub fn is_client(dns: &Dns<'_>) -> bool {
    dns.ends.part == Some(Part::Client)
}

/// What was asked or answered; `None` where there is no question.
pub fn l7(dns: &Dns<'_>) -> Option<Arc<L7>> {
    let question = dns.message.question?;
    let record = L7Record::Dns(flow::Dns {
        query: absolute(&question.name),
        qtypes: vec![type_name(question.type_code).to_string()],
        observation_source: OBSERVED.into(),
        ..answers(&dns.message)
    });
    let (kind, latency_ns) = match dns.message.is_response() {
        true => (L7FlowType::Response, dns.latency_ns.unwrap_or_default()),
        false => (L7FlowType::Request, 0),
    };
    Some(Arc::new(L7 { kind, latency_ns, record }))
}

/// With a dot at the end, as Hubble has names of DNS.
fn absolute(name: &impl std::fmt::Display) -> String {
    let mut name = name.to_string();
    if !name.ends_with('.') {
        name.push('.');
    }
    name
}

fn answers(message: &Message<'_>) -> flow::Dns {
    let mut dns = flow::Dns { rcode: message.response_code().into(), ..flow::Dns::default() };
    for (index, answer) in
        message.answers.iter().take(chandra_event::dns::Answers::MAX_SHOWN).enumerate()
    {
        // What can be kept no longer than all of its parts.
        dns.ttl = if index == 0 { answer.ttl_seconds } else { dns.ttl.min(answer.ttl_seconds) };
        dns.rrtypes.push(type_name(answer.type_code).to_string());
        match answer.data {
            Data::Address(address) => dns.ips.push(address.to_string()),
            Data::Target(target) if answer.type_code == CNAME => {
                dns.cnames.push(absolute(&target));
            }
            Data::Target(_) | Data::Other => {}
        }
    }
    dns
}

/// The type of a name's other name.
const CNAME: u16 = 5;
