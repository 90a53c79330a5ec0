//! The ladder of one signal: when it steps down and up, by what it cost in each window and what it may cost.
//!
//! A step down comes after [`OVER`] windows above what is allowed, one after another; a step up after as many
//! windows well below that. Down, so many rungs are taken at once as would do if the cost were proportional,
//! which it never falls faster than; up, one at a time.
//!
//! Invariants:
//! - Between two steps there are [`OVER`] windows at least.
//! - Up goes who costs so little that twice of it is allowed, which is the most that half the sampling can
//!   cost. Below the lowest sampling that is not known beforehand, so there each step up is a trial: one that
//!   fails doubles the time until the next, up to [`LONGEST_WAIT`].
//! - What costs little for long enough is told whole again.

use std::num::NonZeroU32;

use chandra_loader::governed::Share;

/// Windows above what is allowed before a step down, and well below it before a step up.
pub const OVER: u32 = 3;
/// The most windows before a step up is tried again.
pub const LONGEST_WAIT: u32 = 64 * OVER;
/// Of what is allowed: who costs no more than this may step up.
const WELL_BELOW: f64 = 0.4;
/// Of so many facts one is told, at the least: 2 to this.
const MOST_LOG2: u8 = 8;

/// How much of a signal is told; the worse is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// One fact in 2 to this, drawn at random; 0: all.
    OneIn(u8),
    /// None: they are counted in the ledger.
    Counted,
    /// Its hooks are not attached.
    Detached,
}

impl Rung {
    /// Everything is told.
    pub const ALL: Self = Self::OneIn(0);

    /// What the probe is told; `None` for one that is not attached.
    pub fn share(self) -> Option<Share> {
        match self {
            Self::OneIn(log2) => NonZeroU32::new(1 << log2.min(MOST_LOG2)).map(Share::OneIn),
            Self::Counted => Some(Share::Counted),
            Self::Detached => None,
        }
    }

    /// `all`, `1/8`, `counted` or `detached`.
    pub fn word(self) -> String {
        match self {
            Self::OneIn(0) => "all".to_owned(),
            Self::OneIn(log2) => format!("1/{}", 1_u32 << log2.min(MOST_LOG2)),
            Self::Counted => "counted".to_owned(),
            Self::Detached => "detached".to_owned(),
        }
    }
}

/// From one rung to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Where it was.
    pub from: Rung,
    /// Where it is from now on.
    pub to: Rung,
}

