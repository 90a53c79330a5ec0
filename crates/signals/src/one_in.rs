//! How many facts a record stands for, of a signal that is governed (`bpf/governed.h`).

/// From the logarithm to the base 2 that a record has; `None` for what no governor says.
pub fn one_in(log2: u8) -> Option<u32> {
    1_u32.checked_shl(log2.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stands_for_a_power_of_two() {
        assert_eq!([0, 1, 8, 31].map(one_in), [Some(1), Some(2), Some(256), Some(1 << 31)]);
        assert_eq!(one_in(32), None);
    }
}
