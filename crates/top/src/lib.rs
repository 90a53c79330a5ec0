//! What `chandra top` shows, without the kernel, sockets or a terminal.
//!
//! | stage | module |
//! |---|---|
//! | what is told, by a probe's records or by an agent's flows | [`fact`] |
//! | totals of a connection as either end tells them → what is new, counted once | [`connections`] |
//! | what is new → figures by flow, workload, process and drop, of one interval | [`interval`], [`views`] |
//! | figures → rows of values | [`table`], [`value`] |
//! | which rows, in which order, and what is asked by keys | [`screen`] |
//! | rows → a screen, a page of text, or a JSON object | [`draw`], [`page`], [`json`] |
//!
//! Invariant: everything is bounded. Connections are remembered up to a bound, beyond which they are counted
//! ([`interval::Losses`]); tables keep their largest rows, and what falls out is summed up as the others
//! ([`largest`]), so that the sum of a column is what it would be without a bound.
#![forbid(unsafe_code)]

pub mod connections;
pub mod draw;
pub mod fact;
pub mod interval;
pub mod json;
pub mod largest;
pub mod page;
pub mod screen;
pub mod table;
pub mod value;
pub mod views;

#[cfg(test)]
mod samples;

pub use fact::Fact;
pub use interval::{Interval, Watch};
pub use screen::{Action, Key, Screen};
pub use views::View;
