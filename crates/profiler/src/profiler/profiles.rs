//! Profiles of what was counted: of all of it, and of windows.

use std::time::{Duration, Instant};

use chandra_profile::filter::Filter;
use chandra_profile::profile::{Limits, Profile};

use super::settling::Waiting;
use super::{Of, Profiler};
use crate::names::{NameFigures, Names, Progress, Wanted};
use crate::stacks::{Shown, Stacks, What};

/// At the end, tables that are being built are waited for so long.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// What was counted in a while, without names, which are looked up when somebody asks.
#[derive(Debug)]
pub struct Window(Stacks);

impl Window {
    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Profiler {
    /// The profile of everything so far of one kind: samples, or waits, and nanoseconds. Looking for names may take some
    /// seconds; `progress` hears how many are found of how many.
    pub fn finish(&mut self, of: Of, what: What, progress: Progress<'_>) -> Profile {
        self.catch_up();
        let until = Instant::now() + LAST_WAIT;
        while self.executables.building() > 0 && Instant::now() < until {
            self.executables.wait_built(until.saturating_duration_since(Instant::now()));
        }
        self.may_wait = false;
        for waiting in std::mem::take(&mut self.waiting) {
            self.settle_or_wait(waiting);
        }
        let none = std::iter::empty();
        let (profile, figures) =
            self.named(of, none, what, Shown::of(&Filter::default()), progress);
        self.measured.of_mut(of).figures.names = figures;
        profile
    }

    /// What was counted of one kind since the last cut, as a window of its own; what comes from now on is in the next
    /// one.
    pub fn cut(&mut self, of: Of) -> Window {
        let cut = std::mem::take(&mut self.measured.of_mut(of).stacks);
        let mut waiting = std::mem::take(&mut self.waiting);
        for waiting in waiting.iter_mut().filter(|waiting| waiting.of == of) {
            waiting.owner = self.measured.of_mut(of).stacks.adopt(&cut, waiting.owner);
        }
        self.waiting = waiting;
        Window(cut)
    }

    /// A sample of this kind with one of these marks waits for tables, and is in no profile yet.
    pub fn is_waiting(&self, of: Of, marks: u8) -> bool {
        let stacks = &self.measured.of(of).stacks;
        let is_it = |it: &Waiting| it.of == of && stacks.marks(it.owner) & marks != 0;
        self.waiting.iter().any(is_it)
    }

    /// The profile of these windows, and of what was counted since the last cut, of owners that are shown. Looking
    /// for names may take some seconds; those of others are not looked for.
    pub fn profile_of<'a>(
        &self,
        of: Of,
        windows: impl Iterator<Item = &'a Window>,
        what: What,
        shown: Shown<'_>,
    ) -> Profile {
        self.named(of, windows, what, shown, &mut |_, _| {}).0
    }

    fn named<'a>(
        &self,
        of: Of,
        windows: impl Iterator<Item = &'a Window>,
        what: What,
        shown: Shown<'_>,
        progress: Progress<'_>,
    ) -> (Profile, NameFigures) {
        let mut profile = Profile::new(of.types(), Limits::default());
        let now = &self.measured.of(of).stacks;
        let all = windows.map(|Window(stacks)| stacks).chain([now]);
        let all: Vec<_> = all.map(|stacks| (stacks, stacks.owners(shown, &mut profile))).collect();
        let mut wanted = Wanted::default();
        all.iter().for_each(|(stacks, owners)| stacks.want(what, owners, &mut wanted));
        let Self { executables, lists, library, .. } = self;
        let names = Names::find(wanted, executables, lists, library, &mut profile, progress);
        let named = (&names, &self.pythons);
        all.iter().for_each(|(stacks, owners)| stacks.write(named, what, owners, &mut profile));
        (profile, names.figures)
    }
}
