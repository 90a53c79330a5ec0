//! Names of addresses, compared with what other tools say.

#![allow(clippy::expect_used, clippy::panic, reason = "a test states what it expects by stopping")]

mod binutils;
mod common;
mod go_lines;
mod hostile;
mod lines;
mod near;
mod separate;
mod symbolizer;
