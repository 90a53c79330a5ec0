//! Go's line table (`.gopclntab`): names, files and lines of all of Go's functions, which stay in a program
//! whose symbols were stripped.
//!
//! The layouts are those of [`chandra_unwind::go_table`]. Files and lines are programs.
//!
//! What was inlined is in tables that cannot be found without the program's own data; DWARF tells it.

use chandra_unwind::go_table::{Layout, Steps, Version, u32_at, u64_at};

use crate::limits::{Deadline, Why};

/// Longest name of a function or a file.
const MAX_NAME_BYTES: usize = 4 << 10;

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
    layout: Layout,
    /// What distances of functions count from.
    text: u64,
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
        let layout = Layout::read(&data)?;
        let text = match (layout.is_relative(), layout.text) {
            (false, _) => 0,
            (true, 0) => text?,
            (true, in_header) => in_header,
        };
        Some(Self { data, layout, text })
    }

    /// A word of the table of functions: starts and places of descriptions in turn, the end last.
    fn entry(&self, number: usize) -> Option<u64> {
        let at =
            self.layout.functions.checked_add(number.checked_mul(self.layout.entry_bytes())?)?;
        if self.layout.is_relative() {
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
        self.layout.count
    }

    /// It has none.
    pub fn is_empty(&self) -> bool {
        self.layout.count == 0
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.data.capacity()
    }

    /// The starts of all functions, ascending in a good table.
    pub fn starts(&self) -> impl Iterator<Item = u64> {
        (0..self.layout.count).map_while(|number| self.start(number))
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
        let Some(function) = self.text_at(self.layout.names, name as usize) else {
            return Ok(None);
        };
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
        let (mut low, mut high) = (0, self.layout.count);
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
        let base = if self.layout.version == Version::Go1_2 { 0 } else { self.layout.functions };
        Some((start, base.checked_add(description)?))
    }

    /// A 32-bit field of a description, behind the function's start.
    fn field(&self, description: usize, number: usize) -> Option<u32> {
        let at = description.checked_add(self.layout.entry_bytes())?.checked_add(4 * number)?;
        u32_at(&self.data, at)
    }

    fn file(&self, description: usize, number: i64) -> Option<&[u8]> {
        let number = usize::try_from(number).ok()?;
        if self.layout.version == Version::Go1_2 {
            // Numbers begin at 1; before the first is how many there are.
            let at = number.checked_mul(4).filter(|_| number > 0)?;
            let place = u32_at(&self.data, self.layout.files.checked_add(at)?)?;
            return self.text_at(0, place as usize);
        }
        let unit = self.field(description, 7)? as usize;
        let at = unit.checked_add(number)?.checked_mul(4)?;
        let place = u32_at(&self.data, self.layout.units.checked_add(at)?)?;
        if place == u32::MAX { None } else { self.text_at(self.layout.files, place as usize) }
    }

    /// The value of a program so many bytes behind the function's start.
    fn value(&self, program: usize, at: u64, deadline: &mut Deadline) -> Result<Option<i64>, Why> {
        let start = self.layout.programs.checked_add(program);
        let program = start.and_then(|start| self.data.get(start..)).unwrap_or_default();
        let mut code = 0_u64;
        for step in Steps::new(program) {
            deadline.step()?;
            let Some(step) = step else { break };
            code = code.saturating_add(step.code.saturating_mul(self.layout.quantum));
            if at < code {
                return Ok(Some(step.value));
            }
        }
        Ok(None)
    }

    fn text_at(&self, base: usize, at: usize) -> Option<&[u8]> {
        let rest = self.data.get(base.checked_add(at)?..)?;
        let rest = rest.get(..MAX_NAME_BYTES).unwrap_or(rest);
        rest.split(|byte| *byte == 0).next().filter(|text| !text.is_empty())
    }
}
