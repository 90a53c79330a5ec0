//! What can go wrong, said so that a person can go on: what failed, why, what to do next, and the
//! check that explains it. Every check has an anchor in docs/troubleshooting.md.
#![forbid(unsafe_code)]

mod check;
mod problem;

pub use check::{CHECKS, Check};
pub use problem::Problem;
