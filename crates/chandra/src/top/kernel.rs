//! Figures from probes of its own: the signals that tell of what is shown, loaded for the length of the
//! command as `chandra trace` loads one, beside those that identity lives from.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use chandra_doctor::Problem;
use chandra_loader::cost::{self, Statistics};
use chandra_loader::ledger;
use chandra_loader::load::{Loaded, Options};
use chandra_signals::filter::Filter;
use chandra_signals::{Context, SIGNALS, Signal};
use chandra_top::fact::{Fact, Owner, Place};
use chandra_top::views::signals as view;

use super::cpu::{self, Clocks};
use super::record_facts::{Facts, KINDS, UDP_KINDS};
use super::{Feed, Source, display};
use crate::cli::top::TopOptions;
use crate::follow::{Late, Part, Plan, Seeding, follow};
use crate::session::{self, Received, Watch};
use crate::stop::Stop;

/// How long to wait at most, and how long at a time, for what probes sent to be told.
const SETTLING: Duration = Duration::from_millis(500);
const SETTLING_STEP: Duration = Duration::from_millis(2);
/// How long who waits for records sleeps before it looks whether it should end.
const IDLE: Duration = Duration::from_millis(50);
/// What went over connections is told whenever it is asked for.
const AT_ONCE: Duration = Duration::from_nanos(1);
/// How often it is looked for room in a ring, and how many times at most.
const ROOM: Duration = Duration::from_millis(1);
const MOST_LOOKS: u32 = 1000;

/// Loads the signals and shows what they tell.
pub fn run(options: &TopOptions, feed: &Feed, stop: &Stop) -> Result<(), Problem> {
    chandra_loader::kernel_log::capture();
    // Its failure shows in the loading that follows, if it matters.
    let _ = chandra_loader::memory::raise_memlock_limit();
    let watched = load(options)?;
    let over = AtomicBool::new(false);
    let (is_ready, ready) = channel();
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let context = Context::new(options.load.btf.as_deref());
            watched.iter().for_each(|one| one.seed(&context));
            let parts: Vec<_> = watched.iter().map(Watched::part).collect();
            let plan = Plan {
                parts: &parts,
                sources: &options.identity.sources,
                selector: &options.selector,
                node: &options.identity.node,
                late: options.identity.late.unwrap_or(Late::Hold),
                patience: &|| (!over.load(Ordering::Relaxed)).then_some(IDLE),
                on_listening: &|| {
                    let _ = is_ready.send(());
                },
            };
            let followed = follow(&plan, &context, &mut Facts::new(feed));
            over.store(true, Ordering::Relaxed);
            followed.map(drop)
        });
        while ready.recv_timeout(IDLE).is_err() {
            if follower.is_finished() || stop.is_asked() {
                break;
            }
        }
        let mut kernel = Kernel::new(&watched, &over, !options.selector.is_empty());
        let shown = match follower.is_finished() {
            true => Ok(()),
            false => display::show(options, &mut kernel, feed, stop),
        };
        over.store(true, Ordering::Relaxed);
        follower.join().unwrap_or(Ok(())).and(shown)
    })
}

/// A loaded signal.
struct Watched {
    signal: &'static Signal,
    loaded: RwLock<Loaded>,
    received: Received,
    found_at_start: AtomicU64,
    told_kinds: u32,
    selects: bool,
}

impl Watched {
    fn part(&self) -> Part<'_> {
        let begins = !self.signal.identity.is_empty();
        Part {
            signal: self.signal,
            loaded: &self.loaded,
            received: &self.received,
            found_at_start: &self.found_at_start,
            told_kinds: self.told_kinds,
            learns: begins || self.signal.names_peers,
            selects: self.selects,
            seeding: begins.then_some(Seeding::Learn),
        }
    }

    /// What there is at start goes into its own tables, where nothing is learnt from it.
    fn seed(&self, context: &Context) {
        if self.signal.identity.is_empty()
            && let Ok(loaded) = self.loaded.read()
        {
            (self.signal.seed)(&loaded, context, &mut |_| {});
        }
    }

    /// Has the probe tell of what it remembers. Nobody else does so meanwhile.
    fn sweep(&self) {
        let Some(sweep) = &self.signal.sweep else { return };
        for _ in 0..MOST_LOOKS {
            let Ok(loaded) = self.loaded.write() else { return };
            // Where the kernel has no way to it, totals are told when connections end.
            let outcome = loaded.iterate(sweep.hook, &mut Vec::new());
            drop(loaded);
            // Its ring is half full: the rest follows what is there.
            if !outcome.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
                return;
            }
            std::thread::sleep(ROOM);
        }
    }
}

