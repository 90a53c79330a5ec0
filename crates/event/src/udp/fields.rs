//! The fields of the `udp` signal's records.

use super::{End, Happened, Totals, Udp};
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::socket::{EndsFields, SampledFields};
use crate::time::Timestamp;
use crate::value::Value;

crate::fields! {
    /// What every record of the `udp` signal has.
    struct ConversationFields(udp: &Udp) = [
        OwnerFields(udp.process.as_ref()), SampledFields(&udp.sampled_one_in),
        EndsFields(&udp.ends)
    ] {
        "connection.opened_before_start", "OLDER", 5, Json, Bool(udp.opened_before_start),
        "Its socket was open before Chandra started, so its first datagram may not have been seen";
    }
}

crate::fields! {
    /// What went over it.
    struct TotalsFields(totals: &Totals) = [] {
        "datagrams_sent", "OUT", 5, Table, Big(totals.datagrams_sent),
        "Datagrams sent; each one that was sent together with others (UDP_SEGMENT) counts";
        "datagrams_received", "IN", 5, Table, Big(totals.datagrams_received),
        "Datagrams that reached the socket, whether it had room for them or not";
        "bytes_sent", "SENT", 7, Table, Big(totals.bytes_sent),
        "Payload bytes sent";
        "bytes_received", "RECEIVED", 8, Table, Big(totals.bytes_received),
        "Payload bytes received";
        "socket_drops", "DROPS", 5, Wide, Big(totals.socket_drops),
        "Of all that the socket received, with whomever: datagrams for which it had no room";
    }
}

crate::fields! {
    /// How long.
    struct DurationFields(udp: &Udp) = [] {
        "duration_ns", "DURATION", 8, Table, Number(udp.duration_ns),
        "From the first datagram to the last one so far";
    }
}

crate::record! {
    /// The first datagram between a socket and a peer was sent or received
    pub static UDP_OPEN: Kind = ("udp", "udp_open");
    struct OpenFields(udp: &Udp) = [ConversationFields(udp), TotalsFields(&udp.totals)] {}
}

crate::record! {
    /// The first datagram of a conversation that goes the other way was sent or received
    pub static UDP_REPLY: Kind = ("udp", "udp_reply");
    struct ReplyFields(udp: &Udp) = [ConversationFields(udp), TotalsFields(&udp.totals)] {
        "latency_ns", "LATENCY", 7, Table, Number(udp.duration_ns),
        "From the first datagram to this one, at this end";
    }
}

crate::record! {
    /// A conversation goes on: told once in an interval in which there were datagrams
    pub static UDP_UPDATE: Kind = ("udp", "udp_update");
    struct UpdateFields(udp: &Udp) = [
        ConversationFields(udp), TotalsFields(&udp.totals), DurationFields(udp)
    ] {}
}

crate::record! {
    /// A conversation is over: its socket was closed, it was idle, or its place was needed
    pub static UDP_CLOSE: Kind = ("udp", "udp_close");
    struct CloseFields(udp: &Udp) = [
        ConversationFields(udp), TotalsFields(&udp.totals), DurationFields(udp)
    ] {
        "end", "END", 13, Table, Word(udp.happened.end().map(End::word)),
        "Why it is over: socket_closed, idle or evicted";
    }
}

impl Happened {
    fn end(&self) -> Option<End> {
        match *self {
            Happened::Close(end) => Some(end),
            _ => None,
        }
    }
}

impl Record for Udp {
    fn kind(&self) -> &'static Kind {
        match self.happened {
            Happened::Open => &UDP_OPEN,
            Happened::Reply => &UDP_REPLY,
            Happened::Update => &UDP_UPDATE,
            Happened::Close(_) => &UDP_CLOSE,
        }
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        match self.happened {
            Happened::Open => OpenFields::visit(self, each),
            Happened::Reply => ReplyFields::visit(self, each),
            Happened::Update => UpdateFields::visit(self, each),
            Happened::Close(_) => CloseFields::visit(self, each),
        }
    }

    fn event(&self) -> Event<'_> {
        Event::Udp(self)
    }
}
