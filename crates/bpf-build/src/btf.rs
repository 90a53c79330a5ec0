//! Reads the BPF Type Format of a compiled object (kernel: Documentation/bpf/btf.rst): the struct
//! and enum types that the probe exports. Where its configuration lies in `.rodata` is for the ELF
//! symbols to say: clang leaves the offsets of variables in BTF zero.

use std::cell::Cell;

use crate::elf::{read_u32, section, symbol};

/// A type as far as records need one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// An integer of so many bytes.
    Integer {
        /// Size in bytes: 1, 2, 4 or 8.
        bytes: usize,
        /// Two's complement.
        signed: bool,
    },
    /// An array.
    Array(Box<Type>, usize),
    /// A struct, by name.
    Struct(Struct),
}

impl Type {
    /// Size in bytes; `None` when it is beyond counting.
    pub fn bytes(&self) -> Option<usize> {
        match self {
            Self::Integer { bytes, .. } => Some(*bytes),
            Self::Array(element, count) => element.bytes()?.checked_mul(*count),
            Self::Struct(inner) => Some(inner.bytes),
        }
    }
}

/// A struct with its layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struct {
    /// Name in C.
    pub name: String,
    /// Size in bytes.
    pub bytes: usize,
    /// Members in order.
    pub members: Vec<Member>,
}

/// A struct's member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Name in C.
    pub name: String,
    /// Offset in bytes.
    pub offset: usize,
    /// Type.
    pub member_type: Type,
}

/// An enum with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enum {
    /// Name in C.
    pub name: String,
    /// Enumerators in order.
    pub values: Vec<(String, u32)>,
}

/// What a probe exports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exports {
    /// Structs of `EXPORT(struct, …)`, and those inside them.
    pub structs: Vec<Struct>,
    /// Enums of `EXPORT(enum, …)`.
    pub enums: Vec<Enum>,
    /// Offset of the variable `config` in `.rodata`; 0 when there is none.
    pub config_offset: usize,
}

/// Why the BTF could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The object has none.
    #[error("no {0} section in the object: was it compiled with -g?")]
    NoSection(&'static str),
    /// The bytes end early or point outside.
    #[error("the object's BTF is damaged at byte {0}")]
    Damaged(usize),
    /// A record uses what cannot cross the ring.
    #[error("{path}: {what} cannot be part of a record")]
    Unsupported {
        /// Struct and member.
        path: String,
        /// What was met.
        what: &'static str,
    },
}

const PREFIX: &str = "export_";

pub(crate) struct Raw<'a> {
    pub(crate) name: &'a str,
    kind: u32,
    length: usize,
    /// Of a struct: its members' offsets hold the width of bit fields too.
    flag: bool,
    size_or_type: u32,
    data: &'a [u8],
}

/// The types of an object, and how many members, array elements and bytes may still be read of
/// them: damaged types may go round in circles, or multiply.
struct Types<'a> {
    btf: &'a [u8],
    raws: Vec<Raw<'a>>,
    left: Cell<usize>,
}

/// Far more than fits a record, far less than a compiler of the generated Rust would mind.
const MOST_PARTS: usize = 1 << 18;
const MOST_DEPTH: usize = 32;

/// Reads the exports of a compiled probe.
///
/// # Errors
/// When there is no BTF, when it is damaged, or when an exported struct holds a pointer, a union
/// or a bit field.
pub fn exports(object: &[u8]) -> Result<Exports, BtfError> {
    let btf = section(object, ".BTF").ok_or(BtfError::NoSection(".BTF"))?;
    let types = Types { btf, raws: raw_types(btf)?, left: Cell::new(MOST_PARTS) };
    let mut exports = Exports::default();
    for variable in types.raws.iter().filter(|raw| raw.kind == KIND_VAR) {
        let Some(name) = variable.name.strip_prefix(PREFIX) else { continue };
        let unsupported = || BtfError::Unsupported { path: name.to_owned(), what: "this type" };
        // A volatile const pointer to a const type.
        let pointer = types.peel(variable.size_or_type)?;
        if pointer.kind != KIND_PTR {
            return Err(unsupported());
        }
        let target = types.peel(pointer.size_or_type)?;
        match target.kind {
            KIND_ENUM => exports.enums.push(read_enum(btf, target)?),
            KIND_STRUCT => add_struct(&mut exports.structs, &types.read_struct(target, name, 0)?),
            _ => return Err(unsupported()),
        }
    }
    exports.config_offset = symbol(object, ".rodata", "config").unwrap_or(0);
    Ok(exports)
}

