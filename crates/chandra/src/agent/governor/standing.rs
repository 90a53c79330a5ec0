//! How a signal stands with the governor: for `/signals`, `/metrics` and `chandra status`.

use std::collections::BTreeMap;

use chandra_loader::governed::Share;
use chandra_signals::Signal;
use serde_json::{Value, json};

use super::budgets::{CpuBudgets, FLOWS_PERCENT};
use super::ladder::{Rung, Step};

/// What the governor may do with a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Role {
    /// It steps down where it costs too much: more than its own budget, or than its share of that of all.
    Governed {
        /// Its own, in percent of one core.
        own: Option<f64>,
        /// Its hooks may be detached.
        can_detach: bool,
    },
    /// It is told whole whatever it costs, and that it costs too much is said; this is why.
    Exempt(&'static str),
    /// Nobody limits it.
    Unlimited,
}

impl Role {
    /// Of a signal, which rules need or not.
    ///
    /// Flows have a budget of their own that nobody asked for, so they are never out of sight because of it, and the
    /// agent need not keep the rights to attach their hooks again.
    pub fn of(signal: &Signal, rules_need_it: bool, budgets: &CpuBudgets) -> Self {
        match (budgets.own(signal.spec.name), budgets.total) {
            (Some(None), _) | (None, None) => Self::Unlimited,
            (Some(own), _) => Self::Governed { own, can_detach: true },
            (None, Some(_)) => match Self::why_exempt(signal, rules_need_it) {
                Some(why) => Self::Exempt(why),
                None if signal.drawn_by_flow => {
                    Self::Governed { own: Some(FLOWS_PERCENT), can_detach: false }
                }
                None => Self::Governed { own: None, can_detach: true },
            },
        }
    }

    /// The governor may take its hooks away.
    pub fn can_detach(self) -> bool {
        matches!(self, Self::Governed { can_detach: true, .. })
    }

    fn why_exempt(signal: &Signal, rules_need_it: bool) -> Option<&'static str> {
        if !signal.identity.is_empty() {
            Some("identity lives from it")
        } else if rules_need_it {
            Some("rules need it")
        } else {
            signal.told_whole_because
        }
    }
}

/// What a signal cost in a window, in percent of one core.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Its programs in the kernel; `None` where that is not measured.
    pub programs: Option<f64>,
    /// Its part of the threads that read and tell records, by the number of records.
    pub agent: f64,
}

impl Cost {
    /// Both.
    pub fn sum(self) -> f64 {
        self.programs.unwrap_or(0.0) + self.agent
    }
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Standing {
    /// What may be done with it.
    pub role: Role,
    /// How much of it is told.
    pub rung: Rung,
    /// What it cost in the last window.
    pub cost: Option<Cost>,
    /// What it may, in percent of one core.
    pub allowed: Option<f64>,
    /// It is told whole and has cost more for some windows, not only for one.
    pub costs_too_much: bool,
    /// Seconds of a core that its programs took so far: what was measured stands for the whole window.
    pub program_seconds: f64,
    /// And the agent's threads for it.
    pub agent_seconds: f64,
    /// How often it stepped.
    pub steps: BTreeMap<Step, u64>,
}

impl Standing {
    /// Told whole, and nothing measured yet.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            rung: Rung::ALL,
            cost: None,
            allowed: None,
            costs_too_much: false,
            program_seconds: 0.0,
            agent_seconds: 0.0,
            steps: BTreeMap::new(),
        }
    }

    /// Of so many facts one is told; 0 when none is.
    pub fn one_in(&self) -> u32 {
        self.rung.share().map_or(0, Share::one_in)
    }

    /// For machines.
    pub fn describe(&self) -> Value {
        let role = match self.role {
            Role::Governed { .. } => "governed",
            Role::Exempt(_) => "exempt",
            Role::Unlimited => "unlimited",
        };
        let why = match self.role {
            Role::Exempt(why) => Some(why),
            _ => None,
        };
        json!({
            "role": role,
            "why": why,
            "rung": self.rung.word(),
            "sampling_one_in": self.one_in(),
            "cost_percent": self.cost.map(Cost::sum),
            "allowed_percent": self.allowed,
            "costs_too_much": self.costs_too_much,
            "steps": self.steps.values().sum::<u64>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use chandra_signals::registry::signal;

    use super::*;

    fn role(name: &str, rules_need_it: bool, budgets: &CpuBudgets) -> Role {
        Role::of(signal(name).unwrap(), rules_need_it, budgets)
    }

    #[test]
    fn flows_have_a_budget_that_does_not_detach_them_unless_rules_or_words_say_else() {
        let (unsaid, named) = (CpuBudgets::default(), Some(2.0));
        let said = CpuBudgets { named: vec![("tcp", named)], ..CpuBudgets::default() };
        let off = CpuBudgets { named: vec![("tcp", None)], ..CpuBudgets::default() };
        let of_all = CpuBudgets { total: None, ..CpuBudgets::default() };
        let flows = Role::Governed { own: Some(FLOWS_PERCENT), can_detach: false };
        assert_eq!([role("tcp", false, &unsaid), role("udp", false, &unsaid)], [flows; 2]);
        assert_eq!(role("tcp", true, &unsaid), Role::Exempt("rules need it"));
        for rules_need_it in [false, true] {
            let asked_for = Role::Governed { own: named, can_detach: true };
            assert_eq!(role("tcp", rules_need_it, &said), asked_for);
            assert_eq!(role("tcp", rules_need_it, &off), Role::Unlimited);
        }
        assert_eq!(role("tcp", false, &of_all), Role::Unlimited);
    }

    #[test]
    fn others_share_the_budget_of_all_unless_they_are_told_whole() {
        let unsaid = CpuBudgets::default();
        let shares = Role::Governed { own: None, can_detach: true };
        assert_eq!(role("file_open", false, &unsaid), shares);
        assert_eq!(role("process", false, &unsaid), Role::Exempt("identity lives from it"));
        assert!(matches!(role("dns", false, &unsaid), Role::Exempt(_)));
    }
}
