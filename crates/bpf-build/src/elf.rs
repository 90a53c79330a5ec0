//! Just enough ELF to find the sections and a symbol of an object that clang just wrote (64-bit, little
//! endian).

/// The bytes of section `name`.
pub fn section<'a>(elf: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let sections = Sections::of(elf)?;
    let (_, header) = sections.find(name)?;
    contents(elf, header)
}

/// Where in section `section` the variable `name` begins.
pub fn symbol(elf: &[u8], section: &str, name: &str) -> Option<usize> {
    const SYMBOL_BYTES: usize = 24;
    let sections = Sections::of(elf)?;
    let (section_index, _) = sections.find(section)?;
    let (_, table) = sections.find(".symtab")?;
    let names = contents(elf, sections.header(read_u32(table, 0x28)? as usize)?)?;
    let found = contents(elf, table)?.chunks_exact(SYMBOL_BYTES).find(|symbol| {
        read_u16(symbol, 6).map(usize::from) == Some(section_index)
            && read_u32(symbol, 0).and_then(|at| text(names, at)) == Some(name.as_bytes())
    })?;
    usize::try_from(read_u64(found, 8)?).ok()
}

/// The section headers.
pub struct Sections<'a> {
    elf: &'a [u8],
    start: usize,
    header_bytes: usize,
    /// How many there are.
    pub count: usize,
    names: &'a [u8],
}

impl<'a> Sections<'a> {
    /// Those of an object; `None` where it is damaged.
    pub fn of(elf: &'a [u8]) -> Option<Self> {
        let mut sections = Self {
            elf,
            start: usize::try_from(read_u64(elf, 0x28)?).ok()?,
            header_bytes: usize::from(read_u16(elf, 0x3a)?),
            count: usize::from(read_u16(elf, 0x3c)?),
            names: &[],
        };
        sections.names = contents(elf, sections.header(usize::from(read_u16(elf, 0x3e)?))?)?;
        Some(sections)
    }

    /// The bytes of a header.
    pub fn header(&self, index: usize) -> Option<&'a [u8]> {
        let start = self.start.checked_add(index.checked_mul(self.header_bytes)?)?;
        self.elf.get(start..start.checked_add(self.header_bytes)?)
    }

    /// The section's index and header.
    fn find(&self, name: &str) -> Option<(usize, &'a [u8])> {
        (0..self.count).find_map(|index| {
            let header = self.header(index)?;
            (self.name(header)? == name.as_bytes()).then_some((index, header))
        })
    }

    /// The name in a header.
    pub fn name(&self, header: &[u8]) -> Option<&'a [u8]> {
        text(self.names, read_u32(header, 0)?)
    }
}

/// What a header is about. One that holds no bytes (`.bss`) has none.
pub fn contents<'a>(elf: &'a [u8], section_header: &[u8]) -> Option<&'a [u8]> {
    const HOLDS_NO_BYTES: u32 = 8;
    if read_u32(section_header, 4)? == HOLDS_NO_BYTES {
        return Some(&[]);
    }
    let offset = usize::try_from(read_u64(section_header, 0x18)?).ok()?;
    let size = usize::try_from(read_u64(section_header, 0x20)?).ok()?;
    elf.get(offset..offset.checked_add(size)?)
}

fn text(strings: &[u8], at: u32) -> Option<&[u8]> {
    strings.get(at as usize..)?.split(|byte| *byte == 0).next()
}

pub fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
