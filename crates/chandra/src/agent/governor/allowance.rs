//! What each signal may cost, of one budget for all of them.
//!
//! A signal may cost what the others leave of the budget, and its fair share at least: so one that costs much
//! is the one that steps down, and none does because of what others cost.

/// What a signal costs, and by whose leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spender {
    /// In percent of one core.
    pub cost: f64,
    /// A budget of its own, outside that of all.
    pub own: Option<f64>,
    /// It can step down.
    pub is_governed: bool,
}

/// What each of them may cost, in percent of one core; `None` where nobody says.
pub fn allowances(budget: Option<f64>, spenders: &[Spender]) -> Vec<Option<f64>> {
    let shares = || spenders.iter().filter(|spender| spender.own.is_none());
    let all: f64 = shares().map(|spender| spender.cost).sum();
    let (governed, everybody) = (shares().filter(|it| it.is_governed).count(), shares().count());
    let allowance = |spender: &Spender| {
        if spender.own.is_some() {
            return spender.own;
        }
        let heads = if spender.is_governed { governed } else { everybody };
        let left = |budget: f64| budget - (all - spender.cost);
        // There are far fewer than 2^32 signals.
        budget.map(|budget| left(budget).max(budget / heads as f64))
    };
    spenders.iter().map(allowance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn governed(cost: f64) -> Spender {
        Spender { cost, own: None, is_governed: true }
    }

    #[test]
    fn who_is_alone_has_all_of_it() {
        assert_eq!(allowances(Some(1.0), &[governed(5.0)]), [Some(1.0)]);
        assert_eq!(allowances(None, &[governed(5.0)]), [None]);
    }

    #[test]
    fn what_others_leave_may_be_spent_and_a_fair_share_at_least() {
        let spenders = [governed(0.125), governed(5.0), governed(0.125), governed(0.0)];
        let allowed = allowances(Some(1.0), &spenders);
        assert_eq!(allowed, [Some(0.25), Some(0.75), Some(0.25), Some(0.25)]);
        let over: Vec<_> =
            spenders.iter().zip(allowed).map(|(it, most)| it.cost > most.unwrap()).collect();
        assert_eq!(over, [false, true, false, false], "only the one that costs much");
    }

    #[test]
    fn who_is_not_governed_takes_of_it_but_never_all() {
        let exempt = Spender { is_governed: false, ..governed(3.0) };
        let allowed = allowances(Some(1.0), &[exempt, governed(0.5), governed(0.5)]);
        assert_eq!(allowed[1..], [Some(0.5), Some(0.5)]);
        assert_eq!(allowed[0], Some(1.0 / 3.0), "which is why it is warned of");
    }

    #[test]
    fn a_budget_of_its_own_is_outside_that_of_all() {
        let own = Spender { own: Some(4.0), ..governed(3.0) };
        assert_eq!(allowances(Some(1.0), &[own, governed(0.5)]), [Some(4.0), Some(1.0)]);
        assert_eq!(allowances(None, &[own, governed(0.5)]), [Some(4.0), None]);
    }
}
