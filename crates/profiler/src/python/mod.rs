//! Python in processes: where its interpreter keeps its frames, what they are called, and where they belong in a stack.
//!
//! ```text
//! memory that an interpreter's file is mapped in ──▶ image ──▶ layout ──▶ the probe: where frames are
//! frames of a sample ──▶ code: read from the process, once ──▶ functions, lines ──▶ merged into the stack
//! ```
//!
//! A process is told to the probe as soon as it maps an interpreter, so that its first samples have frames. What they
//! are called is read from its memory when a code object is first sampled, and looked at again now and then: an address
//! may become another object's.
//!
//! Invariants: a sample's own stack is never less for what is or is not found of Python; every frame that the probe
//! told is in the profile, under its name or under why it has none; what is kept is bounded, and what there was no room
//! for is counted.

mod code;
mod frame;
mod functions;
pub mod image;
mod layout;
pub mod lines;
mod loops;
mod merge;
mod reader;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use chandra_event::cpu_sample::{CpuSample, PythonEnd, PythonFrame, UserFrame};
use chandra_profile::frame::FrameId;
use chandra_profile::profile::Profile;
use chandra_signals::cpu_profile::PythonProcess;
use chandra_symbols::Source;

use crate::executables::{Executables, Number};
use crate::kernel::Kernel;
use crate::memory::{File, Memory, Piece};
use code::{Places, Signature};
use functions::Functions;
use image::Image;
use merge::Part;
use reader::{Answer, Question, Reader};

/// Processes with an interpreter, as many as the probe knows.
const MAX_PROCESSES: usize = 4096;
/// Memory of processes that is kept open.
const MAX_OPEN: usize = 256;
/// Bytes of line tables.
const MAX_CODE_BYTES: usize = 64 << 20;
/// A code object is looked at again after so long.
const BELIEVED: Duration = Duration::from_secs(1);

/// What became of Python's frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PythonFigures {
    /// Samples of processes with an interpreter, by why their frames end.
    pub ends: [u64; PythonEnd::ALL.len()],
    /// Frames.
    pub frames: u64,
    /// Of the frames, those whose code could not be read any more.
    pub gone: u64,
    /// Of the frames, those of processes whose memory may not be read.
    pub forbidden: u64,
    /// Code objects that were read.
    pub code_read: u64,
    /// Of those, at the address of another one that was known.
    pub code_reused: u64,
    /// Processes whose memory could not be read in time.
    pub unanswering: u64,
    /// Samples whose frames do not fit their stack.
    pub misplaced: u64,
    /// Processes and code objects that there was no room for.
    pub refused: u64,
    /// Interpreters that nothing can be read of: path, and why.
    pub unknown: Vec<(String, String)>,
}

impl PythonFigures {
    /// Samples that have frames of Python.
    pub fn samples(&self) -> u64 {
        let counts = PythonEnd::ALL.iter().zip(self.ends);
        let has_none = |end| matches!(end, PythonEnd::None | PythonEnd::NoThread);
        counts.filter(|(end, _)| !has_none(**end)).map(|(_, count)| count).sum()
    }

    /// Samples whose frames of Python are not all there, or not where they belong.
    pub fn incomplete(&self) -> u64 {
        let counts = PythonEnd::ALL.iter().zip(self.ends);
        let is_whole =
            |end| matches!(end, PythonEnd::None | PythonEnd::NoThread | PythonEnd::Outermost);
        let ends: u64 = counts.filter(|(end, _)| !is_whole(**end)).map(|(_, count)| count).sum();
        ends + self.misplaced
    }
}

/// A code object that was read.
#[derive(Debug)]
struct Known {
    signature: Signature,
    function: u32,
    places: Places,
    looked: Instant,
}

/// A process with an interpreter.
#[derive(Debug)]
struct Process {
    image: Arc<Image>,
    bias: u64,
    /// Whose memory it has a copy of.
    parent: Option<u32>,
    memory: Option<Arc<fs::File>>,
    /// It may not be read.
    is_forbidden: bool,
    /// Reading it did not come to an end in time.
    is_unanswering: bool,
    codes: HashMap<u64, Known>,
    bytes: usize,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Pythons {
    images: HashMap<Number, Option<Arc<Image>>>,
    processes: HashMap<u32, Process>,
    functions: Functions,
    reader: Reader,
    open: usize,
    bytes: usize,
    figures: PythonFigures,
}

/// Frames of a sample, read as far as they can be.
#[derive(Debug, Clone, Default)]
pub struct PythonStack {
    words: Box<[u64]>,
    is_whole: bool,
}

impl PythonStack {
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }
}

