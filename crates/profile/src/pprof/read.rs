//! Reads pprof's message, whoever wrote it.
//!
//! Twice over the bytes: first the tables, which may stand behind the samples that need them, then the samples,
//! one at a time into the profile, whose limits bound what becomes of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::num::NonZeroU64;

use flate2::read::MultiGzDecoder;
use foldhash::fast::RandomState;

use super::wire::{Malformed, Piece, Value};
use super::{GZIP, MAX_BYTES, comments, keys};
use crate::frame::{Frame, FrameId, Kind};
use crate::metadata::ValueType;
use crate::owner::Owner;
use crate::profile::{Limits, Profile};
use crate::text::TextId;

/// No location may have more functions inlined into one.
const MAX_LINES: usize = 64;
/// No table may have more entries.
const MAX_ENTRIES: usize = 1 << 22;
/// No profile may have more types of values.
const MAX_TYPES: usize = 16;
/// So many names of labels that are not kept are told.
const MAX_TOLD: usize = 8;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not whole, or not gzip.
    #[error("cannot unpack it: {0}")]
    Gzip(#[from] io::Error),
    /// Unpacked, it is larger than anything that is read.
    #[error("it has more than {} MiB, unpacked", MAX_BYTES >> 20)]
    TooLarge,
    /// It is not the message.
    #[error("it is not pprof's message: {0}")]
    Malformed(#[from] Malformed),
    /// Something is named that is not there.
    #[error("byte {offset}: there is no {what} {id}")]
    Missing {
        /// Offset into the unpacked file.
        offset: usize,
        /// `function`, `location`, …
        what: &'static str,
        /// Its id or index.
        id: u64,
    },
    /// A table has more entries than are read.
    #[error("it has more than {MAX_ENTRIES} entries in a table, or {MAX_TYPES} types of values")]
    TooMany,
    /// Nothing is measured.
    #[error("it has no type of value")]
    NoTypes,
    /// A sample has another number of values than there are types.
    #[error("byte {offset}: a sample has {found} values where there are {expected} types")]
    Values {
        /// Offset into the unpacked file.
        offset: usize,
        /// Types.
        expected: usize,
        /// Values.
        found: usize,
    },
    /// A value is negative: a difference of profiles is not one.
    #[error("byte {offset}: a value is negative, as in the difference of two profiles")]
    Negative {
        /// Offset into the unpacked file.
        offset: usize,
    },
}

/// Reads a profile, packed with gzip or not.
///
/// # Errors
/// When it is damaged, names what is not there, or is too large.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Profile, Error> {
    if !bytes.starts_with(&GZIP) {
        return if bytes.len() > MAX_BYTES {
            Err(Error::TooLarge)
        } else {
            read_message(bytes, limits)
        };
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes).take(MAX_BYTES as u64 + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() > MAX_BYTES {
        return Err(Error::TooLarge);
    }
    read_message(&unpacked, limits)
}

fn read_message(bytes: &[u8], limits: Limits) -> Result<Profile, Error> {
    let whole = Piece { bytes, offset: 0 };
    let tables = Tables::read(whole)?;
    let mut types = Vec::with_capacity(tables.types.len());
    for (name, unit, offset) in &tables.types {
        types.push(ValueType {
            name: tables.text(*name, *offset)?.into_owned(),
            unit: tables.text(*unit, *offset)?.into_owned(),
        });
    }
    if types.is_empty() {
        return Err(Error::NoTypes);
    }
    let mut profile = Profile::new(types, limits);
    tables.tell_metadata(&mut profile)?;
    let frames = tables.frames(&mut profile)?;
    let mut samples = Samples {
        tables: &tables,
        frames: &frames,
        depth: limits.depth.saturating_add(1),
        path: Vec::new(),
        values: Vec::new(),
        texts: HashMap::default(),
        unknown: BTreeMap::new(),
    };
    for field in whole.fields() {
        if let (2, Value::Piece(sample)) = field? {
            samples.add(sample, &mut profile)?;
        }
    }
    let unknown: Vec<String> = (samples.unknown.into_iter())
        .map(|(key, samples)| format!("{key} (of {samples} samples)"))
        .collect();
    if !unknown.is_empty() {
        profile.metadata.notes.push(format!("labels that are not kept: {}", unknown.join(", ")));
    }
    Ok(profile)
}

struct Function {
    name: u64,
    file: u64,
    offset: usize,
}

#[derive(Default)]
struct Mapping {
    start: u64,
    limit: u64,
    file_offset: u64,
    file: u64,
    build_id: u64,
    offset: usize,
}

struct Line {
    function: u64,
    line: u64,
}

struct Location {
    mapping: u64,
    address: u64,
    lines: std::ops::Range<usize>,
    offset: usize,
}

/// All but the samples.
#[derive(Default)]
struct Tables<'a> {
    types: Vec<(u64, u64, usize)>,
    strings: Vec<&'a [u8]>,
    functions: HashMap<u64, Function, RandomState>,
    mappings: HashMap<u64, Mapping, RandomState>,
    locations: HashMap<u64, Location, RandomState>,
    lines: Vec<Line>,
    comments: Vec<(u64, usize)>,
    start_unix_ns: u64,
    duration_ns: u64,
    period_type: Option<(u64, u64, usize)>,
    period: u64,
    default_type: (u64, usize),
    /// There is a text that labels samples with their time.
    keeps_times: bool,
}