const KIND_INT: u32 = 1;
const KIND_PTR: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_RESTRICT: u32 = 11;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;

const MAGIC: u32 = 0xeb9f;

pub(crate) fn raw_types(btf: &[u8]) -> Result<Vec<Raw<'_>>, BtfError> {
    let word = |at| read_u32(btf, at).ok_or(BtfError::Damaged(at));
    if word(0)? & 0xffff != MAGIC {
        return Err(BtfError::Damaged(0));
    }
    let header = word(4)? as usize;
    let types = btf.get(header + word(8)? as usize..).ok_or(BtfError::Damaged(8))?;
    let types = types.get(..word(12)? as usize).ok_or(BtfError::Damaged(12))?;
    let mut raws =
        vec![Raw { name: "", kind: 0, length: 0, flag: false, size_or_type: 0, data: &[] }];
    let mut at = 0;
    while at < types.len() {
        let word = |index: usize| read_u32(types, at + index * 4).ok_or(BtfError::Damaged(at));
        let (name, info, size_or_type) = (word(0)?, word(1)?, word(2)?);
        let (kind, length) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let flag = info >> 31 == 1;
        let data_bytes = match kind {
            KIND_INT | KIND_VAR | 17 => 4,
            KIND_ARRAY => 12,
            KIND_STRUCT | KIND_UNION | KIND_DATASEC | 19 => 12 * length,
            KIND_ENUM | 13 => 8 * length,
            _ => 0,
        };
        let data = types.get(at + 12..at + 12 + data_bytes).ok_or(BtfError::Damaged(at))?;
        raws.push(Raw { name: string(btf, name)?, kind, length, flag, size_or_type, data });
        at += 12 + data_bytes;
    }
    Ok(raws)
}

fn string(btf: &[u8], offset: u32) -> Result<&str, BtfError> {
    let damaged = || BtfError::Damaged(offset as usize);
    let header = read_u32(btf, 4).ok_or_else(damaged)? as usize;
    let strings = read_u32(btf, 16).ok_or_else(damaged)? as usize;
    let text = btf.get(header + strings + offset as usize..).ok_or_else(damaged)?;
    let text = text.split(|byte| *byte == 0).next().ok_or_else(damaged)?;
    std::str::from_utf8(text).map_err(|_| damaged())
}

fn read_enum(btf: &[u8], raw: &Raw<'_>) -> Result<Enum, BtfError> {
    let values = raw.data.chunks_exact(8).map(|value| {
        let name = string(btf, read_u32(value, 0).unwrap_or_default())?;
        Ok((name.to_owned(), read_u32(value, 4).unwrap_or_default()))
    });
    Ok(Enum { name: raw.name.to_owned(), values: values.collect::<Result<_, BtfError>>()? })
}

