//! What the agent tells Prometheus: its own books, and the families that it feeds.

use chandra_metrics::{Format, Kind, Writer};

use super::audit;
use super::kernel_metrics;
use super::state::{AgentState, SignalState};

/// The body of `/metrics`.
pub fn render(state: &AgentState, format: Format) -> String {
    let mut text = String::new();
    let mut out = Writer::new(format, &mut text);
    books(&state.signals, &mut out);
    kernel_metrics::write(&state.signals, &mut out);
    if let Some(audited) = state.audit.latest() {
        audit::write(&audited, &mut out);
    }
    state.registry.write(&mut out);
    out.finish();
    text
}

fn books(signals: &[SignalState], out: &mut Writer<'_>) {
    let help = "Whether the signal works on this kernel.";
    let mut active = out.family(Kind::Gauge, "chandra_signal_active", "", help);
    for signal in signals {
        let is_active = u64::from(signal.verdict().is_active());
        active.sample(&[("signal", signal.signal.spec.name)], is_active);
    }
    // Read once, so that the families agree.
    let books: Vec<_> =
        signals.iter().map(|signal| (signal.signal.spec.name, signal.books())).collect();
    let help = "Facts by what became of them, from the kernel to the output.";
    let mut facts = out.family(Kind::Counter, "chandra_ledger_facts", "", help);
    for (signal, books) in &books {
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
            facts.sample(&[("signal", signal), ("outcome", outcome)], count);
        }
    }
    let help = "Facts that no book accounts for; 0 when they balance.";
    let mut imbalance = out.family(Kind::Gauge, "chandra_ledger_imbalance", "", help);
    for (signal, books) in &books {
        imbalance.sample(&[("signal", signal)], books.imbalance());
    }
}
