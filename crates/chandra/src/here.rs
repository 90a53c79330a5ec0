//! The addresses of this host, as its own network namespace has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All of them, loopback included.
pub fn addresses() -> Vec<IpAddr> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut addresses = ipv4(&read("/proc/net/fib_trie"));
    addresses.extend(ipv6(&read("/proc/net/if_inet6")));
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// A leaf of the routing tree that is marked `host LOCAL` is an address of ours.
fn ipv4(trie: &str) -> Vec<IpAddr> {
    let mut leaf = None;
    let mut addresses = Vec::new();
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line.ends_with("host LOCAL") {
            addresses.extend(leaf.map(IpAddr::V4));
        }
    }
    addresses
}

/// Each line begins with an address in 32 hexadecimal digits.
fn ipv6(table: &str) -> Vec<IpAddr> {
    let digits = table.lines().filter_map(|line| line.split(' ').next());
    let numbers = digits.filter_map(|digits| u128::from_str_radix(digits, 16).ok());
    numbers.map(|number| IpAddr::V6(Ipv6Addr::from(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_told_from_routes() {
        let trie = "Local:\n  +-- 10.0.0.0/24 2 0 2\n     |-- 10.0.0.0\n        /24 link UNICAST\n     \
                    |-- 10.0.0.7\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n";
        assert_eq!(ipv4(trie), [IpAddr::from([10, 0, 0, 7])]);
        let table = "fe800000000000000000000000000001 02 40 20 80     eth0\nnonsense\n";
        assert_eq!(ipv6(table), ["fe80::1".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn this_host_has_its_loopback() {
        assert!(addresses().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
