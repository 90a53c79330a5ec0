//! An agent at one glance: what it said, put together, and judged.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::said::{Governor, Identity, Ledger, Ready, Signal, Signals};
use super::{http, samples};

/// How long facts are counted for their rate.
const WINDOW: Duration = Duration::from_millis(500);

/// An agent.
#[derive(Debug, Serialize)]
pub struct Overview {
    /// Where it was asked.
    pub address: SocketAddr,
    /// Its own canaries came through.
    pub ready: bool,
    /// The kernel's release.
    pub kernel: String,
    /// How long it runs.
    pub uptime_seconds: u64,
    /// What all programs in the kernel cost, of one CPU.
    pub percent_of_one_core: Option<f64>,
    /// Each signal that is loaded.
    pub signals: Vec<SignalRow>,
    /// Whom it knows.
    pub identity: IdentityRow,
    /// Rules that watch, if any do.
    pub rules: Option<RulesRow>,
    /// Where alerts go.
    pub sinks: BTreeMap<String, SinkRow>,
    /// What does not work.
    pub failures: Vec<String>,
    /// What works, but not wholly.
    pub warnings: Vec<String>,
}

/// A signal.
#[derive(Debug, Serialize)]
pub struct SignalRow {
    /// Its name.
    pub signal: String,
    /// Whether it works.
    pub verdict: String,
    /// It was asked for.
    pub is_on: bool,
    /// By which ways it is attached, each once.
    pub rungs: Vec<String>,
    /// Facts a second, just now.
    pub seen_per_second: f64,
    /// What became of its facts.
    pub ledger: Ledger,
    /// What it costs, if that was measured.
    pub percent_of_one_core: Option<f64>,
}

/// Whom it knows.
#[derive(Debug, Serialize)]
pub struct IdentityRow {
    /// Processes that run.
    pub processes: u64,
    /// Containers by their cgroups.
    pub containers: u64,
    /// Containers and pods that a runtime or the cluster described.
    pub described: u64,
    /// Pods, services and nodes of the cluster, where one is asked.
    pub cluster: Option<[u64; 3]>,
}

/// Rules that watch.
#[derive(Debug, Serialize)]
pub struct RulesRow {
    /// How many.
    pub loaded: u64,
    /// What they found.
    pub alerts: u64,
}

/// Where alerts go.
#[derive(Debug, Default, Serialize)]
pub struct SinkRow {
    /// Alerts that arrived.
    pub delivered: u64,
    /// Alerts that did not.
    pub dropped: u64,
}

impl Overview {
    /// Asks an agent; takes half a second, to see how much happens.
    ///
    /// # Errors
    /// In words, when it does not answer as an agent does.
    pub fn ask(address: SocketAddr) -> Result<Self, String> {
        let before: Signals = http::json(address, "/signals")?;
        let started = Instant::now();
        let ready: Ready = http::json(address, "/readyz")?;
        let metrics = http::get(address, "/metrics")?.body;
        std::thread::sleep(WINDOW.saturating_sub(started.elapsed()));
        let after: Signals = http::json(address, "/signals")?;
        Ok(Self::judge(address, &ready, (&before, &after), started.elapsed(), &metrics))
    }

    fn judge(
        address: SocketAddr,
        ready: &Ready,
        (before, said): (&Signals, &Signals),
        between: Duration,
        metrics: &str,
    ) -> Self {
        let seen_before = |name: &str| {
            let found = before.signals.iter().find(|signal| signal.signal == name);
            found.map_or(0, |signal| signal.ledger.seen)
        };
        let signals = said.signals.iter().map(|signal| {
            let happened = signal.ledger.seen.saturating_sub(seen_before(&signal.signal));
            row(signal, as_f64(happened) / between.as_secs_f64())
        });
        let signals: Vec<_> = signals.collect();
        let costs = signals.iter().filter_map(|signal| signal.percent_of_one_core);
        let (rules, sinks) = audit(metrics);
        let mut this = Self {
            address,
            ready: ready.ready,
            kernel: said.kernel.clone(),
            uptime_seconds: said.uptime_seconds,
            percent_of_one_core: costs.reduce(|sum, cost| sum + cost),
            signals,
            identity: identity(&said.identity),
            rules,
            sinks,
            failures: Vec::new(),
            warnings: Vec::new(),
        };
        this.find_failures(ready, said);
        this.find_warnings(said);
        this
    }

    /// What was asked for and does not work, or cannot be.
    fn find_failures(&mut self, ready: &Ready, said: &Signals) {
        if !ready.ready {
            let waiting = ready.waiting_for_canary.join(", ");
            self.failures.push(format!("not ready: its own {waiting} did not come through yet"));
        }
        for signal in said.signals.iter().filter(|signal| signal.is_on) {
            if signal.verdict == "failed" {
                let own = signal.problem.as_ref().map(|problem| problem.what.clone());
                let why = own.or_else(|| signal.hooks.iter().find_map(|hook| hook.why.clone()));
                let (name, why) = (&signal.signal, why.unwrap_or_default());
                self.failures.push(format!("signal {name} failed: {why}"));
            }
        }
        for signal in said.signals.iter().filter(|signal| signal.ledger.imbalance != 0) {
            let (name, by) = (&signal.signal, signal.ledger.imbalance);
            self.failures.push(format!("the books of signal {name} do not balance by {by}"));
        }
    }

