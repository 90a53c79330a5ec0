//! The packet that an error quotes: its IP header and at least eight bytes of what IP carries, as whoever
//! sent the error chose to copy, or to invent, them. Nothing here trusts a length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Identifier and sequence number of an echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// Sets the echoes of one program apart from those of others.
    pub id: u16,
    /// Counts them.
    pub sequence: u16,
}

impl Echo {
    /// Of the second four bytes of an echo (RFC 792, RFC 4443).
    pub fn new([a, b, c, d]: [u8; 4]) -> Self {
        Self { id: u16::from_be_bytes([a, b]), sequence: u16::from_be_bytes([c, d]) }
    }
}

/// Why a quoted packet cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It ends within its IP header: `ends_too_soon`.
    EndsTooSoon,
    /// Its version is neither of IP's: `not_ip`.
    NotIp,
    /// Its IP header claims to be shorter than one is: `bad_header`.
    BadHeader,
}

impl Malformed {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Malformed::EndsTooSoon => "ends_too_soon",
            Malformed::NotIp => "not_ip",
            Malformed::BadHeader => "bad_header",
        }
    }
}

/// A packet that was quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    /// What IP carries (IANA's numbers), behind the extension headers of IPv6; absent where the quote ends
    /// before it is told.
    pub protocol: Option<u8>,
    /// Source; port 0 where `has_ports` is false.
    pub source: SocketAddr,
    /// Destination; port 0 where `has_ports` is false.
    pub destination: SocketAddr,
    /// The ports are known.
    pub has_ports: bool,
    /// Type of ICMP or ICMPv6, where that is what failed.
    pub icmp_type: Option<u8>,
    /// Which echo it was, where it was one.
    pub echo: Option<Echo>,
    /// Its bytes as its header says: headers of IP and what these carry.
    pub length_bytes: u32,
    /// It is a fragment. Only the first one has what IP carries.
    pub is_fragment: bool,
}

impl Quoted {
    /// Reads as much of a packet as is there.
    ///
    /// # Errors
    /// When not even its addresses can be read.
    pub fn read(packet: &[u8]) -> Result<Self, Malformed> {
        match packet.first().ok_or(Malformed::EndsTooSoon)? >> 4 {
            4 => read_v4(packet),
            6 => read_v6(packet),
            _ => Err(Malformed::NotIp),
        }
    }

    /// With what IP carries, which begins `carried`.
    fn with(mut self, protocol: u8, carried: Option<&[u8]>) -> Self {
        self.protocol = Some(protocol);
        let Some(&[a, b, c, d, ref rest @ ..]) = carried else { return self };
        match protocol {
            TCP | UDP | DCCP | SCTP | UDPLITE => {
                self.source.set_port(u16::from_be_bytes([a, b]));
                self.destination.set_port(u16::from_be_bytes([c, d]));
                self.has_ports = true;
            }
            ICMP | ICMPV6 => {
                self.icmp_type = Some(a);
                let is_echo = [(ICMP, 0), (ICMP, 8), (ICMPV6, 128), (ICMPV6, 129)];
                let word = rest.first_chunk().filter(|_| is_echo.contains(&(protocol, a)));
                self.echo = word.copied().map(Echo::new);
            }
            _ => {}
        }
        self
    }
}

/// IANA's protocol numbers.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DCCP: u8 = 33;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
const UDPLITE: u8 = 136;

/// RFC 791, 3.1.
fn read_v4(packet: &[u8]) -> Result<Quoted, Malformed> {
    let header: &[u8; 20] = packet.first_chunk().ok_or(Malformed::EndsTooSoon)?;
    let &[first, _, l0, l1, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        header;
    let header_bytes = usize::from(first & 0x0f) * 4;
    if header_bytes < header.len() {
        return Err(Malformed::BadHeader);
    }
    let fragment = u16::from_be_bytes([f0, f1]);
    let end = |address: [u8; 4]| SocketAddr::new(IpAddr::V4(Ipv4Addr::from(address)), 0);
    let quoted = Quoted {
        protocol: None,
        source: end([s0, s1, s2, s3]),
        destination: end([d0, d1, d2, d3]),
        has_ports: false,
        icmp_type: None,
        echo: None,
        length_bytes: u16::from_be_bytes([l0, l1]).into(),
        is_fragment: fragment & 0x3fff != 0,
    };
    let is_first = fragment & 0x1fff == 0;
    Ok(quoted.with(protocol, packet.get(header_bytes..).filter(|_| is_first)))
}

/// RFC 8200, 3 and 4.
fn read_v6(packet: &[u8]) -> Result<Quoted, Malformed> {
    let header: &[u8; 40] = packet.first_chunk().ok_or(Malformed::EndsTooSoon)?;
    let &[_, _, _, _, l0, l1, next, _, ref addresses @ ..] = header;
    let (source, destination) = addresses.split_at(16);
    let end = |address: &[u8]| {
        let address: [u8; 16] = address.try_into().map_err(|_| Malformed::EndsTooSoon)?;
        Ok(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)), 0))
    };
    let mut quoted = Quoted {
        protocol: None,
        source: end(source)?,
        destination: end(destination)?,
        has_ports: false,
        icmp_type: None,
        echo: None,
        length_bytes: header.len() as u32 + u32::from(u16::from_be_bytes([l0, l1])),
        is_fragment: false,
    };
    let (mut next, mut rest) = (next, packet.get(header.len()..).unwrap_or_default());
    while is_extension(next) {
        // Each is at least eight bytes long, so that this ends.
        let Some(&[following, length, f0, f1, ..]) = rest.first_chunk::<8>() else {
            return Ok(quoted);
        };
        let bytes = match next {
            FRAGMENT => 8,
            AUTHENTICATION => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        if next == FRAGMENT {
            quoted.is_fragment = true;
            if u16::from_be_bytes([f0, f1]) & 0xfff8 != 0 {
                return Ok(quoted.with(following, None));
            }
        }
        (next, rest) = (following, rest.get(bytes..).unwrap_or_default());
    }
    Ok(quoted.with(next, Some(rest)))
}

/// Hop-by-hop options, routing, fragment, authentication, destination options, mobility.
fn is_extension(next: u8) -> bool {
    [0, 43, FRAGMENT, AUTHENTICATION, 60, 135].contains(&next)
}

/// What a redirect of IPv6 has behind its first eight bytes (RFC 4861, 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirected<'a> {
    /// The better first hop.
    pub target: IpAddr,
    /// The packet that caused it, where it came along.
    pub packet: Option<&'a [u8]>,
}

/// Reads that; `None` when it ends before the target does.
pub fn redirected(data: &[u8]) -> Option<Redirected<'_>> {
    let (target, rest) = data.split_first_chunk::<16>()?;
    let mut options = rest.get(16..).unwrap_or_default();
    let mut packet = None;
    while let &[kind, words, ..] = options {
        let bytes = usize::from(words) * 8;
        if kind == REDIRECTED_HEADER {
            packet = options.get(8..);
        }
        if bytes == 0 || packet.is_some() {
            break;
        }
        options = options.get(bytes..).unwrap_or_default();
    }
    Some(Redirected { target: IpAddr::V6(Ipv6Addr::from(*target)), packet })
}

/// The number of that option.
const REDIRECTED_HEADER: u8 = 4;
