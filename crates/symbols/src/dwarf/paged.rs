//! Sections of DWARF, read block by block as they are asked for: a program with debug information has a hundred
//! megabytes of it, and some addresses need a few.
//!
//! Of each section the blocks that were read last are kept, in a table that a block has one place in. Sections that
//! are packed are unpacked as a whole.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use gimli::{Error, LittleEndian, ReaderOffsetId};
use memchr::memchr;

use crate::source::Source;

const BLOCK_BYTES: usize = 16 << 10;
/// Blocks of one section that are kept.
const BLOCKS: usize = 32;
/// No text that is looked for is longer.
const MAX_SEARCHED_BYTES: usize = 1 << 20;

/// A section.
pub(super) enum Section {
    /// Its content.
    Whole(Vec<u8>),
    /// Where its content is in a file.
    Part { source: Arc<Source>, offset: u64, bytes: usize, blocks: RefCell<Vec<Block>> },
}

/// A block that was read: its number, and its bytes.
pub(super) type Block = Option<(usize, Box<[u8]>)>;

impl Section {
    /// So many bytes of a file from an offset on.
    pub fn part(source: Arc<Source>, offset: u64, bytes: usize) -> Self {
        let blocks = bytes.div_ceil(BLOCK_BYTES).min(BLOCKS);
        let blocks = std::iter::repeat_with(|| None).take(blocks).collect();
        Self::Part { source, offset, bytes, blocks: RefCell::new(blocks) }
    }

    fn length(&self) -> usize {
        match self {
            Self::Whole(content) => content.len(),
            Self::Part { bytes, .. } => *bytes,
        }
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Whole(content) => content.capacity(),
            Self::Part { blocks, .. } => blocks.borrow().iter().flatten().count() * BLOCK_BYTES,
        }
    }

    /// Shows what is at an offset, as far as it lies together; `None` past the end, or where it cannot be read.
    fn at<T>(&self, offset: usize, show: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let (source, start, bytes, blocks) = match self {
            Self::Whole(content) => return content.get(offset..).map(show),
            Self::Part { source, offset, bytes, blocks } => (source, offset, *bytes, blocks),
        };
        let number = offset / BLOCK_BYTES;
        let mut blocks = blocks.borrow_mut();
        let place = number % BLOCKS;
        let place = blocks.get_mut(place)?;
        if place.as_ref().is_none_or(|(kept, _)| *kept != number) {
            let first = number * BLOCK_BYTES;
            let count = bytes.checked_sub(first)?.min(BLOCK_BYTES) as u64;
            let read = source.read(start.checked_add(first as u64)?, count).ok()?;
            *place = Some((number, read.into()));
        }
        let (_, block) = place.as_ref()?;
        block.get(offset % BLOCK_BYTES..).filter(|rest| !rest.is_empty()).map(show)
    }

    fn copy(&self, mut offset: usize, buffer: &mut [u8]) -> Option<()> {
        let mut rest = buffer;
        while !rest.is_empty() {
            let copied = self.at(offset, |part| {
                let count = part.len().min(rest.len());
                rest.get_mut(..count)?.copy_from_slice(part.get(..count)?);
                Some(count)
            })??;
            if copied == 0 {
                return None;
            }
            offset += copied;
            rest = rest.get_mut(copied..)?;
        }
        Some(())
    }
}

impl Debug for Section {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "Section({} bytes)", self.length())
    }
}

/// A place in a section, and how far it goes.
#[derive(Clone, Copy)]
pub(crate) struct Paged<'a> {
    section: &'a Section,
    start: usize,
    length: usize,
}

impl<'a> Paged<'a> {
    /// All of a section.
    pub(super) fn whole(section: &'a Section) -> Self {
        Self { section, start: 0, length: section.length() }
    }

    /// Its first bytes, so many at most.
    pub(super) fn text(mut self, most: usize) -> Vec<u8> {
        self.length = self.length.min(most);
        gimli::Reader::to_slice(&self).map(Cow::into_owned).unwrap_or_default()
    }

    /// So many bytes at an offset.
    pub(super) fn array<const BYTES: usize>(&self, offset: usize) -> Option<[u8; BYTES]> {
        let end = offset.checked_add(BYTES)?;
        let mut bytes = [0; BYTES];
        (end <= self.length).then(|| self.section.copy(self.start + offset, &mut bytes))??;
        Some(bytes)
    }

    fn ended(&self) -> Error {
        Error::UnexpectedEof(gimli::Reader::offset_id(self))
    }
}

impl Debug for Paged<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}+{}", self.start, self.length)
    }
}

