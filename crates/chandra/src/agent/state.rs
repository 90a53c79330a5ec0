//! What the agent knows of itself: verdicts, books and cost of each signal, and the canary.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chandra_doctor::Problem;
use chandra_hubble_grpc::server::ProfileCounts;
use chandra_identity::cluster::{self, Cluster, Resource};
use chandra_identity::numbers::Collision;
use chandra_identity::{Identity, container, description, process};
use chandra_loader::abi::{Counters, group_field};
use chandra_loader::cost::{self, ProgramCost};
use chandra_loader::flow_table::{self, Overflow};
use chandra_loader::ledger;
use chandra_loader::load::Loaded;
use chandra_loader::verdict::{HookVerdict, Verdict};
use chandra_metrics::Registry;
use chandra_metrics::network::Level;
use chandra_otlp::Exported;
use chandra_signals::filter::Filter;
use chandra_signals::system_call::calls;
use chandra_signals::{Context, Signal};

use super::audit::{self, Needs};
use super::governor::Meter;
use super::governor::ladder::Rung;
use super::governor::standing::{Role, Standing};
use super::otlp;
use super::profiles::Profiles;
use crate::cli::agent::AgentOptions;
use crate::flows;
use crate::follow::Tally;
use crate::session::{self, Received, Watch};

/// Everything that the agent's threads share.
#[derive(Debug)]
pub struct AgentState {
    /// Signals that are on.
    pub signals: Vec<SignalState>,
    /// Where it serves.
    pub http: Option<SocketAddr>,
    /// When it started.
    pub started: Instant,
    /// What is counted for Prometheus beside the books.
    pub registry: Registry,
    /// Profiles that are kept.
    pub profiles: Vec<Profiles>,
    /// What becomes of those who ask for profiles over the network.
    pub profile_clients: Arc<ProfileCounts>,
    /// What was audited.
    pub audit: audit::Shared,
    /// What was exported by OTLP, where that is asked for.
    pub exported: OnceLock<Exported>,
    /// What came of the canary.
    pub canary: Canary,
    identity: Mutex<IdentityFigures>,
    collisions_told: AtomicUsize,
    /// What programs cost.
    pub meter: Meter,
}

/// What is known of who does what, as of about a second ago.
#[derive(Debug, Clone, Default)]
pub struct IdentityFigures {
    /// Processes.
    pub processes: process::Stats,
    /// Cgroups and containers.
    pub cgroups: container::Counts,
    /// Containers and pods that the runtime described.
    pub descriptions: usize,
    /// Bytes of those.
    pub descriptions_bytes: usize,
    /// Descriptions that left before their time.
    pub descriptions_dropped: description::Dropped,
    /// Why descriptions may be out of date.
    pub stale: Option<String>,
    /// What the cluster's API says, where one is asked.
    pub cluster: Option<ClusterFigures>,
    /// Records that came before the description of their container.
    pub tally: Tally,
}

/// What is known of the cluster.
#[derive(Debug, Clone, Default)]
pub struct ClusterFigures {
    /// Its pods, services and nodes.
    pub stats: cluster::Stats,
    /// How far each resource is told of.
    pub resources: Vec<(Resource, ResourceFigures)>,
}

/// How far a resource is told of.
#[derive(Debug, Clone, Default)]
pub struct ResourceFigures {
    /// All of it was, once at least.
    pub is_listed: bool,
    /// Why it may be out of date.
    pub stale: Option<String>,
}

impl ClusterFigures {
    fn of(cluster: &Cluster) -> Self {
        let figures = |resource| {
            let state = cluster.resource(resource);
            let stale = state.stale.as_ref().map(|stale| stale.reason.to_string());
            (resource, ResourceFigures { is_listed: state.listed_at_ns.is_some(), stale })
        };
        Self { stats: cluster.stats(), resources: Resource::ALL.into_iter().map(figures).collect() }
    }
}

/// Proof that the way from the kernel to here works: an exec and a connect of the agent's own.
#[derive(Debug, Default)]
pub struct Canary {
    /// Its exec came through.
    pub exec_seen: AtomicBool,
    /// The agent's connect to itself came through.
    pub connect_seen: AtomicBool,
}

