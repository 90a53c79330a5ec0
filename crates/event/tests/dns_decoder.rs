//! The reader of DNS messages against another one, written by others: on messages that the other one
//! made, with its own compression of names, and on the same messages damaged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test states what it expects by stopping where that does not hold"
)]

use std::net::IpAddr;

use chandra_event::dns::{Data, Malformed, Message, code_name, type_name};
use simple_dns::rdata::{A, AAAA, CNAME, MX, NS, OPT, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, RCODE, ResourceRecord, TYPE};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Few suffixes, so that there is something to compress.
    fn name(&mut self) -> Name<'static> {
        const NAMES: [&str; 7] = [
            "example.com",
            "www.example.com",
            "a.b.c.d.e.f.www.example.com",
            "_http._tcp.web.default.svc.cluster.local",
            "kubernetes.default.svc.cluster.local",
            "MiXeD.CaSe.Example",
            "1.0.0.10.in-addr.arpa",
        ];
        Name::new_unchecked(self.pick(&NAMES))
    }

    fn data(&mut self) -> RData<'static> {
        match self.below(8) {
            0 | 1 => RData::A(A { address: 0x0a00_0000 + self.below(1 << 24) as u32 }),
            2 => {
                RData::AAAA(AAAA { address: 0x2001_0db8_u128 << 96 | self.below(1 << 30) as u128 })
            }
            3 => RData::CNAME(CNAME(self.name())),
            4 => RData::NS(NS(self.name())),
            5 => RData::PTR(PTR(self.name())),
            6 => RData::MX(MX { preference: 10, exchange: self.name() }),
            _ if self.below(2) == 0 => {
                RData::SRV(SRV { priority: 1, weight: 2, port: 8080, target: self.name() })
            }
            _ => RData::TXT(TXT::new().with_string("a text").unwrap()),
        }
    }

    fn message(&mut self) -> Vec<u8> {
        let id = self.below(1 << 16) as u16;
        let mut packet =
            if self.below(3) == 0 { Packet::new_query(id) } else { Packet::new_reply(id) };
        for flag in [
            PacketFlag::RECURSION_DESIRED,
            PacketFlag::TRUNCATION,
            PacketFlag::AUTHORITATIVE_ANSWER,
            PacketFlag::RECURSION_AVAILABLE,
            PacketFlag::AUTHENTIC_DATA,
            PacketFlag::CHECKING_DISABLED,
        ] {
            if self.below(2) == 0 {
                packet.set_flags(flag);
            }
        }
        let codes = [RCODE::NoError, RCODE::NameError, RCODE::ServerFailure, RCODE::Refused];
        *packet.rcode_mut() = self.pick(&codes);
        let types = [TYPE::A, TYPE::AAAA, TYPE::SRV, TYPE::PTR, TYPE::MX, TYPE::TXT];
        for _ in 0..self.below(3) {
            let (name, kind) = (self.name(), QTYPE::TYPE(self.pick(&types)));
            packet.questions.push(Question::new(name, kind, CLASS::IN.into(), false));
        }
        for section in 0..3 {
            for _ in 0..self.below(6) {
                let (name, ttl) = (self.name(), self.below(100_000) as u32);
                let record = ResourceRecord::new(name, CLASS::IN, ttl, self.data());
                match section {
                    0 => packet.answers.push(record),
                    1 => packet.name_servers.push(record),
                    _ => packet.additional_records.push(record),
                }
            }
        }
        if self.below(2) == 0 {
            let udp_packet_size = self.pick(&[512, 1232, 4096]);
            *packet.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size, version: 0 });
        }
        match self.below(2) {
            0 => packet.build_bytes_vec().unwrap(),
            _ => packet.build_bytes_vec_compressed().unwrap(),
        }
    }
}

/// A name as the other one has it, by its bytes; those here are plain.
fn spelled(name: &Name<'_>) -> String {
    let labels = name.as_bytes().map(|label| String::from_utf8_lossy(label).to_lowercase());
    let name = labels.collect::<Vec<_>>().join(".");
    if name.is_empty() { ".".to_owned() } else { name }
}

