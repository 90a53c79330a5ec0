//! The last windows of a profile, within a budget.
//!
//! Invariants: windows stand in the order of time; together they take no more than the budget, whatever one of them
//! takes; what made room for others is counted, and up to when that was is known. One may be cut before it is as long
//! as the others, so that another begins at that moment.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a window is.
pub const WINDOW: Duration = Duration::from_secs(10);

/// What a window keeps, and what that takes.
#[derive(Debug)]
struct Kept<W> {
    began: Instant,
    ended: Instant,
    bytes: usize,
    window: W,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Windows<W> {
    budget_bytes: usize,
    bytes: usize,
    dropped: u64,
    /// When the last of those ended.
    dropped_until: Option<Instant>,
    kept: VecDeque<Kept<W>>,
    began: Instant,
}

impl<W> Windows<W> {
    /// None yet; the first begins now.
    pub fn new(budget_bytes: usize, now: Instant) -> Self {
        let kept = VecDeque::new();
        Self { budget_bytes, bytes: 0, dropped: 0, dropped_until: None, kept, began: now }
    }

    /// The one that is under way is over.
    pub fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.began) >= WINDOW
    }

    /// When the one that is under way began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Keeps the one that was under way; the next begins.
    pub fn push(&mut self, window: W, bytes: usize, now: Instant) {
        let began = std::mem::replace(&mut self.began, now);
        self.bytes += bytes;
        self.kept.push_back(Kept { began, ended: now, bytes, window });
        while self.bytes > self.budget_bytes {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.bytes;
            self.dropped += 1;
            self.dropped_until = Some(oldest.ended);
        }
    }

    /// Those that ended in so long a time before `now`, and since when they and the one under way are.
    pub fn last(&self, time: Duration, now: Instant) -> (impl Iterator<Item = &W>, Instant) {
        let is_in = move |kept: &&Kept<W>| now.duration_since(kept.ended) < time;
        let oldest = self.kept.iter().rev().take_while(is_in).last();
        let since = oldest.map_or(self.began, |kept| kept.began);
        (self.kept.iter().filter(is_in).map(|kept| &kept.window), since)
    }

    /// Those that began at this moment or later, and how much of that time made room for others.
    pub fn since(&self, began: Instant) -> (impl Iterator<Item = &W>, Duration) {
        let missing =
            self.dropped_until.map_or(Duration::ZERO, |it| it.saturating_duration_since(began));
        let kept = self.kept.iter().filter(move |kept| kept.began >= began);
        (kept.map(|kept| &kept.window), missing)
    }

    /// Windows, their bytes, and how many made room for others.
    pub fn figures(&self) -> (usize, usize, u64) {
        (self.kept.len(), self.bytes, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let start = Instant::now();
        let mut windows = Windows::new(100, start);
        for (number, bytes) in [(1_u64, 40), (2, 40), (3, 40)] {
            windows.push(number, bytes, at(start, number * 10));
        }
        assert_eq!(windows.figures(), (2, 80, 1));
        let (kept, _) = windows.last(Duration::from_secs(60), at(start, 30));
        assert_eq!(kept.copied().collect::<Vec<_>>(), [2, 3]);
        windows.push(4, 101, at(start, 40));
        assert_eq!(windows.figures(), (0, 0, 4));
    }

    #[test]
    fn only_the_last_seconds_are_asked_for() {
        let start = Instant::now();
        let mut windows = Windows::new(100, start);
        assert!(!windows.is_due(at(start, 9)) && windows.is_due(at(start, 10)));
        for number in 1_u64..=4 {
            windows.push(number, 1, at(start, number * 10));
        }
        let now = at(start, 43);
        let (kept, since) = windows.last(Duration::from_secs(20), now);
        assert_eq!((kept.copied().collect::<Vec<_>>(), since), (vec![3, 4], at(start, 20)));
        let (kept, since) = windows.last(Duration::from_secs(1), now);
        assert_eq!((kept.count(), since), (0, at(start, 40)));
    }

    #[test]
    fn what_began_at_a_moment_is_told_with_what_of_it_is_missing() {
        let start = Instant::now();
        let mut windows = Windows::new(3, start);
        windows.push(1_u64, 1, at(start, 10));
        // Cut early, because somebody begins here.
        windows.push(2, 1, at(start, 14));
        windows.push(3, 1, at(start, 24));
        let told = |windows: &Windows<u64>| {
            let (kept, missing) = windows.since(at(start, 14));
            (kept.copied().collect::<Vec<_>>(), missing.as_secs())
        };
        assert_eq!(told(&windows), (vec![3], 0));
        // What it asked for begins where the window does, however short those before it are.
        assert_eq!(windows.last(Duration::from_secs(15), at(start, 25)).1, at(start, 10));
        windows.push(4, 1, at(start, 34));
        windows.push(5, 2, at(start, 44));
        assert_eq!(told(&windows), (vec![4, 5], 10));
    }
}
