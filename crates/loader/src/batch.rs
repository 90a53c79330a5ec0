//! Whole maps in few system calls.
//!
//! The kernel fills a batch bucket by bucket: a batch may come back short although more follows
//! (the next bucket did not fit), and a bucket larger than the batch is refused with ENOSPC. So the
//! end is ENOENT and nothing else, and ENOSPC means: ask again for more. Where the kernel has no
//! batches for a map (before 5.6; per-CPU arrays before 5.13), keys are walked one by one.
//!
//! libbpf returns errors as -errno.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libbpf_rs::{MapCore, MapType};

/// Keys and values of a map, side by side in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    key_bytes: usize,
    value_bytes: usize,
    keys: Vec<u8>,
    values: Vec<u8>,
}

impl Entries {
    /// How many.
    pub fn len(&self) -> usize {
        self.keys.len() / self.key_bytes.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Each key with its value; for a per-CPU map the value is one slot after another, each
    /// rounded up to 8 bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.keys
            .chunks_exact(self.key_bytes.max(1))
            .zip(self.values.chunks_exact(self.value_bytes.max(1)))
    }
}

/// The shape of a map, and its descriptor.
struct Target<'a> {
    fd: BorrowedFd<'a>,
    key_bytes: usize,
    value_bytes: usize,
    max_entries: u32,
}

impl<'a> Target<'a> {
    fn of(map: &'a dyn MapCore) -> Self {
        let per_cpu = matches!(
            map.map_type(),
            MapType::PercpuHash | MapType::PercpuArray | MapType::LruPercpuHash
        );
        let value_bytes = map.value_size() as usize;
        let value_bytes = if per_cpu {
            value_bytes.next_multiple_of(8) * libbpf_rs::num_possible_cpus().unwrap_or(1)
        } else {
            value_bytes
        };
        Self {
            fd: map.as_fd(),
            key_bytes: map.key_size() as usize,
            value_bytes,
            max_entries: map.max_entries(),
        }
    }

