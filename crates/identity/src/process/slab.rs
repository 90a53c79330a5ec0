//! Values in numbered slots, in pages that never move.
//!
//! Why not a `Vec`: growing one copies everything at once and holds two copies meanwhile, which
//! neither a ceiling on memory nor a short lock forgives. Slots that fall free are used again.

/// No slot: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

const PAGE_SLOTS: usize = 256;

/// Bytes that the allocator takes for `bytes`: a header of 8, rounded to 16, 32 at least (glibc).
pub(crate) fn allocation(bytes: usize) -> usize {
    (bytes + 8).next_multiple_of(16).max(32)
}

#[derive(Debug)]
pub(crate) struct Slab<T> {
    pages: Vec<Box<[Option<T>]>>,
    /// Room for every slot, so that freeing one allocates nothing.
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Slab<T> {
        Slab { pages: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.pages.len() * PAGE_SLOTS - self.free.len()
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        self.pages.get(slot / PAGE_SLOTS)?.get(slot % PAGE_SLOTS)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let slot = slot as usize;
        self.pages.get_mut(slot / PAGE_SLOTS)?.get_mut(slot % PAGE_SLOTS)?.as_mut()
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if self.free.is_empty() {
            self.add_page();
        }
        let slot = self.free.pop().unwrap_or(NONE);
        let place = (self.pages.get_mut(slot as usize / PAGE_SLOTS))
            .and_then(|page| page.get_mut(slot as usize % PAGE_SLOTS));
        if let Some(place) = place {
            *place = Some(value);
        }
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let index = slot as usize;
        let value = self.pages.get_mut(index / PAGE_SLOTS)?.get_mut(index % PAGE_SLOTS)?.take()?;
        self.free.push(slot);
        Some(value)
    }

    /// The first filled slot from `slot` on.
    pub(crate) fn next_from(&self, slot: u32) -> Option<(u32, &T)> {
        let end = (self.pages.len() * PAGE_SLOTS) as u32;
        (slot..end).find_map(|slot| Some((slot, self.get(slot)?)))
    }

    /// Bytes on the heap, whether filled or free.
    pub(crate) fn bytes(&self) -> usize {
        self.pages.len() * Self::page_bytes()
            + self.pages.capacity() * size_of::<Box<[Option<T>]>>()
            + self.free.capacity() * size_of::<u32>()
    }

    /// Bytes that inserting `count` values (at most a page) may add.
    pub(crate) fn growth(&self, count: usize) -> usize {
        if self.free.len() >= count {
            return 0;
        }
        let pages = self.pages.capacity().max(4) * 2 * size_of::<Box<[Option<T>]>>();
        Self::page_bytes() + pages + (self.pages.len() + 1) * PAGE_SLOTS * size_of::<u32>()
    }

    fn page_bytes() -> usize {
        allocation(PAGE_SLOTS * size_of::<Option<T>>())
    }

    fn add_page(&mut self) {
        let first = self.pages.len() * PAGE_SLOTS;
        self.pages.push((0..PAGE_SLOTS).map(|_| None).collect());
        self.free.reserve_exact(first + PAGE_SLOTS);
        self.free.extend((first as u32..(first + PAGE_SLOTS) as u32).rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again_and_growth_is_foretold() {
        let mut slab = Slab::new();
        for round in 0..3 {
            for number in 0..1000_u64 {
                let at_most = slab.bytes() + slab.growth(1);
                assert_eq!(slab.insert(number), number as u32, "round {round}");
                assert!(slab.bytes() <= at_most);
            }
            assert_eq!((slab.len(), slab.get(7), slab.get(1000)), (1000, Some(&7), None));
            let bytes = slab.bytes();
            for slot in (0..1000).rev() {
                assert_eq!(slab.remove(slot), Some(u64::from(slot)));
                assert_eq!(slab.remove(slot), None);
            }
            assert_eq!((slab.len(), slab.bytes()), (0, bytes));
        }
        assert_eq!(slab.next_from(0), None);
    }
}
