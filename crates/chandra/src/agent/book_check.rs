//! Says of each signal once that its books do not balance.
//!
//! A probe that is in the middle of a fact has counted it as seen and not yet said what became of it, and its task may
//! be off the processor right there. So what is said has lasted over some looks.

use std::time::{Duration, Instant};

use super::state::AgentState;

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(1);
/// Looks in a row before it is said.
const LASTING: u32 = 3;

/// Looks at books.
#[derive(Debug)]
pub struct BookCheck<'a> {
    state: &'a AgentState,
    looked: Instant,
    /// By signal.
    unbalanced: Vec<Unbalanced>,
}

/// For how many looks in a row.
#[derive(Debug, Clone, Copy, Default)]
struct Unbalanced {
    looks: u32,
    is_said: bool,
}

impl<'a> BookCheck<'a> {
    /// Of all signals of an agent.
    pub fn new(state: &'a AgentState) -> Self {
        let unbalanced = vec![Unbalanced::default(); state.signals.len()];
        Self { state, looked: Instant::now(), unbalanced }
    }

    /// About once a second.
    pub fn look(&mut self) {
        if self.looked.elapsed() < PERIOD {
            return;
        }
        self.looked = Instant::now();
        for (signal, unbalanced) in self.state.signals.iter().zip(&mut self.unbalanced) {
            let imbalance = signal.books().imbalance();
            if unbalanced.is_to_be_said(imbalance) {
                let name = signal.signal.spec.name;
                eprintln!("warning: the books of signal {name} do not balance by {imbalance}");
            }
        }
    }
}

impl Unbalanced {
    fn is_to_be_said(&mut self, imbalance: i64) -> bool {
        self.looks = if imbalance == 0 { 0 } else { self.looks.saturating_add(1) };
        let is_first = self.looks >= LASTING && !self.is_said;
        self.is_said |= is_first;
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imbalance_that_lasts_is_said_once() {
        let mut unbalanced = Unbalanced::default();
        let looks = [1, 0, -1, 2, 0, 3, 3, 4, 4, 0, 1, 1, 1, 1];
        let said = looks.map(|imbalance| unbalanced.is_to_be_said(imbalance));
        assert_eq!(said.iter().position(|said| *said), Some(7));
        assert_eq!(said.iter().filter(|said| **said).count(), 1);
    }
}