    /// How many entries `keys` and `values` are; InvalidInput when they do not match.
    fn entries(&self, keys: &[u8], values: &[u8]) -> io::Result<usize> {
        let entries = keys.len() / self.key_bytes.max(1);
        let match_up = keys.len() == entries * self.key_bytes
            && values.len() == entries.saturating_mul(self.value_bytes);
        match_up.then_some(entries).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

const FIRST_BATCH: u32 = 4096;

/// All entries of a map.
///
/// # Errors
/// The kernel's refusal.
pub fn lookup(map: &dyn MapCore) -> io::Result<Entries> {
    lookup_by(map, FIRST_BATCH)
}

/// [`lookup`] with so many entries in the first batch.
///
/// # Errors
/// The kernel's refusal.
pub fn lookup_by(map: &dyn MapCore, first_batch: u32) -> io::Result<Entries> {
    match batches(&Target::of(map), first_batch, libbpf_sys::bpf_map_lookup_batch)? {
        Some(entries) => Ok(entries),
        None => lookup_key_by_key(map),
    }
}

/// All entries of a map, which is empty afterwards but for what came in meanwhile. Hash maps only.
///
/// # Errors
/// The kernel's refusal.
pub fn lookup_and_delete(map: &dyn MapCore) -> io::Result<Entries> {
    match batches(&Target::of(map), FIRST_BATCH, libbpf_sys::bpf_map_lookup_and_delete_batch)? {
        Some(entries) => Ok(entries),
        None => lookup_and_delete_key_by_key(map),
    }
}

/// How many entries a map has; no more than a batch of them is in memory.
///
/// # Errors
/// The kernel's refusal.
pub fn count(map: &dyn MapCore) -> io::Result<u64> {
    let target = Target::of(map);
    let mut count = 0;
    let take = |entries: &mut Entries| {
        count += entries.len() as u64;
        entries.keys.clear();
        entries.values.clear();
    };
    match each_batch(&target, FIRST_BATCH, libbpf_sys::bpf_map_lookup_batch, take)? {
        Some(_) => Ok(count),
        None => Ok(all_keys(&target)?.len() as u64 / target.key_bytes.max(1) as u64),
    }
}

/// [`lookup`] as on a kernel without batches.
///
/// # Errors
/// The kernel's refusal.
pub fn lookup_key_by_key(map: &dyn MapCore) -> io::Result<Entries> {
    key_by_key(&Target::of(map), false)
}

/// [`lookup_and_delete`] as on a kernel without batches: what a probe adds to an entry between its
/// reading and its deletion is lost.
///
/// # Errors
/// The kernel's refusal.
pub fn lookup_and_delete_key_by_key(map: &dyn MapCore) -> io::Result<Entries> {
    key_by_key(&Target::of(map), true)
}

/// Sets entries of a map: `keys` and `values` each one after another, as the map has them.
/// Returns how many were set, which is all of them.
///
/// # Errors
/// The kernel's refusal of an entry, those before it being set; InvalidInput when the lengths do
/// not match.
pub fn update(map: &dyn MapCore, keys: &[u8], values: &[u8]) -> io::Result<usize> {
    let target = Target::of(map);
    let entries = target.entries(keys, values)?;
    let mut count =
        u32::try_from(entries).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: both buffers hold `count` entries of the map's own sizes, as checked above.
    let result = unsafe {
        libbpf_sys::bpf_map_update_batch(
            target.fd.as_raw_fd(),
            keys.as_ptr().cast(),
            values.as_ptr().cast(),
            &raw mut count,
            std::ptr::null(),
        )
    };
    if result == 0 {
        return Ok(count as usize);
    }
    if !no_batches(-result) {
        return Err(io::Error::from_raw_os_error(-result));
    }
    update_key_by_key(map, keys, values)
}

/// [`update`] as on a kernel without batches.
///
/// # Errors
/// As [`update`].
pub fn update_key_by_key(map: &dyn MapCore, keys: &[u8], values: &[u8]) -> io::Result<usize> {
    let target = Target::of(map);
    let entries = target.entries(keys, values)?;
    for (key, value) in keys
        .chunks_exact(target.key_bytes.max(1))
        .zip(values.chunks_exact(target.value_bytes.max(1)))
    {
        // SAFETY: one key and one value of the map's own sizes.
        let result = unsafe {
            libbpf_sys::bpf_map_update_elem(
                target.fd.as_raw_fd(),
                key.as_ptr().cast(),
                value.as_ptr().cast(),
                0,
            )
        };
        check(result)?;
    }
    Ok(entries)
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-result)) }
}

fn no_batches(errno: i32) -> bool {
    const ENOTSUPP: i32 = 524;
    [libc::EINVAL, libc::EOPNOTSUPP, ENOTSUPP].contains(&errno)
}

type BatchCall = unsafe extern "C" fn(
    i32,
    *mut libc::c_void,
    *mut libc::c_void,
    *mut libc::c_void,
    *mut libc::c_void,
    *mut u32,
    *const libbpf_sys::bpf_map_batch_opts,
) -> i32;

/// All entries by batches; `None` when the kernel has none for such a map.
fn batches(target: &Target<'_>, first_batch: u32, call: BatchCall) -> io::Result<Option<Entries>> {
    each_batch(target, first_batch, call, |_| ())
}

