//! Moments as `--since` and `--until` take them: how long ago, or a date, in the forms that Hubble has.

use std::time::Duration;

use jiff::civil::Date;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no moment: neither a span of time like 5m or 1h30m, nor a date like 2026-01-02T15:04:05Z"
)]
pub struct NoMoment(String);

/// The moment that a text means, seen from `now`. What has no time zone is in UTC.
///
/// # Errors
/// When it means none.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, NoMoment> {
    let none = || NoMoment(text.to_owned());
    if let Some((is_negative, span)) = span(text) {
        let span = SignedDuration::try_from(span).map_err(|_| none())?;
        let moment = if is_negative { now.checked_add(span) } else { now.checked_sub(span) };
        return moment.ok().filter(is_on_the_wire).ok_or_else(none);
    }
    date(text).or_else(|| stamp(text, now)).filter(is_on_the_wire).ok_or_else(none)
}

/// Messages have moments from the year 1 on.
fn is_on_the_wire(moment: &Timestamp) -> bool {
    const FIRST_SECOND: i64 = -62_135_596_800;
    moment.as_second() >= FIRST_SECOND
}

/// `2006-01-02`, `2006-01-02T15Z`, `2006-01-02T15:04+07:00`, and with seconds and parts of them; or as
/// in mails, `Mon, 02 Jan 2006 15:04:05 -0700`.
fn date(text: &str) -> Option<Timestamp> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    if text.len() == "2006-01-02".len() {
        return text.parse::<Date>().ok().and_then(midnight);
    }
    let mailed = || rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(|| hour(text)).or_else(mailed)
}

/// A date with an hour and nothing smaller.
fn hour(text: &str) -> Option<Timestamp> {
    let (date_and_hour, zone) = text.split_at_checked("2006-01-02T15".len())?;
    format!("{date_and_hour}:00{zone}").parse().ok()
}

/// `Jan  2 15:04:05.000`, as flows are printed: the last one that there was.
fn stamp(text: &str, now: Timestamp) -> Option<Timestamp> {
    let this_year = now.to_zoned(TimeZone::UTC).year();
    let in_year = |year: i16| {
        let text = format!("{year} {text}");
        let parsed = strtime::parse("%Y %b %e %H:%M:%S%.f", text.as_bytes()).ok()?;
        let zoned = parsed.to_datetime().ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(zoned.timestamp())
    };
    // A clock may be a little behind; a date a day ahead is last year's.
    let latest = now.checked_add(SignedDuration::from_hours(24)).ok()?;
    in_year(this_year).filter(|moment| *moment <= latest).or_else(|| in_year(this_year - 1))
}

/// A span as Go writes it, `1h30m`, `1.5s`, `300ms`, and its sign.
pub fn span(text: &str) -> Option<(bool, Duration)> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some((is_negative, Duration::ZERO));
    }
    if rest.is_empty() {
        return None;
    }
    let mut total_ns = 0_u128;
    while !rest.is_empty() {
        let number_ends = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, behind) = rest.split_at_checked(number_ends)?;
        let unit_ends = behind.find(|it: char| it.is_ascii_digit() || it == '.');
        let (unit, behind) = behind.split_at_checked(unit_ends.unwrap_or(behind.len()))?;
        total_ns = total_ns.checked_add(decimal(number)?.checked_mul(unit_ns(unit)?)? / BILLION)?;
        rest = behind;
    }
    let (seconds, ns) = (total_ns / BILLION, total_ns % BILLION);
    Some((is_negative, Duration::new(seconds.try_into().ok()?, ns.try_into().ok()?)))
}

const BILLION: u128 = 1_000_000_000;
/// Digits behind the point that count.
const MOST_DECIMALS: usize = 9;

/// A number with a point, times a billion.
fn decimal(text: &str) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && part.is_empty() || part.contains('.') {
        return None;
    }
    let digits = part.get(..part.len().min(MOST_DECIMALS))?;
    let number = |text: &str| if text.is_empty() { Some(0_u128) } else { text.parse().ok() };
    let scale = 10_u128.checked_pow(u32::try_from(MOST_DECIMALS - digits.len()).ok()?)?;
    number(whole)?.checked_mul(BILLION)?.checked_add(number(digits)?.checked_mul(scale)?)
}

fn unit_ns(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => BILLION,
        "m" => 60 * BILLION,
        "h" => 3600 * BILLION,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-04T05:06:07.008Z".parse().unwrap()
    }

    #[test]
    fn spans_are_how_long_ago() {
        for (text, moment) in [
            ("3s", "2026-03-04T05:06:04.008Z"),
            ("4m", "2026-03-04T05:02:07.008Z"),
            ("1h43m", "2026-03-04T03:23:07.008Z"),
            ("1.5h", "2026-03-04T03:36:07.008Z"),
            ("8ms", "2026-03-04T05:06:07Z"),
            ("1s500ms", "2026-03-04T05:06:05.508Z"),
            ("-1m", "2026-03-04T05:07:07.008Z"),
            ("24h", "2026-03-03T05:06:07.008Z"),
            ("0", "2026-03-04T05:06:07.008Z"),
            ("1µs", "2026-03-04T05:06:07.007999Z"),
        ] {
            assert_eq!(parse(text, now()).unwrap().to_string(), moment, "{text}");
        }
    }

    #[test]
    fn dates_have_hubbles_forms() {
        for (text, moment) in [
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("2026-01-02T15Z", "2026-01-02T15:00:00Z"),
            ("2026-01-02T15-07:00", "2026-01-02T22:00:00Z"),
            ("2026-01-02T15:04-07:00", "2026-01-02T22:04:00Z"),
            ("2026-01-02T15:04:05Z", "2026-01-02T15:04:05Z"),
            ("2026-01-02T15:04:05+07:00", "2026-01-02T08:04:05Z"),
            ("2026-01-02T15:04:05.999Z", "2026-01-02T15:04:05.999Z"),
            ("2026-01-02T15:04:05.999999-07:00", "2026-01-02T22:04:05.999999Z"),
            ("2026-01-02T15:04:05.999999999Z", "2026-01-02T15:04:05.999999999Z"),
            ("Fri, 02 Jan 2026 15:04:05 -0700", "2026-01-02T22:04:05Z"),
            ("Mar  4 05:06:00.500", "2026-03-04T05:06:00.5Z"),
            ("Jan 2 15:04:05.000", "2026-01-02T15:04:05Z"),
            ("Dec 24 18:00:00.000", "2025-12-24T18:00:00Z"),
        ] {
            assert_eq!(parse(text, now()).unwrap().to_string(), moment, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_said() {
        for text in [
            "",
            "-",
            "s",
            "5",
            "5x",
            "1h5",
            ".s",
            "1..5s",
            "yesterday",
            "2026-13-01",
            "2026-01-02T15:04",
            "Feb 30 00:00:00.000",
            "9999999999999999999h",
            "99999999h",
            "é",
            "2026-01-0é",
        ] {
            let error = parse(text, now()).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?} is no moment")), "{error}");
        }
    }
}
