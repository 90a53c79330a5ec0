//! What the probe knows: processes with their mappings, and tables.
//!
//! Mappings are written into an array that the probe reads at the same time. So a place of the array rests
//! for a while before it is used again: a walk that began with what was there before has long ended then.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use chandra_loader::load::Loaded;
use chandra_loader::memory_map::{Array, ArrayError, put_table, remove_table};
use chandra_loader::{LibbpfError, MapCore, MapHandle, batch, per_cpu};
use chandra_signals::cpu_profile::{ProfileMapping, ProfiledProcess, PythonProcess, TickCounts};
use chandra_unwind::format::Table;

use crate::executables::Number;

/// As in the probe's `walk.h`.
const MAX_MAPPINGS: u32 = 65_536;
/// A walk takes microseconds.
const REST: Duration = Duration::from_secs(1);

/// Why the probe cannot be told of anything.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The object is not the one that this was made for.
    #[error("the object has no map {0}")]
    NoMap(&'static str),
    /// The kernel refused.
    #[error("the kernel refused: {0}")]
    Refused(#[from] LibbpfError),
    /// Of an array.
    #[error(transparent)]
    Array(#[from] ArrayError),
}

#[derive(Debug, Clone, Copy)]
struct Range {
    first: u32,
    count: u32,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Kernel {
    processes: MapHandle,
    mappings: Array,
    tables: MapHandle,
    python_processes: MapHandle,
    /// Of a probe that a clock runs.
    ticks: Option<MapHandle>,
    /// By their first place; neighbours are joined.
    free: Vec<Range>,
    resting: VecDeque<(Instant, Range)>,
    told: HashMap<u32, Range>,
    /// Tables by number, with their bytes.
    tables_told: HashMap<Number, usize>,
    /// Tables that there was no room for.
    pub refused_tables: u64,
    /// Processes that there was no room for: they are walked in user space.
    pub refused_processes: u64,
}

impl Kernel {
    /// Of a loaded `cpu_profile` or `off_cpu`.
    ///
    /// # Errors
    /// When it is something else, or the kernel refuses.
    pub fn of(loaded: &Loaded) -> Result<Self, KernelError> {
        let map = |name| loaded.map(name).ok_or(KernelError::NoMap(name));
        let handle = |name| Ok::<_, KernelError>(MapHandle::try_from(&map(name)?)?);
        Ok(Self {
            processes: handle("processes")?,
            mappings: Array::of(&map("mappings")?, ProfileMapping::BYTES)?,
            tables: handle("tables")?,
            python_processes: handle("python_processes")?,
            ticks: loaded.map("ticks").map(|map| MapHandle::try_from(&map)).transpose()?,
            free: vec![Range { first: 0, count: MAX_MAPPINGS }],
            resting: VecDeque::new(),
            told: HashMap::new(),
            tables_told: HashMap::new(),
            refused_tables: 0,
            refused_processes: 0,
        })
    }

    /// Tells of a process that executes a program, in place of what was told of it before.
    pub fn tell_process(
        &mut self,
        pid: u32,
        (start_boottime_ns, exec_id): (u64, u64),
        mappings: &[ProfileMapping],
    ) {
        let Some(range) = self.take_range(mappings.len()) else {
            self.refused_processes += 1;
            self.forget_process(pid);
            return;
        };
        let places = range.first as usize..;
        let written = places
            .zip(mappings)
            .try_for_each(|(place, mapping)| self.mappings.write(place, &mapping.to_array()));
        let process = ProfiledProcess {
            start_boottime_ns,
            exec_id,
            first_mapping: range.first,
            mapping_count: range.count,
        };
        let told = written.is_ok()
            && batch::update_key_by_key(&self.processes, &pid.to_ne_bytes(), &process.to_array())
                .is_ok();
        let before = if told {
            self.told.insert(pid, range)
        } else {
            self.refused_processes += 1;
            Some(range)
        };
        if let Some(before) = before {
            self.resting.push_back((Instant::now(), before));
        }
    }

    /// Forgets a process.
    pub fn forget_process(&mut self, pid: u32) {
        if let Some(range) = self.told.remove(&pid) {
            // One that is gone already is what was wanted.
            let _ = self.processes.delete(&pid.to_ne_bytes());
            self.resting.push_back((Instant::now(), range));
        }
    }

    /// Gives the probe the table of an executable; false when the kernel has no memory for it.
    pub fn tell_table(&mut self, number: Number, table: &Table) -> bool {
        let is_told = put_table(&self.tables, number.into(), table.cells()).is_ok();
        if is_told {
            self.tables_told.insert(number, table.bytes());
        } else {
            self.refused_tables += 1;
        }
        is_told
    }

    /// Takes the table of an executable away. Processes that were told to have it go on without.
    pub fn forget_table(&mut self, number: Number) {
        if remove_table(&self.tables, number.into()).is_ok() {
            self.tables_told.remove(&number);
        }
    }

    /// Tells of an interpreter in a process; false when there is no room.
    pub fn tell_python(&mut self, pid: u32, process: &PythonProcess) -> bool {
        let (key, value) = (pid.to_ne_bytes(), process.to_array());
        batch::update_key_by_key(&self.python_processes, &key, &value).is_ok()
    }

    /// Forgets that there was one.
    pub fn forget_python(&mut self, pid: u32) {
        // One that is gone already is what was wanted.
        let _ = self.python_processes.delete(&pid.to_ne_bytes());
    }

    /// Bytes of tables.
    pub fn table_bytes(&self) -> usize {
        self.tables_told.values().sum()
    }

    /// Ticks by what became of them, over all CPUs.
    pub fn ticks(&self) -> TickCounts {
        let values = self.ticks.as_ref().map(per_cpu::values).unwrap_or_default();
        let mut sum = TickCounts::ZERO;
        for counts in values.iter().filter_map(|it| TickCounts::read(it)) {
            sum.idle += counts.idle;
            sum.user += counts.user;
            sum.kernel += counts.kernel;
        }
        sum
    }

    fn take_range(&mut self, count: usize) -> Option<Range> {
        let count = u32::try_from(count).ok()?;
        while self.resting.front().is_some_and(|(since, _)| since.elapsed() >= REST) {
            if let Some((_, range)) = self.resting.pop_front() {
                give_back(&mut self.free, range);
            }
        }
        let free = self.free.iter_mut().find(|free| free.count >= count)?;
        let range = Range { first: free.first, count };
        free.first += count;
        free.count -= count;
        Some(range)
    }
}

fn give_back(free: &mut Vec<Range>, range: Range) {
    let next = free.partition_point(|other| other.first < range.first);
    free.insert(next, range);
    free.dedup_by(|later, earlier| {
        let joins = earlier.first + earlier.count == later.first;
        if joins {
            earlier.count += later.count;
        }
        joins
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_joins_its_neighbours() {
        let range = |first, count| Range { first, count };
        let mut free = vec![range(0, 10), range(30, 10)];
        give_back(&mut free, range(20, 10));
        give_back(&mut free, range(10, 10));
        let all: Vec<_> = free.iter().map(|range| (range.first, range.count)).collect();
        assert_eq!(all, [(0, 40)]);
    }
}
