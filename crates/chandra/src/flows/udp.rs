//! What records of UDP say went over the wire.
//!
//! | record | flow |
//! |---|---|
//! | `udp_open` | the first datagram, sent or received |
//! | `udp_reply` | the first datagram the other way |
//! | `udp_update` | the way of the first datagram, with what went over the conversation so far |
//! | `udp_close` | the same, with all that went over it |
//!
//! Who sends the first datagram asks, and what comes back is a reply. Where the first one may not have been
//! seen, neither is known. A message of DNS is a flow of the application's layer besides, as Hubble has it.

use chandra_event::udp::{Happened, Udp};
use chandra_hubble::flow::{Details, Traffic, Verdict};

use super::endpoints::{Carried, Seen};

/// What went over the wire.
pub fn seen(udp: &Udp) -> Seen {
    let answers = udp.happened == Happened::Reply;
    Seen {
        is_sent: udp.received_first == answers,
        is_reply: udp.ends.part.map(|_| answers),
        carried: Carried::Udp,
        verdict: Verdict::Forwarded,
    }
}

/// Adds what Hubble's message has no field for.
pub fn fill(udp: &Udp, mut details: Details) -> Details {
    let totals = &udp.totals;
    let sent = Traffic { bytes: totals.bytes_sent, packets: totals.datagrams_sent };
    let received = Traffic { bytes: totals.bytes_received, packets: totals.datagrams_received };
    match udp.happened {
        Happened::Open => {}
        Happened::Reply => details.latency_ns = udp.duration_ns,
        Happened::Update | Happened::Close(_) => {
            (details.forward, details.backward) =
                if seen(udp).is_sent { (sent, received) } else { (received, sent) };
            details.duration_ns = udp.duration_ns;
        }
    }
    details
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use chandra_event::socket::{Ends, Part, Transport};
    use chandra_event::time::Timestamp;
    use chandra_event::udp::{End, Totals};

    use super::*;

    fn udp(received_first: bool, is_older: bool, happened: Happened) -> Udp {
        let address = SocketAddr::from(([10, 0, 0, 1], 53));
        let part = if received_first { Part::Server } else { Part::Client };
        let ends = Ends {
            transport: Transport::Udp,
            part: (!is_older).then_some(part),
            local: address,
            peer: address,
            net_namespace: 1,
            cookie: 1,
        };
        Udp {
            time: Timestamp(0),
            process: None,
            ends,
            opened_before_start: is_older,
            sampled_one_in: 1,
            received_first,
            totals: Totals {
                datagrams_sent: 1,
                bytes_sent: 10,
                datagrams_received: 2,
                bytes_received: 20,
                socket_drops: 0,
            },
            duration_ns: 7,
            happened,
        }
    }

    #[test]
    fn who_sends_first_asks_and_the_other_end_answers() {
        let close = Happened::Close(End::Idle);
        for (received_first, happened, is_sent, is_reply) in [
            (false, Happened::Open, true, false),
            (false, Happened::Reply, false, true),
            (false, close, true, false),
            (true, Happened::Open, false, false),
            (true, Happened::Reply, true, true),
            (true, Happened::Update, false, false),
        ] {
            let told = seen(&udp(received_first, false, happened));
            assert_eq!((told.is_sent, told.is_reply), (is_sent, Some(is_reply)), "{happened:?}");
            let older = seen(&udp(received_first, true, happened));
            assert_eq!((older.is_sent, older.is_reply), (is_sent, None), "{happened:?}");
        }
    }

    #[test]
    fn bytes_go_the_way_of_the_flow() {
        let of = |received_first, happened| {
            let details = fill(&udp(received_first, false, happened), Details::default());
            [details.forward, details.backward].map(|traffic| (traffic.packets, traffic.bytes))
        };
        let close = Happened::Close(End::SocketClosed);
        assert_eq!(of(false, close), [(1, 10), (2, 20)]);
        assert_eq!(of(true, close), [(2, 20), (1, 10)]);
        assert_eq!(of(true, Happened::Update), [(2, 20), (1, 10)]);
        assert_eq!(of(true, Happened::Open), [(0, 0); 2]);
    }
}
