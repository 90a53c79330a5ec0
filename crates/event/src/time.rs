//! Wall-clock moments, and how the kernel's boot-time clock becomes them.

use std::fmt;

const NS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time of day in UTC, to the millisecond: `09:10:11.123`.
    pub fn time_of_day(self) -> impl fmt::Display {
        let (hour, minute, second) = self.clock();
        let milliseconds = self.0 % NS_PER_SECOND / 1_000_000;
        fmt::from_fn(move |f| write!(f, "{hour:02}:{minute:02}:{second:02}.{milliseconds:03}"))
    }

    /// Hour, minute and second of the day.
    fn clock(self) -> (u64, u64, u64) {
        let second = self.0 / NS_PER_SECOND % SECONDS_PER_DAY;
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// Year, month and day in the Gregorian calendar.
    ///
    /// Days are counted from 0000-03-01, so that the leap day is the last of its year and of
    /// its four years, and so that the one of a 400th year is the last of its 400 years.
    fn date(self) -> (u64, u64, u64) {
        const EPOCH: u64 = 719_468;
        const FOUR_CENTURIES: u64 = 146_097;
        const CENTURY: u64 = 36_524;
        const FOUR_YEARS: u64 = 1_461;
        const YEAR: u64 = 365;

        let days = self.0 / NS_PER_SECOND / SECONDS_PER_DAY + EPOCH;
        let (cycle, days) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
        let century = (days / CENTURY).min(3);
        let days = days - century * CENTURY;
        let (leap, days) = (days / FOUR_YEARS, days % FOUR_YEARS);
        let year = (days / YEAR).min(3);
        let days = days - year * YEAR;
        // From March on, months of 31 and 30 days alternate so that five of them have 153.
        let month = (5 * days + 2) / 153;
        let day = days - (153 * month + 2) / 5 + 1;

        let march_year = 400 * cycle + 100 * century + 4 * leap + year;
        if month < 10 { (march_year, month + 3, day) } else { (march_year + 1, month - 9, day) }
    }
}

/// RFC 3339 in UTC with nanoseconds: `2026-11-22T09:10:11.123456789Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.clock();
        let nanoseconds = self.0 % NS_PER_SECOND;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z"
        )
    }
}

/// Turns the kernel's boot-time nanoseconds (CLOCK_BOOTTIME) into wall-clock time.
///
/// `start_offset_ns` never changes during a run, so that a process's start time is the same on
/// every record; `offset_ns` may be measured again when the wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// Wall clock minus boot time when the run began, in nanoseconds.
    pub start_offset_ns: u64,
    /// Wall clock minus boot time as last measured, in nanoseconds.
    pub offset_ns: u64,
}

impl Clock {
    /// The moment of an event.
    pub fn event_time(&self, boottime_ns: u64) -> Timestamp {
        Timestamp(self.offset_ns.wrapping_add(boottime_ns))
    }

    /// The start of a process: stable for the whole run.
    pub fn start_time(&self, boottime_ns: u64) -> Timestamp {
        Timestamp(self.start_offset_ns.wrapping_add(boottime_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_rfc_3339() {
        for (nanoseconds, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
            (951_868_799_999_999_999, "2000-02-29T23:59:59.999999999Z"),
            (951_868_800_000_000_000, "2000-03-01T00:00:00.000000000Z"),
            (1_000_000_000_000_000_000, "2001-09-09T01:46:40.000000000Z"),
            (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000000000Z"),
            (1_735_689_599_000_000_001, "2024-12-31T23:59:59.000000001Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
            (4_107_456_000_000_000_000, "2100-02-28T00:00:00.000000000Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(Timestamp(nanoseconds).to_string(), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let date = |day: u64| Timestamp(day * SECONDS_PER_DAY * NS_PER_SECOND).date();
        for day in 0..200_000 {
            let ((year, month, dom), next) = (date(day), date(day + 1));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = match (dom == last, month) {
                (false, _) => (year, month, dom + 1),
                (true, 12) => (year + 1, 1, 1),
                (true, _) => (year, month + 1, 1),
            };
            assert_eq!(next, expected);
        }
    }

    #[test]
    fn time_of_day_stops_at_milliseconds() {
        let time = Timestamp(1_000_000_000_987_654_321);
        assert_eq!(time.time_of_day().to_string(), "01:46:40.987");
    }

    #[test]
    fn setting_the_wall_clock_moves_events_but_not_the_start_of_processes() {
        let clock = Clock { start_offset_ns: 100, offset_ns: 250 };
        assert_eq!(clock.start_time(5), Timestamp(105));
        assert_eq!(clock.event_time(5), Timestamp(255));
    }
}
