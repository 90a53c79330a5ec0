//! One pod in as few bytes as it can be told from the others with.
//!
//! A pod of a workload is named after it, so of its name only what follows the workload's is kept; its
//! namespace, workload and labels are in a [`Group`] that all pods like it share.

use std::hash::BuildHasher;
use std::net::IpAddr;

use crate::container::PodUid;
use crate::description::Text;
use crate::hashing::RandomState;
use crate::intern::{Heap, str_bytes};

/// What the pods of a workload share. Numbers are those of interned values.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub(super) namespace: u32,
    pub(super) labels: u32,
    pub(super) kind: u32,
    /// The number of the labels, kept here because every look-up asks for it.
    pub(super) identity: u32,
    /// The workload; empty where each pod is its own.
    pub(super) workload: Short,
}

impl Heap for Group {
    fn heap_bytes(&self) -> usize {
        self.workload.heap_bytes()
    }
}

/// When a pod had an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tenure {
    pub(super) since_ns: u64,
    /// [`LASTS`] while it has it.
    pub(super) until_ns: u64,
}

/// An end that has not come.
pub(super) const LASTS: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct PodEntry {
    /// What follows the workload's name in the pod's.
    pub(super) tail: Short,
    uid: [u64; 2],
    /// Its first address, if it has [`flag::ADDRESS`]: most pods have no other.
    pub(super) ip: [u8; 16],
    pub(super) tenure: Tenure,
    pub(super) created_at_ns: u64,
    pub(super) group: u32,
    /// The node's interned name; `NONE` if it has none.
    pub(super) node: u32,
    /// The first of its claims to more addresses.
    pub(super) claims: u32,
    /// Bytes that its name begins with of the workload's.
    pub(super) head_bytes: u8,
    /// When it was told of last, in lists.
    pub(super) generation: u8,
    pub(super) flags: u8,
}

/// Set in [`PodEntry::flags`].
pub(super) mod flag {
    pub const HOST_NETWORK: u8 = 1;
    pub const ENDED: u8 = 2;
    /// It was removed and lingers.
    pub const GONE: u8 = 4;
    /// Its UID has dashes.
    pub const DASHED: u8 = 8;
    /// Its UID is none that Kubernetes makes: a hash of it is kept.
    pub const HASHED: u8 = 16;
    /// Its first address is set.
    pub const ADDRESS: u8 = 32;
    pub const OF_UID: u8 = DASHED | HASHED;
}

/// A UID in 16 bytes, and the flags that say how to read them.
pub(super) fn pack_uid(keys: &RandomState, uid: &Text) -> ([u64; 2], u8) {
    let Some(known) = PodUid::parse(uid.as_str().as_bytes()) else {
        return ([keys.hash_one(uid.as_str()), uid.bytes() as u64], flag::HASHED);
    };
    let mut digits = known.as_str().bytes().filter_map(|byte| (byte as char).to_digit(16));
    let mut half = || (digits.by_ref().take(16)).fold(0, |sum, digit| sum << 4 | u64::from(digit));
    let halves = [half(), half()];
    (halves, if known.as_str().contains('-') { flag::DASHED } else { 0 })
}

impl PodEntry {
    pub(super) fn new(uid: ([u64; 2], u8)) -> Self {
        use crate::process::slab::NONE;
        Self {
            tail: Short::new(""),
            uid: uid.0,
            ip: [0; 16],
            tenure: Tenure { since_ns: 0, until_ns: 0 },
            created_at_ns: 0,
            group: NONE,
            node: NONE,
            claims: NONE,
            head_bytes: 0,
            generation: 0,
            flags: uid.1,
        }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }

    pub(super) fn has_uid(&self, (uid, flags): ([u64; 2], u8)) -> bool {
        self.uid == uid && self.flags & flag::OF_UID == flags
    }