/// What an answer says, as text, by the other one; none for what is not shown.
fn said(data: &RData<'_>) -> Option<String> {
    Some(match data {
        RData::A(a) => std::net::Ipv4Addr::from(a.address).to_string(),
        RData::AAAA(aaaa) => std::net::Ipv6Addr::from(aaaa.address).to_string(),
        RData::CNAME(CNAME(name)) | RData::NS(NS(name)) | RData::PTR(PTR(name)) => spelled(name),
        RData::MX(mx) => spelled(&mx.exchange),
        RData::SRV(srv) => spelled(&srv.target),
        _ => return None,
    })
}

fn code_of(code: RCODE) -> Option<&'static str> {
    Some(match code {
        RCODE::NoError => "NOERROR",
        RCODE::FormatError => "FORMERR",
        RCODE::ServerFailure => "SERVFAIL",
        RCODE::NameError => "NXDOMAIN",
        RCODE::NotImplemented => "NOTIMP",
        RCODE::Refused => "REFUSED",
        _ => return None,
    })
}

fn compare(bytes: &[u8], ours: &Message<'_>, theirs: &Packet<'_>) {
    assert_eq!(ours.id, theirs.id());
    for (flag, ours) in [
        (PacketFlag::RESPONSE, ours.is_response()),
        (PacketFlag::AUTHORITATIVE_ANSWER, ours.is_authoritative()),
        (PacketFlag::TRUNCATION, ours.is_truncated()),
        (PacketFlag::RECURSION_DESIRED, ours.recursion_desired()),
        (PacketFlag::RECURSION_AVAILABLE, ours.recursion_available()),
        (PacketFlag::AUTHENTIC_DATA, ours.is_authentic()),
        (PacketFlag::CHECKING_DISABLED, ours.checking_disabled()),
    ] {
        assert_eq!(ours, theirs.has_flags(flag), "{flag:?} of {bytes:x?}");
    }
    // Of those that EDNS adds the other one knows but one.
    if let Some(code) = code_of(theirs.rcode()).filter(|_| ours.response_code() < 16) {
        assert_eq!(code_name(ours.response_code()).to_string(), code, "{bytes:x?}");
    }
    let question = theirs.questions.first();
    assert_eq!(
        ours.question.map(|question| (question.name.to_string(), question.type_code)),
        question.map(|question| (spelled(&question.qname), u16::from(question.qtype))),
        "{bytes:x?}"
    );
    // The other one reads more of the version than there is (RFC 6891, 6.1.3), so only the size.
    let size = theirs.opt().map(|opt| opt.udp_packet_size);
    assert_eq!(ours.edns.map(|edns| edns.udp_payload_bytes), size, "{bytes:x?}");
    assert_eq!(ours.answers.len(), theirs.answers.len());
    for (ours, theirs) in ours.answers.iter().zip(&theirs.answers) {
        assert_eq!(ours.name.to_string(), spelled(&theirs.name));
        assert_eq!(ours.type_code, u16::from(theirs.rdata.type_code()));
        assert_eq!(ours.ttl_seconds, theirs.ttl);
        let data = match ours.data {
            Data::Address(address) => Some(address.to_string()),
            Data::Target(name) => Some(name.to_string()),
            Data::Other => None,
        };
        assert_eq!(data, said(&theirs.rdata), "{bytes:x?}");
    }
}

#[test]
fn what_another_writer_wrote_is_read_as_it_meant_it() {
    let mut random = Random(1);
    let mut answers = 0;
    for _ in 0..5000 {
        let bytes = random.message();
        let ours = Message::read(&bytes).unwrap();
        assert_eq!(ours.malformed, None, "{bytes:x?}");
        compare(&bytes, &ours, &Packet::parse(&bytes).unwrap());
        answers += ours.answers.len();
    }
    assert!(answers > 5000, "{answers}");
}