    fn find_warnings(&mut self, said: &Signals) {
        let warnings = &mut self.warnings;
        for Signal { signal, ledger, hooks, verdict, is_on, governor, .. } in &said.signals {
            let losses = [
                (ledger.lost, "lost: no room in its ring"),
                (ledger.shed.slow_reader, "not shown: who reads was too slow"),
                (ledger.decode_errors, "not understood"),
                (ledger.rate_limited, "left out: too many at once"),
                (ledger.sampled_out, "left out by sampling"),
            ];
            for (count, what) in losses.into_iter().filter(|(count, _)| *count > 0) {
                warnings.push(format!("signal {signal}: {count} {what}"));
            }
            warnings.extend(governed(signal, governor));
            // A hook that a kernel does not have is no news while others of the signal work.
            for hook in hooks.iter().filter(|hook| verdict == "active" && hook.verdict == "failed")
            {
                warnings.push(format!("signal {signal}: {} failed", hook.hook));
            }
            if *is_on && verdict == "unsupported" {
                warnings.push(format!("signal {signal}: this kernel does not have it"));
            }
        }
        warnings.extend(
            said.identity.descriptions.stale.iter().map(|why| format!("containers: {why}")),
        );
        for (name, resource) in said.identity.cluster.iter().flat_map(|it| &it.resources) {
            warnings.extend(resource.stale.iter().map(|why| format!("cluster's {name}: {why}")));
        }
        for (name, sink) in self.sinks.iter().filter(|(_, sink)| sink.dropped > 0) {
            warnings.push(format!("sink {name}: {} alerts dropped", sink.dropped));
        }
        if let Some(why) = &said.cost_not_measured_because {
            warnings.push(format!("what programs cost is not measured: {why}"));
        }
    }

    /// `ok`, `warning` or `failed`.
    pub fn verdict(&self) -> &'static str {
        match (self.failures.is_empty(), self.warnings.is_empty()) {
            (false, _) => "failed",
            (true, false) => "warning",
            (true, true) => "ok",
        }
    }
}

/// That not all of a signal is told, or that it costs too much.
fn governed(signal: &str, governor: &Governor) -> Option<String> {
    let (cost, allowed) = (governor.cost_percent?, governor.allowed_percent?);
    let told = match governor.rung.as_str() {
        "" | "all" => {
            let why = governor.why.as_ref().filter(|_| governor.costs_too_much)?;
            format!("told whole, because {why}")
        }
        "counted" => "its facts are only counted".to_owned(),
        "detached" => "its hooks are detached".to_owned(),
        share => format!("{share} of its facts are told"),
    };
    Some(format!(
        "signal {signal}: {told}; it costs {cost:.2}% of a core and may cost {allowed:.2}%"
    ))
}

fn row(signal: &Signal, seen_per_second: f64) -> SignalRow {
    let mut rungs: Vec<String> = Vec::new();
    for rung in signal.hooks.iter().filter_map(|hook| hook.rung.as_ref()) {
        if !rungs.contains(rung) {
            rungs.push(rung.clone());
        }
    }
    let costs = signal.programs.iter().filter_map(|program| program.percent_of_one_core);
    SignalRow {
        signal: signal.signal.clone(),
        verdict: signal.verdict.clone(),
        is_on: signal.is_on,
        rungs,
        seen_per_second,
        ledger: signal.ledger,
        percent_of_one_core: costs.reduce(|sum, cost| sum + cost),
    }
}

fn identity(said: &Identity) -> IdentityRow {
    IdentityRow {
        processes: said.processes.live,
        containers: said.cgroups.containers,
        described: said.descriptions.containers_and_pods,
        cluster: said.cluster.as_ref().map(|it| [it.pods, it.services, it.nodes]),
    }
}

/// What is told of the audit; nothing where none is made.
fn audit(metrics: &str) -> (Option<RulesRow>, BTreeMap<String, SinkRow>) {
    let (mut loaded, mut alerts) = (None, 0);
    let mut sinks: BTreeMap<String, SinkRow> = BTreeMap::new();
    for sample in samples::samples(metrics) {
        let count = as_u64(sample.value);
        let sink = sample.label("sink").unwrap_or_default();
        match sample.name {
            "chandra_rules_loaded" => loaded = Some(count),
            "chandra_alerts_total" => alerts += count,
            "chandra_alerts_delivered_total" => {
                sinks.entry(sink.to_owned()).or_default().delivered += count;
            }
            "chandra_alerts_dropped_total" => {
                sinks.entry(sink.to_owned()).or_default().dropped += count;
            }
            _ => {}
        }
    }
    (loaded.map(|loaded| RulesRow { loaded, alerts }), sinks)
}

