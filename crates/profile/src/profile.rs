//! The model: samples, each with a stack, an owner, perhaps a time, and a value of each type.
//!
//! Stacks are a tree: each is its parent and one frame more, so that what they share is kept once. Samples
//! that are alike are one with the sum of their values. All of it is bounded by [`Limits`]; what is beyond them
//! is kept as a value on [`LOST`], so that the sum over samples is always the sum of what was added.

use std::num::NonZeroU64;

use crate::frame::{Frame, FrameId, Kind};
use crate::interner::Interner;
use crate::metadata::{Metadata, ValueType};
use crate::owner::{Owner, OwnerId};
use crate::text::{TextId, Texts};

/// The frame that stands for what there was no memory for.
pub const LOST: &str = "[lost: the profile is full]";

/// The frame at the root of a stack whose outer frames were cut off.
pub const TRUNCATED: &str = "[truncated]";

/// How large a profile may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all texts.
    pub text_bytes: usize,
    /// Distinct frames.
    pub frames: usize,
    /// Distinct stacks, those that others begin with included.
    pub stacks: usize,
    /// Distinct owners.
    pub owners: usize,
    /// Distinct samples.
    pub samples: usize,
    /// Frames of one stack.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 256 << 20,
            frames: 1 << 21,
            stacks: 1 << 23,
            owners: 1 << 18,
            samples: 1 << 22,
            depth: 1024,
        }
    }
}

/// A stack of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(u32);

impl StackId {
    /// That of no frames.
    pub const EMPTY: Self = Self(0);

    /// Its index: parents have smaller ones.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A stack: what is around its last frame, and that frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stack {
    parent: StackId,
    frame: FrameId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    stack: StackId,
    owner: OwnerId,
    slot: u64,
}

/// The slot of samples whose time is not known.
const NO_TIME: u64 = u64::MAX;

/// A sample: all that was alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Where.
    pub stack: StackId,
    /// Whose.
    pub owner: OwnerId,
    /// When, in ns since the profile's start, as exactly as the profile keeps it.
    pub time_ns: Option<u64>,
    /// How much, of each of the profile's types.
    pub values: &'a [u64],
}

/// A sample has another number of values than its profile has types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sample has {found} values where the profile has {expected} types")]
pub struct ValueCountError {
    /// Of the profile.
    pub expected: usize,
    /// Of the sample.
    pub found: usize,
}

/// Profiles that measure different things cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("one profile has {}, the other {}", names(.0), names(.1))]
pub struct MergeError(Vec<ValueType>, Vec<ValueType>);

impl MergeError {
    pub(crate) fn new(one: &[ValueType], other: &[ValueType]) -> Self {
        Self(one.to_vec(), other.to_vec())
    }
}

fn names(types: &[ValueType]) -> String {
    let names: Vec<_> = types.iter().map(|it| format!("{}/{}", it.name, it.unit)).collect();
    names.join(", ")
}

/// A profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What is known of it as a whole.
    pub metadata: Metadata,
    value_types: Vec<ValueType>,
    time_resolution_ns: Option<NonZeroU64>,
    limits: Limits,
    texts: Texts,
    frames: Interner<Frame>,
    stacks: Interner<Stack>,
    owners: Interner<Owner>,
    samples: Interner<Key>,
    /// As many a sample as there are types.
    values: Vec<u64>,
    displaced: u64,
}

/// The frame [`LOST`].
const LOST_FRAME: FrameId = FrameId(0);
/// The stack of that frame alone.
const LOST_STACK: StackId = StackId(1);

impl Profile {
    /// An empty one that keeps these types of values, and no times.
    pub fn new(value_types: Vec<ValueType>, limits: Limits) -> Self {
        let mut profile = Self {
            metadata: Metadata::default(),
            value_types,
            time_resolution_ns: None,
            limits,
            texts: Texts::default(),
            frames: Interner::default(),
            stacks: Interner::default(),
            owners: Interner::default(),
            samples: Interner::default(),
            values: Vec::new(),
            displaced: 0,
        };
        // What stands for all else is there before there can be too much of anything.
        let function = profile.texts.intern(LOST, usize::MAX).unwrap_or_default();
        let lost = Frame { function, kind: Kind::Marker, ..Frame::default() };
        profile.frames.intern(lost, usize::MAX);
        let nowhere = Stack { parent: StackId(u32::MAX), frame: FrameId(u32::MAX) };
        profile.stacks.intern(nowhere, usize::MAX);
        profile.stacks.intern(Stack { parent: StackId::EMPTY, frame: LOST_FRAME }, usize::MAX);
        profile.owners.intern(Owner::default(), usize::MAX);
        profile
    }

