//! Names of block devices, as `/proc/diskstats` has them.

use std::path::Path;

/// Bits of a minor number in the kernel's own form of a device's number.
const MINOR_BITS: u32 = 20;

/// The name of a device that is there; of any other its numbers: `8:0`.
pub fn name(number: u32) -> String {
    let numbers = format!("{}:{}", number >> MINOR_BITS, number & ((1 << MINOR_BITS) - 1));
    let target = std::fs::read_link(Path::new("/sys/dev/block").join(&numbers)).ok();
    let name = target.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    // A name's `/` is a `!` in a path.
    name.map_or(numbers, |name| name.replace('!', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_has_numbers() {
        assert_eq!(name((4095 << MINOR_BITS) | 1_048_575), "4095:1048575");
    }

    #[test]
    fn devices_have_the_names_that_the_kernel_counts_them_by() {
        let told = std::fs::read_to_string("/proc/diskstats").unwrap_or_default();
        for line in told.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let [major, minor] = [words[0], words[1]].map(|word| word.parse::<u32>().unwrap());
            assert_eq!(name(major << MINOR_BITS | minor), words[2]);
        }
    }
}
