//! What is wrong with rules, shown where it was written.

mod nearest;

use std::fmt;

use chandra_event::text::escape;

use crate::source::{Place, Position, Sources};

pub(crate) use nearest::nearest;

/// Whether rules can be used in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// They load, but somebody should look at it.
    Warning,
    /// They do not load.
    Error,
}

impl Severity {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Kinds of what can be wrong, by which programs tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each says itself, and what it is of is in the message")]
pub enum Code {
    Yaml,
    Key,
    Value,
    Name,
    Duplicate,
    Priority,
    Override,
    Exception,
    Version,
    Plugin,
    EventSource,
    Syntax,
    UnknownMacro,
    RecursiveMacro,
    UnknownList,
    RecursiveList,
    UnknownField,
    UnansweredField,
    FieldArgument,
    Type,
    EventType,
    Output,
    TooLarge,
    Suspicious,
    Modifier,
    Unsupported,
}

impl Code {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Key => "key",
            Self::Value => "value",
            Self::Name => "name",
            Self::Duplicate => "duplicate",
            Self::Priority => "priority",
            Self::Override => "override",
            Self::Exception => "exception",
            Self::Version => "version",
            Self::Plugin => "plugin",
            Self::EventSource => "event-source",
            Self::Syntax => "syntax",
            Self::UnknownMacro => "unknown-macro",
            Self::RecursiveMacro => "recursive-macro",
            Self::UnknownList => "unknown-list",
            Self::RecursiveList => "recursive-list",
            Self::UnknownField => "unknown-field",
            Self::UnansweredField => "unanswered-field",
            Self::FieldArgument => "field-argument",
            Self::Type => "type",
            Self::EventType => "event-type",
            Self::Output => "output",
            Self::TooLarge => "too-large",
            Self::Suspicious => "suspicious",
            Self::Modifier => "modifier",
            Self::Unsupported => "unsupported",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the rules can be used.
    pub severity: Severity,
    /// What kind of thing.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// The rule, macro or list that it is in: `rule "Shell in container"`.
    pub within: Option<String>,
    /// Name of the source.
    pub file: String,
    /// Where in the source.
    pub position: Position,
    /// The whole line there.
    pub line: String,
    /// How many characters of the line are wrong, 1 at least.
    pub width: usize,
}

impl Diagnostic {
    pub(crate) fn new(
        sources: &Sources,
        severity: Severity,
        code: Code,
        place: &Place,
        message: String,
    ) -> Self {
        let mut diagnostic = Self {
            severity,
            code,
            message,
            hint: None,
            within: None,
            file: String::new(),
            position: Position { line: 1, column: 1 },
            line: String::new(),
            width: 1,
        };
        if let Some(source) = sources.get(place.source) {
            let position = source.position(place.bytes.start);
            let wrong = source.text().get(place.bytes.clone()).unwrap_or_default();
            let line = source.line(position.line);
            let room = (line.chars().count() + 1).saturating_sub(position.column);
            let wrong = wrong.lines().next().unwrap_or_default().trim_end();
            diagnostic.width = wrong.chars().count().min(room).max(1);
            diagnostic.file = source.name().to_owned();
            diagnostic.line = line.to_owned();
            diagnostic.position = position;
        }
        diagnostic
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }
}

/// Characters of the line that are shown on either side of what is wrong.
const AROUND: usize = 80;

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        let (severity, message) = (self.severity.word(), escape(self.message.as_bytes()));
        write!(out, "{}:{line}:{column}: {severity}: {message}", escape(self.file.as_bytes()))?;
        if let Some(within) = &self.within {
            write!(out, " (in {})", escape(within.as_bytes()))?;
        }
        let skipped = column.saturating_sub(AROUND + 1);
        let shown = skipped..column - 1 + self.width.min(AROUND) + AROUND;
        let characters: Vec<char> = self.line.chars().collect();
        let seen = |range: std::ops::Range<usize>| -> String {
            let range = range.start.min(characters.len())..range.end.min(characters.len());
            // One column for each, whatever it is: the caret must find its place.
            let shown = characters.get(range).unwrap_or_default().iter();
            shown.map(|character| if is_plain(*character) { *character } else { ' ' }).collect()
        };
        let before = column.saturating_sub(1).saturating_sub(skipped);
        let carets = "^".repeat(self.width.min(AROUND));
        write!(out, "\n{line:5} | {}", seen(shown).trim_end())?;
        write!(out, "\n      | {:before$}{carets}", "")?;
        if let Some(hint) = &self.hint {
            write!(out, "\n      = {}", escape(hint.as_bytes()))?;
        }
        Ok(())
    }
}

