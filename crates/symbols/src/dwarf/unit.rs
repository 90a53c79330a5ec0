//! A unit with what finding ranges and texts takes, and nothing that a file can make large.

use std::sync::Arc;

use gimli::{
    AttributeValue, DebugAddrBase, DebugLineOffset, DebugLocListsBase, DebugRngListsBase,
    DebugStrOffsetsBase, Unit, UnitHeader,
};

use super::{Reader, Sections, damaged};
use crate::limits::{Deadline, Why};

/// A unit, and where its line program is.
pub(super) struct Opened<'a> {
    pub unit: Unit<Reader<'a>>,
    pub lines: Option<DebugLineOffset>,
    pub ranges: Ranges<'a>,
}

/// What an entry says of its addresses.
#[derive(Clone, Copy, Default)]
pub(super) struct Ranges<'a> {
    pub low: Option<u64>,
    pub high: Option<AttributeValue<Reader<'a>>>,
    pub list: Option<AttributeValue<Reader<'a>>>,
}

impl<'a> Ranges<'a> {
    /// Takes an attribute in that is about addresses.
    pub fn take(
        &mut self,
        sections: &Sections<'a>,
        unit: &Unit<Reader<'a>>,
        name: gimli::DwAt,
        value: AttributeValue<Reader<'a>>,
    ) {
        match name {
            gimli::DW_AT_low_pc => self.low = sections.attr_address(unit, value).ok().flatten(),
            gimli::DW_AT_high_pc => self.high = Some(value),
            gimli::DW_AT_ranges => self.list = Some(value),
            _ => {}
        }
    }

    /// Every range that is not empty.
    pub fn each(
        &self,
        sections: &Sections<'a>,
        unit: &Unit<Reader<'a>>,
        deadline: &mut Deadline,
        mut take: impl FnMut(u64, u64, &mut Deadline) -> Result<(), Why>,
    ) -> Result<(), Why> {
        if let Some(list) = self.list {
            let Some(mut ranges) = sections.attr_ranges(unit, list).map_err(damaged)? else {
                return Ok(());
            };
            while let Some(range) = ranges.next().map_err(damaged)? {
                deadline.step()?;
                if range.begin < range.end {
                    take(range.begin, range.end, deadline)?;
                }
            }
            return Ok(());
        }
        let (Some(low), Some(high)) = (self.low, self.high) else { return Ok(()) };
        let high = match high.udata_value() {
            Some(bytes) => Some(low.saturating_add(bytes)),
            None => sections.attr_address(unit, high).map_err(damaged)?,
        };
        match high {
            Some(high) if low < high => take(low, high, deadline),
            _ => Ok(()),
        }
    }
}

impl<'a> Opened<'a> {
    /// The unit of a header.
    pub fn open(
        sections: &Sections<'a>,
        header: UnitHeader<Reader<'a>>,
        abbreviations: Option<Arc<gimli::Abbreviations>>,
    ) -> Result<Self, Why> {
        let abbreviations = match abbreviations {
            Some(known) => known,
            None => Arc::new(header.abbreviations(&sections.debug_abbrev).map_err(damaged)?),
        };
        let mut unit = Unit {
            header,
            abbreviations,
            name: None,
            comp_dir: None,
            low_pc: 0,
            str_offsets_base: DebugStrOffsetsBase::default_for_encoding_and_file(
                header.encoding(),
                gimli::DwarfFileType::Main,
            ),
            addr_base: DebugAddrBase(0),
            loclists_base: DebugLocListsBase(0),
            rnglists_base: DebugRngListsBase::default_for_encoding_and_file(
                header.encoding(),
                gimli::DwarfFileType::Main,
            ),
            line_program: None,
            dwo_id: None,
        };
        let mut attributes = Vec::new();
        let abbreviations = Arc::clone(&unit.abbreviations);
        let mut entries = header.entries_raw(&abbreviations, None).map_err(damaged)?;
        if let Some(abbreviation) = entries.read_abbreviation().map_err(damaged)? {
            entries.read_attributes(abbreviation.attributes(), &mut attributes).map_err(damaged)?;
        }
        // Bases first: other attributes count from them.
        for attribute in &attributes {
            match (attribute.name(), attribute.value()) {
                (gimli::DW_AT_str_offsets_base, AttributeValue::DebugStrOffsetsBase(base)) => {
                    unit.str_offsets_base = base;
                }
                (
                    gimli::DW_AT_addr_base | gimli::DW_AT_GNU_addr_base,
                    AttributeValue::DebugAddrBase(base),
                ) => unit.addr_base = base,
                (gimli::DW_AT_rnglists_base, AttributeValue::DebugRngListsBase(base)) => {
                    unit.rnglists_base = base;
                }
                _ => {}
            }
        }
        let mut opened = Self { unit, lines: None, ranges: Ranges::default() };
        for attribute in &attributes {
            let (name, value) = (attribute.name(), attribute.value());
            opened.ranges.take(sections, &opened.unit, name, value);
            match (name, value) {
                (gimli::DW_AT_name, value) => {
                    opened.unit.name = sections.attr_string(&opened.unit, value).ok();
                }
                (gimli::DW_AT_comp_dir, value) => {
                    opened.unit.comp_dir = sections.attr_string(&opened.unit, value).ok();
                }
                (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(offset)) => {
                    opened.lines = Some(offset);
                }
                _ => {}
            }
        }
        opened.unit.low_pc = opened.ranges.low.unwrap_or_default();
        Ok(opened)
    }
}
