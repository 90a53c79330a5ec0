//! What comparing an executable with known programs costs: `cargo run --release -p chandra-executables --example
//! compare_bench`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark stops at what it cannot measure"
)]

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use chandra_executables::{Comparer, FileId, Known, Names, Question, Root};

const ROUNDS: usize = 2000;

fn main() {
    let names: Names = [
        "sh",
        "bash",
        "dash",
        "zsh",
        "sudo",
        "su",
        "nsenter",
        "chroot",
        "mount",
        "curl",
        "wget",
        "nc",
        "perl",
        "awk",
        "find",
        "grep",
        "cat",
        "head",
        "tail",
        "tar",
        "dd",
        "cp",
        "mv",
        "ln",
        "rm",
        "chmod",
        "tee",
        "sysctl",
        "strace",
        "gdb",
        "systemctl",
        "apt-get",
        "dpkg",
        "runc",
    ]
    .iter()
    .map(|name| name.as_bytes().into())
    .collect();
    let root = Root::of_process(std::process::id()).unwrap();
    let started = Instant::now();
    let known = Known::of(&root, &names);
    println!("known programs of a root: {} in {:?}", known.len(), started.elapsed());

    let path = std::env::current_exe().unwrap();
    let file = std::fs::metadata(&path).unwrap();
    let question = Question {
        pid: std::process::id(),
        parent_pid: 1,
        mount_namespace: u32::try_from(std::fs::metadata("/proc/self/ns/mnt").unwrap().ino())
            .unwrap(),
        file: FileId { device: 0, inode: file.ino() },
        path: path.as_os_str().as_bytes().to_vec(),
        is_overlay_upper: true,
        loaded: None,
    };
    let mut comparer = Comparer::start(names).unwrap();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            // So that what may be waited is never used up.
            std::thread::sleep(Duration::from_micros(500));
            let started = Instant::now();
            comparer.compare(question.clone());
            started.elapsed()
        })
        .collect();
    println!("the first comparison: {:?}", times[0]);
    times.sort_unstable();
    println!(
        "each later one: median {:?}, 99 % below {:?}",
        times[ROUNDS / 2],
        times[ROUNDS * 99 / 100]
    );
    println!("{:?}", comparer.figures());
}
