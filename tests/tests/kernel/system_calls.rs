//! System calls by name: which are watched, how they are counted, and names that there are not. Each kind
//! of call, field by field, is proven by the program `signal-proof`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use chandra_tests::failure::fails;
use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::{Trace, chandra};

fn act(scratch: &Scratch, name: &str) {
    let path = scratch.at(name);
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    symlink("nowhere", path.join("link")).unwrap();
    fs::rename(path.join("link"), path.join("other")).unwrap();
}

fn names(arguments: &[&str]) -> BTreeSet<String> {
    let scratch = Scratch::new();
    let pid = std::process::id().to_string();
    let trace = Trace::start(&[&["syscalls", "--pid", &pid], arguments].concat());
    act(&scratch, "folder");
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let names = outcome.records.iter().map(|it| it.text("system_call.name").unwrap());
    // Whichever of the calls of one purpose the C library chose.
    names.map(|name| name.trim_end_matches("at").trim_end_matches("at2").to_owned()).collect()
}

#[test]
fn what_everyday_programs_do_is_watched_only_when_it_is_named() {
    needs!("root");
    assert_eq!(names(&[]), ["chmod", "symlink"].map(str::to_owned).into());
    let named = ["--call", "rename,renameat,renameat2,mkdir,mkdirat"];
    assert_eq!(names(&named), ["mkdir", "rename"].map(str::to_owned).into());
}

#[test]
fn calls_are_counted_by_name_in_the_kernel() {
    needs!("root");
    const CALLS: u64 = 3000;
    let scratch = Scratch::new();
    let pid = std::process::id().to_string();
    let arguments = ["syscalls", "--pid", &pid, "--call", "setns,unshare", "--by", "call"];
    let trace = Trace::start(&arguments);
    for _ in 0..CALLS {
        // SAFETY: no descriptor has this number, and nothing is unshared.
        unsafe {
            libc::setns(-1, 0);
            libc::unshare(0);
        }
    }
    drop(scratch);
    let outcome = trace.stop();
    let counts = outcome.records.iter().map(|it| (it.text("call"), it.number("count")));
    let counts: BTreeSet<_> = counts.collect();
    assert_eq!(counts, [(Some("setns"), Some(CALLS)), (Some("unshare"), Some(CALLS))].into());
}

#[test]
fn a_flood_is_told_or_counted() {
    needs!("root");
    const CALLS: u64 = 20_000;
    let pid = std::process::id().to_string();
    let trace =
        Trace::start(&["syscalls", "--pid", &pid, "--call", "unshare", "--ring-size", "4k"]);
    for _ in 0..CALLS {
        // SAFETY: nothing is unshared.
        unsafe { libc::unshare(0) };
    }
    let outcome = trace.stop();
    let summary = outcome.summary();
    let number = |name| summary.number(name).unwrap();
    assert_eq!(number("imbalance"), 0);
    assert_eq!(number("shown") + number("lost"), CALLS);
    assert_eq!(number("shown"), outcome.records.len() as u64);
}

#[test]
fn a_call_that_there_is_not_is_refused_with_those_that_there_are() {
    let mut command = Command::new(chandra());
    command.args(["trace", "syscalls", "--call", "reed"]);
    fails(&mut command, 2, "filters", &["reed", "setns", "unshare"]);
}
