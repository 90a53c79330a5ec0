//! What small files say of their functions, by every way in which it can be said.

use chandra_unwind::build::{BuildError, Built};
use chandra_unwind::format::Table;
use chandra_unwind::row::{Base, ReturnAddress, Rule};
use chandra_unwind::{Limits, build};

use crate::small::{AARCH64, CALLED, CODE, File, Frames, PLACE, X86_64};

fn built(file: &File) -> Built {
    build(&file.bytes(), &Limits::default()).expect("a table")
}

/// Rules at these distances from the beginning of the code.
fn rules<const N: usize>(table: &Table, distances: [u64; N]) -> [Rule; N] {
    distances.map(|distance| table.rule(PLACE.wrapping_add(distance)))
}

fn saved(base: Base, cfa: i32, fp: Option<i32>) -> Rule {
    Rule::Offset { base, cfa, fp, ra: ReturnAddress::AtCfa(-8) }
}

/// A function that pushes rbp at its second byte, and makes it the base of its CFA at its fifth.
const PUSHES: &[u8] = &[0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6];

fn one_function() -> Frames {
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, CALLED);
    frames.fde(cie, CODE, 0x20, PUSHES);
    frames
}

fn check_pushes(table: &Table) {
    let expected = [
        Rule::Gap,
        saved(Base::Sp, 8, None),
        saved(Base::Sp, 16, Some(-16)),
        saved(Base::Sp, 16, Some(-16)),
        saved(Base::Fp, 16, Some(-16)),
        saved(Base::Fp, 16, Some(-16)),
        Rule::Gap,
    ];
    assert_eq!(rules(table, [0_u64.wrapping_sub(1), 0, 1, 3, 4, 0x1f, 0x20]), expected);
}

#[test]
fn a_section_of_call_frame_information_is_read() {
    let file = File::new(X86_64, vec![0x90; 0x100]).with(".eh_frame", one_function().end());
    let built = built(&file);
    check_pushes(&built.table);
    assert_eq!((built.report.functions, built.report.damaged), (1, 0));
}

#[test]
fn without_section_headers_the_segment_leads_to_it() {
    let file = File::new(X86_64, vec![0x90; 0x100]);
    let frames = file.sections_at() + 8;
    // Version, then how three values are encoded: one is absolute in 8 bytes, two are left out.
    let mut header = vec![1, 0x04, 0xff, 0xff];
    header.extend((frames + 8).to_le_bytes());
    let mut file = file.with(".eh_frame_hdr", header).with(".eh_frame", one_function().end());
    check_pushes(&built(&file).table);
    file.has_section_headers = false;
    check_pushes(&built(&file).table);
    file.sections.remove(0);
    assert_eq!(build(&file.bytes(), &Limits::default()).err(), Some(BuildError::NotDescribed));
}

#[test]
fn without_what_is_loaded_debugging_information_will_do() {
    let mut section = Vec::new();
    let mut entry = |content: &[u8]| {
        section.extend((content.len() as u32).to_le_bytes());
        section.extend(content);
    };
    // A CIE of version 1, no augmentation.
    entry(&[&[0xff; 4][..], &[1, 0, 1, 0x78, 16], CALLED, &[0, 0]].concat());
    let range = [CODE.to_le_bytes(), 0x20_u64.to_le_bytes()].concat();
    entry(&[&0_u32.to_le_bytes()[..], &range, PUSHES].concat());
    let file = File::new(X86_64, vec![0x90; 0x100]).with(".debug_frame", section);
    check_pushes(&built(&file).table);
}

#[test]
fn room_between_functions_is_padding_or_a_gap() {
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, CALLED);
    frames.fde(cie, CODE + 0x50, 0x10, &[]);
    frames.fde(cie, CODE, 0x15, &[]);
    frames.fde(cie, CODE + 0x20, 0x10, &[]);
    let table = built(&File::new(X86_64, vec![0; 0x100]).with(".eh_frame", frames.end())).table;
    let known = saved(Base::Sp, 8, None);
    let expected = [known, known, known, Rule::Gap, known, Rule::Gap];
    assert_eq!(rules(&table, [0, 0x1f, 0x2f, 0x30, 0x50, 0x60]), expected);
}

