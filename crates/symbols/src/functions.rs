//! Which function an address is in: 16 bytes for each, and its name once.
//!
//! Of several names of one place, one is told. The rule, first to last: it says how long its function is; it
//! is visible outside of its file; it is no version of another (`name@VERSION`); fewer leading underscores;
//! shorter; first in the alphabet. So `memcpy` is told and not `__memcpy_sse2`, on every run the same.
//!
//! A function ends where it says. One that does not say (assembler) ends where the next begins, or with its
//! section. What lies between is padding, or has no name, and is answered with none. A name without a length
//! within a function that has one is a label.

use crate::limits::Why;

/// Functions before the nearest one that are asked whether they reach so far: one may lie within another.
const ENCLOSING: usize = 16;

/// A function, as it is put in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a> {
    pub start: u64,
    /// In bytes; 0 where it does not say.
    pub size: u64,
    /// Where it ends at most, where it does not say: the end of its section.
    pub limit: u64,
    pub name: &'a [u8],
    pub is_visible: bool,
}

/// A function, as it is kept.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    /// Functions of 4 GiB end there.
    size: u32,
    /// In names.
    name: u32,
}

/// One that is not in its order yet.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    entry: Entry,
    limit: u64,
    is_visible: bool,
}

/// Functions are put in.
#[derive(Debug)]
pub(crate) struct Builder {
    candidates: Vec<Candidate>,
    names: Vec<u8>,
    most: usize,
}

impl Builder {
    pub fn new(most: usize) -> Self {
        Self { candidates: Vec::new(), names: Vec::new(), most }
    }

    /// That so many more can be put in.
    pub fn has_room_for(&self, more: usize) -> Result<(), Why> {
        match self.candidates.len().saturating_add(more) <= self.most {
            true => Ok(()),
            false => Err(Why::Many(self.most as u64, "functions")),
        }
    }

    pub fn add(&mut self, symbol: Symbol<'_>) -> Result<(), Why> {
        if symbol.name.is_empty() || symbol.name.contains(&0) {
            return Ok(());
        }
        let many = || Why::Many(self.most as u64, "functions");
        let name = u32::try_from(self.names.len()).map_err(|_| many())?;
        if self.candidates.len() >= self.most {
            return Err(many());
        }
        self.names.extend(symbol.name);
        self.names.push(0);
        let size = u32::try_from(symbol.size).unwrap_or(u32::MAX);
        let entry = Entry { start: symbol.start, size, name };
        let Symbol { limit, is_visible, .. } = symbol;
        self.candidates.push(Candidate { entry, limit, is_visible });
        Ok(())
    }

    /// What begins before an address, and does not say how long it is, ends there at most.
    pub fn end_at(&mut self, end: u64) {
        let before = self.candidates.iter_mut().filter(|it| it.entry.start < end);
        before.for_each(|candidate| candidate.limit = candidate.limit.min(end));
    }

    pub fn build(mut self) -> Functions {
        let names = &self.names;
        self.candidates.sort_unstable_by(|one, other| {
            let key = |it: &Candidate| {
                let name = name_at(names, it.entry.name);
                let underscores = name.iter().take_while(|byte| **byte == b'_').count();
                let version = name.contains(&b'@');
                (it.entry.size == 0, !it.is_visible, version, underscores, name.len(), name)
            };
            // Names are looked at only where places are the same.
            one.entry.start.cmp(&other.entry.start).then_with(|| key(one).cmp(&key(other)))
        });
        self.candidates.dedup_by_key(|candidate| candidate.entry.start);
        let mut reached = 0;
        self.candidates.retain(|Candidate { entry, .. }| {
            let is_label = entry.size == 0 && entry.start < reached;
            reached = reached.max(entry.start.saturating_add(entry.size.into()));
            !is_label
        });
        for at in 0..self.candidates.len() {
            let next = self.candidates.get(at + 1).map_or(u64::MAX, |next| next.entry.start);
            let Some(Candidate { entry, limit, .. }) = self.candidates.get_mut(at) else { break };
            if entry.size == 0 {
                let bytes = next.min(*limit).saturating_sub(entry.start);
                entry.size = u32::try_from(bytes).unwrap_or(u32::MAX);
            }
        }
        // Names that lost are left out.
        let bytes = self.candidates.iter().map(|it| name_at(names, it.entry.name).len() + 1).sum();
        let mut kept = Vec::with_capacity(bytes);
        let mut entries = Vec::with_capacity(self.candidates.len());
        for Candidate { mut entry, .. } in self.candidates {
            let name = name_at(names, entry.name);
            entry.name = u32::try_from(kept.len()).unwrap_or(u32::MAX);
            kept.extend(name);
            kept.push(0);
            entries.push(entry);
        }
        Functions { entries, names: kept }
    }
}

