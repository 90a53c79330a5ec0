//! What is sampled, and what became of it.

use chandra_event::cpu_sample::StackEnd;
use chandra_profile::metadata::ValueType;
use chandra_signals::cpu_profile::TickCounts;

use super::Profiler;
use crate::executables::Number;
use crate::names::NameFigures;
use crate::python::PythonFigures;
use crate::resolve::LibraryFigures;
use crate::stacks::Stacks;

/// What is sampled: each has stacks and figures of its own, and all that is known of processes is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// What runs.
    Cpu,
    /// Where threads wait.
    Waits,
}

impl Of {
    /// By the name of its signal; `None` for one that has no stacks.
    pub fn signal(name: &str) -> Option<Self> {
        match name {
            "cpu_profile" => Some(Self::Cpu),
            "off_cpu" => Some(Self::Waits),
            _ => None,
        }
    }

    pub(super) fn types(self) -> Vec<ValueType> {
        match self {
            Self::Cpu => vec![ValueType::samples(), ValueType::cpu()],
            Self::Waits => vec![ValueType::new("waits", "count"), ValueType::off_cpu()],
        }
    }
}

/// What is sampled of one kind, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) stacks: Stacks,
    pub(super) figures: Figures,
}

/// All that is sampled.
#[derive(Debug, Default)]
pub(super) struct Both {
    cpu: Measured,
    waits: Measured,
}

impl Both {
    pub(super) fn of(&self, of: Of) -> &Measured {
        match of {
            Of::Cpu => &self.cpu,
            Of::Waits => &self.waits,
        }
    }

    pub(super) fn of_mut(&mut self, of: Of) -> &mut Measured {
        match of {
            Of::Cpu => &mut self.cpu,
            Of::Waits => &mut self.waits,
        }
    }
}

/// What became of samples, and what it took. The second half is of all that is sampled together.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Samples.
    pub samples: u64,
    /// Of those, by why the user's stack ends.
    pub ends: [u64; StackEnd::ALL.len()],
    /// Stacks that were walked here, not in the kernel.
    pub walked_here: u64,
    /// Of those, before all tables were there, because too much waited.
    pub walked_early: u64,
    /// Of those, of processes of which nothing was known.
    pub unknown: u64,
    /// Ticks.
    pub idle_ticks: u64,
    /// Processes that are known.
    pub processes: usize,
    /// Looks into `/proc`.
    pub looks: u64,
    /// Records of what is executed and mapped that were lost.
    pub sideband_lost: u64,
    /// Bytes of tables in the kernel.
    pub table_bytes: usize,
    /// Time on a CPU that building tables took, in ns.
    pub table_cpu_ns: u64,
    /// Tables that were put out, because nobody was sampled there.
    pub tables_put_out: u64,
    /// Tables, processes, pieces of memory and executables that there was no room for.
    pub refused: u64,
    /// Executables without a table: path, and why.
    pub without_table: Vec<(String, String)>,
    /// What became of looking for names.
    pub names: NameFigures,
    /// What became of frames of Python.
    pub python: PythonFigures,
}

impl Figures {
    /// How many user stacks, of those that there are, are whole.
    pub fn whole(&self) -> (u64, u64) {
        let of = |is_counted: fn(StackEnd) -> bool| {
            let counts = StackEnd::ALL.iter().zip(self.ends);
            counts.filter(|(end, _)| is_counted(**end)).map(|(_, count)| count).sum()
        };
        let has_stack = |end| end != StackEnd::NoUserStack;
        (of(|end| end.is_whole() && end != StackEnd::NoUserStack), of(has_stack))
    }
}

impl Profiler {
    /// What is kept of names; none while somebody looks for some.
    pub fn library_figures(&self) -> Option<LibraryFigures> {
        self.library.try_lock().ok().map(|library| library.figures())
    }

    /// What became of samples of one kind so far.
    pub fn figures(&self, of: Of) -> Figures {
        let TickCounts { idle, .. } = self.kernel.ticks();
        let path = |number: Number| {
            let executable = self.executables.get(number);
            executable.map_or_else(String::new, |it| String::from_utf8_lossy(&it.path).into_owned())
        };
        let without_table = self.executables.without_table.iter();
        Figures {
            idle_ticks: idle,
            processes: self.processes.len(),
            looks: self.processes.looks,
            sideband_lost: self.processes.lost,
            table_bytes: self.kernel.table_bytes(),
            table_cpu_ns: self.executables.build_cpu_ns,
            tables_put_out: self.executables.put_out,
            refused: self.kernel.refused_tables
                + self.kernel.refused_processes
                + self.processes.refused
                + self.executables.refused
                + self.lists.refused,
            python: self.pythons.figures().clone(),
            without_table: without_table
                .map(|(number, why)| (path(*number), why.clone()))
                .collect(),
            ..self.measured.of(of).figures.clone()
        }
    }
}
