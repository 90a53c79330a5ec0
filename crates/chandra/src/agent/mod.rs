//! `chandra agent`: loads all signals that are on, keeps their books, and serves their state.
//!
//! Records are [followed](crate::follow) from their rings to one sink; what it prints goes through one
//! bounded queue to one writer, so that a slow reader of the output costs lines, which are counted, and
//! never records in the kernel.

pub mod audit;
mod book_check;
mod budgets;
mod canary;
mod export;
mod flows;
pub mod governor;
mod http;
mod kernel_metrics;
mod leveled;
mod losses;
mod metrics;
mod oom_kills;
mod otlp;
mod pod_labels;
mod pods;
mod printer;
pub mod profiles;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod reference;
mod rights;
mod signals_sent;
mod sink;
mod state;
mod tcp_health;
mod throttling;
mod verdicts;
mod waits;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use chandra_doctor::{Check, Problem};
use chandra_hubble::flow::Node;
use chandra_hubble_grpc::server::Bound;
use chandra_loader::load::Loaded;
use chandra_loader::ring::UNHURRIED_POLL;
use chandra_metrics::Registry;
use chandra_metrics::hubble::HubbleMetrics;
use chandra_metrics::network::{Measure, NetworkMetrics};
use chandra_otlp::{Exporter, Logs, Traces};
use chandra_signals::{Context, SIGNALS, Signal};
use tokio::sync::oneshot;

use crate::cli::agent::AgentOptions;
use crate::follow::{Part, Plan, Seeding, follow};
use crate::stop::Stop;
use audit::{Auditing, Needs, Watch};
use book_check::BookCheck;
use budgets::Budgets;
use export::Exporting;
use flows::Flowing;
use governor::{Governor, Meter};
use leveled::LeveledMetrics;
use oom_kills::OomKills;
use otlp::{Drops, Spans};
use printer::Queue;
use profiles::Making;
use signals_sent::SignalsSent;
use sink::{Consumers, Delivering};
use state::{AgentState, SignalState};
use tcp_health::TcpHealth;
use throttling::Throttling;
use verdicts::Verdicts;
use waits::Waits;

/// How often the agent looks whether it should end and whether its own cost is to be measured: not oftener than at
/// records that nobody waits for, for each look is a wake-up.
const TICK: Duration = UNHURRIED_POLL;

/// What to do about a mistake of ours.
const REPORT: &str = "report this";

/// Runs until a signal comes or nobody reads what it prints.
pub fn run(options: &AgentOptions) -> Result<(), Problem> {
    chandra_loader::kernel_log::capture();
    let stop = Stop::on_signals().map_err(|error| {
        Problem::new(Check::USAGE, "cannot listen for SIGTERM", error, "start it from a shell")
    })?;
    let started = Instant::now();
    let listener = listen(options)?;
    let bound = flows::bind(&options.hubble)?;
    if let Err(error) = chandra_loader::memory::raise_memlock_limit() {
        eprintln!("warning: the limit on locked memory could not be raised: {error}");
    }
    let watch = match options.audit.is_off() {
        true => None,
        false => Some(Watch::new(&options.audit)?),
    };
    let context = Context::new(options.load.btf.as_deref());
    let needs = watch.as_ref().map(|watch| watch.needs().clone()).unwrap_or_default();
    let signals = load(options, &needs);
    rights::give_up(options, &signals);
    for signal in &signals {
        eprintln!("{}", signal.start_line());
    }
    let registry = Registry::new(options.metrics.settings);
    let address = listener.local_addr().ok();
    let profiles = profiles::start_all(&signals, &options.identity.node, options.profile_bytes);
    let meter = Meter::new(options.cpu_budgets.window);
    let state = AgentState::new(signals, profiles, started, address, registry, meter);
    let state = Arc::new(state);
    if let Some(problem) = state.nothing_works() {
        return Err(problem);
    }
    let exporter = otlp::start(options, &state)?;
    let logs = exporter.as_ref().and_then(Exporter::logs);
    let auditing = audit(options, &state, watch, logs.clone())?;
    let exported = (logs, exporter.as_ref().and_then(Exporter::traces));
    serve(options, &state, &context, (auditing, exported), (listener, bound), &stop)?;
    exporter.into_iter().for_each(otlp::stop);
    eprintln!("agent: stopped; {}", state.totals());
    Ok(())
}

