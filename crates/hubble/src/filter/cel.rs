//! Expressions of CEL over `_flow`, where the feature `cel` is built in.
//!
//! As in Hubble an expression is true, or it is not; what cannot be evaluated is not. Fields that are not
//! set have their type's zero value, `has()` says whether they are set, enums are numbers with names
//! (`Verdict.DROPPED`). Here `==` compares numbers of any type, a moment has the fields `seconds` and
//! `nanos`, and `matches()` is missing, because what it costs cannot be bounded.

#[cfg(feature = "cel")]
mod limits;
#[cfg(feature = "cel")]
mod message;
#[cfg(feature = "cel")]
mod presence;
#[cfg(feature = "cel")]
mod program;

#[cfg(feature = "cel")]
pub use program::Expression;

/// No expression can be built.
#[cfg(not(feature = "cel"))]
#[derive(Debug)]
pub enum Expression {}

#[cfg(not(feature = "cel"))]
impl Expression {
    /// Refuses any expression.
    pub fn compile(_text: &str) -> Result<Self, super::Why> {
        Err(super::Why::Cel("this build is without CEL".into()))
    }

    /// There is none.
    pub fn holds(&self, _flow: &crate::proto::flow::Flow) -> bool {
        match *self {}
    }
}
