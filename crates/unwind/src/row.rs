//! Rules: how to get from a frame to its caller's, in 8 bytes that BPF reads with a few shifts.
//!
//! A rule says where the canonical frame address (CFA, DWARF 5 §6.4: what SP was before the call) is
//! counted from, and where the caller's frame pointer and the return address lie. These two and SP are all
//! that a walk carries from frame to frame; a CFA that is counted from another register can be had only
//! where a thread was interrupted.
//!
//! The bits, from 0: kind 4, base 4, cfa 24, fp 16, ra 16. The last three are signed words of 8 bytes, so
//! that frames may be 64 MiB large, with FP and RA up to 256 KiB from their CFA. What does not fit, and what
//! expressions say that no rule can, is [`Rule::Unsupported`]: the walk says that it ended there.
//! `bpf/unwind_table.h` has the same numbers for BPF.

/// Bytes of a word: what offsets are counted in.
const WORD: i32 = 8;

/// A register that a CFA is counted from. Those after FP are known only where a thread was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Base {
    /// The stack pointer: rsp, sp.
    Sp = 0,
    /// The frame pointer: rbp, x29.
    Fp = 1,
    /// x86-64, like all that follow.
    Rax = 2,
    /// rdx
    Rdx = 3,
    /// rcx
    Rcx = 4,
    /// rbx
    Rbx = 5,
    /// rsi
    Rsi = 6,
    /// rdi
    Rdi = 7,
    /// r8
    R8 = 8,
    /// r9
    R9 = 9,
    /// r10: counts the CFA while GCC realigns a stack.
    R10 = 10,
    /// r11
    R11 = 11,
    /// r12
    R12 = 12,
    /// r13
    R13 = 13,
    /// r14
    R14 = 14,
    /// r15
    R15 = 15,
}

impl Base {
    const ALL: [Self; 16] = [
        Self::Sp,
        Self::Fp,
        Self::Rax,
        Self::Rdx,
        Self::Rcx,
        Self::Rbx,
        Self::Rsi,
        Self::Rdi,
        Self::R8,
        Self::R9,
        Self::R10,
        Self::R11,
        Self::R12,
        Self::R13,
        Self::R14,
        Self::R15,
    ];
}

/// Where the return address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReturnAddress {
    /// In the link register, which is known only where a thread was interrupted. aarch64.
    LinkRegister,
    /// So many bytes from the CFA: -8 on x86-64.
    AtCfa(i32),
}

/// How to get from a frame to its caller's. Offsets are in bytes, and multiples of 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Nothing is known here: the step of frame pointers is tried.
    Gap,
    /// CFA = base + cfa.
    Offset {
        /// What the CFA is counted from.
        base: Base,
        /// From there to the CFA.
        cfa: i32,
        /// From the CFA to the caller's FP; `None`, it is unchanged.
        fp: Option<i32>,
        /// Where the return address is.
        ra: ReturnAddress,
    },
    /// CFA = *(base + cfa) + add; the return address is at CFA - 8. x86-64.
    Dereference {
        /// What the place that holds the CFA is counted from.
        base: Base,
        /// From there to that place.
        cfa: i32,
        /// From what is there to the CFA.
        add: i32,
        /// From the CFA to the caller's FP; `None`, it is unchanged.
        fp: Option<i32>,
    },
    /// CFA = *(FP + cfa), the caller's FP = *(FP + fp), the return address at CFA - 8: functions that realign
    /// their stack. x86-64.
    Realigned {
        /// From FP to the place that holds the CFA.
        cfa: i32,
        /// From FP to the caller's.
        fp: i32,
    },
    /// CFA = SP + cfa, and 8 more where the last four bits of the place are not below the threshold: an entry
    /// of a procedure linkage table pushes its number half way. The return address is at CFA - 8. x86-64.
    Plt {
        /// From SP to the CFA in the first half.
        cfa: i32,
        /// 0 to 15.
        threshold: u8,
    },
    /// The frame that the kernel made to deliver a signal: the registers of what was interrupted are in the
    /// `struct sigcontext` that is so far from SP.
    Signal {
        /// From SP to the structure.
        registers: i32,
    },
    /// The outermost frame: nobody called it.
    Stop,
    /// Described, but by what a rule cannot hold.
    Unsupported,
    /// The step of frame pointers, on to another stack: Go runs what needs room on a stack of the system's.
    StackSwitch,
}

const GAP: u64 = 0;
const OFFSET: u64 = 1;
const DEREFERENCE: u64 = 2;
const REALIGNED: u64 = 3;
const PLT: u64 = 4;
const SIGNAL: u64 = 5;
const STOP: u64 = 6;
const UNSUPPORTED: u64 = 7;
const STACK_SWITCH: u64 = 8;

impl Rule {
    /// The step of frame pointers, as a rule: what a prologue that keeps them leaves behind on both machines.
    pub const FRAME_POINTER: Self =
        Self::Offset { base: Base::Fp, cfa: 16, fp: Some(-16), ra: ReturnAddress::AtCfa(-8) };

