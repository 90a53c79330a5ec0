//! Memory that is shared with the kernel: arrays of probes written as memory, without a system call for each
//! entry, and tables that such probes look things up in, each an array of its own size.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

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
    /// It is none that can be written as memory.
    #[error("map {0} is no array of {1} bytes an entry that can be mapped")]
    Shape(String, usize),
    /// Past its end.
    #[error("entry {0} is past the end of the array")]
    PastEnd(usize),
    /// The kernel's refusal.
    #[error("the kernel refused: {0}")]
    Refused(#[from] io::Error),
}

/// An array of a probe (`BPF_F_MMAPABLE`) that is written as memory.
#[derive(Debug)]
pub struct Array {
    memory: Shared,
    entry_bytes: usize,
}

impl Array {
    /// Maps a probe's array, whose entries have so many bytes, a multiple of 8.
    ///
    /// # Errors
    /// When it is no such array, or the kernel refuses.
    pub fn of(map: &dyn MapCore, entry_bytes: usize) -> Result<Self, ArrayError> {
        let fits = map.map_type() == MapType::Array
            && map.value_size() as usize == entry_bytes
            && entry_bytes.is_multiple_of(8);
        if !fits {
            let name = map.name().to_string_lossy().into_owned();
            return Err(ArrayError::Shape(name, entry_bytes));
        }
        let bytes = entry_bytes * map.max_entries() as usize;
        Ok(Self { memory: Shared::new(map.as_fd(), bytes)?, entry_bytes })
    }

    /// Writes an entry. The probe may see it half written: it must not be told of it before.
    ///
    /// # Errors
    /// When the array has no such entry, or entries of another size.
    pub fn write(&mut self, index: usize, entry: &[u8]) -> Result<(), ArrayError> {
        let is_written =
            entry.len() == self.entry_bytes && self.memory.write(index * self.entry_bytes, entry);
        is_written.then_some(()).ok_or(ArrayError::PastEnd(index))
    }
}

/// Puts a table of 64-bit cells at `index` of arrays of tables, in place of what was there. They share one.
///
/// # Errors
/// When the kernel has no memory for it, or refuses; then it is in none of them.
pub fn put_table(tables: &[MapHandle], index: u32, cells: &[u64]) -> Result<(), ArrayError> {
    let entries = u32::try_from(cells.len()).map_err(|_| ArrayError::PastEnd(cells.len()))?;
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as u64,
        map_flags: libbpf_sys::BPF_F_MMAPABLE | libbpf_sys::BPF_F_INNER_MAP,
        ..Default::default()
    };
    let name = Some("unwind_table");
    let table = MapHandle::create(MapType::Array, name, KEY_BYTES, CELL_BYTES, entries, &options)
        .map_err(refused)?;
    let mut memory = Shared::new(table.as_fd(), cells.len() * CELL_BYTES as usize)?;
    for (place, cell) in (0..).step_by(CELL_BYTES as usize).zip(cells) {
        memory.write(place, &cell.to_ne_bytes());
    }
    drop(memory);
    let descriptor = table.as_fd().as_raw_fd().to_ne_bytes();
    let put = tables.iter().try_for_each(|tables| {
        tables.update(&index.to_ne_bytes(), &descriptor, MapFlags::ANY).map_err(refused)
    });
    if put.is_err() {
        remove_table(tables, index);
    }
    put
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
