//! From a thread's registers to the chain of its callers: what to do at each place of an executable, as
//! tables small enough for BPF, and a walk in user space that does the same.
//!
//! [`build_from`] makes a [`Table`](format::Table) from an ELF file, of which it reads what it needs; [`format`] and [`row`]
//! say what is in it, `bpf/` says it in C; [`walk`] is the walk, and what the program in BPF is held to.
//! [`build_id`] says which build a file is, [`go_table`] how Go's line table is laid out.
//!
//! Invariants: it is pure. No file is opened, no process looked at; who calls brings the bytes ([`Content`]). ELF files are
//! anybody's: all that is read of them is bounded, and nothing panics.
#![forbid(unsafe_code)]

pub mod build;
pub mod build_id;
mod content;
mod elf;
pub mod format;
pub mod go_table;
pub mod row;
pub mod walk;

pub use build::{Built, Limits, build, build_from};
pub use build_id::BuildId;
pub use content::Content;
pub use elf::ElfError;
