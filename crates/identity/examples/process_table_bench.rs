//! What the process table costs: nanoseconds per operation and bytes per process.
//!
//! `cargo run --release --example process_table_bench -p chandra-identity`
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

use std::hint::black_box;
use std::time::Instant;

use chandra_event::process::{Arguments, Exec, Executable, Exit, Fork, Process};
use chandra_event::time::Timestamp;
use chandra_identity::process::{Limits, ProcessId, ProcessTable};

const ROUNDS: usize = 2_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, processes, distinct] = arguments.as_slice() {
        return measure(processes.parse().unwrap(), distinct == "distinct");
    }
    // Each in a process of its own, so that resident bytes are those of one table.
    for processes in ["10000", "65536"] {
        for programs in ["copies", "distinct"] {
            println!("\n{processes} processes, {programs} of a program:");
            let own = std::env::current_exe().unwrap();
            std::process::Command::new(own).args([processes, programs]).status().unwrap();
        }
    }
}

fn measure(processes: u32, distinct: bool) {
    let mut table = ProcessTable::new(Limits::default());
    let all: Vec<Process> = (0..processes).map(process).collect();
    let resident = resident_bytes();
    let began = Instant::now();
    for (index, process) in all.iter().enumerate() {
        table.fork(&Fork {
            time: Timestamp(process.start_boottime_ns),
            process: *process,
            parent: if index == 0 { Process::default() } else { all[(index - 1) / 4] },
        });
    }
    per("fork of all", began, all.len());
    let began = Instant::now();
    for process in &all {
        exec(&mut table, *process, if distinct { process.pid } else { 0 });
    }
    per("exec of all", began, all.len());
    let stats = table.stats();
    println!("  {:>8} bytes per process as counted", stats.bytes / u64::from(processes));
    println!(
        "  {:>8} bytes per process resident",
        (resident_bytes() - resident) / processes as usize
    );
    println!("  {:>8} programs, {} bytes in all", stats.programs, stats.bytes);

    let mut random = 1_u64;
    let mut any = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        all[(random >> 33) as usize % all.len()]
    };
    let began = Instant::now();
    (0..ROUNDS).for_each(|_| _ = black_box(any()));
    per("(choosing a process at random)", began, ROUNDS);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        black_box(table.get(ProcessId::of(&any())).unwrap());
    }
    per("get", began, ROUNDS);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        black_box(table.by_pid(any().pid).unwrap());
    }
    per("by_pid", began, ROUNDS);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let entry = table.get(ProcessId::of(&any())).unwrap();
        let program = entry.program().unwrap();
        black_box((program.executable.first(), program.arguments_head.first()));
    }
    per("get, its executable and arguments", began, ROUNDS);
    let began = Instant::now();
    let mut steps = 0;
    for _ in 0..ROUNDS {
        steps += black_box(table.ancestors(ProcessId::of(&any())).count());
    }
    per("get and all ancestors", began, ROUNDS);
    println!("  {:>8.1} ancestors on average", steps as f64 / ROUNDS as f64);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let process = any();
        table.sight(&process, Timestamp(u64::MAX / 2));
    }
    per("sighting of a known process", began, ROUNDS);

    // A short life in a table of that size.
    let lives = 200_000;
    let mut longest = 0;
    let began = Instant::now();
    for number in 0..lives {
        let start = 1 << 40 | number << 12;
        let parent = any();
        let pid = 1_000_000 + number as u32;
        let child = Process { pid, start_boottime_ns: start, ppid: parent.pid, ..parent };
        let time = Timestamp(start);
        let one = Instant::now();
        table.fork(&Fork { time, process: child, parent });
        exec(&mut table, child, if distinct { child.pid } else { 0 });
        table.exit(&Exit { time, process: child, ..Exit::default() });
        table.advance(start + 2_000_000_000 - (1 << 20));
        longest = longest.max(one.elapsed().as_nanos());
    }
    per("fork + exec + exit + forgetting", began, lives as usize);
    println!("  {longest:>8} ns was the longest of these; {:?}", table.stats());
}

fn process(index: u32) -> Process {
    let start = 1_000 + u64::from(index) * 1_000;
    Process { pid: index + 1, start_boottime_ns: start, ppid: index / 4, ..Process::default() }
}

fn exec(table: &mut ProcessTable, process: Process, number: u32) {
    let path = format!("/usr/local/bin/program-{number}");
    let arguments = format!("program-{number}\0--config\0/etc/program/{number}.toml\0--verbose\0");
    table.exec(&Exec {
        time: Timestamp(process.start_boottime_ns + 1),
        process,
        filename: path.as_bytes(),
        executable: Executable { path: path.as_bytes(), ..Executable::default() },
        cwd: b"/var/lib/program",
        arguments: Arguments {
            head: arguments.as_bytes(),
            tail: b"",
            total_bytes: arguments.len() as u64,
        },
        ..Exec::default()
    });
}

fn per(what: &str, began: Instant, count: usize) {
    println!("  {:>8.1} ns {what}", began.elapsed().as_nanos() as f64 / count as f64);
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