#[test]
fn of_overlapping_functions_the_later_one_cuts_the_other() {
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, CALLED);
    frames.fde(cie, CODE, 0x80, &[]);
    frames.fde(cie, CODE + 0x40, 0x10, &[0x0e, 24]);
    frames.fde(cie, CODE + 0x40, 0x10, &[0x0e, 24]);
    frames.fde(cie, CODE + 0x60, 0, &[0x0e, 32]);
    let built = built(&File::new(X86_64, vec![0; 0x100]).with(".eh_frame", frames.end()));
    let (outer, inner) = (saved(Base::Sp, 8, None), saved(Base::Sp, 24, None));
    let expected = [outer, inner, inner, Rule::Gap, Rule::Gap];
    assert_eq!(rules(&built.table, [0x3f, 0x40, 0x4f, 0x50, 0x80]), expected);
    assert_eq!((built.report.functions, built.report.overlapping), (2, 2));
}

#[test]
fn functions_outside_of_the_code_are_left_out_and_counted() {
    let mut frames = one_function();
    frames.fde(0, 0, 0x20, &[]);
    frames.fde(0, u64::MAX - 5, 0x20, &[]);
    let built = built(&File::new(X86_64, vec![0; 0x100]).with(".eh_frame", frames.end()));
    check_pushes(&built.table);
    assert_eq!((built.report.functions, built.report.outside), (1, 2));
}

#[test]
fn an_undefined_return_address_is_the_end() {
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, CALLED);
    // DW_CFA_undefined rip
    frames.fde(cie, CODE, 0x20, &[0x07, 16]);
    let table = built(&File::new(X86_64, vec![0; 0x40]).with(".eh_frame", frames.end())).table;
    assert_eq!(rules(&table, [0, 0x20]), [Rule::Stop, Rule::Gap]);
}

#[test]
fn an_entry_that_nobody_describes_is_the_end() {
    let mut file = File::new(X86_64, vec![0; 0x100]).with(".eh_frame", one_function().end());
    file.entry = CODE + 0x40;
    let table = built(&file).table;
    assert_eq!(
        rules(&table, [0x3f, 0x40, 0x7f, 0x80]),
        [Rule::Gap, Rule::Stop, Rule::Stop, Rule::Gap]
    );
    file.entry = CODE;
    check_pushes(&built(&file).table);
}

#[test]
fn trampolines_that_nobody_describes_are_found_by_their_code() {
    let mut code = vec![0x90; 0x100];
    code[0x60..0x69].copy_from_slice(&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05]);
    let table = built(&File::new(X86_64, code).with(".eh_frame", one_function().end())).table;
    let signal = Rule::Signal { registers: 40 };
    // What a handler returns to is looked up one byte earlier.
    assert_eq!(
        rules(&table, [0x5e, 0x5f, 0x60, 0x68, 0x69]),
        [Rule::Gap, signal, signal, signal, Rule::Gap]
    );
}

#[test]
fn a_procedure_linkage_table_that_nobody_describes_is_known() {
    let mut plt = vec![0x90; 0x40];
    plt[0x10..0x14].copy_from_slice(&[0xf3, 0x0f, 0x1e, 0xfa]);
    let file = File::new(X86_64, vec![0; 0x100]).with(".eh_frame", one_function().end());
    let plt_at = file.sections_at() - CODE + file.sections[0].1.len().next_multiple_of(8) as u64;
    let table = built(&file.with(".plt", plt)).table;
    let entry = Rule::Plt { cfa: 8, threshold: 9 };
    let expected = [saved(Base::Sp, 16, None), saved(Base::Sp, 24, None), entry, entry, Rule::Gap];
    assert_eq!(rules(&table, [0, 6, 0x10, 0x3f, 0x40].map(|at| plt_at + at)), expected);
}

