//! Files that are made to harm: each is refused or costs no more than its size allows, with the reason told.

use std::path::Path;

use chandra_unwind::build::BuildError;
use chandra_unwind::format::Full;
use chandra_unwind::{ElfError, Limits, build};

use crate::small::{CALLED, CODE, File, Frames, X86_64};

fn code() -> File {
    File::new(X86_64, vec![0x90; 0x1000])
}

fn built(file: &[u8]) -> Result<chandra_unwind::Built, BuildError> {
    build(file, &Limits::default())
}

/// A file that the corpus of the fuzz target has, too. `CHANDRA_BLESS=1` puts it there.
fn kept(name: &str, file: Vec<u8>) -> Vec<u8> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/unwind_table");
    let path = corpus.join(name).with_extension("elf");
    if std::env::var_os("CHANDRA_BLESS").is_some() {
        std::fs::create_dir_all(&corpus).expect("a folder");
        std::fs::write(&path, &file).expect("a file");
    }
    let in_corpus = std::fs::read(&path).expect("CHANDRA_BLESS=1 makes it");
    assert!(in_corpus == file, "{} is an older one: CHANDRA_BLESS=1 renews it", path.display());
    file
}

fn good() -> Vec<u8> {
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, CALLED);
    for function in 0..8 {
        frames.fde(cie, CODE + function * 0x100, 0xf0, &[0x42, 0x0e, 16]);
    }
    code().with(".eh_frame", frames.end()).bytes()
}

#[test]
fn a_file_cut_short_anywhere_is_refused_or_read_as_far_as_it_goes() {
    let whole = kept("good", good());
    assert_eq!(built(&whole).expect("a table").report.functions, 8);
    for bytes in 0..whole.len() {
        if let Ok(built) = built(&whole[..bytes]) {
            assert!(built.report.functions <= 8);
        }
    }
    assert!(matches!(built(&[]), Err(BuildError::Elf(ElfError::Header(_)))));
}

#[test]
fn more_sections_than_a_file_can_hold_are_none() {
    let mut file = good();
    let at = u64::from_le_bytes(file[40..48].try_into().expect("8 bytes")) as usize;
    // With no count in the header, the first section's size is it: 2^32.
    file[60..62].copy_from_slice(&[0, 0]);
    file[at + 32..at + 40].copy_from_slice(&(1_u64 << 32).to_le_bytes());
    // It cannot be read by sections, and has nothing that leads to its frames without.
    assert_eq!(built(&kept("sections", file)).err(), Some(BuildError::NotDescribed));
}

#[test]
fn descriptions_that_share_what_is_no_beginning_are_damaged() {
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, CALLED);
    let first = frames.fde(cie, CODE, 0x10, &[]);
    // Shares with another function, with itself, with what is before the section, and behind it.
    let second = frames.fde(first, CODE + 0x10, 0x10, &[]);
    frames.fde(second + 44, CODE + 0x20, 0x10, &[]);
    frames.fde(0x8000_0000, CODE + 0x30, 0x10, &[]);
    frames.fde(0x10_0000, CODE + 0x40, 0x10, &[]);
    let file = kept("cyclic", code().with(".eh_frame", frames.end()).bytes());
    let report = built(&file).expect("a table").report;
    assert_eq!((report.functions, report.damaged), (1, 4));
    let damage = report.first_damage.expect("the first");
    assert_eq!((damage.section, damage.offset), (".eh_frame", second.into()));
}

#[test]
fn beginnings_and_sections_at_the_end_of_all_addresses_are_damaged() {
    // 64 bits wide: its length, where its CIE is, a range.
    let mut section = vec![0xff; 4];
    section.extend(24_u64.to_le_bytes());
    for word in [u64::MAX - 1, CODE, 0x10] {
        section.extend(word.to_le_bytes());
    }
    let file = kept("far_beginning", code().with(".debug_frame", section).bytes());
    assert_eq!(built(&file).err(), Some(BuildError::NotDescribed));

    // The address of each section, in its header.
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, CALLED);
    frames.fde(cie, CODE, 0x10, &[]);
    let file = code().with(".eh_frame", frames.end()).with(".plt", vec![0x90; 0x40]);
    let file = file
        .with(".gopclntab", crate::small::go_line_table(0xffff_fff1, &[("a", 0, &[0x02, 4, 0])]));
    let mut file = file.bytes();
    let headers = u64::from_le_bytes(file[40..48].try_into().expect("8 bytes")) as usize;
    for section in 2..5 {
        let at = headers + section * 64 + 16;
        file[at..at + 8].copy_from_slice(&(u64::MAX - 2).to_le_bytes());
    }
    let report = built(&kept("far_sections", file)).expect("a table").report;
    assert_eq!((report.functions, report.damaged), (1, 0));
}

#[test]
fn one_long_beginning_that_many_share_is_not_carried_out_for_all() {
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, &[CALLED, &[0; 8000]].concat());
    for function in 0..400 {
        frames.fde(cie, CODE + function * 4, 4, &[]);
    }
    let result = built(&kept("shared_beginning", code().with(".eh_frame", frames.end()).bytes()));
    assert!(matches!(result, Err(BuildError::Instructions(_))), "{result:?}");
}

