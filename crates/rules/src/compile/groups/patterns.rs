//! Texts of many predicates, found together in one pass over a value.
//!
//! An automaton (Aho and Corasick, 1975) finds every text wherever it stands, in a time that does not grow with
//! their number; of each that is found it is asked whether it stands where it has to.

use std::collections::HashMap;

use aho_corasick::automaton::OverlappingState;
use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::evaluate::{AnyCase, Position};

/// Texts without regard to case, and for which predicates each counts.
#[derive(Debug, Clone)]
pub(crate) struct Patterns {
    automaton: AhoCorasick,
    /// By the number of the text.
    meant: Vec<Box<[(Position, u32)]>>,
}

impl Patterns {
    /// The texts of predicates, which are numbered from 0; nothing if they are too many for an automaton.
    pub fn new<'t>(predicates: impl Iterator<Item = &'t AnyCase>) -> Option<Self> {
        let mut by_text: HashMap<&[u8], usize> = HashMap::new();
        let mut texts: Vec<&[u8]> = Vec::new();
        let mut meant: Vec<Vec<(Position, u32)>> = Vec::new();
        for (number, predicate) in (0..).zip(predicates) {
            for (position, text) in predicate.texts() {
                let index = *by_text.entry(text).or_insert_with(|| {
                    texts.push(text);
                    meant.push(Vec::new());
                    texts.len() - 1
                });
                meant.get_mut(index)?.push((*position, number));
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(texts)
            .ok()?;
        Some(Self { automaton, meant: meant.into_iter().map(Into::into).collect() })
    }

    /// Calls `each` with the number of every predicate that holds of a text, some of them several times.
    pub fn find(&self, text: &[u8], mut each: impl FnMut(u32)) {
        let mut state = OverlappingState::start();
        loop {
            // It fails only of automata that are built otherwise.
            let found = self.automaton.try_find_overlapping(Input::new(text), &mut state);
            let (Ok(()), Some(one)) = (found, state.get_match()) else { return };
            let (starts, ends) = (one.start() == 0, one.end() == text.len());
            for (position, number) in self.meant.get(one.pattern().as_usize()).into_iter().flatten()
            {
                let is_there = match position {
                    Position::Whole => starts && ends,
                    Position::Start => starts,
                    Position::End => ends,
                    Position::Within => true,
                };
                if is_there {
                    each(*number);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Position::{End, Start, Whole, Within};

    /// What is found together is what each predicate says alone.
    #[test]
    fn the_automaton_agrees_with_one_predicate_after_another() {
        let words = ["a", "b", "ab", "bA", "aab", "/b"];
        let mut predicates = Vec::new();
        for (index, position) in
            [Whole, Start, End, Within].into_iter().cycle().take(24).enumerate()
        {
            let (one, other) = (words[index % words.len()], words[index / 4 % words.len()]);
            let texts = vec![(position, one.as_bytes().into()), (Start, other.as_bytes().into())];
            predicates.push(AnyCase::new(texts));
        }
        let together = Patterns::new(predicates.iter()).unwrap();
        for text in ["", "a", "AB", "xab", "aabx", "/B", "b/b/ba", "aaab", "AaB/bA"] {
            let mut found = vec![false; predicates.len()];
            together.find(text.as_bytes(), |number| found[number as usize] = true);
            let alone: Vec<bool> =
                predicates.iter().map(|one| one.holds(text.as_bytes())).collect();
            assert_eq!(found, alone, "{text}");
        }
    }
}
