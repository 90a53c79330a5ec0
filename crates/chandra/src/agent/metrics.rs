//! The agent's own books in the Prometheus text format. Families of what the signals watch come with
//! the metrics crate.

use std::fmt::Write;

use super::state::AgentState;

/// The body of `/metrics`.
pub fn render(state: &AgentState) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# HELP chandra_signal_active Whether the signal works on this kernel.");
    let _ = writeln!(text, "# TYPE chandra_signal_active gauge");
    for signal in &state.signals {
        let active = u8::from(signal.verdict().is_active());
        let _ = writeln!(
            text,
            "chandra_signal_active{{signal=\"{}\"}} {active}",
            signal.signal.spec.name
        );
    }
    let _ = writeln!(
        text,
        "# HELP chandra_ledger_facts_total Facts by what became of them, from the kernel to the output."
    );
    let _ = writeln!(text, "# TYPE chandra_ledger_facts_total counter");
    for signal in &state.signals {
        let books = signal.books();
        let outcomes = [
            ("seen", books.kernel.seen),
            ("filtered", books.kernel.filtered),
            ("aggregated", books.kernel.aggregated),
            ("sampled_out", books.kernel.sampled_out),
            ("rate_limited", books.kernel.rate_limited),
            ("lost", books.kernel.lost),
            ("submitted", books.kernel.submitted),
            ("decoded", books.decoded),
            ("decode_errors", books.decode_errors),
            ("delivered", books.delivered),
            ("shed", books.shed),
        ];
        for (outcome, count) in outcomes {
            let name = signal.signal.spec.name;
            let _ = writeln!(
                text,
                "chandra_ledger_facts_total{{signal=\"{name}\",outcome=\"{outcome}\"}} {count}"
            );
        }
    }
    let _ = writeln!(
        text,
        "# HELP chandra_ledger_imbalance Facts that no book accounts for; 0 when they balance."
    );
    let _ = writeln!(text, "# TYPE chandra_ledger_imbalance gauge");
    for signal in &state.signals {
        let imbalance = signal.books().imbalance();
        let _ = writeln!(
            text,
            "chandra_ledger_imbalance{{signal=\"{}\"}} {imbalance}",
            signal.signal.spec.name
        );
    }
    text
}
