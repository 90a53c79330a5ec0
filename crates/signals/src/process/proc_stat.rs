//! `/proc/PID/stat` (proc_pid_stat(5)).

/// Parent, session and start (in nanoseconds after boot) from `/proc/PID/stat` (proc_pid_stat(5)).
/// The name before them stands in parentheses and may hold anything, so the last `)` counts.
pub fn parse_stat(stat: &str) -> Option<(u32, u32, u64)> {
    // USER_HZ is 100 on every architecture Chandra runs on.
    const NANOSECONDS_PER_TICK: u64 = 10_000_000;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let ppid = fields.nth(1)?.parse().ok()?;
    let session_id = fields.nth(1)?.parse().ok()?;
    let ticks: u64 = fields.nth(15)?.parse().ok()?;
    Some((ppid, session_id, ticks.checked_mul(NANOSECONDS_PER_TICK)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 7 5 34816 7 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1234 0 0";
        assert_eq!(parse_stat(stat), Some((1, 5, 12_340_000_000)));
        assert_eq!(parse_stat("7 (cut"), None);
    }
}
