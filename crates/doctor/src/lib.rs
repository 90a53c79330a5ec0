//! What can go wrong, said so that a person can go on: what failed, why, what to do next, and the
//! check that explains it. Every check has an anchor in docs/troubleshooting.md.
//!
//! What a node is like is gathered elsewhere, as plain values ([`node::Node`]); here it is judged
//! ([`examine`]), and messages of others are traced to their causes ([`cause::explain`]). Nothing in this
//! crate asks the machine, so every judgement is tested with nodes that do not exist.
#![forbid(unsafe_code)]

pub mod capabilities;
pub mod cause;
mod check;
mod examine;
mod finding;
pub mod known_bad;
pub mod node;
mod problem;

pub use check::{CHECKS, Check};
pub use examine::examine;
pub use finding::{Finding, Grade, Report};
pub use problem::Problem;
