//! Ranges of addresses: which of some ranges is the narrowest around an address.
//!
//! For the ranges that a person gave names to, which become Hubble's `cidr:` identities, and for those
//! that nodes give to their pods. There are few lengths of prefix, so that a look-up is one search per
//! length. IPv4 is `::ffff:a.b.c.d` here, as it is on a socket that speaks both.

use std::fmt;
use std::net::IpAddr;

use crate::cluster::Cidr;
use crate::intern::str_bytes;
use crate::numbers::number_of_range;

/// The address as 128 bits.
pub(crate) fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The bits that count of a prefix of this length.
fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0)
}

impl Cidr {
    /// Its first address as 128 bits, and how many of them count.
    pub(crate) fn mapped(&self) -> (u128, u8) {
        let bits = match self.address {
            IpAddr::V4(_) => 96 + self.prefix_bits.min(32),
            IpAddr::V6(_) => self.prefix_bits.min(128),
        };
        (mapped(self.address) & mask(bits), bits)
    }
}

/// Values by range.
#[derive(Debug)]
pub(crate) struct Ranges<T> {
    /// Longest prefixes first; ranges of a length are sorted.
    lengths: Vec<(u8, Vec<(u128, T)>)>,
}

impl<T> Ranges<T> {
    pub(crate) fn new() -> Self {
        Self { lengths: Vec::new() }
    }

    /// Puts a value at a range. Gives the one that was there.
    pub(crate) fn insert(&mut self, range: Cidr, value: T) -> Option<T> {
        let (address, bits) = range.mapped();
        let place = match self.lengths.binary_search_by(|(known, _)| bits.cmp(known)) {
            Ok(place) => place,
            Err(place) => {
                self.lengths.insert(place, (bits, Vec::new()));
                place
            }
        };
        let (_, ranges) = self.lengths.get_mut(place)?;
        match ranges.binary_search_by_key(&address, |(known, _)| *known) {
            Ok(at) => ranges.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                ranges.insert(at, (address, value));
                None
            }
        }
    }

    /// Takes a range away if `is_it` accepts its value.
    pub(crate) fn remove(&mut self, range: Cidr, is_it: impl Fn(&T) -> bool) {
        let (address, bits) = range.mapped();
        let of_length = self.lengths.iter_mut().find(|(known, _)| *known == bits);
        let Some((_, ranges)) = of_length else { return };
        if let Ok(at) = ranges.binary_search_by_key(&address, |(known, _)| *known)
            && ranges.get(at).is_some_and(|(_, value)| is_it(value))
        {
            ranges.remove(at);
        }
        self.lengths.retain(|(_, ranges)| !ranges.is_empty());
    }

    /// The value of the narrowest range around this address.
    pub(crate) fn around(&self, address: u128) -> Option<&T> {
        self.lengths.iter().find_map(|(bits, ranges)| {
            let first = address & mask(*bits);
            let at = ranges.binary_search_by_key(&first, |(known, _)| *known).ok()?;
            ranges.get(at).map(|(_, value)| value)
        })
    }

    /// Bytes that `count` more may add: any list may double, and each range may begin one.
    pub(crate) fn growth(&self, count: usize) -> usize {
        let full = self.lengths.iter().filter(|(_, list)| list.len() + count > list.capacity());
        let doubled = full.map(|(_, list)| list.capacity().max(count)).sum::<usize>();
        let begun = count * (4 * size_of::<(u128, T)>() + 4 * size_of::<(u8, Vec<(u128, T)>)>());
        doubled * size_of::<(u128, T)>() + begun
    }

    /// Memory on the heap.
    pub(crate) fn bytes(&self) -> usize {
        let lengths = self.lengths.capacity() * size_of::<(u8, Vec<(u128, T)>)>();
        let ranges = self.lengths.iter().map(|(_, ranges)| ranges.capacity());
        lengths + ranges.sum::<usize>() * size_of::<(u128, T)>()
    }
}

/// A range that has a name or a number of its own. Displayed as Hubble's label: `cidr:10.0.0.0/8=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CidrName {
    range: Cidr,
    number: u32,
    name: Box<str>,
}

impl CidrName {
    /// The range, with the bits behind its prefix as they were given.
    pub fn range(&self) -> Cidr {
        self.range
    }

    /// Its identity: 2^24 at least, less than 2^25.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What a person called it; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for CidrName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, bits) = self.range.mapped();
        let first = std::net::Ipv6Addr::from_bits(first);
        match (self.range.address, first.to_ipv4_mapped()) {
            (IpAddr::V4(_), Some(first)) => write!(out, "cidr:{first}/{}=", bits - 96),
            // As label keys must not contain colons, Cilium writes dashes.
            _ => write!(out, "cidr:{}/{bits}=", first.to_string().replace(':', "-")),
        }
    }
}

