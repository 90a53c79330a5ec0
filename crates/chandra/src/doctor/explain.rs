//! `chandra doctor --explain TEXT`: the check of any message. One of Chandra's own names it; others are
//! recognised by their words.

use std::process::ExitCode;

use chandra_doctor::cause::{Circumstances, explain};
use chandra_doctor::{Check, Problem, capabilities};
use serde_json::json;

use super::gather;
use crate::cli::doctor::DoctorFormat;
use crate::output;

/// Tells the causes of a message, the likeliest first.
pub fn run(text: &str, format: DoctorFormat) -> Result<ExitCode, Problem> {
    let causes = explain(text, &circumstances());
    let named = named(text).filter(|check| causes.iter().all(|cause| cause.check != *check));
    if causes.is_empty() && named.is_none() {
        return Err(Problem::new(
            Check::USAGE,
            "this message is not known",
            "none of the known causes leaves such words",
            "look at the node itself: chandra doctor; and at docs/troubleshooting.md",
        ));
    }
    let text = match format {
        DoctorFormat::Json => {
            let causes = causes.iter().map(|cause| {
                json!({
                    "check": cause.check.id,
                    "title": cause.check.title,
                    "why": cause.why,
                    "next": cause.next,
                    "see": cause.check.page(),
                })
            });
            let named = named.iter().map(
                |check| json!({ "check": check.id, "title": check.title, "see": check.page() }),
            );
            json!({ "causes": causes.chain(named).collect::<Vec<_>>() }).to_string() + "\n"
        }
        DoctorFormat::Table => {
            let causes = causes.iter().map(|cause| {
                let (check, why, next) = (cause.check, cause.why, cause.next);
                let (id, title, page) = (check.id, check.title, check.page());
                format!("{id}: {title}\n  why:  {why}\n  next: {next}\n  see:  {page}\n")
            });
            let named = named
                .iter()
                .map(|check| format!("{}: {}\n  see:  {}\n", check.id, check.title, check.page()));
            causes.chain(named).collect()
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The check that one of Chandra's own messages names.
fn named(text: &str) -> Option<Check> {
    let (_, rest) = text.split_once("docs/troubleshooting.md#")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
    Check::by_id(rest.get(..end)?)
}

/// Of this machine, where the message most likely comes from.
fn circumstances() -> Circumstances {
    let held = chandra_loader::capability::effective();
    let may_load =
        ["CAP_BPF", "CAP_PERFMON"].iter().all(|capability| capabilities::has(held, capability));
    Circumstances {
        counts_locked_memory: Some(!gather::kernel().is_at_least(5, 11)),
        may_load: Some(may_load),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chandras_own_messages_name_their_check() {
        assert_eq!(named("  see:  docs/troubleshooting.md#btf (The kernel's …)"), Some(Check::BTF));
        assert_eq!(named("docs/troubleshooting.md#kptr-restrict"), Some(Check::KPTR_RESTRICT));
        assert_eq!(named("docs/troubleshooting.md#nothing"), None);
    }
}
