//! From a hash to a slot: open addressing with linear probing, without tombstones.
//!
//! Why not a `HashMap`: under steady coming and going its tombstones make it rebuild itself again
//! and again, thousands of entries at a time under the owner's lock. Here a removal closes its
//! gap, so a rebuild happens only when the index doubles, and its bytes are known beforehand.

const FIRST_CELLS: usize = 1024;

/// A cell holds the hash in its upper half and slot + 1 in its lower; 0 is empty.
#[derive(Debug)]
pub(crate) struct Index {
    cells: Vec<u64>,
    len: usize,
}

fn cell_of(hash: u32, slot: u32) -> u64 {
    u64::from(hash) << 32 | (u64::from(slot) + 1)
}

fn hash_of(cell: u64) -> u32 {
    (cell >> 32) as u32
}

impl Index {
    pub(crate) fn new() -> Index {
        Index { cells: vec![0; FIRST_CELLS], len: 0 }
    }

    /// The slot under this hash that `is_it` accepts.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut position = self.home(hash);
        loop {
            let cell = self.cell(position);
            if cell == 0 {
                return None;
            }
            let slot = (cell as u32).wrapping_sub(1);
            if hash_of(cell) == hash && is_it(slot) {
                return Some(slot);
            }
            position = self.after(position);
        }
    }

    pub(crate) fn insert(&mut self, hash: u32, slot: u32) {
        if self.is_full_with(1) {
            self.double();
        }
        self.place(cell_of(hash, slot));
        self.len += 1;
    }

    /// Puts `new` where `old` was.
    pub(crate) fn replace(&mut self, hash: u32, old: u32, new: u32) {
        if let Some(position) = self.position(hash, old) {
            self.set(position, cell_of(hash, new));
        }
    }

    pub(crate) fn remove(&mut self, hash: u32, slot: u32) {
        let Some(mut gap) = self.position(hash, slot) else { return };
        self.len -= 1;
        // What lies behind moves into the gap unless that would put it before its home.
        let mut position = gap;
        loop {
            position = self.after(position);
            let cell = self.cell(position);
            if cell == 0 {
                break;
            }
            let mask = self.cells.len() - 1;
            let from_home = position.wrapping_sub(self.home(hash_of(cell))) & mask;
            let from_gap = position.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                self.set(gap, cell);
                gap = position;
            }
        }
        self.set(gap, 0);
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.cells.len() * size_of::<u64>()
    }

    /// Bytes that inserting `count` more may add, for a moment or for good.
    pub(crate) fn growth(&self, count: usize) -> usize {
        if self.is_full_with(count) { 2 * self.bytes() } else { 0 }
    }

    fn is_full_with(&self, more: usize) -> bool {
        (self.len + more) * 4 > self.cells.len() * 3
    }

    fn double(&mut self) {
        let cells = vec![0; self.cells.len() * 2];
        for cell in std::mem::replace(&mut self.cells, cells) {
            if cell != 0 {
                self.place(cell);
            }
        }
    }

    /// A quarter of the cells is empty at least, so a search ends.
    fn place(&mut self, cell: u64) {
        let mut position = self.home(hash_of(cell));
        while self.cell(position) != 0 {
            position = self.after(position);
        }
        self.set(position, cell);
    }

    fn position(&self, hash: u32, slot: u32) -> Option<usize> {
        let wanted = cell_of(hash, slot);
        let mut position = self.home(hash);
        loop {
            match self.cell(position) {
                0 => return None,
                cell if cell == wanted => return Some(position),
                _ => position = self.after(position),
            }
        }
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.cells.len() - 1)
    }

    fn after(&self, position: usize) -> usize {
        (position + 1) & (self.cells.len() - 1)
    }

    fn cell(&self, position: usize) -> u64 {
        self.cells.get(position).copied().unwrap_or(0)
    }

    fn set(&mut self, position: usize, cell: u64) {
        if let Some(place) = self.cells.get_mut(position) {
            *place = cell;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_answers_as_a_map_does_however_hashes_collide() {
        let (mut index, mut model) = (Index::new(), HashMap::new());
        let mut state = 1_u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let slot = (state >> 33) as u32 % 3000;
            // Homes crowd at the end, so that runs wrap around.
            let hash = u32::MAX - slot % 97 * 3;
            if state >> 20 & 1 == 0 || model.len() > 2000 {
                model.remove(&slot);
                index.remove(hash, slot);
            } else if model.insert(slot, hash).is_none() {
                index.insert(hash, slot);
            }
            let probe = (state >> 40) as u32 % 3000;
            let found = index.find(u32::MAX - probe % 97 * 3, |slot| slot == probe);
            assert_eq!(found.is_some(), model.contains_key(&probe));
            assert_eq!(index.len, model.len());
        }
        let (slot, hash) = model.iter().next().map(|(slot, hash)| (*slot, *hash)).unwrap();
        index.replace(hash, slot, 9999);
        assert_eq!(index.find(hash, |found| found == 9999), Some(9999));
        assert_eq!(index.find(hash, |found| found == slot), None);
    }
}
