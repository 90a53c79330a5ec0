//! Hooks that see what processes do: that they are there, their calls, and what they wait for.

use std::cell::RefCell;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use chandra_loader::abi::Process;
use chandra_loader::load::{Options, Request, load};
use chandra_loader::verdict::{HookVerdict, Verdict};
use chandra_signals::filter::Filter;
use chandra_signals::system_call::calls;
use chandra_tests::disk::Disk;
use chandra_tests::needs;
use chandra_tests::record::Record;

use crate::{alone, balanced, counters, listen, load_all, prove_each, rungs, signal, tells};

#[test]
fn each_way_to_processes_tells_of_one() {
    needs!("root");
    let signal = signal("process");
    prove_each(signal, &["exec", "fork", "exit"], |hook, rung, loaded| {
        let pid = RefCell::new(0);
        let act = || {
            let mut child = Command::new("/bin/true").stdin(Stdio::null()).spawn().unwrap();
            *pid.borrow_mut() = child.id();
            assert!(child.wait().unwrap().success());
        };
        let wanted = |record: &Record| record.is(hook.name, *pid.borrow());
        let record = tells(signal, loaded, act, wanted);
        let parent = Some(u64::from(std::process::id()));
        assert_eq!(record.number("process.ppid"), parent, "{}", rung.name);
    });
}

#[test]
fn each_way_to_what_runs_tells_of_this_process() {
    needs!("root");
    let signal = signal("process");
    prove_each(signal, &["running"], |hook, _, loaded| {
        let mut bytes = Vec::new();
        loaded.iterate(hook.name, &mut bytes).unwrap();
        // Each record begins with its time, then the process.
        let own = bytes.windows(8 + Process::BYTES).filter(|record| {
            let process = Process::read(&record[8..]).unwrap();
            process.pid == std::process::id() && process.comm.starts_with(&own_name())
        });
        assert_eq!(own.count(), 1);
    });
}

/// The name of this process, 15 bytes of it.
fn own_name() -> Vec<u8> {
    let name = std::fs::read(format!("/proc/{}/comm", std::process::id())).unwrap();
    name.strip_suffix(b"\n").unwrap().to_vec()
}

#[test]
fn each_way_to_reads_and_writes_counts_all_of_their_calls() {
    needs!("root");
    const CALLS: u64 = 1000;
    let signal = signal("file_io");
    let mut zeros = File::open("/dev/zero").unwrap();
    let mut nothing = File::create("/dev/null").unwrap();
    let own = Filter { pids: vec![std::process::id()], ..Filter::default() };
    for (hook, rung) in rungs(signal) {
        let loaded = load_all(signal, alone(signal, hook, rung), &own);
        if !loaded.hooks[0].verdict.is_active() {
            println!("{} {}: {:?}", hook.name, rung.name, loaded.hooks[0].refusals);
            continue;
        }
        listen(&loaded);
        let calls: [(&str, &mut dyn FnMut() -> usize); 3] = match hook.name {
            "read" => [
                ("read", &mut || zeros.read(&mut [0; 8]).unwrap()),
                ("pread64", &mut || {
                    File::open("/dev/zero").unwrap().read_at(&mut [0; 8], 0).unwrap()
                }),
                ("readv", &mut || {
                    let mut file = File::open("/dev/zero").unwrap();
                    file.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]).unwrap()
                }),
            ],
            "write" => [
                ("write", &mut || nothing.write(&[0; 8]).unwrap()),
                ("pwrite64", &mut || {
                    File::create("/dev/null").unwrap().write_at(&[0; 8], 0).unwrap()
                }),
                ("writev", &mut || {
                    let mut file = File::create("/dev/null").unwrap();
                    file.write_vectored(&[IoSlice::new(&[0; 8])]).unwrap()
                }),
            ],
            name => panic!("how to make the kernel do a {name}?"),
        };
        for (call, act) in calls {
            let before = counters(&loaded);
            (0..CALLS).for_each(|_| assert_eq!(act(), 8));
            let after = counters(&loaded);
            let counted = after.aggregated - before.aggregated;
            // vfs_read is not the way of readv.
            let is_vectored = call.ends_with('v') && rung.name != "tracepoint";
            let expected = if is_vectored { 0 } else { CALLS };
            assert!(counted >= expected, "{} {call}: {counted}", rung.name);
            assert!(after.seen - before.seen >= counted);
            assert_eq!(balanced(&loaded).lost, 0);
        }
    }
}

