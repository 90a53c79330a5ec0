//! Bytes of connections and conversations, each counted once, however often and from whichever end its totals
//! are told.
//!
//! A connection of TCP has a key, and of its totals the largest counts. A conversation over UDP has none: its
//! totals are those of two addresses with their ports, as each end tells them from the first datagram to the
//! last, and begin anew with the next conversation. Of the two ends the one that has told more counts.

use std::collections::HashMap;

use chandra_hubble::proto::chandra::v1::FlowDetails;
use chandra_hubble::proto::flow::layer4::Protocol;
use chandra_hubble::proto::flow::{Flow, TrafficDirection};

/// The most connections, and the most conversations, whose totals are known.
const MOST: usize = 1_000_000;

/// An address with its port.
type Place = (String, u32);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Totals {
    connections: HashMap<u64, u64>,
    conversations: HashMap<[Place; 2], Conversation>,
}

/// What two places have said to each other.
#[derive(Debug, Default)]
struct Conversation {
    counted: u64,
    /// As told by the end at the first place, and by the other.
    ends: [End; 2],
}

#[derive(Debug, Default)]
struct End {
    /// Of the conversation that goes on.
    total: u64,
    /// Of those before, too.
    sum: u64,
}

impl Totals {
    /// What the totals of a flow, and of those that it stands for, have beyond what was told of the same before.
    pub fn new_bytes(&mut self, flow: &Flow, details: &FlowDetails) -> u64 {
        let directions = [&details.forward, &details.backward].into_iter().flatten();
        let total = directions.fold(0_u64, |sum, one| sum.saturating_add(one.bytes));
        let total = total.saturating_mul(details.stands_for());
        if details.connection_key != 0 {
            return self.of_connection(details.connection_key, total);
        }
        match places(flow) {
            Some(places) if total > 0 => {
                let is_over = details.event == "udp_close";
                let is_sender = flow.traffic_direction() == TrafficDirection::Egress;
                self.of_conversation(places, !is_sender, total, is_over)
            }
            _ => total,
        }
    }

    fn of_connection(&mut self, key: u64, total: u64) -> u64 {
        if self.connections.len() >= MOST {
            self.connections.clear();
        }
        let known = self.connections.entry(key).or_default();
        let new = total.saturating_sub(*known);
        *known = total.max(*known);
        new
    }

    /// Of the two places the observed one is the first, or the second.
    fn of_conversation(
        &mut self,
        mut places: [Place; 2],
        mut is_at_second: bool,
        total: u64,
        is_over: bool,
    ) -> u64 {
        if self.conversations.len() >= MOST {
            self.conversations.clear();
        }
        if !places.is_sorted() {
            places.reverse();
            is_at_second = !is_at_second;
        }
        let conversation = self.conversations.entry(places).or_default();
        let [first, second] = &mut conversation.ends;
        let end = if is_at_second { second } else { first };
        // Less than before is of another conversation, and so is all that comes after the end.
        let new = total.checked_sub(end.total).unwrap_or(total);
        end.sum = end.sum.saturating_add(new);
        end.total = if is_over { 0 } else { total };
        let sum = end.sum;
        let new = sum.saturating_sub(conversation.counted);
        conversation.counted = conversation.counted.max(sum);
        new
    }
}

/// Source and destination of a flow of UDP.
fn places(flow: &Flow) -> Option<[Place; 2]> {
    let ip = flow.ip.as_ref()?;
    match flow.l4.as_ref()?.protocol.as_ref()? {
        Protocol::Udp(udp) => Some([
            (ip.source.clone(), udp.source_port),
            (ip.destination.clone(), udp.destination_port),
        ]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use chandra_hubble::proto::chandra::v1::Traffic;
    use chandra_hubble::proto::flow::{Ip, Layer4, Udp};

    use super::*;

    /// What the client's end, or the server's, tells of their conversation.
    fn told(totals: &mut Totals, event: &str, at_client: bool, bytes: u64) -> u64 {
        let details = FlowDetails {
            event: event.into(),
            forward: Some(Traffic { bytes, packets: 1 }),
            ..Default::default()
        };
        let udp = Udp { source_port: 4000, destination_port: 53 };
        let (source, destination) = ("10.0.0.2".to_owned(), "10.0.0.1".to_owned());
        let seen = if at_client { TrafficDirection::Egress } else { TrafficDirection::Ingress };
        let flow = Flow {
            ip: Some(Ip { source, destination, ..Default::default() }),
            l4: Some(Layer4 { protocol: Some(Protocol::Udp(udp)) }),
            traffic_direction: seen.into(),
            ..Flow::default()
        };
        totals.new_bytes(&flow, &details)
    }

    #[test]
    fn a_conversation_counts_once_though_both_ends_tell_its_totals_again_and_again() {
        let mut totals = Totals::default();
        let steps = [
            ("udp_update", true, 10, 10),
            ("udp_update", false, 10, 0),
            ("udp_update", false, 30, 20),
            ("udp_update", true, 30, 0),
            ("udp_close", true, 35, 5),
            ("udp_close", false, 35, 0),
            // The same ports again.
            ("udp_close", false, 40, 40),
            ("udp_close", true, 40, 0),
            ("udp_open", true, 0, 0),
        ];
        for (event, at_client, bytes, new) in steps {
            assert_eq!(told(&mut totals, event, at_client, bytes), new, "{event} {at_client}");
        }
    }

    #[test]
    fn a_connection_counts_by_its_largest_total() {
        let mut totals = Totals::default();
        for (bytes, new) in [(10, 10), (8, 0), (12, 2)] {
            let forward = Some(Traffic { bytes, packets: 1 });
            let details = FlowDetails { connection_key: 7, forward, ..Default::default() };
            assert_eq!(totals.new_bytes(&Flow::default(), &details), new);
        }
    }
}
