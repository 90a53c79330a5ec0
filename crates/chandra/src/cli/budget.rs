//! The option of budgets: `--event-budget 5000`, `--event-budget file_open=2000,process=off`.

use std::num::NonZeroU32;

use chandra_doctor::Problem;
use chandra_loader::budget::{Budget, Budgets, MOST_RECORDS_PER_SECOND};
use chandra_signals::SIGNALS;

use super::common::bad_value;

/// The budgets that are asked for: of all signals, or of one by its name. Where nothing is said of a signal
/// it is `others`.
pub fn budgets(texts: &[String], others: Budget) -> Result<Budgets, Problem> {
    let mut budgets = Budgets { others, named: Vec::new() };
    for text in texts {
        match text.split_once('=') {
            Some((name, rate)) => budgets.named.push((signal(name.trim())?, budget(rate, text)?)),
            None => budgets.others = budget(text, text)?,
        }
    }
    Ok(budgets)
}

fn budget(rate: &str, said: &str) -> Result<Budget, Problem> {
    let rate = rate.trim();
    let number =
        || rate.parse::<NonZeroU32>().ok().filter(|rate| rate.get() <= MOST_RECORDS_PER_SECOND);
    match rate {
        "off" => Ok(Budget::Off),
        "default" => Ok(Budget::Own),
        _ => number().map(Budget::Rate).ok_or_else(|| {
            let why = "not a number of records a second from 1 to 10000000, default or off";
            bad_value("--event-budget", said, why, EXAMPLE)
        }),
    }
}

fn signal(name: &str) -> Result<&'static str, Problem> {
    let have = || SIGNALS.iter().filter(|signal| signal.spec.records_per_second.is_some());
    let known = have().map(|signal| signal.spec.name).find(|known| *known == name);
    known.ok_or_else(|| {
        let names: Vec<_> = have().map(|signal| signal.spec.name).collect();
        let why = format!("no signal with a budget; there are: {}", names.join(", "));
        bad_value("--event-budget", name, &why, EXAMPLE)
    })
}

const EXAMPLE: &str = "--event-budget 5000, or --event-budget file_open=5000,process=off";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<Budgets, Problem> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        budgets(&texts, Budget::Own)
    }

    fn rate(records_per_second: u32) -> Budget {
        Budget::Rate(NonZeroU32::new(records_per_second).unwrap())
    }

    #[test]
    fn a_budget_is_of_all_signals_or_of_one() {
        let named = Vec::new();
        assert_eq!(parsed(&[]), Ok(Budgets { others: Budget::Own, named: named.clone() }));
        assert_eq!(parsed(&["off"]), Ok(Budgets { others: Budget::Off, named }));
        let named = vec![("file_open", rate(20)), ("process", Budget::Own)];
        let both = parsed(&["5000", "file_open=20", "process=default"]);
        assert_eq!(both, Ok(Budgets { others: rate(5000), named }));
    }

    #[test]
    fn what_is_no_rate_and_who_has_no_budget_are_refused_with_the_word() {
        for wrong in ["0", "-1", "1.5", "10000001", "many", "", "file_open=", "tcp=x", "file_open"]
        {
            let problem = parsed(&[wrong]).unwrap_err();
            assert!(problem.to_string().contains(&format!("{wrong:?}")), "{problem}");
        }
        let problem = parsed(&["block_io=5"]).unwrap_err().to_string();
        assert!(problem.contains("block_io") && problem.contains("file_open"), "{problem}");
    }
}
