//! Texts and pairs of texts that strangers write (names, labels, annotations), each with a ceiling.
//!
//! They are kept as they came, control characters and all: whoever shows them escapes them.

mod pairs;
mod text;

pub use pairs::Pairs;
pub use text::Text;
