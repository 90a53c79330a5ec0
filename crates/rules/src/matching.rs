//! What values are compared with, in a form that is quick to compare with.

mod addresses;
mod getopt;
mod glob;
mod mounts;
mod prefixes;

pub(crate) use addresses::Networks;
pub(crate) use getopt::OptionLetters;
pub(crate) use glob::{Glob, Part as GlobPart};
pub(crate) use mounts::Chosen;
pub use mounts::MountChoice;
pub(crate) use prefixes::Prefixes;