impl Pythons {
    /// A process maps a file: if an interpreter is in it, the probe is told.
    pub fn meet(
        &mut self,
        pid: u32,
        piece: &Piece,
        executables: &mut Executables,
        kernel: &mut Kernel,
    ) {
        let Some(name) = interpreter_name(&piece.file) else { return };
        if self.processes.contains_key(&pid) {
            return;
        }
        let number = executables.number(pid, piece);
        if number == 0 {
            return;
        }
        let image = match self.images.get(&number) {
            Some(known) => known.clone(),
            None => {
                let image = self.read_image(number, name, executables);
                self.images.insert(number, image.clone());
                image
            }
        };
        let Some(image) = image else { return };
        let Some(bias) = image.bias(piece.start, piece.offset) else { return };
        self.insert(pid, (image, bias, None), kernel);
    }

    /// The same of all that a process has mapped.
    pub fn meet_all(
        &mut self,
        pid: u32,
        memory: &Memory,
        executables: &mut Executables,
        kernel: &mut Kernel,
    ) {
        memory.pieces().iter().for_each(|piece| self.meet(pid, piece, executables, kernel));
    }

    /// A process is a copy of another.
    pub fn fork(&mut self, pid: u32, parent: u32, kernel: &mut Kernel) {
        self.forget(pid, kernel);
        let Some(known) = self.processes.get(&parent) else { return };
        let copied = (Arc::clone(&known.image), known.bias, Some(parent));
        self.insert(pid, copied, kernel);
    }

    /// A process runs another program, or is gone.
    pub fn forget(&mut self, pid: u32, kernel: &mut Kernel) {
        let Some(process) = self.processes.remove(&pid) else { return };
        self.bytes -= process.bytes;
        self.open -= usize::from(process.memory.is_some());
        kernel.forget_python(pid);
    }

    fn insert(
        &mut self,
        pid: u32,
        (image, bias, parent): (Arc<Image>, u64, Option<u32>),
        kernel: &mut Kernel,
    ) {
        let interpreters = image.interpreters(bias);
        let told = PythonProcess { interpreters, ..image.layout.probe };
        if self.processes.len() >= MAX_PROCESSES || !kernel.tell_python(pid, &told) {
            self.figures.refused += 1;
            return;
        }
        let codes = HashMap::new();
        let process = Process {
            image,
            bias,
            parent,
            memory: None,
            is_forbidden: false,
            is_unanswering: false,
            codes,
            bytes: 0,
        };
        self.processes.insert(pid, process);
    }

    fn read_image(
        &mut self,
        number: Number,
        name: &[u8],
        executables: &Executables,
    ) -> Option<Arc<Image>> {
        let executable = executables.get(number)?;
        let read = match executable.source() {
            Ok(Source::File(file)) => Image::read(&file, name).map_err(|error| error.to_string()),
            Ok(Source::Memory(_)) => return None,
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(image) => image.map(Arc::new),
            Err(why) => {
                let path = String::from_utf8_lossy(&executable.path).into_owned();
                self.figures.unknown.push((path, why));
                None
            }
        }
    }

    /// Frames of a sample, with what they are called.
    pub fn read(&mut self, sample: &CpuSample<'_>) -> PythonStack {
        let place = PythonEnd::ALL.iter().position(|end| *end == sample.python_end);
        if let Some(count) = place.and_then(|place| self.figures.ends.get_mut(place)) {
            *count += 1;
        }
        if sample.python_frames.is_empty() {
            return PythonStack::default();
        }
        let now = Instant::now();
        let mut words = Vec::with_capacity(sample.python_frames.len() + 1);
        for word in sample.python_frames.iter() {
            let told = PythonFrame::unpack(word);
            let read = match told.code {
                0 => frame::BORDER,
                code => {
                    self.figures.frames += 1;
                    let pid = sample.process.pid;
                    let found = self.find(pid, code, told.place, now);
                    let (function, line) = found.unwrap_or_else(|| (self.nameless(pid), 0));
                    frame::pack(function, line)
                }
            };
            words.push(if told.is_entry { frame::with_entry(read) } else { read });
        }
        words.extend(Functions::end(sample.python_end).map(|end| frame::pack(end, 0)));
        let is_whole = sample.python_end == PythonEnd::Outermost;
        PythonStack { words: words.into(), is_whole }
    }

    /// The function and line of a place in a code object.
    fn find(&mut self, pid: u32, at: u64, place: Option<u32>, now: Instant) -> Option<(u32, u32)> {
        self.look(pid, at, now);
        let process = self.processes.get(&pid)?;
        let layout = &process.image.layout.code;
        // A copy may be gone before it was read; what it is a copy of has the same there.
        let parent = || self.processes.get(&process.parent?)?.codes.get(&at);
        let known = process.codes.get(&at).or_else(parent)?;
        Some((known.function, known.places.line(layout, place)))
    }