/// One signal that is on.
#[derive(Debug)]
pub struct SignalState {
    /// The signal.
    pub signal: &'static Signal,
    /// It was asked for; otherwise it is there because identity lives from it, or rules need it.
    pub is_on: bool,
    /// Bits of the kinds that are printed.
    pub printed_kinds: u32,
    /// Bits of the kinds that are told: printed, made flows or profiles from, or put before rules; the others are there
    /// to learn from.
    pub told_kinds: u32,
    /// Its probe asks whose records are wanted.
    pub selects: bool,
    /// What a cgroup may send, where it has a budget.
    pub records_per_second: Option<NonZeroU32>,
    /// What the governor may do with it.
    pub role: Role,
    /// Rules ask for its records.
    pub rules_need_it: bool,
    /// At which its families are told; they are in the registry where that is not the node.
    pub level: Level,
    /// Its object, or why there is none.
    pub loaded: Result<RwLock<Loaded>, Problem>,
    /// How long loading and attaching took.
    pub load_time: Duration,
    /// Records after the ring.
    pub received: Received,
    /// Records that were printed or made flows from.
    pub delivered: AtomicU64,
    /// Lines that the printer had no room for.
    pub shed: AtomicU64,
    /// What was there already when it started: processes, connections.
    pub found_at_start: AtomicU64,
    /// Flows that its table gave up, as far as that was counted.
    flows_evicted: AtomicU64,
    standing: Mutex<Standing>,
}

/// One signal's account, from the kernel to the output.
#[derive(Debug, Clone, Copy)]
pub struct Books {
    /// The kernel's side.
    pub kernel: Counters,
    /// Records decoded.
    pub decoded: u64,
    /// Records that could not be.
    pub decode_errors: u64,
    /// Records that were there to learn from only.
    pub learnt: u64,
    /// Records of nobody who is selected.
    pub not_selected: u64,
    /// Records that were printed or made flows from.
    pub delivered: u64,
    /// Records whose lines the printer had no room for.
    pub shed: u64,
}

impl Books {
    /// Submitted and not read yet.
    pub fn in_flight(&self) -> u64 {
        self.kernel.submitted.saturating_sub(self.decoded + self.decode_errors)
    }

    /// What no book accounts for; 0 when they balance.
    pub fn imbalance(&self) -> i64 {
        let read = self.decoded + self.decode_errors;
        let never_sent = read.saturating_sub(self.kernel.submitted);
        self.kernel.imbalance() - never_sent.cast_signed()
    }
}

/// Bits of the kinds that flows are made from.
fn flow_kinds(signal: &Signal) -> u32 {
    let kinds = signal.kinds.iter().filter(|(name, _)| flows::KINDS.contains(name));
    kinds.fold(0, |bits, (_, number)| bits | 1 << number)
}

fn all_kinds(signal: &Signal) -> u32 {
    signal.kinds.iter().fold(0, |bits, (_, number)| bits | 1 << number)
}

