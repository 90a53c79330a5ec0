//! How the fields of a record are listed: once, in one place.
//!
//! [`record!`](crate::record!) makes a kind of record from a list of fields, and
//! [`fields!`](crate::fields!) makes a list that several kinds share. A line of a list is
//!
//! ```text
//! path, column title, column width, where shown, Type(value), "summary";
//! ```
//!
//! `Type` is a variant of [`Value`], and the value may be an `Option`. From one line come both the
//! field's description and its value, in that order and by construction: there is no second list
//! to fall out of step, and nothing is allocated or looked up to show a record.
//!
//! ```
//! use chandra_event::record::{Field, Kind, Record};
//! use chandra_event::time::Timestamp;
//! use chandra_event::value::Value;
//!
//! #[derive(Debug)]
//! struct Sync {
//!     time: Timestamp,
//!     files: u32,
//!     latency_ns: Option<u64>,
//! }
//!
//! chandra_event::record! {
//!     /// sync(2) returned
//!     pub static SYNC: Kind = ("files", "sync");
//!     struct SyncFields(sync: &Sync) = [] {
//!         "files", "FILES", 6, Table, Number(sync.files), "Files written";
//!         "latency_ns", "LATENCY", 7, Table, Number(sync.latency_ns), "How long it took";
//!     }
//! }
//!
//! impl Record for Sync {
//!     fn kind(&self) -> &'static Kind {
//!         &SYNC
//!     }
//!     fn time(&self) -> Timestamp {
//!         self.time
//!     }
//!     fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
//!         SyncFields::visit(self, each)
//!     }
//! }
//!
//! let mut line = Vec::new();
//! let sync = Sync { time: Timestamp(0), files: 3, latency_ns: None };
//! chandra_event::json::write_line(&sync, None, &mut line);
//! let expected = r#"{"time":"1970-01-01T00:00:00.000000000Z","signal":"files","type":"sync","files":3}"#;
//! assert_eq!(line, format!("{expected}\n").into_bytes());
//! ```

use std::fmt;

use crate::record::{Field, Shown};
use crate::value::{Type, Value};

/// Makes a list of fields: a type with `FIELDS` and `visit`.
///
/// The parts in brackets are other lists, shown first; each takes what it shows as a reference or
/// as an `Option` of one, and shows all its fields as absent for `None`.
#[macro_export]
macro_rules! fields {
    (
        $(#[$attribute:meta])*
        $visible:vis struct $name:ident($subject:ident: &$of:ty) = [$($list:ident($part:expr)),*] {
            $(
                $path:expr, $column:expr, $width:literal, $shown:ident, $value_type:ident($value:expr),
                $summary:expr;
            )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy)]
        $visible struct $name;

        impl $name {
            /// The fields, in the order of columns.
            $visible const FIELDS: &'static [$crate::record::Field] = {
                const LISTS: &[&[$crate::record::Field]] = &[
                    $($list::FIELDS,)*
                    &[$($crate::record::Field {
                        path: $path,
                        column: $column,
                        width: $width,
                        shown: $crate::record::Shown::$shown,
                        value_type: $crate::value::Type::$value_type,
                        summary: $summary,
                    },)*],
                ];
                &$crate::fields::join::<{ $crate::fields::total(LISTS) }>(LISTS)
            };

            /// Calls `each` for every field with its value.
            #[allow(dead_code, reason = "a shared list is shown only as a part of others")]
            $visible fn visit(
                subject: &$of,
                each: &mut dyn FnMut(&'static $crate::record::Field, $crate::value::Value<'_>),
            ) {
                Self::put(Some(subject), &mut $crate::fields::Row::new(Self::FIELDS, each));
            }

            /// Puts the values of all fields, or as many absences.
            #[allow(unused_variables, reason = "a constant field does not look at its record")]
            $visible fn put(subject: Option<&$of>, row: &mut $crate::fields::Row<'_>) {
                $($list::put(subject.and_then(|$subject| Into::into($part)), row);)*
                $(row.put(match subject {
                    Some($subject) => {
                        $crate::value::Value::of($crate::value::Value::$value_type, $value)
                    }
                    None => $crate::value::Value::Absent,
                });)*
            }
        }
    };
}

/// Makes a kind of record, `pub static NAME: Kind = (signal, type)`, and its list of fields.
///
/// The doc comment, one line, is the kind's summary. See the [module](mod@crate::fields).
#[macro_export]
macro_rules! record {
    (
        #[doc = $summary:literal]
        $visible:vis static $kind:ident: Kind = ($signal:literal, $type:literal);
        $list_visible:vis struct $name:ident($($list:tt)*) = $($rest:tt)*
    ) => {
        #[doc = $summary]
        $visible static $kind: $crate::record::Kind = $crate::record::Kind {
            signal: $signal,
            name: $type,
            summary: $summary.trim_ascii(),
            fields: $name::FIELDS,
        };

        $crate::fields! {
            #[doc = concat!("The fields of `", $type, "`.")]
            $list_visible struct $name($($list)*) = $($rest)*
        }
    };
}

/// The fields that still wait for their values. Used by [`fields!`](crate::fields!).
pub struct Row<'r> {
    fields: std::slice::Iter<'static, Field>,
    each: &'r mut dyn FnMut(&'static Field, Value<'_>),
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Row").field(&self.fields).finish()
    }
}

impl<'r> Row<'r> {
    /// All of `fields` wait; `each` takes them with their values.
    pub fn new(
        fields: &'static [Field],
        each: &'r mut dyn FnMut(&'static Field, Value<'_>),
    ) -> Row<'r> {
        let fields = fields.iter();
        Row { fields, each }
    }

    /// The value of the next field.
    pub fn put(&mut self, value: Value<'_>) {
        if let Some(field) = self.fields.next() {
            (self.each)(field, value);
        }
    }
}

/// How many fields `lists` hold. Used by [`fields!`](crate::fields!).
#[doc(hidden)]
pub const fn total(lists: &[&[Field]]) -> usize {
    let (mut total, mut list) = (0, 0);
    while list < lists.len() {
        total += lists[list].len();
        list += 1;
    }
    total
}

/// The lists one after the other; `N` is their [`total`]. Used by [`fields!`](crate::fields!),
/// at compile time, where an index out of bounds would be an error of compilation.
#[doc(hidden)]
pub const fn join<const N: usize>(lists: &[&[Field]]) -> [Field; N] {
    const EMPTY: Field = Field {
        path: "",
        column: "",
        width: 0,
        shown: Shown::Json,
        value_type: Type::Bool,
        summary: "",
    };
    let mut joined = [EMPTY; N];
    let (mut next, mut list) = (0, 0);
    while list < lists.len() {
        let mut field = 0;
        while field < lists[list].len() {
            joined[next] = lists[list][field];
            next += 1;
            field += 1;
        }
        list += 1;
    }
    joined
}

#[cfg(test)]
mod tests {
    use crate::samples;

    #[test]
    fn visit_shows_the_fields_of_the_kind_in_order_with_values_of_their_type() {
        samples::each(&mut |record| {
            let mut fields = record.kind().fields.iter();
            record.visit(&mut |field, value| {
                assert_eq!(Some(field), fields.next());
                let variant = format!("{value:?}");
                let variant = variant.split('(').next().unwrap_or_default();
                let expected = format!("{:?}", field.value_type);
                assert!(variant == expected || variant == "Absent", "{} {variant}", field.path);
            });
            assert_eq!(fields.next(), None);
        });
    }
}
