//! Takes samples in the order of time, keeps what the kernel knows up to date, and makes a profile at the end.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chandra_event::cpu_sample::{CpuSample, StackEnd, UserFrame};
use chandra_event::off_cpu::OffCpu;
use chandra_loader::load::Loaded;
use chandra_loader::sideband::{Happened, Sideband};
use chandra_loader::{clock, memory};
use chandra_profile::filter::Filter;
use chandra_profile::metadata::ValueType;
use chandra_profile::profile::{Limits, Profile};
use chandra_signals::cpu_profile::{ProfileMapping, TickCounts};

use crate::code_lists::{CodeLists, ProcessKey};
use crate::executables::{Executables, MAX_TABLE_BYTES, Number};
use crate::kernel::{Kernel, KernelError};
use crate::memory::{File, Memory, Piece};
use crate::names::{NameFigures, Names, Progress, Wanted};
use crate::processes::{Change, Processes, Program, Told};
use crate::python::{PythonFigures, PythonStack, Pythons};
use crate::resolve::{Library, LibraryFigures};
use crate::stacks::{OwnerOfSample, Sampled, Shown, Stacks, Waited, What};
use crate::walk::Stack;

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

    fn types(self) -> Vec<ValueType> {
        match self {
            Self::Cpu => vec![ValueType::samples(), ValueType::cpu()],
            Self::Waits => vec![ValueType::new("waits", "count"), ValueType::off_cpu()],
        }
    }
}

/// What is sampled of one kind, and what became of it.
#[derive(Debug, Default)]
struct Measured {
    stacks: Stacks,
    figures: Figures,
}

/// All that is sampled.
#[derive(Debug, Default)]
struct Both {
    cpu: Measured,
    waits: Measured,
}

impl Both {
    fn of(&self, of: Of) -> &Measured {
        match of {
            Of::Cpu => &self.cpu,
            Of::Waits => &self.waits,
        }
    }

