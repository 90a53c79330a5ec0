//! Records of the `cpu_profile` signal: what ran on a CPU when its clock ticked.

use crate::process::{Comm, Process};
use crate::time::Timestamp;

mod fields;
mod python;

pub use fields::{CPU_SAMPLE, CpuSampleFields};
pub use python::{PythonEnd, PythonFrame};

/// 64-bit words as they lie in a record, in the machine's own order of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// Those of these bytes; what is left behind the last whole one is not seen.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// As they lie.
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len() / size_of::<u64>()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One after another.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator + use<'a> {
        let (words, _) = self.0.as_chunks();
        words.iter().map(|word| u64::from_ne_bytes(*word))
    }
}

/// Why the user's stack ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StackEnd {
    /// A rule says that nobody called the last frame: the stack is whole.
    Outermost,
    /// A frame pointer, or a return address, of 0: the stack is whole.
    EndOfChain,
    /// It is deeper than a walk goes.
    Depth,
    /// The program is in no executable mapping that is known.
    NoMapping,
    /// A return address is in no executable mapping that is known.
    ReturnNotCode,
    /// The stack could not be read there.
    Unreadable,
    /// A frame pointer is below the stack pointer, not aligned, or not above the one before.
    BadFramePointer,
    /// The table describes the frame by what a rule cannot hold.
    Unsupported,
    /// The rule counts from a register that is not known there.
    UnknownRegister,
    /// A frame is not above the one that it called.
    NotRising,
    /// A table refers to what it does not have.
    BrokenTable,
    /// A thread of the kernel has none.
    NoUserStack,
    /// The process was not known yet.
    UnknownProcess,
    /// A program of 32 bits.
    Foreign,
    /// The thread could not be looked at while it had its memory: a wait whose interrupt did not come.
    NotReached,
}

impl StackEnd {
    /// Every reason, in the order of their words' meaning above.
    pub const ALL: [Self; 15] = [
        Self::Outermost,
        Self::EndOfChain,
        Self::Depth,
        Self::NoMapping,
        Self::ReturnNotCode,
        Self::Unreadable,
        Self::BadFramePointer,
        Self::Unsupported,
        Self::UnknownRegister,
        Self::NotRising,
        Self::BrokenTable,
        Self::NoUserStack,
        Self::UnknownProcess,
        Self::Foreign,
        Self::NotReached,
    ];

    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Outermost => "outermost",
            Self::EndOfChain => "end_of_chain",
            Self::Depth => "depth",
            Self::NoMapping => "no_mapping",
            Self::ReturnNotCode => "return_not_code",
            Self::Unreadable => "unreadable",
            Self::BadFramePointer => "bad_frame_pointer",
            Self::Unsupported => "unsupported",
            Self::UnknownRegister => "unknown_register",
            Self::NotRising => "not_rising",
            Self::BrokenTable => "broken_table",
            Self::NoUserStack => "no_user_stack",
            Self::UnknownProcess => "unknown_process",
            Self::Foreign => "foreign",
            Self::NotReached => "not_reached",
        }
    }

    /// Nothing is missing of the stack.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Outermost | Self::EndOfChain | Self::NoUserStack)
    }
}

/// `cpu_sample`: a clock ticked while something ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuSample<'a> {
    /// When.
    pub time: Timestamp,
    /// The same in nanoseconds of CLOCK_BOOTTIME.
    pub boottime_ns: u64,
    /// What ran.
    pub process: Process,
    /// Which of the programs that the process has executed: it grows with each exec, and is inherited.
    pub exec_id: u64,
    /// The time that the sample stands for: since the tick before on this CPU.
    pub weight_ns: u64,
    /// The thread.
    pub thread_id: u32,
    /// Its name.
    pub thread_comm: Comm,
    /// The CPU.
    pub cpu: u32,
    /// The program itself ran, not the kernel for it.
    pub is_user_mode: bool,
    /// The kernel's stack is deeper than what is here.
    pub is_kernel_truncated: bool,
    /// Why the user's stack ends where it does.
    pub user_end: StackEnd,
    /// The kernel's stack: addresses, innermost first.
    pub kernel_frames: Words<'a>,
    /// Frames of Python code, innermost first; see [`PythonFrame::unpack`].
    pub python_frames: Words<'a>,
    /// Why they end where they do.
    pub python_end: PythonEnd,
    /// The user's stack, innermost first; see [`UserFrame::unpack`].
    pub user_frames: Words<'a>,
    /// Registers of user space, in the order of this machine's `struct pt_regs`, where the walk lacked knowledge.
    pub registers: Words<'a>,
    /// With them: what lies on the stack from the stack pointer on.
    pub stack: &'a [u8],
}

/// A frame of a user's stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserFrame {
    /// Number of the executable; 0 for none.
    pub executable: u16,
    /// The place in its file, or without one the address. Of a frame that called, one byte before the place
    /// that it is returned to: within the call.
    pub place: u64,
}

/// Bits of a place.
const PLACE_BITS: u32 = 48;

impl UserFrame {
    /// As it lies in a record.
    pub fn pack(self) -> u64 {
        u64::from(self.executable) << PLACE_BITS | self.place & ((1 << PLACE_BITS) - 1)
    }

    /// From what lies in a record.
    pub fn unpack(word: u64) -> Self {
        Self { executable: (word >> PLACE_BITS) as u16, place: word & ((1 << PLACE_BITS) - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_ones() {
        let bytes: Vec<u8> = [1_u64, 2].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(Words::new(&bytes).iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(Words::new(&bytes[..15]).iter().collect::<Vec<_>>(), [1]);
        assert!(Words::new(&bytes[..7]).is_empty());
    }

    #[test]
    fn every_end_has_a_word_of_its_own() {
        for end in StackEnd::ALL {
            assert_eq!(StackEnd::ALL.iter().filter(|other| other.word() == end.word()).count(), 1);
        }
    }

    #[test]
    fn a_frame_is_an_executable_and_a_place_in_it() {
        let frame = UserFrame::unpack(0x1234_5678_9abc_def0);
        assert_eq!((frame.executable, frame.place), (0x1234, 0x5678_9abc_def0));
        assert_eq!(frame.pack(), 0x1234_5678_9abc_def0);
    }
}
