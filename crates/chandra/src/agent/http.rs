//! What the agent serves: `/healthz` (it lives), `/readyz` (records come through), `/signals`
//! (verdicts, books and cost), `/metrics` (the books and what is counted, for Prometheus) and `/debug/profile`
//! (the last seconds of profiles that are kept).

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chandra_identity::translation;
use chandra_loader::load::Loaded;
use chandra_metrics::Format;
use chandra_runtime::bundles;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::metrics;
use super::profiles::{self, NoProfile, Question};
use super::state::{AgentState, ClusterFigures, IdentityFigures, SignalState};
use super::verdicts::describe_hook;

/// A profile has all names that were found.
const NO_MORE_SYMBOLS: &str = "num_symbols: 0\n";

/// Serves until the other end of `over` is gone. Answers are small and made at once, so one thread does.
pub fn serve(listener: TcpListener, state: Arc<AgentState>, over: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    let router = Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(ready))
        .route("/signals", get(signals))
        .route("/metrics", get(metrics))
        .route("/debug/profile", get(profile))
        // Where the tools of Go look for a profile of CPU time.
        .route("/debug/pprof/profile", get(profile))
        // Where these look for names that a profile lacks, by which path they came; without, they give up.
        .route("/symbolz", get(NO_MORE_SYMBOLS).post(NO_MORE_SYMBOLS))
        .route("/debug/pprof/symbol", get(NO_MORE_SYMBOLS).post(NO_MORE_SYMBOLS))
        .with_state(state);
    runtime.block_on(async {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        tokio::select! {
            _ = axum::serve(listener, router) => {}
            _ = over => {}
        }
    });
}

async fn ready(State(state): State<Arc<AgentState>>) -> (StatusCode, Json<Value>) {
    let canary = &state.canary;
    let waiting = [("exec", &canary.exec_seen), ("connect", &canary.connect_seen)];
    let waiting: Vec<_> = waiting
        .iter()
        .filter(|(_, seen)| !seen.load(Ordering::Relaxed))
        .map(|(what, _)| *what)
        .collect();
    let status = if waiting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": waiting.is_empty(), "waiting_for_canary": waiting })))
}

