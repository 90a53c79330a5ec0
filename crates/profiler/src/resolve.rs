//! The thread that looks places up: each file, each list and the kernel once, with all that is asked of it.
//!
//! What is read is anybody's, and reading may take as long as a disk or a network likes. So it is done apart: who
//! waits for it may stop waiting, and has what was found by then.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use chandra_symbols::kernel::KernelSymbols;
use chandra_symbols::{Binary, Frame, Key, Limits, Place, Segments, Source, Symbolizer};
use chandra_unwind::BuildId;

use crate::code_lists::{CodeList, ProcessKey};
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

/// Looks up one question after the other, until nobody listens any more.
///
/// # Errors
/// When there can be no thread.
pub fn start(questions: Vec<Question>) -> io::Result<Receiver<Answered>> {
    let (answers, listener) = channel();
    let work = move || answer_all(questions, &answers);
    std::thread::Builder::new().name("symbols".to_owned()).spawn(work)?;
    Ok(listener)
}

fn answer_all(questions: Vec<Question>, answers: &Sender<Answered>) {
    // Each file is asked about once: nothing has to be kept.
    let limits = Limits { name_budget_bytes: 0, ..Limits::default() };
    let mut symbolizer = Symbolizer::new(limits);
    let own_root = File::open("/").ok();
    for Question { space, origin, places } in questions {
        let mut answered = match origin {
            Origin::File { source, path, root } => {
                let roots: Vec<&File> = root.as_deref().into_iter().chain(&own_root).collect();
                file(&mut symbolizer, space, source, (path, &roots), &places)
            }
            Origin::List(list) => made(space, list, &places),
            Origin::Kernel => kernel(space, &places),
        };
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

fn kernel(space: Space, places: &[u64]) -> Answered {
    let symbols = match KernelSymbols::read() {
        Ok(symbols) => symbols,
        Err(error) => return nothing(space, Some(error.to_string())),
    };
    let name = |address: &u64| {
        let found = symbols.find(*address);
        let found = found.map(|it| Found::Kernel(it.function.into(), it.module.into()));
        (*address, *address, found.unwrap_or(Found::Nothing))
    };
    let places = places.iter().map(name).collect();
    Answered { space, build_id: None, places, lacks: None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn ask(question: Question) -> Answered {
        start(vec![question]).unwrap().recv().unwrap()
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