impl SignalState {
    /// Loads and attaches all hooks of a signal, whatever comes of it.
    ///
    /// One that is not on is there for identity, or for what the audit `needs`.
    pub fn load(
        signal: &'static Signal,
        is_on: bool,
        needs: &Needs,
        options: &AgentOptions,
    ) -> Self {
        let started = Instant::now();
        let asks = options.identity.late.is_some();
        let identity = signal.identity.iter().filter(|_| asks);
        let audited = needs.kinds_of(signal);
        let hooks: Vec<_> = match is_on || audited != 0 {
            true => signal.spec.hooks.iter().map(|hook| hook.name).collect(),
            false => identity.clone().map(|(_, hook)| *hook).collect(),
        };
        let printed_kinds = if is_on { signal.agent_kinds } else { 0 };
        let flows = if is_on && options.makes_flows() { flow_kinds(signal) } else { 0 };
        let profiled = if is_on && signal.class == session::STACKS { all_kinds(signal) } else { 0 };
        let exported = if is_on && options.exports_logs() { otlp::kinds(signal) } else { 0 };
        let told_kinds = printed_kinds | flows | audited | profiled | exported;
        let kinds = identity.fold(told_kinds, |kinds, (kind, _)| kinds | kind);
        // Identity lives from everybody.
        let selects = signal.identity.is_empty() && options.selector.asks_for_container();
        let ports = if signal.names_peers { options.dns_ports.clone() } else { Vec::new() };
        // None stands for the usual ones.
        let usual = calls::usual().filter(|_| is_on && audited != 0);
        let calls = needs.calls().iter().copied().chain(usual).collect();
        // Whoever asked for the signal itself wants all of them.
        let asks = signal.filters.contains(&"path") && !is_on;
        let paths = if asks { needs.opens().to_vec() } else { Vec::new() };
        // Rules about anything may ask for it, of what was executed before.
        let sends_environment = needs.environment();
        let filter = Filter {
            ports,
            calls,
            paths,
            selects_cgroups: selects,
            sends_environment,
            ..Filter::default()
        };
        let labels = signal.metrics.iter().flat_map(|metric| metric.labels);
        let level = options.metrics.kernel_levels.of(signal);
        let by_cgroup = if level == Level::Node { 0 } else { group_field::GROUP_CGROUP };
        let group_by = labels.fold(by_cgroup, |bits, (_, bit)| bits | bit);
        let watch = Watch { signal, hooks: &hooks, kinds, group_by, filter: &filter };
        let loaded = session::start(&watch, &options.load).map(RwLock::new);
        let role = Role::of(signal, audited != 0, &options.cpu_budgets);
        Self {
            signal,
            is_on,
            printed_kinds,
            told_kinds,
            selects,
            records_per_second: options.load.budgets.rate(&signal.spec),
            level,
            loaded,
            load_time: started.elapsed(),
            received: Received::default(),
            delivered: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            found_at_start: AtomicU64::new(0),
            flows_evicted: AtomicU64::new(0),
            role,
            rules_need_it: audited != 0,
            standing: Mutex::new(Standing::new(role)),
        }
    }

    /// Flows are made from its records, where any are made.
    pub fn tells_of_flows(&self) -> bool {
        self.is_on && flow_kinds(self.signal) != 0
    }

    /// Records that its ring had no room for.
    pub fn lost_in_kernel(&self) -> u64 {
        self.with_loaded(|loaded| ledger::read(loaded.object()).lost).unwrap_or(0)
    }

    /// Facts that its probes have met.
    pub fn seen_in_kernel(&self) -> u64 {
        self.with_loaded(|loaded| ledger::read(loaded.object()).seen).unwrap_or(0)
    }

    /// Flows for which its table had no room; `None` where it has none. What was counted once stays counted.
    pub fn flow_overflow(&self) -> Option<Overflow> {
        let table = self.signal.flow_table?;
        let now = self.with_loaded(|loaded| flow_table::overflow(loaded, table).ok()).flatten()?;
        let before = self.flows_evicted.fetch_max(now.evicted, Ordering::Relaxed);
        Some(Overflow { evicted: now.evicted.max(before), ..now })
    }

    /// Reads something of the loaded object; `None` when there is none.
    pub fn with_loaded<T>(&self, read: impl FnOnce(&Loaded) -> T) -> Option<T> {
        let loaded = self.loaded.as_ref().ok()?;
        loaded.read().ok().map(|loaded| read(&loaded))
    }

    /// Hooks that worked do not any more: their verdicts say so from now on.
    pub fn notices_lost_hooks(&self) -> bool {
        // Others read it meanwhile; they wait only where there is something to write.
        if self.with_loaded(Loaded::has_lost_hook) != Some(true) {
            return false;
        }
        if let Ok(loaded) = &self.loaded
            && let Ok(mut loaded) = loaded.write()
        {
            loaded.give_up_lost_hooks();
        }
        true
    }

    /// Verdicts of its hooks.
    pub fn hooks(&self) -> Vec<HookVerdict> {
        self.with_loaded(|loaded| loaded.hooks.clone()).unwrap_or_default()
    }

    /// The signal's verdict is that of its first hook, or of its loading.
    pub fn verdict(&self) -> Verdict {
        match &self.loaded {
            Err(problem) => Verdict::Failed(problem.why.clone()),
            Ok(_) => self.hooks().into_iter().next().map_or(Verdict::Off, |hook| hook.verdict),
        }
    }

