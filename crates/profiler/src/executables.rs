//! The files that code lies in: each has a number, and a table that a thread of its own builds.
//!
//! A file is its device and inode, so that it is one however many processes map it, in whatever mount tree. It
//! is opened when it is first seen to be mapped, before anybody is sampled in it ([`Executables::foresee`]), so that
//! it is known when its process has ended, or its container: through the process that maps it, else by its path in
//! the root of that process, in our own, and in those that were opened before, if that leads to the same inode.
//!
//! Tables have a budget, and those that no sample had a frame in for a while are put out ([`Executables::expire`]): who
//! is sampled there again has them built again.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use chandra_symbols::{Source, open_inside, vdso};
use chandra_unwind::format::Table;
use chandra_unwind::{Limits, build_from};

use crate::cost;
use crate::kept_table::KeptTable;
use crate::kernel::Kernel;
use crate::memory::{File, Piece};
use crate::roots::Roots;

/// Executables are numbered below this (`MAX_EXECUTABLES` of the probe); 0 is none.
pub const MAX_EXECUTABLES: u32 = 4096;
/// Files that are kept open for their names; others are opened again.
const MAX_OPEN: usize = 512;
/// Files that are open because somebody mapped them, and that nobody was sampled in yet.
const MAX_FORESEEN: usize = 256;
/// A larger file has frame pointers at best.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Tables that are in the kernel alone, with a descriptor of each here; others are here, too.
const MAX_IN_KERNEL: usize = 256;

/// Bytes of tables.
pub const MAX_TABLE_BYTES: usize = 128 << 20;

/// The number of an executable; 0 for code that is in no file.
pub type Number = u16;

/// A file that code lies in.
#[derive(Debug)]
pub struct Executable {
    /// Its path in the mount tree of the process that was seen first to run it.
    pub path: Arc<[u8]>,
    /// The root that this path begins at, where it could be opened.
    pub root: Option<Arc<fs::File>>,
    content: Content,
    state: State,
    /// Counts its tables, which may differ: a file can be written over. It is 0 before the first one.
    version: u16,
    /// When a sample had a frame in it last.
    seen: Instant,
}

#[derive(Debug)]
enum State {
    /// It had one that was put out.
    PutOut,
    Building,
    /// Its table; none where it has no description, or cannot be read.
    Ready(Option<KeptTable>),
}

/// Where its bytes are.
#[derive(Debug)]
enum Content {
    Open(fs::File),
    /// It was opened once, and would be found there again, in the root of its process.
    At(PathBuf, u64),
    Vdso,
    /// It could not be opened.
    Nowhere,
}

