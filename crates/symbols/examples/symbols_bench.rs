//! What names cost: for each file `symbols_FILE_MEASURE VALUE UNIT`, a line each, and those of the kernel. Times are
//! those of the processor, on one thread, the file in the page cache. `peak` is of the process so far.
//!
//! `cargo run --release -p chandra-symbols --example symbols_bench [-- FILE…]`
#![allow(clippy::expect_used, reason = "a bench stops where it cannot go on")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_symbols::kernel::KernelSymbols;
use chandra_symbols::{Binary, Figures, Image, Key, Limits, Place, Source, Symbolizer};
use chandra_unwind::BuildId;

const ADDRESSES: usize = 10_000;
const MEASURED_NS: u64 = 1_000_000_000;

/// How long this thread has run: other programs that run, too, are not counted.
fn processor_ns() -> u64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").expect("procfs");
    schedule.split(' ').next().and_then(|field| field.parse().ok()).expect("a number")
}

/// What work comes to, and how long it takes: the mean of a second's rounds, since the kernel counts running
/// time by its tick, which is longer than some of them.
fn timed<T>(mut work: impl FnMut() -> T) -> (T, f64) {
    let (start, mut rounds) = (processor_ns(), 0_u32);
    loop {
        let done = work();
        rounds += 1;
        let spent = processor_ns() - start;
        if spent >= MEASURED_NS {
            return (done, spent as f64 / 1e6 / f64::from(rounds));
        }
    }
}

fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.split_whitespace().next().and_then(|digits| digits.parse().ok()).expect("a number")
}

/// Addresses of functions, spread over the code.
fn addresses(image: &Image, bytes: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let mut state = 3_u64;
    for _ in 0..50_000_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let address = (state >> 20) % bytes;
        if image.function(address).is_some() {
            found.push(address);
            if found.len() == ADDRESSES {
                break;
            }
        }
    }
    found.sort_unstable();
    found
}

fn measure(name: &str, path: &Path) {
    let say = |measure: &str, value: f64, unit: &str| {
        println!("symbols_{name}_{measure} {value:.1} {unit}");
    };
    // One batch of a bench may take as long as it takes: what it takes is measured.
    let long = std::time::Duration::from_secs(60);
    let limits =
        Limits { dwarf_bytes: 1 << 30, read_time: long, resolve_time: long, ..Limits::default() };
    let source = Source::File(File::open(path).expect("a file"));
    let place = Place { roots: &[], path };
    let bytes = std::fs::metadata(path).expect("a file").len();
    let (image, read) = timed(|| Image::read(&source, place, &limits));
    let addresses = addresses(&image, bytes);
    say("file", bytes as f64 / 1_048_576.0, "MiB");
    say("read", read, "ms");
    say("tables", image.bytes() as f64 / 1_048_576.0, "MiB");
    drop(image);
    let key = Key { build_id: BuildId::Headers(bytes.into()), scope: 0 };
    let binary = Binary { key: &key, source: &source, place };
    let ((mut symbolizer, answers), first) = timed(|| {
        let mut symbolizer = Symbolizer::new(limits);
        let answers = symbolizer.resolve(binary, &addresses);
        (symbolizer, answers)
    });
    let frames: usize = answers.iter().map(|answer| answer.frames.len()).sum();
    let Figures { name_bytes, unknown, .. } = symbolizer.figures();
    let (_, again) = timed(|| symbolizer.resolve(binary, &addresses));
    say("addresses", addresses.len() as f64, "addresses");
    say("frames", frames as f64, "frames");
    say("first_batch", first, "ms");
    say("first_each", (first - read) * 1000.0 / addresses.len().max(1) as f64, "us");
    say("kept_each", again * 1_000_000.0 / addresses.len().max(1) as f64, "ns");
    say("names", name_bytes as f64 / 1024.0, "KiB");
    say("unknown", unknown as f64, "addresses");
    say("peak", resident_kib() / 1024.0, "MiB");
}

/// The C library, the compiler's library, and this program, which has DWARF where it was built for debugging.
fn usual() -> Vec<(&'static str, PathBuf)> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("mappings");
    let mut mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let libc = mapped.find(|path| path.contains("libc.so")).map(PathBuf::from);
    let root = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc");
    let libraries = Path::new(String::from_utf8_lossy(&root.stdout).trim()).join("lib");
    let libraries = std::fs::read_dir(libraries).expect("a folder").flatten();
    let mut libraries = libraries.map(|entry| entry.path());
    let rustc = libraries.find(|path| path.to_string_lossy().contains("librustc_driver"));
    let debug = PathBuf::from("target/debug/examples/symbols_bench");
    let own = Some(debug).filter(|path| path.exists());
    let all = [("libc", libc), ("librustc_driver", rustc), ("debug_program", own)];
    all.into_iter().filter_map(|(name, path)| Some((name, path?))).collect()
}

fn main() {
    let (kernel, read) = timed(KernelSymbols::read);
    match kernel {
        Ok(kernel) => {
            println!("symbols_kernel_read {read:.1} ms");
            println!("symbols_kernel_functions {} functions", kernel.len());
            println!("symbols_kernel_tables {:.1} MiB", kernel.bytes() as f64 / 1_048_576.0);
        }
        Err(error) => eprintln!("the kernel's: {error}"),
    }
    let asked: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    for path in &asked {
        measure(&path.file_name().unwrap_or_default().to_string_lossy(), path);
    }
    if asked.is_empty() {
        usual().iter().for_each(|(name, path)| measure(name, path));
    }
}
