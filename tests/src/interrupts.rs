//! How often interrupts came, as the kernel counts them.

use std::collections::BTreeMap;
use std::fs;

/// By operation and number: `("hard", 24)`, and `("soft", 3)` for NET_RX.
pub type Interrupts = BTreeMap<(&'static str, u64), u64>;

/// What `/proc/interrupts` and `/proc/softirqs` say.
///
/// # Panics
/// When they cannot be read.
pub fn interrupts() -> Interrupts {
    let mut all = Interrupts::new();
    let sum =
        |fields: &str| fields.split_whitespace().map_while(|field| field.parse::<u64>().ok()).sum();
    let hard = fs::read_to_string("/proc/interrupts").unwrap();
    for line in hard.lines().skip(1) {
        // What has a word in place of a number has no handler of a device.
        let Some((number, counts)) = line.split_once(':') else { continue };
        if let Ok(number) = number.trim().parse() {
            all.insert(("hard", number), sum(counts));
        }
    }
    let soft = fs::read_to_string("/proc/softirqs").unwrap();
    for (number, line) in soft.lines().skip(1).enumerate() {
        let (_, counts) = line.split_once(':').unwrap();
        all.insert(("soft", number as u64), sum(counts));
    }
    all
}

/// The name of a soft one, as `/proc/softirqs` has it.
///
/// # Panics
/// When there is none of this number.
pub fn soft_name(number: u64) -> String {
    let soft = fs::read_to_string("/proc/softirqs").unwrap();
    let line = soft.lines().nth(usize::try_from(number).unwrap() + 1).unwrap();
    line.split_once(':').unwrap().0.trim().to_owned()
}

/// The names of the handlers of a hard one, as `/proc/interrupts` has them, without spaces.
///
/// # Panics
/// When there is none of this number.
pub fn hard_line(number: u64) -> String {
    let hard = fs::read_to_string("/proc/interrupts").unwrap();
    let line = hard.lines().find(|line| line.trim_start().starts_with(&format!("{number}:")));
    line.unwrap().to_owned()
}