async fn metrics(
    State(state): State<Arc<AgentState>>,
    headers: HeaderMap,
) -> ([(HeaderName, &'static str); 1], Vec<u8>) {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::negotiate(accept);
    ([(CONTENT_TYPE, format.content_type())], metrics::render(&state, format))
}

/// The last seconds of a profile that is kept: pprof, packed.
async fn profile(State(state): State<Arc<AgentState>>, RawQuery(query): RawQuery) -> Response {
    let question = match Question::parse(query.as_deref().unwrap_or_default()) {
        Ok(question) => question,
        Err(why) => return (StatusCode::BAD_REQUEST, why + "\n").into_response(),
    };
    match profiles::answer(&state.profiles, question).await {
        Ok(bytes) => ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Err(why) => {
            let status = match &why {
                NoProfile::Off(_) => StatusCode::NOT_FOUND,
                NoProfile::Busy => StatusCode::SERVICE_UNAVAILABLE,
                NoProfile::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, format!("{why}\n")).into_response()
        }
    }
}

async fn signals(State(state): State<Arc<AgentState>>) -> Json<Value> {
    let (measured, refused) = state.meter.measured();
    let signals: Vec<_> = state.signals.iter().map(|signal| describe(signal, measured)).collect();
    Json(json!({
        "kernel": chandra_loader::memory::kernel_release().0,
        "uptime_seconds": state.started.elapsed().as_secs(),
        "cost_measured_ms": u64::try_from(measured.as_millis()).unwrap_or(u64::MAX),
        "cost_not_measured_because": refused,
        "signals": signals,
        "identity": identity(&state.identity()),
    }))
}

fn describe(signal: &SignalState, measured: Duration) -> Value {
    let spec = &signal.signal.spec;
    let problem = signal.loaded.as_ref().err().map(|problem| {
        json!({ "what": problem.what, "why": problem.why, "next": problem.next, "check": problem.check.id })
    });
    let programs: Vec<_> = signal
        .programs()
        .into_iter()
        .map(|program| {
            let per_run = program.run_time_ns.checked_div(program.run_count);
            json!({
                "program": program.program,
                "run_count": program.run_count,
                "run_time_ns": program.run_time_ns,
                "run_time_ns_per_run": per_run,
                "percent_of_one_core": percent(program.run_time_ns, measured),
                "recursion_misses": program.recursion_misses,
            })
        })
        .collect();
    let tells_at_intervals =
        signal.signal.sweep.as_ref().is_some_and(|sweep| sweep.apart.is_none());
    json!({
        "signal": spec.name,
        "summary": signal.signal.summary,
        "class": signal.signal.class,
        "verdict": signal.verdict().word(),
        "is_on": signal.is_on,
        "problem": problem,
        "hooks": signal.hooks().iter().map(describe_hook).collect::<Vec<_>>(),
        "load_ms": u64::try_from(signal.load_time.as_millis()).unwrap_or(u64::MAX),
        "ring_bytes": signal.with_loaded(|loaded| loaded.ring_bytes),
        "interval_ns": signal.with_loaded(interval_ns).filter(|_| tells_at_intervals),
        "records_per_second": signal.records_per_second,
        "found_at_start": signal.found_at_start.load(Ordering::Relaxed),
        "governor": signal.standing().describe(),
        "ledger": ledger(signal),
        "flow_table": signal.flow_overflow().map(|flows| {
            json!({ "evicted": flows.evicted, "refused": flows.refused })
        }),
        "programs": programs,
    })
}

/// How often it tells of what goes on.
fn interval_ns(loaded: &Loaded) -> u64 {
    u64::try_from(loaded.interval.as_nanos()).unwrap_or(u64::MAX)
}

/// Kernel and user space as one account.
fn ledger(signal: &SignalState) -> Value {
    let books = signal.books();
    json!({
        "seen": books.kernel.seen,
        "filtered": books.kernel.filtered,
        "aggregated": books.kernel.aggregated,
        "sampled_out": books.kernel.sampled_out,
        "rate_limited": books.kernel.rate_limited,
        "lost": books.kernel.lost,
        "submitted": books.kernel.submitted,
        "decoded": books.decoded,
        "decode_errors": books.decode_errors,
        "in_flight": books.in_flight(),
        "learnt": books.learnt,
        "not_selected": books.not_selected,
        "delivered": books.delivered,
        "shed": { "slow_reader": books.shed },
        "imbalance": books.imbalance(),
    })
}

/// What the tables hold, and what they had no room for.
fn identity(figures: &IdentityFigures) -> Value {
    let IdentityFigures { processes, cgroups, descriptions_dropped: dropped, tally, .. } = figures;
    json!({
        "processes": {
            "live": processes.live,
            "dead": processes.dead,
            "programs": processes.programs,
            "unknown_parents": processes.unknown_parents,
            "bytes": processes.bytes,
            "forgotten": processes.forgotten,
            "evicted": {
                "dead": processes.evicted_dead,
                "ancestors": processes.evicted_ancestors,
                "live": processes.evicted_live,
            },
            "exits_unseen": processes.exits_unseen,
        },
        "cgroups": {
            "cgroups": cgroups.cgroups,
            "containers": cgroups.containers,
            "bytes": cgroups.bytes,
            "evicted": cgroups.evicted,
            "refused": cgroups.refused,
            "removals_unseen": cgroups.removals_unseen,
        },
        "descriptions": {
            "containers_and_pods": figures.descriptions,
            "bytes": figures.descriptions_bytes,
            "dropped": {
                "lingering": dropped.lingering,
                "exited": dropped.exited,
                "refused": dropped.refused,
            },
            "stale": figures.stale,
        },
        "bundles": tally.bundles.as_ref().map(bundles),
        "cluster": figures.cluster.as_ref().map(cluster),
        "translations": translations(&tally.translations),
        "early_records": {
            "held": tally.held,
            "described": tally.described,
            "pending": tally.pending,
        },
        "sweeps": tally.sweeps,
    })
}

/// What came of looking for bundles of containers that no CRI describes.
fn bundles(counts: &bundles::Counts) -> Value {
    json!({
        "found": counts.found,
        "not_found": counts.not_found,
        "too_long": counts.too_long,
        "unreadable": counts.unreadable,
        "malformed": counts.malformed,
        "dropped": counts.dropped,
        "unwatched": counts.unwatched,
    })
}

/// Where connections went that were dialled at the address of a service, and what was missed of that.
fn translations(stats: &translation::Stats) -> Value {
    json!({
        "connections": stats.connections,
        "bytes": stats.bytes,
        "evicted": stats.evicted,
        "lost": stats.lost,
        "malformed": stats.malformed,
    })
}

/// What the cluster's API says, and how far it is to be believed.
fn cluster(figures: &ClusterFigures) -> Value {
    let stats = &figures.stats;
    let resources = figures.resources.iter().map(|(resource, state)| {
        let state = json!({ "is_listed": state.is_listed, "stale": state.stale });
        (resource.word().to_owned(), state)
    });
    json!({
        "pods": stats.pods,
        "services": stats.services,
        "nodes": stats.nodes,
        "backends": stats.backends,
        "bytes": stats.bytes,
        "evicted": stats.evicted,
        "refused": stats.refused,
        "collisions": stats.collided,
        "resources": resources.collect::<serde_json::Map<_, _>>(),
    })
}

fn percent(run_time_ns: u64, measured: Duration) -> Option<f64> {
    let measured_ns = u64::try_from(measured.as_nanos()).ok().filter(|measured| *measured > 0)?;
    // Both stay far below 2^53 ns (104 days).
    Some(run_time_ns as f64 * 100.0 / measured_ns as f64)
}
