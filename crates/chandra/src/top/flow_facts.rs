//! What an agent's flows say happened. A flow goes from who sent something to who got it; what is counted is
//! seen from the end that was observed.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use chandra_event::bounded::Pairs;
use chandra_event::text::escape;
use chandra_hubble::proto::chandra::v1::{FlowDetails, Process};
use chandra_hubble::proto::flow::layer4::Protocol as Layer4;
use chandra_hubble::proto::flow::{Endpoint, Flow, TrafficDirection, Verdict as FlowVerdict};
use chandra_identity::selector::{self, Selector, Subject, Verdict};
use chandra_top::Fact;
use chandra_top::fact::{End, Owner, Place, Protocol, Totals};
use jiff::Timestamp;

use super::owners::NS_PER_TICK;

/// Owners that are kept at most.
const MOST_OWNERS: usize = 32_768;

/// See the [module](self).
#[derive(Debug)]
pub struct Facts<'a> {
    selector: &'a Selector,
    began_ns: i128,
    owners: HashMap<(u32, u64), Arc<Owner>>,
}

impl<'a> Facts<'a> {
    /// Of those who are selected, from this moment on.
    pub fn new(selector: &'a Selector, began: Timestamp) -> Self {
        Self { selector, began_ns: began.as_nanosecond(), owners: HashMap::new() }
    }

    /// Tells what a flow says happened, if it says so.
    pub fn of(&mut self, flow: &Flow, each: &mut dyn FnMut(&Fact<'_>)) {
        let (Some(details), Some(ends)) = (flow.details(), Ends::of(flow)) else { return };
        let is_sent = flow.traffic_direction() == TrafficDirection::Egress;
        let turned = |of: [SocketAddr; 2]| if is_sent { of } else { [of[1], of[0]] };
        let (own, other) = match is_sent {
            true => (flow.source.as_ref(), flow.destination.as_ref()),
            false => (flow.destination.as_ref(), flow.source.as_ref()),
        };
        if !self.is_selected(own, &details, &flow.node_name) {
            return;
        }
        let owner = self.owner(details.process.as_ref(), own);
        let owner = owner.as_deref();
        if let Some(drop) = &details.drop {
            let reason = drop.reason.to_lowercase();
            return each(&Fact::Dropped {
                reason: if reason.is_empty() { &drop.location } else { &reason },
                protocol: ends.word,
                ends: Some(ends.places),
                owner,
                length_bytes: 0,
            });
        }
        let Some(protocol) = ends.protocol else { return };
        let [local, peer] = turned(ends.places);
        let is_reply = flow.is_reply;
        let name = peer_name(flow, is_sent, other);
        let end = End {
            protocol,
            local,
            peer,
            // What the opener sends is no reply, and what it gets is one.
            is_opener: is_reply.is_none_or(|is_reply| is_reply != is_sent),
            key: Some(details.connection_key).filter(|key| *key != 0),
            net_namespace: 0,
            owner,
            peer_name: name.as_deref(),
            stands_for: details.stands_for(),
        };
        if let Some(fact) = self.happened(flow, &details, end, is_sent) {
            each(&fact);
        }
    }

    fn happened<'f>(
        &self,
        flow: &Flow,
        details: &FlowDetails,
        end: End<'f>,
        is_sent: bool,
    ) -> Option<Fact<'f>> {
        let is_answer = flow.is_reply == Some(true);
        Some(match details.event.as_str() {
            // The first SYN is told as a flow of its own, which took no time yet.
            "tcp_established" if !is_answer => return None,
            "tcp_established" => {
                let latency_ns = Some(details.latency_ns).filter(|latency| *latency != 0);
                Fact::Opened { end, latency_ns }
            }
            "tcp_accept" => Fact::Opened { end, latency_ns: None },
            // A refusal is told as the SYN, and as its answer.
            "tcp_connect_failed" if is_answer || flow.verdict() == FlowVerdict::Error => {
                Fact::Failed { end }
            }
            "tcp_update" | "tcp_close" | "udp_update" | "udp_close" => {
                let [forward, backward] =
                    [&details.forward, &details.backward].map(|it| it.unwrap_or_default());
                let (sent, received) =
                    if is_sent { (forward, backward) } else { (backward, forward) };
                Fact::Traffic {
                    end,
                    totals: Totals {
                        bytes_sent: sent.bytes,
                        bytes_received: received.bytes,
                        packets_sent: sent.packets,
                        packets_received: received.packets,
                        retransmits: details.retransmits,
                    }
                    .times(end.stands_for),
                    rtt_us: Some(u64::from(details.rtt_us)).filter(|rtt| *rtt != 0),
                    is_older: self.is_older(flow, details),
                    is_over: details.event.ends_with("_close"),
                }
            }
            _ => return None,
        })
    }

    /// It began before anybody watched here, or nobody knows when.
    fn is_older(&self, flow: &Flow, details: &FlowDetails) -> bool {
        let at_ns = flow
            .time
            .as_ref()
            .map_or(0, |time| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos));
        details.duration_ns == 0 || at_ns - i128::from(details.duration_ns) < self.began_ns
    }

    fn is_selected(&self, own: Option<&Endpoint>, details: &FlowDetails, node: &str) -> bool {
        if self.selector.is_empty() {
            return true;
        }
        let Some(own) = own else { return false };
        let labels = own.labels.iter().filter_map(|label| {
            let (key, value) = label.strip_prefix("k8s:")?.split_once('=')?;
            Some((key.as_bytes(), value.as_bytes()))
        });
        let labels = Pairs::collect(labels);
        let known = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
        let (namespace, pod) = (known(&own.namespace), known(&own.pod_name));
        let workload = own.workloads.first();
        let container = details.container.as_ref();
        let subject = Subject {
            place: match (&pod, container) {
                (Some(_), _) => selector::Place::Pod,
                (None, Some(_)) => selector::Place::Alone,
                (None, None) => selector::Place::Host,
            },
            container_name: container.map(|container| container.name.as_str()),
            container_id: container.map(|container| container.id.as_str()),
            namespace: namespace.as_deref(),
            pod: pod.as_deref(),
            labels: Some(&labels),
            workload: workload.map(|workload| (workload.kind.as_str(), workload.name.as_str())),
            node: Some(node),
        };
        self.selector.matches(&subject) == Verdict::Yes
    }

    fn owner(&mut self, process: Option<&Process>, own: Option<&Endpoint>) -> Option<Arc<Owner>> {
        let process = process?;
        let start_ticks = process.start_time.as_ref().map_or(0, |start| {
            let seconds = u64::try_from(start.seconds).unwrap_or_default();
            let nanos = u64::try_from(start.nanos).unwrap_or_default();
            seconds.saturating_mul(100).saturating_add(nanos / NS_PER_TICK)
        });
        let key = (process.pid, start_ticks);
        let place = place(own);
        let comm = escape(process.comm.as_bytes());
        if let Some(known) = self.owners.get(&key)
            && known.comm == comm
            && known.place == place
        {
            return Some(Arc::clone(known));
        }
        if self.owners.len() >= MOST_OWNERS {
            self.owners.clear();
        }
        let owner = Arc::new(Owner::new(process.pid, start_ticks, comm, place));
        self.owners.insert(key, Arc::clone(&owner));
        Some(owner)
    }
}

