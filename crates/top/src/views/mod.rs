//! What there is to see: each view has its key, its figures, and its columns.

pub mod drops;
pub mod flows;
pub mod processes;
pub mod signals;
pub mod workloads;

use crate::table::{Column, Sort};

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// Who talks to whom, and how much.
    #[default]
    Flows,
    /// Pods, containers, and the host's processes together.
    Workloads,
    /// Processes.
    Processes,
    /// Packets that the kernel dropped, by why and whose.
    Drops,
    /// What watching costs.
    Signals,
}

impl View {
    /// All, in the order of their keys.
    pub const ALL: [Self; 5] =
        [Self::Flows, Self::Workloads, Self::Processes, Self::Drops, Self::Signals];

    /// Its name, also in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Workloads => "workloads",
            Self::Processes => "processes",
            Self::Drops => "drops",
            Self::Signals => "signals",
        }
    }

    /// The view of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }

    /// Its columns.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Flows => flows::COLUMNS,
            Self::Workloads => workloads::COLUMNS,
            Self::Processes => processes::COLUMNS,
            Self::Drops => drops::COLUMNS,
            Self::Signals => signals::COLUMNS,
        }
    }

    /// By which column it is sorted at first: the largest come first.
    pub fn first_sort(self) -> Sort {
        let path = match self {
            Self::Flows | Self::Workloads => "bytes_sent",
            Self::Processes => "cpu_percent_of_one_core",
            Self::Drops => "packets",
            Self::Signals => "percent_of_one_core",
        };
        let column = self.columns().iter().position(|column| column.path == path);
        Sort { column: column.unwrap_or_default(), is_ascending: false }
    }

    /// Sorted by the column of a heading, in any case of letters: names begin with the first, figures with
    /// the largest.
    pub fn sort_by(self, title: &str) -> Option<Sort> {
        let is_it = |column: &Column| column.is_shown() && column.title.eq_ignore_ascii_case(title);
        let column = self.columns().iter().position(is_it)?;
        Some(Sort { column, is_ascending: self.columns().get(column)?.is_name })
    }

    /// Its number among all.
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|view| *view == self).unwrap_or_default()
    }

    /// So many to the right of it, and round the end.
    pub fn beside(self, by: usize) -> Self {
        Self::ALL.get((self.number() + by) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_fits_into_80_columns_with_what_matters() {
        for view in View::ALL {
            let table = crate::table::Table { columns: view.columns(), ..Default::default() };
            let fitting = table.fitting(80);
            assert!(fitting.contains(&view.first_sort().column), "{view:?}");
            assert_eq!(table.widths(&fitting, 80).iter().sum::<usize>() + fitting.len() - 1, 80);
            assert!(fitting.iter().any(|column| table.is_name(*column)), "{view:?}");
            let titles = view.columns().iter().filter(|column| column.is_shown());
            assert!(titles.clone().all(|column| column.title.len() <= column.width), "{view:?}");
            assert_eq!(View::of_name(view.name()), Some(view));
        }
        assert_eq!(View::Signals.beside(1), View::Flows);
    }
}
