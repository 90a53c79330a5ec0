//! What each process did lately: a ring of all processes' events, in which those of one can be followed back.
//!
//! An alert tells what its process did in the half minute before. Which process that will be nobody knows
//! beforehand, so every event goes in, and the oldest goes out for it.
//!
//! Invariants: all memory is taken at the start; an event that is put in costs no allocation, and neither the
//! time nor the memory that it takes depends on how many processes there are. What the ring no longer has
//! is not told, and [`Ring::reaches_back_to`] says from when on it has all.

use std::hash::Hash;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// How far back an alert tells, in nanoseconds.
pub const WINDOW_NS: u64 = 30_000_000_000;

/// The ring. `P` names a process (its pid and when it began), `E` is an event as its owner keeps it.
#[derive(Debug)]
pub struct Ring<P, E> {
    slots: Vec<Slot<P, E>>,
    capacity: usize,
    /// The number of the next event: its slot is what is left when divided by the capacity.
    next: u64,
    /// The number of each process's latest event that is still in the ring.
    latest: HashMap<P, u64, RandomState>,
}

#[derive(Debug)]
struct Slot<P, E> {
    process: P,
    time_ns: u64,
    /// The number of the same process's event before, if there was one.
    before: Option<u64>,
    event: E,
}

impl<P: Copy + Eq + Hash, E> Ring<P, E> {
    /// For so many events, one at least.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        // No event is in without its process being in the table, so the table never grows.
        let latest = HashMap::with_capacity_and_hasher(capacity, RandomState::default());
        Self { slots: Vec::with_capacity(capacity), capacity, next: 0, latest }
    }

    /// Puts an event in; returns the one that had to go for it, so that its memory can be used again.
    pub fn push(&mut self, process: P, time_ns: u64, event: E) -> Option<E> {
        let number = self.next;
        self.next += 1;
        let gone = self.oldest().filter(|_| self.slots.len() == self.capacity);
        if let Some((oldest, gone)) = gone
            && self.latest.get(&gone) == Some(&oldest)
        {
            self.latest.remove(&gone);
        }
        let before = self.latest.insert(process, number);
        let slot = Slot { process, time_ns, before, event };
        let place = self.place(number);
        match self.slots.get_mut(place) {
            Some(old) => Some(std::mem::replace(old, slot).event),
            None => {
                self.slots.push(slot);
                None
            }
        }
    }

    /// The events of a process from then on, latest first, with their times.
    pub fn of(&self, process: P, since_ns: u64) -> impl Iterator<Item = (u64, &E)> {
        let mut next = self.latest.get(&process).copied();
        std::iter::from_fn(move || {
            let slot = next.and_then(|number| self.get(number))?;
            next = slot.before;
            (slot.time_ns >= since_ns).then_some((slot.time_ns, &slot.event))
        })
    }

    /// From this time on all events are in the ring, in nanoseconds; nothing where there are none.
    pub fn reaches_back_to(&self) -> Option<u64> {
        let oldest = self.next.checked_sub(self.slots.len() as u64)?;
        self.get(oldest).map(|slot| slot.time_ns)
    }

    /// The number of the event that goes next, and whose it is. The one before it is in already counted.
    fn oldest(&self) -> Option<(u64, P)> {
        let number = self.next.checked_sub(1 + self.slots.len() as u64)?;
        self.slots.get(self.place(number)).map(|slot| (number, slot.process))
    }

    fn get(&self, number: u64) -> Option<&Slot<P, E>> {
        let is_in = number < self.next && self.next - number <= self.slots.len() as u64;
        self.slots.get(self.place(number)).filter(|_| is_in)
    }

    fn place(&self, number: u64) -> usize {
        // Less than a capacity, which is a usize.
        usize::try_from(number % self.capacity as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A splitmix64 of its own: the same numbers every time.
    fn random(state: &mut u64, below: u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 27) % below
    }

    #[test]
    fn the_events_of_one_process_are_told_latest_first() {
        let mut ring = Ring::new(10);
        for time in 0..6 {
            ring.push(time % 2, time * 100, time);
        }
        assert_eq!(ring.of(1, 0).collect::<Vec<_>>(), [(500, &5), (300, &3), (100, &1)]);
        assert_eq!(ring.of(1, 300).count(), 2);
        assert_eq!(ring.of(7, 0).count(), 0);
        assert_eq!(ring.reaches_back_to(), Some(0));
    }

    #[test]
    fn it_has_what_a_list_of_the_last_ones_has_and_takes_no_more_memory() {
        let mut state = 20_261_126;
        for capacity in [1, 2, 7, 64] {
            let mut ring = Ring::new(capacity);
            let mut list: Vec<(u64, u64, u64)> = Vec::new();
            let room = (ring.slots.capacity(), ring.latest.capacity());
            for number in 0..3000_u64 {
                let process = random(&mut state, 1 + number % 90);
                let gone = ring.push(process, number, number * 3);
                list.push((process, number, number * 3));
                let expected = (list.len() > capacity).then(|| list.remove(0).2);
                assert_eq!(gone, expected);
                assert_eq!(ring.reaches_back_to(), Some(list[0].1));
                for process in 0..90 {
                    let since = number.saturating_sub(20);
                    let told: Vec<_> =
                        ring.of(process, since).map(|(time, it)| (time, *it)).collect();
                    let mut expected: Vec<_> = list
                        .iter()
                        .filter(|(its, time, _)| *its == process && *time >= since)
                        .map(|(_, time, event)| (*time, *event))
                        .collect();
                    expected.reverse();
                    assert_eq!(told, expected);
                }
            }
            assert_eq!((ring.slots.capacity(), ring.latest.capacity()), room);
        }
    }
}
