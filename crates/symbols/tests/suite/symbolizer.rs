//! Every address is answered, once found it is kept within the budget, and what a file may cost is bounded.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chandra_symbols::limits::{Part, Why};
use chandra_symbols::{Binary, Figures, Image, Key, Limits, Place, Source, Symbolizer, vdso};
use chandra_unwind::BuildId;

use crate::common::{Folder, Random, image, listed, loaded, nowhere, open, output, program, text};

fn key(number: u8) -> Key {
    Key { build_id: BuildId::Gnu(vec![number; 20]), scope: 0 }
}

#[test]
fn an_address_without_a_function_is_told_by_its_place() {
    let path = loaded("libc.so");
    let source = open(&path);
    let place = Place { roots: &[], path: &path };
    let mut symbolizer = Symbolizer::new(Limits::default());
    let key = key(1);
    let answers = symbolizer.resolve(Binary { key: &key, source: &source, place }, &[0x123, 1]);
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    for (answer, address) in answers.iter().zip([0x123, 1]) {
        assert!(!answer.is_known);
        assert_eq!(*answer.frames[0].function, format!("[unknown] {name}+{address:#x}"));
    }
    let empty = Source::Memory(Arc::from(&b"#!/bin/sh"[..]));
    let binary = Binary { key: &self::key(2), source: &empty, place: nowhere() };
    let answers = symbolizer.resolve(binary, &[7]);
    assert_eq!(&*answers[0].frames[0].function, "[unknown] 0x7");
    let skipped = symbolizer.skipped(binary.key);
    assert_eq!(skipped[0].part, Part::Headers);
}

#[test]
fn a_name_is_found_once_and_answers_come_in_the_order_of_the_questions() {
    let path = loaded("libc.so");
    let Some(functions) = listed(&path, &["-D"]) else { return };
    let image = image(&path);
    let mut state = Random(9);
    let mut addresses: Vec<u64> =
        functions.iter().filter(|it| it.size > 0).map(|it| it.start).collect();
    for at in (1..addresses.len()).rev() {
        addresses.swap(at, usize::try_from(state.below(at as u64 + 1)).expect("small"));
    }
    let source = open(&path);
    let place = Place { roots: &[], path: &path };
    let key = key(1);
    let binary = Binary { key: &key, source: &source, place };
    let mut symbolizer = Symbolizer::new(Limits::default());
    let first = symbolizer.resolve(binary, &addresses);
    for (address, answer) in addresses.iter().zip(&first) {
        let (_, name) = image.function(*address).expect("a function");
        let name = chandra_symbols::demangle::demangle(name);
        assert_eq!(*answer.frames[0].function, name, "{address:#x}");
    }
    // The file is not read again: there is none any more.
    let gone = Source::Memory(Arc::from(&b""[..]));
    assert_eq!(symbolizer.resolve(Binary { source: &gone, ..binary }, &addresses), first);
    let figures = symbolizer.figures();
    let count = addresses.len() as u64;
    assert_eq!((figures.addresses, figures.kept, figures.files), (2 * count, count, 1));
    // Somebody else's word on the same build is another matter.
    let other = Key { scope: 1, ..key.clone() };
    let answers =
        symbolizer.resolve(Binary { key: &other, source: &gone, ..binary }, &addresses[..1]);
    assert!(!answers[0].is_known);
}

#[test]
fn what_is_kept_stays_within_its_budget_and_what_goes_is_counted() {
    let path = loaded("libc.so");
    let Some(functions) = listed(&path, &["-D"]) else { return };
    let addresses: Vec<u64> = functions.iter().map(|function| function.start).collect();
    let budget = 20_000;
    let limits = Limits { name_budget_bytes: budget, ..Limits::default() };
    let mut symbolizer = Symbolizer::new(limits);
    let source = open(&path);
    let place = Place { roots: &[], path: &path };
    for (number, batch) in addresses.chunks(100).enumerate() {
        let key = key(u8::try_from(number % 250).expect("small"));
        symbolizer.resolve(Binary { key: &key, source: &source, place }, batch);
        assert!(symbolizer.figures().name_bytes <= budget);
    }
    assert!(symbolizer.figures().names_evicted > 1000, "{:?}", symbolizer.figures());
}