impl<'a> Tables<'a> {
    fn read(whole: Piece<'a>) -> Result<Self, Error> {
        let mut tables = Self::default();
        for field in whole.fields() {
            match field? {
                (1, Value::Piece(piece)) => tables.types.push(value_type(piece)?),
                (3, Value::Piece(piece)) => tables.mapping(piece)?,
                (4, Value::Piece(piece)) => tables.location(piece)?,
                (5, Value::Piece(piece)) => tables.function(piece)?,
                (6, Value::Piece(piece)) => tables.strings.push(piece.bytes),
                (9, Value::Number(number)) => tables.start_unix_ns = number,
                (10, Value::Number(number)) => tables.duration_ns = number,
                (11, Value::Piece(piece)) => tables.period_type = Some(value_type(piece)?),
                (12, Value::Number(number)) => tables.period = number,
                (13, value) => value.numbers(|number| {
                    if tables.comments.len() < MAX_ENTRIES {
                        tables.comments.push((number, whole.offset));
                    }
                    Ok(())
                })?,
                (14, Value::Number(number)) => tables.default_type = (number, whole.offset),
                _ => {}
            }
            let entries = [
                tables.strings.len(),
                tables.functions.len(),
                tables.mappings.len(),
                tables.locations.len(),
                tables.lines.len(),
                // So that a few types are as many as a lot of entries.
                tables.types.len() * (MAX_ENTRIES / MAX_TYPES),
            ];
            if entries.iter().any(|entries| *entries > MAX_ENTRIES) {
                return Err(Error::TooMany);
            }
        }
        tables.keeps_times =
            tables.strings.iter().any(|text| keys::TIME.iter().any(|key| key.as_bytes() == *text));
        Ok(tables)
    }

    fn mapping(&mut self, piece: Piece<'a>) -> Result<(), Error> {
        let mut id = 0;
        let mut mapping = Mapping { offset: piece.offset, ..Mapping::default() };
        for field in piece.fields() {
            match field? {
                (1, Value::Number(number)) => id = number,
                (2, Value::Number(number)) => mapping.start = number,
                (3, Value::Number(number)) => mapping.limit = number,
                (4, Value::Number(number)) => mapping.file_offset = number,
                (5, Value::Number(number)) => mapping.file = number,
                (6, Value::Number(number)) => mapping.build_id = number,
                _ => {}
            }
        }
        self.mappings.insert(id, mapping);
        Ok(())
    }

    fn function(&mut self, piece: Piece<'a>) -> Result<(), Error> {
        let (mut id, mut name, mut system_name, mut file) = (0, 0, 0, 0);
        for field in piece.fields() {
            match field? {
                (1, Value::Number(number)) => id = number,
                (2, Value::Number(number)) => name = number,
                (3, Value::Number(number)) => system_name = number,
                (4, Value::Number(number)) => file = number,
                _ => {}
            }
        }
        let name = if name == 0 { system_name } else { name };
        self.functions.insert(id, Function { name, file, offset: piece.offset });
        Ok(())
    }

    fn location(&mut self, piece: Piece<'a>) -> Result<(), Error> {
        let (mut id, mut mapping, mut address) = (0, 0, 0);
        let start = self.lines.len();
        for field in piece.fields() {
            match field? {
                (1, Value::Number(number)) => id = number,
                (2, Value::Number(number)) => mapping = number,
                (3, Value::Number(number)) => address = number,
                (4, Value::Piece(line)) if self.lines.len() - start < MAX_LINES => {
                    self.line(line)?;
                }
                _ => {}
            }
        }
        let lines = start..self.lines.len();
        self.locations.insert(id, Location { mapping, address, lines, offset: piece.offset });
        Ok(())
    }

