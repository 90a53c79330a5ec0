//! From totals, which either end of a connection tells now and then, to what is new: each byte once.
//!
//! Where both ends are on this node both tell. What the end says that has told more counts, and what the other
//! says of the same bytes counts for its own process alone. A connection of TCP is known by its key, which both
//! ends have; one without is its addresses.
//!
//! Who ends first may be heard of before the other end is heard of at all, so a connection is remembered for a while
//! after its end ([`LINGER`]). At most [`MOST`] are remembered, and those that are over make room first. What is told of
//! those beyond counts when they end, if it counts at all.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::fact::{End, Protocol, Totals};

/// Connections that are remembered; 300 bytes each.
pub const MOST: usize = 65_536;

/// Intervals for which one is remembered that is over.
pub const LINGER: u64 = 30;

/// Which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Id {
    Key(u64),
    Places(Protocol, u32, SocketAddr, SocketAddr),
}

/// What is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct New {
    /// Of this end, for whose it is.
    pub of_end: Totals,
    /// Of the connection, seen from this end; what the other end told already is not in it.
    pub of_connection: Totals,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Connections {
    known: HashMap<Id, Known>,
    most: usize,
    /// Intervals that have ended.
    ended: u64,
    /// Some of those that are known are over, or were.
    has_over: bool,
    /// Totals that did not count, for want of room or of a beginning.
    unknown: u64,
}

#[derive(Debug, Default)]
struct Known {
    /// It was told that it is open.
    is_opened: bool,
    /// Neither end goes on, as far as they told, since so many intervals had ended.
    over_in: Option<u64>,
    /// Seen from the opener.
    counted: Totals,
    opener: Told,
    acceptor: Told,
}

/// What an end told.
#[derive(Debug, Default)]
struct Told {
    /// It tells of the connection, and did not say that it is over.
    is_there: bool,
    last: Totals,
    /// Since counting began, seen from the opener.
    sum: Totals,
}

impl Default for Connections {
    fn default() -> Self {
        Self::new(MOST)
    }
}

impl Connections {
    /// Remembers so many.
    pub fn new(most: usize) -> Self {
        Self { known: HashMap::new(), most, ended: 0, has_over: false, unknown: 0 }
    }

    /// An interval ends: what is over for long is forgotten. Returns how many totals did not count in it.
    pub fn end_interval(&mut self) -> u64 {
        self.ended += 1;
        let ended = self.ended;
        self.known.retain(|_, known| known.over_in.is_none_or(|over_in| over_in + LINGER > ended));
        std::mem::take(&mut self.unknown)
    }

    /// There is room for one more.
    fn has_room(&mut self) -> bool {
        if self.known.len() >= self.most && std::mem::take(&mut self.has_over) {
            self.known.retain(|_, known| known.over_in.is_none());
        }
        self.known.len() < self.most
    }

    /// The other end did not tell yet that it is open.
    pub fn is_new(&mut self, end: &End<'_>) -> bool {
        let id = id(end);
        if !self.known.contains_key(&id) && !self.has_room() {
            return true;
        }
        !std::mem::replace(&mut self.known.entry(id).or_default().is_opened, true)
    }

