//! Who is selected: decided for each container as a whole, and told to the kernel, which then drops the
//! records of the others itself.
//!
//! Invariant: the kernel only drops what was decided against here. What is not decided there passes, and
//! is decided here, so a container's first records are never lost to a decision that came late.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;

use chandra_identity::container::Number;
use chandra_identity::selector::{Selector, Subject, Verdict};
use chandra_identity::{Identity, Standing, subject};
use chandra_loader::selection::Selection;

/// Containers are decided of anew at most so often.
const PACE_NS: u64 = 5_000_000;

/// A cgroup: hierarchy and id.
type Cgroup = (u32, u64);

/// See the [module](self).
#[derive(Debug)]
pub struct Choice<'a> {
    selector: &'a Selector,
    node: &'a str,
    /// The kernel's tables of the signals that are told.
    kernel: Vec<Selection>,
    verdicts: HashMap<Number, Verdict>,
    /// What the kernel was told.
    decided: HashMap<Cgroup, Option<NonZeroU32>>,
    is_due: bool,
    decided_at_ns: u64,
    /// Decisions that the kernel had no room for, or refused.
    pub refused: u64,
}

impl<'a> Choice<'a> {
    /// A choice by this selector, on this node.
    pub fn new(selector: &'a Selector, node: &'a str, kernel: Vec<Selection>) -> Self {
        Self {
            selector,
            node,
            kernel,
            verdicts: HashMap::new(),
            decided: HashMap::new(),
            is_due: true,
            decided_at_ns: 0,
            refused: 0,
        }
    }

    /// Whether a record of this container is selected; without one it is of the host.
    pub fn of(&mut self, identity: &mut Identity, number: Option<Number>, now_ns: u64) -> Verdict {
        if self.selector.is_empty() {
            return Verdict::Yes;
        }
        let Some(number) = number else {
            let place = chandra_identity::selector::Place::Host;
            let host = Subject { place, node: Some(self.node), ..Subject::default() };
            return self.selector.matches(&host);
        };
        if let Some(verdict) = self.verdicts.get(&number) {
            return *verdict;
        }
        let is_awaited = identity.standing(number, now_ns) == Standing::Awaited;
        let verdict =
            self.selector.matches(&subject(&identity.who_is(number), is_awaited, self.node));
        if verdict != Verdict::Unknown {
            self.verdicts.insert(number, verdict);
        }
        verdict
    }

    /// Something was described, or a container is new: what was decided may not hold any more.
    pub fn forget(&mut self) {
        self.is_due = true;
        self.verdicts.clear();
    }

    /// The kernel waits for decisions.
    pub fn is_due(&self) -> bool {
        self.is_due && !self.kernel.is_empty()
    }

    /// Decides anew, if that is due.
    pub fn decide(&mut self, identity: &mut Identity, now_ns: u64) {
        let is_paced = now_ns.saturating_sub(self.decided_at_ns) >= PACE_NS;
        if self.selector.is_empty() || !self.is_due || !is_paced {
            return;
        }
        (self.is_due, self.decided_at_ns) = (false, now_ns);
        if self.kernel.is_empty() || !self.selector.asks_for_container() {
            return;
        }
        let mut cgroups = Vec::new();
        identity.cgroups.each_own(|hierarchy, id, number| cgroups.push(((hierarchy, id), number)));
        let mut wanted: HashMap<Cgroup, Option<NonZeroU32>> = HashMap::new();
        for (cgroup, number) in cgroups {
            match self.of(identity, Some(number), now_ns) {
                Verdict::Yes => drop(wanted.insert(cgroup, NonZeroU32::new(number.get()))),
                Verdict::No => drop(wanted.insert(cgroup, None)),
                Verdict::Unknown => {}
            }
        }
        identity.cgroups.each_host_service(|hierarchy, id| {
            wanted.insert((hierarchy, id), None);
        });
        self.tell_kernel(wanted);
    }

    fn tell_kernel(&mut self, wanted: HashMap<Cgroup, Option<NonZeroU32>>) {
        let gone = self.decided.keys().filter(|cgroup| !wanted.contains_key(cgroup));
        let gone: HashSet<Cgroup> = gone.copied().collect();
        for selection in &self.kernel {
            for (hierarchy, id) in &gone {
                self.refused += u64::from(selection.forget(*hierarchy, *id).is_err());
            }
            for ((hierarchy, id), number) in &wanted {
                if self.decided.get(&(*hierarchy, *id)) != Some(number) {
                    let told = selection.decide(*hierarchy, *id, *number);
                    self.refused += u64::from(told.is_err());
                }
            }
        }
        self.decided = wanted;
    }
}
