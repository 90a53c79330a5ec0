//! The files that code lies in: each has a number, and a table that a thread of its own builds.
//!
//! A file is its device and inode, so that it is one however many processes map it, in whatever mount tree. It
//! is opened when it is first seen: through the process that maps it, which finds the right one also in a
//! container, else by its path, if that leads to the same inode.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use chandra_unwind::format::Table;
use chandra_unwind::{Limits, build};

use crate::memory::{File, Piece};

/// Executables are numbered below this (`MAX_EXECUTABLES` of the probe); 0 is none.
pub const MAX_EXECUTABLES: u32 = 4096;
/// Files that are kept open for their names; others are opened again.
const MAX_OPEN: usize = 512;
/// A larger file has frame pointers at best.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The number of an executable; 0 for code that is in no file.
pub type Number = u16;

/// A file that code lies in.
#[derive(Debug)]
pub struct Executable {
    /// Its path in the mount tree of the process that was seen first to run it.
    pub path: Arc<[u8]>,
    content: Content,
    state: State,
    /// The kernel has its table.
    pub is_told: bool,
}

#[derive(Debug)]
enum State {
    Building,
    /// Its table; none where it has no description, or cannot be read.
    Ready(Option<Arc<Table>>),
}

/// Where its bytes are.
#[derive(Debug)]
enum Content {
    Open(fs::File),
    /// It was opened once, and would be found there again.
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
}

impl Executable {
    /// Its table, if it is ready and has one.
    pub fn table(&self) -> Option<&Arc<Table>> {
        match &self.state {
            State::Ready(table) => table.as_ref(),
            State::Building => None,
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// When it cannot be read (any more).
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        match &self.content {
            Content::Open(file) => read_whole(&mut file.try_clone()?),
            Content::At(path, inode) => {
                let mut file = fs::File::open(path)?;
                if file.metadata()?.ino() != *inode {
                    return Err(io::ErrorKind::NotFound.into());
                }
                read_whole(&mut file)
            }
            Content::Vdso => own_vdso(),
            Content::Nowhere => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn read_whole(file: &mut fs::File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > MAX_FILE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The kernel's code for programs, as this process has it: it is the same for all of 64 bits.
fn own_vdso() -> io::Result<Vec<u8>> {
    let pieces = crate::proc_maps::read(std::process::id())?;
    let piece = pieces.into_iter().find(|piece| piece.file == File::Vdso);
    let piece = piece.ok_or(io::ErrorKind::NotFound)?;
    let mut memory = fs::File::open("/proc/self/mem")?;
    memory.seek(SeekFrom::Start(piece.start))?;
    let mut bytes = Vec::new();
    memory.take(piece.end - piece.start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the building thread is asked for.
struct Job {
    number: Number,
    content: Content,
    bytes: u64,
}

/// What came of building.
struct Built {
    number: Number,
    table: Result<Table, String>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Executables {
    numbers: HashMap<File, Number>,
    all: Vec<Executable>,
    open: usize,
    building: usize,
    jobs: Sender<Job>,
    built: Receiver<Built>,
    /// Files without a table, with why.
    pub without_table: Vec<(Number, String)>,
    /// Files that have no number, because there were too many.
    pub refused: u64,
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
                let Some(Job { number, content, .. }) = jobs.pop() else { continue };
                if done.send(Built { number, table: table(content) }).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("unwind tables".to_owned()).spawn(work)?;
        Ok(Self {
            numbers: HashMap::new(),
            all: Vec::new(),
            open: 0,
            building: 0,
            jobs,
            built,
            without_table: Vec::new(),
            refused: 0,
        })
    }

    /// The number of what lies in a piece of a process's memory.
    pub fn number(&mut self, pid: u32, piece: &Piece) -> Number {
        if piece.file == File::Anonymous {
            return 0;
        }
        if let Some(known) = self.numbers.get(&key(&piece.file)) {
            return *known;
        }
        let next = self.all.len() + 1;
        if next >= MAX_EXECUTABLES as usize {
            self.refused += 1;
            return 0;
        }
        let number = Number::try_from(next).unwrap_or(0);
        self.numbers.insert(key(&piece.file), number);
        let executable = self.meet(number, pid, piece);
        self.all.push(executable);
        number
    }

    fn meet(&mut self, number: Number, pid: u32, piece: &Piece) -> Executable {
        let (path, content) = match &piece.file {
            File::OnDisk { inode, path, .. } => {
                (Arc::clone(path), open(pid, piece, *inode, path).ok())
            }
            _ => (b"[vdso]".as_slice().into(), Some((Content::Vdso, Content::Vdso))),
        };
        let Some((content, copy)) = content else {
            self.without_table.push((number, "it could not be opened".to_owned()));
            let state = State::Ready(None);
            return Executable { path, content: Content::Nowhere, state, is_told: false };
        };
        self.building += 1;
        // Nobody there to build it: then it is never ready, and who waits for it stops waiting.
        let bytes = copy.length();
        let _ = self.jobs.send(Job { number, content: copy, bytes });
        let content = match content {
            Content::Open(file) if self.open >= MAX_OPEN => {
                let inode = file.metadata().map_or(0, |metadata| metadata.ino());
                Content::At(Path::new(std::ffi::OsStr::from_bytes(&path)).to_owned(), inode)
            }
            content => content,
        };
        self.open += usize::from(matches!(content, Content::Open(_)));
        Executable { path, content, state: State::Building, is_told: false }
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
        let table = match built.table {
            Ok(table) => Some(Arc::new(table)),
            Err(why) => {
                self.without_table.push((built.number, why));
                None
            }
        };
        if let Some(executable) = self.get_mut(built.number) {
            executable.state = State::Ready(table);
        }
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

/// Paths do not make a file: containers have the same one under many.
fn key(file: &File) -> File {
    match file {
        File::OnDisk { device, inode, .. } => {
            File::OnDisk { device: *device, inode: *inode, path: Arc::default() }
        }
        other => other.clone(),
    }
}

/// The file of a piece of memory, twice.
fn open(pid: u32, piece: &Piece, inode: u64, path: &[u8]) -> io::Result<(Content, Content)> {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let mapped = format!("/proc/{pid}/map_files/{:x}-{:x}", piece.start, piece.end);
    let inside =
        Path::new(&format!("/proc/{pid}/root")).join(path.strip_prefix("/").unwrap_or(path));
    let is_it = |metadata: &Metadata| metadata.is_file() && metadata.ino() == inode;
    let candidates = [Path::new(&mapped), &inside, path];
    let is_there = |path: &&Path| fs::metadata(path).is_ok_and(|metadata| is_it(&metadata));
    let found = candidates.into_iter().find(is_there).ok_or(io::ErrorKind::NotFound)?;
    let file = fs::File::open(found)?;
    let copy = file.try_clone()?;
    Ok((Content::Open(file), Content::Open(copy)))
}

fn table(content: Content) -> Result<Table, String> {
    let executable =
        Executable { path: Arc::default(), content, state: State::Building, is_told: false };
    let bytes = executable.bytes().map_err(|error| error.to_string())?;
    let built = build(&bytes, &Limits::default()).map_err(|error| error.to_string())?;
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
        assert!(table.header().row_count > 1000, "{:?}", table.header());
    }

    #[test]
    fn the_kernels_own_code_for_programs_can_be_read() {
        assert!(own_vdso().unwrap().starts_with(b"\x7fELF"));
    }
}