    /// Keeps times, in steps of so many ns: samples that are alike are one only within a step.
    pub fn keep_times(&mut self, resolution_ns: NonZeroU64) {
        self.time_resolution_ns = Some(resolution_ns);
    }

    /// Whether it keeps times, and in which steps.
    pub fn time_resolution_ns(&self) -> Option<NonZeroU64> {
        self.time_resolution_ns
    }

    /// What it measures.
    pub fn value_types(&self) -> &[ValueType] {
        &self.value_types
    }

    /// The index of the type that is shown unless another is asked for: pprof takes the last.
    pub fn default_value(&self) -> usize {
        let last = self.value_types.len().saturating_sub(1);
        self.metadata.default_value.filter(|index| *index <= last).unwrap_or(last)
    }

    /// A text; when there is no room for it, [`LOST`].
    pub fn text(&mut self, text: &str) -> TextId {
        let id = self.texts.intern(text, self.limits.text_bytes);
        id.unwrap_or_else(|| self.frame_of(LOST_FRAME).function)
    }

    /// A frame; when there is no room for it, [`LOST`].
    pub fn frame(&mut self, frame: Frame) -> FrameId {
        self.frames.intern(frame, self.limits.frames).map_or(LOST_FRAME, FrameId)
    }

    /// A marker: `[truncated]`.
    pub fn marker(&mut self, text: &str) -> FrameId {
        let function = self.text(text);
        self.frame(Frame { function, kind: Kind::Marker, ..Frame::default() })
    }

    /// An owner; when there is no room for it, nobody.
    pub fn owner(&mut self, owner: Owner) -> OwnerId {
        self.owners.intern(owner, self.limits.owners).map_or(OwnerId::UNKNOWN, OwnerId)
    }

    /// A stack, from the root to the leaf. Of one that is too deep the leaf's end is kept, below
    /// [`TRUNCATED`]; when there is no room for it, it is that of [`LOST`].
    pub fn stack(&mut self, frames: &[FrameId]) -> StackId {
        let mut stack = StackId::EMPTY;
        let cut = frames.len().saturating_sub(self.limits.depth);
        if cut > 0 {
            let truncated = self.marker(TRUNCATED);
            stack = self.push(stack, truncated);
        }
        for frame in frames.iter().skip(cut) {
            stack = self.push(stack, *frame);
        }
        stack
    }

    fn push(&mut self, parent: StackId, frame: FrameId) -> StackId {
        if parent == LOST_STACK {
            return LOST_STACK;
        }
        self.stacks.intern(Stack { parent, frame }, self.limits.stacks).map_or(LOST_STACK, StackId)
    }

    /// Adds a sample, at so many ns since the profile's start.
    ///
    /// # Errors
    /// When it has not one value for each type.
    pub fn add(
        &mut self,
        stack: StackId,
        owner: OwnerId,
        time_ns: Option<u64>,
        values: &[u64],
    ) -> Result<(), ValueCountError> {
        let types = self.value_types.len();
        if values.len() != types {
            return Err(ValueCountError { expected: types, found: values.len() });
        }
        let slot = match (self.time_resolution_ns, time_ns) {
            (Some(step), Some(time)) => time / step,
            _ => NO_TIME,
        };
        let key = Key { stack, owner, slot };
        let number = match self.samples.intern(key, self.limits.samples) {
            Some(number) => number,
            None => {
                self.displaced += 1;
                let lost = Key { stack: LOST_STACK, owner: OwnerId::UNKNOWN, slot: NO_TIME };
                self.samples.intern(lost, usize::MAX).unwrap_or_default()
            }
        };
        let start = number as usize * types;
        if self.values.len() < start + types {
            self.values.resize(start + types, 0);
        }
        for (sum, value) in self.values.iter_mut().skip(start).zip(values) {
            *sum = sum.saturating_add(*value);
        }
        Ok(())
    }

