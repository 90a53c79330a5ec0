//! What signals may cost (`--cpu-budget`).

use std::time::Duration;

/// What all signals together may cost when nothing is said, in percent of one core.
pub const TOTAL_PERCENT: f64 = 1.0;
/// What each signal that flows are made of may cost, beside that, when nothing is said of it.
pub const FLOWS_PERCENT: f64 = 10.0;
/// How long a window is when nothing is said.
pub const WINDOW: Duration = Duration::from_secs(5);

/// In percent of one core.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuBudgets {
    /// All signals together, but those with a budget of their own; `None` for as much as they like, and flows, too.
    pub total: Option<f64>,
    /// Those that have one, by name; the last word holds.
    pub named: Vec<(&'static str, Option<f64>)>,
    /// How long a window is.
    pub window: Duration,
}

impl Default for CpuBudgets {
    fn default() -> Self {
        Self { total: Some(TOTAL_PERCENT), named: Vec::new(), window: WINDOW }
    }
}

impl CpuBudgets {
    /// That of a signal by its name, where it has one: `None` in it for as much as it likes.
    pub fn own(&self, signal: &str) -> Option<Option<f64>> {
        self.named.iter().rev().find(|(name, _)| *name == signal).map(|(_, own)| *own)
    }
}
