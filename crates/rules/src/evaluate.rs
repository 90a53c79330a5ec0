//! Whether a condition holds of an event. Nothing here allocates once its buffers have grown.

mod any_case;
mod facts;
mod gap;
mod operand;
mod path;
mod predicate;
mod scratch;
mod test;
mod truth;
mod value;

pub(crate) use any_case::{AnyCase, Position};
pub use facts::Facts;
pub(crate) use gap::Gap;
pub(crate) use operand::{FieldRef, Operand, Part, Written, write_value};
pub(crate) use path::{is_normal, part};
pub(crate) use predicate::{Predicate, Quantifier};
pub(crate) use scratch::Buffers;
pub use scratch::Scratch;
pub(crate) use test::{NumberTest, Test, TextTest};
pub use truth::Truth;
pub use value::{Argument, Compose, Composed, PathPart, TimeForm, Value, Words};
