//! Which CPUs are online, as the kernel lists them.

use std::io;

const ONLINE: &str = "/sys/devices/system/cpu/online";

/// Numbers of the CPUs that are online now, in order.
///
/// # Errors
/// When the kernel does not list them.
pub fn online() -> io::Result<Vec<u32>> {
    Ok(parse(&std::fs::read_to_string(ONLINE)?))
}

/// A list as in `0-3,8`; what is no number or span is left out.
fn parse(list: &str) -> Vec<u32> {
    let spans = list.trim().split(',').filter_map(|span| {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    spans.flatten().take(MAX_CPUS).collect()
}

/// More than any kernel is built for (`CONFIG_NR_CPUS`).
const MAX_CPUS: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_listed_one_by_one_and_in_spans() {
        assert_eq!(parse("0\n"), [0]);
        assert_eq!(parse("0-2,5,7-8\n"), [0, 1, 2, 5, 7, 8]);
        assert!(parse("\n").is_empty());
        assert_eq!(parse("0-4294967295").len(), MAX_CPUS);
    }
}
