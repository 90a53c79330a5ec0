//! `bpf/unwind_table.h` and the code in Rust mean the same: a C program that includes the header is given
//! tables, and answers what Rust does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chandra_unwind::format::{self, Assembler, Table};
use chandra_unwind::row::{Base, ReturnAddress, Rule};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn compiled() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unwind_look_up");
    let built = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-O1", "-I"])
        .arg(source().join("bpf"))
        .arg(source().join("tests/c/look_up.c"))
        .arg("-o")
        .arg(&program)
        .status();
    assert!(built.expect("a C compiler").success());
    program
}

fn numbers(all: &[u64]) -> Vec<u8> {
    [all.len() as u64].iter().chain(all).flat_map(|number| number.to_ne_bytes()).collect()
}

/// What the C program says of each place: the rule's cell, and the fields of it.
fn asked(program: &Path, table: &Table, places: &[u64]) -> Vec<Vec<i64>> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let input = [numbers(table.cells()), numbers(places)].concat();
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads all");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("digits");
    // A cell may be above what i64 holds.
    let number = |field: &str| field.parse().or_else(|_| field.parse().map(u64::cast_signed));
    let line = |line: &str| line.split(' ').map(|field| number(field).expect("a number")).collect();
    text.lines().map(line).collect()
}

/// A rule of each kind, with fields that all differ.
fn rules() -> Vec<Rule> {
    let at = ReturnAddress::AtCfa;
    vec![
        Rule::Offset { base: Base::Sp, cfa: 8, fp: None, ra: at(-8) },
        Rule::Offset { base: Base::R15, cfa: -1_000_000, fp: Some(-100_000), ra: at(160) },
        Rule::Offset { base: Base::Fp, cfa: 32, fp: Some(-32), ra: ReturnAddress::LinkRegister },
        Rule::Dereference { base: Base::Sp, cfa: 312, add: 8, fp: Some(-16) },
        Rule::Realigned { cfa: -8, fp: 0 },
        Rule::Plt { cfa: 8, threshold: 11 },
        Rule::Signal { registers: 40 },
        Rule::Stop,
        Rule::Unsupported,
        Rule::StackSwitch,
        Rule::Gap,
    ]
}

#[test]
fn c_finds_and_reads_the_rules_that_rust_does() {
    let mut assembler = Assembler::new(format::MAX_ROWS);
    let (mut place, mut places) = (0x12_3450_u64, vec![0, u64::MAX]);
    for round in 0..200 {
        for rule in rules() {
            assembler.push(place, rule).expect("room");
            places.extend([place - 1, place, place + 1]);
            place += if round % 50 == 0 { 70_001 } else { 3 + round };
        }
    }
    let table = assembler.finish();
    let program = compiled();
    let answers = asked(&program, &table, &places);
    assert_eq!(answers.len(), places.len());
    for (place, answer) in places.iter().zip(&answers) {
        let rule = table.rule(*place);
        assert_eq!(Rule::unpack(answer[0] as u64), Some(rule), "{place:#x}");
        let [cfa, fp, ra] = [answer[3], answer[4], answer[5]].map(|bytes| bytes as i32);
        let ra = if ra == 0 { ReturnAddress::LinkRegister } else { ReturnAddress::AtCfa(ra) };
        let read = match (answer[1], (fp != 0).then_some(fp)) {
            (0, _) => Rule::Gap,
            (1, fp) => Rule::Offset { base: base(answer[2]), cfa, fp, ra },
            (2, fp) => Rule::Dereference { base: base(answer[2]), cfa, add: answer[5] as i32, fp },
            (3, _) => Rule::Realigned { cfa, fp },
            (4, _) => Rule::Plt { cfa, threshold: answer[6] as u8 },
            (5, _) => Rule::Signal { registers: cfa },
            (6, _) => Rule::Stop,
            (7, _) => Rule::Unsupported,
            (8, _) => Rule::StackSwitch,
            (kind, _) => panic!("no kind {kind}"),
        };
        assert_eq!(read, rule, "{place:#x}");
    }
}

fn base(number: i64) -> Base {
    [Base::Sp, Base::Fp, Base::R15].into_iter().find(|base| *base as i64 == number).expect("a base")
}

#[test]
fn the_header_has_the_same_bounds() {
    let header = std::fs::read_to_string(source().join("bpf/unwind_table.h")).expect("the header");
    let defined = |name: &str| {
        let words = header.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut values = words.filter(|words| words.get(..2) == Some(&["#define", name][..]));
        values.next().and_then(|words| words.get(2)?.parse().ok())
    };
    let bounds = [
        ("UNWIND_PAGE_BITS", format::PAGE_BITS as usize),
        ("UNWIND_HEADER_CELLS", format::HEADER_CELLS),
        ("UNWIND_MAX_PAGES", format::MAX_PAGES),
        ("UNWIND_MAX_RULES", format::MAX_RULES),
        ("UNWIND_MAX_ROWS", format::MAX_ROWS),
        ("UNWIND_MAX_PAGE_ROWS", format::MAX_PAGE_ROWS as usize),
        ("UNWIND_SEARCH_STEPS", format::SEARCH_STEPS as usize),
    ];
    for (name, value) in bounds {
        assert_eq!(defined(name), Some(value), "{name}");
    }
}