    /// `signal process: active (exec by tp_btf, …), ring 1024 KiB, 12 ms`.
    pub fn start_line(&self) -> String {
        let why = if self.is_on { "" } else { ", for identity" };
        let head = format!("signal {}{why}: {}", self.signal.spec.name, self.verdict().word());
        match &self.loaded {
            Ok(_) => {
                let ring = self.with_loaded(|loaded| loaded.ring_bytes).unwrap_or(0);
                let hooks = self.hooks();
                let texts = session::hooks_text(&hooks);
                let milliseconds = self.load_time.as_millis();
                let head = format!("{head} ({texts}), ring {} KiB, {milliseconds} ms", ring / 1024);
                let failed = hooks.iter().filter(|hook| hook.verdict.word() == "failed");
                let problems = failed.filter_map(|hook| {
                    let problem = session::hook_problem(self.signal.spec.name, hook)?;
                    Some(format!("\n{problem}"))
                });
                head + &problems.collect::<String>()
            }
            Err(problem) => format!("{head}\n{problem}"),
        }
    }

    /// Its books. User space first: what it has read was submitted before.
    pub fn books(&self) -> Books {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (decoded, decode_errors) =
            (load(&self.received.decoded), load(&self.received.decode_errors));
        let kernel = self.kernel_counters();
        Books {
            kernel,
            decoded,
            decode_errors,
            learnt: load(&self.received.learnt),
            not_selected: load(&self.received.not_selected),
            delivered: load(&self.delivered),
            shed: load(&self.shed),
        }
    }

    /// The kernel's side, read until nothing is between two of its counters (a probe that runs
    /// meanwhile has seen a fact and not yet said what became of it).
    fn kernel_counters(&self) -> Counters {
        let read =
            || self.with_loaded(|loaded| ledger::read(loaded.object())).unwrap_or(Counters::ZERO);
        let mut counters = read();
        for _ in 0..50 {
            if counters.imbalance() == 0 {
                break;
            }
            std::thread::yield_now();
            counters = read();
        }
        counters
    }

    /// How it stands with the governor.
    pub fn standing(&self) -> Standing {
        self.update_standing(|standing| standing.clone())
    }