fn place(own: Option<&Endpoint>) -> Place {
    let Some(own) = own else { return Place::default() };
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let pod = known(&own.pod_name);
    let workload = own.workloads.first().filter(|_| pod.is_some());
    Place {
        namespace: known(&own.namespace).filter(|_| pod.is_some()),
        pod,
        workload: workload.map(|workload| (workload.kind.clone(), workload.name.clone())),
        container: None,
    }
}

/// Who is at the other end: the service, the pod, or a name that was resolved.
fn peer_name(flow: &Flow, is_sent: bool, other: Option<&Endpoint>) -> Option<String> {
    let (service, names) = match is_sent {
        true => (&flow.destination_service, &flow.destination_names),
        false => (&flow.source_service, &flow.source_names),
    };
    let service = service.as_ref().filter(|service| !service.name.is_empty());
    let service = service.map(|service| format!("{}/{}", service.namespace, service.name));
    service.or_else(|| place(other).name()).or_else(|| names.first().cloned())
}

/// The addresses of a flow, from source to destination, and what it carries.
struct Ends {
    protocol: Option<Protocol>,
    word: &'static str,
    places: [SocketAddr; 2],
}

impl Ends {
    fn of(flow: &Flow) -> Option<Self> {
        let ip = flow.ip.as_ref()?;
        let addresses: [IpAddr; 2] = [ip.source.parse().ok()?, ip.destination.parse().ok()?];
        let layer4 = flow.l4.as_ref().and_then(|it| it.protocol.as_ref());
        let (protocol, word, ports) = match layer4 {
            Some(Layer4::Tcp(tcp)) => {
                (Some(Protocol::Tcp), "tcp", [tcp.source_port, tcp.destination_port])
            }
            Some(Layer4::Udp(udp)) => {
                (Some(Protocol::Udp), "udp", [udp.source_port, udp.destination_port])
            }
            Some(Layer4::IcmPv4(_)) => (None, "icmp", [0; 2]),
            Some(Layer4::IcmPv6(_)) => (None, "icmpv6", [0; 2]),
            _ => (None, "-", [0; 2]),
        };
        let place = |address, port| Some(SocketAddr::new(address, u16::try_from(port).ok()?));
        let [source, destination] = addresses;
        let places = [place(source, ports[0])?, place(destination, ports[1])?];
        Some(Self { protocol, word, places })
    }
}
