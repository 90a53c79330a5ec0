//! Which types of the kernel an object is relocated by, as it says itself (section `.BTF.ext`; kernel:
//! Documentation/bpf/llvm_reloc.rst).

use std::collections::BTreeSet;

use crate::btf::{BtfError, raw_types};
use crate::elf::{read_u32, section};

const SECTION: &str = ".BTF.ext";
/// Where the header says where relocations begin, and how many bytes of them there are.
const RELOCATIONS: usize = 24;

/// The names of the types that each relocation starts at, without the flavors that tell apart kernels
/// (`task_struct___before_5_14`).
///
/// # Errors
/// When there is no BTF, or it is damaged.
pub fn kernel_types(object: &[u8]) -> Result<BTreeSet<String>, BtfError> {
    let types = raw_types(section(object, ".BTF").ok_or(BtfError::NoSection(".BTF"))?)?;
    let extension = section(object, SECTION).ok_or(BtfError::NoSection(SECTION))?;
    let word = |at| read_u32(extension, at).map(|word| word as usize).ok_or(BtfError::Damaged(at));
    let mut names = BTreeSet::new();
    if word(4)? < RELOCATIONS + 8 {
        return Ok(names);
    }
    let start = word(4)? + word(RELOCATIONS)?;
    let end = start + word(RELOCATIONS + 4)?;
    if start == end {
        return Ok(names);
    }
    let record_bytes = word(start)?;
    let mut at = start + 4;
    while at < end {
        // Of a section: its name, and how many there are.
        let count = word(at + 4)?;
        at += 8;
        for _ in 0..count {
            // An instruction's place, the type, what is read of it, and what is asked.
            let name = types.get(word(at + 4)?).ok_or(BtfError::Damaged(at))?.name;
            names
                .insert(name.split_once("___").map_or(name, |(essential, _)| essential).to_owned());
            at += record_bytes;
        }
    }
    Ok(names)
}
