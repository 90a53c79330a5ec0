//! Flows counted instead of shown: who talks most. A reply counts for who asked, so that both halves of a
//! conversation are in one group and its port is the one that was asked at.
//!
//! Bytes are what Chandra's agent tells of connections and conversations, whose records have [totals](Totals).

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use chandra_event::text::escape;
use chandra_hubble::print::{Format, flow_type};
use chandra_hubble::proto::chandra::v1::FlowDetails;
use chandra_hubble::proto::flow::layer4::Protocol;
use chandra_hubble::proto::flow::layer7::Record;
use chandra_hubble::proto::flow::{Endpoint, Flow, Service, Verdict};
use chandra_hubble::proto::observer::GetFlowsResponse;
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;

use super::columns::Columns;
use super::totals::Totals;

/// The most groups that are told apart; what is beyond is one group.
const MOST_GROUPS: usize = 100_000;
/// What stands for a group beyond the most.
const OTHERS: &str = "(others)";
/// What stands for what is not known.
const UNKNOWN: &str = "-";

macro_rules! keys {
    ($($variant:ident = $name:literal, $help:literal;)*) => {
        /// What flows are counted by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Key { $(#[doc = $help] $variant,)* }

        impl Key {
            /// Every key by name.
            pub const ALL: &[(&'static str, Key)] = &[$(($name, Key::$variant)),*];

            /// `src`.
            pub fn name(self) -> &'static str {
                match self { $(Key::$variant => $name,)* }
            }
        }
    };
}

keys! {
    Source = "src", "Who asked: pod, service, DNS name or address.";
    Destination = "dst", "Who was asked.";
    SourceIp = "src-ip", "Who asked, by address.";
    DestinationIp = "dst-ip", "Who was asked, by address.";
    SourceNamespace = "src-namespace", "Who asked, by namespace.";
    DestinationNamespace = "dst-namespace", "Who was asked, by namespace.";
    SourceWorkload = "src-workload", "Who asked, by workload.";
    DestinationWorkload = "dst-workload", "Who was asked, by workload.";
    Port = "port", "The port that was asked at.";
    Protocol = "protocol", "The protocol: of L7 where that is known, else of L4.";
    Verdict = "verdict", "The verdict.";
    DropReason = "drop-reason", "Why it was dropped.";
    Type = "type", "The type, as it is printed.";
    Direction = "direction", "In or out of the node's endpoint.";
    Node = "node", "The node that saw it.";
    Process = "process", "The process at the node, by name.";
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Key::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, key)| *key).ok_or_else(|| {
            let names: Vec<_> = Key::ALL.iter().map(|(name, _)| *name).collect();
            format!("nothing to count by; there are {}", names.join(", "))
        })
    }
}

/// Counts by group.
#[derive(Debug)]
pub struct Aggregate {
    keys: Vec<Key>,
    is_json: bool,
    groups: HashMap<Vec<String>, Counts>,
    totals: Totals,
    lost: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    flows: u64,
    bytes: u64,
}

impl Aggregate {
    /// Nothing is counted yet.
    pub fn new(keys: &[Key], format: Format) -> Self {
        Self {
            keys: keys.to_vec(),
            is_json: format == Format::Json,
            groups: HashMap::new(),
            totals: Totals::default(),
            lost: 0,
        }
    }

    /// Counts a flow, or flows that were lost.
    pub fn add(&mut self, response: &GetFlowsResponse) {
        let flow = match &response.response_types {
            Some(ResponseTypes::Flow(flow)) => flow,
            Some(ResponseTypes::LostEvents(lost)) => {
                self.lost = self.lost.saturating_add(lost.num_events_lost);
                return;
            }
            _ => return,
        };
        let details = flow.details();
        let node = if flow.node_name.is_empty() { &response.node_name } else { &flow.node_name };
        let told = Told { flow, details: details.as_ref(), node };
        let mut group: Vec<_> = self.keys.iter().map(|key| told.value(*key)).collect();
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&group) {
            group.fill(OTHERS.to_owned());
        }
        let totals = &mut self.totals;
        let bytes = details.as_ref().map_or(0, |details| totals.new_bytes(flow, details));
        let counts = self.groups.entry(group).or_default();
        counts.flows += details.as_ref().map_or(1, FlowDetails::stands_for);
        counts.bytes = counts.bytes.saturating_add(bytes);
    }

    /// The groups, the largest first.
    fn sorted(&self) -> Vec<(&Vec<String>, Counts)> {
        let mut sorted: Vec<_> =
            self.groups.iter().map(|(group, counts)| (group, *counts)).collect();
        sorted.sort_unstable_by(|(one, a), (other, b)| {
            (b.flows, b.bytes).cmp(&(a.flows, a.bytes)).then_with(|| one.cmp(other))
        });
        sorted
    }

    fn json(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, counts) in self.sorted() {
            let mut object = serde_json::Map::new();
            for (key, value) in self.keys.iter().zip(group) {
                if value != UNKNOWN {
                    object.insert(key.name().replace('-', "_"), value.clone().into());
                }
            }
            object.insert("flows".into(), counts.flows.into());
            object.insert("bytes".into(), counts.bytes.to_string().into());
            writeln!(f, "{}", serde_json::Value::Object(object))?;
        }
        Ok(())
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.keys.iter().map(|key| key.name().to_ascii_uppercase());
        let mut columns = Columns::new(names.chain(["FLOWS".into(), "BYTES".into()]));
        for (group, counts) in self.sorted() {
            let values = group.iter().map(|value| escape(value.as_bytes()));
            columns.add(values.chain([counts.flows.to_string(), counts.bytes.to_string()]));
        }
        write!(f, "{columns}")?;
        if self.lost > 0 {
            writeln!(f, "lost: {} flows that are not counted", self.lost)?;
        }
        Ok(())
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_json { self.json(f) } else { self.table(f) }
    }
}

