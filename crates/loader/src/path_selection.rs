//! Which paths a probe lets through, by how they begin (`bpf/path_selection.h`).
//!
//! Invariant: the kernel asks the longest beginning that a path has, so each one here also answers for
//! the shorter ones that it is within.

use std::collections::BTreeMap;
use std::io;

use libbpf_rs::{MapCore, MapFlags};

use crate::abi::PathPrefix;
pub use crate::abi::path_access;
use crate::load::Loaded;

/// The map's name in every probe that has it.
const MAP: &str = "path_prefixes";

/// So many bytes of a path are compared; of a longer beginning the rest is for whoever reads.
pub const PREFIX_BYTES: usize = PathPrefix::BYTES - size_of::<u32>();

/// A beginning of paths that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The bytes that such a path begins with; none for all paths.
    pub path: Vec<u8>,
    /// How its file must be used: bits of [`path_access`].
    pub accesses: u32,
}

impl Prefix {
    fn compared(&self) -> &[u8] {
        self.path.get(..PREFIX_BYTES).unwrap_or(&self.path)
    }
}

/// Why paths could not be given to the kernel.
#[derive(Debug, thiserror::Error)]
pub enum PathSelectionError {
    /// The probe does not look at paths.
    #[error("the probe does not select by path")]
    NoPaths,
    /// The kernel's table has no room, or refused.
    #[error("the kernel refused to select {path:?}: {source}")]
    Refused {
        /// The beginning that it refused.
        path: String,
        /// Its words.
        source: io::Error,
    },
}

/// Lets through what begins like one of these, and nothing else. For a probe that was loaded with
/// `selects_paths`, before it is listened to.
///
/// # Errors
/// When the probe has no such map, or the kernel no room in it.
pub fn select(loaded: &Loaded, prefixes: &[Prefix]) -> Result<(), PathSelectionError> {
    let map = loaded.map(MAP).ok_or(PathSelectionError::NoPaths)?;
    for (path, accesses) in entries(prefixes) {
        let key = key(path);
        map.update(&key, &accesses.to_ne_bytes(), MapFlags::ANY).map_err(|error| {
            let path = String::from_utf8_lossy(path).into_owned();
            PathSelectionError::Refused { path, source: io::Error::other(error) }
        })?;
    }
    Ok(())
}

/// Each beginning once, with the accesses of all that it is within.
fn entries(prefixes: &[Prefix]) -> BTreeMap<&[u8], u32> {
    let mut entries = BTreeMap::new();
    for path in prefixes.iter().map(Prefix::compared) {
        let around = prefixes.iter().filter(|other| path.starts_with(other.compared()));
        entries.insert(path, around.fold(0, |accesses, other| accesses | other.accesses));
    }
    entries
}

fn key(path: &[u8]) -> [u8; PathPrefix::BYTES] {
    let mut bytes = [0; PREFIX_BYTES];
    bytes.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
    let bits = u32::try_from(path.len() * 8).unwrap_or(0);
    PathPrefix { bits, bytes }.to_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(path: &str, accesses: u32) -> Prefix {
        Prefix { path: path.into(), accesses }
    }

    #[test]
    fn a_beginning_answers_for_those_that_it_is_within() {
        let prefixes = [prefix("/etc/", 2), prefix("/etc/shadow", 1), prefix("/usr", 4)];
        let entries = entries(&prefixes);
        assert_eq!(entries[&b"/etc/"[..]], 2);
        assert_eq!(entries[&b"/etc/shadow"[..]], 3);
        assert_eq!(entries[&b"/usr"[..]], 4);
        assert_eq!(entries.len(), 3);
    }

    #[test]
    fn all_paths_are_a_beginning_of_no_bytes() {
        let prefixes = [prefix("", 1), prefix("/etc", 2)];
        let entries = entries(&prefixes);
        assert_eq!((entries[&b""[..]], entries[&b"/etc"[..]]), (1, 3));
    }

    #[test]
    fn a_beginning_longer_than_is_compared_is_cut() {
        let long = "/".repeat(PREFIX_BYTES + 9);
        let prefixes = [prefix(&long, 1)];
        assert_eq!(entries(&prefixes).keys().map(|path| path.len()).max(), Some(PREFIX_BYTES));
        assert_eq!(key(&[b'a'; PREFIX_BYTES])[..4], (PREFIX_BYTES as u32 * 8).to_ne_bytes());
    }
}
