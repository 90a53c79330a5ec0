//! Addresses and ranges of them.

use std::net::IpAddr;

use super::Why;

/// A range of addresses; a single one is a range too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    is_ipv4: bool,
    first: u128,
    mask: u128,
}

/// IPv4 is `::ffff:a.b.c.d` here, however it was written.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Network {
    /// `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
    pub fn parse(text: &str) -> Result<Self, Why> {
        let Some((address, length)) = text.split_once('/') else {
            let address: IpAddr = text.parse().map_err(|_| Why::Address)?;
            return Ok(Self::new(address, u128::MAX));
        };
        let address: IpAddr = address.parse().map_err(|_| Why::Cidr)?;
        let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse::<u32>().ok().filter(|_| is_number).ok_or(Why::Cidr)?;
        let (whole, mapped) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        if length > whole {
            return Err(Why::Cidr);
        }
        let mask = u128::MAX.checked_shl(128 - mapped - length).unwrap_or(0);
        Ok(Self::new(address, mask))
    }

    fn new(address: IpAddr, mask: u128) -> Self {
        const VERSION: u128 = u128::MAX << 32;
        let is_ipv4 = address.to_canonical().is_ipv4() && mask & VERSION == VERSION;
        Self { is_ipv4, first: bits(address) & mask, mask }
    }

    /// Whether an address is of it; a range of one version has no address of the other.
    pub fn contains(self, address: IpAddr) -> bool {
        address.to_canonical().is_ipv4() == self.is_ipv4 && bits(address) & self.mask == self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_addresses_and_no_others() {
        for (range, inside, outside) in [
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("10.1.2.3/8", "10.255.0.0", "11.0.0.0"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("1.2.3.4/32", "1.2.3.4", "1.2.3.5"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("::/0", "fe80::1", "1.2.3.4"),
            ("::1", "0:0:0:0:0:0:0:1", "::2"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ] {
            let network = Network::parse(range).expect(range);
            assert!(network.contains(inside.parse().expect(inside)), "{range} {inside}");
            assert!(!network.contains(outside.parse().expect(outside)), "{range} {outside}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "1.2.3", "1.2.3.4.5", "host", "1.2.3.4 ", "fe80::1%eth0"] {
            assert_eq!(Network::parse(text), Err(Why::Address), "{text}");
        }
        for text in ["/", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/+8", "::/129", "x/8", "1.2.3.4/8/8"] {
            assert_eq!(Network::parse(text), Err(Why::Cidr), "{text}");
        }
    }
}
