//! Moments by the names that Hubble has for their formats, in UTC.

use std::str::FromStr;

use prost_types::Timestamp;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// From the first day of 1970 on.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// How a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeFormat {
    /// `Jan  2 15:04:05.000`.
    #[default]
    StampMilli,
    /// `2006-01-02`.
    YearMonthDay,
    /// `2006-01-02T15-07:00`.
    YearMonthDayHour,
    /// `2006-01-02T15:04-07:00`.
    YearMonthDayHourMinute,
    /// `2006-01-02T15:04:05Z`.
    Rfc3339,
    /// The same with up to three digits of a second.
    Rfc3339Milli,
    /// With up to six.
    Rfc3339Micro,
    /// With up to nine.
    Rfc3339Nano,
    /// `Mon, 02 Jan 2006 15:04:05 +0000`.
    Rfc1123Z,
}

/// Names as `--time-format` has them.
const NAMES: [(&str, TimeFormat); 9] = [
    ("StampMilli", TimeFormat::StampMilli),
    ("YearMonthDay", TimeFormat::YearMonthDay),
    ("YearMonthDayHour", TimeFormat::YearMonthDayHour),
    ("YearMonthDayHourMinute", TimeFormat::YearMonthDayHourMinute),
    ("RFC3339", TimeFormat::Rfc3339),
    ("RFC3339Milli", TimeFormat::Rfc3339Milli),
    ("RFC3339Micro", TimeFormat::Rfc3339Micro),
    ("RFC3339Nano", TimeFormat::Rfc3339Nano),
    ("RFC1123Z", TimeFormat::Rfc1123Z),
];

impl FromStr for TimeFormat {
    type Err = ();

    /// By Hubble's names, in any case.
    fn from_str(name: &str) -> Result<Self, ()> {
        let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, format)| *format).ok_or(())
    }
}

impl TimeFormat {
    /// A moment; `N/A` where there is none, or one before 1970.
    pub fn write(self, time: Option<&Timestamp>) -> String {
        let not_a_moment = || "N/A".to_owned();
        let Some(time) = time else { return not_a_moment() };
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(time.seconds), u64::try_from(time.nanos))
        else {
            return not_a_moment();
        };
        let Some(ns) = seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(nanos))
        else {
            return not_a_moment();
        };
        self.of(chandra_event::time::Timestamp(ns)).unwrap_or_else(not_a_moment)
    }

    /// All parts are those of RFC 3339, which `event` writes.
    fn of(self, time: chandra_event::time::Timestamp) -> Option<String> {
        let whole = time.to_string();
        let (date, clock) = whole.split_once('T')?;
        let (clock, fraction) = clock.trim_end_matches('Z').split_once('.')?;
        let (year, month_day) = date.split_once('-')?;
        let (month, day) = month_day.split_once('-')?;
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        let with_fraction = |digits: usize| {
            let fraction = fraction.get(..digits).unwrap_or(fraction).trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            format!("{date}T{clock}{point}{fraction}Z")
        };
        Some(match self {
            TimeFormat::StampMilli => {
                let day = day.trim_start_matches('0');
                format!("{month} {day:>2} {clock}.{}", fraction.get(..3)?)
            }
            TimeFormat::YearMonthDay => date.to_owned(),
            TimeFormat::YearMonthDayHour => format!("{date}T{}Z", clock.get(..2)?),
            TimeFormat::YearMonthDayHourMinute => format!("{date}T{}Z", clock.get(..5)?),
            TimeFormat::Rfc3339 => with_fraction(0),
            TimeFormat::Rfc3339Milli => with_fraction(3),
            TimeFormat::Rfc3339Micro => with_fraction(6),
            TimeFormat::Rfc3339Nano => with_fraction(9),
            TimeFormat::Rfc1123Z => {
                let days = usize::try_from(time.0 / 1_000_000_000 / 86_400).ok()?;
                let weekday = WEEKDAYS.get(days % WEEKDAYS.len())?;
                format!("{weekday}, {day} {month} {year} {clock} +0000")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_each_format() {
        let time = Timestamp { seconds: 1_136_214_245, nanos: 120_000_000 };
        for (name, expected) in [
            ("StampMilli", "Jan  2 15:04:05.120"),
            ("yearmonthday", "2006-01-02"),
            ("YearMonthDayHour", "2006-01-02T15Z"),
            ("YearMonthDayHourMinute", "2006-01-02T15:04Z"),
            ("RFC3339", "2006-01-02T15:04:05Z"),
            ("RFC3339Milli", "2006-01-02T15:04:05.12Z"),
            ("RFC3339Micro", "2006-01-02T15:04:05.12Z"),
            ("RFC3339Nano", "2006-01-02T15:04:05.12Z"),
            ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 +0000"),
        ] {
            let format: TimeFormat = name.parse().expect(name);
            assert_eq!(format.write(Some(&time)), expected, "{name}");
        }
        let late = Timestamp { seconds: 1_234, nanos: 567_800_009 };
        assert_eq!(TimeFormat::StampMilli.write(Some(&late)), "Jan  1 00:20:34.567");
        assert_eq!(TimeFormat::Rfc3339Nano.write(Some(&late)), "1970-01-01T00:20:34.567800009Z");
        assert!("Stamp".parse::<TimeFormat>().is_err());
    }

    #[test]
    fn what_is_no_moment_is_not_available() {
        for (seconds, nanos) in [(-1, 0), (0, -1), (i64::MAX, 0)] {
            let time = Timestamp { seconds, nanos };
            assert_eq!(TimeFormat::Rfc3339.write(Some(&time)), "N/A");
        }
        assert_eq!(TimeFormat::Rfc3339.write(None), "N/A");
    }
}
