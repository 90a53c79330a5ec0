//! Credentials in the memory of a guest, written over as an exploit of its kernel would.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// User ids whose credentials are written over.
pub const OVERWRITTEN: [u32; 2] = [0x2bad_cafe, 0x2bad_beef];

/// The effective one of all of them before.
pub const HELD_BEFORE: u32 = 0x2bad_0000;

/// One that is left alone.
pub const HELD_BY_NOBODY: u32 = 0x2bad_f00d;

/// Bytes that are looked at together. What lies across two of them is not found: credentials do not, since the
/// allocator lays them into pages.
const PIECE: usize = 1 << 20;

/// The ids in a `struct cred`: real, saved, effective and of the file system, each of the user and the group.
const IDS: usize = 8;

/// Looks through a guest's memory once and makes root's the credentials whose every id is this one. Returns how
/// many there were.
///
/// # Panics
/// When the memory cannot be read or written.
pub fn overwrite(memory: &Path, id: u32) -> usize {
    let Ok(file) = File::options().read(true).write(true).open(memory) else { return 0 };
    let wanted = id.to_ne_bytes().repeat(IDS);
    let mut piece = vec![0; PIECE];
    let mut found = 0;
    for at in (0..file.metadata().unwrap().len()).step_by(PIECE) {
        let length = file.read_at(&mut piece, at).unwrap();
        let mut word = 0;
        while let Some(candidate) = piece[..length].get(word..word + wanted.len()) {
            if candidate == wanted {
                file.write_all_at(&[0; 4 * IDS], at + u64::try_from(word).unwrap()).unwrap();
                found += 1;
                word += wanted.len();
            } else {
                word += 4;
            }
        }
    }
    found
}
