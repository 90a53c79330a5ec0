//! Unwind tables, made of files that anybody may have written, and walks over stacks of anything.

use chandra_unwind::walk::{Machine, Mapping, Registers, Walk};
use chandra_unwind::{BuildId, Limits, build};

const MAX_FRAMES: usize = 100;

/// An ELF file: its table answers for every row what the row says, and every walk over it ends.
pub fn unwind_table(bytes: &[u8]) {
    if let Ok(id) = BuildId::read(bytes) {
        assert!(!id.to_string().contains(char::is_control));
    }
    let limits = Limits { max_functions: 10_000, max_rows: 50_000, max_instruction_bytes: 1 << 22 };
    let Ok(built) = build(bytes, &limits) else { return };
    let (table, report) = (&built.table, &built.report);
    let header = table.header();
    assert!(header.row_count as usize <= limits.max_rows);
    assert_eq!(report.damaged > 0, report.first_damage.is_some());
    let mut before = None;
    for (place, rule) in table.rows() {
        assert!(before < Some(place), "rows ascend");
        assert_eq!(table.rule(place), rule);
        before = Some(place);
    }
    assert_eq!(table.rows().count(), header.row_count as usize);
    let word = |address: u64| {
        let at = usize::try_from(address % bytes.len().max(1) as u64).ok()?;
        Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
    };
    for machine in [Machine::X86_64, Machine::Aarch64] {
        let walk = Walk { machine, max_frames: MAX_FRAMES, authentication_bits: 0x7f << 48 };
        for (place, _) in table.rows().take(50) {
            let registers =
                Registers { pc: place, sp: 64, fp: 128, lr: place, others: [place; 16] };
            let find = |_| Some(Mapping { start: 0, offset: 0, table: Some(table.view()) });
            let mut frames = Vec::new();
            let walked = walk.run(&registers, word, find, &mut frames);
            assert!((1..=MAX_FRAMES).contains(&frames.len()), "{walked:?}");
            assert!(walked.frame_pointer_steps <= frames.len());
        }
    }
}