    /// What stands for a function whose code cannot be read.
    fn nameless(&mut self, pid: u32) -> u32 {
        if self.processes.get(&pid).is_some_and(|process| process.is_forbidden) {
            self.figures.forbidden += 1;
            return functions::FORBIDDEN;
        }
        self.figures.gone += 1;
        functions::GONE
    }

    /// Reads a code object, unless that was done a moment ago.
    fn look(&mut self, pid: u32, at: u64, now: Instant) {
        let Some(process) = self.processes.get_mut(&pid).filter(|it| !it.is_unanswering) else {
            return;
        };
        let known = process.codes.get_mut(&at);
        if known.as_ref().is_some_and(|known| now.duration_since(known.looked) < BELIEVED) {
            return;
        }
        let memory = match &process.memory {
            Some(memory) => Arc::clone(memory),
            None => match fs::File::open(format!("/proc/{pid}/mem")) {
                Ok(memory) => {
                    let memory = Arc::new(memory);
                    if self.open < MAX_OPEN {
                        self.open += 1;
                        process.memory = Some(Arc::clone(&memory));
                    }
                    memory
                }
                Err(error) => {
                    process.is_forbidden = error.kind() == io::ErrorKind::PermissionDenied;
                    return;
                }
            },
        };
        let (signature, code) = match self.reader.ask(Question {
            memory,
            code_type: process.image.code_type(process.bias),
            image: Arc::clone(&process.image),
            at,
            known: known.as_ref().map(|known| known.signature),
        }) {
            Some(Answer::Read(signature, code)) => (signature, code),
            Some(Answer::Same) => {
                if let Some(known) = known {
                    known.looked = now;
                }
                return;
            }
            // What is gone was what it was when it was sampled.
            Some(Answer::Nothing) => return,
            None => {
                process.is_unanswering = true;
                self.figures.unanswering += 1;
                return;
            }
        };
        let bytes = size_of::<(u64, Known)>() + code.places.bytes();
        if self.bytes + bytes > MAX_CODE_BYTES {
            self.figures.refused += 1;
            return;
        }
        self.figures.code_read += 1;
        let function = self.functions.number(&code.name, &code.file);
        self.figures.refused += u64::from(function == functions::TOO_MANY);
        self.bytes += bytes;
        process.bytes += bytes;
        let read = Known { signature, function, places: code.places, looked: now };
        if let Some(before) = process.codes.insert(at, read) {
            let bytes = size_of::<(u64, Known)>() + before.places.bytes();
            self.bytes -= bytes;
            process.bytes -= bytes;
            self.figures.code_reused += 1;
        }
    }

    /// Puts frames where they belong in a stack of the program's, innermost first.
    pub fn merge(
        &mut self,
        native: &[u64],
        is_native_whole: bool,
        stack: &PythonStack,
    ) -> Vec<u64> {
        let PythonStack { words: python, is_whole: is_python_whole } = stack;
        let mut merged = Vec::with_capacity(native.len() + python.len());
        let is_python_whole = *is_python_whole;
        let stacks = merge::Stacks { native, is_native_whole, python, is_python_whole };
        let fits = merge::merge(&stacks, |frame| self.part(frame), &mut merged);
        self.figures.misplaced += u64::from(!fits);
        merged
    }

    fn part(&self, frame: UserFrame) -> Part {
        let Some(Some(image)) = self.images.get(&frame.executable) else { return Part::Other };
        let shown = UserFrame { place: image.loop_start, ..frame }.pack();
        if image.is_loop(frame.place) {
            Part::Loop(shown)
        } else if image.is_instruction(frame.place) {
            Part::Instruction(shown)
        } else {
            Part::Other
        }
    }

    /// The frame of a profile for a word of a merged stack; `None` for one of the program's own.
    pub fn frame(&self, word: u64, profile: &mut Profile) -> Option<FrameId> {
        let (function, line) = frame::unpack(word)?;
        Some(self.functions.frame(function, line, profile))
    }

    /// What became of them.
    pub fn figures(&self) -> &PythonFigures {
        &self.figures
    }
}

/// Whether a word of a merged stack is a frame of Python's.
pub fn is_python(word: u64) -> bool {
    frame::unpack(word).is_some()
}

/// The name of a file that may have an interpreter in it.
fn interpreter_name(file: &File) -> Option<&[u8]> {
    let File::OnDisk { path, .. } = file else { return None };
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    (name.starts_with(b"python") || name.starts_with(b"libpython")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_no_interpreters() {
        let file = |path: &[u8]| File::of((8, 1), 7, path);
        for (path, is_one) in [
            (&b"/usr/bin/python3.11"[..], true),
            (b"/usr/lib/x86_64-linux-gnu/libpython3.9.so.1.0", true),
            (b"/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", false),
            (b"/usr/bin/pypy3", false),
        ] {
            assert_eq!(interpreter_name(&file(path)).is_some(), is_one);
        }
        assert_eq!(interpreter_name(&File::Anonymous), None);
    }
}