#[allow(clippy::cast_precision_loss, reason = "counts beyond 2^53 are printed rounded")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn as_u64(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    const METRICS: &str = "chandra_rules_loaded 42\n\
        chandra_alerts_total{rule=\"a\",priority=\"warning\"} 2\n\
        chandra_alerts_total{rule=\"b\",priority=\"warning\"} 1\n\
        chandra_alerts_delivered_total{sink=\"stdout\"} 3\n\
        chandra_alerts_dropped_total{sink=\"http\",cause=\"spool_full\"} 7\n";

    fn said(seen: u64, changes: &serde_json::Value) -> Signals {
        let mut said = json!({
            "kernel": "6.18.0",
            "uptime_seconds": 3723,
            "signals": [
                {
                    "signal": "tcp", "verdict": "active", "is_on": true,
                    "hooks": [
                        { "hook": "state", "verdict": "active", "rung": "tp_btf" },
                        { "hook": "accept", "verdict": "active", "rung": "tracepoint" },
                        { "hook": "reset", "verdict": "active", "rung": "tp_btf" },
                    ],
                    "ledger": { "seen": seen, "lost": 0, "delivered": seen, "imbalance": 0 },
                    "governor": {},
                    "programs": [{ "percent_of_one_core": 0.25 }, { "percent_of_one_core": 0.5 }],
                },
            ],
            "identity": { "processes": { "live": 7 }, "cluster": null },
        });
        for (pointer, value) in changes.as_object().unwrap() {
            *said.pointer_mut(pointer).unwrap() = value.clone();
        }
        serde_json::from_value(said).unwrap()
    }

    /// An overview of an agent that is well but for these changes of what it says.
    pub fn overview(changes: &serde_json::Value) -> Overview {
        let ready = Ready { ready: true, ..Ready::default() };
        let address = "127.0.0.1:9965".parse().unwrap();
        let (before, after) = (said(100, &json!({})), said(160, changes));
        Overview::judge(address, &ready, (&before, &after), Duration::from_millis(500), METRICS)
    }

    #[test]
    fn what_was_said_is_put_together() {
        let overview = overview(&json!({}));
        let tcp = &overview.signals[0];
        assert_eq!((tcp.seen_per_second, tcp.percent_of_one_core), (120.0, Some(0.75)));
        assert_eq!(tcp.rungs, ["tp_btf", "tracepoint"]);
        let rules = overview.rules.as_ref().unwrap();
        assert_eq!((rules.loaded, rules.alerts), (42, 3));
        assert_eq!((overview.sinks["stdout"].delivered, overview.sinks["http"].dropped), (3, 7));
        assert_eq!(overview.warnings, ["sink http: 7 alerts dropped"]);
        assert_eq!(overview.verdict(), "warning");
    }

    #[test]
    fn a_loss_is_a_warning_and_a_failed_signal_a_failure() {
        let lossy = overview(&json!({ "/signals/0/ledger/lost": 5 }));
        assert_eq!(lossy.warnings[0], "signal tcp: 5 lost: no room in its ring");
        assert!(lossy.failures.is_empty());
        let unbalanced = overview(&json!({ "/signals/0/ledger/imbalance": -2 }));
        assert_eq!(unbalanced.failures, ["the books of signal tcp do not balance by -2"]);
        let failed = overview(&json!({ "/signals/0/verdict": "failed" }));
        assert_eq!((failed.failures.len(), failed.verdict()), (1, "failed"));
        let stale = overview(&json!({ "/identity/cluster": { "resources": {
            "pods": { "stale": "gone" }, "nodes": { "stale": null } } } }));
        assert_eq!(stale.warnings[0], "cluster's pods: gone");
    }

    #[test]
    fn what_is_told_in_part_or_costs_too_much_is_a_warning() {
        let warnings = |rung: &str, why: Option<&str>, cost: f64| {
            let governor = json!({
                "rung": rung,
                "why": why,
                "cost_percent": cost,
                "allowed_percent": 1.0,
                "costs_too_much": why.is_some() && cost > 1.0,
            });
            overview(&json!({ "/signals/0/governor": governor })).warnings[0].clone()
        };
        let cost = "; it costs 0.50% of a core and may cost 1.00%";
        let told = "signal tcp: 1/8 of its facts are told";
        assert_eq!(warnings("1/8", None, 0.5), format!("{told}{cost}"));
        let told = "signal tcp: its hooks are detached";
        assert_eq!(warnings("detached", None, 0.5), format!("{told}{cost}"));
        let whole = warnings("all", Some("rules need it"), 3.0);
        assert!(whole.starts_with("signal tcp: told whole, because rules need it; it costs 3.00%"));
        let others = "sink http: 7 alerts dropped";
        assert_eq!(warnings("all", Some("rules need it"), 0.5), others);
        assert_eq!(warnings("all", None, 3.0), others, "it steps down soon");
    }
}
