//! A table of unwind rules, kept once: here until the kernel has it, and from then on there, if it is worth it.
//!
//! The kernel's is mapped while somebody walks by it here, and let go soon afterwards ([`KeptTable::rest`]).

use std::cell::OnceCell;

use chandra_loader::memory_map::{KernelTable, MappedCells};
use chandra_unwind::format::{Table, View};

/// A table of fewer bytes is kept here, too: what the kernel's takes here is a descriptor.
const LEAST_BYTES: usize = 16 << 10;

/// See the [module](self).
#[derive(Debug)]
pub struct KeptTable {
    place: Place,
    is_told: bool,
}

#[derive(Debug)]
enum Place {
    Here(Table),
    InKernel {
        table: KernelTable,
        /// None within it where it could not be mapped.
        mapped: OnceCell<Option<MappedCells>>,
    },
}

impl KeptTable {
    /// Of a table that the kernel has not got yet.
    pub fn new(table: Table) -> Self {
        Self { place: Place::Here(table), is_told: false }
    }

    /// To look things up in it; `None` when the kernel does not let it be mapped.
    pub fn view(&self) -> Option<View<'_>> {
        match &self.place {
            Place::Here(table) => Some(table.view()),
            Place::InKernel { table, mapped } => {
                let cells = mapped.get_or_init(|| table.cells().ok()).as_ref()?;
                View::of(cells.as_ref())
            }
        }
    }

    /// Memory of the table, wherever it is.
    pub fn bytes(&self) -> usize {
        match &self.place {
            Place::Here(table) => table.bytes(),
            Place::InKernel { table, .. } => table.bytes(),
        }
    }

    /// The kernel has it.
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// It is in the kernel alone, and takes a descriptor here.
    pub fn is_in_kernel(&self) -> bool {
        matches!(self.place, Place::InKernel { .. })
    }

    /// Gives it to the kernel, if it has not got it: `tell` returns what it has then. Where it `may_go`, it is kept
    /// there alone.
    pub fn tell(&mut self, may_go: bool, tell: impl FnOnce(&Table) -> Option<KernelTable>) {
        let Place::Here(table) = &self.place else { return };
        if self.is_told {
            return;
        }
        let told = tell(table);
        self.is_told = told.is_some();
        let told = told.filter(|told| may_go && told.bytes() >= LEAST_BYTES);
        // A kernel that does not let it be mapped gets it, and it stays here.
        if let Some((table, cells)) =
            told.and_then(|told| told.cells().ok().map(|cells| (told, cells)))
        {
            self.place = Place::InKernel { table, mapped: OnceCell::from(Some(cells)) };
        }
    }

    /// Nobody walks by it for now.
    pub fn rest(&mut self) {
        if let Place::InKernel { mapped, .. } = &mut self.place {
            *mapped = OnceCell::new();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use chandra_unwind::format::Assembler;
    use chandra_unwind::row::{Base, ReturnAddress, Rule};

    fn table(rows: u64) -> Table {
        let mut assembler = Assembler::new(1 << 20);
        for row in 0..rows {
            let cfa = if row % 2 == 0 { 8 } else { 16 };
            let ra = ReturnAddress::AtCfa(-8);
            let rule = Rule::Offset { base: Base::Sp, cfa, fp: None, ra };
            assembler.push(row * 16, rule).unwrap();
        }
        assembler.finish()
    }

    /// The kernel's, without a probe.
    fn tell(table: &Table) -> Option<KernelTable> {
        Some(KernelTable::make(table.cells()).unwrap())
    }

    #[test]
    fn a_large_table_is_in_the_kernel_alone_and_says_the_same() {
        if KernelTable::make(&[0, 0]).is_err() {
            println!("skipped: needs root to make a map");
            return;
        }
        let (before, rows) = (table(100_000), 100_000);
        let mut kept = KeptTable::new(table(rows));
        kept.tell(true, tell);
        assert!(kept.is_told() && kept.is_in_kernel());
        assert_eq!(kept.bytes(), before.bytes());
        for _ in 0..2 {
            let view = kept.view().unwrap();
            assert!((0..rows * 16).step_by(7).all(|at| view.rule(at) == before.rule(at)));
            kept.rest();
        }
        for (rows, may_go) in [(10, true), (100_000, false)] {
            let mut kept = KeptTable::new(table(rows));
            kept.tell(may_go, tell);
            assert!(kept.is_told() && !kept.is_in_kernel(), "{rows}");
            kept.rest();
            assert!(kept.view().is_some());
        }
    }

    #[test]
    fn a_table_that_the_kernel_refuses_is_kept_here() {
        let mut kept = KeptTable::new(table(100_000));
        kept.tell(true, |_| None);
        assert!(!kept.is_told() && kept.view().is_some());
    }
}
