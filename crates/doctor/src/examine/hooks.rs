//! What became of each signal that was tried: its hooks, what was refused, what the verifier went through.

use crate::node::{HookTrial, Node, Trial};
use crate::{Check, Finding, Grade};

/// What the verifier goes through before it gives up (BPF_COMPLEXITY_LIMIT_INSNS), since 5.2.
const VERIFIER_LIMIT: u32 = 1_000_000;

pub fn examine(node: &Node) -> Vec<Finding> {
    let mut findings: Vec<_> = node.signals.iter().flat_map(signal).collect();
    findings.extend(complexity(node));
    findings.push(other_programs(node));
    findings
}

fn signal(trial: &Trial) -> Vec<Finding> {
    let name = format!("signal {}", trial.signal);
    let gravest = if trial.is_default { Grade::Failed } else { Grade::Warning };
    let hooks = match &trial.outcome {
        Ok(hooks) => hooks,
        Err(problem) => return vec![Finding::of_problem(gravest, name, problem)],
    };
    let active = |hook: &&HookTrial| hook.rung.is_some();
    let texts = hooks.iter().filter_map(|hook| Some(format!("{} by {}", hook.hook, hook.rung?)));
    let summary = texts.collect::<Vec<_>>().join(", ");
    let mut findings = Vec::new();
    if hooks.iter().any(|hook| active(&hook)) {
        findings.push(Finding::fine(Check::LADDER, &*name, format!("active: {summary}")));
    }
    for hook in hooks {
        let subject = format!("{name}, hook {}", hook.hook);
        let refused = hook.refused.join("; ");
        let check =
            if refused.contains("lacks CAP_") { Check::CAPABILITIES } else { Check::LADDER };
        findings.extend(match (hook.verdict, hook.refused.is_empty()) {
            ("active", false) => Some(Finding::fine(check, subject, refused).as_note()),
            ("failed", _) => Some(Finding::new(
                gravest,
                check,
                subject,
                format!("failed: {refused}"),
                "see what this process may do: chandra doctor --capabilities",
            )),
            ("unsupported", _) => Some(Finding::new(
                Grade::Warning,
                check,
                subject,
                format!("unsupported: {refused}"),
                "see docs/reference/kernels.md; the other hooks go on without it",
            )),
            ("off", false) => {
                Some(Finding::fine(check, subject, format!("off: {refused}")).as_note())
            }
            _ => None,
        });
    }
    findings
}

fn complexity(node: &Node) -> Option<Finding> {
    let programs = node.signals.iter().flat_map(|trial| {
        trial
            .verified_instructions
            .iter()
            .map(move |(program, count)| (*count, trial.signal, program))
    });
    let programs: Vec<_> = programs.filter(|(count, ..)| *count > 0).collect();
    let (count, signal, program) = programs.iter().max()?;
    let says = format!(
        "{} programs; the most went through is {count} instructions ({program} of {signal}), {:.1} % of the limit",
        programs.len(),
        f64::from(*count) * 100.0 / f64::from(VERIFIER_LIMIT)
    );
    if *count > VERIFIER_LIMIT / 2 {
        let next = "report this with the kernel's version (uname -r)";
        return Some(Finding::new(Grade::Warning, Check::COMPLEXITY, "verifier", says, next));
    }
    Some(Finding::fine(Check::COMPLEXITY, "verifier", says))
}

fn other_programs(node: &Node) -> Finding {
    let (check, subject) = (Check::OTHER_PROGRAMS, "other BPF programs");
    let others = match &node.other_programs {
        Ok(others) => others,
        Err(why) => return Finding::fine(check, subject, format!("not known: {why}")).as_note(),
    };
    if others.is_empty() {
        return Finding::fine(check, subject, "none are attached");
    }
    let mut places: Vec<(&str, Vec<&str>)> = Vec::new();
    for other in others {
        match places.iter_mut().find(|(place, _)| *place == other.place) {
            Some((_, names)) => names.push(&other.name),
            None => places.push((&other.place, vec![&other.name])),
        }
    }
    let texts = places.iter().map(|(place, names)| {
        let shown = names.iter().take(4).copied().collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(4);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{place}: {shown}{more}")
    });
    let says = texts.collect::<Vec<_>>().join("; ") + ". Chandra attaches beside them";
    Finding::fine(check, subject, says).as_note()
}
