//! What three techniques are worth, each beside what it stands for, in one run on one machine
//! (docs/concepts/techniques.md): whole maps in batches, a chain of programs for one that is too big, and counting
//! in the kernel. Needs root and clang: `cargo run --release -p chandra-loader --example techniques`
//!
//! A guest has no clang: `techniques compile FOLDER` compiles the programs here, and `techniques chain FOLDER`
//! tries the chain there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "it stops where it cannot measure")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chandra_bpf_build::compile::compile;
use chandra_loader::cost::{self, Statistics};
use chandra_loader::{batch, kernel_log};
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, Object, ObjectBuilder, RingBufferBuilder};

const ROUNDS: usize = 7;
const ENTRIES: u32 = 65_536;
const CALLS: u64 = 500_000;

/// As many frames as the chain walks: the kernel allows 33 jumps, and a program behind each takes 16.
const ALL_FRAMES: u32 = 33 * 16;
/// Statistics and complaints, without a line for each instruction (`BPF_LOG_STATS`).
const LOG_STATISTICS: u32 = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["compile", folder] => compile_all(Path::new(folder)),
        ["chain", folder] => chain(Path::new(folder)),
        _ => {
            let folder = std::env::temp_dir().join(format!("techniques-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            compile_all(&folder);
            batches();
            chain(&folder);
            aggregation(&folder);
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
}

/// The sampling program as it is, the same with all of a walk in one program, and those of the third part.
fn compile_all(folder: &Path) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let probe = crates.join("signals/src/cpu_profile");
    let shared = crates.join("loader/bpf");
    // The header that says how many frames one program takes, saying another number.
    let header = std::fs::read_to_string(shared.join("sample.h")).unwrap();
    let (before, after) = header.split_once("#define FRAMES_AT_ONCE").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let whole = folder.join("whole");
    std::fs::create_dir_all(&whole).unwrap();
    let header = format!("{before}#define FRAMES_AT_ONCE {ALL_FRAMES}\n{after}");
    std::fs::write(whole.join("sample.h"), header).unwrap();
    std::fs::copy(probe.join("probe.bpf.c"), whole.join("probe.bpf.c")).unwrap();
    let own = crates.join("loader/examples/techniques.bpf.c");
    let includes = [
        whole.clone(),
        shared.clone(),
        crates.join("unwind/bpf"),
        probe.clone(),
        PathBuf::from(env!("LIBBPF_HEADERS")),
    ];
    let compile = |source: &Path, includes: &[PathBuf], object: &str| {
        compile(source, includes, std::env::consts::ARCH, &folder.join(object)).unwrap();
    };
    compile(&whole.join("probe.bpf.c"), &includes, "whole.o");
    compile(&probe.join("probe.bpf.c"), &includes[1..], "chain.o");
    compile(&own, &includes[1..], "counting.o");
}

/// CPU time of this thread in nanoseconds: what others do on the machine is not in it.
fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call, which fills it.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[allow(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn batches() {
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as u64,
        ..Default::default()
    };
    let map = MapHandle::create(MapType::Hash, Some("many"), 8, 8, ENTRIES, &options).unwrap();
    let numbers: Vec<u8> = (0..u64::from(ENTRIES)).flat_map(u64::to_ne_bytes).collect();
    batch::update(&map, &numbers, &numbers).unwrap();
    let timed = |read: &dyn Fn() -> std::io::Result<batch::Entries>| {
        let before = cpu_ns();
        let entries = read().unwrap();
        assert_eq!(entries.len(), ENTRIES as usize);
        milliseconds(cpu_ns() - before)
    };
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| (timed(&|| batch::lookup(&map)), timed(&|| batch::lookup_key_by_key(&map))))
        .collect();
    let batches = median(rounds.iter().map(|round| round.0).collect());
    let keys = median(rounds.iter().map(|round| round.1).collect());
    println!("read_in_batches {batches:.2} ms");
    println!("read_key_by_key {keys:.2} ms");
    println!("key_by_key_over_batches {:.1} times", keys / batches);
}

/// Opens an object, all of whose programs are verified with statistics alone.
fn load(path: &Path) -> Result<Object, (libbpf_rs::Error, String)> {
    kernel_log::capture();
    kernel_log::take();
    let bytes = std::fs::read(path).unwrap();
    let mut builder = ObjectBuilder::default();
    let mut open = builder.open_memory(&bytes).unwrap();
    for mut program in open.progs_mut() {
        program.set_log_level(LOG_STATISTICS);
    }
    open.load().map_err(|error| (error, kernel_log::take()))
}

fn chain(folder: &Path) {
    let object = load(&folder.join("chain.o")).map_err(|(error, _)| error).unwrap();
    let costs = cost::read(&object);
    let largest = costs.iter().map(|program| program.verified_instructions).max().unwrap();
    println!("chain: {} programs, loaded", costs.len());
    // Kernels before 5.16 do not tell.
    println!("chain_largest_program {largest} instructions");
    let Err((error, log)) = load(&folder.join("whole.o")) else {
        panic!("one program for a whole walk was not refused");
    };
    let complaint = log.lines().find(|line| line.contains("too large") || line.contains("complex"));
    println!("one program: refused ({error}): {}", complaint.unwrap_or(&log).trim());
}

/// Loads one of the two programs alone, for the main thread, whose number is the process's. Its reader is
/// another, so that it is not told of itself.
fn one_of(folder: &Path, wanted: &str) -> Object {
    let bytes = std::fs::read(folder.join("counting.o")).unwrap();
    let mut builder = ObjectBuilder::default();
    let mut open = builder.open_memory(&bytes).unwrap();
    for mut program in open.progs_mut() {
        let is_wanted = program.name() == wanted;
        program.set_autoload(is_wanted);
    }
    for mut map in open.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        if name.contains("rodata")
            && let Some(value) = map.initial_value_mut()
        {
            value[..4].copy_from_slice(&std::process::id().to_ne_bytes());
        }
    }
    open.load().unwrap()
}

