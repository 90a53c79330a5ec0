use super::*;
use crate::row::{Base, ReturnAddress};

fn rule(cfa: i32) -> Rule {
    Rule::Offset { base: Base::Sp, cfa, fp: None, ra: ReturnAddress::AtCfa(-8) }
}

fn table(rows: &[(u64, Rule)]) -> Table {
    let mut assembler = Assembler::new(MAX_ROWS);
    for &(place, rule) in rows {
        assembler.push(place, rule).expect("room");
    }
    assembler.finish()
}

#[test]
fn a_row_counts_from_its_place_to_the_next() {
    let table = table(&[(0x1000, rule(8)), (0x1004, rule(16)), (0x1010, Rule::Gap)]);
    let expected = [
        (0, Rule::Gap),
        (0xfff, Rule::Gap),
        (0x1000, rule(8)),
        (0x1003, rule(8)),
        (0x1004, rule(16)),
        (0x100f, rule(16)),
        (0x1010, Rule::Gap),
        (0xffff, Rule::Gap),
        (u64::MAX, Rule::Gap),
    ];
    for (place, rule) in expected {
        assert_eq!(table.rule(place), rule, "{place:#x}");
    }
}

#[test]
fn a_row_counts_over_the_ends_of_pages() {
    let table = table(&[(0x7_fff0, rule(8)), (0xa_0010, rule(16)), (0xa_0020, Rule::Gap)]);
    assert_eq!(table.header().first_page, 7);
    assert_eq!(table.header().page_count, 4);
    for place in [0x7_fff0, 0x8_0000, 0x9_ffff, 0xa_000f] {
        assert_eq!(table.rule(place), rule(8), "{place:#x}");
    }
    assert_eq!(table.rule(0xa_0010), rule(16));
    assert_eq!(table.rule(0x7_ffef), Rule::Gap);
    assert_eq!(table.rule(0x6_ffff), Rule::Gap);
}

#[test]
fn neighbours_that_say_the_same_are_one_row() {
    let table = table(&[(0, rule(8)), (4, rule(8)), (8, rule(16)), (8, rule(8)), (12, Rule::Gap)]);
    assert_eq!(table.rows().collect::<Vec<_>>(), [(0, rule(8)), (12, Rule::Gap)]);
}

#[test]
fn the_last_word_on_a_place_counts() {
    let table = table(&[(0, rule(8)), (8, Rule::Gap), (8, rule(24)), (9, Rule::Gap)]);
    let rows: Vec<_> = table.rows().collect();
    assert_eq!(rows, [(0, rule(8)), (8, rule(24)), (9, Rule::Gap)]);
}

#[test]
fn a_rule_that_does_not_fit_is_told_as_unsupported() {
    assert_eq!(table(&[(0, rule(12))]).rule(0), Rule::Unsupported);
}

#[test]
fn what_there_is_no_room_for_is_told() {
    let mut assembler = Assembler::new(2);
    assembler.push(0, rule(8)).expect("room");
    assembler.push(1, rule(16)).expect("room");
    assert_eq!(assembler.push(2, rule(24)), Err(Full::Rows(2)));

    let mut assembler = Assembler::new(MAX_ROWS);
    assembler.push(0, rule(8)).expect("room");
    assert_eq!(assembler.push((MAX_PAGES as u64) << PAGE_BITS, rule(16)), Err(Full::Pages));

    let mut assembler = Assembler::new(MAX_ROWS);
    let result = (0..=u64::from(u16::MAX))
        .try_for_each(|place| assembler.push(place, rule(if place % 2 == 0 { 8 } else { 16 })));
    assert_eq!(result, Err(Full::PageRows));

    let mut assembler = Assembler::new(MAX_ROWS);
    let mut rules = (0..).map(|number: u64| (number, rule(8 + 8 * number as i32)));
    let result = rules.try_for_each(|(place, rule)| assembler.push(place * 4, rule));
    assert_eq!(result, Err(Full::Rules));
}

#[test]
fn random_tables_answer_as_a_list_does() {
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    for _ in 0..200 {
        let (mut place, mut rows) = (random(1 << 20), Vec::new());
        for _ in 0..random(500) {
            let far = random(20) == 0;
            place += random(if far { 1 << 18 } else { 64 });
            rows.push((place, if random(4) == 0 { Rule::Gap } else { rule(8 * random(5) as i32) }));
        }
        let table = table(&rows);
        for _ in 0..500 {
            let asked = random(place + 100);
            let expected = rows.iter().rev().find(|(start, _)| *start <= asked);
            // After the last page nothing is known.
            let end = table.rows().last().map_or(0, |(start, _)| (start | 0xffff) + 1);
            let expected = expected.filter(|_| asked < end).map_or(Rule::Gap, |(_, rule)| *rule);
            assert_eq!(table.rule(asked), expected, "{asked:#x} of {rows:x?}");
        }
    }
}

#[test]
fn a_row_costs_four_bytes() {
    let rows: Vec<_> = (0..10_000).map(|row| (row * 7, rule(8 + 8 * (row % 5) as i32))).collect();
    let table = table(&rows);
    let rest = (HEADER_CELLS + 2 + 6) * 8;
    assert_eq!(table.bytes(), 10_000 * 4 + rest);
}

#[test]
fn cells_that_somebody_else_keeps_say_the_same_and_too_few_say_nothing() {
    let table = table(&[(0x1000, rule(8)), (0x2_1004, rule(16)), (0x3_1010, Rule::Gap)]);
    let copy = table.cells().to_vec();
    let view = View::of(&copy).expect("all of it");
    assert!(view.rows().eq(table.rows()));
    for cells in 0..copy.len() {
        assert!(View::of(&copy[..cells]).is_none(), "{cells}");
    }
    let longer = [&copy[..], &[0]].concat();
    assert!(View::of(&longer).is_none());
}
