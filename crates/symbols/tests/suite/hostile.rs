//! Files that are made to harm: each is refused or costs no more than the limits say, with the reason told.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chandra_symbols::limits::{Part, Why};
use chandra_symbols::{Image, Limits, Source};

use crate::common::nowhere;

const CODE: u64 = 0x40_0000;

/// A section: name, kind, flags, address, the section that it refers to, content.
type Section = (&'static str, u32, u64, u64, u32, Vec<u8>);

/// A program with a section of code, number 1, and these.
fn elf(sections: &[Section]) -> Vec<u8> {
    let code = (".text", 1, 6, CODE, 0, vec![0x90; 0x100]);
    let mut all: Vec<Section> = vec![("", 0, 0, 0, 0, Vec::new()), code];
    all.extend_from_slice(sections);
    all.push((".shstrtab", 3, 0, 0, 0, Vec::new()));
    let mut names = Vec::new();
    let mut starts = Vec::new();
    for (name, ..) in &all {
        starts.push(names.len() as u32);
        names.extend(name.as_bytes());
        names.push(0);
    }
    all.last_mut().expect("it").5 = names;
    let mut file = vec![0; 64];
    let mut headers = Vec::new();
    for ((_, kind, flags, address, link, content), name) in all.iter().zip(starts) {
        headers.extend(name.to_le_bytes());
        headers.extend(kind.to_le_bytes());
        for word in [*flags, *address, file.len() as u64, content.len() as u64] {
            headers.extend(word.to_le_bytes());
        }
        headers.extend(link.to_le_bytes());
        headers.extend([0; 20]);
        file.extend(content);
    }
    let header = &mut file[..64];
    header[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    header[16..20].copy_from_slice(&[3, 0, 62, 0]);
    header[58..60].copy_from_slice(&64_u16.to_le_bytes());
    header[60..62].copy_from_slice(&(all.len() as u16).to_le_bytes());
    header[62..64].copy_from_slice(&(all.len() as u16 - 1).to_le_bytes());
    let at = file.len() as u64;
    file[40..48].copy_from_slice(&at.to_le_bytes());
    file.extend(headers);
    file
}

/// A function of 16 bytes at the start of the code.
fn symbol(name: u32, start: u64, size: u64) -> Vec<u8> {
    let mut all = name.to_le_bytes().to_vec();
    all.extend([0x12, 0, 1, 0]);
    all.extend(start.to_le_bytes());
    all.extend(size.to_le_bytes());
    all
}

fn table(symbols: Vec<u8>, names: &[u8]) -> [Section; 2] {
    [(".symtab", 2, 0, 0, 3, symbols), (".strtab", 3, 0, 0, 0, names.to_vec())]
}

fn debug(name: &'static str, content: Vec<u8>) -> Section {
    (name, 1, 0, 0, 0, content)
}

/// A unit of version 4 that covers the code, and these entries.
fn unit(entries: &[u8], ends: usize) -> Vec<u8> {
    let mut all = 4_u16.to_le_bytes().to_vec();
    all.extend(0_u32.to_le_bytes());
    all.push(8);
    // Abbreviation 1: a unit with its code and its line program.
    all.push(1);
    all.extend(CODE.to_le_bytes());
    all.extend(0x100_u32.to_le_bytes());
    all.extend(0_u32.to_le_bytes());
    all.extend(entries);
    all.extend(vec![0; ends]);
    let mut unit = (all.len() as u32).to_le_bytes().to_vec();
    unit.extend(all);
    unit
}

/// 1: unit; 2: function; 3: inlined function without anything; 4: inlined with code.
const ABBREVIATIONS: &[u8] = &[
    1, 0x11, 1, 0x11, 1, 0x12, 6, 0x10, 0x17, 0, 0, //
    2, 0x2e, 1, 0x11, 1, 0x12, 6, 0x03, 8, 0, 0, //
    3, 0x1d, 1, 0, 0, //
    4, 0x1d, 1, 0x11, 1, 0x12, 6, 0x31, 0x13, 0, 0, //
    0,
];

/// A function over all of the code.
fn function(name: &str) -> Vec<u8> {
    let mut all = vec![2];
    all.extend(CODE.to_le_bytes());
    all.extend(0x100_u32.to_le_bytes());
    all.extend(name.as_bytes());
    all.push(0);
    all
}

fn with_dwarf(info: Vec<u8>, line: Vec<u8>) -> Vec<u8> {
    let abbreviations = debug(".debug_abbrev", ABBREVIATIONS.to_vec());
    elf(&[debug(".debug_info", info), abbreviations, debug(".debug_line", line)])
}

/// A file that the corpus of the fuzz target has, too. `CHANDRA_BLESS=1` puts it there.
fn kept(name: &str, file: Vec<u8>) -> Vec<u8> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/symbols_elf");
    let path = corpus.join(name).with_extension("elf");
    if std::env::var_os("CHANDRA_BLESS").is_some() {
        std::fs::create_dir_all(&corpus).expect("a folder");
        std::fs::write(&path, &file).expect("a file");
    }
    let in_corpus = std::fs::read(&path).expect("CHANDRA_BLESS=1 makes it");
    assert!(in_corpus == file, "{} is an older one: CHANDRA_BLESS=1 renews it", path.display());
    file
}

fn read(file: &[u8]) -> Image {
    Image::read(&Source::Memory(Arc::from(file)), nowhere(), &Limits::default())
}

fn names(image: &Image, address: u64) -> Vec<String> {
    let (found, _) = image.resolve(&[address], &Limits::default());
    found[0].iter().map(|frame| frame.function.to_string()).collect()
}

#[test]
fn a_file_cut_short_anywhere_is_refused_or_read_as_far_as_it_goes() {
    let whole = kept("symbols", elf(&table(symbol(1, CODE, 16), b"\0first\0")));
    assert_eq!(names(&read(&whole), CODE + 15), ["first"]);
    assert!(names(&read(&whole), CODE + 16).is_empty());
    for bytes in 0..whole.len() {
        let _ = names(&read(&whole[..bytes]), CODE);
    }
}

#[test]
fn functions_that_nest_without_end_do_not_use_up_the_stack() {
    let nested = |depth: usize| {
        let mut entries = function("outer");
        entries.extend(vec![3; depth]);
        with_dwarf(unit(&entries, depth + 2), Vec::new())
    };
    let small = kept("nested", nested(5_000));
    assert_eq!(names(&read(&small), CODE + 1), ["outer"]);
    assert_eq!(names(&read(&nested(2_000_000)), CODE + 1), ["outer"]);
}

#[test]
fn a_function_inlined_into_itself_many_times_has_a_bounded_chain() {
    let mut entries = function("outer");
    // Its own entry is its origin.
    for _ in 0..300 {
        let at = 11 + 17 + entries.len() as u32;
        entries.push(4);
        entries.extend(CODE.to_le_bytes());
        entries.extend(0x100_u32.to_le_bytes());
        entries.extend(at.to_le_bytes());
    }
    let file = kept("inlined_into_itself", with_dwarf(unit(&entries, 302), Vec::new()));
    let chain = names(&read(&file), CODE);
    assert_eq!(chain.len(), 64);
    assert_eq!(chain.last().map(String::as_str), Some("outer"));
}

#[test]
fn many_functions_of_the_same_code_take_no_longer_than_they_may() {
    let one = function("same");
    let entries = one.repeat(300_000);
    let file = with_dwarf(unit(&entries, 300_001), Vec::new());
    let image = read(&file);
    let addresses: Vec<u64> = (0..0x100).map(|at| CODE + at).collect();
    let limits = Limits { resolve_time: Duration::from_millis(50), ..Limits::default() };
    let start = Instant::now();
    let (found, is_whole) = image.resolve(&addresses, &limits);
    assert_eq!(found.len(), addresses.len());
    // Far from what it would take, and from what a busy machine may add.
    assert!(!is_whole && start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_line_program_whose_header_lists_files_without_end_is_not_read() {
    // Version 4; its header says that it is 2 MiB long.
    let mut line = (3_u32 << 20).to_le_bytes().to_vec();
    line.extend(4_u16.to_le_bytes());
    line.extend((2_u32 << 20).to_le_bytes());
    line.extend([1, 1, 1, 0xfb, 14, 1]);
    line.extend([b'f', 0, 0, 0, 0].repeat(600_000));
    let file = with_dwarf(unit(&function("outer"), 2), line);
    let (found, _) = read(&file).resolve(&[CODE], &Limits::default());
    assert_eq!((&*found[0][0].function, &found[0][0].file), ("outer", &None));
}

#[test]
fn names_without_an_end_are_not_searched_from_each_of_their_bytes() {
    let symbols: Vec<u8> =
        (0..100_000).flat_map(|at| symbol(at, CODE + u64::from(at % 256), 1)).collect();
    let file = elf(&table(symbols, &vec![b'x'; 1 << 20]));
    let image = read(&file);
    // 100,000 names of 8 KiB are more than there may be bytes of names; all there is, is told or said to be cut.
    let (_, name) = image.function(CODE).expect("a function");
    assert!(name.len() <= 8 << 10);
    assert!(image.bytes() < 64 << 20, "{}", image.bytes());
}

#[test]
fn sections_that_unpack_without_end_are_left_out() {
    use std::io::Write;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![0; 200 << 20]).expect("it packs");
    let mut packed = 1_u32.to_le_bytes().to_vec();
    packed.extend([0; 4]);
    packed.extend((200_u64 << 20).to_le_bytes());
    packed.extend(1_u64.to_le_bytes());
    packed.extend(packer.finish().expect("it packs"));
    let section = (".debug_info", 1, 0x800, 0, 0, packed);
    let image = read(&elf(&[section]));
    let [skipped] = image.skipped() else { panic!("{:?}", image.skipped()) };
    assert_eq!(skipped.part, Part::Dwarf);
    assert!(matches!(skipped.why, Why::Large { .. }), "{skipped}");
}

#[test]
fn section_headers_and_links_that_lead_nowhere_are_harmless() {
    let good = elf(&table(symbol(1, CODE, 16), b"\0first\0"));
    let headers = u64::from_le_bytes(good[40..48].try_into().expect("8 bytes")) as usize;
    // The kind, flags, address, offset, size and link of each section, all at their most.
    for section in 0..5 {
        for (field, bytes) in [(4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4)] {
            let mut file = good.clone();
            let at = headers + section * 64 + field;
            file[at..at + bytes].fill(0xff);
            let _ = names(&read(&file), CODE);
        }
    }
    let mut file = good;
    file[60..62].fill(0);
    file[headers + 32..headers + 40].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    let image = read(&kept("sections", file));
    assert!(matches!(image.skipped()[0].why, Why::Many(..)), "{:?}", image.skipped());
}

#[test]
fn a_program_of_this_machine_with_bytes_changed_is_read_or_refused() {
    let folder = crate::common::Folder::new("changed");
    let path = folder.path("plain");
    std::fs::write(
        folder.path("a.c"),
        "int f(int a) { return a * 3; }\nint main(void) { return f(2); }\n",
    )
    .expect("a file");
    let source = folder.path("a.c");
    let arguments = ["-g", "-O2", "-o", crate::common::text(&path), crate::common::text(&source)];
    if crate::common::output("gcc", &arguments).is_none() {
        return;
    }
    let whole = std::fs::read(path).expect("a program");
    let mut random = crate::common::Random(3);
    let mut named = 0;
    for _ in 0..400 {
        let mut file = whole.clone();
        for _ in 0..1 + random.below(20) {
            let at = random.below(file.len() as u64) as usize;
            file[at] = [0, 0xff, 0x7f, 0x80, random.below(256) as u8][random.below(5) as usize];
        }
        let image = read(&file);
        let addresses: Vec<u64> = (0..0x400).map(|at| 0x1000 + at).collect();
        let (found, _) = image.resolve(&addresses, &Limits::default());
        named += usize::from(found.iter().any(|frames| !frames.is_empty()));
    }
    assert!(named > 50, "most changes are harmless: {named}");
}
