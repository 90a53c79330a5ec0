//! What each asker has, oldest first, as lists through the entries.

use super::Scope;
use crate::hashing::HashMap;
use crate::process::slab::NONE;

/// An asker's list.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    pub(super) oldest: u32,
    pub(super) newest: u32,
    pub(super) len: u32,
}

/// Lists by asker; none is empty.
#[derive(Debug, Default)]
pub(super) struct Askers(HashMap<Scope, List>);

impl Askers {
    pub(super) fn get(&self, scope: Scope) -> List {
        let empty = List { oldest: NONE, newest: NONE, len: 0 };
        self.0.get(&scope).copied().unwrap_or(empty)
    }

    pub(super) fn set(&mut self, scope: Scope, list: List) {
        if list.len == 0 {
            self.0.remove(&scope);
        } else {
            self.0.insert(scope, list);
        }
    }

    /// Who has the most, with up to so many others who have at least the half of that.
    pub(super) fn richest(&self, most: usize) -> Vec<Scope> {
        let all = self.0.iter().map(|(scope, list)| wealth(*scope, list));
        let rich = all.max().unwrap_or(0).div_ceil(2);
        let of = self.0.iter().filter(|(scope, list)| wealth(**scope, list) >= rich);
        of.map(|(scope, _)| *scope).take(most).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * 8 / 7 * (size_of::<(Scope, List)>() + 1)
    }
}

/// The node's own names are a copy of what others asked, so it counts as the half of what it has.
fn wealth(scope: Scope, list: &List) -> u32 {
    if scope == Scope::Node { list.len.div_ceil(2) } else { list.len }
}
