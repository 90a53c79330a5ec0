//! Which unit covers which addresses.

use std::ops::Range;
use std::sync::Arc;

use gimli::{DebugInfoOffset, UnitType};

use super::unit::Opened;
use super::{Sections, damaged};
use crate::limits::{Deadline, Why};

/// Ranges of all units; more are not kept. The largest libraries have a million.
const MAX_RANGES: usize = 1 << 22;
const MAX_UNITS: usize = 1 << 18;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Index {
    /// Where units begin, ascending.
    units: Vec<usize>,
    /// Start, end, number of the unit; by start. Ranges of two units do not overlap in a good file.
    ranges: Vec<(u64, u64, u32)>,
}

impl Index {
    pub fn read(sections: &Sections<'_>, deadline: &mut Deadline) -> Result<Self, Why> {
        let mut index = Self { units: Vec::new(), ranges: Vec::new() };
        let mut headers = sections.units();
        let mut abbreviations = None;
        // Where the list of units is damaged, those before are known.
        while let Ok(Some(header)) = headers.next() {
            deadline.look()?;
            let Some(DebugInfoOffset(offset)) = header.debug_info_offset() else { continue };
            if index.units.len() == MAX_UNITS {
                return Err(Why::Many(MAX_UNITS as u64, "units"));
            }
            let number = u32::try_from(index.units.len()).unwrap_or(u32::MAX);
            index.units.push(offset);
            if !matches!(header.type_(), UnitType::Compilation | UnitType::Skeleton(_)) {
                continue;
            }
            // Units of one compiler's run share them.
            let place = header.debug_abbrev_offset();
            let known = match &abbreviations {
                Some((other, known)) if *other == place => Arc::clone(known),
                _ => match header.abbreviations(&sections.debug_abbrev).map_err(damaged) {
                    Ok(read) => Arc::new(read),
                    Err(_) => continue,
                },
            };
            abbreviations = Some((place, Arc::clone(&known)));
            let Ok(opened) = Opened::open(sections, header, Some(known)) else { continue };
            let add = |start, end, _: &mut Deadline| {
                if index.ranges.len() == MAX_RANGES {
                    return Err(Why::Many(MAX_RANGES as u64, "ranges of units"));
                }
                index.ranges.push((start, end, number));
                Ok(())
            };
            let read = opened.ranges.each(sections, &opened.unit, deadline, add);
            // One unit that is damaged harms no other.
            if let Err(why @ (Why::Slow | Why::Many(..))) = read {
                return Err(why);
            }
        }
        index.ranges.sort_unstable();
        index.ranges.dedup();
        index.ranges.shrink_to_fit();
        Ok(index)
    }

    /// The units that some addresses (ascending) are in, each with which of them.
    pub fn units_of(&self, addresses: &[u64]) -> Vec<(DebugInfoOffset, Range<usize>)> {
        let mut found: Vec<(DebugInfoOffset, Range<usize>)> = Vec::new();
        for (number, address) in addresses.iter().enumerate() {
            let Some(unit) = self.unit_of(*address) else { continue };
            match found.last_mut() {
                Some((last, wanted)) if *last == unit && wanted.end == number => wanted.end += 1,
                _ => found.push((unit, number..number + 1)),
            }
        }
        found
    }

    fn unit_of(&self, address: u64) -> Option<DebugInfoOffset> {
        // Ranges that begin before the nearest one and reach further: some linkers leave them.
        const ENCLOSING: usize = 16;
        let next = self.ranges.partition_point(|(start, ..)| *start <= address);
        let before = self.ranges.get(next.saturating_sub(ENCLOSING)..next)?;
        let (.., number) = before.iter().rev().find(|(_, end, _)| address < *end)?;
        self.units.get(*number as usize).map(|offset| DebugInfoOffset(*offset))
    }

    /// The unit that a place in `.debug_info` is in.
    pub fn unit_at(&self, place: DebugInfoOffset) -> Option<DebugInfoOffset> {
        let next = self.units.partition_point(|offset| *offset <= place.0);
        self.units.get(next.checked_sub(1)?).map(|offset| DebugInfoOffset(*offset))
    }

    pub fn bytes(&self) -> usize {
        self.units.capacity() * size_of::<usize>()
            + self.ranges.capacity() * size_of::<(u64, u64, u32)>()
    }
}
