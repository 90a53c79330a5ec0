//! The part of the kernel's type information that probes are relocated by.
//!
//! A kernel describes some 130,000 types, and libbpf compares the name of each with each that a probe reads of, for
//! every object anew: most of the time that an agent takes to start. Probes read of a few dozen. So these are picked
//! out once, with what lies in them, and libbpf is shown nothing else (as `btf_custom_path`).
//!
//! What a pointer leads to is left out: to read on there is a relocation of its own, with that type's name. Types of
//! modules are not looked for.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::btf::KERNEL_BTF;

/// Where libbpf can read those types of the running kernel that have one of these names; absent when they cannot
/// be picked out, so that it has to go through all. Kept for as long as the program runs.
pub fn picked(names: &'static [&'static str]) -> Option<PathBuf> {
    static PICKED: OnceLock<Option<(&[&str], File)>> = OnceLock::new();
    let picked = PICKED.get_or_init(|| {
        let all = std::fs::read(KERNEL_BTF).ok()?;
        Some((names, in_memory(&pick(&all, names)?)?))
    });
    let (of, file) = picked.as_ref()?;
    (!names.is_empty() && *of == names)
        .then(|| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())))
}

/// A file that has no name.
fn in_memory(contents: &[u8]) -> Option<File> {
    // SAFETY: the name is a C string, and the flags are those of memfd_create(2).
    let descriptor = unsafe { libc::memfd_create(c"kernel-types".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return None;
    }
    // SAFETY: it was just opened, and nothing else has it.
    let mut file = unsafe { File::from_raw_fd(descriptor) };
    file.write_all(contents).ok()?;
    Some(file)
}

// Kinds of types (kernel: include/uapi/linux/btf.h).
const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FWD: u32 = 7;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const FLOAT: u32 = 16;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

const MAGIC_AND_VERSION: u32 = 0x1_eb9f;
const HEADER_BYTES: usize = 24;
/// Of a type: its name, its kind and number of parts, its size or what it refers to.
const TYPE_BYTES: usize = 12;

/// The types of these names, and those that lie in them; absent if `btf` is no raw BTF, or damaged.
pub fn pick(btf: &[u8], names: &[&str]) -> Option<Vec<u8>> {
    let all = Types::read(btf)?;
    let names: HashSet<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    let mut picked = vec![false; all.places.len()];
    let mut open = Vec::new();
    for id in 1..all.places.len() {
        let (kind, _) = all.kind(id)?;
        if matches!(kind, INT | STRUCT | UNION | ENUM | FWD | TYPEDEF | ENUM64)
            && names.contains(essential(all.string(all.word(id, 0)?)?))
        {
            open.push(id);
        }
    }
    while let Some(id) = open.pop() {
        let seen = picked.get_mut(id)?;
        if !std::mem::replace(seen, true) {
            for place in all.references(id)? {
                let other = all.at(place)? as usize;
                if all.is_carried(other)? {
                    open.push(other);
                }
            }
        }
    }
    all.copy(&picked)
}

/// A name without the flavor that tells apart how a type looked in different kernels.
fn essential(name: &[u8]) -> &[u8] {
    let flavor = name.windows(3).skip(1).position(|part| part == b"___");
    flavor.map_or(name, |at| &name[..=at])
}

/// All types of a BTF: where each begins.
struct Types<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    places: Vec<usize>,
}

impl<'a> Types<'a> {
    fn read(btf: &'a [u8]) -> Option<Self> {
        if word(btf, 0)? & 0xff_ffff != MAGIC_AND_VERSION {
            return None;
        }
        let body = btf.get(word(btf, 4)? as usize..)?;
        let part = |at| {
            let (offset, bytes) = (word(btf, at)? as usize, word(btf, at + 4)? as usize);
            body.get(offset..offset.checked_add(bytes)?)
        };
        let (types, strings) = (part(8)?, part(16)?);
        // Number 0 is void.
        let mut all = Self { types, strings, places: vec![usize::MAX] };
        let mut at = 0;
        while at < types.len() {
            all.places.push(at);
            let (kind, length) = kind_of(word(types, at + 4)?);
            at += TYPE_BYTES + part_bytes(kind)? * if is_single(kind) { 1 } else { length };
        }
        (at == types.len()).then_some(all)
    }

    /// A word of a type.
    fn word(&self, id: usize, index: usize) -> Option<u32> {
        self.at(self.places.get(id)?.checked_add(4 * index)?)
    }

    fn at(&self, place: usize) -> Option<u32> {
        word(self.types, place)
    }

    /// Its kind, and how many parts it has.
    fn kind(&self, id: usize) -> Option<(u32, usize)> {
        self.word(id, 1).map(kind_of)
    }

