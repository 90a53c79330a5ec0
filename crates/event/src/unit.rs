//! Units of measured values. A field's unit is a word of its name (`duration_ns`, `bytes_sent`),
//! so that JSON needs no second place to say it; tables for people scale it (`1.2ms`, `3.4MiB`).

use std::fmt::Write;

/// A unit that a field's name may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `_ns`
    Nanoseconds,
    /// `_us`
    Microseconds,
    /// `bytes`
    Bytes,
}

/// A scale: what each step is worth in base units and how it is called, smallest first.
type Scale = [(u64, &'static str)];

const TIME: &Scale = &[(1, "ns"), (1_000, "µs"), (1_000_000, "ms"), (1_000_000_000, "s")];
const BYTES: &Scale = &[
    (1, "B"),
    (1 << 10, "KiB"),
    (1 << 20, "MiB"),
    (1 << 30, "GiB"),
    (1 << 40, "TiB"),
    (1 << 50, "PiB"),
    (1 << 60, "EiB"),
];
const COUNT: &Scale = &[
    (1, ""),
    (1 << 10, "K"),
    (1 << 20, "M"),
    (1 << 30, "G"),
    (1 << 40, "T"),
    (1 << 50, "P"),
    (1 << 60, "E"),
];

impl Unit {
    /// The unit in the last name of a path.
    pub fn of_path(path: &str) -> Option<Unit> {
        let name = path.rsplit('.').next().unwrap_or(path);
        name.split('_').find_map(|word| match word {
            "ns" => Some(Unit::Nanoseconds),
            "us" => Some(Unit::Microseconds),
            "bytes" => Some(Unit::Bytes),
            _ => None,
        })
    }

    /// The word that names carry: `ns`.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::Microseconds => "us",
            Unit::Bytes => "bytes",
        }
    }

    /// Appends all digits and the unit: `1234567ns`.
    pub(crate) fn push_exact(self, value: u64, out: &mut String) {
        let symbol = match self {
            Unit::Nanoseconds => "ns",
            Unit::Microseconds => "µs",
            Unit::Bytes => "B",
        };
        let _ = write!(out, "{value}{symbol}");
    }

    /// Two or three digits in the largest unit that fits, as text: `1.2ms`.
    pub fn scaled(self, value: u64) -> String {
        let mut text = String::new();
        self.push_scaled(value, &mut text);
        text
    }

    /// Appends two or three digits in the largest unit that fits: `1.2ms`, `350µs`, `3h07m`.
    pub fn push_scaled(self, value: u64, out: &mut String) {
        match self {
            Unit::Nanoseconds => push_duration(value, out),
            Unit::Microseconds => push_duration(value.saturating_mul(1_000), out),
            Unit::Bytes => push_scaled(value, BYTES, 1024, out),
        }
    }
}

/// Appends a plain number, in steps of 1024 as the bounds of histograms are: `64K`.
pub(crate) fn push_count(value: u64, out: &mut String) {
    push_scaled(value, COUNT, 1024, out);
}

/// From one minute on people count in minutes, hours and days.
fn push_duration(ns: u64, out: &mut String) {
    let seconds = ns / 1_000_000_000;
    let _ = match seconds {
        0..60 => return push_scaled(ns, TIME, 1000, out),
        60..3_600 => write!(out, "{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => write!(out, "{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => write!(out, "{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    };
}

/// Appends the value in the first step of `scale` in which it rounds to less than `limit`.
fn push_scaled(value: u64, scale: &Scale, limit: u128, out: &mut String) {
    let wide = u128::from(value);
    let last = scale.len().saturating_sub(1);
    for (index, (step, symbol)) in scale.iter().enumerate() {
        let step = u128::from(*step);
        let whole = (wide + step / 2) / step;
        if whole >= limit && index < last {
            continue;
        }
        let tenths = (wide * 10 + step / 2) / step;
        let _ = if step > 1 && tenths < 100 && tenths % 10 != 0 {
            write!(out, "{}.{}{symbol}", tenths / 10, tenths % 10)
        } else {
            write!(out, "{whole}{symbol}")
        };
        return;
    }
}

/// A count for people: `1234`, `123k`, `12M`.
pub fn short(number: u64) -> String {
    let (mut number, mut unit) = (number, "");
    for larger in ["k", "M", "G", "T"] {
        if number < 100_000 {
            break;
        }
        (number, unit) = (number / 1_000, larger);
    }
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(unit: Unit, value: u64) -> String {
        let mut out = String::new();
        unit.push_scaled(value, &mut out);
        out
    }

    #[test]
    fn names_carry_their_unit() {
        assert_eq!(Unit::of_path("duration_ns"), Some(Unit::Nanoseconds));
        assert_eq!(Unit::of_path("process.argv_bytes"), Some(Unit::Bytes));
        assert_eq!(Unit::of_path("bytes_sent"), Some(Unit::Bytes));
        assert_eq!(Unit::of_path("minimum_rtt_us"), Some(Unit::Microseconds));
        assert_eq!(Unit::of_path("bytes.count"), None);
    }

    #[test]
    fn durations_read_like_a_person_says_them() {
        for (ns, text) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1µs"),
            (1_250, "1.3µs"),
            (350_000, "350µs"),
            (999_499, "999µs"),
            (999_500, "1ms"),
            (9_960_000, "10ms"),
            (1_234_567, "1.2ms"),
            (59_900_000_000, "60s"),
            (61_000_000_000, "1m01s"),
            (11_220_000_000_000, "3h07m"),
            (u64::MAX, "213503d23h"),
        ] {
            assert_eq!(scaled(Unit::Nanoseconds, ns), text, "{ns}");
        }
        assert_eq!(scaled(Unit::Microseconds, 350), "350µs");
        assert_eq!(scaled(Unit::Microseconds, u64::MAX), "213503d23h");
    }

    #[test]
    fn bytes_are_counted_in_1024s() {
        for (bytes, text) in
            [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1_258_291, "1.2MiB"), (u64::MAX, "16EiB")]
        {
            assert_eq!(scaled(Unit::Bytes, bytes), text, "{bytes}");
        }
    }

    #[test]
    fn exact_values_lose_no_digit() {
        let mut out = String::new();
        Unit::Nanoseconds.push_exact(1_234_567, &mut out);
        assert_eq!(out, "1234567ns");
    }

    #[test]
    fn large_numbers_are_short() {
        let numbers = [0, 99_999, 100_000, 123_456_789, u64::MAX].map(short);
        assert_eq!(numbers, ["0", "99999", "100k", "123M", "18446744T"]);
    }
}
