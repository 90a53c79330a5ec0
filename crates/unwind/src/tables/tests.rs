use super::*;
use crate::format::{Assembler, MAX_ROWS};
use crate::row::Rule;

/// A table of about 1,200 bytes that differs from those of other numbers.
fn table(number: u64) -> Table {
    let mut assembler = Assembler::new(MAX_ROWS);
    for row in 0..280 {
        let rule = if row % 2 == 0 { Rule::Stop } else { Rule::Gap };
        assembler.push(number + row * 8, rule).expect("room");
    }
    assembler.finish()
}

fn file(inode: u64) -> FileKey {
    FileKey { device: 1, inode, changed_ns: 7, bytes: 1000 }
}

fn known(tables: &mut Tables, inode: u64) -> Option<TableId> {
    match tables.find(&file(inode))? {
        Known::Table(id, _) => Some(id),
        Known::None => None,
    }
}

/// Room for so many.
fn room(tables: usize) -> Tables {
    Tables::new(tables * (table(0).bytes() + 2 * ENTRY_BYTES))
}

#[test]
fn files_of_equal_content_share_a_table() {
    let mut tables = room(10);
    let first = tables.insert(file(1), Some(table(1))).id;
    assert!(first.is_some());
    assert_eq!(tables.insert(file(2), Some(table(1))).id, first);
    assert_ne!(tables.insert(file(3), Some(table(3))).id, first);
    assert_eq!(known(&mut tables, 2), first);
    let figures = tables.figures();
    assert_eq!((figures.tables, figures.files, figures.shared), (2, 3, 1));
}

#[test]
fn a_file_that_changed_is_another() {
    let mut tables = room(10);
    tables.insert(file(1), Some(table(1)));
    assert!(tables.find(&FileKey { changed_ns: 8, ..file(1) }).is_none());
}

#[test]
fn that_there_is_no_table_is_known_too() {
    let mut tables = room(1);
    assert!(tables.find(&file(1)).is_none());
    tables.insert(file(1), None);
    assert!(matches!(tables.find(&file(1)), Some(Known::None)));
}

#[test]
fn what_was_not_asked_for_the_longest_makes_room() {
    let mut tables = room(3);
    let ids: Vec<_> =
        (0..3).map(|inode| tables.insert(file(inode), Some(table(inode))).id).collect();
    assert_eq!(known(&mut tables, 0), ids[0]);
    assert_eq!(tables.insert(file(3), Some(table(3))).evicted, []);
    assert_eq!(known(&mut tables, 0), ids[0]);
    assert_eq!(known(&mut tables, 1), None);
    assert_eq!(tables.figures().evicted_unused, 1);
}

#[test]
fn what_nobody_has_goes_before_what_somebody_has_and_that_is_told() {
    let mut tables = room(2);
    let [first, second] = [0, 1].map(|inode| {
        let id = tables.insert(file(inode), Some(table(inode))).id.expect("room");
        assert!(tables.acquire(id));
        id
    });
    assert!(tables.release(second));
    assert_eq!(tables.insert(file(2), Some(table(2))).evicted, []);
    assert!(!tables.acquire(second));
    let third = known(&mut tables, 2).expect("it is there");
    tables.acquire(third);
    assert_eq!(tables.insert(file(3), Some(table(3))).evicted, [first]);
    let figures = tables.figures();
    assert_eq!((figures.evicted_unused, figures.evicted_used), (1, 1));
    assert!(!tables.release(first));
}

#[test]
fn what_is_larger_than_the_budget_is_refused() {
    let mut tables = Tables::new(1000);
    assert_eq!(tables.insert(file(1), Some(table(1))), Inserted::default());
    assert_eq!(tables.figures(), Figures { refused: 1, ..Figures::default() });
}

#[test]
fn the_budget_holds_whatever_happens_and_what_is_counted_is_there() {
    let mut state = 3_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    let budget = 12_000;
    let mut tables = Tables::new(budget);
    let mut held: Vec<TableId> = Vec::new();
    for _ in 0..20_000 {
        match random(5) {
            0 => {
                let content = random(12);
                let inserted =
                    tables.insert(file(random(60)), (content > 2).then(|| table(content)));
                held.retain(|id| !inserted.evicted.contains(id));
            }
            1 => {
                if let Some(id) = known(&mut tables, random(60)) {
                    assert!(tables.acquire(id));
                    held.push(id);
                }
            }
            2 if !held.is_empty() => {
                let id = held.swap_remove(random(held.len() as u64) as usize);
                assert!(tables.release(id), "what somebody has is put out only by telling");
            }
            _ => drop(tables.find(&file(random(60)))),
        }
        let figures = tables.figures();
        let entries = tables.tables.values().map(|kept| kept.table.bytes() + ENTRY_BYTES);
        let bytes = entries.sum::<usize>() + tables.files.len() * ENTRY_BYTES;
        assert_eq!(figures.bytes, bytes);
        assert!(bytes <= budget, "{bytes}");
        let without = tables.files.values().filter(|entry| entry.table.is_none()).count();
        assert_eq!(tables.order.len(), tables.tables.len() + without);
        assert_eq!(tables.equal.values().map(Vec::len).sum::<usize>(), tables.tables.len());
    }
}
