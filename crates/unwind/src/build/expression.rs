//! The expressions of DWARF that have a rule: what compilers, linkers and the C library write where a register
//! and an offset do not do. Any other is unsupported, and nothing is evaluated.

use gimli::{EndianSlice, Expression, LittleEndian, Operation, Register};

type Bytes<'data> = EndianSlice<'data, LittleEndian>;

/// What an expression computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Computed {
    /// register + offset.
    Register(Register, i64),
    /// *(register + offset) + add.
    Dereferenced(Register, i64, i64),
    /// register + offset, and 8 more where the last four bits of the pc are not below the threshold.
    Plt(Register, i64, u8),
}

/// Operations of the longest of them.
const MAX_OPERATIONS: usize = 9;

pub(super) fn read(expression: Expression<Bytes<'_>>) -> Option<Computed> {
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 4 };
    let mut operations = expression.operations(encoding);
    let mut read = Vec::with_capacity(MAX_OPERATIONS);
    while let Some(operation) = operations.next().ok()? {
        if read.len() == MAX_OPERATIONS {
            return None;
        }
        read.push(operation);
    }
    let (first, rest) = read.split_first()?;
    let Operation::RegisterOffset { register, offset, .. } = *first else { return None };
    match rest {
        [] => Some(Computed::Register(register, offset)),
        [Operation::Deref { size: 8, space: false, .. }] => {
            Some(Computed::Dereferenced(register, offset, 0))
        }
        [Operation::Deref { size: 8, space: false, .. }, Operation::PlusConstant { value }] => {
            Some(Computed::Dereferenced(register, offset, i64::try_from(*value).ok()?))
        }
        // binutils' elf_x86_64_eh_frame_plt: ((rip & 15) >= threshold) << 3, added.
        [
            Operation::RegisterOffset { register: gimli::X86_64::RA, offset: 0, .. },
            Operation::UnsignedConstant { value: 15 },
            Operation::And,
            Operation::UnsignedConstant { value: threshold },
            Operation::Ge,
            Operation::UnsignedConstant { value: 3 },
            Operation::Shl,
            Operation::Plus,
        ] => Some(Computed::Plt(register, offset, u8::try_from(*threshold).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(bytes: &[u8]) -> Option<Computed> {
        read(Expression(EndianSlice::new(bytes, LittleEndian)))
    }

    #[test]
    fn what_linkers_and_compilers_write_is_known() {
        let (fp, sp) = (Register(6), Register(7));
        // DW_OP_breg6 -8; DW_OP_deref
        assert_eq!(computed(&[0x76, 0x78, 0x06]), Some(Computed::Dereferenced(fp, -8, 0)));
        // DW_OP_breg6 0
        assert_eq!(computed(&[0x76, 0x00]), Some(Computed::Register(fp, 0)));
        // DW_OP_breg7 312; DW_OP_deref; DW_OP_plus_uconst 8
        let openssl = [0x77, 0xb8, 0x02, 0x06, 0x23, 0x08];
        assert_eq!(computed(&openssl), Some(Computed::Dereferenced(sp, 312, 8)));
        // DW_OP_breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus
        let plt = [0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
        assert_eq!(computed(&plt), Some(Computed::Plt(sp, 8, 11)));
    }

    #[test]
    fn others_and_damaged_ones_are_not() {
        for bytes in [&[][..], &[0x06], &[0x77], &[0x77, 0x08, 0x06, 0x06], &[0x34; 100], &[0xff]] {
            assert_eq!(computed(bytes), None, "{bytes:x?}");
        }
    }
}