/// All that is wanted, at once: most of the time goes into the kernel's verifier. One that cannot be loaded is
/// said and left out, unless nothing is left.
fn load(options: &TopOptions) -> Result<Vec<Watched>, Problem> {
    let asks = options.identity.late.is_some();
    let is_wanted = |signal: &&'static Signal| {
        let teaches = !signal.identity.is_empty() || signal.names_peers;
        asks && teaches || told_kinds(signal, options.udp) != 0
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let start = |signal: &'static Signal| scope.spawn(move || start(signal, options));
        let threads: Vec<_> = SIGNALS.iter().filter(is_wanted).map(start).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let (mut watched, mut failure) = (Vec::new(), None);
    for result in results {
        match result {
            Ok(one) => watched.push(one),
            Err(problem) => {
                eprintln!("warning: some figures are missing:\n{problem}");
                failure = Some(problem);
            }
        }
    }
    match failure {
        Some(problem) if watched.iter().all(|one| one.told_kinds == 0) => Err(problem),
        _ => Ok(watched),
    }
}

/// Bits of the kinds of a signal that figures come from.
fn told_kinds(signal: &Signal, udp: bool) -> u32 {
    let others: &[&str] = if udp { UDP_KINDS } else { &[] };
    let is_told = |name: &str| KINDS.contains(&name) || others.contains(&name);
    let kinds = signal.kinds.iter().filter(|(name, _)| is_told(name));
    kinds.fold(0, |bits, (_, number)| bits | 1 << number)
}

fn start(signal: &'static Signal, options: &TopOptions) -> Result<Watched, Problem> {
    let asks = options.identity.late.is_some();
    let told_kinds = told_kinds(signal, options.udp);
    let mut kinds = told_kinds;
    // What shows these kinds needs these hooks; what else the same verbs need costs little.
    let verbs = signal.traces.iter().filter(|verb| verb.kinds & told_kinds != 0);
    let mut hooks: Vec<_> = verbs.flat_map(|verb| verb.hooks).copied().collect();
    if asks {
        kinds |= signal.identity.iter().fold(0, |kinds, (kind, _)| kinds | kind);
        hooks.extend(signal.identity.iter().map(|(_, hook)| *hook));
    }
    if asks && signal.names_peers {
        kinds |= signal.agent_kinds;
        hooks.extend(signal.spec.hooks.iter().map(|hook| hook.name));
    }
    hooks.sort_unstable();
    hooks.dedup();
    // Who teaches is not selected from: identity lives from all of it.
    let selects =
        signal.identity.is_empty() && !signal.names_peers && options.selector.asks_for_container();
    let filter = Filter { selects_cgroups: selects, ..Filter::default() };
    let watch = Watch { signal, hooks: &hooks, kinds, group_by: 0, filter: &filter };
    // A conversation over UDP is over when it was quiet for twice the interval.
    let is_udp = signal.kinds.iter().any(|(name, _)| UDP_KINDS.contains(name));
    let interval = if is_udp { options.interval } else { AT_ONCE };
    let load = Options { interval: Some(interval), ..options.load.clone() };
    Ok(Watched {
        signal,
        loaded: RwLock::new(session::start(&watch, &load)?),
        received: Received::default(),
        found_at_start: AtomicU64::new(0),
        told_kinds,
        selects,
    })
}

/// What the books and the kernel's measuring said of a signal.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    seen: u64,
    lost: u64,
    left_out: u64,
    runs: u64,
    run_time_ns: u64,
}