    /// All samples, in the order in which the first of each came.
    pub fn samples(&self) -> impl Iterator<Item = Sample<'_>> {
        let types = self.value_types.len();
        self.samples.items().iter().enumerate().map(move |(index, key)| Sample {
            stack: key.stack,
            owner: key.owner,
            time_ns: self
                .time_resolution_ns
                .filter(|_| key.slot != NO_TIME)
                .map(|step| step.get().saturating_mul(key.slot)),
            values: self.values.get(index * types..(index + 1) * types).unwrap_or_default(),
        })
    }

    /// How many distinct samples there are.
    pub fn sample_count(&self) -> usize {
        self.samples.len()
    }

    /// How many stacks there are, the empty one and those that others begin with included.
    pub fn stack_count(&self) -> usize {
        self.stacks.len()
    }

    /// How many samples were added of which only the values are known, because it was full.
    pub fn displaced(&self) -> u64 {
        self.displaced
    }

    /// The sum of all samples, of each type.
    pub fn totals(&self) -> Vec<u64> {
        let mut totals = vec![0_u64; self.value_types.len()];
        for sample in self.samples() {
            for (sum, value) in totals.iter_mut().zip(sample.values) {
                *sum = sum.saturating_add(*value);
            }
        }
        totals
    }

    /// Its texts.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The frame of this id.
    pub fn frame_of(&self, id: FrameId) -> Frame {
        self.frames.get(id.0).unwrap_or_default()
    }

    /// All frames.
    pub fn frames(&self) -> &[Frame] {
        self.frames.items()
    }

    /// The owner of this id.
    pub fn owner_of(&self, id: OwnerId) -> Owner {
        self.owners.get(id.0).unwrap_or_default()
    }

    /// All owners.
    pub fn owners(&self) -> &[Owner] {
        self.owners.items()
    }

    /// What is around the last frame of a stack, and that frame; nothing of the empty one.
    pub fn split(&self, stack: StackId) -> Option<(StackId, FrameId)> {
        if stack == StackId::EMPTY {
            return None;
        }
        self.stacks.get(stack.0).map(|stack| (stack.parent, stack.frame))
    }

    /// The frames that are one place in memory at the leaf's end of a stack: what was inlined, and what it was
    /// inlined into, last. They replace what is in `chain`; what is around them is given back.
    pub fn innermost(&self, stack: StackId, chain: &mut Vec<FrameId>) -> StackId {
        chain.clear();
        let mut around = stack;
        while let Some((parent, frame)) = self.split(around) {
            chain.push(frame);
            around = parent;
            if self.frame_of(frame).kind != Kind::Inlined {
                break;
            }
        }
        around
    }

    /// The frames of a stack from the leaf to the root.
    pub fn frames_from_leaf(&self, stack: StackId) -> impl Iterator<Item = FrameId> {
        let mut rest = stack;
        std::iter::from_fn(move || {
            let (parent, frame) = self.split(rest)?;
            rest = parent;
            Some(frame)
        })
    }

    /// All stacks, parents before their children.
    pub fn stacks(&self) -> impl Iterator<Item = StackId> + use<> {
        (0..u32::try_from(self.stacks.len()).unwrap_or(u32::MAX)).map(StackId)
    }

    /// Without samples, and otherwise the same.
    pub(crate) fn empty_like(&self) -> Self {
        let mut empty = Self::new(self.value_types.clone(), self.limits);
        empty.metadata = self.metadata.clone();
        empty.time_resolution_ns = self.time_resolution_ns;
        empty
    }

    /// Takes in all samples of another profile.
    ///
    /// # Errors
    /// When the two do not measure the same.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        let order: Option<Vec<usize>> = (self.value_types.iter())
            .map(|wanted| other.value_types.iter().position(|it| it == wanted))
            .collect();
        let Some(order) = order.filter(|order| order.len() == other.value_types.len()) else {
            return Err(MergeError::new(&self.value_types, &other.value_types));
        };
        let shift = match (self.metadata.start_unix_ns, other.metadata.start_unix_ns) {
            (Some(own), Some(others)) => others.checked_sub(own),
            _ => None,
        };
        self.metadata.merge(&other.metadata);
        self.take(other, shift, |sample, out| {
            out.extend(order.iter().map(|index| sample.values.get(*index).copied().unwrap_or(0)));
        });
        Ok(())
    }

    /// Takes in all samples of another, with values made from theirs, and times later by `shift`. Values of
    /// another number than there are types leave the sample out.
    pub(crate) fn take(
        &mut self,
        other: &Self,
        shift: Option<u64>,
        mut values_of: impl FnMut(&Sample<'_>, &mut Vec<u64>),
    ) {
        let mut translation = Translation::new(self, other);
        let mut values = Vec::new();
        for sample in other.samples() {
            values.clear();
            values_of(&sample, &mut values);
            if values.len() != translation.to.value_types.len() {
                continue;
            }
            let stack = translation.stack(sample.stack);
            let owner = translation.owner(sample.owner);
            let time = sample.time_ns.zip(shift).map(|(time, shift)| time.saturating_add(shift));
            let _ = translation.to.add(stack, owner, time, &values);
        }
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.texts.bytes()
            + self.frames.bytes()
            + self.stacks.bytes()
            + self.owners.bytes()
            + self.samples.bytes()
            + self.values.capacity() * size_of::<u64>()
    }
}

