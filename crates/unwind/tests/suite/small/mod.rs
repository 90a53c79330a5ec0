//! ELF files and call frame information of a few bytes, as good or as bad as a test wants them.

/// Where the code is loaded, and where it is in the file.
pub const CODE: u64 = 0x40_0200;
pub const PLACE: u64 = 0x200;
pub const X86_64: u16 = 62;
pub const AARCH64: u16 = 183;

/// An ELF file of some code and these sections, which follow it and are loaded, too.
pub struct File {
    pub machine: u16,
    pub code: Vec<u8>,
    pub sections: Vec<(&'static str, Vec<u8>)>,
    pub has_section_headers: bool,
    pub entry: u64,
}

impl File {
    pub fn new(machine: u16, code: Vec<u8>) -> Self {
        Self { machine, code, sections: Vec::new(), has_section_headers: true, entry: 0 }
    }

    pub fn with(mut self, name: &'static str, content: Vec<u8>) -> Self {
        self.sections.push((name, content));
        self
    }

    /// The address of the first section.
    pub fn sections_at(&self) -> u64 {
        CODE + (self.code.len() as u64).next_multiple_of(8)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut file = vec![0; PLACE as usize];
        file.extend(&self.code);
        let mut names = b"\0.text\0.shstrtab\0".to_vec();
        let mut headers = section_header(0, 0, 0, 0, 0);
        headers.extend(section_header(1, 1, CODE, PLACE, self.code.len() as u64));
        let mut eh_frame_header = None;
        for (name, content) in &self.sections {
            file.resize(file.len().next_multiple_of(8), 0);
            let offset = file.len() as u64;
            let address = CODE - PLACE + offset;
            headers.extend(section_header(names.len(), 1, address, offset, content.len() as u64));
            if *name == ".eh_frame_hdr" {
                eh_frame_header = Some((offset, address, content.len() as u64));
            }
            names.extend(name.as_bytes());
            names.push(0);
            file.extend(content);
        }
        let loaded = file.len() as u64 - PLACE;
        headers.extend(section_header(7, 3, 0, file.len() as u64, names.len() as u64));
        file.extend(names);
        file.resize(file.len().next_multiple_of(8), 0);
        let sections = file.len() as u64;
        let mut programs = program_header(1, PLACE, CODE, loaded);
        if let Some((offset, address, bytes)) = eh_frame_header {
            programs.extend(program_header(0x6474_e550, offset, address, bytes));
        }
        let count = if self.has_section_headers { 3 + self.sections.len() as u16 } else { 0 };
        let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        for half in [3, self.machine] {
            header.extend(half.to_le_bytes());
        }
        header.extend(1_u32.to_le_bytes());
        let sections = if self.has_section_headers { sections } else { 0 };
        for word in [self.entry, 64, sections] {
            header.extend(word.to_le_bytes());
        }
        header.extend(0_u32.to_le_bytes());
        for half in [64, 56, (programs.len() / 56) as u16, 64, count, count.saturating_sub(1)] {
            header.extend(half.to_le_bytes());
        }
        header.extend(programs);
        file[..header.len()].copy_from_slice(&header);
        if self.has_section_headers {
            file.extend(headers);
        }
        file
    }
}

fn program_header(kind: u32, offset: u64, address: u64, bytes: u64) -> Vec<u8> {
    let mut header = kind.to_le_bytes().to_vec();
    header.extend(5_u32.to_le_bytes());
    for word in [offset, address, address, bytes, bytes, 8] {
        header.extend(word.to_le_bytes());
    }
    header
}

fn section_header(name: usize, kind: u32, address: u64, offset: u64, bytes: u64) -> Vec<u8> {
    let mut header = (name as u32).to_le_bytes().to_vec();
    header.extend(kind.to_le_bytes());
    for word in [2, address, offset, bytes, 0, 8, 0] {
        header.extend(word.to_le_bytes());
    }
    header
}

/// Call frame information, with addresses in 8 bytes as they are.
#[derive(Default)]
pub struct Frames(pub Vec<u8>);

impl Frames {
    /// A CIE; its offset.
    pub fn cie(&mut self, augmentation: &str, return_address: u8, instructions: &[u8]) -> u32 {
        let mut entry = 0_u32.to_le_bytes().to_vec();
        entry.push(1);
        entry.extend(augmentation.as_bytes());
        // The code's factor is 1, that of offsets -8, encoded addresses are absolute.
        entry.extend([0, 1, 0x78, return_address, 1, 0x04]);
        entry.extend(instructions);
        self.entry(entry)
    }

    /// An FDE; its offset.
    pub fn fde(&mut self, cie: u32, start: u64, bytes: u64, instructions: &[u8]) -> u32 {
        let mut entry = (self.0.len() as u32 + 4).wrapping_sub(cie).to_le_bytes().to_vec();
        entry.extend(start.to_le_bytes());
        entry.extend(bytes.to_le_bytes());
        entry.push(0);
        entry.extend(instructions);
        self.entry(entry)
    }

    fn entry(&mut self, mut entry: Vec<u8>) -> u32 {
        let offset = self.0.len() as u32;
        // DW_CFA_nop
        entry.resize(entry.len().next_multiple_of(4), 0);
        self.0.extend((entry.len() as u32).to_le_bytes());
        self.0.extend(entry);
        offset
    }

    /// All of it, with the end mark.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 4]);
        self.0
    }
}

/// What every function on x86-64 begins with: DW_CFA_def_cfa rsp+8; DW_CFA_offset ra at cfa-8.
pub const CALLED: &[u8] = &[0x0c, 7, 8, 0x90, 1];

/// Go's line table of functions that are 0x20 bytes each: name, flags, program.
pub fn go_line_table(magic: u32, functions: &[(&str, u8, &[u8])]) -> Vec<u8> {
    const HEADER_BYTES: u64 = 72;
    // Where a description has its flags, and how long it is.
    let (flags_at, description_bytes) = if magic == 0xffff_fff0 { (37, 40) } else { (41, 44) };
    let (mut names, mut programs) = (Vec::new(), vec![0]);
    let mut table = Vec::new();
    let mut descriptions = Vec::new();
    let descriptions_at = functions.len() * 8 + 4;
    for (number, (name, flags, program)) in functions.iter().enumerate() {
        let mut description = vec![0; description_bytes];
        let mut set = |at: usize, value: usize| {
            description[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
        };
        set(0, number * 0x20);
        set(4, names.len());
        set(16, programs.len());
        description[flags_at] = *flags;
        for value in [number * 0x20, descriptions_at + descriptions.len()] {
            table.extend((value as u32).to_le_bytes());
        }
        descriptions.extend(description);
        names.extend(name.as_bytes());
        names.push(0);
        programs.extend(*program);
    }
    table.extend((functions.len() as u32 * 0x20).to_le_bytes());
    table.extend(descriptions);
    let names_at = HEADER_BYTES;
    let programs_at = names_at + names.len() as u64;
    let table_at = programs_at + programs.len() as u64;
    let mut all = magic.to_le_bytes().to_vec();
    all.extend([0, 0, 1, 8]);
    let count = functions.len() as u64;
    for word in [count, 0, CODE, names_at, 0, 0, programs_at, table_at] {
        all.extend(word.to_le_bytes());
    }
    [all, names, programs, table].concat()
}
