//! Findings and needs, for people and for machines.

use std::fmt::Write;

use chandra_doctor::capabilities::{self, Need};
use chandra_doctor::{Finding, Grade, Report};
use serde_json::{Value, json};

/// A line for each finding, with what to do below it, and a line that sums them up.
pub fn table(report: &Report) -> String {
    let width =
        report.findings.iter().map(|found| found.subject.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { check, subject, grade, says, next } in &report.findings {
        let _ = writeln!(text, "{:<9}{subject:<width$}  {says}", grade.word());
        if let (Some(next), true) = (next, *grade > Grade::Fine) {
            let _ = writeln!(text, "{:<9}{:<width$}  next: {next} ({})", "", "", check.page());
        }
    }
    let counts = [Grade::Failed, Grade::Warning, Grade::Note, Grade::Fine]
        .map(|grade| format!("{} {}", report.count(grade), grade.word()));
    let _ = writeln!(text, "{}", counts.join(", "));
    text
}

/// One object.
pub fn json(report: &Report) -> String {
    let findings: Vec<_> = report.findings.iter().map(finding).collect();
    json!({ "verdict": report.worst().word(), "findings": findings }).to_string() + "\n"
}

fn finding(found: &Finding) -> Value {
    json!({
        "check": found.check.id,
        "subject": found.subject,
        "grade": found.grade.word(),
        "says": found.says,
        "next": found.next,
        "see": found.check.page(),
    })
}

/// A line for each capability.
pub fn needs_table(needs: &[Need], held: u64) -> String {
    let mut text = String::new();
    for need in needs {
        let word = if need.is_optional { "optional" } else { "needed" };
        let held = if capabilities::has(held, need.capability) { "held" } else { "missing" };
        let _ = writeln!(text, "{:<18}{word:<10}{held:<9}{}", need.capability, need.by.join(", "));
    }
    text
}

/// One object.
pub fn needs_json(needs: &[Need], held: u64) -> String {
    let needs: Vec<_> = needs
        .iter()
        .map(|need| {
            json!({
                "capability": need.capability,
                "is_optional": need.is_optional,
                "is_held": capabilities::has(held, need.capability),
                "by": need.by,
            })
        })
        .collect();
    json!({ "capabilities": needs }).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_doctor::Check;

    #[test]
    fn findings_stand_below_each_other_with_what_to_do() {
        let report = Report {
            findings: vec![
                Finding::fine(Check::KERNEL, "kernel", "6.18.0"),
                Finding::new(Grade::Failed, Check::BTF, "types", "none", "--btf FILE"),
            ],
        };
        assert_eq!(
            table(&report),
            "ok       kernel  6.18.0\nfailed   types   none\n                 next: --btf FILE \
             (docs/troubleshooting.md#btf)\n1 failed, 0 warning, 0 note, 1 ok\n"
        );
        let json: Value = serde_json::from_str(&json(&report)).unwrap();
        assert_eq!(json["verdict"], "failed");
        assert_eq!(json["findings"][1]["see"], "docs/troubleshooting.md#btf");
        assert_eq!(json["findings"][0]["next"], Value::Null);
    }
}