/// Numbers of one profile in another.
struct Translation<'a> {
    to: &'a mut Profile,
    from: &'a Profile,
    frames: Vec<Option<FrameId>>,
    stacks: Vec<Option<StackId>>,
    owners: Vec<Option<OwnerId>>,
}

impl<'a> Translation<'a> {
    fn new(to: &'a mut Profile, from: &'a Profile) -> Self {
        let mut stacks = vec![None; from.stacks.len()];
        if let Some(first) = stacks.first_mut() {
            *first = Some(StackId::EMPTY);
        }
        Self {
            frames: vec![None; from.frames.len()],
            owners: vec![None; from.owners.len()],
            stacks,
            to,
            from,
        }
    }

    fn text(&mut self, id: TextId) -> TextId {
        self.to.text(self.from.texts.get(id))
    }

    fn frame(&mut self, id: FrameId) -> FrameId {
        if let Some(known) = self.frames.get(id.0 as usize).copied().flatten() {
            return known;
        }
        let frame = self.from.frame_of(id);
        let translated = Frame {
            function: self.text(frame.function),
            module: self.text(frame.module),
            build_id: self.text(frame.build_id),
            file: self.text(frame.file),
            ..frame
        };
        let translated = self.to.frame(translated);
        if let Some(place) = self.frames.get_mut(id.0 as usize) {
            *place = Some(translated);
        }
        translated
    }

    fn owner(&mut self, id: OwnerId) -> OwnerId {
        if let Some(known) = self.owners.get(id.0 as usize).copied().flatten() {
            return known;
        }
        let owner = self.from.owner_of(id);
        let translated = Owner {
            process: self.text(owner.process),
            thread: self.text(owner.thread),
            container: self.text(owner.container),
            pod: self.text(owner.pod),
            namespace: self.text(owner.namespace),
            node: self.text(owner.node),
            ..owner
        };
        let translated = self.to.owner(translated);
        if let Some(place) = self.owners.get_mut(id.0 as usize) {
            *place = Some(translated);
        }
        translated
    }

    /// Up to what is known already, and down again.
    fn stack(&mut self, id: StackId) -> StackId {
        let known = |it: &Self, id: StackId| it.stacks.get(id.index()).copied().flatten();
        let mut path = Vec::new();
        let mut at = id;
        let mut translated = loop {
            match (known(self, at), self.from.split(at)) {
                (Some(known), _) => break known,
                (None, Some((parent, frame))) => {
                    path.push((at, frame));
                    at = parent;
                }
                (None, None) => break StackId::EMPTY,
            }
        };
        while let Some((from, frame)) = path.pop() {
            let frame = self.frame(frame);
            translated = self.to.push(translated, frame);
            if let Some(place) = self.stacks.get_mut(from.index()) {
                *place = Some(translated);
            }
        }
        translated
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
