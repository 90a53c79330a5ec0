//! The thread that looks places up: each file, each list and the kernel once, with all that is asked of it.
//!
//! Names that were found are kept for who asks next, within a budget ([`Library`]): those of files, and of the kernel's
//! own code, which stays where it is. Lists of code that is made at run time change, and are read each time.
//!
//! What is read is anybody's, and reading may take as long as a disk or a network likes. So it is done apart: who
//! waits for it may stop waiting, and has what was found by then.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, TryLockError};

use chandra_symbols::kernel::KernelSymbols;
use chandra_symbols::{Binary, Frame, Key, Limits, Place, Segments, Source, Symbolizer};
use chandra_unwind::BuildId;

use crate::code_lists::{CodeList, ProcessKey};
use crate::cost;
use crate::executables::Number;

/// Whose places they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// Offsets in an executable.
    File(Number),
    /// Addresses of a process.
    Process(ProcessKey),
    /// Addresses of the kernel.
    Kernel,
}

/// Where names are found.
#[derive(Debug)]
pub enum Origin {
    /// A file, its path in a root, and this root.
    File { source: io::Result<Source>, path: Vec<u8>, root: Option<Arc<File>> },
    /// A list of code that was made at run time.
    List(CodeList),
    /// The kernel's list.
    Kernel,
}

/// What is asked for.
#[derive(Debug)]
pub struct Question {
    pub space: Space,
    pub origin: Origin,
    /// They ascend.
    pub places: Vec<u64>,
}

/// A function at a place, or the chain of those that were compiled into one another.
#[derive(Debug, Clone)]
pub enum Found {
    /// Innermost first.
    Code(Arc<[Frame]>),
    /// Made at run time.
    Made(Box<str>),
    /// The kernel's: its name and its module, empty for the kernel itself.
    Kernel(Box<str>, Box<str>),
    /// Not known.
    Nothing,
}

/// An answer: as many as there are places, with addresses as symbols count.
#[derive(Debug)]
pub struct Answered {
    pub space: Space,
    pub build_id: Option<BuildId>,
    pub places: Vec<(u64, u64, Found)>,
    /// Why nothing is known, or not all of it.
    pub lacks: Option<String>,
}

/// Names that were found.
#[derive(Debug)]
pub struct Library {
    symbolizer: Symbolizer,
    kernel: HashMap<u64, KernelName>,
    kernel_bytes: usize,
    budget_bytes: usize,
    figures: LibraryFigures,
}

/// A function and its module; none where none is known.
type KernelName = Option<(Box<str>, Box<str>)>;

/// What is kept of names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LibraryFigures {
    /// Places that were asked for.
    pub asked: u64,
    /// Of those, whose names were kept.
    pub kept: u64,
    /// Names that had to go.
    pub evicted: u64,
    /// Memory that names take.
    pub bytes: usize,
    /// Time on a CPU that looking for names took, in ns.
    pub cpu_ns: u64,
}

/// What a name of the kernel's takes beside its texts.
const KERNEL_NAME_BYTES: usize = 96;

impl Library {
    /// One that keeps names within so many bytes: a quarter of it for the kernel's.
    pub fn new(budget_bytes: usize) -> Self {
        let name_budget_bytes = budget_bytes - budget_bytes / 4;
        Self {
            symbolizer: Symbolizer::new(Limits { name_budget_bytes, ..Limits::default() }),
            kernel: HashMap::new(),
            kernel_bytes: 0,
            budget_bytes: budget_bytes / 4,
            figures: LibraryFigures::default(),
        }
    }

    /// What is kept, and what became of it.
    pub fn figures(&self) -> LibraryFigures {
        let files = self.symbolizer.figures();
        let LibraryFigures { asked, kept, evicted, cpu_ns, .. } = self.figures;
        LibraryFigures {
            asked: asked + files.addresses,
            kept: kept + files.kept,
            evicted: evicted + files.names_evicted,
            bytes: self.kernel_bytes + files.name_bytes,
            cpu_ns,
        }
    }

    fn kernel(&mut self, space: Space, places: &[u64]) -> Answered {
        let missing = places.iter().filter(|place| !self.kernel.contains_key(place));
        let missing: Vec<u64> = missing.copied().collect();
        self.figures.asked += places.len() as u64;
        self.figures.kept += (places.len() - missing.len()) as u64;
        let symbols = match KernelSymbols::read_for(&missing) {
            _ if missing.is_empty() => None,
            Ok(symbols) => Some(symbols),
            Err(error) => return nothing(space, Some(error.to_string())),
        };
        let mut told = Vec::with_capacity(places.len());
        for place in places {
            let known = self.kernel.get(place).cloned();
            let name = known.unwrap_or_else(|| {
                let found = symbols.as_ref().and_then(|symbols| symbols.find(*place));
                found.map(|it| (it.function.into(), it.module.into()))
            });
            if symbols.as_ref().is_some_and(|symbols| symbols.is_lasting(*place)) {
                self.keep(*place, &name);
            }
            let found =
                name.map_or(Found::Nothing, |(function, module)| Found::Kernel(function, module));
            told.push((*place, *place, found));
        }
        Answered { space, build_id: None, places: told, lacks: None }
    }

