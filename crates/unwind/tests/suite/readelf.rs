//! Every row of call frame information that binutils' `readelf` tells of is in the table, of the libraries and
//! programs of the machine that the tests run on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_tests::needs;
use chandra_unwind::row::{Base, ReturnAddress, Rule};
use chandra_unwind::{Limits, build};

fn readelf(arguments: &[&str], file: &Path) -> String {
    let output = Command::new("readelf").args(arguments).arg(file).output().expect("readelf");
    // It fails, too, where a file of debugging information is missing.
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn hexadecimal(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hexadecimal digits")
}

/// A row as readelf has it: its address, its CFA, where FP and the return address are.
#[derive(Clone)]
struct Row {
    address: u64,
    cfa: String,
    fp: String,
    ra: String,
    /// Where SP is, if that is not the CFA.
    sp: String,
}

/// A function as readelf has it.
struct Function {
    start: u64,
    end: u64,
    /// The offset of what it shares with others.
    cie: String,
    rows: Vec<Row>,
}

/// What readelf tells of a file's `.eh_frame`.
fn functions(file: &Path) -> Vec<Function> {
    let text = readelf(&["--wide", "--debug-dump=frames-interp"], file);
    let (mut functions, mut columns): (Vec<Function>, Vec<&str>) = (Vec::new(), Vec::new());
    // What functions without rows of their own have, by the offset of what they share.
    let (mut shared, mut offset) = (HashMap::new(), None);
    // Only what is loaded, not a file of debugging information that readelf follows to.
    let loaded = text.split("Contents of the ").find(|part| part.starts_with(".eh_frame "));
    for line in loaded.expect("the section").lines() {
        // A register comes with its other name in brackets.
        let fields = line.split_whitespace().filter(|field| !field.starts_with('('));
        let fields: Vec<_> = fields.collect();
        if let Some((entry, range)) = line.split_once(" pc=") {
            let (start, end) = range.split_once("..").expect("a range");
            let [start, end] = [start, end].map(hexadecimal);
            let cie = entry.split_once("cie=").expect("what it shares").1.to_owned();
            functions.push(Function { start, end, cie, rows: Vec::new() });
            offset = None;
        } else if line.contains(" CIE ") {
            offset = Some(fields[0].to_owned());
        } else if line.trim_start().starts_with("LOC") {
            columns = fields;
        } else if line.starts_with("00000000") && fields.len() == columns.len() {
            let field = |name: &str| {
                let index = columns.iter().position(|column| *column == name);
                index.map_or("u", |index| fields[index]).to_owned()
            };
            let row = Row {
                address: hexadecimal(fields[0]),
                cfa: field("CFA"),
                fp: field("rbp"),
                ra: field("ra"),
                sp: field("rsp"),
            };
            match &offset {
                Some(offset) => drop(shared.insert(offset.clone(), row)),
                None => functions.last_mut().expect("a function").rows.push(row),
            }
        }
    }
    for function in functions.iter_mut().filter(|function| function.rows.is_empty()) {
        let row = shared.get(&function.cie).expect("what it shares");
        function.rows.push(Row { address: function.start, ..row.clone() });
    }
    functions
}

/// The segments of code: address, offset, bytes.
fn segments(file: &Path) -> Vec<[u64; 3]> {
    let text = readelf(&["--wide", "--program-headers"], file);
    let loads = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let loads = loads.filter(|line| line.first() == Some(&"LOAD") && line.contains(&"E"));
    loads.map(|line| [line[2], line[1], line[4]].map(hexadecimal)).collect()
}

fn holds([start, _, bytes]: &[u64; 3], address: u64) -> bool {
    (*start..start + bytes).contains(&address)
}

/// Whether a rule says what readelf does.
fn agrees(rule: Rule, row: &Row) -> bool {
    if row.ra == "u" {
        return rule == Rule::Stop;
    }
    let is_simple = row.fp.starts_with(['c', 'u', 's']) && row.ra == "c-8" && row.sp == "u";
    if row.cfa == "exp" || !is_simple {
        let others = [Rule::Gap, Rule::Stop, Rule::FRAME_POINTER];
        return !others.contains(&rule) && !matches!(rule, Rule::Offset { .. });
    }
    let register = row.cfa.find(['+', '-']).expect("a register and an offset");
    let (register, offset) = row.cfa.split_at(register);
    let base = match register {
        "rsp" => Base::Sp,
        "rbp" => Base::Fp,
        "rax" => Base::Rax,
        "rbx" => Base::Rbx,
        "rcx" => Base::Rcx,
        "rdx" => Base::Rdx,
        "rdi" => Base::Rdi,
        "rsi" => Base::Rsi,
        "r8" => Base::R8,
        "r9" => Base::R9,
        "r10" => Base::R10,
        "r11" => Base::R11,
        "r12" => Base::R12,
        "r13" => Base::R13,
        "r14" => Base::R14,
        "r15" => Base::R15,
        other => panic!("no base {other}"),
    };
    let cfa = offset.parse().expect("a number");
    let fp = row.fp.strip_prefix('c').map(|offset| offset.parse().expect("a number"));
    rule == Rule::Offset { base, cfa, fp, ra: ReturnAddress::AtCfa(-8) }
}

/// Compares all rows of a file, and says how many there were.
fn compare(file: &Path) -> usize {
    let table =
        build(&std::fs::read(file).expect("a file"), &Limits::default()).expect("a table").table;
    let segments = segments(file);
    let place = |address: u64| {
        let mut inside = segments.iter().filter(|segment| holds(segment, address));
        let [start, offset, _] = inside.next().expect("code is in a segment");
        address - start + offset
    };
    let mut functions = functions(file);
    functions.sort_by_key(|function| function.start);
    let mut compared = 0;
    let mut end_before = 0;
    for (index, function) in functions.iter().enumerate() {
        let next = functions.get(index + 1).map_or(u64::MAX, |next| next.start);
        let end = function.end.min(next);
        if function.start == end {
            continue;
        }
        // What begins where another is still going on, or at the same address, is for the other tests.
        assert!(
            function.start >= end_before || next >= function.end,
            "{:#x} overlaps",
            function.start
        );
        end_before = function.end;
        for (number, row) in function.rows.iter().enumerate() {
            let next = function.rows.get(number + 1).map_or(end, |next| next.address.min(end));
            if row.address >= next {
                continue;
            }
            for address in [row.address, next - 1] {
                let rule = table.rule(place(address));
                assert!(
                    agrees(rule, row),
                    "{} at {address:#x}: {rule:?}, but readelf says CFA {} rbp {} ra {}",
                    file.display(),
                    row.cfa,
                    row.fp,
                    row.ra,
                );
            }
            compared += 1;
        }
        // Room behind it is its own only as far as it is padding.
        let behind = function.end + 15;
        if behind < next && segments.iter().any(|segment| holds(segment, behind)) {
            let rule = table.rule(place(behind));
            let known =
                matches!(rule, Rule::Gap | Rule::Stop | Rule::Plt { .. } | Rule::Signal { .. });
            let plt =
                matches!(rule, Rule::Offset { base: Base::Sp, cfa: 8 | 16 | 24, fp: None, .. });
            assert!(known || plt, "after {:#x}: {rule:?}", function.end);
        }
    }
    eprintln!("{}: {compared} rows", file.display());
    compared
}

/// The file that a library's name leads to, if the machine has it.
fn library(name: &str) -> Option<PathBuf> {
    let output = Command::new("cc").arg(format!("-print-file-name={name}")).output().expect("cc");
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    path.is_absolute().then(|| path.canonicalize().expect("it is there"))
}

#[test]
fn every_row_of_the_c_library_is_as_readelf_has_it() {
    needs!("readelf", "cc");
    let libc = library("libc.so.6").expect("a C library");
    assert!(compare(&libc) > 10_000);
}

#[test]
fn every_row_of_other_files_of_this_machine_is_as_readelf_has_it() {
    needs!("readelf", "cc");
    let libraries = ["ld-linux-x86-64.so.2", "libm.so.6", "libstdc++.so.6", "libcrypto.so.3"];
    let programs = ["/bin/bash", "/usr/bin/python3", "/usr/bin/readelf"].map(PathBuf::from);
    let files = libraries.into_iter().filter_map(library);
    for file in files.chain(programs.into_iter().filter(|file| file.exists())) {
        assert!(compare(&file) > 100, "{}", file.display());
    }
}

#[test]
fn every_row_of_a_test_program_is_as_readelf_has_it() {
    needs!("readelf");
    assert!(compare(&std::env::current_exe().expect("this program")) > 1000);
}
