//! What the probe of system calls costs: a call that nobody watches, with the probe and without it, and
//! one that is watched, as the kernel measures it. Rounds alternate and medians are shown. Needs root:
//! `cargo run --release -p chandra-signals --example system_call_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::time::Instant;

use chandra_loader::cost::{self, Statistics};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::verdict::Verdict;
use chandra_loader::{ledger, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_signals::system_call::calls;

const ROUNDS: usize = 15;
const CALLS: u32 = 200_000;
const WATCHED: u64 = 2000;

/// The two ways: a tracepoint for each call that is watched, and one for all calls.
const WAYS: [&str; 2] = ["tracepoint", "tp_btf"];

fn start(way: &str, calls: &[&str]) -> Loaded {
    let signal = signal("system_call").unwrap();
    let calls = calls.iter().map(|call| calls::by_name(call).unwrap()).collect();
    let filter = Filter { calls, ..Filter::default() };
    let tracepoints = signal.tracepoints.unwrap()(&filter);
    let tracepoints = tracepoints.as_deref().map_err(String::as_str);
    let request = Request {
        spec: &signal.spec,
        hooks: &["sys_exit"],
        config: filter.config(1, 0).unwrap(),
        map_entries: &[],
        tracepoints: if way == WAYS[0] { tracepoints } else { Err("the other way is measured") },
        options: &Options::default(),
    };
    let loaded = load(&request).unwrap();
    assert!(matches!(loaded.hooks[0].verdict, Verdict::Active(rung) if rung == way));
    signal.prepare.unwrap()(&loaded, &filter).unwrap();
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

/// Nanoseconds of a call that does next to nothing.
fn call_ns() -> u64 {
    let began = Instant::now();
    for _ in 0..CALLS {
        std::hint::black_box(std::os::unix::process::parent_id());
    }
    (began.elapsed() / CALLS).as_nanos() as u64
}

/// Nanoseconds of the probe, for a call with a path below the working directory that fails.
fn watched_ns(way: &str) -> u64 {
    let loaded = start(way, &["truncate"]);
    let _statistics = Statistics::enable().unwrap();
    let before = spent(&loaded);
    for _ in 0..WATCHED {
        let name = c"not-there";
        // SAFETY: the name ends with NUL and outlives the call.
        unsafe { libc::truncate(name.as_ptr(), 0) };
    }
    let after = spent(&loaded);
    assert_eq!(ledger::read(loaded.object()).seen, WATCHED);
    (after - before) / WATCHED
}

fn spent(loaded: &Loaded) -> u64 {
    cost::read(loaded.object()).iter().map(|program| program.run_time_ns).sum()
}

fn median(figures: &mut [u64]) -> u64 {
    figures.sort_unstable();
    figures[figures.len() / 2]
}

/// What the rules that Chandra comes with are about, of what kernels without modules have.
const MANY: &[&str] = &[
    "setns",
    "unshare",
    "ptrace",
    "process_vm_writev",
    "chmod",
    "fchmod",
    "fchmodat",
    "unlink",
    "unlinkat",
    "truncate",
    "mount",
    "bpf",
    "dup",
    "dup2",
    "dup3",
    "memfd_create",
];

fn main() {
    let mut figures: [[Vec<u64>; 4]; 2] = Default::default();
    let mut without = Vec::new();
    for _ in 0..ROUNDS {
        without.push(call_ns());
        for (way, [attach, others, watched, detach]) in WAYS.into_iter().zip(&mut figures) {
            let began = Instant::now();
            let loaded = start(way, MANY);
            attach.push(began.elapsed().as_micros() as u64);
            others.push(call_ns());
            let began = Instant::now();
            drop(loaded);
            detach.push(began.elapsed().as_micros() as u64);
            watched.push(watched_ns(way));
        }
    }
    println!("a call, without the probe   {:>6} ns", median(&mut without));
    for (way, [attach, others, watched, detach]) in WAYS.into_iter().zip(&mut figures) {
        println!("{way}, {} calls watched:", MANY.len());
        println!("  another call              {:>6} ns", median(others));
        println!("  one that is, with a path  {:>6} ns in the probe", median(watched));
        println!("  load and attach           {:>6} us", median(attach));
        println!("  detach                    {:>6} us", median(detach));
    }
}
