//! Reads the BPF Type Format of a compiled object (kernel: Documentation/bpf/btf.rst): the struct
//! and enum types that the probe exports, and where its variables lie in `.rodata`.

use crate::elf::{read_u32, section};

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
    /// Offset of the variable `config` in `.rodata`.
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

struct Raw<'a> {
    name: &'a str,
    kind: u32,
    length: usize,
    size_or_type: u32,
    data: &'a [u8],
}

/// Reads the exports of a compiled probe.
///
/// # Errors
/// When there is no BTF, when it is damaged, or when an exported struct holds a pointer, a union
/// or a bit field.
pub fn exports(object: &[u8]) -> Result<Exports, BtfError> {
    let btf = section(object, ".BTF").ok_or(BtfError::NoSection(".BTF"))?;
    let types = raw_types(btf)?;
    let mut exports = Exports::default();
    for variable in types.iter().filter(|raw| raw.kind == KIND_VAR) {
        let Some(name) = variable.name.strip_prefix(PREFIX) else { continue };
        // A volatile const pointer to a const type.
        let target = peel(&types, variable.size_or_type)?;
        let target = peel(&types, types.get(target).map_or(0, |pointer| pointer.size_or_type))?;
        let raw = types.get(target).ok_or(BtfError::Damaged(target))?;
        match raw.kind {
            KIND_ENUM => exports.enums.push(read_enum(btf, raw)?),
            KIND_STRUCT => {
                add_struct(&mut exports.structs, &read_struct(btf, &types, target, name)?)
            }
            _ => return Err(BtfError::Unsupported { path: name.to_owned(), what: "this type" }),
        }
    }
    exports.config_offset = rodata_offset(&types, "config").unwrap_or(0);
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

fn raw_types(btf: &[u8]) -> Result<Vec<Raw<'_>>, BtfError> {
    let word = |at| read_u32(btf, at).ok_or(BtfError::Damaged(at));
    let header = word(4)? as usize;
    let types = btf.get(header + word(8)? as usize..).ok_or(BtfError::Damaged(8))?;
    let types = types.get(..word(12)? as usize).ok_or(BtfError::Damaged(12))?;
    let mut raws = vec![Raw { name: "", kind: 0, length: 0, size_or_type: 0, data: &[] }];
    let mut at = 0;
    while at < types.len() {
        let word = |index: usize| read_u32(types, at + index * 4).ok_or(BtfError::Damaged(at));
        let (name, info, size_or_type) = (word(0)?, word(1)?, word(2)?);
        let (kind, length) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let data_bytes = match kind {
            KIND_INT | KIND_VAR | 17 => 4,
            KIND_ARRAY => 12,
            KIND_STRUCT | KIND_UNION | KIND_DATASEC | 19 => 12 * length,
            KIND_ENUM | 13 => 8 * length,
            _ => 0,
        };
        let data = types.get(at + 12..at + 12 + data_bytes).ok_or(BtfError::Damaged(at))?;
        raws.push(Raw { name: string(btf, name)?, kind, length, size_or_type, data });
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

/// Behind typedefs, const, volatile and restrict.
fn peel(types: &[Raw<'_>], id: u32) -> Result<usize, BtfError> {
    let mut id = id as usize;
    for _ in 0..types.len() {
        let raw = types.get(id).ok_or(BtfError::Damaged(id))?;
        if !(KIND_TYPEDEF..=KIND_RESTRICT).contains(&raw.kind) {
            return Ok(id);
        }
        id = raw.size_or_type as usize;
    }
    Err(BtfError::Damaged(id))
}

fn read_enum(btf: &[u8], raw: &Raw<'_>) -> Result<Enum, BtfError> {
    let values = raw.data.chunks_exact(8).map(|value| {
        let name = string(btf, read_u32(value, 0).unwrap_or_default())?;
        Ok((name.to_owned(), read_u32(value, 4).unwrap_or_default()))
    });
    Ok(Enum { name: raw.name.to_owned(), values: values.collect::<Result<_, BtfError>>()? })
}

fn read_struct(btf: &[u8], types: &[Raw<'_>], id: usize, path: &str) -> Result<Struct, BtfError> {
    let raw = types.get(id).ok_or(BtfError::Damaged(id))?;
    let mut members = Vec::with_capacity(raw.length);
    for member in raw.data.chunks_exact(12) {
        let word = |at| read_u32(member, at).unwrap_or_default();
        let name = string(btf, word(0))?;
        let path = format!("{path}.{name}");
        // With bit fields, the upper byte is a width.
        if word(8) >> 24 != 0 && raw.length != 0 && word(8) & 7 != 0 {
            return Err(BtfError::Unsupported { path, what: "a bit field" });
        }
        members.push(Member {
            name: name.to_owned(),
            offset: word(8) as usize / 8,
            member_type: read_type(btf, types, word(4), &path)?,
        });
    }
    Ok(Struct { name: raw.name.to_owned(), bytes: raw.size_or_type as usize, members })
}

fn read_type(btf: &[u8], types: &[Raw<'_>], id: u32, path: &str) -> Result<Type, BtfError> {
    let unsupported = |what| BtfError::Unsupported { path: path.to_owned(), what };
    let id = peel(types, id)?;
    let raw = types.get(id).ok_or(BtfError::Damaged(id))?;
    match raw.kind {
        KIND_INT => {
            let encoding = read_u32(raw.data, 0).unwrap_or_default() >> 24 & 0xf;
            Ok(Type::Integer { bytes: raw.size_or_type as usize, signed: encoding & 1 != 0 })
        }
        KIND_ENUM => Ok(Type::Integer { bytes: raw.size_or_type as usize, signed: false }),
        KIND_ARRAY => {
            let element = read_type(btf, types, read_u32(raw.data, 0).unwrap_or_default(), path)?;
            Ok(Type::Array(Box::new(element), read_u32(raw.data, 8).unwrap_or_default() as usize))
        }
        KIND_STRUCT => Ok(Type::Struct(read_struct(btf, types, id, path)?)),
        KIND_UNION => Err(unsupported("a union")),
        KIND_PTR => Err(unsupported("a pointer")),
        _ => Err(unsupported("this type")),
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

fn rodata_offset(types: &[Raw<'_>], variable: &str) -> Option<usize> {
    let section = types.iter().find(|raw| raw.kind == KIND_DATASEC && raw.name == ".rodata")?;
    section.data.chunks_exact(12).find_map(|entry| {
        let id = read_u32(entry, 0)? as usize;
        (types.get(id)?.name == variable)
            .then(|| read_u32(entry, 4))
            .flatten()
            .map(|at| at as usize)
    })
}