fn map<'a>(object: &'a Object, name: &str) -> libbpf_rs::Map<'a> {
    object.maps().find(|map| map.name() == name).unwrap()
}

fn calls() {
    for _ in 0..CALLS {
        // SAFETY: takes nothing.
        unsafe { libc::syscall(libc::SYS_getppid) };
    }
}

fn own_count(counts: &HashMap<u32, u64>) -> u64 {
    let number = u32::try_from(libc::SYS_getppid).unwrap();
    counts.get(&number).copied().unwrap_or_default()
}

/// What it took: kernel and reader, in milliseconds of a processor, and bytes that crossed.
struct Taken {
    kernel_ms: f64,
    reader_ms: f64,
    bytes: f64,
}

fn program_ms(object: &Object) -> f64 {
    milliseconds(cost::read(object).iter().map(|program| program.run_time_ns).sum())
}

#[allow(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn counted(folder: &Path) -> Taken {
    let object = one_of(folder, "counted");
    let program = object.progs_mut().find(|program| program.name() == "counted").unwrap();
    let link = program.attach().unwrap();
    calls();
    drop(link);
    let before = cpu_ns();
    let entries = batch::lookup(&map(&object, "counts")).unwrap();
    let (mut counts, mut bytes) = (HashMap::new(), 0);
    for (key, per_cpu) in entries.iter() {
        let number = u32::from_ne_bytes(key[4..8].try_into().unwrap());
        let slots =
            per_cpu.chunks_exact(8).map(|slot| u64::from_ne_bytes(slot.try_into().unwrap()));
        *counts.entry(number).or_default() += slots.sum::<u64>();
        bytes += key.len() + per_cpu.len();
    }
    let reader_ms = milliseconds(cpu_ns() - before);
    assert_eq!(own_count(&counts), CALLS);
    Taken { kernel_ms: program_ms(&object), reader_ms, bytes: bytes as f64 }
}

#[allow(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn told(folder: &Path) -> Taken {
    const RECORD_BYTES: usize = 64;
    const HEADER_BYTES: usize = 8;
    let object = one_of(folder, "told");
    let is_over = AtomicBool::new(false);
    let (counts, reader_ms, bytes) = std::thread::scope(|scope| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (object, is_over) = (&object, &is_over);
        let records = MapHandle::try_from(&map(object, "records")).unwrap();
        let reader = scope.spawn(move || {
            let (counts, bytes) =
                (std::cell::RefCell::new(HashMap::new()), std::cell::Cell::new(0));
            let mut builder = RingBufferBuilder::new();
            let take = |record: &[u8]| {
                let number = u32::from_ne_bytes(record[4..8].try_into().unwrap());
                *counts.borrow_mut().entry(number).or_default() += 1_u64;
                assert_eq!(record.len(), RECORD_BYTES);
                bytes.set(bytes.get() + RECORD_BYTES + HEADER_BYTES);
                0
            };
            builder.add(&records, take).unwrap();
            let ring = builder.build().unwrap();
            ready.send(()).unwrap();
            let before = cpu_ns();
            while !is_over.load(Ordering::Relaxed) {
                ring.poll(Duration::from_millis(20)).unwrap();
            }
            ring.consume().unwrap();
            let spent = milliseconds(cpu_ns() - before);
            drop(ring);
            (counts.into_inner(), spent, bytes.get())
        });
        is_ready.recv().unwrap();
        let program = object.progs_mut().find(|program| program.name() == "told").unwrap();
        let link = program.attach().unwrap();
        calls();
        drop(link);
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    let lost = map(&object, "lost").lookup(&[0; 4], MapFlags::ANY).unwrap().unwrap();
    let lost = u64::from_ne_bytes(lost.try_into().unwrap());
    assert_eq!(own_count(&counts) + lost, CALLS);
    if lost > 0 {
        println!("of {CALLS} told calls {lost} were lost: the machine is too busy to compare");
    }
    Taken { kernel_ms: program_ms(&object), reader_ms, bytes: bytes as f64 }
}

fn aggregation(folder: &Path) {
    let _statistics = Statistics::enable().unwrap();
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (counted(folder), told(folder))).collect();
    let of = |figure: &dyn Fn(&(Taken, Taken)) -> f64| median(rounds.iter().map(figure).collect());
    println!("counted_in_kernel {:.1} ms", of(&|round| round.0.kernel_ms));
    println!("counted_by_reader {:.3} ms", of(&|round| round.0.reader_ms));
    println!("counted_bytes {:.0} B", of(&|round| round.0.bytes));
    println!("told_in_kernel {:.1} ms", of(&|round| round.1.kernel_ms));
    println!("told_by_reader {:.1} ms", of(&|round| round.1.reader_ms));
    println!("told_bytes {:.0} B", of(&|round| round.1.bytes));
    let spent = |taken: &Taken| taken.kernel_ms + taken.reader_ms;
    let times = of(&|round| spent(&round.1) / spent(&round.0));
    println!("told_over_counted_cpu {times:.1} times");
    println!("told_over_counted_bytes {:.0} times", of(&|round| round.1.bytes / round.0.bytes));
}