#[test]
fn each_way_to_waits_for_a_processor_counts_all_of_them() {
    needs!("root");
    const SLEEPS: u64 = 100;
    let signal = signal("run_queue");
    let own = Filter { pids: vec![std::process::id()], ..Filter::default() };
    // The last of its numbers is how often this thread was switched to.
    let switched_to = || {
        let account = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        account.split_whitespace().last().unwrap().parse::<u64>().unwrap()
    };
    for (hook, rung) in rungs(signal) {
        let loaded = load_all(signal, alone(signal, hook, rung), &own);
        assert!(loaded.hooks[0].verdict.is_active(), "{:?}", loaded.hooks);
        listen(&loaded);
        // The account is read within what is counted: this thread may have to wait at any moment.
        let counted_before = counters(&loaded).aggregated;
        let before = switched_to();
        (0..SLEEPS).for_each(|_| std::thread::sleep(Duration::from_micros(100)));
        let in_truth = switched_to() - before;
        let counted = balanced(&loaded).aggregated - counted_before;
        assert!(in_truth >= SLEEPS / 2, "{in_truth}");
        // A busy guest of a patched kernel was seen to switch once in 6,000 times without a word.
        assert!(counted * 20 >= in_truth * 19, "{}: {counted} of {in_truth}", rung.name);
    }
}

#[test]
fn each_way_to_requests_counts_all_of_a_device() {
    needs!("root");
    const WRITES: usize = 50;
    let signal = signal("block_io");
    let Some(disk) = Disk::new() else {
        println!("skipped: needs loop devices");
        return;
    };
    for (hook, rung) in rungs(signal) {
        let loaded = load_all(signal, alone(signal, hook, rung), &Filter::default());
        if !loaded.hooks[0].verdict.is_active() {
            println!("{} {}: {:?}", hook.name, rung.name, loaded.hooks[0].refusals);
            continue;
        }
        listen(&loaded);
        let before = counters(&loaded).aggregated;
        disk.write(WRITES);
        let counted = counters(&loaded).aggregated - before;
        assert!(counted >= WRITES as u64, "{}: {counted}", rung.name);
    }
}

/// A call that is wanted is told, and one that is not is not.
#[test]
fn each_way_to_system_calls_tells_of_those_that_are_wanted() {
    needs!("root");
    let signal = signal("system_call");
    let filter = Filter {
        pids: vec![std::process::id()],
        calls: vec![calls::by_name("setpgid").unwrap()],
        ..Filter::default()
    };
    let tracepoints = signal.tracepoints.unwrap()(&filter).unwrap();
    let options = Options { ring_bytes: Some(1 << 20), ..Options::default() };
    for (hook, rung) in rungs(signal) {
        let loaded = load(&Request {
            spec: alone(signal, hook, rung),
            hooks: &[hook.name],
            config: filter.config(1, 0).unwrap(),
            map_entries: &[],
            tracepoints: Ok(&tracepoints),
            options: &options,
        })
        .unwrap();
        if !loaded.hooks.iter().all(|hook| hook.verdict.is_active()) {
            println!("{}: {:?}", rung.name, loaded.hooks);
            continue;
        }
        signal.prepare.unwrap()(&loaded, &filter).unwrap();
        let act = || {
            // SAFETY: no process group has this number, and the other call only asks.
            unsafe {
                libc::getsid(0);
                libc::setpgid(0, -1);
            }
        };
        let record = tells(signal, &loaded, act, |record| record.number("error_number").is_some());
        assert_eq!(record.text("system_call.name"), Some("setpgid"), "{}", rung.name);
        assert_eq!(record.number("error_number"), Some(libc::EINVAL as u64), "{}", rung.name);
        assert_eq!(counters(&loaded).submitted, 1, "{}", rung.name);
    }
}

/// Where more is asked for than a tracepoint for each call is for, or where the kernel has none, the hook
/// takes the next rung and says why.
#[test]
fn calls_without_tracepoints_are_looked_for_among_all() {
    needs!("root");
    let signal = signal("system_call");
    let every: Vec<_> = calls::CALLS.iter().collect();
    let many = Filter { calls: every, ..Filter::default() };
    let too_many = signal.tracepoints.unwrap()(&many).unwrap_err();
    let missing = ["syscalls/sys_exit_setns".to_owned(), "syscalls/sys_exit_none".to_owned()];
    for (tracepoints, why) in [
        (Err(too_many.as_str()), "at most"),
        (Ok(&missing[..]), "sys_exit_none"),
        (Ok(&[]), "named"),
    ] {
        let options = Options::default();
        let loaded = load(&Request {
            spec: &signal.spec,
            hooks: &["sys_exit"],
            config: Filter::default().config(1, 0).unwrap(),
            map_entries: &[],
            tracepoints,
            options: &options,
        })
        .unwrap();
        let HookVerdict { verdict, refusals, .. } = &loaded.hooks[0];
        assert_eq!(*verdict, Verdict::Active("tp_btf"));
        assert_eq!(refusals[0].rung, "tracepoint");
        assert!(refusals[0].words.contains(why), "{refusals:?}");
    }
}