    /// What is new in the totals that an end tells; nothing where that cannot be known.
    pub fn new_traffic(
        &mut self,
        end: &End<'_>,
        totals: &Totals,
        is_older: bool,
        is_over: bool,
    ) -> Option<New> {
        let id = id(end);
        let has_place = self.known.contains_key(&id) || self.has_room();
        if !has_place && !is_over {
            self.unknown += 1;
            return None;
        }
        let known = self.known.entry(id).or_default();
        let Known { counted, opener, acceptor, is_opened, over_in } = known;
        let (told, other) = if end.is_opener { (opener, acceptor) } else { (acceptor, opener) };
        let begins = !told.is_there && told.last == Totals::default();
        let of_end = match begins && is_older {
            true => Totals::default(),
            false => totals.since(&told.last),
        };
        let is_unknown = begins && is_older && is_over;
        (told.last, told.is_there) = (*totals, !is_over);
        let mut way = of_end;
        if !end.is_opener {
            way.turn();
        }
        told.sum.add(&way);
        let mut of_connection = told.sum.beyond(counted);
        counted.add(&of_connection);
        // Only the end that sent something again knows of it.
        of_connection.retransmits = 0;
        if !end.is_opener {
            of_connection.turn();
        }
        of_connection.retransmits = of_end.retransmits;
        if is_over {
            // The next one of the same addresses begins at nothing.
            told.last = Totals::default();
            *is_opened &= end.key.is_some();
        }
        *over_in = (is_over && !other.is_there).then_some(self.ended);
        self.has_over |= over_in.is_some();
        if !has_place {
            self.known.remove(&id);
        }
        if is_unknown {
            self.unknown += 1;
            return None;
        }
        Some(New { of_end, of_connection })
    }
}

fn id(end: &End<'_>) -> Id {
    match end.key {
        Some(key) => Id::Key(key),
        None => {
            let (first, second) =
                if end.is_opener { (end.local, end.peer) } else { (end.peer, end.local) };
            // The two ends of a conversation may be in two namespaces.
            let namespace = if end.protocol == Protocol::Udp { 0 } else { end.net_namespace };
            Id::Places(end.protocol, namespace, first, second)
        }
    }
}

impl Totals {
    /// What is more than before; all, where it is less, as it is of another connection then.
    fn since(&self, before: &Self) -> Self {
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Self {
            bytes_sent: since(self.bytes_sent, before.bytes_sent),
            bytes_received: since(self.bytes_received, before.bytes_received),
            packets_sent: since(self.packets_sent, before.packets_sent),
            packets_received: since(self.packets_received, before.packets_received),
            retransmits: since(self.retransmits, before.retransmits),
        }
    }

