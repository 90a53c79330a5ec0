//! Frames of Python code, as a probe tells them.

/// Why a thread's frames of Python end where they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum PythonEnd {
    /// No interpreter is known in the process.
    #[default]
    None,
    /// All are there.
    Outermost,
    /// There are more than a probe reads.
    Depth,
    /// The interpreter's memory could not be read.
    Unreadable,
    /// The interpreter does not know the thread: it runs no code of Python's.
    NoThread,
    /// The thread was not found among the first ones that the interpreter knows.
    ManyThreads,
    /// The interpreter is not set up, or is taken down.
    NotStarted,
}

impl PythonEnd {
    /// Every reason, by its number in a record.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Outermost,
        Self::Depth,
        Self::Unreadable,
        Self::NoThread,
        Self::ManyThreads,
        Self::NotStarted,
    ];

    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Outermost => "outermost",
            Self::Depth => "depth",
            Self::Unreadable => "unreadable",
            Self::NoThread => "no_thread",
            Self::ManyThreads => "many_threads",
            Self::NotStarted => "not_started",
        }
    }
}

/// A frame of Python code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PythonFrame {
    /// The address of its code object; 0 for a border, which runs none.
    pub code: u64,
    /// Where in the code it is, in units of two bytes: from the start of the code object (from 3.11 on), or as the
    /// interpreter counts, and one (before). `None` where that is not known.
    pub place: Option<u32>,
    /// The interpreter's loop was entered for it.
    pub is_entry: bool,
}

/// As in `python_types.h`.
const CODE_SHIFT: u32 = 4;
const CODE_BITS: u32 = 44;
const UNKNOWN_PLACE: u64 = (1 << 19) - 1;

impl PythonFrame {
    /// As it lies in a record.
    pub fn unpack(word: u64) -> Self {
        let place = word >> CODE_BITS & UNKNOWN_PLACE;
        Self {
            code: (word & ((1 << CODE_BITS) - 1)) << CODE_SHIFT,
            place: u32::try_from(place).ok().filter(|_| place != UNKNOWN_PLACE),
            is_entry: word >> 63 == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PythonEnd, PythonFrame};

    #[test]
    fn a_frame_is_a_code_object_and_a_place_in_it() {
        let frame = PythonFrame::unpack(0x8000_07f1_2345_6789 | 0x123 << 44);
        let expected = PythonFrame { code: 0x7f12_3456_7890, place: Some(0x123), is_entry: true };
        assert_eq!(frame, expected);
        let border = PythonFrame { code: 0, place: Some(0), is_entry: true };
        assert_eq!(PythonFrame::unpack(1 << 63), border);
        assert_eq!(PythonFrame::unpack(!(1 << 63)).place, None);
    }

    #[test]
    fn every_end_has_a_word_of_its_own() {
        for end in PythonEnd::ALL {
            let like_it = PythonEnd::ALL.iter().filter(|other| other.word() == end.word());
            assert_eq!(like_it.count(), 1);
        }
    }
}
