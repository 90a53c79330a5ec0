//! Takes secrets out of what leaves the agent, and says what was there: `--password=<redacted:password>`.
//!
//! A secret is known by its name (flags, variables, JSON, headers), by its place (URLs, the ways of several
//! hundred programs), or by its shape (tokens, keys, hashes). What is neither named nor shaped nor placed so
//! cannot be told from other text, and stays.
//!
//! Invariants: redacting again changes nothing; the time is linear in the input, whatever it is; what
//! is not a part of a secret stays as it is, byte for byte.

mod alert;
mod environment;
mod header;
mod kind;
mod line;
mod names;
mod programs;
mod spans;
mod text;
mod tokens;
mod url;
mod value;
mod words;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

pub use kind::Kind;
use spans::Spans;

/// What is found may hide a quote from what comes after it, so one looks again until nothing is found; two
/// passes do for what anybody writes.
const MAX_PASSES: usize = 8;

/// What is redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Nothing is, unless this is set, as it is by default.
    pub enabled: bool,
    /// Variables of the environment whose values may be told, beside those that are harmless on every
    /// machine, such as `PATH`.
    pub environment: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { enabled: true, environment: Vec::new() }
    }
}

/// Takes secrets out, and counts them.
#[derive(Debug)]
pub struct Redactor {
    options: Options,
    counts: [AtomicU64; Kind::ALL.len()],
}

impl Redactor {
    /// One that redacts so.
    pub fn new(options: Options) -> Self {
        Self { options, counts: [const { AtomicU64::new(0) }; Kind::ALL.len()] }
    }

    /// Whether it redacts at all.
    pub fn is_enabled(&self) -> bool {
        self.options.enabled
    }

    /// A command line, or any text.
    pub fn line<'t>(&self, line: &'t [u8]) -> Cow<'t, [u8]> {
        if !self.options.enabled {
            return Cow::Borrowed(line);
        }
        let mut told = Cow::Borrowed(line);
        for _ in 0..MAX_PASSES {
            let mut spans = Spans::default();
            line::scan(&told, &mut spans);
            if spans.is_empty() {
                break;
            }
            told = Cow::Owned(spans.apply(&told, &mut |kind| self.count(kind)).into_owned());
        }
        told
    }

    /// The arguments of one program, the first being its own name.
    pub fn arguments<'t>(&self, arguments: &[&'t [u8]]) -> Vec<Cow<'t, [u8]>> {
        if !self.options.enabled {
            return arguments.iter().map(|argument| Cow::Borrowed(*argument)).collect();
        }
        let mut told: Vec<Cow<'t, [u8]>> =
            arguments.iter().map(|argument| Cow::Borrowed(*argument)).collect();
        for _ in 0..MAX_PASSES {
            let mut all: Vec<Spans> = arguments.iter().map(|_| Spans::default()).collect();
            let borrowed: Vec<&[u8]> = told.iter().map(|argument| &**argument).collect();
            line::scan_arguments(&borrowed, &mut all);
            if all.iter().all(Spans::is_empty) {
                break;
            }
            for (argument, spans) in told.iter_mut().zip(&mut all).filter(|(_, it)| !it.is_empty())
            {
                let applied = spans.apply(argument, &mut |kind| self.count(kind));
                *argument = Cow::Owned(applied.into_owned());
            }
        }
        told
    }

    /// A variable with its value, `NAME=VALUE`: only the values of those that are known to be harmless
    /// stay.
    pub fn variable<'t>(&self, variable: &'t [u8]) -> Cow<'t, [u8]> {
        if !self.options.enabled {
            return Cow::Borrowed(variable);
        }
        let mut spans = Spans::default();
        environment::scan(variable, &self.options.environment, &mut spans);
        spans.apply(variable, &mut |kind| self.count(kind))
    }

    /// So many secrets were taken out, by what they were.
    pub fn figures(&self) -> impl Iterator<Item = (Kind, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Kind::ALL.iter().copied().zip(counts)
    }

    fn count(&self, kind: Kind) {
        if let Some(count) = self.counts.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new(Options::default())
    }
}
