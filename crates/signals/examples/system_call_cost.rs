//! What the probe of system calls costs: a call that nobody watches, with the probe and without it, and
//! one that is watched, as the kernel measures it. Rounds alternate and medians are shown. Needs root:
//! `cargo run --release -p chandra-signals --example system_call_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::time::Instant;

use chandra_loader::cost::{self, Statistics};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::{ledger, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_signals::system_call::calls;

const ROUNDS: usize = 15;
const CALLS: u32 = 200_000;
const WATCHED: u64 = 2000;

fn start(call: &str) -> Loaded {
    let signal = signal("system_call").unwrap();
    let filter = Filter { calls: vec![calls::by_name(call).unwrap()], ..Filter::default() };
    let request = Request {
        spec: &signal.spec,
        hooks: &["sys_exit"],
        config: filter.config(1, 0).unwrap(),
        map_entries: &[],
        options: &Options::default(),
    };
    let loaded = load(&request).unwrap();
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
fn watched_ns() -> u64 {
    let loaded = start("truncate");
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

fn median(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures[figures.len() / 2]
}

fn main() {
    let (mut without, mut with, mut watched) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(call_ns());
        let loaded = start("setns");
        with.push(call_ns());
        drop(loaded);
        watched.push(watched_ns());
    }
    println!("a call, without the probe          {:>6} ns", median(without));
    println!("a call that is not watched         {:>6} ns", median(with));
    println!("one that is, sent, with its path   {:>6} ns in the probe", median(watched));
}