/// Functions of a file, by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Functions {
    entries: Vec<Entry>,
    names: Vec<u8>,
}

impl Functions {
    /// The function that an address is in: where it begins, and its name as the linker has it.
    pub fn find(&self, address: u64) -> Option<(u64, &[u8])> {
        let next = self.entries.partition_point(|entry| entry.start <= address);
        let before = self.entries.get(next.saturating_sub(ENCLOSING)..next)?;
        let mut before = before.iter().rev();
        let entry = before.find(|entry| address - entry.start < u64::from(entry.size))?;
        Some((entry.start, name_at(&self.names, entry.name)))
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.names.capacity()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn name_at(names: &[u8], at: u32) -> &[u8] {
    let rest = names.get(at as usize..).unwrap_or_default();
    rest.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn functions(symbols: &[(u64, u64, &str, bool)]) -> Functions {
        let mut builder = Builder::new(100);
        for (start, size, name, is_visible) in symbols {
            let (name, is_visible) = (name.as_bytes(), *is_visible);
            let symbol = Symbol { start: *start, size: *size, limit: 0x1000, name, is_visible };
            builder.add(symbol).unwrap();
        }
        builder.build()
    }

    fn name(functions: &Functions, address: u64) -> Option<&str> {
        functions.find(address).map(|(_, name)| std::str::from_utf8(name).unwrap())
    }

    #[test]
    fn of_several_names_of_one_place_the_rule_tells_which() {
        let all = [
            (0x100, 16, "__write", true),
            (0x100, 16, "write", true),
            (0x100, 0, "w", true),
            (0x100, 16, "local", false),
            (0x100, 16, "write@@GLIBC_2.2.5", true),
            (0x100, 16, "writer", true),
        ];
        for rotation in 0..all.len() {
            let mut all = all;
            all.rotate_left(rotation);
            assert_eq!(name(&functions(&all), 0x10f), Some("write"));
        }
    }

    #[test]
    fn a_function_ends_where_it_says_or_where_the_next_begins_or_with_its_section() {
        let all =
            [(0x100, 0x10, "sized", true), (0x200, 0, "open", true), (0x300, 0, "last", true)];
        let functions = functions(&all);
        let names = [0xff, 0x100, 0x10f, 0x110, 0x1ff, 0x200, 0x2ff, 0x300, 0xfff, 0x1000];
        let names = names.map(|address| name(&functions, address));
        let (sized, open, last) = (Some("sized"), Some("open"), Some("last"));
        assert_eq!(names, [None, sized, sized, None, None, open, open, last, last, None]);
    }

    #[test]
    fn a_function_within_another_hides_it_for_its_own_length_only() {
        let functions = functions(&[(0x100, 0x100, "outer", true), (0x140, 0x10, "inner", true)]);
        let names = [0x13f, 0x140, 0x14f, 0x150, 0x200].map(|address| name(&functions, address));
        assert_eq!(names, [Some("outer"), Some("inner"), Some("inner"), Some("outer"), None]);
    }

    #[test]
    fn a_label_within_a_function_is_none() {
        let functions = functions(&[(0x100, 0x100, "outer", true), (0x140, 0, "loop", false)]);
        assert_eq!(name(&functions, 0x150), Some("outer"));
    }

    #[test]
    fn no_more_functions_than_the_limit_are_kept() {
        let mut builder = Builder::new(2);
        let symbol = Symbol { start: 1, size: 1, limit: 9, name: b"a", is_visible: true };
        builder.add(symbol).unwrap();
        builder.add(Symbol { start: 2, ..symbol }).unwrap();
        let full = builder.add(Symbol { start: 3, ..symbol });
        assert_eq!(full, Err(Why::Many(2, "functions")));
        assert!(builder.build().find(2).is_some());
    }
}
