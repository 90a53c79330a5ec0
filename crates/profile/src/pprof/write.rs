//! A profile as pprof's message, packed with gzip.

use std::collections::HashMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use foldhash::fast::RandomState;

use super::wire::Message;
use super::{comments, keys};
use crate::frame::{Frame, FrameId, Kind};
use crate::metadata::ValueType;
use crate::owner::Owner;
use crate::profile::{Profile, StackId};
use crate::text::TextId;

/// Written once so much has gathered.
const CHUNK_BYTES: usize = 1 << 16;

/// Writes all samples with all their values.
///
/// # Errors
/// When it cannot be written.
pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = Writer {
        profile,
        out: GzEncoder::new(out, Compression::fast()),
        message: Message::default(),
        strings: Strings::default(),
        functions: HashMap::default(),
        mappings: HashMap::default(),
        locations: HashMap::default(),
        ends: vec![None; profile.stack_count()],
        chain: Vec::new(),
    };
    writer.strings.number("");
    writer.head();
    let mut labels: Vec<Option<Message>> = profile.owners().iter().map(|_| None).collect();
    for sample in profile.samples() {
        let mut message = Message::default();
        let mut ids = Message::default();
        let mut stack = sample.stack;
        while stack != StackId::EMPTY {
            let (location, around) = writer.location(stack);
            ids.varint(location);
            stack = around;
        }
        if !ids.0.is_empty() {
            message.message(1, &ids);
        }
        let mut values = Message::default();
        for value in sample.values {
            values.varint((*value).min(i64::MAX as u64));
        }
        message.message(2, &values);
        if let Some(labels) = labels.get_mut(sample.owner.0 as usize) {
            let labels =
                labels.get_or_insert_with(|| writer.labels(&profile.owner_of(sample.owner)));
            message.0.extend_from_slice(&labels.0);
        }
        if let Some(time) = sample.time_ns {
            let mut label = Message::default();
            label.number(1, writer.strings.first(keys::TIME)).number(3, time);
            label.number(4, writer.strings.number("nanoseconds"));
            message.message(3, &label);
        }
        writer.message.message(2, &message);
        writer.drain(CHUNK_BYTES)?;
    }
    writer.write_mappings();
    let strings = std::mem::take(&mut writer.strings.all);
    for text in &strings {
        writer.message.bytes(6, text.as_bytes());
        writer.drain(CHUNK_BYTES)?;
    }
    writer.drain(0)?;
    writer.out.finish().map(drop)
}

/// The table of texts, which is written last.
#[derive(Default)]
struct Strings {
    all: Vec<String>,
    numbers: HashMap<String, u64, RandomState>,
}

impl Strings {
    fn number(&mut self, text: &str) -> u64 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let number = self.all.len() as u64;
        self.all.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    fn first(&mut self, keys: &[&str]) -> u64 {
        keys.first().map_or(0, |key| self.number(key))
    }
}

/// A module, and what is known of all its locations. It is written when the last of them is.
struct Mapping {
    id: u64,
    name: u64,
    build_id: u64,
    has_functions: bool,
    has_files: bool,
    has_lines: bool,
    has_inlined: bool,
}

struct Writer<'a, 'w> {
    profile: &'a Profile,
    out: GzEncoder<&'w mut dyn Write>,
    message: Message,
    strings: Strings,
    functions: HashMap<(TextId, TextId), u64, RandomState>,
    mappings: HashMap<(TextId, TextId), Mapping, RandomState>,
    /// By frames from the leaf: what was inlined, and what it was inlined into.
    locations: HashMap<Vec<FrameId>, u64, RandomState>,
    /// Of each stack the location that it ends with, and what is around that.
    ends: Vec<Option<(u64, StackId)>>,
    chain: Vec<FrameId>,
}

impl Writer<'_, '_> {
    fn drain(&mut self, until: usize) -> io::Result<()> {
        if self.message.0.len() > until {
            self.out.write_all(&self.message.0)?;
            self.message.0.clear();
        }
        Ok(())
    }

    fn value_type(&mut self, of: &ValueType) -> Message {
        let mut message = Message::default();
        message.number(1, self.strings.number(&of.name)).number(2, self.strings.number(&of.unit));
        message
    }

    fn head(&mut self) {
        let metadata = &self.profile.metadata;
        for one in self.profile.value_types() {
            let message = self.value_type(one);
            self.message.message(1, &message);
        }
        self.message.number(9, metadata.start_unix_ns.unwrap_or(0));
        self.message.number(10, metadata.duration_ns.unwrap_or(0));
        if let Some((of, period)) = &metadata.period {
            let message = self.value_type(of);
            self.message.message(11, &message).number(12, *period);
        }
        let host = metadata.host.iter().map(|host| format!("{}{host}", comments::HOST));
        let losses = metadata.losses.iter();
        let losses = losses.map(|it| format!("{}{}: {}", comments::LOST, it.samples, it.reason));
        for comment in metadata.comments.iter().cloned().chain(host).chain(losses) {
            let number = self.strings.number(&comment);
            self.message.number(13, number);
        }
        let shown = self.profile.value_types().get(self.profile.default_value());
        if let Some(shown) = shown {
            let number = self.strings.number(&shown.name);
            self.message.number(14, number);
        }
    }