impl<'a> Types<'a> {
    /// Behind typedefs, const, volatile and restrict.
    fn peel(&self, id: u32) -> Result<&Raw<'a>, BtfError> {
        let mut id = id as usize;
        for _ in 0..self.raws.len() {
            let raw = self.raws.get(id).ok_or(BtfError::Damaged(id))?;
            if !(KIND_TYPEDEF..=KIND_RESTRICT).contains(&raw.kind) {
                return Ok(raw);
            }
            id = raw.size_or_type as usize;
        }
        Err(BtfError::Damaged(id))
    }

    /// Takes so many parts from what may still be read.
    fn take(&self, parts: usize, path: &str) -> Result<(), BtfError> {
        let left = self.left.get().checked_sub(parts);
        let left = left.ok_or_else(|| BtfError::Unsupported {
            path: path.to_owned(),
            what: "a type of so many parts",
        })?;
        self.left.set(left);
        Ok(())
    }

    fn read_struct(&self, raw: &Raw<'a>, path: &str, depth: usize) -> Result<Struct, BtfError> {
        let unsupported = |path: &str, what| BtfError::Unsupported { path: path.to_owned(), what };
        if raw.name.is_empty() {
            return Err(unsupported(path, "a struct without a name"));
        }
        if depth > MOST_DEPTH {
            return Err(unsupported(path, "a type so deep"));
        }
        let bytes = raw.size_or_type as usize;
        self.take(raw.length, path)?;
        let mut members = Vec::with_capacity(raw.length);
        for member in raw.data.chunks_exact(12) {
            let word = |at| read_u32(member, at).unwrap_or_default();
            let name = string(self.btf, word(0))?;
            let path = format!("{path}.{name}");
            let (bits, bit_offset) =
                if raw.flag { (word(8) >> 24, word(8) & 0x00ff_ffff) } else { (0, word(8)) };
            if bits != 0 || bit_offset % 8 != 0 {
                return Err(unsupported(&path, "a bit field"));
            }
            let member_type = self.read_type(word(4), &path, depth)?;
            if name.is_empty() {
                return Err(unsupported(&path, "a member without a name"));
            }
            let offset = bit_offset as usize / 8;
            let end = member_type.bytes().and_then(|bytes| bytes.checked_add(offset));
            if end.is_none_or(|end| end > bytes) {
                return Err(unsupported(&path, "a member that ends after its struct"));
            }
            self.take(end.unwrap_or_default() - offset, &path)?;
            members.push(Member { name: name.to_owned(), offset, member_type });
        }
        Ok(Struct { name: raw.name.to_owned(), bytes, members })
    }

    fn read_type(&self, id: u32, path: &str, depth: usize) -> Result<Type, BtfError> {
        let unsupported = |what| Err(BtfError::Unsupported { path: path.to_owned(), what });
        if depth > MOST_DEPTH {
            return unsupported("a type so deep");
        }
        let raw = self.peel(id)?;
        let bytes = raw.size_or_type as usize;
        match raw.kind {
            KIND_INT | KIND_ENUM if ![1, 2, 4, 8].contains(&bytes) => {
                unsupported("a number of this size")
            }
            KIND_INT => {
                let encoding = read_u32(raw.data, 0).unwrap_or_default();
                let (signed, bits) = (encoding >> 24 & 1 == 1, (encoding & 0xff) as usize);
                // A bit field as compilers wrote it before there was a flag for it; a bool is one
                // byte of one bit or of eight.
                if bits != bytes * 8 && bytes != 1 || encoding >> 16 & 0xff != 0 {
                    return unsupported("a bit field");
                }
                Ok(Type::Integer { bytes, signed })
            }
            KIND_ENUM => Ok(Type::Integer { bytes, signed: false }),
            KIND_ARRAY => {
                let count = read_u32(raw.data, 8).unwrap_or_default() as usize;
                self.take(count, path)?;
                let element = read_u32(raw.data, 0).unwrap_or_default();
                let element = self.read_type(element, path, depth + 1)?;
                if element.bytes() == Some(0) && count != 0 {
                    return unsupported("an array of nothing");
                }
                Ok(Type::Array(Box::new(element), count))
            }
            KIND_STRUCT => Ok(Type::Struct(self.read_struct(raw, path, depth + 1)?)),
            KIND_UNION => unsupported("a union"),
            KIND_PTR => unsupported("a pointer"),
            _ => unsupported("this type"),
        }
    }
}

/// Adds a struct and those inside it, each once.
fn add_struct(structs: &mut Vec<Struct>, new: &Struct) {
    for member in &new.members {
        let mut member_type = &member.member_type;
        while let Type::Array(element, _) = member_type {
            member_type = element;
        }
        if let Type::Struct(inner) = member_type {
            add_struct(structs, inner);
        }
    }
    if !structs.iter().any(|known| known.name == new.name) {
        structs.push(new.clone());
    }
}
