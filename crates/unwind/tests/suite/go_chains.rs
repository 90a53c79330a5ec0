//! Walks of running Go programs, whose functions Go's line table alone describes.

use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_tests::needs;
use chandra_tests::scratch::Scratch;

use crate::running::{Running, Sample};

const SAMPLES: usize = 60;

/// Go's own tool, where its packages put it if not on the path.
fn go() -> Option<PathBuf> {
    let places = ["go", "/usr/lib/go/bin/go", "/usr/local/go/bin/go"].map(PathBuf::from);
    places.into_iter().find(|go| Command::new(go).arg("version").output().is_ok())
}

/// A program in Go, or `None` where there is no Go.
fn program(scratch: &Scratch, source: &str, environment: &[(&str, &str)]) -> Option<PathBuf> {
    let Some(go) = go() else {
        eprintln!("skipped: {}: needs the program go", file!());
        return None;
    };
    let program = scratch.at("chains");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go").join(source);
    let mut command = Command::new(go);
    command.args(["build", "-o"]).arg(&program).arg(source);
    command.env("GOCACHE", scratch.at("cache")).env("GO111MODULE", "off");
    command.envs(environment.iter().copied());
    assert!(command.status().expect("go").success());
    Some(program)
}

/// The names of a sample that are Go's, those of the runtime left out but for the outermost ones.
fn own(sample: &Sample) -> Vec<&str> {
    let names = sample.names.iter().flatten().map(String::as_str);
    let outermost = ["runtime.main", "runtime.goexit"];
    names
        .filter(|name| {
            name.starts_with("main.") || outermost.iter().any(|outer| name.starts_with(outer))
        })
        .collect()
}

/// Whether the thread was in Go's scheduler, which no function of a goroutine called.
fn is_scheduling(sample: &Sample) -> bool {
    let outermost = sample.names.last().and_then(Option::as_deref);
    outermost.is_some_and(|name| ["runtime.mcall", "runtime.morestack.abi0"].contains(&name))
}

/// Takes samples until enough are of what the program is for, and checks them all.
fn check(running: &Running, outer: &[&str]) {
    let outer = [outer, &["main.main", "runtime.main", "runtime.goexit.abi0"]].concat();
    let has_leaves = outer.contains(&"main.recurse");
    let mut enough = 0;
    running.wait_for_leaf();
    for number in 0.. {
        if enough == SAMPLES {
            break;
        }
        assert!(number < 50 * SAMPLES, "{enough} of {number}");
        let sample = running.sample(1024);
        let own = own(&sample);
        let context = || format!("{own:?} of {sample:#x?}");
        assert!(sample.walked.end.is_whole(), "{}", context());
        if is_scheduling(&sample) {
            assert_eq!(own, [] as [&str; 0], "{}", context());
            continue;
        }
        match own.strip_suffix(&outer[..]).unwrap_or_else(|| panic!("{}", context())) {
            ["main.burn", leaf, "main.leaves"] => {
                let current = char::from(sample.current).to_ascii_uppercase().to_string();
                assert_eq!(leaf.strip_prefix("main.leaf"), Some(&*current), "{}", context());
                enough += 1;
            }
            [] => enough += usize::from(!has_leaves),
            ["main.leaves"] => {}
            [leaf, "main.leaves"] if leaf.starts_with("main.leaf") => {}
            _ => panic!("{}", context()),
        }
    }
}

#[test]
fn of_a_static_go_program_every_chain_is_whole() {
    needs!("nm", "readelf");
    let scratch = Scratch::new();
    let Some(program) = program(&scratch, "chains.go", &[("CGO_ENABLED", "0")]) else { return };
    let recursed = vec!["main.recurse"; 4];
    check(&Running::start(&program, &["shallow"]), &recursed);
    let recursed = vec!["main.recurse"; 701];
    check(&Running::start(&program, &["deep"]), &recursed);
    check(&Running::start(&program, &["in_vdso"]), &["main.inVdso"]);
}

#[test]
fn of_go_that_calls_c_every_chain_is_whole() {
    needs!("nm", "readelf", "cc");
    let scratch = Scratch::new();
    let Some(program) = program(&scratch, "calls_c.go", &[("CGO_ENABLED", "1")]) else { return };
    let running = Running::start(&program, &[]);
    running.wait_for_leaf();
    for _ in 0..SAMPLES {
        let sample = running.sample(1024);
        let names: Vec<_> = sample.names.iter().flatten().map(String::as_str).collect();
        let in_c = names.iter().position(|name| *name == "c_leaves").unwrap_or(names.len());
        assert!(names[..in_c].iter().all(|name| name.starts_with("c_")), "{names:?}");
        let own = own(&sample);
        let outer = ["main.callsC", "main.main", "runtime.main", "runtime.goexit.abi0"];
        assert!(own.ends_with(&outer), "{own:?} of {sample:#x?}");
        assert!(sample.walked.end.is_whole(), "{sample:#x?}");
    }
}
