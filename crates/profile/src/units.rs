//! Values as people read them.

/// A value of a unit of pprof's: `1.25 s`, `4.0 KiB`, `1,234 samples`. Units that are not known are named.
pub fn show(value: u64, name: &str, unit: &str) -> String {
    match unit {
        "nanoseconds" | "ns" => duration(value),
        "microseconds" => duration(value.saturating_mul(1_000)),
        "milliseconds" => duration(value.saturating_mul(1_000_000)),
        "seconds" => duration(value.saturating_mul(1_000_000_000)),
        "bytes" => bytes(value),
        "count" | "" => format!("{} {name}", grouped(value)),
        unit => format!("{} {unit}", grouped(value)),
    }
}

fn duration(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        _ if ns < 1e3 => format!("{ns} ns"),
        _ if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        _ if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

fn bytes(value: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut left = value as f64;
    let mut name = "B";
    for unit in units {
        if left < 1024.0 {
            break;
        }
        (left, name) = (left / 1024.0, unit);
    }
    if name == "B" { format!("{value} B") } else { format!("{left:.1} {name}") }
}

/// Digits in groups of three: `1,234,567`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share in percent: `12.34%`.
pub fn percent(part: u64, whole: u64) -> String {
    let share = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    format!("{:.2}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::{grouped, percent, show};

    #[test]
    fn values_are_short_and_have_their_unit() {
        assert_eq!(show(1_250_000_000, "cpu", "nanoseconds"), "1.25 s");
        assert_eq!(show(999, "cpu", "nanoseconds"), "999 ns");
        assert_eq!(show(4096, "alloc_space", "bytes"), "4.0 KiB");
        assert_eq!(show(1234, "samples", "count"), "1,234 samples");
        assert_eq!(show(7, "power", "watts"), "7 watts");
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(1), "1");
        assert_eq!(grouped(123_456), "123,456");
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn a_share_of_nothing_is_none() {
        assert_eq!(percent(1, 0), "0.00%");
        assert_eq!(percent(1, 3), "33.33%");
    }
}
