//! Names of functions, which an entry may leave to another one, in whatever unit.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use gimli::{AttributeValue, DebugInfoOffset, UnitOffset};

use super::index::Index;
use super::unit::Opened;
use super::{Reader, Sections, damaged};
use crate::limits::Why;

/// Entries that are asked one after another.
const MAX_HOPS: usize = 16;
/// Units that are open at once, and names that are remembered, for one batch.
const MAX_UNITS: usize = 64;
const MAX_NAMES: usize = 1 << 14;
const MAX_BYTES: usize = 8 << 10;

/// What an entry says of its name.
#[derive(Clone, Copy, Default)]
pub(super) struct Naming<'a> {
    pub linkage: Option<AttributeValue<Reader<'a>>>,
    pub plain: Option<AttributeValue<Reader<'a>>>,
    /// Another entry that says it.
    pub origin: Option<AttributeValue<Reader<'a>>>,
}

impl<'a> Naming<'a> {
    pub fn take(&mut self, name: gimli::DwAt, value: AttributeValue<Reader<'a>>) {
        match name {
            gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => {
                self.linkage = Some(value)
            }
            gimli::DW_AT_name => self.plain = Some(value),
            gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => self.origin = Some(value),
            _ => {}
        }
    }
}

/// For one batch.
pub(super) struct Names<'a, 'data> {
    pub sections: &'a Sections<'data>,
    index: &'a Index,
    units: HashMap<usize, Rc<Opened<'data>>>,
    known: HashMap<usize, Option<Arc<str>>>,
}

impl<'a, 'data> Names<'a, 'data> {
    pub fn new(sections: &'a Sections<'data>, index: &'a Index) -> Self {
        Self { sections, index, units: HashMap::new(), known: HashMap::new() }
    }

    /// The unit that begins there.
    pub fn unit(&mut self, place: DebugInfoOffset) -> Result<Rc<Opened<'data>>, Why> {
        if let Some(unit) = self.units.get(&place.0) {
            return Ok(Rc::clone(unit));
        }
        let header = self.sections.unit_header(place).map_err(damaged)?;
        let opened = Rc::new(Opened::open(self.sections, header, None)?);
        if self.units.len() == MAX_UNITS {
            self.units.clear();
        }
        self.units.insert(place.0, Rc::clone(&opened));
        Ok(opened)
    }

    /// The name that an entry of a unit tells.
    pub fn name(&mut self, unit: &Rc<Opened<'data>>, naming: Naming<'data>) -> Option<Arc<str>> {
        if let Some(name) = self.text(unit, naming.linkage) {
            return Some(name);
        }
        let origin = naming.origin.and_then(|origin| place(unit, origin));
        let told = origin.and_then(|origin| self.at(origin));
        told.or_else(|| self.text(unit, naming.plain))
    }

    fn text(
        &self,
        unit: &Opened<'data>,
        value: Option<AttributeValue<Reader<'data>>>,
    ) -> Option<Arc<str>> {
        let text = self.sections.attr_string(&unit.unit, value?).ok()?;
        let bytes = text.text(MAX_BYTES);
        Some(String::from_utf8_lossy(&bytes).into()).filter(|text: &Arc<str>| !text.is_empty())
    }

    /// The name that an entry anywhere tells.
    fn at(&mut self, first: DebugInfoOffset) -> Option<Arc<str>> {
        if let Some(known) = self.known.get(&first.0) {
            return known.clone();
        }
        let mut plain = None;
        let mut next = Some(first);
        let mut name = None;
        for _ in 0..MAX_HOPS {
            let Some(place_of_entry) = next.take() else { break };
            let Some((unit, naming)) = self.entry(place_of_entry) else { break };
            name = self.text(&unit, naming.linkage);
            plain = plain.or_else(|| self.text(&unit, naming.plain));
            if name.is_some() {
                break;
            }
            next = naming.origin.and_then(|origin| place(&unit, origin));
        }
        let name = name.or(plain);
        if self.known.len() == MAX_NAMES {
            self.known.clear();
        }
        self.known.insert(first.0, name.clone());
        name
    }

    fn entry(&mut self, place: DebugInfoOffset) -> Option<(Rc<Opened<'data>>, Naming<'data>)> {
        let unit = self.unit(self.index.unit_at(place)?).ok()?;
        let offset = place.to_unit_offset(&unit.unit.header)?;
        let mut entries = unit.unit.entries_raw(Some(offset)).ok()?;
        let abbreviation = entries.read_abbreviation().ok()??;
        let mut naming = Naming::default();
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification).ok()?;
            naming.take(attribute.name(), attribute.value());
        }
        Some((Rc::clone(&unit), naming))
    }
}

fn place(unit: &Opened<'_>, value: AttributeValue<Reader<'_>>) -> Option<DebugInfoOffset> {
    match value {
        AttributeValue::UnitRef(UnitOffset(offset)) => {
            UnitOffset(offset).to_debug_info_offset(&unit.unit.header)
        }
        AttributeValue::DebugInfoRef(offset) => Some(offset),
        _ => None,
    }
}
