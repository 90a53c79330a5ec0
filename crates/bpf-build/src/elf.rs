//! Just enough ELF to find a section of an object that clang just wrote (64-bit, little endian).

/// The bytes of section `name`.
pub fn section<'a>(elf: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let headers = usize::try_from(read_u64(elf, 0x28)?).ok()?;
    let header_bytes = usize::from(read_u16(elf, 0x3a)?);
    let count = usize::from(read_u16(elf, 0x3c)?);
    let names_index = usize::from(read_u16(elf, 0x3e)?);
    let header = |index: usize| elf.get(headers + index * header_bytes..);
    let names = contents(elf, header(names_index)?)?;
    (0..count).filter_map(header).find_map(|section_header| {
        let start = usize::try_from(read_u32(section_header, 0)?).ok()?;
        let found = names.get(start..)?.split(|byte| *byte == 0).next()?;
        (found == name.as_bytes()).then(|| contents(elf, section_header)).flatten()
    })
}

fn contents<'a>(elf: &'a [u8], section_header: &[u8]) -> Option<&'a [u8]> {
    let offset = usize::try_from(read_u64(section_header, 0x18)?).ok()?;
    let size = usize::try_from(read_u64(section_header, 0x20)?).ok()?;
    elf.get(offset..offset.checked_add(size)?)
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
