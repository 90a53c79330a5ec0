//! What unwind tables cost: for each file `unwind_FILE_MEASURE VALUE UNIT`, a line each. Times are those of the
//! processor, the mean of a second's rounds, on one thread, the file in memory.
//!
//! `cargo run --release -p chandra-unwind --example unwind_bench [-- FILE…]`
#![allow(clippy::expect_used, reason = "a bench stops where it cannot go on")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_unwind::row::Rule;
use chandra_unwind::{Limits, build};

const MEASURED_NS: u64 = 1_000_000_000;
const LOOK_UPS: usize = 1_000_000;

/// How long this thread has run: other programs that run, too, are not counted.
fn processor_ns() -> u64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").expect("procfs");
    schedule.split(' ').next().and_then(|field| field.parse().ok()).expect("a number")
}

fn measure(name: &str, path: &Path) {
    let file = std::fs::read(path).expect("a file");
    let round = || build(black_box(&file), &Limits::default()).expect("a table");
    let built = round();
    // The kernel counts running time by its tick: a round may be shorter.
    let (start, mut rounds) = (processor_ns(), 0_u32);
    while processor_ns() - start < MEASURED_NS {
        black_box(round());
        rounds += 1;
    }
    let build_ns = (processor_ns() - start) as f64 / f64::from(rounds);
    let say = |measure: &str, value: f64, unit: &str| {
        println!("unwind_{name}_{measure} {value:.1} {unit}")
    };
    let (header, table) = (built.table.header(), &built.table);
    say("build", build_ns / 1e6, "ms");
    say("file", file.len() as f64 / 1_048_576.0, "MiB");
    say("table", table.bytes() as f64 / 1024.0, "KiB");
    say("rows", header.row_count.into(), "rows");
    say("rules", header.rule_count.into(), "rules");
    say("pages", header.page_count.into(), "pages");
    say("per_row", table.bytes() as f64 / f64::from(header.row_count), "bytes");
    say("functions", built.report.functions as f64, "functions");
    say("unsupported", built.report.unsupported_rows as f64, "rows");
    say("damaged", built.report.damaged as f64, "functions");
    let (first, span) = (u64::from(header.first_page) << 16, u64::from(header.page_count) << 16);
    let mut place = 0_u64;
    let start = processor_ns();
    for _ in 0..LOOK_UPS {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        black_box(table.rule(first + (place >> 20) % span.max(1)) == Rule::Stop);
    }
    say("look_up", (processor_ns() - start) as f64 / LOOK_UPS as f64, "ns");
}

/// The C library of this process, the compiler's library, and a static program in Go where there is one.
fn usual() -> Vec<(&'static str, PathBuf)> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("mappings");
    let mut mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let libc = mapped.find(|path| path.contains("libc.so")).map(PathBuf::from);
    let root = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc");
    let libraries = Path::new(String::from_utf8_lossy(&root.stdout).trim()).join("lib");
    let libraries = std::fs::read_dir(libraries).expect("a folder").flatten();
    let rustc = libraries
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("librustc_driver"));
    let go = Some(PathBuf::from("/usr/bin/kubectl")).filter(|path| path.exists());
    let all = [("libc", libc), ("librustc_driver", rustc), ("kubectl", go)];
    all.into_iter().filter_map(|(name, path)| Some((name, path?))).collect()
}

fn main() {
    let asked: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    for path in &asked {
        measure(&path.file_name().unwrap_or_default().to_string_lossy(), path);
    }
    if asked.is_empty() {
        usual().iter().for_each(|(name, path)| measure(name, path));
    }
}
