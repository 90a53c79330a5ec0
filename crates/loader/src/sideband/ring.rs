//! The ring of one event of perf's: a page that says where its records begin and end, and the records.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::memory::page_bytes;
use crate::memory_map::Shared;

// struct perf_event_mmap_page, include/uapi/linux/perf_event.h.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// See the [module](self).
#[derive(Debug)]
pub struct Ring {
    event: OwnedFd,
    memory: Shared,
    /// Of the records; a power of two.
    bytes: usize,
}

impl Ring {
    /// A ring of so many bytes (a power of two of pages) for an event.
    pub fn new(event: OwnedFd, bytes: usize) -> io::Result<Self> {
        let memory = Shared::new(event.as_fd(), page_bytes() + bytes)?;
        Ok(Self { event, memory, bytes })
    }

    /// The event.
    pub fn event(&self) -> &OwnedFd {
        &self.event
    }

    /// Appends all records to `out`, and makes room for others.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        let (Some(head), Some(tail)) = (self.position(DATA_HEAD), self.position(DATA_TAIL)) else {
            return;
        };
        let (end, mut at) = (head.load(Ordering::Acquire), tail.load(Ordering::Relaxed));
        while at < end {
            let start = at as usize & (self.bytes - 1);
            let count = (self.bytes - start).min((end - at) as usize);
            let Some(place) = self.memory.at(page_bytes() + start, count) else { break };
            // SAFETY: so many bytes are mapped there, which the kernel has written before it moved the head, and
            // does not touch before the tail is moved.
            out.extend_from_slice(unsafe { std::slice::from_raw_parts(place.as_ptr(), count) });
            at += count as u64;
        }
        tail.store(at, Ordering::Release);
    }

    fn position(&self, at: usize) -> Option<&AtomicU64> {
        let place = self.memory.at(at, size_of::<u64>())?;
        // SAFETY: eight bytes of the first page, aligned, which both sides read and write as one word.
        Some(unsafe { AtomicU64::from_ptr(place.cast().as_ptr()) })
    }
}
