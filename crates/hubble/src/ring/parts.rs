//! What flows share, counted once: how many of the kept flows hold a part, and what the parts take.
//!
//! A part is known by its place in memory. As long as a kept flow holds it, it stays there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

#[derive(Debug, Default)]
pub(super) struct Parts {
    held: HashMap<usize, Part, BuildHasherDefault<PlaceHasher>>,
    bytes: usize,
}

#[derive(Debug)]
struct Part {
    holders: u32,
    bytes: usize,
}

/// An entry of the table, with the room that a table leaves free.
const ENTRY_BYTES: usize = 2 * (size_of::<(usize, Part)>() + 1);

impl Parts {
    /// What the parts and the table take.
    pub fn bytes(&self) -> usize {
        self.bytes + self.held.len() * ENTRY_BYTES
    }

    /// One more flow holds a part.
    pub fn hold(&mut self, place: usize, bytes: &dyn Fn() -> usize) {
        match self.held.entry(place) {
            Entry::Occupied(mut part) => part.get_mut().holders += 1,
            Entry::Vacant(vacant) => {
                let bytes = bytes();
                vacant.insert(Part { holders: 1, bytes });
                self.bytes += bytes;
            }
        }
    }

    /// One flow less holds it.
    pub fn release(&mut self, place: usize) {
        let Entry::Occupied(mut part) = self.held.entry(place) else { return };
        part.get_mut().holders -= 1;
        if part.get().holders == 0 {
            self.bytes -= part.remove().bytes;
        }
    }
}

/// Places are our own and differ in their middle bits: a multiplication spreads them (Knuth, 6.4).
#[derive(Debug, Default)]
struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_usize(&mut self, place: usize) {
        let spread = (place as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ spread >> 32;
    }
}
