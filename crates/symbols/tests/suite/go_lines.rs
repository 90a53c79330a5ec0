//! Go's line table tells what Go's own tool tells, also where all symbols were stripped; and tables of all four
//! versions are read.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;

use chandra_symbols::go::GoTable;
use chandra_symbols::{Image, Limits};

use crate::common::{Folder, Random, nowhere, open, program, text};

fn go(arguments: &[&str]) -> Option<String> {
    let mut go = Command::new("go");
    // Kept from run to run: a library that can be loaded anywhere takes half a minute.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache");
    go.args(arguments).env("GOCACHE", cache).env("GOFLAGS", "-mod=mod");
    let Ok(output) = go.env("GO111MODULE", "off").output() else {
        eprintln!("skipped: needs the program go");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `go tool addr2line` says of addresses: function, file, line.
fn told(file: &Path, addresses: &[u64], folder: &Folder) -> Vec<(String, String, u32)> {
    let input = folder.path("addresses");
    let lines: String = addresses.iter().map(|address| format!("{address:#x}\n")).collect();
    std::fs::write(&input, lines).expect("a file");
    let mut go = Command::new("go");
    let input = std::fs::File::open(input).expect("a file");
    let output = go.args(["tool", "addr2line", text(file)]).stdin(input).output().expect("go");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = output.lines();
    let mut all = Vec::new();
    while let (Some(function), Some(place)) = (lines.next(), lines.next()) {
        let (file, line) = place.rsplit_once(':').expect("a place");
        all.push((function.to_owned(), file.to_owned(), line.parse().unwrap_or(0)));
    }
    all
}

/// A program that is built in one mode, with symbols for Go's tool and without them for us.
fn compare(mode: &str, is_stripped: bool) {
    let folder = Folder::new(&format!("go-{mode}-{is_stripped}"));
    let [whole, file] = ["whole", "file"].map(|name| folder.path(name));
    let source = program("lines.go");
    let build = |file: &Path, flags: &[&str]| {
        go(&[&["build"], flags, &["-o", text(file), text(&source)]].concat())
    };
    let mode = format!("-buildmode={mode}");
    let flags = if is_stripped { "-ldflags=-s -w" } else { "-ldflags=" };
    if build(&whole, &[&mode]).is_none() || build(&file, &[&mode, flags]).is_none() {
        return;
    }
    // Without DWARF: the line table alone.
    let limits = Limits { dwarf_bytes: 0, ..Limits::default() };
    let image = Image::read(&open(&file), nowhere(), &limits);
    let listing = ["tool", "nm", "-size", "-sort", "address", text(&whole)];
    let functions = go(&listing).expect("go");
    let mut sized = BTreeMap::new();
    for line in functions.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [address, size, "T" | "t", name @ ..] = &words[..] {
            let start = u64::from_str_radix(address, 16).expect("an address");
            let name = name.join(" ").trim_end_matches(".abi0").to_owned();
            sized.insert(start, (size.parse::<u64>().expect("a size"), name));
        }
    }
    let names: HashMap<u64, String> =
        sized.iter().map(|(start, (_, name))| (*start, name.clone())).collect();
    let sized: Vec<(u64, u64)> =
        sized.into_iter().map(|(start, (size, _))| (start, size)).collect();
    let sized: Vec<(u64, u64)> = sized.into_iter().filter(|(_, size)| *size > 0).collect();
    assert!(sized.len() > 1000, "{}", sized.len());
    let mut state = Random(5);
    let mut addresses: Vec<u64> = sized.iter().map(|(start, _)| *start).collect();
    for _ in 0..1000 {
        let (start, size) = sized[usize::try_from(state.below(sized.len() as u64)).expect("small")];
        addresses.push(start + state.below(size));
    }
    addresses.sort_unstable();
    addresses.dedup();
    let expected = told(&whole, &addresses, &folder);
    assert_eq!(expected.len(), addresses.len());
    let (found, is_whole) = image.resolve(&addresses, &limits);
    assert!(is_whole);
    let (mut checked, mut by_name) = (0, 0);
    for ((address, frames), expected) in addresses.iter().zip(&found).zip(&expected) {
        let frame = frames.first();
        // Go's own tool does not find the table of a program that can be loaded anywhere (1.19); then the
        // symbol table tells names.
        if expected.0 == "?" || expected.0.is_empty() {
            if let (Some(frame), Some(name)) = (frame, names.get(address)) {
                // The line table leaves the arguments of types out: `eq.[...]T`.
                let (before, after) =
                    frame.function.split_once("...").unwrap_or((&frame.function, &frame.function));
                let is_same = name.starts_with(before) && name.ends_with(after);
                assert!(is_same, "{address:#x}: {frame:?}, not {name}");
                assert!(frame.line > 0 && frame.file.is_some(), "{address:#x}: {frame:?}");
                by_name += 1;
            }
            continue;
        }
        let frame = frame.unwrap_or_else(|| panic!("{address:#x}: {expected:?}"));
        let file = frame.file.as_deref().unwrap_or("?").to_owned();
        let told = (frame.function.to_string(), file, frame.line);
        assert_eq!(told, *expected, "{address:#x}");
        checked += 1;
    }
    println!("{checked} of {} addresses wholly, {by_name} by name", addresses.len());
    assert!(checked + by_name > sized.len() / 2);
}

#[test]
fn names_files_and_lines_are_those_of_gos_own_tool() {
    compare("exe", false);
}

#[test]
fn a_stripped_program_has_all_of_them() {
    compare("exe", true);
}

#[test]
fn a_program_that_is_loaded_anywhere_has_them_where_its_symbols_count() {
    compare("pie", true);
}

/// A table of two functions, of any version.
fn table(magic: u32) -> Vec<u8> {
    let names = b"\0main.first\0main.second\0";
    let files = b"/src/a.go\0/src/b.go\0";
    // Value, then bytes of code: file 2 (in the others 0 of the unit), line 10 for 8 bytes, line 13 for 8.
    let is_old = magic == 0xffff_fffb;
    let file_program: &[u8] = if is_old { &[6, 16, 0] } else { &[2, 16, 0] };
    let line_program: &[u8] = &[22, 8, 6, 8, 0];
    let mut programs = vec![0];
    programs.extend(file_program);
    let lines_at = programs.len() as u32;
    programs.extend(line_program);
    let is_relative = magic >= 0xffff_fff0 && !is_old && magic != 0xffff_fffa;
    let mut header = magic.to_le_bytes().to_vec();
    header.extend([0, 0, 1, 8]);
    header.extend(2_u64.to_le_bytes());
    let words = match (is_old, is_relative) {
        (true, _) => 0,
        (_, false) => 6,
        (_, true) => 7,
    };
    let start = header.len() + 8 * words;
    let mut tail: Vec<u8> = Vec::new();
    let mut place = |content: &[u8]| {
        let at = start + tail.len();
        tail.extend(content);
        at as u64
    };
    let function = |name: u32, file: u32, line: u32, start: u64| {
        let mut all = if is_relative {
            u32::try_from(start - 0x1000).expect("near").to_le_bytes().to_vec()
        } else {
            start.to_le_bytes().to_vec()
        };
        for field in [name, 0, 0, 0, file, line, 0, 0] {
            all.extend(field.to_le_bytes());
        }
        all
    };
    let entry = |value: u64| match is_relative {
        true => (value as u32).to_le_bytes().to_vec(),
        false => value.to_le_bytes().to_vec(),
    };
    let starts = [0x1000_u64, 0x1010, 0x1020].map(|it| if is_relative { it - 0x1000 } else { it });
    if is_old {
        // All places count from the table's start; the functions come first.
        let functions = header.len();
        let after = functions + 5 * 8 + 4;
        let [names_at, programs_at] = [after, after + names.len()];
        let strings_at = programs_at + programs.len();
        let files_at = strings_at + files.len();
        let descriptions = files_at + 12;
        let mut all = header;
        for (number, start) in starts.into_iter().take(2).enumerate() {
            all.extend(entry(start));
            all.extend(((descriptions + number * 40) as u64).to_le_bytes());
        }
        all.extend(entry(starts[2]));
        all.extend((files_at as u32).to_le_bytes());
        all.extend(names);
        all.extend(&programs);
        all.extend(files);
        for value in [3, strings_at as u32, strings_at as u32 + 10] {
            all.extend(value.to_le_bytes());
        }
        for number in 0..2_u32 {
            let name = names_at as u32 + [1, 12][number as usize];
            let programs_at = programs_at as u32;
            let start = 0x1000 + u64::from(number) * 16;
            all.extend(function(name, programs_at + 1, programs_at + lines_at, start));
        }
        return all;
    }
    let names_at = place(names);
    let units_at = place(&[10_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat());
    let files_at = place(files);
    let programs_at = place(&programs);
    let entry_bytes = if is_relative { 4 } else { 8 };
    let first = 5 * entry_bytes;
    let mut functions = Vec::new();
    let description_bytes = entry_bytes + 32;
    for (number, start) in starts.into_iter().take(2).enumerate() {
        functions.extend(entry(start));
        functions.extend(entry((first + number * description_bytes) as u64));
    }
    functions.extend(entry(starts[2]));
    functions.extend(function(1, 1, lines_at, 0x1000));
    functions.extend(function(12, 1, lines_at, 0x1010));
    let functions_at = place(&functions);
    let mut all = header;
    all.extend(2_u64.to_le_bytes());
    if is_relative {
        all.extend(0x1000_u64.to_le_bytes());
    }
    for at in [names_at, units_at, files_at, programs_at, functions_at] {
        all.extend(at.to_le_bytes());
    }
    all.extend(tail);
    all
}

const VERSIONS: [(&str, u32); 4] =
    [("1.2", 0xffff_fffb), ("1.16", 0xffff_fffa), ("1.18", 0xffff_fff0), ("1.20", 0xffff_fff1)];

/// A table that the corpus of the fuzz target has, too. `CHANDRA_BLESS=1` puts it there.
fn kept(version: &str, table: &[u8]) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/go_line_table");
    let path = corpus.join(format!("go{version}"));
    if std::env::var_os("CHANDRA_BLESS").is_some() {
        std::fs::create_dir_all(&corpus).expect("a folder");
        std::fs::write(&path, table).expect("a file");
    }
    let in_corpus = std::fs::read(&path).expect("CHANDRA_BLESS=1 makes it");
    assert!(in_corpus == table, "{}: CHANDRA_BLESS=1 renews it", path.display());
}

#[test]
fn tables_of_all_versions_are_read() {
    for (version, magic) in VERSIONS {
        let bytes = table(magic);
        kept(version, &bytes);
        let table = GoTable::read(bytes, None).unwrap_or_else(|why| panic!("{version}: {why}"));
        assert_eq!(table.starts().collect::<Vec<_>>(), [0x1000, 0x1010], "{version}");
        let place = |address| {
            let place = table.find(address)?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Some((text(place.function), text(place.file), place.line, place.start))
        };
        let first = |line| Some(("main.first".into(), "/src/b.go".into(), line, 0x1000));
        let second = |line| Some(("main.second".into(), "/src/b.go".into(), line, 0x1010));
        assert_eq!(place(0x1000), first(10), "{version}");
        assert_eq!(place(0x1008), first(13), "{version}");
        assert_eq!(place(0x101f), second(13), "{version}");
        assert_eq!([place(0xfff), place(0x1020)], [None, None], "{version}");
    }
}

#[test]
fn tables_cut_short_anywhere_are_refused_or_read_as_far_as_they_go() {
    for (_, magic) in VERSIONS {
        let whole = table(magic);
        for bytes in 0..whole.len() {
            let Ok(table) = GoTable::read(whole[..bytes].to_vec(), None) else { continue };
            for address in [0, 0x1000, 0x1008, 0x1018, u64::MAX] {
                let _ = table.find(address);
            }
        }
    }
}
