//! Whether a pattern matches a text of which the middle is missing: yes if it does with any middle, no if it
//! does with none.
//!
//! The pattern's automaton is led through the head; through whatever bytes, as many as one likes, to every state
//! that it may be in then; and from each of those through the tail. Where all of them agree, that is the answer.
//! So `(.* )?-t 1( .*)?` holds once the head or the tail has it, however long the rest is.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, MatchKind};
use regex_automata::{nfa::thompson, util::start, util::syntax};

use super::Truth;

/// States that are looked at. Patterns of rules come by with some dozens.
const MAX_STATES: usize = 512;
/// Bytes that a pattern's automaton may take.
const MAX_BYTES: usize = 8 << 20;

/// Bytes of the tail between looks at which states have become the same.
const STRIDE: usize = 32;

/// The automaton of a pattern somewhere in a text, with the states that were found so far.
#[derive(Debug)]
pub(crate) struct Gap(Option<Mutex<(DFA, Cache)>>);

impl Gap {
    /// Of a pattern that compiled before.
    pub fn new(pattern: &str) -> Self {
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(MAX_BYTES)
            .skip_cache_capacity_check(true);
        let built = DFA::builder()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_BYTES)))
            .build(&format!("(?s-u:.*)(?:{pattern})(?s-u:.*)"));
        Self(built.ok().map(|dfa| {
            let cache = dfa.create_cache();
            Mutex::new((dfa, cache))
        }))
    }

    /// Whether it matches; unknown also where that is too much work.
    pub fn holds(&self, head: &[u8], tail: &[u8]) -> Truth {
        let Some(automaton) = &self.0 else { return Truth::Unknown };
        let (dfa, cache) = &mut *automaton.lock().unwrap_or_else(PoisonError::into_inner);
        let clears = cache.clear_count();
        let truth = holds(dfa, cache, head, tail);
        // States are forgotten when there is no room for more, and their numbers given to others.
        truth.filter(|_| cache.clear_count() == clears).unwrap_or(Truth::Unknown)
    }
}

fn holds(dfa: &DFA, cache: &mut Cache, head: &[u8], tail: &[u8]) -> Option<Truth> {
    let anchored = start::Config::new().anchored(Anchored::Yes);
    let begin = dfa.start_state(cache, &anchored).ok()?;
    let behind_head = run(dfa, cache, begin, head)?;
    let mut states = all_behind(dfa, cache, behind_head)?;
    for part in tail.chunks(STRIDE) {
        for state in &mut states {
            *state = run(dfa, cache, *state, part)?;
        }
        states.sort_unstable();
        states.dedup();
    }
    let mut matches = Vec::with_capacity(states.len());
    for state in states {
        matches.push(dfa.next_eoi_state(cache, state).ok()?.is_match());
    }
    let first = *matches.first()?;
    matches.iter().all(|it| *it == first).then(|| Truth::from(first))
}

/// A state, and those that any bytes lead to from it.
fn all_behind(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> Option<Vec<LazyStateID>> {
    let (mut states, mut known) = (vec![state], HashSet::from([state]));
    let mut looked_at = 0;
    while let Some(state) = states.get(looked_at).copied() {
        looked_at += 1;
        for byte in 0..=u8::MAX {
            let next = dfa.next_state(cache, state, byte).ok()?;
            if known.insert(next) {
                states.push(next);
            }
        }
        if states.len() > MAX_STATES {
            return None;
        }
    }
    Some(states)
}

fn run(dfa: &DFA, cache: &mut Cache, mut state: LazyStateID, text: &[u8]) -> Option<LazyStateID> {
    for byte in text {
        state = dfa.next_state(cache, state, *byte).ok()?;
        if state.is_dead() {
            break;
        }
        if state.is_quit() {
            return None;
        }
    }
    Some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_decided_where_no_middle_makes_a_difference() {
        let holds = |pattern: &str, head: &str, tail: &str| {
            Gap::new(&format!(r"\A(?:{pattern})\z")).holds(head.as_bytes(), tail.as_bytes())
        };
        let option = "(?s-u)(.* )?(-t *1|--target[= ]1)( .*)?";
        assert_eq!(holds(option, "-t 1 cat xxx", "xxx"), Truth::True);
        assert_eq!(holds(option, "xxx", "xxx --target=1"), Truth::True);
        assert_eq!(holds(option, "xxx", "xxx"), Truth::Unknown);
        assert_eq!(holds(option, "xxx -t ", "1"), Truth::Unknown);
        assert_eq!(holds("(?s-u)-i( .*)?", "-x ", "-i"), Truth::False);
        assert_eq!(holds("(?s-u)-i( .*)?", "-i x", ""), Truth::True);
        assert_eq!(holds("(?s-u)-i( .*)?", "-i", ""), Truth::Unknown);
        assert_eq!(holds("(?s-u).*[.]ko", "xx", "x.ko"), Truth::True);
        assert_eq!(holds("(?s-u).*[.]ko", "x.ko", "x"), Truth::False);
        assert_eq!(holds("(?s-u)x{4}", "xx", "xxx"), Truth::False);
        // A dot is no end of a line, and no broken character.
        assert_eq!(holds(".*", "x", "x"), Truth::Unknown);
    }

    #[test]
    fn what_is_said_of_a_gap_is_true_of_every_middle_that_is_tried() {
        let patterns =
            ["(?s-u)(.* )?-e( .*)?", "(?s-u)a.*b", "(?s-u)(ab)*", "(?s-u)[^b]*(b[^b]*b)*[^b]*"];
        let texts = ["", "a", "b", "ab", " -e ", "a -e", "abab", "ba"];
        let middles = ["", "a", "b", " ", "-e", " -e ", "ab", "\n", "abba"];
        for pattern in patterns {
            let whole = format!(r"\A(?:{pattern})\z");
            let regex = regex::bytes::Regex::new(&whole).unwrap();
            let gap = Gap::new(&whole);
            for (head, tail) in
                texts.iter().flat_map(|head| texts.iter().map(move |tail| (head, tail)))
            {
                let tried: Vec<bool> = (middles.iter())
                    .map(|middle| regex.is_match(format!("{head}{middle}{tail}").as_bytes()))
                    .collect();
                match gap.holds(head.as_bytes(), tail.as_bytes()) {
                    Truth::True => assert!(tried.iter().all(|it| *it), "{pattern} {head} {tail}"),
                    Truth::False => assert!(!tried.iter().any(|it| *it), "{pattern} {head} {tail}"),
                    Truth::Unknown => {}
                }
            }
        }
    }
}
