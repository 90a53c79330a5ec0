//! docs/reference/metrics.md: every family that an agent tells, drawn from the code that tells it.
//!
//! Families that the agent writes itself show their labels in samples, so they are given figures in which
//! everything occurs; those of the registry say what they have.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use chandra_loader::abi::Counters;
use chandra_loader::flow_table::Overflow;
use chandra_metrics::hubble::{HubbleMetrics, Options};
use chandra_metrics::network::{Level, Levels, NetworkMetrics};
use chandra_metrics::{Heading, Kind, Reading, Registry, Sink, Writer};
use chandra_signals::{MetricKind, SIGNALS, Signal};

use super::state::Books;
use super::{
    audit, budgets, export, governor, leveled, metrics, oom_kills, otlp, profiles, signals_sent,
    tcp_health, throttling, waits,
};
use crate::cli::kernel_levels::has_levels;

const HEAD: &str = "\
# Metrics

Every family that `chandra agent` tells on `/metrics`, drawn from the code; the guide to them is
[Metrics and flow logs](../guides/metrics.md). A family is told where it has a series.

- Families named `hubble_` have the labels of their contexts before those that stand here
  (`--hubble-metrics`), and `query` or `port` where that is asked for. Of `http` and `httpV2` one can be
  chosen; `hubble_http_requests_total` of `httpV2` has `status`, too.
- Histograms of times stand here with the labels of their finest level, `pod` (`--metrics-levels`). To a
  server that asks for protobuf they are native histograms, too: schema 3, from 2^-30 to 2^50.
- Families of signals that only count in the kernel are told while the signal is on (`--signals`), and have
  `namespace`, `workload_kind`, `workload` and `pod` only where that is asked for (`--kernel-metrics-levels`).
- A series whose labels all say `overflow` has what its family had no room for (`--metrics-max-series`).

| metric | type | labels | what it tells |
|---|---|---|---|
";

/// What is told of families.
#[derive(Debug, Default)]
struct Catalogue {
    families: BTreeMap<String, Row>,
    current: String,
}

#[derive(Debug)]
struct Row {
    kind: Kind,
    labels: Vec<String>,
    help: String,
}

impl Sink for &mut Catalogue {
    fn family(&mut self, heading: &Heading<'_>) {
        let Heading { kind, name, help, .. } = *heading;
        self.current = format!("{name}{}", if kind == Kind::Counter { "_total" } else { "" });
        let row = Row { kind, labels: Vec::new(), help: help.to_owned() };
        assert!(self.families.insert(self.current.clone(), row).is_none(), "{name} comes twice");
    }

    fn series<'v>(
        &mut self,
        labels: &mut dyn Iterator<Item = (&'v str, &'v str)>,
        _: &Reading,
        _: Option<u64>,
    ) {
        let labels: Vec<_> = labels.map(|(name, _)| name.to_owned()).collect();
        self.families.get_mut(&self.current).unwrap().labels = labels;
    }

    fn finish(&mut self) {}
}

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let mut out = Writer::to(&mut catalogue);
    let books = Books {
        kernel: Counters::ZERO,
        decoded: 0,
        decode_errors: 0,
        learnt: 0,
        not_selected: 0,
        delivered: 0,
        shed: 0,
    };
    metrics::books(&[("tcp", true, books)], &mut out);
    metrics::flow_tables(&[("tcp", Overflow::default())], &mut out);
    governor::metrics::write(&[("file_open", governor::metrics::example())], &mut out);
    audit::write(&audit::example(), &mut out);
    profiles::write(&[("cpu_profile", profiles::Figures::default())], &mut out);
    profiles::write_clients(&Default::default(), &mut out);
    otlp::write(&otlp::example(), &mut out);
    let registry = Registry::default();
    let all = "dns drop flow flows-to-world http icmp policy port-distribution sctp tcp";
    let hubble = HubbleMetrics::new(&Options::parse(all).unwrap(), &registry).unwrap();
    let network = NetworkMetrics::new(&Levels::parse("pod").unwrap(), &registry).unwrap();
    let limited = registry.counter(budgets::spec()).unwrap();
    let health = tcp_health::TcpHealth::new(Level::Pod, &registry).unwrap();
    let sent = registry.counter(signals_sent::spec()).unwrap();
    let waits = registry.seconds(waits::spec()).unwrap();
    let kills = registry.counter(oom_kills::spec()).unwrap();
    let throttled = throttling::Throttling::new(&registry).unwrap();
    let exported = registry.counter(export::spec()).unwrap();
    let with_signal =
        |signal: &'static Signal| signal.metrics.iter().map(move |metric| (signal, metric));
    for (signal, metric) in SIGNALS.iter().flat_map(with_signal) {
        let kind = match metric.kind {
            MetricKind::Counter => Kind::Counter,
            MetricKind::Histogram => Kind::Histogram,
        };
        let mut family = out.family(kind, metric.name, metric.unit, metric.help);
        let labels = leveled::labels(metric, finest(signal));
        let mut labels = labels.into_iter().map(|name| (name, ""));
        family.series(&mut labels, &Reading::Number(0_u64.into()), None);
    }
    // Its own families, and none of the others, which have no series.
    registry.write(&mut out);
    for (kind, spec) in registry.specs() {
        let mut family = out.family(kind, spec.name, spec.unit, spec.help);
        let mut labels = spec.labels.iter().map(|name| (*name, ""));
        family.series(&mut labels, &Reading::Number(0_u64.into()), None);
    }
    out.finish();
    drop((health, sent, waits, hubble, network, exported, limited, kills, throttled));
    catalogue
}

/// The finest level of a signal's families.
fn finest(signal: &Signal) -> Level {
    if has_levels(signal) { Level::Pod } else { Level::Node }
}

fn render(catalogue: &Catalogue) -> String {
    let mut text = HEAD.to_owned();
    for (name, Row { kind, labels, help }) in &catalogue.families {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = labels.join(", ");
        writeln!(text, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    text
}

#[test]
fn metrics_reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
    let rendered = render(&catalogue());
    if std::env::var_os("CHANDRA_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, &rendered).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == rendered,
        "docs/reference/metrics.md is out of date; \
         `CHANDRA_BLESS=1 cargo test -p chandra metrics_reference_is_current` rewrites it"
    );
}