    fn of_mut(&mut self, of: Of) -> &mut Measured {
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

/// A sample that waits for tables.
#[derive(Debug)]
struct Waiting {
    of: Of,
    process: (u32, u64),
    exec_id: u64,
    boottime_ns: u64,
    weight_ns: u64,
    waited: Option<Waited>,
    owner: u32,
    end: StackEnd,
    is_kernel_truncated: bool,
    kernel: Box<[u64]>,
    user: Box<[u64]>,
    python: PythonStack,
    stack: Stack,
    was_looked_for: bool,
}

/// Bytes of samples that may wait.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// CPUs that came online, and processes that ended, are looked for so often.
const LOOK: Duration = Duration::from_secs(1);
/// Tables that no sample had a frame in for so long are put out.
const UNSEEN: Duration = Duration::from_secs(60);
/// The same where there is little room.
const UNSEEN_IN_NEED: Duration = Duration::from_secs(5);
/// At the end, tables that are being built are waited for so long.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// What was counted in a while, without names, which are looked up when somebody asks.
#[derive(Debug)]
pub struct Window(Stacks);

impl Window {
    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

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
    measured: Both,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
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
        Ok(Self {
            sideband: Sideband::open().map_err(StartError::Sideband)?,
            processes: Processes::default(),
            executables: Executables::new().map_err(StartError::Thread)?,
            lists: CodeLists::default(),
            library: Arc::new(Mutex::new(Library::new(name_budget_bytes))),
            kernel: Kernel::new(),
            pythons: Pythons::default(),
            measured: Both::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
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
                self.waiting_bytes -= waiting.stack.bytes();
                self.settle_or_wait(waiting);
            }
            self.tell_outdated();
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            // Those that are heard go on; others are tried again the next time.
            let _ = self.sideband.follow_cpus();
            self.lists.open_missing();
            self.put_out_tables();
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

    /// Frees tables of executables that nothing runs of. Who is sampled there again brings its stack along, as a
    /// process does that is new.
    fn put_out_tables(&mut self) {
        let Self { processes, executables, kernel, outdated, .. } = self;
        let is_in_need = executables.table_bytes > MAX_TABLE_BYTES / 4 * 3;
        let unseen = if is_in_need { UNSEEN_IN_NEED } else { UNSEEN };
        let gone = executables.expire(unseen, Instant::now());
        let told: HashSet<Number> =
            gone.iter().filter(|(_, is_told)| *is_told).map(|(number, _)| *number).collect();
        if told.is_empty() {
            return;
        }
        processes
            .untell(|piece| told.contains(&executables.known_number(&piece.file)), &mut |change| {
                heed(change, kernel, outdated)
            });
        told.into_iter().for_each(|number| kernel.forget_table(number));
    }

    /// Takes in what the kernel told since the last time.
    fn catch_up(&mut self) {
        self.known_until_ns = clock::boottime_ns();
        let Self { sideband, processes, executables, lists, kernel, pythons, outdated, .. } = self;
        sideband.drain(&mut |event| {
            let piece = match event.happened {
                Happened::Mapped(mapped) => Some(Piece::of(&mapped)),
                _ => None,
            };
            open_early(&event.happened, piece.as_ref(), executables, lists);
            follow_pythons(&event.happened, piece.as_ref(), pythons, executables, kernel);
            processes.take(event, piece, &mut |change| heed(change, kernel, outdated));
        });
    }

    /// Walks a sample's stack, or lets it wait until that can be done.
    fn settle_or_wait(&mut self, mut waiting: Waiting) {
        let (pid, _) = waiting.process;
        let now_ns = clock::boottime_ns();
        let has_memory = |program: &mut Program| !program.memory.pieces().is_empty();
        if !self.processes.program(pid, waiting.boottime_ns).is_some_and(has_memory) {
            self.processes.look(pid, now_ns);
        }
        let Some(program) = self
            .processes
            .program(pid, waiting.boottime_ns)
            .filter(|it| !it.memory.pieces().is_empty())
        else {
            self.measured.of_mut(waiting.of).figures.unknown += 1;
            self.settle(&waiting, None);
            return;
        };
        self.pythons.meet_all(pid, &program.memory, &mut self.executables, &mut self.kernel);
        let numbers = numbers(&mut self.executables, pid, &program.memory);
        let is_ready = numbers.iter().all(|(_, number)| self.executables.is_ready(*number));
        let has_room = self.waiting_bytes + waiting.stack.bytes() <= MAX_WAITING_BYTES;
        if !is_ready && has_room {
            self.waiting_bytes += waiting.stack.bytes();
            self.waiting.push_back(waiting);
            return;
        }
        self.measured.of_mut(waiting.of).figures.walked_early += u64::from(!is_ready);
        let number = |start| {
            let found = numbers.binary_search_by_key(&start, |(start, _)| *start);
            found.ok().and_then(|at| numbers.get(at)).map_or(0, |(_, number)| *number)
        };
        let walked = waiting.stack.walk(&program.memory, &self.executables, number);
        let is_lost = matches!(walked.1, StackEnd::NoMapping | StackEnd::ReturnNotCode);
        let is_last = program.began_ns <= waiting.boottime_ns;
        // Memory can be made executable without a word of the kernel's.
        if is_lost && is_last && !waiting.was_looked_for && self.processes.look(pid, now_ns) {
            waiting.was_looked_for = true;
            self.outdated.insert(pid);
            self.settle_or_wait(waiting);
            return;
        }
        if is_ready {
            self.tell_process(&waiting);
        }
        self.measured.of_mut(waiting.of).figures.walked_here += 1;
        self.settle(&waiting, Some(walked));
    }

    fn settle(&mut self, waiting: &Waiting, walked: Option<(Vec<u64>, StackEnd)>) {
        let here = [waiting.stack.pc()];
        let as_it_came = if waiting.user.is_empty() { &here[..] } else { &waiting.user };
        let (user, end) = match &walked {
            Some((frames, end)) => (frames.as_slice(), *end),
            None => (as_it_came, waiting.end),
        };
        self.count(
            waiting.of,
            waiting.process,
            &waiting.python,
            &Sampled {
                owner: waiting.owner,
                end,
                is_kernel_truncated: waiting.is_kernel_truncated,
                kernel: &waiting.kernel,
                user,
                weight_ns: waiting.weight_ns,
                waited: waiting.waited,
            },
        );
    }

    fn count(&mut self, of: Of, process: ProcessKey, python: &PythonStack, sampled: &Sampled<'_>) {
        let is_in_no_file = |word: &u64| UserFrame::unpack(*word).executable == 0;
        if sampled.user.iter().any(is_in_no_file) {
            self.lists.sample(process, &mut self.executables.roots);
        }
        for word in sampled.user {
            self.executables.see(UserFrame::unpack(*word).executable, self.looked);
        }
        let end = StackEnd::ALL.iter().position(|end| *end == sampled.end);
        let Measured { stacks, figures } = self.measured.of_mut(of);
        if let Some(count) = end.and_then(|end| figures.ends.get_mut(end)) {
            *count += 1;
        }
        if python.is_empty() {
            return stacks.add(sampled);
        }
        let merged = self.pythons.merge(sampled.user, sampled.end.is_whole(), python);
        stacks.add(&Sampled { user: &merged, ..*sampled });
    }

    /// Tells the kernel of the process of a sample, if it runs the same program still.
    fn tell_process(&mut self, waiting: &Waiting) {
        let (pid, start_boottime_ns) = waiting.process;
        let Some(program) = self.processes.last_program(pid) else { return };
        if program.began_ns > waiting.boottime_ns {
            return;
        }
        let exec_id = waiting.exec_id;
        let told = Told { version: program.version, exec_id, start_boottime_ns };
        if program.told == Some(told) {
            return;
        }
        program.told = Some(told);
        let rows = rows(&mut self.executables, &mut self.kernel, pid, &program.memory);
        self.kernel.tell_process(pid, (start_boottime_ns, exec_id), &rows);
    }

    /// Tells the kernel anew of processes whose memory has changed, once the tables are there.
    fn tell_outdated(&mut self) {
        for pid in std::mem::take(&mut self.outdated) {
            let Some(program) = self.processes.last_program(pid) else { continue };
            let Some(told) = program.told else { continue };
            let numbers = numbers(&mut self.executables, pid, &program.memory);
            if !numbers.iter().all(|(_, number)| self.executables.is_ready(*number)) {
                self.outdated.insert(pid);
                continue;
            }
            program.told = Some(Told { version: program.version, ..told });
            let rows = rows(&mut self.executables, &mut self.kernel, pid, &program.memory);
            self.kernel.tell_process(pid, (told.start_boottime_ns, told.exec_id), &rows);
        }
    }

    /// The profile of everything so far of one kind: samples, or waits, and nanoseconds. Looking for names may take some
    /// seconds; `progress` hears how many are found of how many.
    pub fn finish(&mut self, of: Of, what: What, progress: Progress<'_>) -> Profile {
        self.catch_up();
        let until = Instant::now() + LAST_WAIT;
        while self.executables.building() > 0 && Instant::now() < until {
            self.executables.wait_built(until.saturating_duration_since(Instant::now()));
        }
        self.waiting_bytes = MAX_WAITING_BYTES;
        for waiting in std::mem::take(&mut self.waiting) {
            self.settle_or_wait(waiting);
        }
        let none = std::iter::empty();
        let (profile, figures) =
            self.named(of, none, what, Shown::of(&Filter::default()), progress);
        self.measured.of_mut(of).figures.names = figures;
        profile
    }

    /// What was counted of one kind since the last cut, as a window of its own; what comes from now on is in the next
    /// one.
    pub fn cut(&mut self, of: Of) -> Window {
        let cut = std::mem::take(&mut self.measured.of_mut(of).stacks);
        let mut waiting = std::mem::take(&mut self.waiting);
        for waiting in waiting.iter_mut().filter(|waiting| waiting.of == of) {
            waiting.owner = self.measured.of_mut(of).stacks.adopt(&cut, waiting.owner);
        }
        self.waiting = waiting;
        Window(cut)
    }

    /// A sample of this kind with one of these marks waits for tables, and is in no profile yet.
    pub fn is_waiting(&self, of: Of, marks: u8) -> bool {
        let stacks = &self.measured.of(of).stacks;
        let is_it = |it: &Waiting| it.of == of && stacks.marks(it.owner) & marks != 0;
        self.waiting.iter().any(is_it)
    }

    /// The profile of these windows, and of what was counted since the last cut, of owners that are shown. Looking
    /// for names may take some seconds; those of others are not looked for.
    pub fn profile_of<'a>(
        &self,
        of: Of,
        windows: impl Iterator<Item = &'a Window>,
        what: What,
        shown: Shown<'_>,
    ) -> Profile {
        self.named(of, windows, what, shown, &mut |_, _| {}).0
    }

    fn named<'a>(
        &self,
        of: Of,
        windows: impl Iterator<Item = &'a Window>,
        what: What,
        shown: Shown<'_>,
        progress: Progress<'_>,
    ) -> (Profile, NameFigures) {
        let mut profile = Profile::new(of.types(), Limits::default());
        let now = &self.measured.of(of).stacks;
        let all = windows.map(|Window(stacks)| stacks).chain([now]);
        let all: Vec<_> = all.map(|stacks| (stacks, stacks.owners(shown, &mut profile))).collect();
        let mut wanted = Wanted::default();
        all.iter().for_each(|(stacks, owners)| stacks.want(what, owners, &mut wanted));
        let Self { executables, lists, library, .. } = self;
        let names = Names::find(wanted, executables, lists, library, &mut profile, progress);
        let named = (&names, &self.pythons);
        all.iter().for_each(|(stacks, owners)| stacks.write(named, what, owners, &mut profile));
        (profile, names.figures)
    }

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

/// Opens what may be needed for names later, while the process lives that has it.
fn open_early(
    happened: &Happened<'_>,
    piece: Option<&Piece>,
    executables: &mut Executables,
    lists: &mut CodeLists,
) {
    match *happened {
        Happened::Mapped(mapped) => match piece {
            Some(Piece { file: File::Anonymous, .. }) => {
                lists.meet(mapped.pid, &mut executables.roots);
            }
            Some(piece) => executables.foresee(mapped.pid, piece),
            None => {}
        },
        Happened::Forked { pid, .. } | Happened::Executed { pid } => lists.forget(pid),
        Happened::Exited { pid } => lists.end(pid),
        Happened::Lost { .. } => {}
    }
}

/// Tells the probe of interpreters as they come and go.
fn follow_pythons(
    happened: &Happened<'_>,
    piece: Option<&Piece>,
    pythons: &mut Pythons,
    executables: &mut Executables,
    kernel: &mut Kernel,
) {
    match *happened {
        Happened::Mapped(mapped) => {
            if let Some(piece) = piece {
                pythons.meet(mapped.pid, piece, executables, kernel);
            }
        }
        Happened::Forked { pid, parent } => pythons.fork(pid, parent, kernel),
        Happened::Executed { pid } => pythons.forget(pid, kernel),
        // What ended lingers, for samples that come late; what was lost is looked for when it is sampled.
        Happened::Exited { .. } | Happened::Lost { .. } => {}
    }
}

fn heed(change: Change, kernel: &mut Kernel, outdated: &mut HashSet<u32>) {
    match change {
        Change::Outdated(pid) => drop(outdated.insert(pid)),
        Change::Gone(pid) => kernel.forget_process(pid),
    }
}

/// By the start of each piece, the number of what lies there.
fn numbers(executables: &mut Executables, pid: u32, memory: &Memory) -> Vec<(u64, Number)> {
    let number = |piece| executables.number(pid, piece);
    let pieces = memory.pieces();
    pieces.iter().map(|piece| piece.start).zip(pieces.iter().map(number)).collect()
}

/// A process's memory as the probe knows it; tables that the probe has not got yet are given to it.
fn rows(
    executables: &mut Executables,
    kernel: &mut Kernel,
    pid: u32,
    memory: &Memory,
) -> Vec<ProfileMapping> {
    let row = |piece: &Piece| {
        let number = executables.number(pid, piece);
        if let Some(executable) = executables.get_mut(number).filter(|it| !it.is_told) {
            let table = executable.table().cloned();
            executable.is_told = table.is_some_and(|table| kernel.tell_table(number, &table));
        }
        ProfileMapping {
            start: piece.start,
            end: piece.end,
            offset: piece.offset,
            executable: number.into(),
            has_table: executables.get(number).is_some_and(|it| it.is_told).into(),
        }
    };
    memory.pieces().iter().map(row).collect()
}