impl Content {
    /// How large it is, as far as that is known.
    fn length(&self) -> u64 {
        match self {
            Self::Open(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            _ => 0,
        }
    }

    /// The same once more.
    fn again(&self) -> Option<Self> {
        match self {
            Self::Open(file) => file.try_clone().ok().map(Self::Open),
            Self::At(path, inode) => Some(Self::At(path.clone(), *inode)),
            Self::Vdso => Some(Self::Vdso),
            Self::Nowhere => None,
        }
    }

    fn source(&self, root: Option<&fs::File>) -> io::Result<Source> {
        match self {
            Self::Open(file) => Source::of_file(file.try_clone()?),
            Self::At(path, inode) => {
                let file = match root {
                    Some(root) => open_inside(root, path)?,
                    None => fs::File::open(path)?,
                };
                if file.metadata()?.ino() != *inode {
                    return Err(io::ErrorKind::NotFound.into());
                }
                Source::of_file(file)
            }
            // It is the same for all programs of 64 bits.
            Self::Vdso => vdso::image(),
            Self::Nowhere => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Executable {
    /// Its table, if it is ready and has one.
    pub fn table(&self) -> Option<&KeptTable> {
        match &self.state {
            State::Ready(table) => table.as_ref(),
            State::Building | State::PutOut => None,
        }
    }

    fn table_mut(&mut self) -> Option<&mut KeptTable> {
        match &mut self.state {
            State::Ready(table) => table.as_mut(),
            State::Building | State::PutOut => None,
        }
    }

    /// Where its bytes are, for reading some of them.
    ///
    /// # Errors
    /// When it cannot be opened (any more), or reading it could do harm.
    pub fn source(&self) -> io::Result<Source> {
        self.content.source(self.root.as_deref())
    }
}

/// A file as the kernel tells it apart: paths do not, containers have the same one under many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum FileKey {
    OnDisk { device: (u32, u32), inode: u64 },
    Vdso,
}

impl FileKey {
    /// Of a file that has a number: not of code that is in none.
    fn of(file: &File) -> Option<Self> {
        match file {
            File::OnDisk { device, inode, .. } => {
                Some(Self::OnDisk { device: *device, inode: *inode })
            }
            File::Vdso => Some(Self::Vdso),
            File::Anonymous => None,
        }
    }
}

/// A file that was opened, and the root of who mapped it.
#[derive(Debug)]
struct Found {
    content: Content,
    root: Option<Arc<fs::File>>,
}

/// What the building thread is asked for.
struct Job {
    number: Number,
    content: Content,
    root: Option<Arc<fs::File>>,
    bytes: u64,
}

/// What came of building.
struct Built {
    number: Number,
    table: Result<Table, String>,
    /// Time of the building thread so far.
    cpu_ns: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Executables {
    numbers: HashMap<FileKey, Number>,
    foreseen: HashMap<FileKey, Found>,
    /// In the order in which they were opened.
    foreseen_order: VecDeque<FileKey>,
    /// Roots of processes that were seen.
    pub roots: Roots,
    all: Vec<Executable>,
    open: usize,
    building: usize,
    jobs: Sender<Job>,
    built: Receiver<Built>,
    /// Files without a table, with why.
    pub without_table: Vec<(Number, String)>,
    /// Files that have no number, because there were too many, and tables that there was no room for.
    pub refused: u64,
    /// Bytes of tables.
    pub table_bytes: usize,
    /// Tables that are in the kernel alone.
    in_kernel: usize,
    /// Tables that were put out.
    pub put_out: u64,
    /// Time on a CPU that tables took.
    pub build_cpu_ns: u64,
}

impl Executables {
    /// None yet.
    ///
    /// # Errors
    /// When there can be no thread that builds tables.
    pub fn new() -> io::Result<Self> {
        let (jobs, asked) = channel::<Job>();
        let (done, built) = channel();
        let work = move || {
            let mut jobs: Vec<Job> = Vec::new();
            loop {
                if jobs.is_empty() {
                    let Ok(job) = asked.recv() else { break };
                    jobs.push(job);
                }
                jobs.extend(asked.try_iter());
                // The smallest first: the large library of one program does not hold up all others.
                jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes));
                let Some(Job { number, content, root, .. }) = jobs.pop() else { continue };
                let table = table(&content, root.as_deref());
                let cpu_ns = cost::thread_cpu_ns();
                if done.send(Built { number, table, cpu_ns }).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("unwind tables".to_owned()).spawn(work)?;
        Ok(Self {
            numbers: HashMap::new(),
            foreseen: HashMap::new(),
            foreseen_order: VecDeque::new(),
            roots: Roots::default(),
            all: Vec::new(),
            open: 0,
            building: 0,
            jobs,
            built,
            without_table: Vec::new(),
            refused: 0,
            table_bytes: 0,
            in_kernel: 0,
            put_out: 0,
            build_cpu_ns: 0,
        })
    }

    /// Opens the file of a piece of memory, in case that somebody will be sampled in it. Those that nobody was
    /// sampled in are closed again, the first ones first.
    pub fn foresee(&mut self, pid: u32, piece: &Piece) {
        let Some(key @ FileKey::OnDisk { .. }) = FileKey::of(&piece.file) else { return };
        if self.numbers.contains_key(&key) || self.foreseen.contains_key(&key) {
            return;
        }
        let Some(found) = self.find(pid, piece, false) else { return };
        while self.foreseen_order.len() >= MAX_FORESEEN {
            let first = self.foreseen_order.pop_front();
            first.and_then(|first| self.foreseen.remove(&first));
        }
        self.foreseen_order.push_back(key);
        self.foreseen.insert(key, found);
    }

    /// The number of what lies in a piece of a process's memory.
    pub fn number(&mut self, pid: u32, piece: &Piece) -> Number {
        let Some(key) = FileKey::of(&piece.file) else { return 0 };
        if let Some(known) = self.numbers.get(&key) {
            let known = *known;
            self.build_again(known);
            return known;
        }
        let next = self.all.len() + 1;
        if next >= MAX_EXECUTABLES as usize {
            self.refused += 1;
            return 0;
        }
        let number = Number::try_from(next).unwrap_or(0);
        self.numbers.insert(key, number);
        let foreseen = self.foreseen.remove(&key);
        if foreseen.is_some() {
            self.foreseen_order.retain(|other| *other != key);
        }
        let found = foreseen.or_else(|| self.find(pid, piece, true));
        let executable = self.meet(number, piece, found);
        self.all.push(executable);
        number
    }

    fn meet(&mut self, number: Number, piece: &Piece, found: Option<Found>) -> Executable {
        let path: Arc<[u8]> = match &piece.file {
            File::OnDisk { path, .. } => Arc::clone(path),
            _ => b"[vdso]".as_slice().into(),
        };
        let again = found.and_then(|found| found.content.again().map(|again| (found, again)));
        let seen = Instant::now();
        let Some((Found { content, root }, again)) = again else {
            self.without_table.push((number, "it could not be opened".to_owned()));
            let state = State::Ready(None);
            return Executable {
                path,
                root: None,
                content: Content::Nowhere,
                state,
                version: 0,
                seen,
            };
        };
        self.building += 1;
        // Nobody there to build it: then it is never ready, and who waits for it stops waiting.
        let bytes = again.length();
        let _ = self.jobs.send(Job { number, content: again, root: root.clone(), bytes });
        let content = match content {
            Content::Open(file) if self.open >= MAX_OPEN => {
                let inode = file.metadata().map_or(0, |metadata| metadata.ino());
                Content::At(Path::new(std::ffi::OsStr::from_bytes(&path)).to_owned(), inode)
            }
            content => content,
        };
        self.open += usize::from(matches!(content, Content::Open(_)));
        Executable { path, root, content, state: State::Building, version: 0, seen }
    }

    /// The file of a piece of memory, opened, with the root of its process; of one that is gone perhaps in the root
    /// of another.
    fn find(&mut self, pid: u32, piece: &Piece, in_others: bool) -> Option<Found> {
        let File::OnDisk { device, inode, path } = &piece.file else {
            return Some(Found { content: Content::Vdso, root: None });
        };
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        let is_it = |metadata: &Metadata| metadata.is_file() && metadata.ino() == *inode;
        let is_same = |metadata: &Metadata| {
            let (major, minor) = (libc::major(metadata.dev()), libc::minor(metadata.dev()));
            is_it(metadata) && (major, minor) == *device
        };
        let root = self.roots.of(pid).ok();
        let found = |file: fs::File, root: &Option<Arc<fs::File>>| {
            Some(Found { content: Content::Open(file), root: root.clone() })
        };
        let mapped = format!("/proc/{pid}/map_files/{:x}-{:x}", piece.start, piece.end);
        let opened = |path: &Path| {
            // Looked at before it is opened: opening a device may do something.
            let is_there = fs::metadata(path).is_ok_and(|metadata| is_it(&metadata));
            is_there.then(|| fs::File::open(path).ok()).flatten()
        };
        if let Some(file) = opened(Path::new(&mapped)) {
            return found(file, &root);
        }
        let inside = |root: &fs::File, is_it: &dyn Fn(&Metadata) -> bool| {
            let file = open_inside(root, path).ok()?;
            file.metadata().is_ok_and(|metadata| is_it(&metadata)).then_some(file)
        };
        if let Some(file) = root.as_deref().and_then(|root| inside(root, &is_it)) {
            return found(file, &root);
        }
        if let Some(file) = opened(path) {
            return found(file, &root);
        }
        let mut others = self.roots.all().filter(|_| in_others);
        others.find_map(|root| found(inside(root, &is_same)?, &Some(Arc::clone(root))))
    }

    /// Takes in tables that are ready; true when there was one.
    pub fn take_built(&mut self) -> bool {
        let mut found = false;
        while let Ok(built) = self.built.try_recv() {
            found = true;
            self.take(built);
        }
        found
    }

    /// Waits for a table that is being built, so long at most, and takes it in.
    pub fn wait_built(&mut self, time: Duration) {
        if let Ok(built) = self.built.recv_timeout(time) {
            self.take(built);
        }
    }

    fn take(&mut self, built: Built) {
        self.building -= 1;
        self.build_cpu_ns = built.cpu_ns;
        let table = match built.table {
            Ok(table) => Some(KeptTable::new(table)),
            Err(why) => {
                self.without_table.push((built.number, why));
                None
            }
        };
        let table = table.filter(|table| {
            let fits = self.table_bytes + table.bytes() <= MAX_TABLE_BYTES;
            self.refused += u64::from(!fits);
            fits
        });
        self.table_bytes += table.as_ref().map_or(0, |table| table.bytes());
        if let Some(executable) = self.get_mut(built.number) {
            executable.state = State::Ready(table);
            // Never 0 again, which is none.
            executable.version = executable.version.checked_add(1).unwrap_or(1);
            executable.seen = Instant::now();
        }
    }

    /// A sample had a frame there.
    pub fn see(&mut self, number: Number, now: Instant) {
        if let Some(executable) = self.get_mut(number) {
            executable.seen = now;
        }
    }

    /// Puts out tables that no sample had a frame in for so long; their numbers, and which of them the kernel has.
    pub fn expire(&mut self, unseen_for: Duration, now: Instant) -> Vec<(Number, bool)> {
        let mut gone = Vec::new();
        for (number, executable) in (1..).zip(&mut self.all) {
            let is_old = now.saturating_duration_since(executable.seen) >= unseen_for;
            if let State::Ready(Some(table)) = &executable.state
                && is_old
            {
                self.table_bytes -= table.bytes();
                self.put_out += 1;
                self.in_kernel -= usize::from(table.is_in_kernel());
                gone.push((number, table.is_told()));
                executable.state = State::PutOut;
            }
        }
        gone
    }

    /// Gives the probes the table of an executable, if it has one: which of its tables they have; 0 for none.
    pub fn tell_table(&mut self, number: Number, kernel: &mut Kernel) -> u16 {
        let may_go = self.in_kernel < MAX_IN_KERNEL;
        let Some(executable) = self.get_mut(number) else { return 0 };
        let version = executable.version;
        let Some(table) = executable.table_mut() else { return 0 };
        let was_here = !table.is_in_kernel();
        table.tell(may_go, |table| kernel.tell_table(number, table));
        let (is_told, has_gone) = (table.is_told(), was_here && table.is_in_kernel());
        self.in_kernel += usize::from(has_gone);
        if is_told { version } else { 0 }
    }

    /// Nobody walks by tables for now: what was mapped of the kernel's is let go.
    pub fn rest(&mut self) {
        self.all.iter_mut().filter_map(Executable::table_mut).for_each(KeptTable::rest);
    }

    /// One whose table was put out is sampled again.
    fn build_again(&mut self, number: Number) {
        let Some(executable) = self.get_mut(number) else { return };
        if !matches!(executable.state, State::PutOut) {
            return;
        }
        let Some(content) = executable.content.again() else { return };
        executable.state = State::Building;
        let root = executable.root.clone();
        self.building += 1;
        let bytes = content.length();
        let _ = self.jobs.send(Job { number, content, root, bytes });
    }

    /// The number of a file that has one already.
    pub fn known_number(&self, file: &File) -> Number {
        FileKey::of(file).and_then(|key| self.numbers.get(&key)).copied().unwrap_or(0)
    }

    /// How many are being built.
    pub fn building(&self) -> usize {
        self.building
    }

    /// Whether all is known of it that will be.
    pub fn is_ready(&self, number: Number) -> bool {
        self.get(number).is_none_or(|it| matches!(it.state, State::Ready(_)))
    }

    /// That of a number.
    pub fn get(&self, number: Number) -> Option<&Executable> {
        self.all.get(usize::from(number).checked_sub(1)?)
    }

    /// That of a number, to change it.
    pub fn get_mut(&mut self, number: Number) -> Option<&mut Executable> {
        self.all.get_mut(usize::from(number).checked_sub(1)?)
    }
}

fn table(content: &Content, root: Option<&fs::File>) -> Result<Table, String> {
    let words = |error: io::Error| error.to_string();
    let source = match content {
        // It was looked at when it was opened.
        Content::Open(file) => Source::File(file.try_clone().map_err(words)?),
        other => other.source(root).map_err(words)?,
    };
    if chandra_unwind::Content::length(&source).map_err(words)? > MAX_FILE_BYTES {
        return Err(words(io::ErrorKind::FileTooLarge.into()));
    }
    let built = build_from(&source, &Limits::default()).map_err(|error| error.to_string())?;
    Ok(built.table)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_number_and_a_table() {
        let mut executables = Executables::new().unwrap();
        let pid = std::process::id();
        let pieces = crate::proc_maps::read(pid).unwrap();
        let libc = |piece: &&Piece| match &piece.file {
            File::OnDisk { path, .. } => path.windows(7).any(|name| name == b"libc.so"),
            _ => false,
        };
        let piece = pieces.iter().find(libc).unwrap();
        let number = executables.number(pid, piece);
        assert_eq!(executables.number(pid, piece), number);
        assert_ne!(number, 0);
        while executables.building() > 0 {
            executables.take_built();
            std::thread::yield_now();
        }
        let table = executables.get(number).unwrap().table().unwrap();
        assert!(table.view().unwrap().rows().count() > 1000, "{table:?}");
    }

    #[test]
    fn a_file_that_was_foreseen_is_known_when_its_process_and_its_name_are_gone() {
        let path = std::env::temp_dir().join(format!("chandra-foreseen-{}", std::process::id()));
        fs::copy("/bin/sleep", &path).unwrap();
        let mut child = std::process::Command::new(&path).arg("100").spawn().unwrap();
        let is_its = |piece: &&Piece| match &piece.file {
            File::OnDisk { path: other, .. } => **other == *path.as_os_str().as_bytes(),
            _ => false,
        };
        let piece = loop {
            let pieces = crate::proc_maps::read(child.id()).unwrap();
            if let Some(piece) = pieces.iter().find(is_its) {
                break piece.clone();
            }
            std::thread::yield_now();
        };
        let mut executables = Executables::new().unwrap();
        executables.foresee(child.id(), &piece);
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(&path).unwrap();
        let number = executables.number(child.id(), &piece);
        let executable = executables.get(number).unwrap();
        assert!(executable.source().is_ok() && executable.root.is_some(), "{executable:?}");
        let mut others = Executables::new().unwrap();
        let number = others.number(child.id(), &piece);
        assert!(others.get(number).unwrap().source().is_err());
    }

    #[test]
    fn a_table_that_nobody_was_sampled_in_is_put_out_and_built_again() {
        let mut executables = Executables::new().unwrap();
        let pid = std::process::id();
        let pieces = crate::proc_maps::read(pid).unwrap();
        let on_disk = |piece: &&Piece| matches!(piece.file, File::OnDisk { .. });
        let pieces: Vec<_> = pieces.iter().filter(on_disk).collect();
        let numbers: Vec<_> = pieces.iter().map(|it| executables.number(pid, it)).collect();
        let wait = |executables: &mut Executables| {
            while executables.building() > 0 {
                executables.wait_built(Duration::from_secs(1));
            }
        };
        wait(&mut executables);
        let (first, all) = (numbers[0], executables.table_bytes);
        // Where this user may make maps.
        let is_told = executables.tell_table(first, &mut Kernel::new()) != 0;
        let later = Instant::now() + Duration::from_secs(60);
        executables.see(first, later);
        let gone = executables.expire(Duration::from_secs(60), later);
        assert!(!gone.is_empty() && gone.iter().all(|(it, is_told)| *it != first && !is_told));
        let kept = executables.get(first).unwrap().table().unwrap().bytes();
        assert_eq!((executables.table_bytes, executables.put_out), (kept, gone.len() as u64));
        assert!(!executables.is_ready(gone[0].0));
        assert_eq!(executables.expire(Duration::ZERO, later), [(first, is_told)]);
        for piece in &pieces {
            executables.number(pid, piece);
        }
        wait(&mut executables);
        assert_eq!(executables.table_bytes, all);
    }
}