/// A flow with what is told beside.
struct Told<'a> {
    flow: &'a Flow,
    details: Option<&'a FlowDetails>,
    node: &'a str,
}

/// Who is at one end.
struct End<'a> {
    endpoint: Option<&'a Endpoint>,
    service: Option<&'a Service>,
    names: &'a [String],
    address: &'a str,
}

impl<'a> Told<'a> {
    fn value(&self, key: Key) -> String {
        let flow = self.flow;
        match key {
            Key::Source => self.end(true).name(),
            Key::Destination => self.end(false).name(),
            Key::SourceIp => known(self.end(true).address),
            Key::DestinationIp => known(self.end(false).address),
            Key::SourceNamespace => self.end(true).namespace(),
            Key::DestinationNamespace => self.end(false).namespace(),
            Key::SourceWorkload => self.end(true).workload(),
            Key::DestinationWorkload => self.end(false).workload(),
            Key::Port => self.port().map_or(UNKNOWN.into(), |port| port.to_string()),
            Key::Protocol => self.protocol().to_owned(),
            Key::Verdict => flow.verdict().as_str_name().to_owned(),
            Key::DropReason if flow.verdict() != Verdict::Dropped => UNKNOWN.to_owned(),
            Key::DropReason => {
                let kernel = self.details.and_then(|details| details.drop.as_ref());
                kernel.map_or_else(
                    || flow.drop_reason_desc().as_str_name().to_owned(),
                    |drop| drop.reason.clone(),
                )
            }
            Key::Type => flow_type(flow),
            Key::Direction => flow.traffic_direction().as_str_name().to_ascii_lowercase(),
            Key::Node => known(self.node),
            Key::Process => {
                known(self.details.and_then(|it| it.process.as_ref()).map_or("", |it| &it.comm))
            }
        }
    }

    /// The end that asked, or the one that was asked.
    fn end(&self, is_asking: bool) -> End<'a> {
        let flow = self.flow;
        let ip = flow.ip.as_ref();
        if is_asking != flow.is_reply.unwrap_or_default() {
            End {
                endpoint: flow.source.as_ref(),
                service: flow.source_service.as_ref(),
                names: &flow.source_names,
                address: ip.map_or("", |ip| &ip.source),
            }
        } else {
            End {
                endpoint: flow.destination.as_ref(),
                service: flow.destination_service.as_ref(),
                names: &flow.destination_names,
                address: ip.map_or("", |ip| &ip.destination),
            }
        }
    }

    fn port(&self) -> Option<u32> {
        let (source, destination) = match self.flow.l4.as_ref()?.protocol.as_ref()? {
            Protocol::Tcp(tcp) => (tcp.source_port, tcp.destination_port),
            Protocol::Udp(udp) => (udp.source_port, udp.destination_port),
            Protocol::Sctp(sctp) => (sctp.source_port, sctp.destination_port),
            _ => return None,
        };
        Some(if self.flow.is_reply.unwrap_or_default() { source } else { destination })
    }

    fn protocol(&self) -> &'static str {
        match self.flow.l7.as_ref().and_then(|l7| l7.record.as_ref()) {
            Some(Record::Dns(_)) => return "DNS",
            Some(Record::Http(_)) => return "HTTP",
            _ => {}
        }
        match self.flow.l4.as_ref().and_then(|l4| l4.protocol.as_ref()) {
            None => UNKNOWN,
            Some(Protocol::Tcp(_)) => "TCP",
            Some(Protocol::Udp(_)) => "UDP",
            Some(Protocol::Sctp(_)) => "SCTP",
            Some(Protocol::IcmPv4(_)) => "ICMPv4",
            Some(Protocol::IcmPv6(_)) => "ICMPv6",
            Some(Protocol::Vrrp(_)) => "VRRP",
            Some(Protocol::Igmp(_)) => "IGMP",
        }
    }
}

