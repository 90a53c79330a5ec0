//! Conditions: their grammar, as text and as a tree.
//!
//! ```text
//! expression := and ('or' and)*
//! and        := not ('and' not)*
//! not        := 'not'* ( '(' expression ')' | check )
//! check      := operand comparison | macro's name
//! comparison := 'exists'
//!             | ('<' | '<=' | '>' | '>=') ( number | right )
//!             | ('=' | '==' | '!=' | 'contains' | 'icontains' | 'bcontains' | 'startswith' | 'bstartswith'
//!               | 'endswith' | 'glob' | 'iglob' | 'regex') ( string | right | ('oneof'|'anyof'|'allof') list )
//!             | ('in' | 'intersects' | 'pmatch') ( list | right )
//! operand    := field | transformer '(' argument (',' argument)* ')' ('[' key ']')?
//! argument   := operand | quoted string | '(' argument (',' argument)* ')'
//! right      := 'val(' field ')' | transformer …
//! list       := '(' (string (',' string)*)? ')' | list's name
//! field      := name ('.' name)+ ('[' string ']')?
//! string     := '"' … '"' | "'" … "'" | anything but blanks and ( ) , = " '
//! ```

mod cursor;
mod operator;
mod parse;
mod print;
mod tree;

#[cfg(test)]
mod tests;

pub use operator::{Modifier, Operator, Transformer};
pub use parse::{SyntaxError, parse};
pub(crate) use parse::{is_name, parse_operand};
pub use tree::{Call, Check, Comparison, Expression, Field, Operand, Right, Span, Word};
