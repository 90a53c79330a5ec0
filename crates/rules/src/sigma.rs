//! Sigma as a second front end: a Sigma rule becomes a rule of the engine, like one in Falco's language.
//!
//! ```text
//! yaml ─▶ read ────────▶ definitions ─▶ lower ──▶ rules
//!  nodes   title, level,   among those    tree of
//!  with    tags, detection  of Falco      predicates
//!  places                                 (compile)
//! ```
//!
//! A rule's *log source* says of which events it is ([`taxonomy`]): the engine's own condition for them stands
//! before what the rule detects, so that all that is drawn from conditions (which events are watched, whether a
//! field is answered) holds of Sigma's rules too. What a rule asks is Sigma's: the case of ASCII letters does
//! not matter unless it says `cased`, `*` and `?` stand for others, a missing field compares with nothing.
//!
//! Source: the Sigma rules specification 2.1 and its appendices on modifiers and taxonomy.

mod condition;
mod detection;
mod lower;
mod modifier;
mod output;
mod pattern;
mod read;
mod reference;
mod taxonomy;

pub(crate) use detection::Detection;
pub(crate) use lower::Lowering;
pub(crate) use read::{Reading, is_sigma};
pub use reference::render;

/// What a rule of Sigma says of itself beside what it detects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Its id, a UUID by custom.
    pub id: Option<String>,
    /// Who wrote it. The licence of Sigma's own rules asks for it in every alert.
    pub author: Option<String>,
    /// `stable`, `test`, `experimental`, `deprecated` or `unsupported`.
    pub status: Option<String>,
    /// What it may fire of that is harmless.
    pub false_positives: Vec<String>,
    /// Where more is said.
    pub references: Vec<String>,
}
