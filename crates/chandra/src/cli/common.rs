//! Options that more than one verb has, and the values they take.

use std::path::PathBuf;
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_loader::budget::Budgets;
use chandra_loader::load::Options;
use chandra_loader::ring::RingChoice;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};

/// How output looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// More columns, exact numbers.
    Wide,
    /// One JSON object a line.
    Json,
}

/// How records cross from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RingKind {
    /// The ring buffer where the kernel has it, else the perf buffer.
    #[default]
    Auto,
    /// The ring buffer (kernel 5.8 and later).
    Ring,
    /// The perf buffer.
    Perf,
}

/// Options of loading.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Loading")]
pub struct LoadArguments {
    /// How records cross from the kernel [default: auto]
    #[arg(long, env = "CHANDRA_RING", value_name = "KIND")]
    pub ring: Option<RingKind>,
    /// Size of a signal's ring: bytes, or with k or m [default: by CPUs and memory]
    #[arg(long, env = "CHANDRA_RING_SIZE", value_name = "SIZE")]
    pub ring_size: Option<String>,
    /// BTF file of this kernel, where it publishes none itself
    #[arg(long, env = "CHANDRA_BTF", value_name = "FILE")]
    pub btf: Option<PathBuf>,
    /// How often what goes on is told of (udp) [default: 30s]
    #[arg(long, env = "CHANDRA_INTERVAL", value_name = "TIME")]
    pub interval: Option<String>,
    /// Use ways that put a program on the path of every packet, too, where a signal has such
    /// [default: in a trace, not in the agent]
    #[arg(long, env = "CHANDRA_PACKET_HOOKS", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub packet_hooks: Option<bool>,
}

impl LoadArguments {
    /// The loader's options; `packet_hooks` is what holds where nothing is said of it.
    pub fn options(&self, packet_hooks: bool) -> Result<Options, Problem> {
        let ring_bytes = self.ring_size.as_deref().map(|text| {
            let size = size_bytes(text).filter(|bytes| *bytes <= MAXIMUM_RING_BYTES);
            size.ok_or_else(|| {
                bad_value("--ring-size", text, "not a size up to 1g", "--ring-size 256k")
            })
        });
        let interval = self.interval.as_deref().map(|text| {
            let interval = duration("--interval", text)?;
            let why = "not a span of time from a second to a day";
            let is_fit = (MINIMUM_INTERVAL..=MAXIMUM_INTERVAL).contains(&interval);
            is_fit
                .then_some(interval)
                .ok_or_else(|| bad_value("--interval", text, why, "--interval 10s"))
        });
        Ok(Options {
            btf: self.btf.clone(),
            interval: interval.transpose()?,
            ring: match self.ring.unwrap_or_default() {
                RingKind::Auto => RingChoice::Auto,
                RingKind::Ring => RingChoice::Ring,
                RingKind::Perf => RingChoice::Perf,
            },
            ring_bytes: ring_bytes.transpose()?,
            packet_hooks: self.packet_hooks.unwrap_or(packet_hooks),
            sample_hertz: None,
            budgets: Budgets::default(),
        })
    }
}

const MAXIMUM_RING_BYTES: usize = 1 << 30;
const MINIMUM_INTERVAL: Duration = Duration::from_secs(1);
const MAXIMUM_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Also into a file.
    Always,
    /// None.
    Never,
}

impl Color {
    /// Whether there are some, where the output is a terminal or is not.
    pub fn is_on(self, is_terminal: bool) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && !is_set("NO_COLOR") && !is_dumb,
        }
    }
}

/// The problem of a value that an option does not take; `example` is one that it does.
pub fn bad_value(option: &str, value: &str, why: &str, example: &str) -> Problem {
    let next = format!("for example: {example}");
    Problem::usage(
        Check::FILTERS,
        format!("cannot use {option} {value}"),
        format!("{value:?} is {why}"),
        next,
    )
}

/// A number of bytes: `4096`, `64k`, `1m`, `1g` (powers of 1024).
pub fn size_bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let (number, unit) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (text.get(..at)?, 1 << 10),
        (at, 'm' | 'M') => (text.get(..at)?, 1 << 20),
        (at, 'g' | 'G') => (text.get(..at)?, 1 << 30),
        _ => (text, 1),
    };
    number.parse::<usize>().ok()?.checked_mul(unit).filter(|bytes| *bytes > 0)
}

/// A span of time: `10s`, `500ms`, `1m 30s`; a bare number is seconds.
pub fn duration(option: &str, text: &str) -> Result<Duration, Problem> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds
        .or_else(|| humantime::parse_duration(text).ok())
        .ok_or_else(|| bad_value(option, text, "not a span of time", &format!("{option} 10s")))
}

/// Numbers in a range, each as it was typed.
pub fn numbers<T: std::str::FromStr + PartialOrd>(
    option: &str,
    texts: &[String],
    range: std::ops::RangeInclusive<T>,
    why: &str,
    example: &str,
) -> Result<Vec<T>, Problem> {
    let parse = |text: &String| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| bad_value(option, text, why, example))
    };
    texts.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(size_bytes("4096"), Some(4096));
        assert_eq!(size_bytes("64k"), Some(65_536));
        assert_eq!(size_bytes("1M"), Some(1 << 20));
        for wrong in ["", "k", "-1", "1.5m", "0", "99999999999g", "1 kb", "ä"] {
            assert_eq!(size_bytes(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_bare_duration_is_in_seconds() {
        assert_eq!(duration("--duration", "3"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("--duration", "500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("--duration", "soon").is_err());
    }
}
