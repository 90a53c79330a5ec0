//! Names of all places of a profile, put into it before its stacks are.
//!
//! Places are gathered by where their names are found: an executable, a list of code that was made at run time, the
//! kernel. Each is asked once ([`crate::resolve`]), those with the most samples first. Time is bounded, and so is
//! how many places there are: what is beyond has no name but its module and place, and is counted.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chandra_event::cpu_sample::UserFrame;
use chandra_profile::frame::{Frame, FrameId, Kind};
use chandra_profile::profile::Profile;
use chandra_profile::text::TextId;

use crate::code_lists::{CodeLists, ProcessKey};
use crate::executables::Executables;
use crate::resolve::{self, Answered, Found, Library, Origin, Question, Space};

/// Names may take so long, all together.
const TIME: Duration = Duration::from_secs(30);
/// Places that are looked up; each takes some 100 bytes, beside its name.
const MAX_PLACES: usize = 1 << 20;
/// Reasons that are kept.
const MAX_LACKS: usize = 64;

/// What became of looking for names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameFigures {
    /// Places that differ.
    pub places: u64,
    /// Of those, that have a name.
    pub named: u64,
    /// Of those, that were not looked up: there were too many, or it took too long.
    pub not_looked_up: u64,
    /// Executables and lists that nothing, or not all, could be read of.
    pub incomplete: u64,
    /// The first of them: path, and why.
    pub lacks: Vec<(String, String)>,
}

/// How far it is: places that are looked up, and all of them.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Places that need names, with how many samples each space has.
#[derive(Debug, Default)]
pub struct Wanted {
    spaces: HashMap<Space, (HashSet<u64>, u64)>,
    count: usize,
    beyond: u64,
}

impl Wanted {
    /// A place of stacks that so many samples have.
    pub fn add(&mut self, (space, place): (Space, u64), samples: u64) {
        let (places, weight) = self.spaces.entry(space).or_default();
        *weight = weight.saturating_add(samples);
        if self.count < MAX_PLACES {
            self.count += usize::from(places.insert(place));
        } else {
            self.beyond += u64::from(!places.contains(&place));
        }
    }
}