    /// Its UID, if that is one that Kubernetes makes.
    pub(super) fn uid(&self) -> Option<PodUid> {
        if self.has(flag::HASHED) {
            return None;
        }
        let dashed = self.has(flag::DASHED);
        let [high, low] = self.uid;
        let mut text = [b'-'; 36];
        let is_digit = |at: &usize| !dashed || !matches!(at, 8 | 13 | 18 | 23);
        let places = text.iter_mut().enumerate().filter(|(at, _)| is_digit(at));
        for ((_, place), digit) in places.zip(0..32) {
            let half = if digit < 16 { high } else { low };
            let value = half >> (60 - digit % 16 * 4) & 0xf;
            *place = char::from_digit(value as u32, 16)? as u8;
        }
        PodUid::parse(text.get(..if dashed { 36 } else { 32 })?)
    }
}

/// A text that is mostly short: then it is where it is asked for, and costs no second look at memory.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Short {
    Here { length: u8, bytes: [u8; Short::BYTES] },
    Elsewhere(Box<str>),
}

impl Short {
    /// Enough for `-7d4b9c6f5d-x2k8q`.
    const BYTES: usize = 22;

    pub(super) fn new(text: &str) -> Self {
        let mut bytes = [0; Self::BYTES];
        match bytes.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                Short::Here { length: text.len() as u8, bytes }
            }
            None => Short::Elsewhere(text.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Short::Here { length, bytes } => {
                let bytes = bytes.get(..usize::from(*length)).unwrap_or_default();
                std::str::from_utf8(bytes).unwrap_or_default()
            }
            Short::Elsewhere(text) => text,
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Short::Here { .. } => 0,
            Short::Elsewhere(text) => str_bytes(text),
        }
    }
}

/// How many bytes of a pod's name are the beginning of its workload's.
pub(super) fn shared_bytes(workload: &str, name: &str) -> u8 {
    let same = workload.bytes().zip(name.bytes()).take(255).take_while(|(one, other)| one == other);
    workload.floor_char_boundary(same.count()) as u8
}

/// The addresses that a pod claims: none if they are not its own, each once, and not too many.
pub(super) fn claimed(ips: &[IpAddr]) -> Vec<IpAddr> {
    let mut claimed: Vec<IpAddr> = Vec::new();
    for ip in ips.iter().map(IpAddr::to_canonical) {
        if claimed.len() < MOST_ADDRESSES && !ip.is_unspecified() && !claimed.contains(&ip) {
            claimed.push(ip);
        }
    }
    claimed
}

/// Addresses that are kept of a pod; Kubernetes gives one of each family.
pub(super) const MOST_ADDRESSES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_takes_96_bytes() {
        assert_eq!((size_of::<PodEntry>(), size_of::<Option<PodEntry>>()), (96, 96));
    }

    #[test]
    fn a_uid_is_read_as_it_was_written() {
        let keys = RandomState::default();
        for text in ["6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e11", "00112233445566778899aabbccddeeff"] {
            let packed = pack_uid(&keys, &Text::new(text));
            let entry = PodEntry::new(packed);
            assert_eq!(entry.uid().unwrap().as_str(), text);
            assert!(entry.has_uid(packed));
        }
        let odd = pack_uid(&keys, &Text::new("odd"));
        assert_eq!(PodEntry::new(odd).uid().map(|uid| uid.to_string()), None);
        assert!(!PodEntry::new(odd).has_uid(pack_uid(&keys, &Text::new("other"))));
    }

    #[test]
    fn a_text_is_kept_whatever_its_length() {
        for length in [0, 1, 21, 22, 23, 1024] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            assert_eq!(Short::new(&text).as_str(), text);
        }
    }

    #[test]
    fn the_shared_beginning_ends_between_characters() {
        assert_eq!(shared_bytes("web", "web-0"), 3);
        assert_eq!(shared_bytes("web", "other"), 0);
        assert_eq!(shared_bytes("é", "ë"), 0, "their first bytes are the same");
        assert_eq!(shared_bytes(&"w".repeat(300), &"w".repeat(300)), 255);
    }
}
