//! Messages of ICMP and ICMPv6, byte by byte as RFC 792 and RFC 4443 have them, and sockets that send and
//! get them.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::patience::PATIENCE;
use crate::socket;

/// A raw socket for them, which gets what its network namespace gets.
///
/// # Panics
/// When it cannot be made.
pub fn raw(host: IpAddr) -> UdpSocket {
    let protocol = if host.is_ipv4() { libc::IPPROTO_ICMP } else { libc::IPPROTO_ICMPV6 };
    let socket = socket::raw(host, protocol);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Waits until the socket has got a message that begins with this type, and returns what follows its first
/// eight bytes.
///
/// # Panics
/// When it never comes.
pub fn receive(socket: &UdpSocket, is_ipv4: bool, type_number: u8) -> Vec<u8> {
    let mut buffer = [0; 4096];
    loop {
        let bytes = socket.recv(&mut buffer).unwrap();
        // Of IPv4 the header of IP comes along.
        let start = if is_ipv4 { usize::from(buffer[0] & 0xf) * 4 } else { 0 };
        let message = &buffer[start..bytes];
        if message[0] == type_number {
            return message[8..].to_vec();
        }
    }
}

/// A message with these eight bytes at its head, the checksum left out, and what follows. The kernel fills in
/// the checksum of ICMPv6, which covers addresses.
pub fn message(type_number: u8, code: u8, word: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut message = [&[type_number, code, 0, 0][..], &word, data].concat();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// An echo request.
pub fn echo_request(is_ipv4: bool, id: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let ([a, b], [c, d]) = (id.to_be_bytes(), sequence.to_be_bytes());
    message(if is_ipv4 { 8 } else { 128 }, 0, [a, b, c, d], data)
}

/// That a packet was too large for a link of this MTU, quoting it.
pub fn too_big(is_ipv4: bool, mtu: u16, quote: &[u8]) -> Vec<u8> {
    let [high, low] = mtu.to_be_bytes();
    let (type_number, code) = if is_ipv4 { (3, 4) } else { (2, 0) };
    message(type_number, code, [0, 0, high, low], quote)
}

/// The first bytes of a packet of `length` bytes: the header of IP and the first eight bytes of what it
/// carries, which are ports and a number.
///
/// # Panics
/// When the ends are not both IPv4 or both IPv6.
pub fn quote(protocol: u8, source: SocketAddr, destination: SocketAddr, length: u16) -> Vec<u8> {
    let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
    let number = [1, 2, 3, 4];
    let [high, low] = length.to_be_bytes();
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = [0x45, 0, high, low, 0, 1, 0x40, 0, 63, protocol, 0, 0];
            [&header[..], &source.octets(), &destination.octets(), &ports, &number].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let [high, low] = (length - 40).to_be_bytes();
            let header = [0x60, 0, 0, 0, high, low, protocol, 63];
            [&header[..], &source.octets(), &destination.octets(), &ports, &number].concat()
        }
        ends => panic!("{ends:?}"),
    }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| {
        u32::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or_default()]))
    });
    let sum = words.sum::<u32>();
    let folded = (sum >> 16) + (sum & 0xffff);
    !u16::try_from((folded >> 16) + (folded & 0xffff)).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        let echo = echo_request(true, 0x1234, 1, b"odd");
        assert_eq!(checksum(&echo), 0, "with its checksum a message sums up to nothing");
    }
}
