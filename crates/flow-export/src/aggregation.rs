//! Flows that are alike in some fields, written as one line for all that came in a span of time, with how
//! many they were by direction.
//!
//! Invariants: every flow that was taken is in exactly one line; groups are never more than
//! [`MOST_GROUPS`], which are written early rather than grow beyond.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use chandra_hubble::flow::{Flow, Node, TrafficDirection};
use chandra_hubble::mask::{self, Mask};
use chandra_hubble::proto::flow as proto;
use prost::Message;

use crate::settings::Aggregated;

/// So many lines wait at most for their time.
const MOST_GROUPS: usize = 16_384;

/// Flows of the current span of time.
#[derive(Debug)]
pub(crate) struct Aggregation {
    mask: Mask,
    interval: Duration,
    /// By the fields that are alike, encoded.
    groups: HashMap<Vec<u8>, Group>,
    /// When the current span ends; it begins with its first flow.
    due: Option<Instant>,
}

/// Flows that are alike.
#[derive(Debug)]
pub(crate) struct Group {
    /// The fields that they have alike, and how many they are, those included that are not told for their sake.
    pub flow: proto::Flow,
    /// How many were told.
    pub count: u64,
    /// When the first of them was, nanoseconds since 1970.
    pub first_time_ns: u64,
}

impl Aggregation {
    /// Of flows that are alike in these fields.
    pub fn new(aggregated: &Aggregated) -> Result<Self, mask::Error> {
        let (mask, interval) = (Mask::compile(&aggregated.fields)?, aggregated.interval);
        Ok(Self { mask, interval, groups: HashMap::new(), due: None })
    }

    /// When what was taken is to be written, if there is anything.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes a flow. What it gives is to be written now, for there is no room.
    pub fn take(&mut self, flow: &Flow, node: &Node, now: Instant) -> Vec<Group> {
        let alike = self.mask.apply(flow.to_proto(node));
        let key = alike.encode_to_vec();
        let is_new = !self.groups.contains_key(&key);
        let full = is_new && self.groups.len() >= MOST_GROUPS;
        let early = if full { self.all() } else { Vec::new() };
        self.due.get_or_insert(now + self.interval);
        let group = match self.groups.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                place.insert(Group { flow: alike, count: 0, first_time_ns: flow.time_ns })
            }
        };
        group.first_time_ns = group.first_time_ns.min(flow.time_ns);
        let counts = group.flow.aggregate.get_or_insert_default();
        let count = match flow.traffic_direction {
            TrafficDirection::Ingress => &mut counts.ingress_flow_count,
            TrafficDirection::Egress => &mut counts.egress_flow_count,
            TrafficDirection::Unknown => &mut counts.unknown_direction_flow_count,
        };
        let stands_for = u32::try_from(flow.details.stands_for()).unwrap_or(u32::MAX);
        *count = count.saturating_add(stands_for);
        group.count += 1;
        early
    }

    /// All groups, in the order of their first flows, and the end of the span.
    pub fn all(&mut self) -> Vec<Group> {
        self.due = None;
        let mut groups: Vec<_> = self.groups.drain().map(|(_, group)| group).collect();
        groups.sort_by_key(|group| group.first_time_ns);
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_hubble::flow::L4;

    fn flow(number: u64, destination_port: u16, traffic_direction: TrafficDirection) -> Flow {
        let l4 = L4::Udp { source_port: number as u16, destination_port };
        Flow { time_ns: number, l4, traffic_direction, ..Flow::default() }
    }

    fn aggregation() -> Aggregation {
        let fields = vec!["l4.UDP.destination_port".to_owned(), "verdict".to_owned()];
        Aggregation::new(&Aggregated { fields, interval: Duration::from_secs(30) }).unwrap()
    }

    #[test]
    fn what_is_alike_is_one_with_its_first_time_and_counts_by_direction() {
        use TrafficDirection::{Egress, Ingress, Unknown};
        let (mut aggregation, node, now) =
            (aggregation(), Node::new("", "n", Vec::new()), Instant::now());
        assert_eq!(aggregation.due(), None);
        for (number, port, direction) in
            [(7, 53, Egress), (5, 53, Egress), (9, 53, Ingress), (8, 80, Unknown), (6, 53, Egress)]
        {
            assert!(aggregation.take(&flow(number, port, direction), &node, now).is_empty());
        }
        assert_eq!(aggregation.due(), Some(now + Duration::from_secs(30)));
        let groups = aggregation.all();
        let [dns, other] = &groups[..] else { panic!("{groups:?}") };
        assert_eq!((dns.first_time_ns, dns.count), (5, 4));
        let counts = dns.flow.aggregate.unwrap();
        assert_eq!((counts.egress_flow_count, counts.ingress_flow_count), (3, 1));
        assert_eq!((other.first_time_ns, other.count), (8, 1));
        assert_eq!(other.flow.aggregate.unwrap().unknown_direction_flow_count, 1);
        // Other fields are not there.
        assert_eq!(dns.flow.time, None);
        assert!(aggregation.all().is_empty() && aggregation.due().is_none());
    }

    #[test]
    fn where_there_is_no_room_all_is_written_early_and_none_is_lost() {
        let mut aggregation = aggregation();
        let (node, now) = (Node::new("", "n", Vec::new()), Instant::now());
        let mut count = 0;
        const FLOWS: u64 = 3 * MOST_GROUPS as u64;
        for number in 0..FLOWS {
            let flow = flow(number, number as u16, TrafficDirection::Egress);
            let early = aggregation.take(&flow, &node, now);
            assert!(early.len() <= MOST_GROUPS && aggregation.groups.len() <= MOST_GROUPS);
            count += early.iter().map(|group| group.count).sum::<u64>();
        }
        count += aggregation.all().iter().map(|group| group.count).sum::<u64>();
        assert_eq!(count, FLOWS);
    }
}
