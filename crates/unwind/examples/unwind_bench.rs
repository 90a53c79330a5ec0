//! What unwind tables cost: for each file `unwind_FILE_MEASURE VALUE UNIT`, a line each. The best of some
//! rounds, on one thread, the file in memory.
//!
//! `cargo run --release -p chandra-unwind --example unwind_bench -- FILE…`
#![allow(clippy::expect_used, reason = "a bench stops where it cannot go on")]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use chandra_unwind::row::Rule;
use chandra_unwind::{Limits, build};

const ROUNDS: usize = 5;
const LOOK_UPS: usize = 1_000_000;

fn measure(path: &Path) {
    let file = std::fs::read(path).expect("a file");
    let round = || {
        let start = Instant::now();
        let built = build(black_box(&file), &Limits::default()).expect("a table");
        (start.elapsed(), built)
    };
    let rounds: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    let (best, built) = rounds.into_iter().min_by_key(|(time, _)| *time).expect("a round");
    let name = path.file_name().unwrap_or_default().to_string_lossy().replace(['.', '-'], "_");
    let say = |measure: &str, value: f64, unit: &str| {
        println!("unwind_{name}_{measure} {value:.1} {unit}")
    };
    let (header, table) = (built.table.header(), &built.table);
    say("build", best.as_secs_f64() * 1000.0, "ms");
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
    let start = Instant::now();
    for _ in 0..LOOK_UPS {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        black_box(table.rule(first + (place >> 20) % span.max(1)) == Rule::Stop);
    }
    say("look_up", start.elapsed().as_nanos() as f64 / LOOK_UPS as f64, "ns");
}

fn main() {
    for path in std::env::args_os().skip(1) {
        measure(Path::new(&path));
    }
}