impl Step {
    /// Less is told from now on.
    pub fn is_down(self) -> bool {
        self.to > self.from
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Ladder {
    rung: Rung,
    /// What it leaves out can be counted instead of told.
    can_count: bool,
    /// Its hooks can be detached, and attached again.
    can_detach: bool,
    /// Windows in a row above what is allowed, and well below it.
    over: u32,
    under: u32,
    /// Windows well below before a step up.
    wait: u32,
    /// Windows in which the last step up may still fail.
    probation: u32,
}

impl Ladder {
    /// Of a signal that is told whole.
    pub fn new(can_count: bool, can_detach: bool) -> Self {
        Self { rung: Rung::ALL, can_count, can_detach, over: 0, under: 0, wait: OVER, probation: 0 }
    }

    /// A window is over, in which it cost so much, of what is allowed (above 0, in the same unit).
    pub fn window(&mut self, cost: f64, allowed: f64) -> Option<Step> {
        self.over = if cost > allowed { self.over + 1 } else { 0 };
        self.under = if cost <= allowed * WELL_BELOW { self.under + 1 } else { 0 };
        let was_on_probation = self.probation > 0;
        self.probation = self.probation.saturating_sub(1);
        if was_on_probation && self.probation == 0 && self.over == 0 {
            self.wait = (self.wait / 2).max(OVER);
        }
        let below = self.below(cost / allowed);
        if self.over >= OVER && below != self.rung {
            if was_on_probation {
                self.wait = (self.wait * 2).min(LONGEST_WAIT);
            }
            self.probation = 0;
            return Some(self.step(below));
        }
        if self.under >= self.wait && self.rung != Rung::ALL {
            self.probation = self.wait + OVER;
            return Some(self.step(self.above()));
        }
        None
    }

    fn step(&mut self, to: Rung) -> Step {
        (self.over, self.under) = (0, 0);
        Step { from: std::mem::replace(&mut self.rung, to), to }
    }

    /// Where it goes that costs so many times what is allowed; where it is, if that is the lowest rung.
    fn below(&self, times: f64) -> Rung {
        match self.rung {
            Rung::OneIn(log2) if log2 < MOST_LOG2 => {
                let halvings = (1..=MOST_LOG2 - log2).find(|by| times <= f64::from(1_u32 << by));
                Rung::OneIn(halvings.map_or(MOST_LOG2, |by| log2 + by))
            }
            Rung::OneIn(_) if self.can_count => Rung::Counted,
            rung if !self.can_detach => rung,
            Rung::OneIn(_) | Rung::Counted | Rung::Detached => Rung::Detached,
        }
    }

    fn above(&self) -> Rung {
        match self.rung {
            Rung::OneIn(log2) => Rung::OneIn(log2.saturating_sub(1)),
            Rung::Detached if self.can_count => Rung::Counted,
            Rung::Counted | Rung::Detached => Rung::OneIn(MOST_LOG2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What facts cost: those that are looked at, and those that are left out.
    #[derive(Debug, Clone, Copy)]
    struct Load {
        told: f64,
        left_out: f64,
    }

    impl Load {
        fn cost(self, rung: Rung) -> f64 {
            match rung {
                Rung::OneIn(log2) => {
                    let share = 1.0 / f64::from(1_u32 << log2);
                    self.told * share + self.left_out * (1.0 - share)
                }
                Rung::Counted => self.left_out,
                Rung::Detached => 0.0,
            }
        }
    }

    /// The steps of so many windows, each with its number.
    fn run(ladder: &mut Ladder, windows: u32, load: Load, allowed: f64) -> Vec<(u32, Step)> {
        let steps = (0..windows).filter_map(|window| {
            let step = ladder.window(load.cost(ladder.rung), allowed)?;
            Some((window, step))
        });
        steps.collect()
    }

    fn words(steps: &[(u32, Step)]) -> Vec<String> {
        steps
            .iter()
            .map(|(_, step)| format!("{} to {}", step.from.word(), step.to.word()))
            .collect()
    }

    /// Numbers that look random (xorshift), from 0 up to 1.
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }

        /// Over six orders of magnitude.
        fn cost(&mut self) -> f64 {
            10_f64.powf(self.next() * 6.0 - 3.0)
        }

        fn load(&mut self) -> Load {
            let told = self.cost();
            Load { told, left_out: told * self.next() }
        }
    }

    #[test]
    fn a_signal_within_what_is_allowed_is_told_whole() {
        let mut ladder = Ladder::new(true, true);
        assert_eq!(run(&mut ladder, 1000, Load { told: 1.0, left_out: 1.0 }, 1.0), []);
        // Two windows above it are no reason, nor are many that do not follow each other.
        for window in 0..1000 {
            let cost = if window % 3 == 2 { 1.0 } else { 9.0 };
            assert_eq!(ladder.window(cost, 1.0), None);
        }
    }

    #[test]
    fn one_above_it_is_sampled_by_as_much_as_it_is_above_and_stays_there() {
        for (cost, to) in
            [(1.1, "1/2"), (2.0, "1/2"), (2.1, "1/4"), (90.0, "1/128"), (1e9, "1/256")]
        {
            let mut ladder = Ladder::new(true, true);
            let load = Load { told: cost, left_out: 0.0 };
            let steps = run(&mut ladder, OVER, load, 1.0);
            assert_eq!(words(&steps), [format!("all to {to}")]);
            assert_eq!(steps[0].0, OVER - 1, "after three windows");
        }
        let mut ladder = Ladder::new(true, true);
        let load = Load { told: 90.0, left_out: 0.1 };
        assert_eq!(words(&run(&mut ladder, 10_000, load, 1.0)), ["all to 1/128"]);
        let back = run(&mut ladder, 100, Load { told: 0.9, left_out: 0.0 }, 1.0);
        // The last step up waits for a cost of which twice is allowed.
        assert_eq!(back.len(), 6, "{:?}", words(&back));
        assert_eq!(ladder.rung, Rung::OneIn(1));
    }

    #[test]
    fn what_sampling_does_not_help_is_counted_and_then_detached_and_tried_again_seldom() {
        let mut ladder = Ladder::new(true, true);
        let steps = run(&mut ladder, 100, Load { told: 400.0, left_out: 2.0 }, 1.0);
        let down = ["all to 1/256", "1/256 to counted", "counted to detached"];
        assert_eq!(words(&steps[..3]), down);
        assert_eq!(steps[2].0, 3 * OVER - 1);
        // Up, down: each time it waits twice as long.
        let tried: Vec<_> = steps[3..].iter().filter(|(_, step)| !step.is_down()).collect();
        assert!(tried.iter().all(|(_, step)| step.to == Rung::Counted));
        let waits: Vec<_> = tried.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert_eq!(waits, [OVER + 2 * OVER, OVER + 4 * OVER, OVER + 8 * OVER]);

        let mut counts = Ladder::new(false, true);
        let steps = run(&mut counts, 10, Load { told: 400.0, left_out: 2.0 }, 1.0);
        assert_eq!(words(&steps[..2]), ["all to 1/256", "1/256 to detached"]);
        for (can_count, down) in [(true, &down[..2]), (false, &down[..1])] {
            let mut stays = Ladder::new(can_count, false);
            let steps = run(&mut stays, 1000, Load { told: 400.0, left_out: 2.0 }, 1.0);
            assert_eq!(words(&steps), down, "hooks that would not come back are kept");
        }
    }

    /// Whatever a load is, as long as it stays the same: steps become so few that it does not matter, and
    /// where it stays is allowed.
    #[test]
    fn under_a_steady_load_it_comes_to_rest() {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
        for round in 0..2000 {
            let (load, allowed) = (chance.load(), chance.cost());
            let mut ladder = Ladder::new(round % 2 == 0, round % 3 != 0);
            run(&mut ladder, 2000, load, allowed);
            let (mut over, mut steps) = (0, 0);
            for _ in 0..2000 {
                let cost = load.cost(ladder.rung);
                over += u32::from(cost > allowed);
                steps += u32::from(ladder.window(cost, allowed).is_some());
            }
            // A trial and its end in each of the longest waits, three windows each.
            let trials = 2000 / LONGEST_WAIT + 1;
            assert!(steps <= 2 * trials, "{steps} steps of {load:?} in {allowed}");
            // Who cannot go lower stays above what is allowed.
            let over = if round % 3 == 0 { 0 } else { over };
            assert!(over <= trials * OVER, "{over} windows above {allowed} of {load:?}");
        }
    }

    /// Whatever was before: when it costs nothing any more, it is told whole within a bounded time.
    #[test]
    fn it_always_recovers() {
        let mut chance = Chance(42);
        for round in 0..500 {
            let mut ladder = Ladder::new(round % 2 == 0, round % 3 != 0);
            for _ in 0..chance.next().mul_add(1000.0, 10.0) as u32 {
                ladder.window(chance.cost(), 1.0);
            }
            let most = (u32::from(MOST_LOG2) + 2) * LONGEST_WAIT;
            run(&mut ladder, most, Load { told: 0.0, left_out: 0.0 }, 1.0);
            assert_eq!(ladder.rung, Rung::ALL);
        }
    }

    /// Whatever costs come: it never goes up soon after it went down, and takes its time for each step.
    #[test]
    fn it_never_flaps() {
        let mut chance = Chance(7);
        for round in 0..500 {
            let mut ladder = Ladder::new(round % 2 == 0, round % 3 != 0);
            let mut last: Option<(u32, Step)> = None;
            let mut steps = 0;
            for window in 0..3000 {
                // About what is allowed, half as much and half as little again.
                let cost = ladder.rung.share().map_or(0.0, |_| 0.5 + chance.next());
                let Some(step) = ladder.window(cost, 1.0) else { continue };
                steps += 1;
                assert_ne!(step.from, step.to);
                if let Some((before, _)) = last.replace((window, step)) {
                    assert!(window - before >= OVER, "{before} and {window}");
                }
            }
            assert!(steps <= 3000 / OVER / 4, "{steps} steps");
        }
    }
}
