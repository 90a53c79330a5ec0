//! Build-time half of the signals, called from `build.rs`.
//!
//! A probe's C header is the only definition of its record. [`compile`] makes the BPF object ([`strip`]: without what
//! nobody will read), [`btf`] reads the types that the object exports (`EXPORT(struct, name)` in C), and [`generate`]
//! writes their Rust twins with safe readers and writers for exactly the C layout. [`relocations`] says which types
//! of the kernel it reads of. [`pack`] makes it small for the program that carries it.
#![forbid(unsafe_code)]

pub mod btf;
pub mod compile;
mod elf;
pub mod generate;
pub mod pack;
pub mod relocations;
pub mod strip;

use std::error::Error;
use std::process::ExitCode;

/// How a build script ends: with the error as it reads, not as it is debugged.
pub fn finish(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
