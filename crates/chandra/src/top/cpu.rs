//! How long processes ran on a processor, as `/proc` tells it: all of them, once an interval.

use std::collections::HashMap;

use chandra_event::text::escape;

use super::owners::NS_PER_TICK;

/// A process: its pid, and its start in hundredths of a second since boot.
type Key = (u32, u64);

/// Of all that run, how long they ran so far, in hundredths of a second.
#[derive(Debug, Default)]
pub struct Clocks(HashMap<Key, u64>);

impl Clocks {
    /// Tells how long each ran since the last look, where it was there then or began since; `each` gets its
    /// key, its name and nanoseconds.
    pub fn look(&mut self, each: &mut dyn FnMut(Key, &str, u64)) {
        let is_first = self.0.is_empty();
        let mut now = HashMap::with_capacity(self.0.len());
        for pid in pids() {
            let Ok(stat) = std::fs::read(format!("/proc/{pid}/stat")) else { continue };
            let Some((comm, ran, start)) = parse(&stat) else { continue };
            let key = (pid, start);
            let before = self.0.get(&key).copied().unwrap_or_default();
            let ticks = ran.saturating_sub(before);
            if ticks > 0 && !is_first {
                each(key, &comm, ticks.saturating_mul(NS_PER_TICK));
            }
            now.insert(key, ran);
        }
        self.0 = now;
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// How long this process ran so far, in nanoseconds.
pub fn of_this_process() -> Option<u64> {
    let (_, ran, _) = parse(&std::fs::read("/proc/self/stat").ok()?)?;
    Some(ran.saturating_mul(NS_PER_TICK))
}

/// `proc_pid_stat(5)`: the name stands in parentheses and may have any byte; behind it the 12th and 13th
/// number are time in user space and in the kernel, the 20th is the start.
fn parse(stat: &[u8]) -> Option<(String, u64, u64)> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let comm = escape(stat.get(open + 1..close)?);
    let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
    let mut numbers = rest.split_ascii_whitespace().skip(11);
    let user: u64 = numbers.next()?.parse().ok()?;
    let kernel: u64 = numbers.next()?.parse().ok()?;
    let start = numbers.nth(6)?.parse().ok()?;
    Some((comm, user.checked_add(kernel)?, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_parentheses_and_spaces() {
        let stat = b"42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 987654 1 2 3";
        assert_eq!(parse(stat), Some(("a) b (c".to_owned(), 175, 987_654)));
        for wrong in [&b""[..], b"42 (a", b"42 (a) S 1 2", b"42 )a( S"] {
            assert_eq!(parse(wrong), None);
        }
    }

    #[test]
    fn what_runs_is_told_and_how_long() {
        let mut clocks = Clocks::default();
        clocks.look(&mut |_, _, _| {});
        let before = of_this_process().unwrap();
        while of_this_process().unwrap() < before + 30_000_000 {
            std::hint::black_box(0);
        }
        let mut found = 0;
        clocks.look(&mut |(pid, _), _, ns| {
            if pid == std::process::id() {
                found = ns;
            }
        });
        assert!(found >= 30_000_000, "{found}");
    }
}
