//! What the probe of opened files costs, as the kernel measures it: an open that is sent, without a budget and
//! within one, one that is over it, one that is counted, one whose path is not asked for, and one of a process
//! that is not. Rounds of all cases
//! alternate and medians are shown. Needs root:
//! `cargo run --release -p chandra-signals --example open_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::fs::File;
use std::num::NonZeroU32;

use chandra_loader::abi::group_field;
use chandra_loader::budget::{Budget, Budgets};
use chandra_loader::cost::{self, Statistics};
use chandra_loader::load::{Options, Request, load};
use chandra_loader::path_selection::{self, Prefix, path_access};
use chandra_loader::{ledger, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;

const ROUNDS: usize = 11;
const OPENS: usize = 5000;
/// Six components deep, as paths are.
const PATH: &str = "/usr/share/doc/libc6/../libc6/copyright";

/// No budget; more than there are; next to none.
const OFF: Budget = Budget::Off;
const AMPLE: Budget = Budget::Rate(NonZeroU32::new(10_000_000).unwrap());
const SCANT: Budget = Budget::Rate(NonZeroU32::MIN);

/// Nanoseconds and the number of runs of one round.
fn measure(filter: &Filter, group_by: u32, budget: Budget) -> (u64, u64) {
    let signal = signal("file_open").unwrap();
    let request = Request {
        spec: &signal.spec,
        hooks: &["file_open"],
        config: filter.config(1, group_by).unwrap(),
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &Options {
            budgets: Budgets { others: budget, named: Vec::new() },
            ring_bytes: Some(8 << 20),
            ..Options::default()
        },
    };
    let loaded = load(&request).unwrap();
    if !filter.paths.is_empty() {
        path_selection::select(&loaded, &filter.paths).unwrap();
    }
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    (0..OPENS).for_each(|_| drop(File::open(PATH).unwrap()));
    let programs = cost::read(loaded.object());
    let spent: u64 = programs.iter().map(|program| program.run_time_ns).sum();
    let runs: u64 = programs.iter().map(|program| program.run_count).sum();
    let books = ledger::read(loaded.object());
    assert_eq!((books.imbalance(), books.lost), (0, 0));
    assert_eq!(books.rate_limited > 0, budget == SCANT);
    (spent / runs.max(1), runs)
}

fn main() {
    let own = Filter { pids: vec![std::process::id()], ..Filter::default() };
    let path = |path: &str| {
        let accesses = path_access::PATH_ACCESS_READ;
        Filter { paths: vec![Prefix { path: path.into(), accesses }], ..own.clone() }
    };
    let cases = [
        ("an open, sent", own.clone(), 0, OFF),
        ("an open, sent within a budget", own.clone(), 0, AMPLE),
        ("an open, over a budget", own.clone(), 0, SCANT),
        ("an open, counted by process", own.clone(), group_field::GROUP_PID, OFF),
        (
            "an open of a path that is asked for, counted",
            path("/usr/"),
            group_field::GROUP_PID,
            OFF,
        ),
        ("an open of another path", path("/etc/"), 0, OFF),
        ("an open of another process", Filter { pids: vec![1], ..Filter::default() }, 0, OFF),
    ];
    let _statistics = Statistics::enable().unwrap();
    let mut figures = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, filter, group_by, budget), figures) in cases.iter().zip(&mut figures) {
            figures.push(measure(filter, *group_by, *budget));
        }
    }
    println!("{:<46}{:>12}{:>10}", "ns a run, measuring included", "median", "runs");
    for ((name, ..), figures) in cases.iter().zip(&mut figures) {
        figures.sort_unstable();
        let (spent, runs) = figures[figures.len() / 2];
        println!("{name:<46}{spent:>12}{runs:>10}");
    }
}
