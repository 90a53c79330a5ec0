//! A process that has rights which it cannot have got in a lawful way, and all that have theirs in one.
//!
//! The jumps are real: the memory of an emulated guest is written to from outside, as an exploit of its kernel
//! would from within.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chandra_tests::credentials::{HELD_BY_NOBODY, OVERWRITTEN, overwrite};
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;
use serde_json::json;

/// Where `./dev kernels` keeps this kernel, if it has fetched it.
fn kernel(name: &str) -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    Some(cache.join("chandra/kernels").join(name)).filter(|folder| folder.join("vmlinuz").is_file())
}

/// Boots a kernel with the proof, and writes over the credentials that it asks for until it has ended. Returns
/// the records that it printed.
fn jump(kernel: &Path) -> Vec<Record> {
    let scratch = Scratch::new();
    let (script, memory) = (scratch.at("script"), scratch.at("memory"));
    fs::write(&script, "./credential-proof --chandra ./chandra\n").unwrap();
    let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/boot");
    let mut command = Command::new(boot);
    command.arg(kernel).arg(script).arg(env!("CARGO_BIN_EXE_credential-proof")).arg(chandra());
    command.env("RAM", &memory).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut guest = command.spawn().unwrap();
    let mut found = [0; 2];
    while guest.try_wait().unwrap().is_none() {
        for (id, found) in OVERWRITTEN.into_iter().zip(&mut found) {
            *found += overwrite(&memory, id);
        }
    }
    let output = guest.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{found:?} {text}");
    text.lines().filter(|line| line.starts_with('{')).map(Record::parse).collect()
}

fn of<'a>(records: &'a [Record], word: &str) -> &'a Record {
    let is_own = |record: &&Record| {
        record.strings("process.argv").is_some_and(|words| words == ["/bin/busybox", "true", word])
    };
    records.iter().find(is_own).unwrap()
}

#[track_caller]
fn prove_jumps(name: &str) {
    needs!("root", "qemu-system-x86_64");
    let Some(kernel) = kernel(name) else {
        eprintln!("skipped: ./dev kernels has not fetched {name}");
        return;
    };
    let records = jump(&kernel);
    for (word, id) in ["executed", "forked"].into_iter().zip(OVERWRITTEN) {
        let record = of(&records, word);
        assert_eq!(record.number("process.uid"), Some(0), "{word}");
        assert_eq!(record.at("process.cred_jump"), Some(&json!(true)), "{word}");
        let before = |field: &str| record.number(&format!("process.cred_before.{field}"));
        assert_eq!(before("uid"), Some(u64::from(id)), "{word}");
    }
    let lawful = of(&records, "lawful");
    assert_eq!(lawful.number("process.uid"), Some(u64::from(HELD_BY_NOBODY)));
    assert_eq!(lawful.at("process.cred_jump"), Some(&json!(false)));
}

#[test]
fn credentials_written_over_on_the_oldest_kernel_are_a_jump() {
    prove_jumps("bullseye");
}

#[test]
fn credentials_written_over_on_the_newest_kernel_are_a_jump() {
    prove_jumps("sid");
}
