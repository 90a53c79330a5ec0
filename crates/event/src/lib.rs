//! Typed records of what the kernel did, and the one description of their fields.
//!
//! A record is decoded by a signal, borrows from the ring where it can, and is shown by its
//! descriptor: table columns, JSON, filters and reference pages all come from [`record::Field`].
//! This crate is pure: no kernel, no unsafe code, no I/O but what a caller's writer does.
#![forbid(unsafe_code)]

pub mod process;
pub mod record;
pub mod tcp;
pub mod time;
pub mod value;
