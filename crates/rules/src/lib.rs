#![forbid(unsafe_code)]
//! x
pub mod catalogue;
pub mod condition;
pub mod diagnostic;
pub mod items;
pub mod priority;
mod reporter;
pub mod source;
mod text;
pub mod version;
mod yaml;
pub use text::Text;
