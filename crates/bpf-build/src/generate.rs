//! Writes Rust for exported C types: plain structs with a reader from bytes and a writer to bytes,
//! both safe, both for exactly the layout that the compiler chose.

use std::fmt::Write;

use crate::btf::{Enum, Exports, Struct, Type};

/// Rust source for everything in `exports`.
pub fn rust(exports: &Exports) -> String {
    let mut out = String::new();
    for item in &exports.structs {
        write_struct(&mut out, item);
    }
    for item in &exports.enums {
        write_enum(&mut out, item);
    }
    out
}

/// `exec_record` → `ExecRecord`.
pub fn type_name(c_name: &str) -> String {
    c_name
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
        })
        .collect()
}

/// A member's name as Rust takes it: C's `type` is `r#type`.
fn field_name(c_name: &str) -> String {
    const KEYWORDS: &[&str] = &[
        "abstract", "as", "async", "await", "become", "box", "do", "dyn", "final", "fn", "gen",
        "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv",
        "pub", "ref", "trait", "try", "type", "unsafe", "unsized", "use", "virtual", "where",
        "yield",
    ];
    match c_name {
        // These cannot be raw.
        "crate" | "self" | "Self" | "super" => format!("{c_name}_"),
        _ if KEYWORDS.contains(&c_name) => format!("r#{c_name}"),
        _ => c_name.to_owned(),
    }
}

fn write_struct(out: &mut String, item: &Struct) {
    let name = type_name(&item.name);
    let bytes = item.bytes;
    let _ = writeln!(out, "/// `struct {}` of the probe's C.", item.name);
    let _ = writeln!(out, "#[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub struct {name} {{");
    for member in &item.members {
        let _ = writeln!(
            out,
            "    /// At byte {}.\n    pub {}: {},",
            member.offset,
            field_name(&member.name),
            type_of(&member.member_type)
        );
    }
    let _ = writeln!(out, "}}\nimpl {name} {{");
    let _ = writeln!(out, "    /// Size in bytes.\n    pub const BYTES: usize = {bytes};");
    for member in &item.members {
        let place = member.name.to_uppercase();
        let _ = writeln!(out, "    /// Byte at which `{}` begins.", member.name);
        let _ = writeln!(out, "    pub const OFFSET_OF_{place}: usize = {};", member.offset);
    }
    let _ = writeln!(
        out,
        "    /// All bytes zero.\n    pub const ZERO: Self = Self::from_array(&[0; {bytes}]);"
    );
    let _ = writeln!(
        out,
        "    /// Reads the first [`Self::BYTES`] bytes; `None` when there are fewer."
    );
    let _ = writeln!(
        out,
        "    pub fn read(bytes: &[u8]) -> Option<Self> {{ bytes.first_chunk().map(Self::from_array) }}"
    );
    let _ = writeln!(
        out,
        "    /// From exactly its bytes.\n    pub const fn from_array(bytes: &[u8; {bytes}]) -> Self {{\n        Self {{"
    );
    for member in &item.members {
        let _ = writeln!(
            out,
            "            {}: {},",
            field_name(&member.name),
            reader(&member.member_type, member.offset)
        );
    }
    let _ = writeln!(out, "        }}\n    }}");
    let _ = writeln!(
        out,
        "    /// As the C side reads it; padding is zero.\n    pub fn to_array(self) -> [u8; {bytes}] {{"
    );
    let _ = writeln!(out, "        let mut bytes = [0; {bytes}];");
    for member in &item.members {
        write_writer(
            out,
            &member.member_type,
            member.offset,
            &format!("self.{}", field_name(&member.name)),
        );
    }
    let _ = writeln!(out, "        bytes\n    }}\n}}");
}

fn type_of(item: &Type) -> String {
    match item {
        Type::Integer { bytes, signed } => {
            format!("{}{}", if *signed { 'i' } else { 'u' }, bytes * 8)
        }
        Type::Array(element, count) => format!("[{}; {count}]", type_of(element)),
        Type::Struct(inner) => type_name(&inner.name),
    }
}

fn size_of(item: &Type) -> usize {
    match item {
        Type::Integer { bytes, .. } => *bytes,
        Type::Array(element, count) => size_of(element) * count,
        Type::Struct(inner) => inner.bytes,
    }
}

fn byte_list(offset: usize, count: usize) -> String {
    (offset..offset + count).map(|at| format!("bytes[{at}]")).collect::<Vec<_>>().join(", ")
}

fn reader(item: &Type, offset: usize) -> String {
    match item {
        Type::Integer { .. } => {
            format!("{}::from_ne_bytes([{}])", type_of(item), byte_list(offset, size_of(item)))
        }
        Type::Array(element, count) => {
            let elements =
                (0..*count).map(|index| reader(element, offset + index * size_of(element)));
            format!("[{}]", elements.collect::<Vec<_>>().join(", "))
        }
        Type::Struct(inner) => {
            format!("{}::from_array(&[{}])", type_name(&inner.name), byte_list(offset, inner.bytes))
        }
    }
}

fn write_writer(out: &mut String, item: &Type, offset: usize, value: &str) {
    match item {
        Type::Integer { bytes, .. } => {
            let _ = writeln!(
                out,
                "        bytes[{offset}..{}].copy_from_slice(&{value}.to_ne_bytes());",
                offset + bytes
            );
        }
        Type::Array(element, count) => {
            for index in 0..*count {
                write_writer(
                    out,
                    element,
                    offset + index * size_of(element),
                    &format!("{value}[{index}]"),
                );
            }
        }
        Type::Struct(inner) => {
            let end = offset + inner.bytes;
            let _ = writeln!(
                out,
                "        bytes[{offset}..{end}].copy_from_slice(&{value}.to_array());"
            );
        }
    }
}

fn write_enum(out: &mut String, item: &Enum) {
    let module = &item.name;
    let _ = writeln!(out, "/// `enum {module}` of the probe's C.\npub mod {module} {{");
    for (name, value) in &item.values {
        let _ = writeln!(out, "    /// {value}.\n    pub const {name}: u32 = {value};");
    }
    let _ = writeln!(out, "}}");
}
