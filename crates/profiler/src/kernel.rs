//! What the probes know: processes with their mappings, and tables. All of them are told the same; tables are there
//! once for all.
//!
//! Mappings are written into an array that the probe reads at the same time. So a place of the array rests
//! for a while before it is used again: a walk that began with what was there before has long ended then.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use chandra_loader::load::Loaded;
use chandra_loader::memory_map::{Array, ArrayError, KernelTable, remove_table};
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

/// The maps of one probe that are told something.
#[derive(Debug)]
struct Probe {
    processes: MapHandle,
    mappings: Array,
    python_processes: MapHandle,
    /// Of one that a clock runs.
    ticks: Option<MapHandle>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Kernel {
    probes: Vec<Probe>,
    tables: Vec<MapHandle>,
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
    /// Knows no probe yet.
    pub fn new() -> Self {
        Self {
            probes: Vec::new(),
            tables: Vec::new(),
            free: vec![Range { first: 0, count: MAX_MAPPINGS }],
            resting: VecDeque::new(),
            told: HashMap::new(),
            tables_told: HashMap::new(),
            refused_tables: 0,
            refused_processes: 0,
        }
    }

    /// Tells a loaded `cpu_profile` or `off_cpu`, too. To be called before anything is told.
    ///
    /// # Errors
    /// When it is something else, or the kernel refuses.
    pub fn add(&mut self, loaded: &Loaded) -> Result<(), KernelError> {
        let map = |name| loaded.map(name).ok_or(KernelError::NoMap(name));
        let handle = |name| Ok::<_, KernelError>(MapHandle::try_from(&map(name)?)?);
        let probe = Probe {
            processes: handle("processes")?,
            mappings: Array::of(&map("mappings")?, ProfileMapping::BYTES)?,
            python_processes: handle("python_processes")?,
            ticks: loaded.map("ticks").map(|map| MapHandle::try_from(&map)).transpose()?,
        };
        self.tables.push(handle("tables")?);
        self.probes.push(probe);
        Ok(())
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
        let process = ProfiledProcess {
            start_boottime_ns,
            exec_id,
            first_mapping: range.first,
            mapping_count: range.count,
        };
        let is_told = self.probes.iter_mut().all(|probe| probe.tell(pid, &process, mappings));
        // What was told before is true no more, whether or not this is known now.
        if let Some(before) = self.told.insert(pid, range) {
            self.resting.push_back((Instant::now(), before));
        }
        if !is_told {
            self.refused_processes += 1;
            self.forget_process(pid);
        }
    }

    /// Forgets a process.
    pub fn forget_process(&mut self, pid: u32) {
        if let Some(range) = self.told.remove(&pid) {
            for probe in &self.probes {
                // One that is gone already is what was wanted.
                let _ = probe.processes.delete(&pid.to_ne_bytes());
            }
            self.resting.push_back((Instant::now(), range));
        }
    }

    /// Gives the probes the table of an executable: the table as the kernel has it; `None` when it has no memory for it.
    pub fn tell_table(&mut self, number: Number, table: &Table) -> Option<KernelTable> {
        let made = KernelTable::make(table.cells());
        let told = made.and_then(|table| table.put(&self.tables, number.into()).map(|()| table));
        match told {
            Ok(told) => {
                self.tables_told.insert(number, told.bytes());
                Some(told)
            }
            Err(_) => {
                self.refused_tables += 1;
                None
            }
        }
    }

    /// Takes the table of an executable away. Processes that were told to have it go on without.
    pub fn forget_table(&mut self, number: Number) {
        remove_table(&self.tables, number.into());
        self.tables_told.remove(&number);
    }

    /// Tells of an interpreter in a process; false when there is no room.
    pub fn tell_python(&mut self, pid: u32, process: &PythonProcess) -> bool {
        let (key, value) = (pid.to_ne_bytes(), process.to_array());
        let tell =
            |probe: &Probe| batch::update_key_by_key(&probe.python_processes, &key, &value).is_ok();
        self.probes.iter().all(tell)
    }

    /// Forgets that there was one.
    pub fn forget_python(&mut self, pid: u32) {
        for probe in &self.probes {
            // One that is gone already is what was wanted.
            let _ = probe.python_processes.delete(&pid.to_ne_bytes());
        }
    }

    /// Bytes of tables.
    pub fn table_bytes(&self) -> usize {
        self.tables_told.values().sum()
    }

    /// Ticks by what became of them, over all CPUs.
    pub fn ticks(&self) -> TickCounts {
        let ticks = self.probes.iter().find_map(|probe| probe.ticks.as_ref());
        let values = ticks.map(per_cpu::values).unwrap_or_default();
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

impl Probe {
    fn tell(&mut self, pid: u32, process: &ProfiledProcess, mappings: &[ProfileMapping]) -> bool {
        let places = process.first_mapping as usize..;
        let mut written = places.zip(mappings);
        written.all(|(place, mapping)| self.mappings.write(place, &mapping.to_array()).is_ok())
            && batch::update_key_by_key(&self.processes, &pid.to_ne_bytes(), &process.to_array())
                .is_ok()
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