#[test]
fn many_long_names_of_what_is_unknown_are_not_all_read() {
    // Each function shares another CIE; each of those goes on over all that follow.
    let mut frames = Frames::default();
    let mut section = Vec::new();
    for _ in 0..500 {
        section.extend(50_000_u32.to_le_bytes());
        section.extend([0, 0, 0, 0, 1, b'x', b'x', b'x']);
    }
    frames.0 = vec![0xff; 4];
    frames.0.extend((section.len() as u64 + 4).to_le_bytes());
    frames.0.extend([0; 4]);
    let start = frames.0.len() as u32;
    frames.0.extend(&section);
    for number in 0..500 {
        frames.fde(start + number * 12, CODE, 4, &[]);
    }
    let file = code().with(".eh_frame", frames.end()).bytes();
    let result = built(&kept("long_names", file));
    assert!(matches!(result, Err(BuildError::Instructions(_))), "{result:?}");
}

#[test]
fn what_the_limits_say_is_the_most() {
    let file = good();
    let limits = Limits::default();
    let functions = build(&file, &Limits { max_functions: 7, ..limits });
    assert_eq!(functions.err(), Some(BuildError::Functions(7)));
    let rows = build(&file, &Limits { max_rows: 3, ..limits });
    assert_eq!(rows.err(), Some(BuildError::Full(Full::Rows(3))));
    let instructions = build(&file, &Limits { max_instruction_bytes: 10, ..limits });
    assert_eq!(instructions.err(), Some(BuildError::Instructions(10)));
}

#[test]
fn a_damaged_function_is_a_gap_and_harms_no_other() {
    let mut frames = Frames::default();
    let cie = frames.cie("zR", 16, CALLED);
    frames.fde(cie, CODE, 0x80, &[0x42, 0x0e, 16]);
    // DW_CFA_restore_state without what it restores, after one good row.
    frames.fde(cie, CODE + 0x100, 0x80, &[0x48, 0x0b]);
    frames.fde(cie, CODE + 0x200, 0x80, &[0x42, 0x0e, 16]);
    let file = kept("damaged", code().with(".eh_frame", frames.end()).bytes());
    let report = built(&file).expect("a table");
    assert_eq!((report.report.functions, report.report.damaged), (3, 1));
    let rule = |distance: u64| report.table.rule(crate::small::PLACE + distance);
    assert_eq!(rule(0x10), rule(0x210));
    assert_eq!(rule(0x100), rule(0));
    assert_eq!(rule(0x110), chandra_unwind::row::Rule::Gap);
}

#[test]
fn segments_beyond_any_address_are_harmless() {
    let mut file = good();
    // Of the only segment: its address, then its size in the file, then its offset.
    for (field, value) in [(16, u64::MAX - 5), (32, u64::MAX), (8, u64::MAX - 1)] {
        file[64 + field..64 + field + 8].copy_from_slice(&value.to_le_bytes());
        let _ = built(&file);
    }
}

#[test]
fn go_s_programs_that_do_not_end_or_that_many_share_are_bounded() {
    // Each step takes no code: the end of the function is never reached.
    let endless = [0x02, 0].repeat(15_000);
    let functions: Vec<(&str, u8, &[u8])> = vec![("main.a", 2, &endless); 2];
    let table = crate::small::go_line_table(0xffff_fff1, &functions);
    let result = built(&kept("go_endless", code().with(".gopclntab", table).bytes()));
    assert!(matches!(result, Err(BuildError::Instructions(_))), "{result:?}");

    let mut cut = crate::small::go_line_table(0xffff_fff1, &[("main.a", 0, &[0x02, 4, 0x80])]);
    // The program is the last thing in the table: it ends with the section.
    let program = cut.len() as u64;
    cut[56..64].copy_from_slice(&(program - 1).to_le_bytes());
    cut.extend([0x02, 4, 0x80]);
    let file = kept("go_cut", code().with(".gopclntab", cut).bytes());
    let report = built(&file).expect("a table").report;
    assert_eq!((report.go_functions, report.damaged), (1, 1));
}

#[test]
fn a_program_of_this_machine_with_bytes_changed_is_read_or_refused() {
    let whole = std::fs::read("/bin/true").expect("a program");
    let mut state = 11_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut tables = 0;
    for round in 0..600 {
        let mut file = whole.clone();
        for _ in 0..1 + random(8) {
            // Headers, which lead everywhere, as often as all that they lead to.
            let at = random(if round % 2 == 0 { 0x400 } else { file.len() });
            file[at] = [0, 0xff, 0x7f, 0x80, random(256) as u8][random(5)];
        }
        let Ok(built) = built(&file) else { continue };
        tables += 1;
        let mut before = None;
        for (place, rule) in built.table.rows() {
            assert!(before < Some(place), "rows ascend");
            assert_eq!(built.table.rule(place), rule);
            before = Some(place);
        }
    }
    assert!(tables > 100, "most changes are harmless: {tables}");
}