impl End<'_> {
    /// Pod, service, DNS name or address: the first that is known.
    fn name(&self) -> String {
        let pod = self.endpoint.filter(|endpoint| !endpoint.pod_name.is_empty());
        let service = self.service.filter(|service| !service.name.is_empty());
        let in_namespace = |namespace: &str, name: &str| match namespace {
            "" => name.to_owned(),
            _ => format!("{namespace}/{name}"),
        };
        match (pod, service, self.names.first()) {
            (Some(pod), ..) => in_namespace(&pod.namespace, &pod.pod_name),
            (None, Some(service), _) => in_namespace(&service.namespace, &service.name),
            (None, None, Some(name)) => name.clone(),
            (None, None, None) => known(self.address),
        }
    }

    fn namespace(&self) -> String {
        known(self.endpoint.map_or("", |endpoint| &endpoint.namespace))
    }

    fn workload(&self) -> String {
        let workload = self.endpoint.and_then(|endpoint| endpoint.workloads.first());
        workload.map_or(UNKNOWN.into(), |workload| match workload.kind.as_str() {
            "" => workload.name.clone(),
            kind => format!("{kind}/{}", workload.name),
        })
    }
}

fn known(text: &str) -> String {
    if text.is_empty() { UNKNOWN.to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_hubble::proto::chandra::v1::Traffic;
    use chandra_hubble::proto::flow::{Ip, Layer4, LostEvent, Tcp};
    use prost::Message;

    fn response(flow: Flow) -> GetFlowsResponse {
        GetFlowsResponse { response_types: Some(ResponseTypes::Flow(flow)), ..Default::default() }
    }

    /// A flow of a conversation of a pod with port 80 of another address, with totals of bytes.
    fn flow(is_reply: bool, connection_key: u64, bytes: u64) -> Flow {
        let pod =
            Endpoint { namespace: "shop".into(), pod_name: "web".into(), ..Default::default() };
        let details = FlowDetails {
            connection_key,
            forward: Some(Traffic { bytes, packets: 1 }),
            ..Default::default()
        };
        let any = prost_types::Any {
            type_url: "type.googleapis.com/chandra.v1.FlowDetails".into(),
            value: details.encode_to_vec(),
        };
        let (pod_ip, other_ip) = ("10.0.0.1".to_owned(), "10.0.0.2".to_owned());
        let (source, destination) = if is_reply { (other_ip, pod_ip) } else { (pod_ip, other_ip) };
        let (source_port, destination_port) = if is_reply { (80, 4000) } else { (4000, 80) };
        let tcp = Tcp { source_port, destination_port, flags: None };
        let end = |is_pod: bool| is_pod.then(|| pod.clone());
        Flow {
            ip: Some(Ip { source, destination, ..Default::default() }),
            l4: Some(Layer4 { protocol: Some(Protocol::Tcp(tcp)) }),
            source: end(!is_reply),
            destination: end(is_reply),
            is_reply: Some(is_reply),
            verdict: Verdict::Forwarded.into(),
            extensions: Some(any),
            ..Flow::default()
        }
    }

    fn keys(names: &[&str]) -> Vec<Key> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn both_halves_of_a_conversation_are_one_group() {
        let names = ["src", "dst", "port", "protocol", "verdict"];
        let mut counts = Aggregate::new(&keys(&names), Format::Table);
        for (is_reply, key, bytes) in
            [(false, 1, 100), (true, 1, 250), (false, 2, 7), (false, 1, 250)]
        {
            counts.add(&response(flow(is_reply, key, bytes)));
        }
        counts.add(&response(Flow { verdict: Verdict::Dropped.into(), ..Flow::default() }));
        let lost = LostEvent { num_events_lost: 3, ..LostEvent::default() };
        let lost = Some(ResponseTypes::LostEvents(lost));
        counts.add(&GetFlowsResponse { response_types: lost, ..Default::default() });
        assert_eq!(
            counts.to_string(),
            "SRC        DST        PORT   PROTOCOL   VERDICT     FLOWS   BYTES\n\
             shop/web   10.0.0.2   80     TCP        FORWARDED   4       257\n\
             -          -          -      -          DROPPED     1       0\n\
             lost: 3 flows that are not counted\n"
        );
    }

    #[test]
    fn json_leaves_out_what_is_not_known() {
        let mut counts = Aggregate::new(&keys(&["src-namespace", "dst-namespace"]), Format::Json);
        counts.add(&response(flow(false, 0, 5)));
        counts.add(&response(flow(false, 0, 5)));
        assert_eq!(
            counts.to_string(),
            "{\"bytes\":\"10\",\"flows\":2,\"src_namespace\":\"shop\"}\n"
        );
    }

    #[test]
    fn every_key_has_a_value() {
        let flow = flow(false, 1, 1);
        let details = flow.details();
        let told = Told { flow: &flow, details: details.as_ref(), node: "n" };
        for (name, key) in Key::ALL {
            assert_eq!(name.parse::<Key>(), Ok(*key));
            assert!(!told.value(*key).is_empty(), "{name}");
        }
        assert!("who".parse::<Key>().is_err());
    }
}