    fn keep(&mut self, place: u64, name: &KernelName) {
        let texts = name.as_ref().map_or(0, |(function, module)| function.len() + module.len());
        let bytes = KERNEL_NAME_BYTES + texts;
        if self.kernel_bytes + bytes > self.budget_bytes {
            self.figures.evicted += self.kernel.len() as u64;
            self.kernel.clear();
            self.kernel_bytes = 0;
        }
        if bytes <= self.budget_bytes && self.kernel.insert(place, name.clone()).is_none() {
            self.kernel_bytes += bytes;
        }
    }
}

/// Looks up one question after the other, until nobody listens any more.
///
/// # Errors
/// When there can be no thread.
pub fn start(
    questions: Vec<Question>,
    library: &Arc<Mutex<Library>>,
) -> io::Result<Receiver<Answered>> {
    let (answers, listener) = channel();
    let library = Arc::clone(library);
    let work = move || {
        match library.try_lock() {
            Ok(mut library) => answer_all(questions, &mut library, &answers),
            Err(TryLockError::Poisoned(library)) => {
                answer_all(questions, &mut library.into_inner(), &answers);
            }
            // With one that was left behind, who may not come back.
            Err(TryLockError::WouldBlock) => answer_all(questions, &mut Library::new(0), &answers),
        }
    };
    std::thread::Builder::new().name("symbols".to_owned()).spawn(work)?;
    Ok(listener)
}

fn answer_all(questions: Vec<Question>, library: &mut Library, answers: &Sender<Answered>) {
    let own_root = File::open("/").ok();
    let mut spent_ns = 0;
    for Question { space, origin, places } in questions {
        let mut answered = match origin {
            Origin::File { source, path, root } => {
                let roots: Vec<&File> = root.as_deref().into_iter().chain(&own_root).collect();
                file(&mut library.symbolizer, space, source, (path, &roots), &places)
            }
            Origin::List(list) => made(space, list, &places),
            Origin::Kernel => library.kernel(space, &places),
        };
        library.figures.cpu_ns += cost::thread_cpu_ns().saturating_sub(spent_ns);
        spent_ns = cost::thread_cpu_ns();
        if answered.places.is_empty() {
            answered.places = places.iter().map(|it| (*it, *it, Found::Nothing)).collect();
        }
        if answers.send(answered).is_err() {
            break;
        }
    }
}

fn nothing(space: Space, lacks: Option<String>) -> Answered {
    Answered { space, build_id: None, places: Vec::new(), lacks }
}

fn file(
    symbolizer: &mut Symbolizer,
    space: Space,
    source: io::Result<Source>,
    (path, roots): (Vec<u8>, &[&File]),
    places: &[u64],
) -> Answered {
    let read = source.map_err(|error| error.to_string()).and_then(|source| {
        let segments = Segments::read(&source).map_err(|error| error.to_string())?;
        Ok((source, segments))
    });
    let (source, segments) = match read {
        Ok(read) => read,
        Err(why) => return nothing(space, Some(why)),
    };
    let addresses: Vec<u64> =
        places.iter().map(|place| segments.address(*place).unwrap_or(*place)).collect();
    // A build id is a claim: names of one file are told of this file only.
    let scope = match space {
        Space::File(number) => number.into(),
        _ => 0,
    };
    let build_id = segments.build_id().cloned();
    let key = Key { build_id: build_id.clone().unwrap_or(BuildId::Headers(0)), scope };
    let path = PathBuf::from(OsString::from_vec(path));
    let binary = Binary { key: &key, source: &source, place: Place { roots, path: &path } };
    let answers = symbolizer.resolve(binary, &addresses);
    let found = answers.into_iter().map(|it| match it.is_known {
        true => Found::Code(it.frames),
        false => Found::Nothing,
    });
    let skipped: Vec<_> = symbolizer.skipped(&key).iter().map(ToString::to_string).collect();
    Answered {
        space,
        build_id,
        places: places
            .iter()
            .zip(addresses)
            .zip(found)
            .map(|((at, to), it)| (*at, to, it))
            .collect(),
        lacks: (!skipped.is_empty()).then(|| skipped.join("; ")),
    }
}

