use super::*;

fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn attribute(name: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [length.to_ne_bytes(), name.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Attributes with others in them carry a flag that says so.
fn nest(name: u16, values: &[Vec<u8>]) -> Vec<u8> {
    attribute(name | 0x8000, &values.concat())
}

fn tuple(name: u16, protocol: u8, source: &str, destination: &str) -> Vec<u8> {
    let [source, destination] = [source, destination].map(end);
    let ip = |v4, v6, ip| match ip {
        IpAddr::V4(ip) => attribute(v4, &ip.octets()),
        IpAddr::V6(ip) => attribute(v6, &ip.octets()),
    };
    nest(
        name,
        &[
            nest(
                CTA_TUPLE_IP,
                &[
                    ip(CTA_IP_V4_SRC, CTA_IP_V6_SRC, source.ip()),
                    ip(CTA_IP_V4_DST, CTA_IP_V6_DST, destination.ip()),
                ],
            ),
            nest(
                CTA_TUPLE_PROTO,
                &[
                    attribute(CTA_PROTO_NUM, &[protocol]),
                    attribute(CTA_PROTO_SRC_PORT, &source.port().to_be_bytes()),
                    attribute(CTA_PROTO_DST_PORT, &destination.port().to_be_bytes()),
                ],
            ),
        ],
    )
}

fn message(kind: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes = attributes.concat();
    let length = u32::try_from(20 + attributes.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&[0; 10]);
    bytes.extend_from_slice(&[2, 0, 0, 0]);
    bytes.extend_from_slice(&attributes);
    bytes
}

const VIP: &str = "10.96.0.10:80";
const CLIENT: &str = "10.0.0.1:40000";
const BACKEND: &str = "10.0.1.1:8080";

fn translated(kind: u16) -> Vec<u8> {
    message(
        kind,
        &[tuple(CTA_TUPLE_ORIG, TCP, CLIENT, VIP), tuple(CTA_TUPLE_REPLY, TCP, BACKEND, CLIENT)],
    )
}

fn translation() -> Translation {
    Translation { client: end(CLIENT), dialled: end(VIP), backend: end(BACKEND) }
}

fn read_all(bytes: &[u8]) -> Vec<Result<Message, Malformed>> {
    messages(bytes).collect()
}

#[test]
fn several_messages_are_read_in_their_order() {
    let done = message(DONE, &[]);
    let all = [translated(NEW), translated(DELETE), done].concat();
    assert_eq!(
        read_all(&all),
        [Ok(Message::Tracked(translation())), Ok(Message::Gone(translation())), Ok(Message::Done)]
    );
}

#[test]
fn what_was_not_translated_or_not_in_its_destination_says_nothing() {
    let plain = tuple(CTA_TUPLE_REPLY, TCP, VIP, CLIENT);
    let source_only = tuple(CTA_TUPLE_REPLY, TCP, VIP, "192.0.2.1:1");
    for back in [plain, source_only] {
        let bytes = message(NEW, &[tuple(CTA_TUPLE_ORIG, TCP, CLIENT, VIP), back]);
        assert_eq!(read_all(&bytes), [Ok(Message::Other)]);
    }
}

#[test]
fn a_port_or_an_address_that_changed_is_a_translation() {
    for (there, back) in [
        ("10.96.0.10:80", "10.96.0.10:8080"),
        ("10.96.0.10:80", "10.96.0.11:80"),
        ("[fd96::a]:80", "[fd96::b]:80"),
    ] {
        let client = if there.starts_with('[') { "[fd00::1]:1" } else { CLIENT };
        let bytes = message(
            NEW,
            &[tuple(CTA_TUPLE_ORIG, TCP, client, there), tuple(CTA_TUPLE_REPLY, TCP, back, client)],
        );
        let [client, dialled, backend] = [client, there, back].map(end);
        let translation = Translation { client, dialled, backend };
        assert_eq!(read_all(&bytes), [Ok(Message::Tracked(translation))]);
    }
}

#[test]
fn another_protocol_a_missing_tuple_and_two_families_say_nothing() {
    let there = tuple(CTA_TUPLE_ORIG, TCP, CLIENT, VIP);
    for attributes in [
        vec![tuple(CTA_TUPLE_ORIG, 17, CLIENT, VIP), tuple(CTA_TUPLE_REPLY, 17, BACKEND, CLIENT)],
        vec![there.clone()],
        vec![],
        vec![there.clone(), nest(CTA_TUPLE_REPLY, &[])],
        vec![there, tuple(CTA_TUPLE_REPLY, TCP, "[fd00::1]:1", "[fd00::2]:2")],
    ] {
        assert_eq!(read_all(&message(NEW, &attributes)), [Ok(Message::Other)]);
    }
}

#[test]
fn a_connection_that_is_over_is_not_there_and_its_end_is_told() {
    for (state, is_over) in [(3, false), (7, true), (8, true)] {
        let state = attribute(CTA_PROTOINFO_TCP_STATE, &[state]);
        let information = nest(CTA_PROTOINFO, &[nest(CTA_PROTOINFO_TCP, &[state])]);
        let attributes = [
            tuple(CTA_TUPLE_ORIG, TCP, CLIENT, VIP),
            tuple(CTA_TUPLE_REPLY, TCP, BACKEND, CLIENT),
            information,
        ];
        let there = if is_over { Message::Other } else { Message::Tracked(translation()) };
        assert_eq!(read_all(&message(NEW, &attributes)), [Ok(there)]);
        assert_eq!(read_all(&message(DELETE, &attributes)), [Ok(Message::Gone(translation()))]);
    }
}

#[test]
fn a_refusal_has_its_number() {
    let mut bytes = message(ERROR, &[]);
    bytes[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
    assert_eq!(read_all(&bytes), [Ok(Message::Refused(1))]);
}

#[test]
fn lengths_that_lie_are_malformed_wherever_they_stand() {
    let whole = translated(NEW);
    for length in [0_u32, 15, whole.len() as u32 + 1, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(read_all(&bytes), [Err(Malformed)], "{length}");
    }
    // The first attribute, the first in it, and so on.
    for at in [20, 24, 28] {
        for length in [0_u16, 3, u16::MAX] {
            let mut bytes = [whole.clone(), translated(NEW)].concat();
            bytes[at..at + 2].copy_from_slice(&length.to_ne_bytes());
            let read = read_all(&bytes);
            assert_eq!(
                read,
                [Err(Malformed), Ok(Message::Tracked(translation()))],
                "{at} {length}"
            );
        }
    }
    for cut in 1..whole.len() {
        assert_eq!(read_all(&whole[..cut]), [Err(Malformed)], "{cut}");
    }
}

#[test]
fn an_address_or_a_port_of_another_size_is_malformed() {
    for (name, value) in [(CTA_TUPLE_IP, CTA_IP_V4_SRC), (CTA_TUPLE_PROTO, CTA_PROTO_SRC_PORT)] {
        let odd = nest(CTA_TUPLE_ORIG, &[nest(name, &[attribute(value, &[1, 2, 3])])]);
        assert_eq!(read_all(&message(NEW, &[odd])), [Err(Malformed)]);
    }
}
