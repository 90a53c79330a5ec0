//! The options of what signals may cost: `--cpu-budget 2%`, `--cpu-budget 1%,file_open=0.5%,system_call=off`.

use std::time::Duration;

use chandra_doctor::Problem;
use chandra_signals::SIGNALS;

use super::common::{bad_value, duration};
use crate::agent::governor::CpuBudgets;

/// A machine has no more cores than this, in percent of one.
const MOST_PERCENT: f64 = 1_000_000.0;
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
const LONGEST_WINDOW: Duration = Duration::from_secs(600);

/// The budgets that are asked for: of all signals, or of one by its name.
pub fn cpu_budgets(texts: &[String], window: Option<&str>) -> Result<CpuBudgets, Problem> {
    let mut budgets = CpuBudgets::default();
    for text in texts {
        match text.split_once('=') {
            Some((name, own)) => budgets.named.push((signal(name.trim())?, percent(own, text)?)),
            None => budgets.total = percent(text, text)?,
        }
    }
    if let Some(text) = window {
        let span = duration(WINDOW, text)?;
        let why = "not from 100ms to 10m";
        let is_fit = (SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&span);
        budgets.window =
            is_fit.then_some(span).ok_or_else(|| bad_value(WINDOW, text, why, "5s"))?;
    }
    Ok(budgets)
}

const WINDOW: &str = "--cpu-budget-window";

fn percent(text: &str, said: &str) -> Result<Option<f64>, Problem> {
    let text = text.trim();
    if text == "off" {
        return Ok(None);
    }
    let number = text.strip_suffix('%').unwrap_or(text).trim_end().parse::<f64>().ok();
    let number = number.filter(|number| *number > 0.0 && *number <= MOST_PERCENT);
    number.map(Some).ok_or_else(|| {
        let why = "not a percentage of one core above 0, or off";
        bad_value("--cpu-budget", said, why, EXAMPLE)
    })
}

fn signal(name: &str) -> Result<&'static str, Problem> {
    let have = || SIGNALS.iter().filter(|signal| signal.spec.governed).map(|it| it.spec.name);
    have().find(|known| *known == name).ok_or_else(|| {
        let names = have().collect::<Vec<_>>().join(", ");
        let why = format!("no signal that can be told in part; there are: {names}");
        bad_value("--cpu-budget", name, &why, EXAMPLE)
    })
}

const EXAMPLE: &str = "--cpu-budget 2%, or --cpu-budget 1%,file_open=0.5%";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str], window: Option<&str>) -> Result<CpuBudgets, Problem> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        cpu_budgets(&texts, window)
    }

    #[test]
    fn a_budget_is_of_all_signals_or_of_one() {
        let default = CpuBudgets::default();
        assert_eq!(parsed(&[], None), Ok(default.clone()));
        assert_eq!((default.total, default.window), (Some(1.0), Duration::from_secs(5)));
        let budgets =
            parsed(&["2.5%", "file_open=0.5", "block_io=off", "file_open=3%"], Some("1s"));
        let budgets = budgets.unwrap();
        assert_eq!((budgets.total, budgets.window), (Some(2.5), Duration::from_secs(1)));
        assert_eq!(budgets.own("file_open"), Some(Some(3.0)), "the last word holds");
        assert_eq!(budgets.own("block_io"), Some(None));
        assert_eq!(budgets.own("system_call"), None);
        assert_eq!(parsed(&["off"], None).unwrap().total, None);
    }

    #[test]
    fn what_is_no_percentage_and_who_is_told_whole_are_refused_with_the_word() {
        for wrong in
            ["0", "-1", "NaN", "inf", "many", "", "file_open=", "file_open=-2", "file_open"]
        {
            let problem = parsed(&[wrong], None).unwrap_err();
            assert!(problem.to_string().contains(&format!("{wrong:?}")), "{problem}");
        }
        let problem = parsed(&["process=5%"], None).unwrap_err().to_string();
        assert!(problem.contains("process") && problem.contains("file_open"), "{problem}");
        for wrong in ["1ms", "1h", "soon"] {
            let problem = parsed(&[], Some(wrong)).unwrap_err().to_string();
            assert!(problem.contains(wrong), "{problem}");
        }
    }
}