fn made(space: Space, list: CodeList, places: &[u64]) -> Answered {
    let map = match list.read() {
        Ok(Some(map)) => map,
        Ok(None) => return nothing(space, None),
        Err(error) => return nothing(space, Some(error.to_string())),
    };
    let name = |address: &u64| {
        let found = map.find(*address);
        (*address, *address, found.map_or(Found::Nothing, |(name, _)| Found::Made(name.into())))
    };
    let places = places.iter().map(name).collect();
    Answered { space, build_id: None, places, lacks: None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn ask(question: Question) -> Answered {
        start(vec![question], &Arc::new(Mutex::new(Library::new(0)))).unwrap().recv().unwrap()
    }

    fn names(answered: &Answered) -> Vec<String> {
        answered.places.iter().map(|(.., found)| format!("{found:?}")).collect()
    }

    #[test]
    fn names_are_found_once_and_kept_within_the_budget() {
        let path = std::env::current_exe().unwrap();
        let bytes = std::fs::metadata(&path).unwrap().len();
        let question = || {
            let open = || Source::of_file(File::open(&path).unwrap()).unwrap();
            let head = Segments::read(&open()).unwrap();
            let places = (0..bytes).step_by(397).filter(|place| head.address(*place).is_some());
            let origin = Origin::File { source: Ok(open()), path: b"/x".to_vec(), root: None };
            Question { space: Space::File(7), origin, places: places.collect() }
        };
        let library = Arc::new(Mutex::new(Library::new(64 << 20)));
        let ask = |question| start(vec![question], &library).unwrap().recv().unwrap();
        let first = ask(question());
        let count = first.places.len() as u64;
        let figures = || library.lock().unwrap().figures();
        assert_eq!((figures().asked, figures().kept), (count, 0));
        assert_eq!(names(&ask(question())), names(&first));
        assert_eq!((figures().asked, figures().kept, figures().evicted), (2 * count, count, 0));
        let small = Arc::new(Mutex::new(Library::new(100_000)));
        let answered = start(vec![question()], &small).unwrap().recv().unwrap();
        assert_eq!(names(&answered), names(&first));
        let figures = small.lock().unwrap().figures();
        assert!(figures.evicted > 0 && figures.bytes <= 100_000, "{figures:?}");
    }

    #[test]
    fn the_kernels_names_are_kept_where_they_do_not_change() {
        let list = std::fs::read_to_string("/proc/kallsyms").unwrap();
        let line = list.lines().find(|line| line.ends_with(" T do_exit"));
        let start_of = |line: &str| u64::from_str_radix(&line[..16], 16).unwrap();
        let Some(place) = line.map(start_of).filter(|place| *place != 0) else {
            println!("skipped: the kernel does not say where do_exit is");
            return;
        };
        let mut library = Library::new(1 << 20);
        let ask = |library: &mut Library| names(&library.kernel(Space::Kernel, &[1, place]));
        let first = ask(&mut library);
        assert!(first[1].contains("\"do_exit\""), "{first:?}");
        assert_eq!(ask(&mut library), first);
        // What is in no function of the core's is looked for again.
        assert_eq!((library.figures().asked, library.figures().kept), (4, 1));
    }

    #[test]
    fn what_cannot_be_read_is_answered_with_nothing_and_says_why() {
        let damaged = Source::Memory(b"\x7fELF and nothing more".as_slice().into());
        let origin = Origin::File { source: Ok(damaged), path: b"/x".to_vec(), root: None };
        let space = Space::File(7);
        let answered = ask(Question { space, origin, places: vec![1, 2] });
        assert!(answered.lacks.is_some_and(|why| why.contains("ELF")));
        let places = answered
            .places
            .iter()
            .map(|(at, to, found)| (*at, *to, matches!(found, Found::Nothing)));
        assert_eq!(places.collect::<Vec<_>>(), [(1, 1, true), (2, 2, true)]);
        let gone = Err(io::ErrorKind::NotFound.into());
        let origin = Origin::File { source: gone, path: b"/x".to_vec(), root: None };
        assert!(ask(Question { space, origin, places: vec![1] }).lacks.is_some());
    }

    #[test]
    fn places_of_the_kernels_code_for_programs_have_names() {
        let source = chandra_symbols::vdso::image();
        let Source::Memory(bytes) = source.as_ref().unwrap() else { panic!("{source:?}") };
        // Its code is where its functions are: all of it is asked for.
        let places = (0..bytes.len() as u64).step_by(16).collect();
        let origin = Origin::File { source, path: b"[vdso]".to_vec(), root: None };
        let answered = ask(Question { space: Space::File(1), origin, places });
        let mut named = answered.places.iter().filter_map(|(.., found)| match found {
            Found::Code(frames) => frames.last().map(|frame| &*frame.function),
            _ => None,
        });
        assert!(named.any(|name| name.ends_with("clock_gettime")), "{answered:?}");
    }
}
