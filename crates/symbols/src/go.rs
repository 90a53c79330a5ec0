//! Go's line table (`.gopclntab`): names, files and lines of all of Go's functions, which stay in a program
//! whose symbols were stripped.
//!
//! Four layouts, by the first word: Go 1.2, 1.16, 1.18 and 1.20 (`debug/gosym/pclntab.go` and
//! `runtime/symtab.go` of those versions). From 1.18 on, functions are 32-bit distances from the start of the
//! code, before they are addresses. Files and lines are programs: pairs of how much the value changes, and for
//! how many bytes of code it stays.
//!
//! What was inlined is in tables that cannot be found without the program's own data; DWARF tells it.

use crate::limits::{Deadline, Why};

/// Longest name of a function or a file.
const MAX_NAME_BYTES: usize = 4 << 10;

/// How the table is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Go1_2,
    Go1_16,
    Go1_18,
    Go1_20,
}

/// A place in a Go program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoPlace<'a> {
    /// The function.
    pub function: &'a [u8],
    /// Where it begins.
    pub start: u64,
    /// Its file; empty if it is not known.
    pub file: &'a [u8],
    /// The line; 0 if it is not known.
    pub line: u32,
}

/// Go's line table.
#[derive(Debug)]
pub struct GoTable {
    data: Vec<u8>,
    version: Version,
    quantum: u64,
    pointer_bytes: usize,
    count: usize,
    /// What distances of functions count from.
    text: u64,
    functions: usize,
    names: usize,
    units: usize,
    files: usize,
    programs: usize,
}

impl GoTable {
    /// The table of a section's bytes. `text` is where the program's code begins, for tables that do not say it
    /// themselves (from Go 1.18 on, where the linker leaves it to the loader).
    ///
    /// # Errors
    /// When it is of no version that is known, or shorter than it says.
    pub fn read(data: Vec<u8>, text: Option<u64>) -> Result<Self, Why> {
        Self::parse(data, text)
            .ok_or_else(|| Why::Damaged("no table of a known version".to_owned()))
    }

    fn parse(data: Vec<u8>, text: Option<u64>) -> Option<Self> {
        let version = match u32_at(&data, 0)? {
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
        let word = |number: usize| usize::try_from(u64_at(&data, 8 + 8 * number)?).ok();
        let count = word(0)?;
        let mut table = Self {
            version,
            quantum: quantum.into(),
            pointer_bytes: pointer_bytes.into(),
            count,
            text: 0,
            functions: 16,
            names: 0,
            units: 0,
            files: 0,
            programs: 0,
            data: Vec::new(),
        };
        match version {
            Version::Go1_2 => {
                let behind = 16_usize.checked_add(count.checked_mul(16)?)?.checked_add(8)?;
                table.files = u32_at(&data, behind)? as usize;
            }
            Version::Go1_16 => {
                [table.names, table.units, table.files, table.programs, table.functions] =
                    [word(2)?, word(3)?, word(4)?, word(5)?, word(6)?];
            }
            Version::Go1_18 | Version::Go1_20 => {
                let in_header = word(2)? as u64;
                table.text = if in_header == 0 { text? } else { in_header };
                [table.names, table.units, table.files, table.programs, table.functions] =
                    [word(3)?, word(4)?, word(5)?, word(6)?, word(7)?];
            }
        }
        let bytes = count.checked_mul(2)?.checked_add(1)?.checked_mul(table.entry_bytes())?;
        data.get(table.functions..table.functions.checked_add(bytes)?)?;
        table.data = data;
        Some(table)
    }

    fn is_relative(&self) -> bool {
        matches!(self.version, Version::Go1_18 | Version::Go1_20)
    }

    fn entry_bytes(&self) -> usize {
        if self.is_relative() { 4 } else { self.pointer_bytes }
    }

    /// A word of the table of functions: starts and places of descriptions in turn, the end last.
    fn entry(&self, number: usize) -> Option<u64> {
        let at = self.functions.checked_add(number.checked_mul(self.entry_bytes())?)?;
        if self.is_relative() {
            u32_at(&self.data, at).map(u64::from)
        } else {
            u64_at(&self.data, at)
        }
    }

    fn start(&self, number: usize) -> Option<u64> {
        Some(self.text.wrapping_add(self.entry(number.checked_mul(2)?)?))
    }

    /// How many functions it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// It has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.data.capacity()
    }

