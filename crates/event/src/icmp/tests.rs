//! Quoted packets, whole, cut and hostile, against what the RFCs say of each byte.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use super::*;
use crate::samples::icmp_error;

/// 10.0.0.1:40000 to 10.0.0.2:443, 1500 bytes, not to be fragmented.
const TCP_V4: [u8; 28] = [
    0x45, 0, 0x05, 0xdc, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0x01,
    0xbb, 1, 2, 3, 4,
];

fn v6(next: u8, carried: &[u8]) -> Vec<u8> {
    let header = [0x60, 0, 0, 0, 0x05, 0xb4, next, 64];
    let [mut source, mut destination] = [[0; 16]; 2];
    (source[0], source[15], destination[0], destination[15]) = (0xfd, 1, 0xfd, 2);
    [&header[..], &source, &destination, carried].concat()
}

const PORTS: [u8; 8] = [0x9c, 0x40, 0x01, 0xbb, 0, 8, 0, 0];

#[test]
fn a_connection_is_told_by_what_is_quoted_of_its_packet() {
    let quoted = Quoted::read(&TCP_V4).unwrap();
    assert_eq!((quoted.protocol, quoted.has_ports, quoted.length_bytes), (Some(6), true, 1500));
    assert_eq!(quoted.source, "10.0.0.1:40000".parse().unwrap());
    assert_eq!(quoted.destination, "10.0.0.2:443".parse().unwrap());
    assert!(!quoted.is_fragment);
    let quoted = Quoted::read(&v6(17, &PORTS)).unwrap();
    assert_eq!((quoted.protocol, quoted.length_bytes), (Some(17), 1500));
    assert_eq!(quoted.source, "[fd00::1]:40000".parse().unwrap());
    assert_eq!(quoted.destination, "[fd00::2]:443".parse().unwrap());
}

#[test]
fn what_failed_may_have_been_an_echo() {
    let echo = |kind| [kind, 0, 0xff, 0xff, 0x12, 0x34, 0, 7];
    let quoted = Quoted::read(&v6(58, &echo(128))).unwrap();
    assert_eq!(quoted.echo, Some(Echo { id: 0x1234, sequence: 7 }));
    assert_eq!((quoted.icmp_type, quoted.has_ports), (Some(128), false));
    let quoted = Quoted::read(&v6(58, &echo(135))).unwrap();
    assert_eq!((quoted.icmp_type, quoted.echo), (Some(135), None));
    let quoted = Quoted::read(&v6(58, &echo(128)[..7])).unwrap();
    assert_eq!((quoted.icmp_type, quoted.echo), (Some(128), None));
}

#[test]
fn ports_lie_behind_options_and_extension_headers() {
    let mut packet = TCP_V4;
    packet[0] = 0x46;
    let behind = [&packet[..20], &[1; 4], &packet[20..]].concat();
    assert_eq!(Quoted::read(&behind).unwrap().destination.port(), 443);
    // Hop-by-hop options of 16 bytes, a first fragment, authentication of 12 bytes.
    let headers = [
        &[44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[51, 0, 0, 1, 0, 0, 0, 0],
        &[17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    let quoted = Quoted::read(&v6(0, &[&headers.concat()[..], &PORTS].concat())).unwrap();
    assert_eq!((quoted.protocol, quoted.destination.port()), (Some(17), 443));
    assert!(quoted.is_fragment);
}

#[test]
fn only_first_fragments_have_ports() {
    let mut packet = TCP_V4;
    packet[6] = 0x20;
    let first = Quoted::read(&packet).unwrap();
    assert!(first.is_fragment && first.has_ports);
    packet[7] = 1;
    let later = Quoted::read(&packet).unwrap();
    assert!(later.is_fragment && !later.has_ports && later.protocol == Some(6));
    let later = Quoted::read(&v6(44, &[&[17, 0, 0, 8, 0, 0, 0, 0][..], &PORTS].concat())).unwrap();
    assert!(later.is_fragment && !later.has_ports && later.protocol == Some(17));
}

#[test]
fn what_is_cut_is_told_as_far_as_it_goes() {
    for bytes in 0..20 {
        assert_eq!(Quoted::read(&TCP_V4[..bytes]), Err(Malformed::EndsTooSoon));
    }
    for bytes in 20..24 {
        let quoted = Quoted::read(&TCP_V4[..bytes]).unwrap();
        assert_eq!((quoted.protocol, quoted.has_ports), (Some(6), false));
    }
    let packet = v6(0, &[17, 1, 0, 0]);
    assert_eq!(Quoted::read(&packet[..39]), Err(Malformed::EndsTooSoon));
    assert_eq!(Quoted::read(&packet).unwrap().protocol, None);
    // The options claim to be longer than the quote.
    let quoted = Quoted::read(&v6(0, &[17, 9, 0, 0, 0, 0, 0, 0])).unwrap();
    assert_eq!((quoted.protocol, quoted.has_ports), (Some(17), false));
}

#[test]
fn what_is_no_packet_is_called_malformed() {
    let mut packet = TCP_V4;
    packet[0] = 0x44;
    assert_eq!(Quoted::read(&packet), Err(Malformed::BadHeader));
    packet[0] = 0x55;
    assert_eq!(Quoted::read(&packet), Err(Malformed::NotIp));
    packet[0] = 0x4f;
    assert!(!Quoted::read(&packet).unwrap().has_ports);
}

#[test]
fn a_redirect_of_ipv6_has_its_packet_behind_options() {
    let [target, destination] = [[0xfe; 16], [0xfd; 16]];
    let link = [2, 1, 1, 2, 3, 4, 5, 6];
    let head = [4, 7, 0, 0, 0, 0, 0, 0];
    let packet = v6(17, &PORTS);
    let data = [&target[..], &destination, &link, &head, &packet].concat();
    let whole = redirected(&data).unwrap();
    assert_eq!(whole.target, IpAddr::from(target));
    assert_eq!(Quoted::read(whole.packet.unwrap()).unwrap().destination.port(), 443);
    assert_eq!(redirected(&data[..40]).unwrap().packet, None);
    assert_eq!(redirected(&data[..15]), None);
    // An option without a length.
    let endless = [&target[..], &destination, &[9, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(redirected(&endless).unwrap().packet, None);
}

#[test]
fn the_second_word_means_what_the_type_says() {
    let icmp = |destination: &str, type_number, code, word| Icmp {
        destination: destination.parse().unwrap(),
        type_number,
        code,
        word: Some(word),
        ..icmp_error()
    };
    let of = |icmp: Icmp| (icmp.mtu(), icmp.pointer(), icmp.gateway());
    assert_eq!(of(icmp("10.0.0.1", 3, 4, [9, 9, 5, 0x78])), (Some(1400), None, None));
    assert_eq!(of(icmp("10.0.0.1", 3, 4, [0; 4])), (None, None, None));
    assert_eq!(of(icmp("10.0.0.1", 3, 3, [9, 9, 5, 0x78])), (None, None, None));
    assert_eq!(of(icmp("::1", 2, 0, [0, 0, 5, 0])), (Some(1280), None, None));
    assert_eq!(of(icmp("10.0.0.1", 12, 0, [20, 0, 0, 0])), (None, Some(20), None));
    assert_eq!(of(icmp("::1", 4, 1, [0, 0, 0, 40])), (None, Some(40), None));
    let gateway = Some("10.0.0.254".parse().unwrap());
    assert_eq!(of(icmp("10.0.0.1", 5, 1, [10, 0, 0, 254])), (None, None, gateway));
    assert_eq!(icmp("10.0.0.1", 3, 3, [1; 4]).echo(), None);
}