    fn line(&mut self, piece: Piece<'a>) -> Result<(), Malformed> {
        let (mut function, mut line) = (0, 0);
        for field in piece.fields() {
            match field? {
                (1, Value::Number(number)) => function = number,
                (2, Value::Number(number)) => line = number,
                _ => {}
            }
        }
        self.lines.push(Line { function, line });
        Ok(())
    }

    fn text(&self, index: u64, offset: usize) -> Result<Cow<'a, str>, Error> {
        let found = usize::try_from(index).ok().and_then(|index| self.strings.get(index));
        let missing = Error::Missing { offset, what: "string", id: index };
        found.map(|bytes| lossy(bytes)).ok_or(missing)
    }

    fn tell_metadata(&self, profile: &mut Profile) -> Result<(), Error> {
        let metadata = &mut profile.metadata;
        let known = |number: u64| Some(number).filter(|number| *number != 0);
        metadata.start_unix_ns = known(self.start_unix_ns);
        metadata.duration_ns = known(self.duration_ns);
        if let (Some((name, unit, offset)), Some(period)) = (self.period_type, known(self.period)) {
            let of = ValueType {
                name: self.text(name, offset)?.into_owned(),
                unit: self.text(unit, offset)?.into_owned(),
            };
            if of.unit == "nanoseconds" {
                metadata.frequency_hz = u32::try_from((1_000_000_000 + period / 2) / period).ok();
            }
            metadata.period = Some((of, period));
        }
        for (index, offset) in &self.comments {
            let comment = self.text(*index, *offset)?;
            if let Some(host) = comment.strip_prefix(comments::HOST) {
                metadata.host = Some(host.to_owned());
                continue;
            }
            let lost = comment.strip_prefix(comments::LOST).and_then(|rest| rest.split_once(": "));
            match lost.and_then(|(samples, reason)| Some((samples.parse().ok()?, reason))) {
                Some((samples, reason)) => metadata.lose(reason, samples),
                None => metadata.comments.push(comment.into_owned()),
            }
        }
        if self.keeps_times {
            profile.keep_times(NonZeroU64::MIN);
        }
        let (index, offset) = self.default_type;
        if index != 0 {
            let name = self.text(index, offset)?;
            let types = profile.value_types();
            let position = types.iter().position(|it| it.name == name.as_ref());
            profile.metadata.default_value = position;
        }
        Ok(())
    }

    /// The frames of each location, from the root.
    fn frames(
        &self,
        profile: &mut Profile,
    ) -> Result<HashMap<u64, Vec<FrameId>, RandomState>, Error> {
        let mut all = HashMap::default();
        for (id, location) in &self.locations {
            all.insert(*id, self.frames_of(location, profile)?);
        }
        Ok(all)
    }

    fn frames_of(&self, location: &Location, profile: &mut Profile) -> Result<Vec<FrameId>, Error> {
        let offset = location.offset;
        let mapping = match location.mapping {
            0 => &Mapping::default(),
            id => self.mappings.get(&id).ok_or(Error::Missing { offset, what: "mapping", id })?,
        };
        let text = |index| match index {
            0 => Ok(Cow::Borrowed("")),
            index => self.text(index, mapping.offset),
        };
        let (module, build_id) = (text(mapping.file)?, text(mapping.build_id)?);
        // As the file's symbols count, where the mapping tells.
        let is_inside = (mapping.start..mapping.limit).contains(&location.address);
        let address = if is_inside {
            (location.address - mapping.start).wrapping_add(mapping.file_offset)
        } else {
            location.address
        };
        let (module_id, build_id) = (profile.text(&module), profile.text(&build_id));
        let lines = self.lines.get(location.lines.clone()).unwrap_or_default();
        if lines.is_empty() {
            let kind = Kind::guess("", &module, "");
            let frame = Frame { module: module_id, build_id, address, kind, ..Frame::default() };
            return Ok(vec![profile.frame(frame)]);
        }
        let mut frames = Vec::with_capacity(lines.len());
        for (index, line) in lines.iter().rev().enumerate() {
            let id = line.function;
            let function = self.functions.get(&id);
            let function = function.ok_or(Error::Missing { offset, what: "function", id })?;
            let name = self.text(function.name, function.offset)?;
            let file = self.text(function.file, function.offset)?;
            let kind = match Kind::guess(&name, &module, &file) {
                Kind::Native if index > 0 => Kind::Inlined,
                kind => kind,
            };
            let frame = Frame {
                function: profile.text(&name),
                module: module_id,
                build_id,
                file: profile.text(&file),
                line: u32::try_from(line.line).unwrap_or(0),
                kind,
                address,
            };
            frames.push(profile.frame(frame));
        }
        Ok(frames)
    }
}

