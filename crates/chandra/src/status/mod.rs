//! How an agent of this machine is, by what it says over HTTP: `/signals`, `/readyz` and `/metrics`.
//! `chandra status` shows it below what Hubble's part of the agent says.

pub mod http;
pub mod overview;
pub mod said;
mod samples;
mod screen;

pub use overview::Overview;
pub use screen::text;