/// It takes one column and does nothing to a terminal.
fn is_plain(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{200b}'..='\u{206f}' | '\u{feff}')
}

/// All that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of the files; [`MAX_DIAGNOSTICS`] at most.
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there are.
    pub omitted: usize,
}

/// What a report holds at most. Nobody reads more, and the first error is always among them.
pub const MAX_DIAGNOSTICS: usize = 1000;

impl Report {
    /// The rules do not load.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Puts it in the order in which people read files.
    pub(crate) fn sort(&mut self, sources: &Sources) {
        let file =
            |one: &Diagnostic| sources.iter().position(|(_, source)| source.name() == one.file);
        self.diagnostics.sort_by_key(|one| (file(one), one.position));
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        // What a macro has wrong is found again with every rule that uses it.
        let same = |known: &Diagnostic| {
            (known.position, &known.file, &known.message)
                == (diagnostic.position, &diagnostic.file, &diagnostic.message)
        };
        if self.diagnostics.iter().any(same) {
            return;
        }
        let is_first_error = diagnostic.severity == Severity::Error && !self.has_errors();
        if self.diagnostics.len() < MAX_DIAGNOSTICS || is_first_error {
            self.diagnostics.push(diagnostic);
        } else {
            self.omitted += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            write!(out, "{}{diagnostic}", if index > 0 { "\n" } else { "" })?;
        }
        if self.omitted > 0 {
            write!(out, "\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn shown(text: &str, bytes: std::ops::Range<usize>) -> String {
        let mut sources = Sources::default();
        let source = sources.add(Source::new("f.yaml", text));
        let place = Place { source, bytes };
        let message = "no such field".to_owned();
        Diagnostic::new(&sources, Severity::Error, Code::UnknownField, &place, message)
            .hint("did you mean proc.name?")
            .to_string()
    }

    #[test]
    fn the_caret_stands_below_what_is_wrong() {
        assert_eq!(
            shown("a: 1\ncondition: proc.nmae = x\n", 16..25),
            "f.yaml:2:12: error: no such field\n    2 | condition: proc.nmae = x\n      \
             |            ^^^^^^^^^\n      = did you mean proc.name?"
        );
    }

    #[test]
    fn a_report_has_room_for_the_first_error() {
        let mut sources = Sources::default();
        let source = sources.add(Source::new("f", "x"));
        let place = Place { source, bytes: 0..1 };
        let mut report = Report::default();
        let mut put = |severity, number: usize| {
            let message = number.to_string();
            report.push(Diagnostic::new(&sources, severity, Code::Key, &place, message));
        };
        (0..MAX_DIAGNOSTICS + 5).for_each(|number| put(Severity::Warning, number));
        (9000..9002).for_each(|number| put(Severity::Error, number));
        assert_eq!((report.has_errors(), report.omitted), (true, 6));
        assert!(report.to_string().ends_with("and 6 more"));
    }

    #[test]
    fn a_long_line_is_shown_around_it_and_nothing_reaches_the_terminal() {
        let text = format!("{}\x1b[2J bad {}", "x".repeat(5000), "y".repeat(5000));
        let shown = shown(&text, 5005..5008);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() < 200), "{shown}");
        assert!(!shown.replace('\n', "").contains(char::is_control));
        let caret = lines[2].find('^').unwrap();
        assert_eq!(&lines[1][caret..caret + 3], "bad");
    }
}