struct Samples<'t, 'a> {
    tables: &'t Tables<'a>,
    frames: &'t HashMap<u64, Vec<FrameId>, RandomState>,
    /// So many frames from the leaf are enough: a profile cuts the rest.
    depth: usize,
    path: Vec<FrameId>,
    values: Vec<u64>,
    texts: HashMap<u64, TextId, RandomState>,
    /// Labels that are not kept, with how many samples have them.
    unknown: BTreeMap<String, u64>,
}

impl Samples<'_, '_> {
    fn add(&mut self, piece: Piece<'_>, profile: &mut Profile) -> Result<(), Error> {
        let offset = piece.offset;
        self.path.clear();
        self.values.clear();
        let mut owner = Owner::default();
        let mut time = None;
        let mut missing = None;
        for field in piece.fields() {
            match field? {
                (1, value) => value.numbers(|id| {
                    match self.frames.get(&id) {
                        Some(frames) if self.path.len() < self.depth => {
                            self.path.extend(frames.iter().rev());
                        }
                        Some(_) => {}
                        None => missing = missing.or(Some(id)),
                    }
                    Ok(())
                })?,
                (2, value) => value.numbers(|value| {
                    if self.values.len() <= MAX_TYPES {
                        self.values.push(value);
                    }
                    Ok(())
                })?,
                (3, Value::Piece(label)) => self.label(label, &mut owner, &mut time, profile)?,
                _ => {}
            }
        }
        if let Some(id) = missing {
            return Err(Error::Missing { offset, what: "location", id });
        }
        if self.values.iter().any(|value| *value > i64::MAX as u64) {
            return Err(Error::Negative { offset });
        }
        self.path.reverse();
        let stack = profile.stack(&self.path);
        let owner = profile.owner(owner);
        profile.add(stack, owner, time, &self.values).map_err(|error| Error::Values {
            offset,
            expected: error.expected,
            found: error.found,
        })
    }

    fn label(
        &mut self,
        piece: Piece<'_>,
        owner: &mut Owner,
        time: &mut Option<u64>,
        profile: &mut Profile,
    ) -> Result<(), Error> {
        let offset = piece.offset;
        let (mut key, mut text, mut number) = (0, 0, 0);
        for field in piece.fields() {
            match field? {
                (1, Value::Number(index)) => key = index,
                (2, Value::Number(index)) => text = index,
                (3, Value::Number(value)) => number = value,
                _ => {}
            }
        }
        let key = self.tables.text(key, offset)?;
        let key = key.as_ref();
        let is = |keys: &[&str]| keys.contains(&key);
        let words = [
            (keys::PROCESS, &mut owner.process),
            (keys::THREAD, &mut owner.thread),
            (keys::CONTAINER, &mut owner.container),
            (keys::POD, &mut owner.pod),
            (keys::NAMESPACE, &mut owner.namespace),
            (keys::NODE, &mut owner.node),
        ];
        if let Some((_, field)) = words.into_iter().find(|(keys, _)| is(keys)) {
            *field = match self.texts.get(&text) {
                Some(known) => *known,
                None => {
                    let id = profile.text(&self.tables.text(text, offset)?);
                    self.texts.insert(text, id);
                    id
                }
            };
            return Ok(());
        }
        if number == 0 && text != 0 {
            number = self.tables.text(text, offset)?.parse().unwrap_or(0);
        }
        if is(keys::PID) {
            owner.pid = u32::try_from(number).unwrap_or(0);
        } else if is(keys::TID) {
            owner.tid = u32::try_from(number).unwrap_or(0);
        } else if is(keys::START) {
            owner.start_boottime_ns = number;
        } else if is(keys::TIME) {
            *time = Some(number);
        } else if self.unknown.len() < MAX_TOLD || self.unknown.contains_key(key) {
            *self.unknown.entry(key.to_owned()).or_default() += 1;
        }
        Ok(())
    }
}

fn value_type(piece: Piece<'_>) -> Result<(u64, u64, usize), Malformed> {
    let (mut name, mut unit) = (0, 0);
    for field in piece.fields() {
        match field? {
            (1, Value::Number(number)) => name = number,
            (2, Value::Number(number)) => unit = number,
            _ => {}
        }
    }
    Ok((name, unit, piece.offset))
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