#[test]
fn the_kernels_code_in_every_program_has_names() {
    let image = Image::read(&vdso::image().expect("an image"), nowhere(), &Limits::default());
    assert_eq!(image.skipped(), []);
    let names = (0..0x4000).filter_map(|address| image.function(address));
    let names: Vec<_> = names.map(|(_, name)| String::from_utf8_lossy(name).into_owned()).collect();
    assert!(names.iter().any(|name| name.ends_with("clock_gettime")), "{names:?}");
}

#[test]
fn no_more_is_read_than_the_limits_say() {
    let folder = Folder::new("limits");
    let file = folder.path("inlined");
    let source = program("inlined.cpp");
    let arguments = ["-O2", "-g", "-o", text(&file), text(&source)];
    if output("g++", &arguments).is_none() {
        return;
    }
    let address = listed(&file, &[]).expect("nm");
    let address = address.iter().find(|it| it.name == "plain_c").expect("it").start;
    let with = |limits: &Limits| Image::read(&open(&file), nowhere(), limits);
    let image = with(&Limits { dwarf_bytes: 10_000, ..Limits::default() });
    assert_eq!(image.skipped().iter().map(|it| it.part).collect::<Vec<_>>(), [Part::Dwarf]);
    let (found, _) = image.resolve(&[address], &Limits::default());
    assert_eq!((&*found[0][0].function, found[0][0].line), ("plain_c", 0));

    let image = with(&Limits { symbol_table_bytes: 100, dwarf_bytes: 0, ..Limits::default() });
    let parts: Vec<_> = image.skipped().iter().map(|it| it.part).collect();
    assert_eq!(parts, [Part::SymbolTable, Part::Dwarf]);
    assert!(image.is_empty());

    let image = with(&Limits { functions: 3, ..Limits::default() });
    assert_eq!(image.skipped()[0].why, Why::Many(3, "functions"));

    let image = with(&Limits { read_time: Duration::ZERO, ..Limits::default() });
    assert!(image.skipped().iter().any(|it| it.why == Why::Slow), "{:?}", image.skipped());

    let image = with(&Limits::default());
    let limits = Limits { resolve_time: Duration::ZERO, ..Limits::default() };
    let (found, is_whole) = image.resolve(&[address], &limits);
    assert_eq!((is_whole, &*found[0][0].function, found[0][0].line), (false, "plain_c", 0));
    let mut symbolizer = Symbolizer::new(limits);
    let source = open(&file);
    let binary = Binary { key: &key(1), source: &source, place: nowhere() };
    symbolizer.resolve(binary, &[address]);
    symbolizer.resolve(binary, &[address]);
    let Figures { cut_short, kept, .. } = symbolizer.figures();
    assert_eq!((cut_short, kept), (2, 0), "what was cut short is not kept as if it were all");
}

#[test]
fn a_huge_file_of_nothing_costs_nothing() {
    let folder = Folder::new("huge");
    let path = folder.path("huge");
    let mut bytes = std::fs::read("/bin/true").expect("a program");
    // The section headers lie 1 TiB on, where the file has a hole.
    bytes[40..48].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    std::fs::write(&path, &bytes).expect("a file");
    if File::options().write(true).open(&path).expect("it").set_len((1 << 40) + (1 << 30)).is_err()
    {
        eprintln!("skipped: needs a file system with files of 1 TiB");
        return;
    }
    let start = Instant::now();
    let image =
        Image::read(&open(&path), Place { roots: &[], path: Path::new("x") }, &Limits::default());
    assert!(image.is_empty());
    assert!(start.elapsed() < Duration::from_secs(20), "it was read as a whole");
}