    /// The governor's word on it.
    pub fn update_standing<T>(&self, update: impl FnOnce(&mut Standing) -> T) -> T {
        update(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its probe tells as much as on this rung from now on.
    pub fn share(&self, rung: Rung) -> io::Result<()> {
        let Some(share) = rung.share() else { return Ok(()) };
        self.with_loaded(|loaded| loaded.tell_share(share)).unwrap_or(Ok(()))
    }

    /// Detaches its hooks. That takes the kernel a while, in which nobody waits for the lock.
    pub fn detach(&self) {
        let Ok(loaded) = &self.loaded else { return };
        let hooks = loaded.write().ok().map(|mut loaded| loaded.take_hooks());
        drop(hooks);
    }

    /// Attaches them anew, and lets its probe find what began meanwhile.
    pub fn attach(&self, context: &Context) -> io::Result<()> {
        let Some(hooks) = self.with_loaded(Loaded::attach_hooks).transpose()? else {
            return Ok(());
        };
        if let Ok(loaded) = &self.loaded
            && let Ok(mut loaded) = loaded.write()
        {
            loaded.keep_hooks(hooks);
        }
        self.with_loaded(|loaded| (self.signal.seed)(loaded, context, &mut |_| {}));
        Ok(())
    }

    /// Cost of each of its programs while it was measured.
    pub fn programs(&self) -> Vec<ProgramCost> {
        self.with_loaded(|loaded| cost::read(loaded.object())).unwrap_or_default()
    }
}

impl AgentState {
    /// The state of an agent that just loaded its signals.
    pub fn new(
        signals: Vec<SignalState>,
        profiles: Vec<Profiles>,
        started: Instant,
        http: Option<SocketAddr>,
        registry: Registry,
        meter: Meter,
    ) -> Self {
        Self {
            signals,
            profiles,
            profile_clients: Arc::default(),
            http,
            registry,
            started,
            audit: audit::Shared::default(),
            exported: OnceLock::new(),
            canary: Canary::default(),
            identity: Mutex::default(),
            collisions_told: AtomicUsize::new(0),
            meter,
        }
    }

    /// Records of a signal that its ring had no room for.
    pub fn lost_by_signal(&self, name: &str) -> u64 {
        let signal = self.signals.iter().find(|it| it.signal.spec.name == name);
        signal.map_or(0, SignalState::lost_in_kernel)
    }

    /// Keeps the figures of the tables, which one thread owns.
    pub fn note_identity(&self, identity: &Identity, tally: &Tally) {
        let cluster = identity.asked_cluster();
        if let Some(cluster) = cluster {
            self.tell_collisions(cluster);
        }
        let figures = IdentityFigures {
            processes: identity.processes.stats(),
            cgroups: identity.cgroups.counts(),
            descriptions: identity.descriptions.len(),
            descriptions_bytes: identity.descriptions.bytes(),
            descriptions_dropped: identity.descriptions.dropped(),
            stale: identity.descriptions.stale().map(str::to_owned),
            cluster: cluster.map(ClusterFigures::of),
            tally: *tally,
        };
        if let Ok(mut kept) = self.identity.lock() {
            *kept = figures;
        }
    }

    /// Says once of each number of two label sets whose it is: who goes by numbers takes one for the
    /// other.
    fn tell_collisions(&self, cluster: &Cluster) {
        let collisions = cluster.collisions();
        let told = self.collisions_told.swap(collisions.len(), Ordering::Relaxed);
        for collision in collisions.iter().skip(told) {
            let Collision { number, first, second } = collision;
            eprintln!("warning: identity {number} is that of two label sets: {first} and {second}");
        }
    }

    /// The figures of the tables.
    pub fn identity(&self) -> IdentityFigures {
        self.identity.lock().map(|figures| figures.clone()).unwrap_or_default()
    }

    /// The state of a signal that was asked for and works.
    pub fn active(&self, name: &str) -> Option<&SignalState> {
        self.asked_for()
            .find(|signal| signal.signal.spec.name == name && signal.verdict().is_active())
    }

    fn asked_for(&self) -> impl Iterator<Item = &SignalState> {
        self.signals.iter().filter(|signal| signal.is_on)
    }

    /// An agent none of whose signals works has nothing to do; the first problem says why.
    pub fn nothing_works(&self) -> Option<Problem> {
        if self.asked_for().any(|signal| signal.verdict().is_active()) {
            return None;
        }
        self.asked_for().find_map(|signal| match &signal.loaded {
            Err(problem) => Some(problem.clone()),
            Ok(_) => signal
                .hooks()
                .iter()
                .find_map(|hook| session::hook_problem(signal.signal.spec.name, hook)),
        })
    }

    /// `agent: 2 signals active after 60 ms, serving on http://…`, once all of them listen.
    pub fn serving_line(&self) -> String {
        let (tally, millis) = (self.tally(), self.started.elapsed().as_millis());
        let address = self.http.map_or_else(String::new, |address| address.to_string());
        format!("agent: {tally} after {millis} ms, serving on http://{address}")
    }

    /// `2 signals active, 1 not`.
    fn tally(&self) -> String {
        let active = self.asked_for().filter(|signal| signal.verdict().is_active()).count();
        match self.asked_for().count() - active {
            0 => format!("{active} signals active"),
            others => format!("{active} signals active, {others} not"),
        }
    }

    /// Sums over all signals for the last line.
    pub fn totals(&self) -> String {
        let books: Vec<_> = self.signals.iter().map(SignalState::books).collect();
        let sum = |of: fn(&Books) -> u64| books.iter().map(of).sum::<u64>();
        let (seen, lost) = (sum(|books| books.kernel.seen), sum(|books| books.kernel.lost));
        let (delivered, shed) = (sum(|books| books.delivered), sum(|books| books.shed));
        let learnt = sum(|books| books.learnt);
        format!(
            "{seen} seen, {lost} lost, {delivered} delivered, {shed} shed, {learnt} learnt from"
        )
    }
}