    /// What is more than counted; nothing where it is less.
    fn beyond(&self, counted: &Self) -> Self {
        Self {
            bytes_sent: self.bytes_sent.saturating_sub(counted.bytes_sent),
            bytes_received: self.bytes_received.saturating_sub(counted.bytes_received),
            packets_sent: self.packets_sent.saturating_sub(counted.packets_sent),
            packets_received: self.packets_received.saturating_sub(counted.packets_received),
            retransmits: 0,
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.bytes_sent = self.bytes_sent.saturating_add(other.bytes_sent);
        self.bytes_received = self.bytes_received.saturating_add(other.bytes_received);
        self.packets_sent = self.packets_sent.saturating_add(other.packets_sent);
        self.packets_received = self.packets_received.saturating_add(other.packets_received);
        self.retransmits = self.retransmits.saturating_add(other.retransmits);
    }

    /// Of so many like it.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self {
            bytes_sent: self.bytes_sent.saturating_mul(times),
            bytes_received: self.bytes_received.saturating_mul(times),
            packets_sent: self.packets_sent.saturating_mul(times),
            packets_received: self.packets_received.saturating_mul(times),
            retransmits: self.retransmits.saturating_mul(times),
        }
    }

    /// As the other end would tell it.
    pub fn turn(&mut self) {
        std::mem::swap(&mut self.bytes_sent, &mut self.bytes_received);
        std::mem::swap(&mut self.packets_sent, &mut self.packets_received);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{acceptor, opener, totals};

    #[test]
    fn what_both_ends_tell_counts_once_and_for_each_owner() {
        let mut connections = Connections::default();
        let mut told = |end, sent, received, is_over| {
            let new = connections.new_traffic(&end, &totals(sent, received), false, is_over);
            let New { of_end, of_connection } = new.unwrap();
            let pair = |totals: Totals| (totals.bytes_sent, totals.bytes_received);
            (pair(of_end), pair(of_connection))
        };
        assert_eq!(told(opener(), 100, 10, false), ((100, 10), (100, 10)));
        assert_eq!(told(acceptor(), 10, 100, false), ((10, 100), (0, 0)));
        // The acceptor is ahead, and then the opener catches up.
        assert_eq!(told(acceptor(), 10, 150, false), ((0, 50), (0, 50)));
        assert_eq!(told(opener(), 160, 10, false), ((60, 0), (10, 0)));
        assert_eq!(told(opener(), 160, 30, true), ((0, 20), (0, 20)));
        assert_eq!(told(acceptor(), 30, 160, true), ((20, 10), (0, 0)));
        for _ in 0..LINGER {
            assert_eq!(connections.known.len(), 1);
            connections.end_interval();
        }
        assert!(connections.known.is_empty());
    }

    #[test]
    fn an_end_that_is_first_heard_of_after_the_others_end_counts_for_its_owner_alone() {
        let mut connections = Connections::default();
        let first = connections.new_traffic(&opener(), &totals(100, 10), false, true).unwrap();
        let other = connections.new_traffic(&acceptor(), &totals(10, 100), false, true).unwrap();
        assert_eq!((first.of_connection, other.of_connection), (totals(100, 10), totals(0, 0)));
        assert_eq!(other.of_end, totals(10, 100));
    }

    #[test]
    fn counting_of_an_older_one_begins_with_what_is_told_first() {
        let mut connections = Connections::default();
        let new = |of: Option<New>| of.map(|new| new.of_connection.bytes_sent);
        let (old, end) = (totals(1_000_000, 0), opener());
        assert_eq!(new(connections.new_traffic(&end, &old, true, false)), Some(0));
        let more = totals(1_000_007, 0);
        assert_eq!(new(connections.new_traffic(&end, &more, true, false)), Some(7));
        assert_eq!(new(connections.new_traffic(&end, &more, true, true)), Some(0));
        assert_eq!(connections.end_interval(), 0);
        // Of one that is first heard of at its end nobody knows what is new.
        assert_eq!(connections.new_traffic(&end, &old, true, true), None);
        assert_eq!(connections.end_interval(), 1);
    }

    #[test]
    fn beyond_the_bound_a_connection_counts_at_its_end() {
        let mut connections = Connections::new(1);
        let other = End { key: Some(2), ..opener() };
        connections.new_traffic(&opener(), &totals(1, 0), false, false).unwrap();
        assert_eq!(connections.new_traffic(&other, &totals(5, 0), false, false), None);
        assert_eq!(connections.end_interval(), 1);
        let new = connections.new_traffic(&other, &totals(9, 0), false, true).unwrap();
        assert_eq!(new.of_connection.bytes_sent, 9);
        assert_eq!(connections.known.len(), 1);
        // One that is over makes room.
        connections.new_traffic(&opener(), &totals(2, 0), false, true).unwrap();
        connections.new_traffic(&other, &totals(5, 0), false, false).unwrap();
        assert_eq!(connections.known.len(), 1);
    }

    #[test]
    fn retransmits_of_both_ends_add_up() {
        let mut connections = Connections::default();
        let again = |retransmits| Totals { retransmits, ..Totals::default() };
        let mut told = |end, retransmits| {
            let new = connections.new_traffic(&end, &again(retransmits), false, false);
            new.unwrap().of_connection.retransmits
        };
        assert_eq!([told(opener(), 3), told(acceptor(), 2), told(opener(), 4)], [3, 2, 1]);
    }

    #[test]
    fn the_next_connection_of_the_same_addresses_begins_at_nothing() {
        let mut connections = Connections::default();
        let end = End { key: None, ..opener() };
        for _ in 0..2 {
            let new = connections.new_traffic(&end, &totals(5, 0), false, true).unwrap();
            assert_eq!(new.of_connection.bytes_sent, 5);
        }
    }
}
