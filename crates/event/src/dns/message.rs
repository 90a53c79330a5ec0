//! DNS messages (RFC 1035, 4) with EDNS (RFC 6891), from bytes that anybody may have sent.
//!
//! Reading one allocates nothing and never fails beyond the header: what can be read is, and what is
//! wrong is named. Nothing is copied; names and answers are read again where they are shown.

use super::answers::{Answers, ResourceRecord};
use super::name::Name;

/// Size of the header in bytes.
const HEADER_BYTES: usize = 12;
/// The pseudo-type of EDNS.
const OPT: u16 = 41;

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It ends before what it says it has: `ends_too_soon`.
    EndsTooSoon,
    /// A label's length is none: `label`.
    Label,
    /// A name points to itself, forwards, or too often: `pointer`.
    Pointer,
    /// A name has more than 255 bytes: `name_too_long`.
    NameTooLong,
    /// The data of an answer is not what its type says: `data`.
    Data,
    /// Bytes follow that nothing speaks of: `trailing_bytes`.
    TrailingBytes,
}

impl Malformed {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Malformed::EndsTooSoon => "ends_too_soon",
            Malformed::Label => "label",
            Malformed::Pointer => "pointer",
            Malformed::NameTooLong => "name_too_long",
            Malformed::Data => "data",
            Malformed::TrailingBytes => "trailing_bytes",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// The name.
    pub name: Name<'a>,
    /// The type of records: 1 is A.
    pub type_code: u16,
    /// The class: 1 is IN.
    pub class: u16,
}

/// What the OPT record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// How large a datagram its sender takes, in bytes.
    pub udp_payload_bytes: u16,
    /// Version; 0 is the only one so far.
    pub version: u8,
    /// DNSSEC records are wanted (DO).
    pub dnssec_ok: bool,
    /// The upper eight bits of the response code.
    extended_code: u8,
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its number, which the answer repeats.
    pub id: u16,
    /// The 16 bits behind the number.
    flags: u16,
    /// How many questions, answers, authorities and additional records it says it has.
    pub counts: [u16; 4],
    /// The first question.
    pub question: Option<Question<'a>>,
    /// The answers, up to where they can be read.
    pub answers: Answers<'a>,
    /// EDNS.
    pub edns: Option<Edns>,
    /// The first thing that is wrong with it.
    pub malformed: Option<Malformed>,
}

impl<'a> Message<'a> {
    /// Reads a message; `None` if there are fewer bytes than a header has.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let [id, flags, counts @ ..] = words::<HEADER_BYTES, 6>(header);
        let mut message = Self {
            id,
            flags,
            counts,
            question: None,
            answers: Answers::none(bytes),
            edns: None,
            malformed: None,
        };
        message.malformed = message.read_sections(bytes).err();
        Some(message)
    }

    fn read_sections(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let [questions, answers, authorities, additional] = self.counts;
        let mut at = HEADER_BYTES;
        for _ in 0..questions {
            let (name, after) = Name::read(bytes, at)?;
            let fixed = bytes.get(after..).and_then(<[u8]>::first_chunk);
            let [type_code, class] = words::<4, 2>(fixed.ok_or(Malformed::EndsTooSoon)?);
            self.question = self.question.or(Some(Question { name, type_code, class }));
            at = after + 4;
        }
        self.answers = Answers::at(bytes, at);
        for _ in 0..answers {
            let (record, after) = ResourceRecord::read(bytes, at)?;
            record.data()?;
            self.answers.count += 1;
            at = after;
        }
        for _ in 0..u32::from(authorities) + u32::from(additional) {
            let (record, after) = ResourceRecord::read(bytes, at)?;
            if record.type_code == OPT && record.name.is_root() && self.edns.is_none() {
                self.edns = Some(Edns::of(&record));
            }
            at = after;
        }
        if at < bytes.len() { Err(Malformed::TrailingBytes) } else { Ok(()) }
    }

    fn bit(&self, bit: u32) -> bool {
        self.flags >> bit & 1 == 1
    }

    /// It answers (QR).
    pub fn is_response(&self) -> bool {
        self.bit(15)
    }

    /// What it is about: 0 is a query.
    pub fn operation(&self) -> u16 {
        self.flags >> 11 & 0xf
    }

    /// The answer is of the one who has the name (AA).
    pub fn is_authoritative(&self) -> bool {
        self.bit(10)
    }

    /// It did not fit (TC).
    pub fn is_truncated(&self) -> bool {
        self.bit(9)
    }

    /// Whoever is asked shall ask others (RD).
    pub fn recursion_desired(&self) -> bool {
        self.bit(8)
    }

    /// Whoever answers asks others (RA).
    pub fn recursion_available(&self) -> bool {
        self.bit(7)
    }

    /// The answer was verified by DNSSEC (AD).
    pub fn is_authentic(&self) -> bool {
        self.bit(5)
    }

    /// The answer need not be verified (CD).
    pub fn checking_disabled(&self) -> bool {
        self.bit(4)
    }

    /// The response code, with the bits that EDNS adds.
    pub fn response_code(&self) -> u16 {
        let upper = self.edns.map_or(0, |edns| u16::from(edns.extended_code));
        upper << 4 | self.flags & 0xf
    }
}

impl Edns {
    /// Class and time to live of the record have another meaning here.
    fn of(record: &ResourceRecord<'_>) -> Self {
        let [extended_code, version, flags, _] = record.time_to_live.to_be_bytes();
        Self {
            udp_payload_bytes: record.class,
            version,
            dnssec_ok: flags & 0x80 != 0,
            extended_code,
        }
    }
}

/// Big-endian words.
pub(super) fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u16; WORDS] {
    let mut pairs = bytes.chunks_exact(2).filter_map(<[u8]>::first_chunk);
    std::array::from_fn(|_| pairs.next().map_or(0, |pair| u16::from_be_bytes(*pair)))
}
