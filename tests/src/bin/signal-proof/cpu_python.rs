//! Stacks of a program in Python: its functions stand where the interpreter's loop called them, and have the shares that
//! the program measured. The interpreter is Debian's of the same suite as a guest's kernel.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use chandra_tests::profiling::Profiling;
use chandra_tests::pythons::{self, Python};
use chandra_tests::scratch::unique;

use crate::hooks::Hooks;

/// Its row of the table.
const ROW: &str = "tick, stacks of Python";
const WORKLOAD: &str = include_str!("../../../profiling/workload.py");
/// Of processor time, some of which goes by until an emulated machine has made the tables of the interpreter.
const SECONDS: &str = "6";
const DEPTH: &str = "3";
/// An emulated clock ticks less evenly than chance has it.
const DEVIATIONS: f64 = 5.0;

/// A program whose three leaves have known shares.
pub fn stacks(chandra: &Path, hooks: &mut Hooks) {
    let Some(python) = pythons::all().pop() else {
        return hooks.is_not_tried(ROW, "there is no interpreter of Python here".to_owned());
    };
    let name = format!("py{}", unique());
    let options = ["--comm", &name, "--identity", "off", "-F", "199"];
    let profiling = Profiling::start_program(chandra, &options);
    let mut script = python.text(WORKLOAD);
    script.args([&name, "shares", SECONDS, DEPTH]).stdout(Stdio::piped());
    let output = script.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let truth = said.lines().map(|line| {
        let (leaf, number) = line.split_once(' ').unwrap();
        (leaf, number.parse().unwrap())
    });
    let profiled = profiling.stop().of_processes(&name);
    let truth: BTreeMap<&str, f64> = truth.collect();
    println!("Python 3.{}: {}", python.minor, profiled.summary);
    hooks.served_like(ROW, "tick");
    hooks.compared(ROW, has_shares(&python, &profiled, &truth));
}

fn has_shares(
    python: &Python,
    profiled: &chandra_tests::profiling::Profiled,
    truth: &BTreeMap<&str, f64>,
) -> Result<(), String> {
    let ways = [
        ("leaf_a", "middle_x", "Leaves.leaf_a"),
        ("leaf_b", "middle_x", "Leaves.leaf_b"),
        ("leaf_c", "middle_y", "Leaves.leaf_c"),
    ];
    let below = |(_, middle, leaf): &(&str, &str, &str)| {
        let leaf = python.qualified(leaf);
        let root = ["_PyEval_EvalFrameDefault", "<module>", "main", "work", "shares", "recurse"];
        profiled.samples_below(&[&root[..], &[*middle, leaf, "burn"]].concat())
    };
    let counts: Vec<u64> = ways.iter().map(below).collect();
    let (whole, all) = (counts.iter().sum::<u64>(), profiled.samples());
    let all_ns: f64 = ways.iter().map(|(leaf, ..)| truth[leaf]).sum();
    if whole < 150 || whole * 3 < all * 2 {
        return Err(format!("{whole} whole of {all}: {:?} {}", profiled.stacks, profiled.summary));
    }
    for ((leaf, ..), count) in ways.iter().zip(&counts) {
        let (expected, found) = (truth[leaf] / all_ns, *count as f64 / whole as f64);
        let deviation = (expected * (1.0 - expected) / whole as f64).sqrt();
        if (found - expected).abs() > DEVIATIONS * deviation {
            return Err(format!("{leaf} has {found:.3} of {whole}, not {expected:.3}"));
        }
    }
    Ok(())
}