/// Ranges of addresses outside of the cluster that were configured.
#[derive(Debug)]
pub struct CidrNames {
    ranges: Ranges<CidrName>,
    len: usize,
    refused: usize,
    collided: usize,
}

impl CidrNames {
    /// Most ranges that are kept.
    pub const MOST: usize = 4096;
    /// Bytes that are kept of a name.
    const NAME_BYTES: usize = 253;

    /// These ranges; of two that are the same, the later one's name counts.
    pub fn new<'a>(given: impl IntoIterator<Item = (Cidr, &'a str)>) -> Self {
        let mut names = Self { ranges: Ranges::new(), len: 0, refused: 0, collided: 0 };
        let mut numbers = std::collections::HashSet::new();
        for (range, name) in given {
            if names.len == Self::MOST {
                names.refused += 1;
                continue;
            }
            let name = name.get(..name.floor_char_boundary(Self::NAME_BYTES)).unwrap_or_default();
            let number = number_of_range(range);
            let one = CidrName { range, number, name: name.into() };
            if names.ranges.insert(range, one).is_none() {
                names.len += 1;
                names.collided += usize::from(!numbers.insert(number));
            }
        }
        names
    }

    /// The narrowest range around this address.
    pub fn around(&self, address: IpAddr) -> Option<&CidrName> {
        self.ranges.around(mapped(address))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many were beyond [`CidrNames::MOST`].
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// How many have the number of another one.
    pub fn collided(&self) -> usize {
        self.collided
    }

    /// Memory on the heap.
    pub fn bytes(&self) -> usize {
        let names = self.ranges.lengths.iter().flat_map(|(_, ranges)| ranges);
        self.ranges.bytes() + names.map(|(_, one)| str_bytes(&one.name)).sum::<usize>()
    }
}

impl Default for CidrNames {
    fn default() -> Self {
        Self::new([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Cidr {
        let (address, bits) = text.split_once('/').unwrap();
        Cidr { address: address.parse().unwrap(), prefix_bits: bits.parse().unwrap() }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_narrowest_range_answers() {
        let given = [
            ("0.0.0.0/0", "all"),
            ("10.1.2.3/8", "private"),
            ("10.20.0.0/16", "office"),
            ("10.20.30.40/32", "printer"),
            ("2001:db8::/32", "documents"),
        ];
        let names = CidrNames::new(given.map(|(text, name)| (range(text), name)));
        let name = |address| names.around(ip(address)).map(CidrName::name);
        assert_eq!(name("10.20.30.40"), Some("printer"));
        assert_eq!(name("10.20.30.41"), Some("office"));
        assert_eq!(name("10.21.0.0"), Some("private"));
        assert_eq!(name("::ffff:10.21.0.0"), Some("private"));
        assert_eq!(name("11.0.0.0"), Some("all"));
        assert_eq!(name("2001:db8::1"), Some("documents"));
        assert_eq!(name("2001:db9::1"), None, "0.0.0.0/0 is IPv4");
        assert_eq!((names.len(), names.refused(), names.collided()), (5, 0, 0));
    }

    #[test]
    fn a_range_reads_as_hubbles_label() {
        let given = ["10.1.2.3/8", "2001:db8::7/32", "::/0", "0.0.0.0/0"];
        let texts = given.map(|text| {
            let names = CidrNames::new([(range(text), "")]);
            names.around(range(text).address).unwrap().to_string()
        });
        let expected = ["cidr:10.0.0.0/8=", "cidr:2001-db8--/32=", "cidr:--/0=", "cidr:0.0.0.0/0="];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_range_that_was_taken_away_answers_no_more() {
        let mut ranges = Ranges::new();
        ranges.insert(range("10.0.0.0/24"), 1);
        ranges.insert(range("10.0.0.0/16"), 2);
        let at = |ranges: &Ranges<u32>| ranges.around(mapped(ip("10.0.0.9"))).copied();
        ranges.remove(range("10.0.0.0/24"), |value| *value == 2);
        assert_eq!(at(&ranges), Some(1), "it is another's");
        ranges.remove(range("10.0.0.0/24"), |value| *value == 1);
        assert_eq!(at(&ranges), Some(2));
        ranges.remove(range("10.0.0.0/16"), |_| true);
        assert_eq!(at(&ranges), None);
        assert!(ranges.lengths.is_empty());
    }

    #[test]
    fn more_than_are_allowed_are_refused_and_counted() {
        let many = (0..5000_u32).map(|number| {
            (Cidr { address: std::net::Ipv4Addr::from_bits(number).into(), prefix_bits: 32 }, "x")
        });
        let names = CidrNames::new(many);
        assert_eq!((names.len(), names.refused()), (CidrNames::MOST, 5000 - CidrNames::MOST));
        let odd = CidrNames::new([(Cidr { address: ip("10.0.0.1"), prefix_bits: 200 }, "")]);
        assert!(odd.around(ip("10.0.0.1")).is_some());
    }
}
