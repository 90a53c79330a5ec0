//! Takes samples in the order of time, keeps what the kernel knows up to date, and makes a profile at the end.

mod figures;
mod knowledge;
mod profiles;
mod settling;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chandra_event::cpu_sample::CpuSample;
use chandra_event::off_cpu::OffCpu;
use chandra_loader::load::Loaded;
use chandra_loader::sideband::Sideband;
use chandra_loader::{clock, memory};

use crate::code_lists::CodeLists;
use crate::executables::Executables;
use crate::kernel::{Kernel, KernelError};
use crate::processes::{Change, Processes};
use crate::python::Pythons;
use crate::resolve::Library;
use crate::stacks::{OwnerOfSample, Sampled, Waited};
use crate::walk::{Parts, Stack};
pub use figures::{Figures, Of};
use knowledge::heed;
pub use profiles::Window;
use settling::Waiting;

/// Why a profile cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kernel does not tell what is mapped.
    #[error("perf's records of what is executed and mapped: {0}")]
    Sideband(io::Error),
    /// The probe's maps.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// No thread that builds tables.
    #[error("a thread that builds unwind tables: {0}")]
    Thread(io::Error),
}

/// CPUs that came online, and processes that ended, are looked for so often.
const LOOK: Duration = Duration::from_secs(1);

/// See the [module](self).
#[derive(Debug)]
pub struct Profiler {
    sideband: Sideband,
    processes: Processes,
    executables: Executables,
    lists: CodeLists,
    library: Arc<Mutex<Library>>,
    kernel: Kernel,
    pythons: Pythons,
    measured: figures::Both,
    waiting: VecDeque<Waiting>,
    /// What they take beside parts of stacks.
    waiting_bytes: usize,
    parts: Parts,
    /// Tables that are not there yet are waited for.
    may_wait: bool,
    outdated: HashSet<u32>,
    /// What happened before is taken in.
    known_until_ns: u64,
    looked: Instant,
    /// Tables were built since memory was given back.
    has_built: bool,
}

impl Profiler {
    /// Of a loaded `cpu_profile` or `off_cpu`, before it is listened to. Looks at all processes that run.
    ///
    /// # Errors
    /// When the kernel does not tell what is needed.
    pub fn start(loaded: &Loaded) -> Result<Self, StartError> {
        // Names are looked for once, at the end.
        let mut profiler = Self::prepare(0)?;
        profiler.add(loaded)?;
        profiler.seed();
        Ok(profiler)
    }

    /// Of nothing yet; signals are to be [added](Self::add), then it is to be [seeded](Self::seed). Names that were found
    /// are kept for the next profile within so many bytes.
    ///
    /// # Errors
    /// When the kernel does not tell what is needed.
    pub fn prepare(name_budget_bytes: usize) -> Result<Self, StartError> {
        // With fewer files open there are fewer names, which is counted.
        let _ = memory::raise_file_limit();
        memory::keep_no_large_pieces();
        Ok(Self {
            sideband: Sideband::open().map_err(StartError::Sideband)?,
            processes: Processes::default(),
            executables: Executables::new().map_err(StartError::Thread)?,
            lists: CodeLists::default(),
            library: Arc::new(Mutex::new(Library::new(name_budget_bytes))),
            kernel: Kernel::new(),
            pythons: Pythons::default(),
            measured: figures::Both::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            parts: Parts::default(),
            may_wait: true,
            outdated: HashSet::new(),
            known_until_ns: 0,
            looked: Instant::now(),
            has_built: false,
        })
    }

    /// Tells the probe of a loaded signal, too, before anything is told.
    ///
    /// # Errors
    /// When it is none that has stacks, or the kernel refuses.
    pub fn add(&mut self, loaded: &Loaded) -> Result<(), StartError> {
        Ok(self.kernel.add(loaded)?)
    }

    /// Looks at all processes that run, before anything is listened to.
    pub fn seed(&mut self) {
        self.processes.seed(clock::boottime_ns());
        let Self { processes, executables, kernel, pythons, .. } = self;
        for (pid, memory) in processes.all() {
            pythons.meet_all(pid, memory, executables, kernel);
        }
    }

    /// Takes a sample.
    pub fn sample(&mut self, sample: &CpuSample<'_>, owner: &OwnerOfSample<'_>) {
        self.take(sample, None, owner);
    }

    /// Takes a wait.
    pub fn wait(&mut self, wait: &OffCpu<'_>, owner: &OwnerOfSample<'_>) {
        let waited = Waited {
            reason: wait.reason,
            is_io_wait: wait.is_io_wait,
            runnable_ns: wait.runnable_ns,
        };
        self.take(&wait.sample, Some(waited), owner);
    }

    fn take(&mut self, sample: &CpuSample<'_>, waited: Option<Waited>, owner: &OwnerOfSample<'_>) {
        if sample.boottime_ns >= self.known_until_ns {
            self.catch_up();
        }
        let of = if waited.is_some() { Of::Waits } else { Of::Cpu };
        let measured = self.measured.of_mut(of);
        measured.figures.samples += 1;
        let owner = measured.stacks.owner(owner);
        let kernel: Vec<u64> = sample.kernel_frames.iter().collect();
        let user: Vec<u64> = sample.user_frames.iter().collect();
        let python = self.pythons.read(sample);
        let process = (sample.process.pid, sample.process.start_boottime_ns);
        let Some(stack) = Stack::of(sample) else {
            self.count(
                of,
                process,
                &python,
                &Sampled {
                    owner,
                    end: sample.user_end,
                    is_kernel_truncated: sample.is_kernel_truncated,
                    kernel: &kernel,
                    user: &user,
                    weight_ns: sample.weight_ns,
                    waited,
                },
            );
            return;
        };
        let waiting = Waiting {
            of,
            process,
            exec_id: sample.exec_id,
            boottime_ns: sample.boottime_ns,
            weight_ns: sample.weight_ns,
            waited,
            owner,
            end: sample.user_end,
            is_kernel_truncated: sample.is_kernel_truncated,
            kernel: kernel.into(),
            user: user.into(),
            python,
            stack,
            was_looked_for: false,
        };
        self.settle_or_wait(waiting);
    }

    /// Keeps up with what happens; to be called when no samples are there for now.
    pub fn tend(&mut self) {
        self.catch_up();
        let has_built = self.executables.take_built();
        self.has_built |= has_built;
        if has_built || self.executables.building() == 0 {
            for waiting in std::mem::take(&mut self.waiting) {
                self.waiting_bytes -= waiting.own_bytes();
                self.settle_or_wait(waiting);
            }
            self.parts.let_go();
            self.tell_outdated();
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            // Those that are heard go on; others are tried again the next time.
            let _ = self.sideband.follow_cpus();
            self.lists.open_missing();
            self.put_out_tables();
            self.executables.rest();
            // What files and waiting stacks took is free by then.
            if self.has_built && self.executables.building() == 0 {
                self.has_built = false;
                memory::give_back();
            }
            let Self { processes, lists, kernel, outdated, pythons, .. } = self;
            processes.forget_ended(clock::boottime_ns(), &mut |change| {
                if let Change::Gone(pid) = change {
                    lists.forget(pid);
                    pythons.forget(pid, kernel);
                }
                heed(change, kernel, outdated);
            });
        }
    }
}
