//! Names for addresses: which function, in which file, at which line, and what was compiled into what.
//!
//! [`Symbolizer`] is given an opened ELF file, which build it is, and addresses as the file's own symbols count
//! them; it answers with chains of [`Frame`]s, innermost first. It knows symbol tables (also those that are
//! packed into `.gnu_debugdata` and those in files of their own), DWARF, and Go's line table. [`kernel`] names
//! the kernel's addresses, [`perf_map`] those of code that was made at run time, [`vdso`] is the kernel's code in
//! every program, which has no file.
//!
//! Invariants: every address is answered, if only with `[unknown] libfoo.so+0x123`; no name is told for an
//! address beyond its function. Files are anybody's: what is read of them is bounded in bytes, entries and
//! time ([`Limits`]), nothing panics or recurses as deep as they say, and what was left out is told
//! ([`Skipped`]). Files are read where they are opened: nothing is looked up by path but separate debug files,
//! and those only inside the roots that are given.
#![forbid(unsafe_code)]

mod cache;
mod debug_file;
pub mod demangle;
mod dwarf;
mod elf;
mod functions;
pub mod go;
mod image;
mod inflate;
pub mod kernel;
pub mod limits;
pub mod perf_map;
mod rooted;
mod segments;
mod source;
mod symbol_table;
mod symbolizer;
pub mod vdso;

pub use debug_file::Place;
pub use image::{Frame, Image};
pub use limits::{Limits, Skipped};
pub use rooted::open_inside;
pub use segments::Segments;
pub use source::Source;
pub use symbolizer::{Answer, Binary, Figures, Key, Symbolizer};
