//! Names of places in files, each found once.
//!
//! Names are kept for each build and address, within a budget. For those that are not, what is needed of their file
//! is read, and let go: of a large library that is little, and to keep its tables would cost more than to look again.
//!
//! A build id is a claim: a container may run a program with the id of another one, and with symbols of its
//! own making. [`Key::scope`] is how far a claim is believed: names are shared by what has the same scope.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chandra_unwind::BuildId;

use crate::cache::Cache;
use crate::debug_file::Place;
use crate::image::{Frame, Image};
use crate::limits::{Limits, Part, Skipped, Why};
use crate::source::Source;

/// What names are kept by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which build it is.
    pub build_id: BuildId,
    /// Whose word that is: 0 where all are believed, else a container, or a file's inode.
    pub scope: u64,
}

/// A file that addresses are in.
#[derive(Clone, Copy, Debug)]
pub struct Binary<'a> {
    /// What its names are kept by.
    pub key: &'a Key,
    /// Its bytes.
    pub source: &'a Source,
    /// Where it is, and what may be around it.
    pub place: Place<'a>,
}

/// What an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Innermost first, at least one. All but the last were inlined into the next.
    pub frames: Arc<[Frame]>,
    /// A function is known; else the only frame says which place it is.
    pub is_known: bool,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Addresses that were answered.
    pub addresses: u64,
    /// Of those, from names that were kept.
    pub kept: u64,
    /// Of those, without a function.
    pub unknown: u64,
    /// Of those, without lines and inlined functions because a batch took too long.
    pub cut_short: u64,
    /// Times that a file was read.
    pub files: u64,
    /// Files that a parser stopped at, which is a defect of ours.
    pub failed: u64,
    /// Names that had to go.
    pub names_evicted: u64,
    /// Bytes of names that are kept.
    pub name_bytes: usize,
}

type Names = Cache<(Arc<Key>, u64), Option<Arc<[Frame]>>>;

/// What is remembered of files beside names.
const SKIPPED_BUDGET_BYTES: usize = 1 << 20;

/// Finds names, and keeps what it found within the budget of its [`Limits`].
#[derive(Debug)]
pub struct Symbolizer {
    limits: Limits,
    /// What was left out of files.
    skipped: Cache<Arc<Key>, Vec<Skipped>>,
    names: Names,
    figures: Figures,
}

impl Symbolizer {
    /// One that knows nothing yet.
    pub fn new(limits: Limits) -> Self {
        let skipped = Cache::new(SKIPPED_BUDGET_BYTES);
        let names = Cache::new(limits.name_budget_bytes);
        Self { limits, skipped, names, figures: Figures::default() }
    }

    /// What each address of a file is, in their order; addresses as the file's own symbols count them. It does
    /// not matter whether they ascend, but the answers come fastest where many are asked at once.
    pub fn resolve(&mut self, binary: Binary<'_>, addresses: &[u64]) -> Vec<Answer> {
        let key = Arc::new(binary.key.clone());
        let mut answers: Vec<Option<Option<Arc<[Frame]>>>> = Vec::with_capacity(addresses.len());
        let mut missing = Vec::new();
        for address in addresses {
            let known = self.names.get(&(Arc::clone(&key), *address)).cloned();
            if known.is_none() {
                missing.push(*address);
            }
            answers.push(known);
        }
        self.figures.addresses += addresses.len() as u64;
        self.figures.kept += (addresses.len() - missing.len()) as u64;
        missing.sort_unstable();
        missing.dedup();
        let found = if missing.is_empty() { Vec::new() } else { self.find(binary, &key, &missing) };
        let module = binary.place.path.file_name().map(|name| name.to_string_lossy());
        let module = crate::demangle::tidy(&module.unwrap_or_default());
        let mut told = Vec::with_capacity(addresses.len());
        for (answer, address) in answers.into_iter().zip(addresses) {
            let searched = || {
                let at = missing.binary_search(address).ok();
                at.and_then(|at| found.get(at).cloned()).flatten()
            };
            let frames = answer.unwrap_or_else(searched);
            let is_known = frames.is_some();
            self.figures.unknown += u64::from(!is_known);
            let frames = frames.unwrap_or_else(|| Arc::from([unknown(&module, *address)]));
            told.push(Answer { frames, is_known });
        }
        told
    }

    /// What of a file was left out when it was read last; empty where that is not known (any more).
    pub fn skipped(&mut self, key: &Key) -> &[Skipped] {
        self.skipped.get(&Arc::new(key.clone())).map_or(&[], Vec::as_slice)
    }

    /// What was done so far, and what is kept.
    pub fn figures(&self) -> Figures {
        Figures {
            names_evicted: self.names.evicted,
            name_bytes: self.names.bytes(),
            ..self.figures
        }
    }

    /// Finds addresses that ascend, and keeps what was found.
    fn find(
        &mut self,
        binary: Binary<'_>,
        key: &Arc<Key>,
        addresses: &[u64],
    ) -> Vec<Option<Arc<[Frame]>>> {
        let limits = self.limits;
        // What libraries do with foreign bytes is bounded; that none of them ever stops at some is not proven.
        let guarded = |work: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(work)).is_ok();
        let is_damaged = |it: &Vec<Skipped>| it.contains(&damaged());
        if self.skipped.get(key).is_some_and(is_damaged) {
            return vec![None; addresses.len()];
        }
        let mut resolved = None;
        let is_sound = guarded(&mut || {
            let image = Image::read_for(binary.source, binary.place, addresses, &limits);
            resolved = Some((image.resolve(addresses, &limits), image.skipped().to_vec()));
        });
        let (resolved, skipped) = resolved.unwrap_or_else(|| (Default::default(), vec![damaged()]));
        self.figures.failed += u64::from(!is_sound);
        self.figures.files += u64::from(is_sound);
        let skipped_bytes = skipped.len() * size_of::<Skipped>() + size_of::<Key>();
        self.skipped.insert(Arc::clone(key), skipped, skipped_bytes);
        let (frames, is_whole) = resolved;
        if !is_whole && is_sound {
            self.figures.cut_short += addresses.len() as u64;
        }
        let mut found: Vec<Option<Arc<[Frame]>>> = Vec::with_capacity(addresses.len());
        for (number, address) in addresses.iter().enumerate() {
            let frames = frames.get(number).filter(|frames| !frames.is_empty());
            let frames: Option<Arc<[Frame]>> = frames.map(|frames| frames.as_slice().into());
            if is_whole || !is_sound {
                let bytes = frames.as_deref().map_or(0, bytes);
                self.names.insert((Arc::clone(key), *address), frames.clone(), bytes);
            }
            found.push(frames);
        }
        found
    }
}

/// Bytes of memory that frames take. Texts are counted for each who holds them.
fn bytes(frames: &[Frame]) -> usize {
    let text = |text: &Arc<str>| text.len() + 16;
    let one = |frame: &Frame| text(&frame.function) + frame.file.as_ref().map_or(0, text);
    size_of_val(frames) + frames.iter().map(one).sum::<usize>()
}

fn unknown(module: &str, address: u64) -> Frame {
    let place = if module.is_empty() { String::new() } else { format!("{module}+") };
    let function = format!("[unknown] {place}{address:#x}").into();
    Frame { function, file: None, line: 0, is_inlined: false }
}

/// What is remembered of a file that a parser stopped at: it is not tried again.
fn damaged() -> Skipped {
    Skipped { part: Part::Headers, why: Why::Damaged("a parser stopped".to_owned()) }
}