/// The same, and `take` may have entries out behind each batch.
fn each_batch(
    target: &Target<'_>,
    first_batch: u32,
    call: BatchCall,
    mut take: impl FnMut(&mut Entries),
) -> io::Result<Option<Entries>> {
    let (key_bytes, value_bytes) = (target.key_bytes, target.value_bytes);
    let mut entries = Entries { key_bytes, value_bytes, keys: Vec::new(), values: Vec::new() };
    // The kernel's place in the map: a bucket number, or for some maps a key.
    let mut place = vec![0_u8; key_bytes.max(8)];
    let mut started = false;
    let mut batch = first_batch.clamp(1, target.max_entries.max(1));
    loop {
        let (have_keys, have_values) = (entries.keys.len(), entries.values.len());
        entries.keys.resize(have_keys + batch as usize * key_bytes, 0);
        entries.values.resize(have_values + batch as usize * value_bytes, 0);
        let mut count = batch;
        let from = if started { place.as_mut_ptr().cast() } else { std::ptr::null_mut() };
        // SAFETY: room for `count` keys and values lies behind the offsets; `place` is large enough
        // for either form of the kernel's cursor, and may be read and written in one call.
        let result = unsafe {
            call(
                target.fd.as_raw_fd(),
                from,
                place.as_mut_ptr().cast(),
                entries.keys.as_mut_ptr().add(have_keys).cast(),
                entries.values.as_mut_ptr().add(have_values).cast(),
                &raw mut count,
                std::ptr::null(),
            )
        };
        let full_bucket = -result == libc::ENOSPC;
        let kept = if result == 0 || -result == libc::ENOENT { count as usize } else { 0 };
        entries.keys.truncate(have_keys + kept * key_bytes);
        entries.values.truncate(have_values + kept * value_bytes);
        take(&mut entries);
        match -result {
            0 => started = true,
            libc::ENOENT => return Ok(Some(entries)),
            errno if !started && no_batches(errno) => return Ok(None),
            _ if full_bucket && batch < target.max_entries => {
                batch = batch.saturating_mul(2).min(target.max_entries);
            }
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn key_by_key(target: &Target<'_>, delete: bool) -> io::Result<Entries> {
    let (key_bytes, value_bytes) = (target.key_bytes, target.value_bytes);
    let fd = target.fd.as_raw_fd();
    let mut entries = Entries { key_bytes, value_bytes, keys: Vec::new(), values: Vec::new() };
    let mut value = vec![0_u8; value_bytes];
    let mut seen = std::collections::HashSet::new();
    // First the keys, then what they lead to: a walk whose key was deleted begins anew.
    let keys = all_keys(target)?;
    for key in keys.chunks_exact(key_bytes.max(1)).filter(|key| seen.insert(key.to_vec())) {
        // SAFETY: a whole key, and room for a whole value.
        let found = unsafe {
            libbpf_sys::bpf_map_lookup_elem(fd, key.as_ptr().cast(), value.as_mut_ptr().cast())
        };
        if found == -libc::ENOENT {
            continue; // deleted meanwhile
        }
        check(found)?;
        if delete {
            // SAFETY: a whole key.
            let deleted = unsafe { libbpf_sys::bpf_map_delete_elem(fd, key.as_ptr().cast()) };
            if deleted == -libc::ENOENT {
                continue; // by another, who has its value
            }
            check(deleted)?;
        }
        entries.keys.extend_from_slice(key);
        entries.values.extend_from_slice(&value);
    }
    Ok(entries)
}

/// The keys of a map one after another; some of them twice when it changes meanwhile.
fn all_keys(target: &Target<'_>) -> io::Result<Vec<u8>> {
    let mut keys: Vec<u8> = Vec::new();
    let mut next = vec![0_u8; target.key_bytes];
    // Bounded: a map that changes under the walk may send it round again.
    for _ in 0..u64::from(target.max_entries) * 2 {
        let last = keys.len().checked_sub(target.key_bytes).and_then(|start| keys.get(start..));
        let last = last.map_or(std::ptr::null(), <[u8]>::as_ptr);
        // SAFETY: `last` is null or a whole key; `next` has room for one.
        let result = unsafe {
            libbpf_sys::bpf_map_get_next_key(
                target.fd.as_raw_fd(),
                last.cast(),
                next.as_mut_ptr().cast(),
            )
        };
        if result == -libc::ENOENT {
            break;
        }
        check(result)?;
        keys.extend_from_slice(&next);
    }
    Ok(keys)
}