    /// The starts of all functions, ascending in a good table.
    pub fn starts(&self) -> impl Iterator<Item = u64> {
        (0..self.count).map_while(|number| self.start(number))
    }

    /// What is at an address; `Ok(None)` where no function is.
    ///
    /// # Errors
    /// When its programs are longer than time allows.
    pub(crate) fn find_by(
        &self,
        address: u64,
        deadline: &mut Deadline,
    ) -> Result<Option<GoPlace<'_>>, Why> {
        let Some((start, description)) = self.description(address) else { return Ok(None) };
        let field = |number: usize| self.field(description, number);
        let Some(name) = field(0) else { return Ok(None) };
        let Some(function) = self.text_at(self.names, name as usize) else { return Ok(None) };
        // name, arguments, deferreturn, sp, file, line, data, [unit]
        let mut value = |number: usize| match field(number) {
            Some(program @ 1..) => self.value(program as usize, address - start, deadline),
            _ => Ok(None),
        };
        let (file, line) = (value(4)?, value(5)?);
        let file = file.and_then(|file| self.file(description, file)).unwrap_or_default();
        let line = line.and_then(|line| u32::try_from(line).ok()).unwrap_or_default();
        Ok(Some(GoPlace { function, start, file, line }))
    }

    /// What is at an address, within a second.
    pub fn find(&self, address: u64) -> Option<GoPlace<'_>> {
        let mut deadline = Deadline::after(std::time::Duration::from_secs(1));
        self.find_by(address, &mut deadline).ok().flatten()
    }

    /// The function that an address is in: its start, and where its description is.
    fn description(&self, address: u64) -> Option<(u64, usize)> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.start(middle)? <= address { low = middle + 1 } else { high = middle }
        }
        let number = low.checked_sub(1)?;
        let start = self.start(number)?;
        // The end of the last function stands behind it, as if it were a start.
        if !(start..self.start(number + 1)?).contains(&address) {
            return None;
        }
        let description = usize::try_from(self.entry(2 * number + 1)?).ok()?;
        let base = if self.version == Version::Go1_2 { 0 } else { self.functions };
        Some((start, base.checked_add(description)?))
    }

    /// A 32-bit field of a description, behind the function's start.
    fn field(&self, description: usize, number: usize) -> Option<u32> {
        let at = description.checked_add(self.entry_bytes())?.checked_add(4 * number)?;
        u32_at(&self.data, at)
    }

    fn file(&self, description: usize, number: i64) -> Option<&[u8]> {
        let number = usize::try_from(number).ok()?;
        if self.version == Version::Go1_2 {
            // Numbers begin at 1; before the first is how many there are.
            let at = number.checked_mul(4).filter(|_| number > 0)?;
            let place = u32_at(&self.data, self.files.checked_add(at)?)?;
            return self.text_at(0, place as usize);
        }
        let unit = self.field(description, 7)? as usize;
        let at = unit.checked_add(number)?.checked_mul(4)?;
        let place = u32_at(&self.data, self.units.checked_add(at)?)?;
        if place == u32::MAX { None } else { self.text_at(self.files, place as usize) }
    }

    /// The value of a program so many bytes behind the function's start.
    fn value(&self, program: usize, at: u64, deadline: &mut Deadline) -> Result<Option<i64>, Why> {
        let start = self.programs.checked_add(program);
        let mut rest = start.and_then(|start| self.data.get(start..)).unwrap_or_default();
        let (mut value, mut code) = (-1_i64, 0_u64);
        let mut is_first = true;
        loop {
            deadline.step()?;
            let Some(change) = variable(&mut rest) else { return Ok(None) };
            if change == 0 && !is_first {
                return Ok(None);
            }
            is_first = false;
            let Some(bytes) = variable(&mut rest) else { return Ok(None) };
            let change = i64::from(change >> 1) ^ -i64::from(change & 1);
            value = value.wrapping_add(change);
            code = code.saturating_add(u64::from(bytes).saturating_mul(self.quantum));
            if at < code {
                return Ok(Some(value));
            }
        }
    }

    fn text_at(&self, base: usize, at: usize) -> Option<&[u8]> {
        let rest = self.data.get(base.checked_add(at)?..)?;
        let rest = rest.get(..MAX_NAME_BYTES).unwrap_or(rest);
        rest.split(|byte| *byte == 0).next().filter(|text| !text.is_empty())
    }
}

/// A number of 7 bits a byte.
fn variable(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(offset..)?.first_chunk()?))
}

fn u64_at(data: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(offset..)?.first_chunk()?))
}
