//! Entries by their number, in segments, so that growing moves nothing and a push takes its time but
//! never more.

use std::collections::VecDeque;
use std::ops::Range;

use super::Entry;

/// Entries of a segment.
const SEGMENT: usize = 1024;

/// Segments hold whole thousands of numbers: a number's place follows from it. Of the first segment, the
/// entries before the oldest are gone.
#[derive(Debug, Default)]
pub(super) struct Segments {
    segments: VecDeque<Vec<Option<Entry>>>,
    /// Emptied, to be filled again.
    spare: Option<Vec<Option<Entry>>>,
    oldest: u64,
    next: u64,
}

impl Segments {
    pub fn range(&self) -> Range<u64> {
        self.oldest..self.next
    }

    pub fn len(&self) -> u64 {
        self.next - self.oldest
    }

    /// What the segments themselves take.
    pub fn bytes(&self) -> usize {
        let count = self.segments.len() + usize::from(self.spare.is_some());
        count * SEGMENT * size_of::<Option<Entry>>()
    }

    /// Where a number lies.
    fn place(&self, number: u64) -> Option<(usize, usize)> {
        let first = self.oldest / SEGMENT as u64;
        let segment = (number / SEGMENT as u64).checked_sub(first)?;
        Some((usize::try_from(segment).ok()?, (number % SEGMENT as u64) as usize))
    }

    pub fn get(&self, number: u64) -> Option<&Entry> {
        let (segment, place) = self.place(number)?;
        self.segments.get(segment)?.get(place)?.as_ref()
    }

    pub fn first(&self) -> Option<&Entry> {
        self.get(self.oldest)
    }

    pub fn push(&mut self, entry: Entry) {
        if self.next.is_multiple_of(SEGMENT as u64) {
            let empty = self.spare.take().unwrap_or_else(|| Vec::with_capacity(SEGMENT));
            self.segments.push_back(empty);
        }
        if let Some(last) = self.segments.back_mut() {
            last.push(Some(entry));
        }
        self.next += 1;
    }

    /// Takes the oldest out.
    pub fn pop(&mut self) -> Option<Entry> {
        let (segment, place) = self.place(self.oldest)?;
        let entry = self.segments.get_mut(segment)?.get_mut(place)?.take()?;
        self.oldest += 1;
        if self.oldest.is_multiple_of(SEGMENT as u64)
            && let Some(mut emptied) = self.segments.pop_front()
        {
            emptied.clear();
            self.spare = Some(emptied);
        }
        Some(entry)
    }
}
