//! Numbers for flows, so that one can be named and asked for.
//!
//! They have to differ, not to be secret, so they come from a fast generator that the system's
//! randomness has seeded.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number of a flow: a UUID of version 4 (RFC 9562), or 0, which is none. In halves, high first: a
/// number of 128 bits would have flows lie at multiples of 16, which costs eight bytes of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Uuid([u64; 2]);

impl Uuid {
    /// It is none.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl From<u128> for Uuid {
    fn from(number: u128) -> Self {
        Self([(number >> 64) as u64, number as u64])
    }
}

impl From<Uuid> for u128 {
    fn from(Uuid([high, low]): Uuid) -> Self {
        u128::from(high) << 64 | u128::from(low)
    }
}

/// A source of UUIDs of version 4 (RFC 9562). Each thread that makes flows has its own.
#[derive(Debug, Clone)]
pub struct Uuids([u64; 2]);

impl Default for Uuids {
    fn default() -> Self {
        let seed = |number: u64| {
            let mut hasher = RandomState::new().build_hasher();
            hasher.write_u64(number);
            hasher.finish()
        };
        Self([seed(1), seed(2)])
    }
}

impl Uuids {
    /// The next one.
    pub fn make(&mut self) -> Uuid {
        let [high, low] = &mut self.0;
        version_4(u128::from(split_mix(high)) << 64 | u128::from(split_mix(low))).into()
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): all 2^64 values once, in an order without pattern.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn version_4(random: u128) -> u128 {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;
    random & !VERSION & !VARIANT | 4 << 76 | 0b10 << 62
}

/// As people write it: `f81d4fae-7dec-41d0-a765-00a0c91e6bf6`.
pub fn uuid_text(uuid: Uuid) -> String {
    let digits = format!("{:032x}", u128::from(uuid));
    let (time_low, rest) = digits.split_at(8);
    let (time_mid, rest) = rest.split_at(4);
    let (time_high, rest) = rest.split_at(4);
    let (clock, node) = rest.split_at(4);
    format!("{time_low}-{time_mid}-{time_high}-{clock}-{node}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_uuid_is_of_version_4_and_differs_from_all_others() {
        let (mut one, mut other) = (Uuids::default(), Uuids::default());
        let all: HashSet<Uuid> = (0..10_000).flat_map(|_| [one.make(), other.make()]).collect();
        assert_eq!(all.len(), 20_000);
        for uuid in all {
            let text = uuid_text(uuid);
            assert_eq!(text.len(), 36);
            assert_eq!(text.as_bytes()[14], b'4', "{text}");
            assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
        }
        let known = 0xf81d_4fae_7dec_11d0_a765_00a0_c91e_6bf6;
        assert_eq!(u128::from(Uuid::from(known)), known);
        assert_eq!(uuid_text(known.into()), "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    }
}
