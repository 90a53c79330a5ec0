//! Records whose container is not described yet, in order for each container, for a bounded time and
//! in bounded memory.

use std::collections::{HashMap, VecDeque};

use chandra_identity::Kept;
use chandra_identity::container::Number;

/// Bytes that may be held in all.
const MOST_BYTES: usize = 8 << 20;

/// One record.
#[derive(Debug)]
pub struct Record {
    /// The part that it is of.
    pub part: usize,
    /// As its ring had it.
    pub bytes: Box<[u8]>,
    /// What was so of its processes when it came.
    pub kept: Kept,
}

/// What is held.
#[derive(Debug, Default)]
pub struct Held {
    containers: HashMap<Number, Vec<Record>>,
    /// In the order in which they are due; each container once.
    due: VecDeque<(u64, Number)>,
    bytes: usize,
}

impl Held {
    /// A record of so many bytes can be held. If not, what is due first should go.
    pub fn has_room(&self, record_bytes: usize) -> bool {
        self.is_empty() || self.bytes + record_bytes + size_of::<Record>() <= MOST_BYTES
    }

    /// Holds a record of a container, which is due at this time if it is the first.
    pub fn push(&mut self, number: Number, due_ns: u64, record: Record) {
        self.bytes += size(&record);
        let records = self.containers.entry(number).or_default();
        if records.is_empty() {
            self.due.push_back((due_ns, number));
        }
        records.push(record);
    }

    /// Something of this container is held, so that what comes later has to wait behind it.
    pub fn holds(&self, number: Number) -> bool {
        !self.containers.is_empty() && self.containers.contains_key(&number)
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty()
    }

    /// The containers of which something is held.
    pub fn containers(&self) -> impl Iterator<Item = Number> {
        self.due.iter().map(|(_, number)| *number)
    }

    /// The container that is due first, and when.
    pub fn first_due(&self) -> Option<(u64, Number)> {
        self.due.front().copied()
    }

    /// Everything that is held of a container, in the order in which it came.
    pub fn take(&mut self, number: Number) -> Vec<Record> {
        let records = self.containers.remove(&number).unwrap_or_default();
        self.bytes -= records.iter().map(size).sum::<usize>();
        self.due.retain(|(_, held)| *held != number);
        records
    }
}

fn size(record: &Record) -> usize {
    record.bytes.len() + size_of::<Record>()
}

#[cfg(test)]
mod tests {
    use chandra_event::cgroup::{Cgroup, Happened};
    use chandra_event::time::Timestamp;
    use chandra_identity::container::{Cgroups, Limits};

    use super::*;

    fn record(part: usize, bytes: &[u8]) -> Record {
        Record { part, bytes: bytes.into(), kept: Kept::default() }
    }

    fn numbers(count: u64) -> Vec<Number> {
        let mut cgroups = Cgroups::new(Limits::default());
        let number = |id: u64| {
            cgroups.apply(&Cgroup {
                time: Timestamp(0),
                process: None,
                happened: Happened::Mkdir,
                id,
                hierarchy: 0,
                parent_id: None,
                level: 1,
                path: format!("/docker/{id:064x}").as_bytes(),
                path_truncated: false,
            });
            cgroups.container(0, id).unwrap().number
        };
        (1..=count).map(number).collect()
    }

    #[test]
    fn a_containers_records_come_back_in_their_order() {
        let numbers = numbers(2);
        let mut held = Held::default();
        for (index, number) in [0, 1, 0, 1, 0].into_iter().enumerate() {
            let due_ns = 10 + index as u64;
            held.push(numbers[number], due_ns, record(index, &[index as u8]));
        }
        assert_eq!(held.first_due(), Some((10, numbers[0])));
        let parts =
            |records: Vec<Record>| records.iter().map(|record| record.part).collect::<Vec<_>>();
        assert_eq!(parts(held.take(numbers[0])), [0, 2, 4]);
        assert!(!held.holds(numbers[0]) && held.holds(numbers[1]));
        assert_eq!(held.first_due(), Some((11, numbers[1])));
        assert_eq!(parts(held.take(numbers[1])), [1, 3]);
        assert!(held.is_empty());
        assert_eq!((held.bytes, held.first_due()), (0, None));
    }

    #[test]
    fn it_is_full_before_it_is_large() {
        let numbers = numbers(2);
        let mut held = Held::default();
        let mut count = 0;
        while held.has_room(10_000) {
            held.push(numbers[count % 2], 1, record(0, &[0; 10_000]));
            count += 1;
        }
        assert!(held.bytes <= MOST_BYTES && count > 700);
        assert_eq!(held.take(numbers[0]).len(), count.div_ceil(2));
        assert!(held.has_room(10_000));
    }
}
