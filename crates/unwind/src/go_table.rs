//! How Go's line table (`.gopclntab`) is laid out: what its readers share. One reads there how functions are left
//! ([`crate::build()`]), another (crate `symbols`) what they are called and from which lines they come.
//!
//! Four layouts, by the first word: Go 1.2, 1.16, 1.18 and 1.20 (`debug/gosym/pclntab.go`, `cmd/link/internal/ld/pcln.go`
//! and `runtime/symtab.go` of those versions). From 1.18 on, functions are 32-bit distances from the start of the
//! code, before they are addresses. What changes within a function (how far SP has moved, the file, the line) is a
//! program: pairs of how much a value changes, and for how many bytes of code it stays.

/// The sections that it may be in.
pub const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

/// How the table is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The first layout.
    Go1_2,
    /// Tables of names, files and programs apart.
    Go1_16,
    /// Functions by their distance from the start of the code.
    Go1_18,
    /// As before, with a word more of each function.
    Go1_20,
}

/// Where the parts of a table are: offsets into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Which layout it is.
    pub version: Version,
    /// Bytes of the shortest instruction, which programs count code in.
    pub quantum: u64,
    /// Functions.
    pub count: usize,
    /// Where the code begins, which distances of functions count from; 0 where the linker leaves that to the loader.
    pub text: u64,
    /// The table of functions; it is all within the table.
    pub functions: usize,
    /// Names of functions.
    pub names: usize,
    /// Which files each compiled unit has.
    pub units: usize,
    /// Names of files.
    pub files: usize,
    /// Programs.
    pub programs: usize,
}

impl Layout {
    /// That of a section's bytes; `None` for a version that is not known, or a table that is shorter than it says.
    pub fn read(data: &[u8]) -> Option<Self> {
        let version = match u32_at(data, 0)? {
            0xffff_fffb => Version::Go1_2,
            0xffff_fffa => Version::Go1_16,
            0xffff_fff0 => Version::Go1_18,
            0xffff_fff1 => Version::Go1_20,
            _ => return None,
        };
        let [quantum, pointer_bytes] = [*data.get(6)?, *data.get(7)?];
        if pointer_bytes != 8 || !matches!(quantum, 1 | 2 | 4) {
            return None;
        }
        let word = |number: usize| usize::try_from(u64_at(data, 8 + 8 * number)?).ok();
        let count = word(0)?;
        let (mut names, mut units, mut programs, mut text) = (0, 0, 0, 0);
        let (files, functions);
        match version {
            Version::Go1_2 => {
                let behind = 16_usize.checked_add(count.checked_mul(16)?)?.checked_add(8)?;
                (files, functions) = (u32_at(data, behind)? as usize, 16);
            }
            Version::Go1_16 => {
                [names, units, files, programs, functions] =
                    [word(2)?, word(3)?, word(4)?, word(5)?, word(6)?];
            }
            Version::Go1_18 | Version::Go1_20 => {
                text = word(2)? as u64;
                [names, units, files, programs, functions] =
                    [word(3)?, word(4)?, word(5)?, word(6)?, word(7)?];
            }
        }
        let quantum = quantum.into();
        let layout =
            Self { version, quantum, count, text, functions, names, units, files, programs };
        let bytes = count.checked_mul(2)?.checked_add(1)?.checked_mul(layout.entry_bytes())?;
        data.get(functions..functions.checked_add(bytes)?)?;
        Some(layout)
    }

    /// Functions are distances from the start of the code.
    pub fn is_relative(&self) -> bool {
        matches!(self.version, Version::Go1_18 | Version::Go1_20)
    }

    /// Bytes of a word of the table of functions: starts and places of descriptions in turn, the end last.
    pub fn entry_bytes(&self) -> usize {
        if self.is_relative() { 4 } else { 8 }
    }
}

/// Where the code begins by the relocations (`.rela.dyn`) of a program that leaves that to the loader: what is put into
/// the header's third word (`R_X86_64_RELATIVE`, `R_AARCH64_RELATIVE`).
pub fn relocated_text(relocations: &[u8], table_address: u64) -> Option<u64> {
    const RELATIVE: [u64; 2] = [8, 1027];
    let field = table_address.wrapping_add(24);
    let mut all = relocations.chunks_exact(24);
    let is_its = |it: &&[u8]| {
        u64_at(it, 0) == Some(field) && u64_at(it, 8).is_some_and(|kind| RELATIVE.contains(&kind))
    };
    u64_at(all.find(is_its)?, 16)
}

/// A stretch of code in which a value stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The value.
    pub value: i64,
    /// How long the stretch is, in quanta.
    pub code: u64,
    /// Bytes of the program.
    pub bytes: u64,
}

/// The steps of a program; `None` where it is damaged, and then no more.
#[derive(Clone, Debug)]
pub struct Steps<'data> {
    rest: &'data [u8],
    value: i64,
    is_first: bool,
}

impl<'data> Steps<'data> {
    /// Of the program that begins here; what is behind it does not matter.
    pub fn new(program: &'data [u8]) -> Self {
        Self { rest: program, value: -1, is_first: true }
    }

    /// A number of 7 bits a byte.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn step(&mut self) -> Option<Option<Step>> {
        let before = self.rest.len();
        let change = self.number()?;
        if change == 0 && !self.is_first {
            return Some(None);
        }
        self.is_first = false;
        let change = change as i64;
        // Zigzag: the sign is the last bit.
        self.value = self.value.wrapping_add(change >> 1 ^ -(change & 1));
        let code = self.number()?;
        let bytes = (before - self.rest.len()) as u64;
        Some(Some(Step { value: self.value, code, bytes }))
    }
}

impl Iterator for Steps<'_> {
    type Item = Option<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step();
        if !matches!(step, Some(Some(_))) {
            self.rest = &[];
        }
        match step {
            Some(Some(step)) => Some(Some(step)),
            Some(None) => None,
            None => Some(None),
        }
    }
}

/// A 32-bit word of a table.
pub fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(offset..)?.first_chunk()?))
}

/// A 64-bit word of a table.
pub fn u64_at(data: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(offset..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_pairs_up_to_a_change_of_none() {
        // +1 for 3, −2 for 300, the end, and what is behind it.
        let program = [0x02, 0x03, 0x03, 0xac, 0x02, 0x00, 0x7f];
        let steps: Vec<_> = Steps::new(&program).flatten().collect();
        let [first, second] = steps[..] else { panic!("{steps:?}") };
        assert_eq!((first.value, first.code, first.bytes), (0, 3, 2));
        assert_eq!((second.value, second.code, second.bytes), (-2, 300, 3));
        assert_eq!(Steps::new(&[0x02]).collect::<Vec<_>>(), [None], "it ends within a pair");
    }

    #[test]
    fn a_table_that_is_shorter_than_it_says_is_none() {
        let mut data = vec![0; 8 + 8 * 8 + 4 * 3];
        data[..8].copy_from_slice(&[0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8]);
        data[8] = 1;
        data[8 + 7 * 8] = 72;
        assert_eq!(Layout::read(&data).map(|it| (it.count, it.functions)), Some((1, 72)));
        data[8] = 2;
        assert_eq!(Layout::read(&data), None);
    }
}
