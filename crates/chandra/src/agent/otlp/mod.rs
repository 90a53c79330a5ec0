//! The export by OpenTelemetry's protocol: all that `/metrics` tells, alerts, dropped packets, requests over HTTP, and
//! profiles.
//!
//! It begins before anything is told and ends after all was, so that what is told last goes out too, for which it
//! has [`LAST_WORDS`]. A collector that is away costs nothing but what it was to be told, which is counted.

mod drops;
mod spans;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chandra_alerts::sink::{self, Take, Taker, Target};
use chandra_doctor::{Check, Problem};
use chandra_metrics::{Kind, Writer};
use chandra_otlp::figures::SignalFigures;
use chandra_otlp::{Exporter, Figures, Logs, Node, Resource};

use super::metrics;
use super::state::{AgentState, SignalState};
use crate::cli::agent::AgentOptions;
pub use drops::{Drops, kinds};
pub use spans::Spans;

/// How long the collector may take for what is told last.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Alerts that wait to become log records at most.
const QUEUE: usize = 1024;

/// Starts it, where it is asked for.
pub fn start(options: &AgentOptions, state: &Arc<AgentState>) -> Result<Option<Exporter>, Problem> {
    let Some(settings) = &options.otlp else { return Ok(None) };
    let identity = &options.identity;
    let is_of_kubernetes = identity.sources.kubernetes.is_some();
    let node = Node::here(&identity.node, is_of_kubernetes);
    let resource = Resource::new(&node, env!("CARGO_PKG_VERSION"), &settings.attributes);
    let now = SystemTime::now();
    let started = now.checked_sub(state.started.elapsed()).unwrap_or(now);
    let told = Arc::clone(state);
    let collect = move |out: &mut Writer<'_>| metrics::write(&told, out);
    let tell = |what: &str| eprintln!("warning: otlp: {what}");
    let exporter =
        Exporter::start(settings, &resource, started, collect, tell).map_err(|error| {
            Problem::new(Check::USAGE, "cannot export by OTLP", error, "leave --otlp-endpoint out")
        })?;
    let _ = state.exported.set(exporter.exported());
    if let Some(way) = exporter.profiles() {
        match state.profiles.first() {
            Some(profiles) => profiles.export(way),
            None => eprintln!(
                "warning: otlp: no signal makes profiles; take cpu_profile or off_cpu into --signals"
            ),
        }
    }
    let tells_of_requests = |signal: &SignalState| signal.signal.spec.name == "http_request";
    if exporter.traces().is_some() && !state.signals.iter().any(tells_of_requests) {
        eprintln!("warning: otlp: no signal makes spans; take http_request into --signals");
    }
    for destination in &settings.destinations {
        eprintln!("otlp: {} to {}", destination.signal, destination.endpoint.authority);
    }
    Ok(Some(exporter))
}

/// Sends what there is, and says what is left.
pub fn stop(exporter: Exporter) {
    for figures in exporter.stop(LAST_WORDS) {
        let SignalFigures { signal, made, sent, drops, .. } = figures;
        let dropped: u64 = drops.iter().map(|(_, count)| count).sum();
        eprintln!("otlp: {sent} of {made} {} sent, {dropped} dropped", signal.items());
    }
}

/// The sink of alerts that makes log records of them.
pub fn sink(logs: Logs) -> sink::Options {
    let taker: Arc<dyn Take> = Arc::new(logs);
    sink::Options { name: "otlp".into(), target: Target::Taken(Taker(taker)), queue: QUEUE }
}

/// Tells Prometheus what became of what was to be told.
pub fn write(figures: &Figures, out: &mut Writer<'_>) {
    let mut counts = |kind, name: &str, help, value: fn(&SignalFigures) -> u64| {
        let unit = if name.ends_with("_bytes") { "bytes" } else { "" };
        let mut family = out.family(kind, name, unit, help);
        for figures in figures {
            family.sample(&[("signal", figures.signal.word())], value(figures));
        }
    };
    let help = "What was to be exported by OTLP (data points, log records, spans, profiles): sent, dropped or queued.";
    counts(Kind::Counter, "chandra_otlp_items", help, |figures| figures.made);
    let help = "Data points, log records, spans and profiles that a collector of OTLP took.";
    counts(Kind::Counter, "chandra_otlp_sent", help, |figures| figures.sent);
    let help = "Data points, log records, spans and profiles that wait to be sent by OTLP.";
    counts(Kind::Gauge, "chandra_otlp_queued", help, |figures| figures.queued);
    let help = "Memory of the requests of OTLP that wait.";
    counts(Kind::Gauge, "chandra_otlp_queue_bytes", help, |figures| figures.queue_bytes);
    let help = "Requests that a collector of OTLP took.";
    counts(Kind::Counter, "chandra_otlp_requests", help, |figures| figures.requests);
    if figures.iter().any(|figures| !figures.drops.is_empty()) {
        write_drops(figures, out);
    }
    if figures.iter().any(|figures| !figures.failures.is_empty()) {
        write_failures(figures, out);
    }
}

fn write_drops(figures: &Figures, out: &mut Writer<'_>) {
    let help = "Data points, log records, spans and profiles that OTLP did not tell, by cause.";
    let mut dropped = out.family(Kind::Counter, "chandra_otlp_dropped", "", help);
    for SignalFigures { signal, drops, .. } in figures {
        for (cause, count) in drops {
            dropped.sample(&[("signal", signal.word()), ("cause", cause.name())], *count);
        }
    }
}

fn write_failures(figures: &Figures, out: &mut Writer<'_>) {
    let help = "Requests of OTLP that failed, by reason; those that are tried again, each time.";
    let mut failed = out.family(Kind::Counter, "chandra_otlp_failed_requests", "", help);
    for SignalFigures { signal, failures, .. } in figures {
        for (reason, count) in failures {
            failed.sample(&[("signal", signal.word()), ("reason", reason)], *count);
        }
    }
}

/// Figures of which every family has a series.
#[cfg(test)]
pub fn example() -> Figures {
    use chandra_otlp::Signal;
    use chandra_otlp::figures::Cause;

    let drops = vec![(Cause::QueueFull, 0)];
    let failures = vec![("timeout".to_owned(), 0)];
    vec![SignalFigures { drops, failures, ..SignalFigures::none(Signal::Metrics) }]
}