/// See the [module](self).
struct Kernel<'a> {
    watched: &'a [Watched],
    over: &'a AtomicBool,
    /// Only processes that something is told of are measured.
    is_selective: bool,
    clocks: Clocks,
    /// While it lives the kernel measures what programs cost.
    statistics: Option<Statistics>,
    readings: Vec<Reading>,
    own_cpu_ns: u64,
}

impl<'a> Kernel<'a> {
    fn new(watched: &'a [Watched], over: &'a AtomicBool, is_selective: bool) -> Self {
        Self {
            watched,
            over,
            is_selective,
            clocks: Clocks::default(),
            statistics: Statistics::enable().ok(),
            readings: vec![Reading::default(); watched.len()],
            own_cpu_ns: 0,
        }
    }
}

impl Source for Kernel<'_> {
    fn name(&self) -> String {
        "this machine, by own probes".to_owned()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "kind": "kernel" })
    }

    /// Probes say what is new, and all that they sent by then is told.
    fn settle(&mut self, feed: &Feed) {
        self.watched.iter().for_each(Watched::sweep);
        let sent: Vec<_> = self.watched.iter().map(submitted).collect();
        let is_told = |(one, sent): (&Watched, &u64)| {
            let Received { decoded, decode_errors, .. } = &one.received;
            decoded.load(Ordering::Relaxed) + decode_errors.load(Ordering::Relaxed) >= *sent
        };
        let until = Instant::now() + SETTLING;
        while !self.watched.iter().zip(&sent).all(is_told) && Instant::now() < until {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(SETTLING_STEP);
        }
        let mut watch = feed.lock();
        let is_selective = self.is_selective;
        self.clocks.look(&mut |(pid, start_ticks), comm, cpu_ns| {
            if !is_selective || watch.has_process(pid, start_ticks) {
                let owner = Owner::new(pid, start_ticks, comm.to_owned(), Place::default());
                watch.take(&Fact::Ran { owner: &owner, cpu_ns });
            }
        });
    }

    fn signals(&mut self, length: Duration) -> Vec<view::Signal> {
        let is_measured = self.statistics.is_some();
        let percent =
            |ns: u64| Duration::from_nanos(ns).as_secs_f64() * 100.0 / length.as_secs_f64();
        let readings = self.watched.iter().zip(&mut self.readings);
        let mut rows: Vec<_> = readings
            .map(|(one, before)| {
                let now = reading(one);
                let since = |of: fn(&Reading) -> u64| of(&now).saturating_sub(of(before));
                let run_time_ns = since(|it| it.run_time_ns);
                let row = view::Signal {
                    name: one.signal.spec.name.to_owned(),
                    verdict: "active".to_owned(),
                    seen: since(|it| it.seen),
                    lost: since(|it| it.lost),
                    left_out: since(|it| it.left_out),
                    runs: is_measured.then(|| since(|it| it.runs)),
                    run_time_ns: is_measured.then_some(run_time_ns),
                    percent_of_one_core: is_measured.then(|| percent(run_time_ns)),
                };
                *before = now;
                row
            })
            .collect();
        let own_cpu_ns = cpu::of_this_process().unwrap_or_default();
        let own = own_cpu_ns.saturating_sub(std::mem::replace(&mut self.own_cpu_ns, own_cpu_ns));
        rows.push(view::Signal {
            name: "chandra top".to_owned(),
            verdict: "user space".to_owned(),
            percent_of_one_core: Some(percent(own)),
            ..view::Signal::default()
        });
        rows
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

fn submitted(one: &Watched) -> u64 {
    one.loaded.read().map_or(0, |loaded| ledger::read(loaded.object()).submitted)
}

fn reading(one: &Watched) -> Reading {
    let Ok(loaded) = one.loaded.read() else { return Reading::default() };
    let books = ledger::read(loaded.object());
    let costs = cost::read(loaded.object());
    Reading {
        seen: books.seen,
        lost: books.lost + one.received.decode_errors.load(Ordering::Relaxed),
        left_out: books.sampled_out + books.rate_limited,
        runs: costs.iter().map(|cost| cost.run_count).sum(),
        run_time_ns: costs.iter().map(|cost| cost.run_time_ns).sum(),
    }
}
