//! Whose records a probe lets through, decided cgroup by cgroup while it runs (`bpf/selection.h`).
//!
//! Invariants: the kernel only reads what is decided here. A cgroup of which nothing is decided is
//! that of the nearest one around it of which something is; where there is none, its records pass and
//! whoever reads them decides, but they are not counted in groups and histograms.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;

use libbpf_rs::{MapCore, MapHandle, Object};

use crate::abi::CgroupKey;
use crate::batch;
use crate::load::LoadError;

/// The map's name in every probe.
pub const MAP: &str = "cgroup_selection";

/// Why a decision could not be given to the kernel.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// There is no room for another cgroup; this one stays undecided, and those that are decided stay
    /// as they are.
    #[error("the kernel's table of selected cgroups is full ({entries} entries)")]
    Full {
        /// How many it holds.
        entries: u32,
    },
    /// Anything else.
    #[error("the kernel refused the selection of a cgroup: {0}")]
    Refused(#[source] io::Error),
}

/// Decides of cgroups for one loaded signal. Its clones, which may go to other threads, decide for the
/// same one; that the signal is unloaded does no harm.
#[derive(Debug, Clone)]
pub struct Selection(Arc<MapHandle>);

impl Selection {
    /// Decides of a cgroup, by its hierarchy (0 is the unified one) and its id there: with a number,
    /// that of its container, it is selected, without one it is not. Holds from now on for it and for
    /// what is below it and has no decision of its own, so decide of no cgroup that containers yet to
    /// come will be below: not of a root, nor of those that pods are made in.
    ///
    /// # Errors
    /// [`SelectionError::Full`] for a cgroup that is new when there is no room.
    pub fn decide(
        &self,
        hierarchy: u32,
        id: u64,
        number: Option<NonZeroU32>,
    ) -> Result<(), SelectionError> {
        let value = number.map_or(0, NonZeroU32::get).to_ne_bytes();
        match batch::update_key_by_key(&*self.0, &key(hierarchy, id), &value) {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::E2BIG) => {
                Err(SelectionError::Full { entries: self.0.max_entries() })
            }
            Err(error) => Err(SelectionError::Refused(error)),
        }
    }

    /// Takes back what was decided, if something was. A cgroup that was removed is best forgotten when
    /// the records of its time were read: what it did late, like connections that close after it, is
    /// undecided from then on.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn forget(&self, hierarchy: u32, id: u64) -> Result<(), SelectionError> {
        match self.0.delete(&key(hierarchy, id)) {
            Err(error) if error.kind() != libbpf_rs::ErrorKind::NotFound => {
                Err(SelectionError::Refused(io::Error::other(error)))
            }
            _ => Ok(()),
        }
    }

    /// How many cgroups can be decided of at a time.
    pub fn capacity(&self) -> u32 {
        self.0.max_entries()
    }
}

fn key(hierarchy: u32, id: u64) -> [u8; CgroupKey::BYTES] {
    CgroupKey { id, hierarchy, padding: 0 }.to_array()
}

/// That of a loaded object, if it has one.
pub(crate) fn of(object: &Object) -> Result<Option<Selection>, LoadError> {
    let Some(map) = object.maps().find(|map| map.name() == MAP) else { return Ok(None) };
    match MapHandle::try_from(&map) {
        Ok(handle) => Ok(Some(Selection(Arc::new(handle)))),
        Err(error) => {
            let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
            Err(LoadError::Map { words: format!("map {MAP}: {error}"), errno })
        }
    }
}
