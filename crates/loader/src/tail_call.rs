//! Tail calls: a program too big for one load jumps through a table of programs.

use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::{MapCore, MapFlags, Object};

/// Why a table could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum TailCallError {
    /// The object has no such map.
    #[error("no program table named {0}")]
    NoTable(String),
    /// The object has no such program, or it was not loaded.
    #[error("no loaded program named {0}")]
    NoProgram(String),
    /// The kernel refused the entry.
    #[error("program {program} cannot be entered in the table at {index}: {source}")]
    Refused {
        /// The program.
        program: String,
        /// Its place.
        index: u32,
        /// The kernel's refusal.
        source: libbpf_rs::Error,
    },
}

/// Enters `programs` in the program table `table`, the first at index 0.
///
/// # Errors
/// When the table or a program is not there, or the kernel refuses (programs of a table must be of
/// one type).
pub fn fill(object: &Object, table: &str, programs: &[&str]) -> Result<(), TailCallError> {
    let map = object.maps().find(|map| map.name() == table);
    let map = map.ok_or_else(|| TailCallError::NoTable(table.to_owned()))?;
    for (index, name) in (0_u32..).zip(programs) {
        let program = object.progs().find(|program| program.name() == *name && program.autoload());
        let program = program.ok_or_else(|| TailCallError::NoProgram((*name).to_owned()))?;
        let descriptor = program.as_fd().as_raw_fd();
        map.update(&index.to_ne_bytes(), &descriptor.to_ne_bytes(), MapFlags::ANY).map_err(
            |source| TailCallError::Refused { program: (*name).to_owned(), index, source },
        )?;
    }
    Ok(())
}