/// Where both find nothing wrong they say the same; where ours does, nothing is shown that lies behind it.
#[test]
fn what_was_damaged_is_read_alike_or_called_malformed() {
    let mut random = Random(2);
    let (mut alike, mut malformed) = (0, 0);
    for _ in 0..50_000 {
        let mut bytes = random.message();
        // Behind the header, so that it stays clear how much is to be there; letters stay plain.
        for _ in 0..1 + random.below(3) {
            let Some(behind) = bytes.len().checked_sub(12).filter(|behind| *behind > 0) else {
                break;
            };
            let place = 12 + random.below(behind);
            bytes[place] = random.pick(&[0, 1, 3, 0x3f, 0x40, 0x80, 0xc0, 0xff, b'x']);
        }
        let ours = Message::read(&bytes).unwrap();
        if ours.malformed.is_some() {
            malformed += 1;
            assert!(ours.answers.iter().count() <= usize::from(ours.counts[1]));
        } else if let Ok(theirs) = Packet::parse(&bytes)
            && is_plain(&theirs)
        {
            alike += 1;
            compare(&bytes, &ours, &theirs);
        }
    }
    assert!(alike > 5000 && malformed > 5000, "{alike} alike, {malformed} malformed");
}

/// Its names hold nothing that would be escaped, and its numbers nothing that the other one cannot say.
fn is_plain(packet: &Packet<'_>) -> bool {
    let plain = |name: &Name<'_>| {
        name.as_bytes().flatten().all(|byte| byte.is_ascii_graphic() && !b".\\".contains(byte))
    };
    let target = |data: &RData<'_>| match data {
        RData::CNAME(CNAME(name)) | RData::NS(NS(name)) | RData::PTR(PTR(name)) => plain(name),
        RData::MX(mx) => plain(&mx.exchange),
        RData::SRV(srv) => plain(&srv.target),
        RData::A(_) | RData::AAAA(_) | RData::TXT(_) | RData::OPT(_) => true,
        _ => false,
    };
    packet.questions.iter().all(|question| plain(&question.qname))
        && packet.answers.iter().all(|record| {
            plain(&record.name) && target(&record.rdata) && i32::try_from(record.ttl).is_ok()
        })
        && packet.opt().is_none_or(|opt| opt.version == 0)
}

fn with_header(counts: [u8; 4], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0x81, 0x80];
    bytes.extend(counts.iter().flat_map(|count| [0, *count]));
    bytes.extend(rest);
    bytes
}

#[test]
fn what_is_wrong_is_named_and_what_comes_before_it_kept() {
    let question = b"\x01a\x00\x00\x01\x00\x01";
    let good = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0a\x00\x00\x01";
    let cases: [(&[u8], Malformed); 5] = [
        (b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x03\x0a\x00\x00", Malformed::Data),
        (
            b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x05\x00\x03\x01b\x00\x00",
            Malformed::TrailingBytes,
        ),
        (b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x05\x00\x02\x01b\x00", Malformed::Data),
        (b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0a\x00\x00", Malformed::EndsTooSoon),
        (b"\xc0\xff\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0a\x00\x00\x01", Malformed::Pointer),
    ];
    for (bad, expected) in cases {
        let bytes = with_header([1, 2, 0, 0], &[&question[..], good, bad].concat());
        let message = Message::read(&bytes).unwrap();
        assert_eq!(message.malformed, Some(expected), "{bad:x?}");
        let first = message.answers.iter().next().unwrap();
        assert_eq!(first.data, Data::Address(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(type_name(message.question.unwrap().type_code).to_string(), "A");
    }
}

#[test]
fn no_message_has_more_than_its_bytes_can_hold() {
    let bytes = with_header([255, 255, 255, 255], b"");
    let message = Message::read(&bytes).unwrap();
    assert_eq!((message.malformed, message.answers.len()), (Some(Malformed::EndsTooSoon), 0));
    assert!(Message::read(&bytes[..11]).is_none());
    assert_eq!(Message::read(&[0; 12]).unwrap().malformed, None);
}

#[test]
fn the_response_code_has_twelve_bits_with_edns() {
    let opt = |ttl: &[u8]| [&b"\x00\x00\x29\x04\xd0"[..], ttl, b"\x00\x00"].concat();
    let bytes = with_header([0, 0, 0, 1], &opt(b"\x01\x00\x80\x00"));
    let message = Message::read(&bytes).unwrap();
    assert_eq!(code_name(message.response_code()).to_string(), "BADVERS");
    let edns = message.edns.unwrap();
    assert_eq!((edns.udp_payload_bytes, edns.version, edns.dnssec_ok), (1232, 0, true));
}