impl gimli::Reader for Paged<'_> {
    type Endian = LittleEndian;
    type Offset = usize;

    fn endian(&self) -> LittleEndian {
        LittleEndian
    }

    fn len(&self) -> usize {
        self.length
    }

    fn empty(&mut self) {
        self.length = 0;
    }

    fn truncate(&mut self, length: usize) -> gimli::Result<()> {
        if length > self.length {
            return Err(self.ended());
        }
        self.length = length;
        Ok(())
    }

    fn offset_from(&self, base: &Self) -> usize {
        self.start.saturating_sub(base.start)
    }

    fn offset_id(&self) -> ReaderOffsetId {
        ReaderOffsetId(self.start as u64)
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        let at = usize::try_from(id.0).ok()?.checked_sub(self.start)?;
        (at <= self.length).then_some(at)
    }

    fn find(&self, byte: u8) -> gimli::Result<usize> {
        let most = self.length.min(MAX_SEARCHED_BYTES);
        let mut searched = 0;
        while searched < most {
            let found = self.section.at(self.start + searched, |part| {
                let part = part.get(..most - searched).unwrap_or(part);
                (memchr(byte, part), part.len())
            });
            match found {
                Some((Some(at), _)) => return Ok(searched + at),
                Some((None, count)) if count > 0 => searched += count,
                _ => break,
            }
        }
        Err(self.ended())
    }

    fn skip(&mut self, bytes: usize) -> gimli::Result<()> {
        self.length = self.length.checked_sub(bytes).ok_or_else(|| self.ended())?;
        self.start += bytes;
        Ok(())
    }

    fn split(&mut self, bytes: usize) -> gimli::Result<Self> {
        let mut first = *self;
        first.truncate(bytes)?;
        self.skip(bytes)?;
        Ok(first)
    }

    fn to_slice(&self) -> gimli::Result<Cow<'_, [u8]>> {
        let mut bytes = vec![0; self.length];
        let copied = self.section.copy(self.start, &mut bytes);
        copied.map(|()| Cow::Owned(bytes)).ok_or_else(|| self.ended())
    }

    fn to_string(&self) -> gimli::Result<Cow<'_, str>> {
        let bytes = self.to_slice()?.into_owned();
        String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Error::BadUtf8)
    }

    fn to_string_lossy(&self) -> gimli::Result<Cow<'_, str>> {
        Ok(Cow::Owned(String::from_utf8_lossy(&self.to_slice()?).into_owned()))
    }

    fn read_slice(&mut self, buffer: &mut [u8]) -> gimli::Result<()> {
        let start = self.start;
        self.skip(buffer.len())?;
        self.section.copy(start, buffer).ok_or_else(|| self.ended())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use gimli::Reader;

    fn content() -> Vec<u8> {
        (0..5 * BLOCK_BYTES as u32 + 77).map(|at| (at % 251 + 1) as u8).collect()
    }

    #[test]
    fn what_is_read_is_what_is_there_over_the_ends_of_blocks() {
        let content = content();
        let file = [b"before".to_vec(), content.clone(), b"behind".to_vec()].concat();
        let section = Section::part(Arc::new(Source::Memory(file.into())), 6, content.len());
        let whole = Paged::whole(&section);
        assert_eq!(&*whole.to_slice().unwrap(), content);
        for start in [0, 1, BLOCK_BYTES - 3, 4 * BLOCK_BYTES - 1, content.len() - 9] {
            let mut rest = whole;
            rest.skip(start).unwrap();
            let expected = content[start..].first_chunk().unwrap();
            assert_eq!(rest.read_u64().unwrap(), u64::from_le_bytes(*expected), "{start}");
            assert_eq!(rest.offset_from(&whole), start + 8);
            assert_eq!(whole.array::<8>(start), Some(*expected));
        }
        let mut rest = whole;
        rest.skip(content.len() - 7).unwrap();
        assert!(rest.read_u64().is_err() && rest.skip(8).is_err() && rest.split(8).is_err());
        assert_eq!(whole.array::<8>(content.len() - 7), None);
        assert_eq!(whole.find(200).unwrap(), 199);
        assert!(whole.find(0).is_err());
    }

    #[test]
    fn blocks_make_room_for_others() {
        let content = content().repeat(20);
        let source = Arc::new(Source::Memory(content.clone().into()));
        let section = Section::part(source, 0, content.len());
        for at in (0..content.len()).rev().step_by(1000) {
            let byte: [u8; 1] = Paged::whole(&section).array(at).unwrap();
            assert_eq!(byte, [content[at]]);
        }
        assert_eq!(section.bytes(), BLOCKS * BLOCK_BYTES);
    }
}