#[test]
fn aarch64_functions_return_by_the_link_register_until_they_have_saved_it() {
    let mut frames = Frames::default();
    // DW_CFA_def_cfa sp+0
    let cie = frames.cie("zR", 30, &[0x0c, 31, 0]);
    // paciasp; stp x29, x30, [sp, -32]!; mov x29, sp; …; DW_CFA_AARCH64_negate_ra_state after the first.
    let instructions = [
        0x44, 0x2d, 0x44, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x44, 0x0d, 29, 0x58, 0x0c, 31, 0, 0xdd,
        0xde, 0x2d,
    ];
    frames.fde(cie, CODE, 0x30, &instructions);
    // DW_CFA_undefined x30: the start of a program.
    frames.fde(cie, CODE + 0x30, 0x10, &[0x07, 30]);
    let mut code = vec![0; 0x100];
    code[0x80..0x88].copy_from_slice(&[0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4]);
    let built = built(&File::new(AARCH64, code).with(".eh_frame", frames.end()));
    let leaf = Rule::Offset { base: Base::Sp, cfa: 0, fp: None, ra: ReturnAddress::LinkRegister };
    let pair = |base| Rule::Offset { base, cfa: 32, fp: Some(-32), ra: ReturnAddress::AtCfa(-24) };
    let expected = [leaf, leaf, pair(Base::Sp), pair(Base::Fp), leaf, Rule::Stop, Rule::Gap];
    assert_eq!(rules(&built.table, [0, 4, 8, 12, 0x24, 0x30, 0x40]), expected);
    assert_eq!(rules(&built.table, [0x7f, 0x80, 0x88])[..2], [Rule::Signal { registers: 304 }; 2]);
    assert_eq!(built.report.damaged, 0);
}

/// Moves SP by 16 after 4 bytes, and back after 24 more; then the end.
const GO_FRAME: &[u8] = &[0x02, 4, 0x20, 24, 0x1f, 4, 0];

#[test]
fn go_s_line_table_is_read_in_both_of_its_layouts() {
    for magic in [0xffff_fff0, 0xffff_fff1] {
        let functions: [(&str, u8, &[u8]); 6] = [
            ("main.leaf", 0, GO_FRAME),
            ("runtime.goexit", 1, GO_FRAME),
            ("runtime.sigtramp", 1 | 4, &[0x02, 32, 0]),
            ("runtime.mcall", 2 | 4, &[0x02, 32, 0]),
            ("runtime.asmcgocall", 2 | 4, GO_FRAME),
            ("runtime.sigreturn__sigaction", 4, &[0x02, 32, 0]),
        ];
        let mut code = vec![0xcc; functions.len() * 0x20];
        code[0xa0..0xa9].copy_from_slice(&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05]);
        let file = File::new(X86_64, code);
        let built = built(&file.with(".gopclntab", crate::small::go_line_table(magic, &functions)));
        let (called, frame) = (saved(Base::Sp, 8, None), saved(Base::Sp, 24, Some(-16)));
        assert_eq!(
            rules(&built.table, [0, 4, 0x1b, 0x1c, 0x1f]),
            [called, frame, frame, called, called]
        );
        assert_eq!(rules(&built.table, [0x20, 0x40, 0x60]), [Rule::Stop, called, Rule::Stop]);
        assert_eq!(rules(&built.table, [0x80, 0x84]), [called, Rule::StackSwitch]);
        let signal = Rule::Signal { registers: 40 };
        assert_eq!(rules(&built.table, [0x9e, 0x9f, 0xa0, 0xbf]), [called, signal, signal, signal]);
        assert_eq!((built.report.go_functions, built.report.damaged), (5, 0));
    }
}

#[test]
fn call_frame_information_comes_before_go_s_line_table() {
    let functions: [(&str, u8, &[u8]); 2] = [("a", 0, GO_FRAME), ("b", 0, GO_FRAME)];
    let file = File::new(X86_64, vec![0xcc; 0x40]).with(".eh_frame", one_function().end());
    let file = file.with(".gopclntab", crate::small::go_line_table(0xffff_fff1, &functions));
    let table = built(&file).table;
    let expected =
        [saved(Base::Fp, 16, Some(-16)), saved(Base::Sp, 8, None), saved(Base::Sp, 24, Some(-16))];
    assert_eq!(rules(&table, [0x1f, 0x20, 0x24]), expected);
}