/// Loads all signals at once: most of the time goes into the kernel's verifier.
fn load(options: &AgentOptions, needs: &Needs) -> Vec<SignalState> {
    let is_on =
        |signal: &&Signal| options.signals.iter().any(|on| on.spec.name == signal.spec.name);
    let asks = options.identity.late.is_some();
    let others = SIGNALS
        .iter()
        .filter(|signal| asks && !signal.identity.is_empty() || needs.kinds_of(signal) != 0);
    let others: Vec<&'static Signal> = others.filter(|signal| !is_on(signal)).collect();
    std::thread::scope(|scope| {
        let load = |signal: &&'static Signal| {
            let (signal, is_on): (&'static Signal, _) = (signal, is_on(signal));
            scope.spawn(move || SignalState::load(signal, is_on, needs, options))
        };
        let threads: Vec<_> = options.signals.iter().chain(&others).map(load).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn listen(options: &AgentOptions) -> Result<TcpListener, Problem> {
    let listener = TcpListener::bind(options.http);
    listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener)).map_err(
        |error| {
            Problem::new(
                Check::PORT,
                format!("cannot serve on {}", options.http),
                error,
                "if another agent has it, take a free one: chandra agent --http 127.0.0.1:0",
            )
        },
    )
}

/// Runs all threads to their end. Readers drain their rings before they end; the printer ends when
/// the last of them has gone, or is left behind when what it writes to takes nothing any more.
fn serve(
    options: &AgentOptions,
    state: &Arc<AgentState>,
    context: &Context,
    (auditing, (logs, traces)): (Option<Auditing>, (Option<Logs>, Option<Traces>)),
    (listener, bound): (TcpListener, Bound),
    stop: &Stop,
) -> Result<(), Problem> {
    let (printer, queue) = printer::start(options.print, stop);
    let places = bound.places();
    let recent = auditing.as_ref().and_then(Auditing::recent);
    let node = &options.identity.node;
    let making = Making::new(Arc::clone(state), node);
    let hubble = Arc::new(flows::state(&options.hubble, node, recent, making));
    let mut verdicts = Verdicts::tell_all(state, &hubble.agent_events);
    let mut book_check = BookCheck::new(state);
    let mut governor = Governor::new(state, &hubble.agent_events, context, &options.cpu_budgets);
    let outlets = (count(options, state)?, measure(options, state)?, export(options, state)?);
    let flowing =
        options.makes_flows().then(|| Flowing::new(Arc::clone(&hubble), options, &bound, outlets));
    std::thread::scope(|scope| {
        let (ready, listening) = channel();
        let context = context.clone();
        // By its name what it costs can be told from what the others do.
        let telling = std::thread::Builder::new().name("tell".to_owned());
        let started = telling.spawn_scoped(scope, move || {
            let exported = (logs.map(Drops::new), traces.map(Spans::new));
            let sinks = (queue, flowing, auditing, exported);
            if let Err(problem) = follow_all(options, state, &context, sinks, ready, stop) {
                eprintln!("{problem}");
                stop.ask();
            }
        });
        if let Err(error) = started {
            eprintln!("error: cannot start a thread: {error}");
            stop.ask();
        }
        // Let go of when it listens, or has failed.
        let _: Result<(), _> = listening.recv();
        eprintln!("{}", state.serving_line());
        if !places.is_empty() {
            eprintln!("flows: served as Hubble does on {}", places.join(" and "));
            scope.spawn(|| {
                if let Err(error) = chandra_hubble_grpc::server::serve(bound, &hubble) {
                    eprintln!("warning: flows are not served any more: {error}");
                }
            });
        }
        let (serving, over) = oneshot::channel();
        let answering = std::thread::Builder::new().name("http".to_owned());
        let started =
            answering.spawn_scoped(scope, || http::serve(listener, Arc::clone(state), over));
        if let Err(error) = started {
            eprintln!("error: cannot start a thread: {error}");
            stop.ask();
        }
        scope.spawn(|| canary::run(state, options.selector.is_empty(), stop));
        let tick = TICK.min(state.meter.tick());
        while !stop.is_asked() {
            governor.look();
            book_check.look();
            verdicts.look();
            std::thread::sleep(tick);
        }
        drop(serving);
        hubble.stop();
    });
    printer.finish()
}

/// What puts records before rules, where there are any.
fn audit(
    options: &AgentOptions,
    state: &AgentState,
    watch: Option<Watch>,
    logs: Option<Logs>,
) -> Result<Option<Auditing>, Problem> {
    let Some(watch) = watch else { return Ok(None) };
    eprintln!("{}", watch.line());
    let (node, shared) = (&options.identity.node, state.audit.clone());
    Auditing::new(watch, &options.audit, logs.map(otlp::sink), node, shared).map(Some)
}

/// What counts or measures; where it cannot, what to do next.
fn made<T>(
    made: Result<T, impl std::fmt::Display>,
    problem: &str,
    next: &str,
) -> Result<T, Problem> {
    made.map_err(|error| Problem::new(Check::USAGE, problem, error, next))
}

/// What counts flows.
fn count(options: &AgentOptions, state: &AgentState) -> Result<HubbleMetrics, Problem> {
    let counting = HubbleMetrics::new(&options.metrics.hubble, &state.registry);
    made(counting, "cannot count flows", "take it out of --hubble-metrics")
}

/// What measures times on the network.
fn measure(options: &AgentOptions, state: &AgentState) -> Result<NetworkMetrics, Problem> {
    let measuring = NetworkMetrics::new(&options.metrics.levels, &state.registry);
    made(measuring, "cannot measure flows", "switch it off: --metrics-levels")
}

/// What counts how TCP does, where that is not switched off.
fn tcp_health(options: &AgentOptions, state: &AgentState) -> Result<Option<TcpHealth>, Problem> {
    let level = options.metrics.levels.of(Measure::TcpHealth);
    let counting = level.map(|level| TcpHealth::new(level, &state.registry)).transpose();
    made(counting, "cannot count how TCP does", "switch it off: --metrics-levels tcp-health=off")
}

/// What writes flows to files, where that is asked for.
fn export(options: &AgentOptions, state: &AgentState) -> Result<Option<Exporting>, Problem> {
    if options.export.is_off() {
        return Ok(None);
    }
    let node = Node::new(&options.hubble.cluster_name, &options.identity.node, Vec::new());
    Exporting::new(&options.export, node, &state.registry).map(Some)
}

/// Who takes records: the printer, flows, rules, and the export.
type Sinks = (Queue, Option<Flowing>, Option<Auditing>, (Option<Drops>, Option<Spans>));

/// Follows all signals until asked to stop. Says through `ready` that it listens.
fn follow_all(
    options: &AgentOptions,
    state: &AgentState,
    context: &Context,
    (queue, flows, auditing, (drops, spans)): Sinks,
    ready: Sender<()>,
    stop: &Stop,
) -> Result<(), Problem> {
    let asks = options.identity.late.is_some();
    let live = state.signals.iter();
    let live: Vec<_> =
        live.filter_map(|signal| Some((signal, signal.loaded.as_ref().ok()?))).collect();
    let parts = live.iter().map(|(signal, loaded)| {
        let begins = asks && !signal.signal.identity.is_empty();
        let learns = begins || asks && signal.signal.names_peers;
        let found = |loaded: &Loaded| (signal.signal.seed)(loaded, context, &mut |_| {});
        if !begins && let Some(found) = signal.with_loaded(found) {
            signal.found_at_start.store(found as u64, Ordering::Relaxed);
        }
        Part {
            signal: signal.signal,
            loaded,
            received: &signal.received,
            found_at_start: &signal.found_at_start,
            told_kinds: signal.told_kinds,
            learns,
            selects: signal.selects,
            seeding: begins.then_some(Seeding::Learn),
        }
    });
    let parts: Vec<_> = parts.collect();
    let signals = live.iter().map(|(signal, _)| *signal).collect();
    let registry = &state.registry;
    let consumers = Consumers {
        flows,
        audit: auditing,
        drops,
        spans,
        budgets: made(Budgets::new(registry), "cannot count what is over its budget", REPORT)?,
        oom_kills: made(OomKills::new(registry), "cannot count kills for want of memory", REPORT)?,
        signals_sent: made(
            SignalsSent::new(registry),
            "cannot count signals that are sent",
            REPORT,
        )?,
        tcp_health: tcp_health(options, state)?,
        waits: made(Waits::new(registry), "cannot count how long threads wait", REPORT)?,
        throttling: made(Throttling::new(registry), "cannot count throttled containers", REPORT)?,
        leveled: made(
            LeveledMetrics::new(&state.signals, registry),
            "cannot tell what the kernel counts",
            REPORT,
        )?,
    };
    let mut sink = Delivering::new(state, signals, queue, consumers, options);
    let plan = Plan {
        parts: &parts,
        sources: &options.identity.sources,
        selector: &options.selector,
        node: &options.identity.node,
        late: options.identity.late.unwrap_or_default(),
        patience: &|| (!stop.is_asked()).then_some(TICK),
        on_listening: &move || {
            let _ = ready.send(());
        },
    };
    let followed = follow(&plan, context, &mut sink);
    sink.end();
    followed.map(drop)
}