/// Where a frame of a program is looked up: in its file, or, outside of any, in its process.
pub fn user_place(word: u64, process: ProcessKey) -> (Space, u64) {
    let UserFrame { executable, place } = UserFrame::unpack(word);
    match executable {
        0 => (Space::Process(process), place),
        number => (Space::File(number), place),
    }
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
struct Part {
    first: usize,
    count: usize,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Names {
    chains: HashMap<(Space, u64), Part>,
    /// Frames of the profile: of each chain the outermost first.
    frames: Vec<FrameId>,
    modules: HashMap<Space, TextId>,
    build_ids: HashMap<Space, TextId>,
    /// What became of it.
    pub figures: NameFigures,
}

impl Names {
    /// Finds what is wanted, and puts it into a profile.
    pub fn find(
        wanted: Wanted,
        executables: &Executables,
        lists: &CodeLists,
        library: &Arc<Mutex<Library>>,
        profile: &mut Profile,
        progress: Progress<'_>,
    ) -> Self {
        let mut names = Self::default();
        let all = wanted.count as u64;
        names.figures.places = all + wanted.beyond;
        names.figures.not_looked_up = wanted.beyond;
        let mut spaces: Vec<_> = wanted.spaces.into_iter().collect();
        spaces.sort_unstable_by_key(|(_, (_, samples))| std::cmp::Reverse(*samples));
        let mut questions = Vec::with_capacity(spaces.len());
        for (space, (places, _)) in spaces {
            let (module, origin) = origin(space, executables, lists);
            names.modules.insert(space, profile.text(&module));
            let mut places: Vec<u64> = places.into_iter().collect();
            places.sort_unstable();
            match origin {
                Some(origin) => questions.push(Question { space, origin, places }),
                None => {
                    let places = places.into_iter().map(|it| (it, it, Found::Nothing)).collect();
                    names.take(Answered { space, build_id: None, places, lacks: None }, profile);
                }
            }
        }
        names.wait((questions, library), all, profile, progress);
        names
    }

    /// Takes answers in until all are there, or it takes too long.
    fn wait(
        &mut self,
        (questions, library): (Vec<Question>, &Arc<Mutex<Library>>),
        all: u64,
        profile: &mut Profile,
        progress: Progress<'_>,
    ) {
        let until = Instant::now() + TIME;
        let mut done = self.chains.len() as u64;
        let Ok(answers) = resolve::start(questions, library) else {
            self.figures.not_looked_up += all - done;
            return;
        };
        loop {
            progress(done, all);
            match answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(answered) => {
                    done += answered.places.len() as u64;
                    self.take(answered, profile);
                }
                // Done, or a question that nobody came back from.
                Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => break,
            }
        }
        self.figures.not_looked_up += all.saturating_sub(done);
    }

    fn take(&mut self, answered: Answered, profile: &mut Profile) {
        let Answered { space, build_id, places, lacks } = answered;
        let module = self.modules.get(&space).copied().unwrap_or_default();
        if let Some(why) = lacks {
            self.figures.incomplete += 1;
            if self.figures.lacks.len() < MAX_LACKS {
                self.figures.lacks.push((profile.texts().get(module).to_owned(), why));
            }
        }
        let build_id = build_id.map_or_else(String::new, |id| id.to_string());
        let build_id = profile.text(&build_id);
        self.build_ids.insert(space, build_id);
        for (place, address, found) in places {
            let first = self.frames.len();
            self.figures.named += u64::from(!matches!(found, Found::Nothing));
            let frame = Frame { module, build_id, kind: kind(space), address, ..Frame::default() };
            match found {
                Found::Code(code) => {
                    for one in code.iter().rev() {
                        let function = profile.text(&one.function);
                        let file = profile.text(one.file.as_deref().unwrap_or_default());
                        let kind = if one.is_inlined { Kind::Inlined } else { Kind::Native };
                        let line = one.line;
                        let id = profile.frame(Frame { function, file, line, kind, ..frame });
                        self.frames.push(id);
                    }
                }
                Found::Made(name) => {
                    let (function, module) = (profile.text(&name), profile.text("[jit]"));
                    let kind = Kind::Jit;
                    self.frames.push(profile.frame(Frame { function, module, kind, ..frame }));
                }
                Found::Kernel(name, module) => {
                    let function = profile.text(&name);
                    let module = match &*module {
                        "" => frame.module,
                        module => profile.text(&format!("[{module}]")),
                    };
                    self.frames.push(profile.frame(Frame { function, module, ..frame }));
                }
                Found::Nothing => self.frames.push(profile.frame(frame)),
            }
            let part = Part { first, count: self.frames.len() - first };
            self.chains.insert((space, place), part);
        }
    }

    /// Puts the frames at a place behind others, the outermost first.
    pub fn push(&self, place: (Space, u64), profile: &mut Profile, frames: &mut Vec<FrameId>) {
        if let Some(Part { first, count }) = self.chains.get(&place)
            && let Some(chain) = self.frames.get(*first..first + count)
        {
            frames.extend(chain);
            return;
        }
        let (space, address) = place;
        let module = self.modules.get(&space).copied().unwrap_or_default();
        let build_id = self.build_ids.get(&space).copied().unwrap_or_default();
        let kind = kind(space);
        frames.push(profile.frame(Frame { module, build_id, kind, address, ..Frame::default() }));
    }
}

fn kind(space: Space) -> Kind {
    if space == Space::Kernel { Kind::Kernel } else { Kind::Native }
}

/// The module of a space, and where its names are.
fn origin(space: Space, executables: &Executables, lists: &CodeLists) -> (String, Option<Origin>) {
    match space {
        Space::Kernel => ("[kernel]".to_owned(), Some(Origin::Kernel)),
        Space::Process(process) => (String::new(), lists.get(process).map(Origin::List)),
        Space::File(number) => {
            let Some(executable) = executables.get(number) else { return (String::new(), None) };
            let origin = Origin::File {
                source: executable.source(),
                path: executable.path.to_vec(),
                root: executable.root.clone(),
            };
            (String::from_utf8_lossy(&executable.path).into_owned(), Some(origin))
        }
    }
}
