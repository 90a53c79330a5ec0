//! Rules in Falco's language and in Sigma's: read, checked, compiled, evaluated.
//!
//! Files are handed in as [`source::Sources`]; [`rules::Ruleset::load`] makes rules of them, or says what is
//! wrong and where. The stages lie one after the other, each in a module of its own:
//!
//! ```text
//! yaml ─▶ items ─▶ definitions ─▶ compile ─▶ rules ──▶ alert
//!  nodes   one by   put together   macros,    evaluate   what is said
//!  with    one      by name        lists and  by type
//!  places                          types      of event
//! ```
//!
//! [`condition`] is the grammar of conditions, [`catalogue`] the list of fields; [`sigma`] makes the same of the
//! documents of Sigma's rules. Rules ask an event through
//! [`evaluate::Facts`]; [`adapter`] answers that for Chandra's records. [`needs`] says which events have to be
//! watched for them, [`testing`] reads the tests that stand beside rules. This crate is pure: no kernel, no
//! unsafe code, no files and no sockets.
#![forbid(unsafe_code)]

pub mod adapter;
pub mod alert;
pub mod catalogue;
mod compile;
pub mod condition;
mod definitions;
pub mod diagnostic;
pub mod evaluate;
pub mod explain;
pub mod items;
pub mod load;
mod matching;
pub mod needs;
mod output;
mod reporter;
pub mod rules;
pub mod selection;
pub mod sigma;
pub mod source;
pub mod testing;
mod text;
pub mod version;
mod yaml;

pub use text::Text;

/// The rules that Chandra comes with; their tests are beside them, in `default.tests.yaml`.
pub const DEFAULT_RULES: &str = include_str!("../rules/default.yaml");

/// More of them, on opened files and system calls; they need [`DEFAULT_RULES`] before them.
pub const DEFAULT_FILE_RULES: &str = include_str!("../rules/default-files.yaml");