    fn labels(&mut self, owner: &Owner) -> Message {
        let texts = self.profile.texts();
        let mut all = Message::default();
        let words = [
            (keys::PROCESS, owner.process),
            (keys::THREAD, owner.thread),
            (keys::CONTAINER, owner.container),
            (keys::POD, owner.pod),
            (keys::NAMESPACE, owner.namespace),
            (keys::NODE, owner.node),
        ];
        for (key, text) in words.into_iter().filter(|(_, text)| *text != TextId::EMPTY) {
            let mut label = Message::default();
            label.number(1, self.strings.first(key));
            label.number(2, self.strings.number(texts.get(text)));
            all.message(3, &label);
        }
        let numbers = [
            (keys::PID, u64::from(owner.pid), ""),
            (keys::TID, u64::from(owner.tid), ""),
            (keys::START, owner.start_boottime_ns, "nanoseconds"),
        ];
        for (key, number, unit) in numbers.into_iter().filter(|(_, number, _)| *number != 0) {
            let mut label = Message::default();
            label.number(1, self.strings.first(key)).number(3, number);
            label.number(4, self.strings.number(unit));
            all.message(3, &label);
        }
        all
    }

    /// The location at the leaf's end of a stack, and the stack around it.
    fn location(&mut self, stack: StackId) -> (u64, StackId) {
        if let Some(known) = self.ends.get(stack.index()).copied().flatten() {
            return known;
        }
        let mut chain = std::mem::take(&mut self.chain);
        let around = self.profile.innermost(stack, &mut chain);
        let id = match self.locations.get(&chain) {
            Some(id) => *id,
            None => {
                let id = self.locations.len() as u64 + 1;
                self.write_location(id, &chain);
                self.locations.insert(chain.clone(), id);
                id
            }
        };
        self.chain = chain;
        if let Some(place) = self.ends.get_mut(stack.index()) {
            *place = Some((id, around));
        }
        (id, around)
    }

    fn write_location(&mut self, id: u64, chain: &[FrameId]) {
        let Some(outermost) = chain.last().map(|frame| self.profile.frame_of(*frame)) else {
            return;
        };
        let mapping = self.mapping(chain, &outermost);
        let mut location = Message::default();
        location.number(1, id).number(2, mapping).number(3, outermost.address);
        for frame in chain {
            let frame = self.profile.frame_of(*frame);
            // A location without a line is what pprof has for a function that is not known.
            if frame.function == TextId::EMPTY {
                continue;
            }
            let mut line = Message::default();
            line.number(1, self.function(&frame)).number(2, u64::from(frame.line));
            location.message(4, &line);
        }
        self.message.message(4, &location);
    }

    /// The module of a location, with what is known of all of its frames taken in; 0 for none.
    fn mapping(&mut self, chain: &[FrameId], outermost: &Frame) -> u64 {
        if outermost.module == TextId::EMPTY && outermost.kind != Kind::Jit {
            return 0;
        }
        let next = self.mappings.len() as u64 + 1;
        let texts = self.profile.texts();
        let key = (outermost.module, outermost.build_id);
        let mapping = self.mappings.entry(key).or_insert_with(|| Mapping {
            id: next,
            name: self.strings.number(match texts.get(outermost.module) {
                "" => "[jit]",
                name => name,
            }),
            build_id: self.strings.number(texts.get(outermost.build_id)),
            has_functions: true,
            has_files: true,
            has_lines: true,
            has_inlined: false,
        });
        for frame in chain.iter().map(|frame| self.profile.frame_of(*frame)) {
            mapping.has_functions &= frame.function != TextId::EMPTY;
            mapping.has_files &= frame.file != TextId::EMPTY;
            mapping.has_lines &= frame.line != 0;
            mapping.has_inlined |= frame.kind == Kind::Inlined;
        }
        mapping.id
    }

    /// What they have is said only where all of their locations have it: else readers look for more.
    fn write_mappings(&mut self) {
        let mut mappings: Vec<Mapping> =
            self.mappings.drain().map(|(_, mapping)| mapping).collect();
        mappings.sort_unstable_by_key(|mapping| mapping.id);
        for mapping in mappings {
            let mut message = Message::default();
            message.number(1, mapping.id).number(5, mapping.name).number(6, mapping.build_id);
            let knows = [
                mapping.has_functions,
                mapping.has_files,
                mapping.has_lines,
                mapping.has_inlined && mapping.has_lines,
            ];
            for (field, knows) in (7..).zip(knows) {
                message.number(field, knows.into());
            }
            self.message.message(3, &message);
        }
    }

    fn function(&mut self, frame: &Frame) -> u64 {
        let key = (frame.function, frame.file);
        if let Some(known) = self.functions.get(&key) {
            return *known;
        }
        let id = self.functions.len() as u64 + 1;
        let texts = self.profile.texts();
        let name = self.strings.number(texts.get(frame.function));
        let mut function = Message::default();
        function.number(1, id).number(2, name).number(3, name);
        function.number(4, self.strings.number(texts.get(frame.file)));
        self.message.message(5, &function);
        self.functions.insert(key, id);
        id
    }
}