    /// The rule as a cell; `None` where an offset is no multiple of 8, or too large.
    pub fn pack(self) -> Option<u64> {
        // 0 says that FP is unchanged, or RA in LR: nothing is saved at the CFA itself.
        let saved = |offset: i32| if offset == 0 { None } else { half(offset) };
        let unchanged = |fp: Option<i32>| fp.map_or(Some(0), saved);
        Some(match self {
            Self::Gap => GAP,
            Self::Offset { base, cfa, fp, ra } => {
                let ra = match ra {
                    ReturnAddress::LinkRegister => 0,
                    ReturnAddress::AtCfa(offset) => saved(offset)?,
                };
                cell(OFFSET, base, cfa, unchanged(fp)?, ra)?
            }
            Self::Dereference { base, cfa, add, fp } => {
                cell(DEREFERENCE, base, cfa, unchanged(fp)?, half(add)?)?
            }
            Self::Realigned { cfa, fp } => cell(REALIGNED, Base::Fp, cfa, half(fp)?, 0)?,
            Self::Plt { cfa, threshold } if threshold < 16 => {
                cell(PLT, Base::Sp, cfa, u64::from(threshold), 0)?
            }
            Self::Plt { .. } => return None,
            Self::Signal { registers } => cell(SIGNAL, Base::Sp, registers, 0, 0)?,
            Self::Stop => STOP,
            Self::Unsupported => UNSUPPORTED,
            Self::StackSwitch => STACK_SWITCH,
        })
    }

    /// The rule of a cell; `None` where no rule packs to its kind.
    pub fn unpack(cell: u64) -> Option<Self> {
        let base = Base::ALL[(cell >> 4 & 15) as usize];
        let cfa = (cell as i32 >> 8) * WORD;
        let [fp, ra] = [cell >> 32, cell >> 48].map(|half| i32::from(half as i16) * WORD);
        let changed = (fp != 0).then_some(fp);
        Some(match cell & 15 {
            GAP => Self::Gap,
            OFFSET => {
                let ra = match ra {
                    0 => ReturnAddress::LinkRegister,
                    offset => ReturnAddress::AtCfa(offset),
                };
                Self::Offset { base, cfa, fp: changed, ra }
            }
            DEREFERENCE => Self::Dereference { base, cfa, add: ra, fp: changed },
            REALIGNED => Self::Realigned { cfa, fp },
            PLT => Self::Plt { cfa, threshold: (cell >> 32 & 15) as u8 },
            SIGNAL => Self::Signal { registers: cfa },
            STOP => Self::Stop,
            UNSUPPORTED => Self::Unsupported,
            STACK_SWITCH => Self::StackSwitch,
            _ => return None,
        })
    }
}

/// Bytes as words in 16 bits.
fn half(bytes: i32) -> Option<u64> {
    let words = i16::try_from(words(bytes)?).ok()?;
    Some(u64::from(words as u16))
}

fn words(bytes: i32) -> Option<i32> {
    (bytes % WORD == 0).then_some(bytes / WORD)
}

fn cell(kind: u64, base: Base, cfa: i32, fp: u64, ra: u64) -> Option<u64> {
    let cfa = words(cfa)?;
    let fits = (-(1 << 23)..1 << 23).contains(&cfa);
    let head = u64::from((cfa as u32) << 8);
    fits.then_some(kind | (base as u64) << 4 | head | fp << 32 | ra << 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(base: Base, cfa: i32, fp: Option<i32>) -> Rule {
        Rule::Offset { base, cfa, fp, ra: ReturnAddress::AtCfa(-8) }
    }

    #[test]
    fn what_is_packed_is_unpacked_the_same() {
        let rules = [
            Rule::Gap,
            Rule::FRAME_POINTER,
            offset(Base::Sp, 8, None),
            offset(Base::R10, 0, Some(-16)),
            offset(Base::Sp, (1 << 26) - 8, Some(-(1 << 18))),
            offset(Base::Sp, -(1 << 26), Some((1 << 18) - 8)),
            Rule::Offset { base: Base::Sp, cfa: 0, fp: None, ra: ReturnAddress::LinkRegister },
            Rule::Dereference { base: Base::Sp, cfa: 312, add: 8, fp: Some(-16) },
            Rule::Realigned { cfa: -8, fp: 0 },
            Rule::Plt { cfa: 8, threshold: 11 },
            Rule::Signal { registers: 40 },
            Rule::Stop,
            Rule::Unsupported,
            Rule::StackSwitch,
        ];
        for rule in rules {
            let cell = rule.pack().expect("it fits");
            assert_eq!(Rule::unpack(cell), Some(rule), "{cell:#x}");
        }
    }

    #[test]
    fn every_base_is_its_own_number() {
        for (number, base) in Base::ALL.into_iter().enumerate() {
            assert_eq!(base as usize, number);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = [
            offset(Base::Sp, 12, None),
            offset(Base::Sp, 1 << 26, None),
            offset(Base::Sp, -(1 << 26) - 8, None),
            offset(Base::Sp, 8, Some(1 << 18)),
            offset(Base::Sp, 8, Some(0)),
            Rule::Plt { cfa: 8, threshold: 16 },
        ];
        for rule in refused {
            assert_eq!(rule.pack(), None, "{rule:?}");
        }
    }

    #[test]
    fn a_cell_of_no_kind_is_no_rule() {
        assert_eq!(Rule::unpack(9), None);
        assert_eq!(Rule::unpack(u64::MAX), None);
    }
}