    fn string(&self, offset: u32) -> Option<&'a [u8]> {
        self.strings.get(offset as usize..)?.split(|byte| *byte == 0).next()
    }

    /// The places of the words that have numbers of types, but for what a pointer leads to.
    fn references(&self, id: usize) -> Option<Vec<usize>> {
        let place = *self.places.get(id)?;
        let (kind, length) = self.kind(id)?;
        Some(match kind {
            ARRAY => vec![place + TYPE_BYTES, place + TYPE_BYTES + 4],
            STRUCT | UNION => {
                (0..length).map(|member| place + TYPE_BYTES + 12 * member + 4).collect()
            }
            TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => vec![place + 8],
            _ => Vec::new(),
        })
    }

    /// The places of the words that have names.
    fn names(&self, id: usize) -> Option<Vec<usize>> {
        let place = *self.places.get(id)?;
        let (kind, length) = self.kind(id)?;
        let parts = match kind {
            STRUCT | UNION | ENUM | ENUM64 => length,
            _ => 0,
        };
        let bytes = part_bytes(kind)?;
        Some(
            std::iter::once(place)
                .chain((0..parts).map(|part| place + TYPE_BYTES + bytes * part))
                .collect(),
        )
    }

    /// Data may be of this type; void is none.
    fn is_carried(&self, id: usize) -> Option<bool> {
        Some(id != 0 && matches!(self.kind(id)?.0, INT..=RESTRICT | FLOAT | TYPE_TAG | ENUM64))
    }

    /// The picked ones as a BTF of its own, numbered anew.
    fn copy(&self, picked: &[bool]) -> Option<Vec<u8>> {
        let ids = || (1..picked.len()).filter(|id| picked.get(*id) == Some(&true));
        let mut numbers = vec![0_u32; picked.len()];
        for (number, id) in (1..).zip(ids()) {
            *numbers.get_mut(id)? = number;
        }
        let (mut types, mut strings) = (Vec::new(), vec![0_u8]);
        for id in ids() {
            let place = *self.places.get(id)?;
            let end = self.places.get(id + 1).copied().unwrap_or(self.types.len());
            let start = types.len();
            types.extend_from_slice(self.types.get(place..end)?);
            let mut set = |at: usize, value: u32| {
                let at = start + at - place;
                types.get_mut(at..at + 4).map(|word| word.copy_from_slice(&value.to_ne_bytes()))
            };
            if self.kind(id)?.0 == PTR {
                set(place + 8, 0)?;
            }
            for at in self.references(id)? {
                set(at, *numbers.get(self.at(at)? as usize)?)?;
            }
            for at in self.names(id)? {
                let name = self.string(self.at(at)?)?;
                let offset = if name.is_empty() { 0 } else { strings.len() };
                set(at, u32::try_from(offset).ok()?)?;
                if offset != 0 {
                    strings.extend_from_slice(name);
                    strings.push(0);
                }
            }
        }
        let (types_bytes, strings_bytes) =
            (u32::try_from(types.len()).ok()?, u32::try_from(strings.len()).ok()?);
        let header = u32::try_from(HEADER_BYTES).ok()?;
        let words = [MAGIC_AND_VERSION, header, 0, types_bytes, types_bytes, strings_bytes];
        let mut btf: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        btf.append(&mut types);
        btf.append(&mut strings);
        Some(btf)
    }
}

fn kind_of(info: u32) -> (u32, usize) {
    (info >> 24 & 0x1f, (info & 0xffff) as usize)
}

/// Bytes of each part that follows a type of this kind; absent for kinds that are not known.
fn part_bytes(kind: u32) -> Option<usize> {
    Some(match kind {
        INT | VAR | DECL_TAG => 4,
        ENUM | FUNC_PROTO => 8,
        ARRAY | STRUCT | UNION | DATASEC | ENUM64 => 12,
        1..=TYPE_TAG => 0,
        _ => return None,
    })
}

/// One part follows, whatever number stands there.
fn is_single(kind: u32) -> bool {
    matches!(kind, INT | ARRAY | VAR | DECL_TAG)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

    use libbpf_rs::btf::{Btf, HasSize, types};

    use super::*;

    const NAMES: &[&str] = &["task_struct", "skb_drop_reason", "no_such_type"];

    fn kernels() -> Option<Vec<u8>> {
        let all = std::fs::read(KERNEL_BTF);
        all.inspect_err(|error| eprintln!("skipped: {KERNEL_BTF}: {error}")).ok()
    }

    /// What libbpf reads of a type: its size, and each member's name, place and size.
    fn members(btf: &Btf<'_>, name: &str) -> (usize, Vec<(String, String)>) {
        let whole: types::Struct<'_> = btf.type_by_name(name).unwrap();
        let members = whole.iter().map(|member| {
            let name =
                member.name.map_or(String::new(), |name| name.to_string_lossy().into_owned());
            (name, format!("{:?}", member.attr))
        });
        (whole.size(), members.collect())
    }

    #[test]
    fn what_is_picked_is_what_the_kernel_says_and_little_else() {
        let Some(all) = kernels() else { return };
        let picked = pick(&all, NAMES).unwrap();
        assert!(picked.len() < all.len() / 10, "{} of {} bytes", picked.len(), all.len());

        let file = in_memory(&picked).unwrap();
        let picked = Btf::from_path(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        let all = Btf::from_vmlinux().unwrap();
        // Itself, and what lies in it.
        for name in ["task_struct", "sched_entity", "list_head"] {
            assert_eq!(members(&picked, name), members(&all, name));
        }
        let reasons =
            |btf: &Btf<'_>| btf.type_by_name::<types::Enum<'_>>("skb_drop_reason").unwrap().len();
        assert_eq!(reasons(&picked), reasons(&all));
        assert!(picked.type_by_name::<types::Struct<'_>>("tcp_sock").is_none());
    }

    #[test]
    fn what_ends_early_is_refused() {
        let Some(all) = kernels() else { return };
        let small = pick(&all, &["list_head"]).unwrap();
        for end in 0..small.len() {
            pick(&small[..end], NAMES);
        }
        assert_eq!(pick(&small[..small.len() - 1], NAMES), None);
        assert_eq!(pick(b"\x7fELF", NAMES), None);
    }

    #[test]
    fn a_name_is_one_without_its_flavor() {
        for (name, expected) in
            [("sock", "sock"), ("sock___old", "sock"), ("___sock", "___sock"), ("a___b___c", "a")]
        {
            assert_eq!(essential(name.as_bytes()), expected.as_bytes());
        }
    }
}
