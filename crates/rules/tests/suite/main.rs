//! Rules and their files, as those who use the crate have them.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod allocation;
mod common;
mod default_rules;
mod loading;
mod operators;
mod properties;
mod sigma;
mod sigma_loading;
mod sigma_properties;
