//! What the agent tells Prometheus: its own books, and the families that it feeds.

use chandra_loader::flow_table::Overflow;
use chandra_metrics::{Format, Kind, Writer};

use super::audit;
use super::governor;
use super::kernel_metrics;
use super::otlp;
use super::profiles;
use super::state::{AgentState, Books};

/// A signal: its name, whether it works, and its books.
pub type SignalBooks = (&'static str, bool, Books);

/// The body of `/metrics`.
pub fn render(state: &AgentState, format: Format) -> Vec<u8> {
    let mut body = Vec::new();
    let mut out = Writer::new(format, &mut body);
    write(state, &mut out);
    out.finish();
    body
}

/// Writes all families.
pub fn write(state: &AgentState, out: &mut Writer<'_>) {
    // Read once, so that the families agree.
    let signals = state.signals.iter();
    let signals = signals
        .map(|signal| (signal.signal.spec.name, signal.verdict().is_active(), signal.books()));
    books(&signals.collect::<Vec<_>>(), out);
    let tables = state.signals.iter();
    let tables = tables.filter_map(|it| Some((it.signal.spec.name, it.flow_overflow()?)));
    flow_tables(&tables.collect::<Vec<_>>(), out);
    kernel_metrics::write(&state.signals, out);
    let standings = state.signals.iter().map(|it| (it.signal.spec.name, it.standing()));
    governor::metrics::write(&standings.collect::<Vec<_>>(), out);
    if let Some(audited) = state.audit.latest() {
        audit::write(&audited, out);
    }
    if !state.profiles.is_empty() {
        let figures = state.profiles.iter().map(|it| (it.signal(), it.figures()));
        profiles::write(&figures.collect::<Vec<_>>(), out);
        profiles::write_clients(&state.profile_clients, out);
    }
    if let Some(exported) = state.exported.get() {
        otlp::write(&exported.figures(), out);
    }
    state.registry.write(out);
}

/// Writes what the tables of flows in the kernel had no room for.
pub fn flow_tables(tables: &[(&'static str, Overflow)], out: &mut Writer<'_>) {
    let help = "Flows for which a probe's table had no room: quiet ones that were evicted, new ones that were refused.";
    let mut flows = out.family(Kind::Counter, "chandra_flow_table_overflows", "", help);
    for (signal, overflow) in tables {
        for (outcome, count) in [("evicted", overflow.evicted), ("refused", overflow.refused)] {
            flows.sample(&[("signal", signal), ("outcome", outcome)], count);
        }
    }
}

/// Writes the families of the books.
pub fn books(signals: &[SignalBooks], out: &mut Writer<'_>) {
    let help = "Whether the signal works on this kernel.";
    let mut active = out.family(Kind::Gauge, "chandra_signal_active", "", help);
    for (signal, is_active, _) in signals {
        active.sample(&[("signal", signal)], u64::from(*is_active));
    }
    let help = "Facts by what became of them, from the kernel to the output.";
    let mut facts = out.family(Kind::Counter, "chandra_ledger_facts", "", help);
    for (signal, _, books) in signals {
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
    for (signal, _, books) in signals {
        imbalance.sample(&[("signal", signal)], books.imbalance());
    }
}
