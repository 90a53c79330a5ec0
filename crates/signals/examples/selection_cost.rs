//! What the selection of cgroups costs a probe, as the kernel measures its programs: an exec and a
//! connection, counted in the kernel, where the cgroup's own entry decides, one around it, and none.
//! Rounds of all cases alternate and medians are shown. Needs root:
//! `cargo run --release -p chandra-signals --example selection_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_loader::abi::group_field;
use chandra_loader::cost::{self, Statistics};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::ring;
use chandra_signals::filter::Filter;
use chandra_signals::registry;
use chandra_tests::cgroup::{self, Nested, start_in};

const ROUNDS: usize = 15;
const EXECS: u64 = 200;
const CONNECTIONS: u64 = 500;

/// How far above the process's cgroup the entry is that decides, and what it says.
struct Case {
    name: &'static str,
    entry: Option<(usize, bool)>,
    selects: bool,
}

const CASES: [Case; 6] = [
    Case { name: "no selection", entry: None, selects: false },
    Case { name: "selected by its own entry", entry: Some((0, true)), selects: true },
    Case { name: "selected by one around it", entry: Some((1, true)), selects: true },
    Case { name: "selected by one three around it", entry: Some((3, true)), selects: true },
    Case { name: "deselected by its own entry", entry: Some((0, false)), selects: true },
    Case { name: "undecided, five deep", entry: None, selects: true },
];

fn start(signal: &str, hook: &str, kinds: &[&str], selects_cgroups: bool) -> Loaded {
    let signal = registry::signal(signal).unwrap();
    let kinds = signal.kinds.iter().filter(|(name, _)| kinds.contains(name));
    let kinds = kinds.map(|(_, number)| 1 << number).sum();
    let filter = Filter { selects_cgroups, ..Filter::default() };
    let config = filter.config(kinds, group_field::GROUP_CGROUP).unwrap();
    let options = Options::default();
    let request = Request {
        spec: &signal.spec,
        hooks: &[hook],
        config,
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &options,
    };
    let loaded = load(&request).unwrap();
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

/// As many as are asked for, in this process: where it is, it stays.
fn connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for _ in 0..CONNECTIONS {
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut far = listener.accept().unwrap().0;
        drop(near);
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    }
}

fn execs(folder: &Path) {
    for _ in 0..EXECS {
        let mut command = Command::new("/bin/true");
        command.stdin(Stdio::null());
        start_in(&mut command, &[folder]);
        assert!(command.status().unwrap().success());
    }
}

/// Nanoseconds of all programs of the signal for each piece of work.
fn measure(loaded: &Loaded, case: &Case, folder: &Path, count: u64, work: impl Fn()) -> u64 {
    if let Some((above, is_selected)) = case.entry {
        let id = fs::metadata(folder.ancestors().nth(above).unwrap()).unwrap().st_ino();
        let number = NonZeroU32::new(1).filter(|_| is_selected);
        loaded.selection().unwrap().decide(0, id, number).unwrap();
    }
    let spent =
        || cost::read(loaded.object()).iter().map(|program| program.run_time_ns).sum::<u64>();
    let before = spent();
    work();
    (spent() - before) / count
}

fn main() {
    let nested = Nested::new(&cgroup::mount(), &["kubepods", "burstable", "pod", "container"]);
    let folder = nested.innermost().folder();
    let home = fs::read_to_string("/proc/self/cgroup").unwrap();
    let home = home.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
    let home = cgroup::mount().join(home.trim_start_matches('/'));
    let _statistics = Statistics::enable().unwrap();
    let mut figures = vec![[const { Vec::new() }; 2]; CASES.len()];
    for _ in 0..ROUNDS {
        for (case, figures) in CASES.iter().zip(&mut figures) {
            let exec = start("process", "exec", &["exec"], case.selects);
            figures[0].push(measure(&exec, case, folder, EXECS, || execs(folder)));
            drop(exec);
            nested.innermost().adopt(std::process::id());
            let kinds = ["tcp_connect", "tcp_established", "tcp_close"];
            let tcp = start("tcp", "state", &kinds, case.selects);
            figures[1].push(measure(&tcp, case, folder, CONNECTIONS, connections));
            fs::write(home.join("cgroup.procs"), "0").unwrap();
        }
    }
    println!("{:<34}{:>10}{:>14}", "ns (median)", "exec", "connection");
    for (case, figures) in CASES.iter().zip(&mut figures) {
        let [exec, connection] = figures.each_mut().map(|list| {
            list.sort_unstable();
            list[list.len() / 2]
        });
        println!("{:<34}{exec:>10}{connection:>14}", case.name);
    }
}
