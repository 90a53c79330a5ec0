//! Addresses and networks (CIDR, RFC 4632).

use std::collections::HashSet;
use std::net::IpAddr;

/// A set of addresses and networks. An IPv4-mapped address is the IPv4 address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Networks {
    addresses: HashSet<IpAddr>,
    networks: Vec<(u128, u128, bool)>,
}

impl Networks {
    /// Takes in an address or `address/bits`; `Err` if it is neither.
    pub fn add(&mut self, text: &str) -> Result<(), ()> {
        let Some((address, bits)) = text.split_once('/') else {
            self.addresses.insert(parse(text)?);
            return Ok(());
        };
        let address = parse(address)?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.parse().map_err(|_| ())?;
        let host = width.checked_sub(bits).ok_or(())?;
        let mask = u128::MAX.checked_shl(host).unwrap_or(0);
        self.networks.push((number(address) & mask, mask, address.is_ipv4()));
        Ok(())
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (value, is_ipv4) = (number(address), address.is_ipv4());
        self.addresses.contains(&address)
            || (self.networks.iter())
                .any(|(network, mask, of_ipv4)| *of_ipv4 == is_ipv4 && value & mask == *network)
    }
}

fn parse(text: &str) -> Result<IpAddr, ()> {
    text.parse().map(|address: IpAddr| address.to_canonical()).map_err(|_| ())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let mut networks = Networks::default();
        for text in ["10.0.0.0/8", "192.168.1.1", "2001:db8::/32", "0.0.0.0/32", "::1"] {
            networks.add(text).unwrap();
        }
        for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/x", "::/129", "example.com"] {
            assert!(networks.add(text).is_err(), "{text}");
        }
        let holds = |text: &str| networks.contains(text.parse().unwrap());
        for address in
            ["10.255.0.1", "192.168.1.1", "2001:db8:1::", "0.0.0.0", "::1", "::ffff:10.0.0.1"]
        {
            assert!(holds(address), "{address}");
        }
        for address in ["11.0.0.1", "192.168.1.2", "2001:db9::", "0.0.0.1", "::2"] {
            assert!(!holds(address), "{address}");
        }
        let mut all = Networks::default();
        all.add("0.0.0.0/0").unwrap();
        assert!(all.contains("1.2.3.4".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
    }
}
