//! Formats by name, by the ends of files' names, and by how files begin.

use crate::profile::{Limits, Profile};
use crate::{folded, pprof};

/// What a profile can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A picture that can be clicked.
    Svg,
    /// A page with groups and a table.
    Html,
    /// A stack a line.
    Folded,
    /// pprof's message, packed with gzip.
    Pprof,
    /// For <https://www.speedscope.app>.
    Speedscope,
    /// For <https://profiler.firefox.com>.
    Firefox,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Svg, Self::Html, Self::Folded, Self::Pprof, Self::Speedscope, Self::Firefox];

    /// Its name: `svg`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Html => "html",
            Self::Folded => "folded",
            Self::Pprof => "pprof",
            Self::Speedscope => "speedscope",
            Self::Firefox => "firefox",
        }
    }

    /// How the names of its files end.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Svg => &[".svg"],
            Self::Html => &[".html", ".htm"],
            Self::Folded => &[".folded", ".collapsed", ".txt"],
            Self::Pprof => &[".pb.gz", ".pprof", ".pprof.gz"],
            Self::Speedscope => &[".speedscope.json", ".speedscope"],
            Self::Firefox => &[".firefox.json", ".profile.json"],
        }
    }

    /// That of a file of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|format| format.extensions().iter().any(|end| name.ends_with(end)))
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// As pprof.
    #[error("as pprof: {0}")]
    Pprof(#[from] pprof::Error),
    /// As folded stacks.
    #[error("as folded stacks: {0}")]
    Folded(#[from] folded::Error),
}

/// Reads a file of either format that can be read: gzip begins pprof, text is folded stacks, the rest is pprof
/// that is not packed.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Profile, ReadError> {
    // pprof that is not packed begins with control characters: the tags of its fields.
    let is_text = |byte: &u8| *byte >= b' ' || matches!(byte, b'\n' | b'\r' | b'\t');
    let looks_like_text = bytes.iter().take(4).all(is_text) || folded::looks_like(bytes);
    if bytes.starts_with(&pprof::GZIP) || !looks_like_text {
        Ok(pprof::read(bytes, limits)?)
    } else {
        Ok(folded::read(bytes, limits)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, read};
    use crate::pprof;
    use crate::profile::Limits;

    #[test]
    fn names_tell_formats() {
        assert_eq!(Format::of_name("a/b.SVG"), Some(Format::Svg));
        assert_eq!(Format::of_name("cpu.pb.gz"), Some(Format::Pprof));
        assert_eq!(Format::of_name("x.speedscope.json"), Some(Format::Speedscope));
        assert_eq!(Format::of_name("x.json"), None);
        assert_eq!(Format::of_name("svg"), None);
    }

    #[test]
    fn files_tell_what_they_are() {
        let folded = read(b"main;work 3\n", Limits::default()).unwrap();
        let mut packed = Vec::new();
        pprof::write(&folded, &mut packed).unwrap();
        assert_eq!(read(&packed, Limits::default()).unwrap().totals(), [3]);
        let error = read(b"{\"nodes\": []}\n", Limits::default()).unwrap_err().to_string();
        assert_eq!(error, "as folded stacks: line 1: the value is not a whole number");
        let error = read(b"\x0a\x04\x08", Limits::default()).unwrap_err().to_string();
        assert!(error.starts_with("as pprof: it is not pprof's message: byte 2"), "{error}");
    }
}
