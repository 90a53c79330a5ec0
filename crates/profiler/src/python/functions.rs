//! Functions of Python code by number: what a frame is called is kept once, however many processes run it.

use std::collections::HashMap;
use std::sync::Arc;

use chandra_event::cpu_sample::PythonEnd;
use chandra_profile::frame::{Frame, FrameId, Kind};
use chandra_profile::profile::Profile;

/// Functions that are told apart, and bytes of their names and files.
const MAX_FUNCTIONS: usize = 1 << 17;
const MAX_BYTES: usize = 32 << 20;
/// What one takes beside its texts.
const FUNCTION_BYTES: usize = 96;

/// The number of a frame whose code could not be read any more.
pub const GONE: u32 = 1;
/// The number of a frame of a function that there was no room for.
pub const TOO_MANY: u32 = 2;
/// The number of a frame of a process whose memory may not be read.
pub const FORBIDDEN: u32 = 3;
/// From here on, by its number in a record, why frames end.
const FIRST_END: u32 = 4;
const FIRST: u32 = FIRST_END + PythonEnd::ALL.len() as u32;

/// Name and file.
type Key = (Arc<str>, Arc<str>);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Functions {
    numbers: HashMap<Key, u32>,
    all: Vec<Key>,
    files: HashMap<Arc<str>, Arc<str>>,
    bytes: usize,
}

impl Functions {
    /// The number of a function.
    pub fn number(&mut self, name: &Arc<str>, file: &Arc<str>) -> u32 {
        let key = (Arc::clone(name), Arc::clone(file));
        if let Some(known) = self.numbers.get(&key) {
            return *known;
        }
        let next = u32::try_from(self.all.len()).map_or(u32::MAX, |count| FIRST + count);
        let bytes = FUNCTION_BYTES + name.len() + file.len();
        if self.all.len() >= MAX_FUNCTIONS || self.bytes + bytes > MAX_BYTES {
            return TOO_MANY;
        }
        self.bytes += bytes;
        let file = self.files.entry(Arc::clone(file)).or_insert_with(|| Arc::clone(file));
        let key = (key.0, Arc::clone(file));
        self.all.push(key.clone());
        self.numbers.insert(key, next);
        next
    }

    /// The number of a marker that says why frames end; `None` where they do not end too soon.
    pub fn end(end: PythonEnd) -> Option<u32> {
        let is_cut = matches!(end, PythonEnd::Depth | PythonEnd::Unreadable);
        let place = PythonEnd::ALL.iter().position(|other| *other == end)?;
        is_cut.then_some(FIRST_END + u32::try_from(place).ok()?)
    }

    /// The frame of a profile for a function at a line.
    pub fn frame(&self, number: u32, line: u32, profile: &mut Profile) -> FrameId {
        let known = number.checked_sub(FIRST).and_then(|at| self.all.get(at as usize));
        let Some((name, file)) = known else {
            let end = number.checked_sub(FIRST_END).and_then(|at| PythonEnd::ALL.get(at as usize));
            return match (number, end) {
                (TOO_MANY, _) => profile.marker("[python: too many functions]"),
                (FORBIDDEN, _) => profile.marker("[python: reading names needs CAP_SYS_PTRACE]"),
                (_, Some(end)) => profile.marker(&format!("[python stack ends: {}]", end.word())),
                _ => profile.marker("[python code gone]"),
            };
        };
        let (function, file) = (profile.text(name), profile.text(file));
        profile.frame(Frame { function, file, line, kind: Kind::Interpreted, ..Frame::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_profile::profile::Limits;

    #[test]
    fn a_function_is_its_name_and_its_file() {
        let mut functions = Functions::default();
        let text = |text: &str| Arc::<str>::from(text);
        let one = functions.number(&text("main"), &text("/a.py"));
        assert_eq!(functions.number(&text("main"), &text("/a.py")), one);
        assert_ne!(functions.number(&text("main"), &text("/b.py")), one);
        let mut profile = Profile::new(Vec::new(), Limits::default());
        let mut name = |number| {
            let frame = functions.frame(number, 7, &mut profile);
            profile.frame_of(frame).name(profile.texts())
        };
        assert_eq!(name(one), "main");
        assert_eq!(name(GONE), "[python code gone]");
        assert_eq!(name(TOO_MANY), "[python: too many functions]");
        assert_eq!(name(FORBIDDEN), "[python: reading names needs CAP_SYS_PTRACE]");
        let depth = Functions::end(PythonEnd::Depth);
        assert_eq!(depth.map(name).as_deref(), Some("[python stack ends: depth]"));
        assert_eq!(Functions::end(PythonEnd::Outermost), None);
    }
}
