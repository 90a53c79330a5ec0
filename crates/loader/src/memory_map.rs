//! Memory that is shared with the kernel: rings, and tables that probes look things up in, each an array of its own
//! size, written as memory, without a system call for each entry. And arrays of probes, of which little is written.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use libbpf_rs::{Map, MapCore, MapFlags, MapHandle, MapType};

/// A piece of memory that the kernel shares.
#[derive(Debug)]
pub(crate) struct Shared {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it is memory and nothing that belongs to a thread.
unsafe impl Send for Shared {}
// SAFETY: a shared reference gives away places only; who reads or writes there says why that is right.
unsafe impl Sync for Shared {}

impl Shared {
    pub(crate) fn new(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        Self::mapped(fd, bytes, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Memory that only the kernel writes to, and nobody here looks at.
    pub(crate) fn held(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        Self::mapped(fd, bytes, libc::PROT_READ)
    }

    fn mapped(fd: BorrowedFd<'_>, bytes: usize, flags: libc::c_int) -> io::Result<Self> {
        let place = std::ptr::null_mut();
        // SAFETY: a new mapping, at a place of the kernel's choice, of an open descriptor.
        let start = unsafe { libc::mmap(place, bytes, flags, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes })
    }

    /// The place of so many bytes from `at` on, if they are all within.
    pub(crate) fn at(&self, at: usize, bytes: usize) -> Option<NonNull<u8>> {
        let end = at.checked_add(bytes)?;
        // SAFETY: within the mapping, as was just seen.
        (end <= self.bytes).then(|| unsafe { self.start.add(at) })
    }

    /// Copies bytes there; false when they do not fit. For memory that [`Shared::new`] mapped.
    fn write(&mut self, at: usize, bytes: &[u8]) -> bool {
        let Some(place) = self.at(at, bytes.len()) else { return false };
        // SAFETY: as many bytes are mapped there for writing, and nothing of Rust's lies in them. The probe may
        // read them at the same moment: it is told of them only afterwards.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), bytes.len()) };
        true
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made, which nobody refers to any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// Why an array could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// It is another map.
    #[error("map {0} is no array of {1} bytes an entry")]
    Shape(String, usize),
    /// Past its end.
    #[error("entry {0} is past the end of the array")]
    PastEnd(usize),
    /// The kernel's refusal.
    #[error("the kernel refused: {0}")]
    Refused(#[from] io::Error),
}

/// An array of a probe that is written entry by entry. (To write it as memory takes as much of ours as it has.)
#[derive(Debug)]
pub struct Array {
    map: MapHandle,
    entry_bytes: usize,
}

impl Array {
    /// A probe's array, whose entries have so many bytes.
    ///
    /// # Errors
    /// When it is no such array, or the kernel refuses.
    pub fn of(map: &Map<'_>, entry_bytes: usize) -> Result<Self, ArrayError> {
        let fits = map.map_type() == MapType::Array && map.value_size() as usize == entry_bytes;
        if !fits {
            let name = map.name().to_string_lossy().into_owned();
            return Err(ArrayError::Shape(name, entry_bytes));
        }
        Ok(Self { map: MapHandle::try_from(map).map_err(refused)?, entry_bytes })
    }

    /// Writes an entry. The probe may see it half written: it must not be told of it before.
    ///
    /// # Errors
    /// When the array has no such entry, or entries of another size.
    pub fn write(&mut self, index: usize, entry: &[u8]) -> Result<(), ArrayError> {
        let key = u32::try_from(index).ok().filter(|index| *index < self.map.max_entries());
        let key = key.filter(|_| entry.len() == self.entry_bytes);
        let key = key.ok_or(ArrayError::PastEnd(index))?;
        self.map.update(&key.to_ne_bytes(), entry, MapFlags::ANY).map_err(refused)
    }
}

/// A table of 64-bit cells in the kernel's memory: written once, and mapped here only while somebody reads it.
#[derive(Debug)]
pub struct KernelTable {
    map: MapHandle,
    bytes: usize,
}

impl KernelTable {
    /// Makes it of these cells. Nobody can change them any more.
    ///
    /// # Errors
    /// When the kernel has no memory for it, or refuses.
    pub fn make(cells: &[u64]) -> Result<Self, ArrayError> {
        let entries = u32::try_from(cells.len()).map_err(|_| ArrayError::PastEnd(cells.len()))?;
        let options = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as u64,
            map_flags: libbpf_sys::BPF_F_MMAPABLE | libbpf_sys::BPF_F_INNER_MAP,
            ..Default::default()
        };
        let name = Some("unwind_table");
        let map = MapHandle::create(MapType::Array, name, KEY_BYTES, CELL_BYTES, entries, &options)
            .map_err(refused)?;
        let bytes = size_of_val(cells);
        let mut memory = Shared::new(map.as_fd(), bytes)?;
        for (place, cell) in (0..).step_by(CELL_BYTES as usize).zip(cells) {
            memory.write(place, &cell.to_ne_bytes());
        }
        // It is frozen only when nobody has it mapped for writing.
        drop(memory);
        map.freeze().map_err(refused)?;
        Ok(Self { map, bytes })
    }

    /// Memory of its cells.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its cells, mapped until this is dropped.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn cells(&self) -> io::Result<MappedCells> {
        Shared::held(self.map.as_fd(), self.bytes).map(MappedCells)
    }

    /// Puts it at `index` of arrays of tables, in place of what was there. They share it.
    ///
    /// # Errors
    /// When the kernel refuses; then it is in none of them.
    pub fn put(&self, tables: &[MapHandle], index: u32) -> Result<(), ArrayError> {
        let descriptor = self.map.as_fd().as_raw_fd().to_ne_bytes();
        let put = tables.iter().try_for_each(|tables| {
            tables.update(&index.to_ne_bytes(), &descriptor, MapFlags::ANY).map_err(refused)
        });
        if put.is_err() {
            remove_table(tables, index);
        }
        put
    }
}

/// Cells of a [`KernelTable`].
#[derive(Debug)]
pub struct MappedCells(Shared);

impl AsRef<[u64]> for MappedCells {
    fn as_ref(&self) -> &[u64] {
        let Shared { start, bytes } = self.0;
        let count = bytes / size_of::<u64>();
        // SAFETY: so many bytes are mapped there for as long as this lives, at the start of a page. They do not change:
        // the map is frozen, so that no program can write it by a system call or as memory, and ours in the kernel
        // only read tables.
        unsafe { std::slice::from_raw_parts(start.cast().as_ptr(), count) }
    }
}

/// Takes the table at `index` away; its memory is free when no probe reads it any more. One that is not there is
/// what was wanted.
pub fn remove_table(tables: &[MapHandle], index: u32) {
    for tables in tables {
        let _ = tables.delete(&index.to_ne_bytes());
    }
}

fn refused(error: libbpf_rs::Error) -> ArrayError {
    ArrayError::Refused(io::Error::other(error))
}

const KEY_BYTES: u32 = 4;
const CELL_BYTES: u32 = 8;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written_and_nobody_changes_it() {
        let cells: Vec<u64> = (0..10_000).map(|cell| cell * 3).collect();
        // SAFETY: it has no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            println!("skipped: needs root to make a map");
            return;
        }
        let table = KernelTable::make(&cells).unwrap();
        assert_eq!((table.cells().unwrap().as_ref(), table.bytes()), (&*cells, 80_000));
        assert!(Shared::new(table.map.as_fd(), table.bytes()).is_err(), "it can be written");
        let index = 7_u32.to_ne_bytes();
        assert!(table.map.update(&index, &9_u64.to_ne_bytes(), MapFlags::ANY).is_err());
    }
}
