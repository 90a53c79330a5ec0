//! Hooks that only count, and those of signals and of kills for want of memory.

use std::net::UdpSocket;
use std::process::{Command, Stdio};

use chandra_signals::filter::Filter;
use chandra_tests::interrupts::interrupts;
use chandra_tests::needs;
use chandra_tests::oom::Limited;
use chandra_tests::record::Record;

use crate::{alone, balanced, counters, listen, load_all, prove_each, rungs, signal, tells};

fn own() -> Filter {
    Filter { pids: vec![std::process::id()], ..Filter::default() }
}

#[test]
fn each_way_to_system_calls_counts_all_of_them() {
    needs!("root");
    const CALLS: u64 = 1000;
    let signal = signal("system_call_count");
    for (hook, rung) in rungs(signal) {
        let loaded = load_all(signal, alone(signal, hook, rung), &own());
        assert!(loaded.hooks[0].verdict.is_active(), "{:?}", loaded.hooks);
        listen(&loaded);
        let before = counters(&loaded).aggregated;
        // SAFETY: takes nothing, and cannot fail.
        (0..CALLS).for_each(|_| unsafe {
            libc::syscall(libc::SYS_getppid);
        });
        let counted = balanced(&loaded).aggregated - before;
        assert!(counted >= CALLS, "{}: {counted}", rung.name);
    }
}

#[test]
fn each_way_to_page_faults_counts_all_of_them() {
    needs!("root");
    const PAGES: usize = 1000;
    const PAGE_BYTES: usize = 4096;
    let signal = signal("page_fault");
    for (hook, rung) in rungs(signal) {
        let loaded = load_all(signal, alone(signal, hook, rung), &own());
        assert!(loaded.hooks[0].verdict.is_active(), "{:?}", loaded.hooks);
        listen(&loaded);
        let before = counters(&loaded).aggregated;
        // SAFETY: nothing else knows of this mapping, and all that is written lies within it.
        unsafe {
            let (access, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let bytes = PAGES * PAGE_BYTES;
            let start = libc::mmap(std::ptr::null_mut(), bytes, access, flags, -1, 0);
            assert_ne!(start, libc::MAP_FAILED);
            libc::madvise(start, bytes, libc::MADV_NOHUGEPAGE);
            for page in 0..PAGES {
                start.cast::<u8>().add(page * PAGE_BYTES).write_volatile(1);
            }
            libc::munmap(start, bytes);
        }
        let counted = balanced(&loaded).aggregated - before;
        assert!(counted >= PAGES as u64, "{}: {counted}", rung.name);
    }
}

#[test]
fn each_way_to_interrupts_counts_those_that_come() {
    needs!("root");
    let signal = signal("interrupt");
    let all = |operation: &str| {
        let of = interrupts().into_iter().filter(move |((its, _), _)| *its == operation);
        of.map(|(_, count)| count).sum::<u64>()
    };
    for (hook, rung) in rungs(signal) {
        let operation = if hook.name == "softirq" { "soft" } else { "hard" };
        let loaded = load_all(signal, alone(signal, hook, rung), &Filter::default());
        assert!(loaded.hooks[0].verdict.is_active(), "{:?}", loaded.hooks);
        listen(&loaded);
        let before = all(operation);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = socket.local_addr().unwrap();
        (0..1000).for_each(|_| assert_eq!(socket.send_to(b"x", to).unwrap(), 1));
        let came = all(operation) - before;
        let counted = balanced(&loaded).aggregated;
        assert!(counted >= came, "{} {}: {counted} of {came}", hook.name, rung.name);
        assert!(operation == "hard" || came > 0);
    }
}

#[test]
fn each_way_to_signals_tells_of_one() {
    needs!("root");
    let signal = signal("signal_sent");
    prove_each(signal, &["signal_generate"], |_, rung, loaded| {
        // SAFETY: takes numbers only; nobody minds this one.
        let act = || unsafe {
            libc::kill(libc::getpid(), libc::SIGWINCH);
        };
        let wanted = |record: &Record| {
            record.is("signal_sent", std::process::id())
                && record.text("sent_signal") == Some("SIGWINCH")
        };
        let record = tells(signal, loaded, act, wanted);
        let target = Some(std::process::id().into());
        assert_eq!(record.number("target.pid"), target, "{}", rung.name);
    });
}

#[test]
fn each_way_to_kills_for_want_of_memory_tells_of_one() {
    needs!("root");
    let Some(limited) = Limited::new(16 << 20) else {
        println!("skipped: needs a memory controller");
        return;
    };
    let signal = signal("oom_kill");
    let best = rungs(signal).next().map(|(hook, rung)| alone(signal, hook, rung)).unwrap();
    let is_number = !load_all(signal, best, &Filter::default()).hooks[0].verdict.is_active();
    prove_each(signal, &["mark_victim"], |_, rung, loaded| {
        // One that takes a number attaches as a raw tracepoint, too, where there is none.
        if rung.name.contains("+number") != is_number {
            return;
        }
        // A shell's own variable that doubles until there is no room for it.
        let script = "read go; x=0123456789abcdef; while :; do x=$x$x; done";
        let mut shell = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        limited.cgroup().adopt(shell.id());
        let pid = shell.id();
        let act = || {
            drop(shell.stdin.take());
            assert!(!shell.wait().unwrap().success());
        };
        let record = tells(signal, loaded, act, |record| record.is("oom_kill", pid));
        let limit = record.number("memory_limit.cgroup_id");
        assert_eq!(limit, Some(limited.cgroup().id()), "{}", rung.name);
    });
}
