//! What is read for some addresses only names these as all that a file has does.

use std::path::{Path, PathBuf};

use chandra_symbols::{Image, Limits};

use crate::common::{Folder, Random, loaded, nowhere, open, output, text};

fn compare(path: &Path) {
    let source = open(path);
    let (limits, place) = (Limits::default(), nowhere());
    let whole = Image::read(&source, place, &limits);
    let bytes = std::fs::metadata(path).expect("a file").len();
    let mut random = Random(bytes);
    let mut found = 0;
    for round in 0..40_u32 {
        // From one address to some hundreds.
        let count = 1 << (round % 10);
        let mut addresses: Vec<u64> = (0..count).map(|_| random.below(bytes)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let some = Image::read_for(&source, place, &addresses, &limits);
        for address in &addresses {
            let function = some.function(*address);
            assert_eq!(function, whole.function(*address), "{} {address:#x}", path.display());
            found += u32::from(function.is_some());
        }
        assert_eq!(some.resolve(&addresses, &limits), whole.resolve(&addresses, &limits));
        assert_eq!(some.skipped(), whole.skipped());
    }
    assert!(found > 100, "{}: {found} of all have names", path.display());
}

/// Functions that say how long they are, labels, and functions that do not say; aliases, and one within another.
const ASSEMBLER: &str = "
    .text
    .globl outer
    .type outer, @function
outer:
    .fill 64, 1, 0x90
label_inside:
    .fill 64, 1, 0x90
    .type inner, @function
inner:
    .fill 32, 1, 0x90
    .size inner, . - inner
    .fill 96, 1, 0x90
    .size outer, . - outer
open_first:
    .fill 100, 1, 0x90
    .globl open_second
open_second:
alias_of_second:
    .fill 40, 1, 0x90
    .type short, @function
short:
    .fill 8, 1, 0x90
    .size short, . - short
    .fill 56, 1, 0x90
open_last:
    .fill 4096, 1, 0x90
";

#[test]
fn functions_of_libraries_and_programs_have_the_same_names() {
    compare(&loaded("libc.so"));
    compare(&std::env::current_exe().expect("a path"));
}

#[test]
fn functions_that_do_not_say_how_long_they_are_end_where_they_did() {
    let folder = Folder::new("near");
    let (source, file): (PathBuf, PathBuf) = (folder.path("near.s"), folder.path("near"));
    std::fs::write(&source, ASSEMBLER).expect("a file");
    let arguments = ["-nostdlib", "-shared", "-o", text(&file), text(&source)];
    if output("gcc", &arguments).is_none() {
        return;
    }
    compare(&file);
    // Each byte by itself, without any other that could bring something along.
    let (source, limits) = (open(&file), Limits::default());
    let whole = Image::read(&source, nowhere(), &limits);
    for address in 0..std::fs::metadata(&file).expect("a file").len().min(0x2000) {
        let some = Image::read_for(&source, nowhere(), &[address], &limits);
        assert_eq!(some.function(address), whole.function(address), "{address:#x}");
    }
}
