//! Texts that rules are written in, and places in them.
//!
//! A place is a range of bytes of a source. Whatever is made from a source (a field in a condition, an
//! item of a list) keeps its place, so that what is wrong with it can be shown where it was written.

use std::ops::Range;

/// A file of rules: its name and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Source {
    /// A text, and the name it is shown by.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(after).collect();
        Self { name: name.into(), text, lines }
    }

    /// The name it is shown by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The position of a byte; of the text's end for what is beyond.
    pub fn position(&self, byte: usize) -> Position {
        let byte = self.text.floor_char_boundary(byte);
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..byte).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }

    /// A line without its end, counted from 1.
    pub fn line(&self, number: usize) -> &str {
        let start = number.checked_sub(1).and_then(|index| self.lines.get(index));
        let rest = start.and_then(|start| self.text.get(*start..)).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }
}

/// A line and a column, both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// Which of some sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A range of bytes of one of some sources.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The source.
    pub source: SourceId,
    /// The bytes.
    pub bytes: Range<usize>,
}

/// All sources that are read together.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Takes a source in.
    pub fn add(&mut self, source: Source) -> SourceId {
        let id = SourceId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(source);
        id
    }

    /// The source of this id; none for one of other sources.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(usize::try_from(id.0).ok()?)
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0..).map(SourceId).zip(&self.0)
    }

    /// `rules.yaml:3:17`, for a person.
    pub fn spell(&self, place: &Place) -> String {
        let Some(source) = self.get(place.source) else { return String::new() };
        let Position { line, column } = source.position(place.bytes.start);
        format!("{}:{line}:{column}", source.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters_from_1() {
        let source = Source::new("f", "ab\näcd\n");
        let position = |byte| {
            let Position { line, column } = source.position(byte);
            (line, column)
        };
        assert_eq!(position(0), (1, 1));
        assert_eq!(position(2), (1, 3));
        assert_eq!(position(3), (2, 1));
        assert_eq!(position(4), (2, 1), "within a character");
        assert_eq!(position(5), (2, 2));
        assert_eq!(position(999), (3, 1));
        assert_eq!((source.line(2), source.line(3), source.line(0)), ("äcd", "", ""));
    }
}
