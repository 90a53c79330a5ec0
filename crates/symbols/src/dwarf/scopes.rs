//! The functions of a unit that some addresses are in, outer and inlined ones, by one pass over its entries.

use std::ops::Range;
use std::rc::Rc;

use gimli::DebugInfoOffset;

use super::lines::{Lines, Position};
use super::names::{Names, Naming};
use super::unit::{Opened, Ranges};
use super::{Described, MAX_INLINED, damaged};
use crate::limits::{Deadline, Why};

/// A function that an address is in.
#[derive(Clone, Copy)]
struct Scope<'data> {
    naming: Naming<'data>,
    /// Where it was called, if it is inlined.
    call: Position,
}

/// Functions at each of these addresses of a unit, which ascend.
pub(super) fn find<'data>(
    names: &mut Names<'_, 'data>,
    place: DebugInfoOffset,
    addresses: &[u64],
    deadline: &mut Deadline,
    found: &mut [Vec<Described>],
) -> Result<(), Why> {
    let unit = names.unit(place)?;
    // Lines first: what is damaged in one leaves the other.
    let mut lines = Lines::open(names.sections, &unit);
    let positions = match &mut lines {
        Ok(lines) => lines.find(addresses, deadline)?,
        Err(_) => vec![Position::default(); addresses.len()],
    };
    let scopes = walk(names, &unit, addresses, deadline)?;
    let mut path = |position: Position| match &mut lines {
        Ok(lines) => lines.path(names.sections, &unit, position.file),
        Err(_) => None,
    };
    let mut described = Vec::with_capacity(addresses.len());
    for (scopes, mut position) in scopes.into_iter().zip(positions) {
        // Outermost first; each tells where it was called from the one before it.
        let mut chain = Vec::with_capacity(scopes.len().max(1));
        for scope in scopes.iter().rev() {
            let (file, line) = (path(position), position.line);
            chain.push((Some(scope.naming), file, line));
            position = scope.call;
        }
        if chain.is_empty() && position.line != 0 {
            chain.push((None, path(position), position.line));
        }
        described.push(chain);
    }
    for (chain, found) in described.into_iter().zip(found) {
        deadline.step()?;
        let one = |(naming, file, line): (Option<Naming<'data>>, _, _)| {
            let function = naming.and_then(|naming| names.name(&unit, naming));
            Described { function, file, line }
        };
        *found = chain.into_iter().map(one).collect();
    }
    Ok(())
}

/// The functions that each address is in, outermost first.
fn walk<'data>(
    names: &Names<'_, 'data>,
    unit: &Rc<Opened<'data>>,
    addresses: &[u64],
    deadline: &mut Deadline,
) -> Result<Vec<Vec<Scope<'data>>>, Why> {
    let sections = names.sections;
    let mut scopes: Vec<Vec<Scope<'data>>> = vec![Vec::new(); addresses.len()];
    let mut entries = unit.unit.entries_raw(None).map_err(damaged)?;
    // The depth of the function whose entries these are, if an address is in it.
    let mut inside: Option<isize> = None;
    while !entries.is_empty() {
        deadline.step()?;
        let depth = entries.next_depth();
        if inside.is_some_and(|of| depth <= of) {
            inside = None;
        }
        let Some(abbreviation) = entries.read_abbreviation().map_err(damaged)? else { continue };
        let is_function = abbreviation.tag() == gimli::DW_TAG_subprogram;
        let is_inlined = abbreviation.tag() == gimli::DW_TAG_inlined_subroutine && inside.is_some();
        if !is_function && !is_inlined {
            entries.skip_attributes(abbreviation.attributes()).map_err(damaged)?;
            continue;
        }
        let (mut ranges, mut scope) =
            (Ranges::default(), Scope { naming: Naming::default(), call: Position::default() });
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification).map_err(damaged)?;
            let (name, value) = (attribute.name(), attribute.value());
            ranges.take(sections, &unit.unit, name, value);
            scope.naming.take(name, value);
            match name {
                gimli::DW_AT_call_file => {
                    scope.call.file = match value {
                        gimli::AttributeValue::FileIndex(file) => Some(file),
                        other => other.udata_value(),
                    };
                }
                gimli::DW_AT_call_line => {
                    let line = value.udata_value().and_then(|line| u32::try_from(line).ok());
                    scope.call.line = line.unwrap_or_default();
                }
                _ => {}
            }
        }
        let mut is_in = false;
        ranges.each(sections, &unit.unit, deadline, |start, end, deadline| {
            let wanted = within(addresses, start, end);
            for scopes in scopes.get_mut(wanted).unwrap_or_default() {
                deadline.step()?;
                is_in = true;
                if is_function {
                    // Of two functions of one place the last; a nested function is not inlined.
                    scopes.clear();
                }
                if scopes.len() < MAX_INLINED {
                    scopes.push(scope);
                }
            }
            Ok(())
        })?;
        if is_function && is_in && abbreviation.has_children() {
            inside = Some(depth);
        }
    }
    Ok(scopes)
}

/// Which of some addresses (ascending) are in a range.
pub(super) fn within(addresses: &[u64], start: u64, end: u64) -> Range<usize> {
    let first = addresses.partition_point(|address| *address < start);
    let count = addresses.get(first..).unwrap_or_default().partition_point(|it| *it < end);
    first..first + count
}
