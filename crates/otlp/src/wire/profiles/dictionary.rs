//! The dictionary of a request (`ProfilesDictionary`): tables in which everything stands once, and is referred to
//! by number. The first entry of each stands for nothing.

use std::collections::HashMap;

use chandra_profile::frame::{FrameId, Kind};
use chandra_profile::profile::{Profile, StackId};
use chandra_profile::text::TextId;
use prost::encoding::encode_varint;

use crate::wire::{Any, any, bytes_field, nested, varint_field};

/// A table: entries as they are written, each once.
struct Table {
    tag: u32,
    fields: Vec<u8>,
    known: HashMap<Box<[u8]>, u64>,
}

impl Table {
    /// With the entry that stands for nothing.
    fn new(tag: u32) -> Self {
        let mut table = Self { tag, fields: Vec::new(), known: HashMap::new() };
        table.number(&[]);
        table
    }

    fn number(&mut self, entry: &[u8]) -> u64 {
        if let Some(known) = self.known.get(entry) {
            return *known;
        }
        let number = self.known.len() as u64;
        bytes_field(self.tag, entry, &mut self.fields);
        self.known.insert(entry.into(), number);
        number
    }
}

/// See the [module](self).
pub(super) struct Dictionary<'a> {
    profile: &'a Profile,
    mappings: Table,
    locations: Table,
    functions: Table,
    links: Table,
    texts: Table,
    attributes: Table,
    stacks: Table,
    /// Of each stack that was met: the location that it ends with, and what is around that.
    ends: HashMap<StackId, (u64, StackId)>,
    chain: Vec<FrameId>,
}

impl<'a> Dictionary<'a> {
    pub fn new(profile: &'a Profile) -> Self {
        Self {
            profile,
            mappings: Table::new(1),
            locations: Table::new(2),
            functions: Table::new(3),
            links: Table::new(4),
            texts: Table::new(5),
            attributes: Table::new(6),
            stacks: Table::new(7),
            ends: HashMap::new(),
            chain: Vec::new(),
        }
    }

    fn tables(&self) -> [&Table; 7] {
        let Self { mappings, locations, functions, links, texts, attributes, stacks, .. } = self;
        [mappings, locations, functions, links, texts, attributes, stacks]
    }

    /// How long it is.
    pub fn bytes(&self) -> usize {
        self.tables().iter().map(|table| table.fields.len()).sum()
    }

    /// Its fields.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.tables().iter().for_each(|table| out.extend_from_slice(&table.fields));
    }

    pub fn text(&mut self, text: &str) -> u64 {
        self.texts.number(text.as_bytes())
    }

    /// A `KeyValueAndUnit`.
    pub fn attribute(&mut self, key: &str, value: Any<'_>) -> u64 {
        let mut entry = Vec::new();
        varint_field(1, self.text(key), &mut entry);
        nested(2, &mut entry, |out| any(value, out));
        self.attributes.number(&entry)
    }

    /// A `Stack`: its locations, the leaf's first.
    pub fn stack(&mut self, stack: StackId) -> u64 {
        let mut locations = Vec::new();
        let mut rest = stack;
        while rest != StackId::EMPTY {
            let (location, around) = self.location(rest);
            locations.push(location);
            rest = around;
        }
        let mut entry = Vec::new();
        numbers(1, &locations, &mut entry);
        self.stacks.number(&entry)
    }

    /// The `Location` at the leaf's end of a stack, and the stack around it.
    fn location(&mut self, stack: StackId) -> (u64, StackId) {
        if let Some(known) = self.ends.get(&stack) {
            return *known;
        }
        let mut chain = std::mem::take(&mut self.chain);
        let around = self.profile.innermost(stack, &mut chain);
        let location = self.write_location(&chain);
        self.chain = chain;
        self.ends.insert(stack, (location, around));
        (location, around)
    }

    fn write_location(&mut self, chain: &[FrameId]) -> u64 {
        let Some(outermost) = chain.last().map(|frame| self.profile.frame_of(*frame)) else {
            return 0;
        };
        let mut entry = Vec::new();
        varint_field(1, self.mapping(outermost.module, outermost.build_id), &mut entry);
        varint_field(2, outermost.address, &mut entry);
        for frame in chain.iter().map(|frame| self.profile.frame_of(*frame)) {
            // A location without a line is what there is for a function that is not known.
            if frame.function == TextId::EMPTY {
                continue;
            }
            let function = self.function(frame.function, frame.file);
            nested(3, &mut entry, |out| {
                varint_field(1, function, out);
                varint_field(2, frame.line.into(), out);
            });
        }
        if let Some(kind) = frame_type(outermost.kind) {
            let attribute = self.attribute("profile.frame.type", Any::Text(kind));
            numbers(4, &[attribute], &mut entry);
        }
        self.locations.number(&entry)
    }

    /// A `Function`; its name is also what the system calls it.
    fn function(&mut self, name: TextId, file: TextId) -> u64 {
        let texts = self.profile.texts();
        let (name, file) = (self.text(texts.get(name)), self.text(texts.get(file)));
        let mut entry = Vec::new();
        for (tag, number) in [(1, name), (2, name), (3, file)] {
            varint_field(tag, number, &mut entry);
        }
        self.functions.number(&entry)
    }

    /// A `Mapping`; none for code of no module.
    fn mapping(&mut self, module: TextId, build_id: TextId) -> u64 {
        if module == TextId::EMPTY {
            return 0;
        }
        let texts = self.profile.texts();
        let mut entry = Vec::new();
        varint_field(4, self.text(texts.get(module)), &mut entry);
        let build_id = texts.get(build_id);
        if !build_id.is_empty() {
            let is_gnu = build_id.bytes().all(|it| it.is_ascii_hexdigit());
            let maker = if is_gnu { "gnu" } else { "go" };
            let key = format!("process.executable.build_id.{maker}");
            let attribute = self.attribute(&key, Any::Text(build_id));
            numbers(5, &[attribute], &mut entry);
        }
        self.mappings.number(&entry)
    }
}

/// What the conventions call it, where they have a word.
fn frame_type(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Native | Kind::Inlined => Some("native"),
        Kind::Kernel => Some("kernel"),
        Kind::Interpreted | Kind::Jit | Kind::Marker | Kind::Owner => None,
    }
}

/// Whole numbers that are repeated, packed; nothing for none.
pub(super) fn numbers(tag: u32, all: &[u64], out: &mut Vec<u8>) {
    if !all.is_empty() {
        nested(tag, out, |out| all.iter().for_each(|number| encode_varint(*number, out)));
    }
}
