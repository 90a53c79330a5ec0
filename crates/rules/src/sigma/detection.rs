//! What a rule detects, as it is written: searches by their names, and the conditions that join them.

use super::taxonomy::Category;
use crate::condition::Word;
use crate::text::Text;

/// What a rule detects.
#[derive(Debug, Clone)]
pub(crate) struct Detection {
    pub category: &'static Category,
    pub searches: Vec<(Text, Search)>,
    /// One of them has to hold.
    pub conditions: Vec<Text>,
}

/// A search, or a part of one.
#[derive(Debug, Clone)]
pub(crate) enum Search {
    /// A mapping: all of it has to hold.
    All(Vec<Search>),
    /// A sequence: one of it has to hold.
    Any(Vec<Search>),
    /// A field with its values, or words that are looked for in all fields.
    Item(Item),
}

/// `FIELD|MODIFIER|…: VALUES`
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The key as it is written; none of words without one.
    pub key: Option<Key>,
    pub values: Vec<Value>,
}

/// The key of an item, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub text: Text,
    /// Empty for words that are looked for in all fields.
    pub field: Word,
    pub modifiers: Vec<Word>,
}

/// A value.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub text: Text,
    pub is_null: bool,
}
