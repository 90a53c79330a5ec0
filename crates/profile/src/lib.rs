//! Profiles: what was sampled, on which stack, and of whom.
//!
//! [`profile::Profile`] is the model that everything else stands on. It is filled sample by sample, holds each
//! text, frame, stack and owner once, and never grows beyond its limits: what does not fit any more is kept as
//! a value on a marker, so that the sums stay right. Readers ([`pprof::read()`], [`folded::read()`]) make one
//! of files from anywhere; writers tell one in the formats of other tools; [`tree`] merges its stacks to what
//! is drawn; [`diff`] compares two.
//!
//! Nothing here knows the kernel, files or the terminal.
#![forbid(unsafe_code)]

pub mod color;
pub mod diff;
pub mod filter;
pub mod firefox;
pub mod folded;
pub mod format;
pub mod frame;
pub mod html;
pub mod interner;
pub mod layout;
pub mod metadata;
pub mod owner;
pub mod pprof;
pub mod profile;
pub mod speedscope;
pub mod summary;
pub mod svg;
pub mod text;
pub mod tree;
pub mod units;
