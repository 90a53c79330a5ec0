//! Wall-clock time as records write it, and how it relates to the time since boot.

/// Nanoseconds since 1970 of an RFC 3339 time in UTC with nanoseconds.
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.')?;
    let date: Vec<i64> = date.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let time: Vec<i64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (&[year, month, day], &[hour, minute, second]) = (&*date, &*time) else { return None };
    if fraction.len() != 9 {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(u64::try_from(seconds).ok()? * 1_000_000_000 + fraction.parse::<u64>().ok()?)
}

/// Counts leap days up to the first of March of the year that the date belongs to.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before_year = year * 365 + year / 4 - year / 100 + year / 400;
    let before_month = (month * 153 + 2) / 5;
    before_year + before_month + day - 1 - 719_468
}

/// Now, in nanoseconds since 1970.
pub fn now() -> u64 {
    read(libc::CLOCK_REALTIME)
}

/// Now, in nanoseconds since boot.
pub fn since_boot() -> u64 {
    read(libc::CLOCK_BOOTTIME)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that the kernel fills.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read() {
        assert_eq!(parse("1970-01-01T00:00:00.000000001Z"), Some(1));
        assert_eq!(parse("2000-02-29T12:00:00.000000000Z"), Some(951_825_600_000_000_000));
        assert_eq!(parse("2026-11-22T09:10:11.123456789Z"), Some(1_795_338_611_123_456_789));
        assert_eq!(parse("2026-11-22T09:10:11Z"), None);
    }
}
