//! A frame of Python code as one word, beside frames of programs, whose words leave the highest bit alone.
//!
//! Bit 63 is set; bit 62 says that the interpreter's loop was entered for it; bits 32 to 61 are the number of its
//! function (see [`super::functions`]); the rest is the line, 0 for none.

const IS_PYTHON: u64 = 1 << 63;
const IS_ENTRY: u64 = 1 << 62;
const LINE_BITS: u32 = 32;
const FUNCTION_BITS: u32 = 30;

/// Where the loop was entered, and no function of a program's runs yet.
pub const BORDER: u64 = IS_PYTHON | IS_ENTRY;

/// The function with this number, which is not 0, at a line.
pub fn pack(function: u32, line: u32) -> u64 {
    IS_PYTHON | u64::from(function) << LINE_BITS | u64::from(line)
}

/// A frame's function and line; `None` for a frame of a program.
pub fn unpack(word: u64) -> Option<(u32, u32)> {
    let function = word >> LINE_BITS & ((1 << FUNCTION_BITS) - 1);
    (word & IS_PYTHON != 0).then_some((function as u32, word as u32))
}

/// The same frame, as one that the loop was entered for.
pub fn with_entry(word: u64) -> u64 {
    word | IS_ENTRY
}

/// The same frame, as any.
pub fn without_entry(word: u64) -> u64 {
    word & !IS_ENTRY
}

/// The loop was entered for it.
pub fn is_entry(word: u64) -> bool {
    word & IS_ENTRY != 0
}

/// It runs no code of a program's.
pub fn is_border(word: u64) -> bool {
    word == BORDER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let word = pack(0x3fff_ffff, u32::MAX);
        assert_eq!(unpack(word), Some((0x3fff_ffff, u32::MAX)));
        assert_eq!(unpack(with_entry(pack(7, 9))), Some((7, 9)));
        assert!(!is_entry(word) && is_entry(with_entry(word)));
        assert_eq!(unpack(0x0fff_ffff_ffff_ffff), None, "a frame of a program");
    }
}
