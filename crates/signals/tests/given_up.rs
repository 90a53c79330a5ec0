//! What a process gave up by itself is forgotten of it, so that having it back without an exec that gives it is
//! a jump. What another of its threads may have kept is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test states what it expects by stopping where that does not hold"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::{MapCore, MapFlags, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_tests::needs;

const NOBODY: u32 = 65534;
/// Where the map has the process, and its real, effective and saved user id.
const PID: usize = 8;
const UIDS: usize = 5 * 8 + 4;

fn watching() -> Loaded {
    let signal = signal("process").unwrap();
    let kinds = signal.kinds.iter().fold(0, |bits, (_, number)| bits | 1 << number);
    let loaded = load(&Request {
        spec: &signal.spec,
        hooks: &["exec", "fork", "exit", "rights"],
        config: Filter::default().config(kinds, 0).unwrap(),
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &Options { ring_bytes: Some(1 << 20), ..Options::default() },
    })
    .unwrap();
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

/// Real, effective and saved user id, as they are remembered.
fn remembered(loaded: &Loaded, pid: u32) -> [u32; 3] {
    let map = loaded.map("remembered_credentials").unwrap();
    let number =
        |bytes: &[u8], at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let key = map.keys().find(|key| number(key, PID) == pid).expect("a remembered process");
    let value = map.lookup(&key, MapFlags::ANY).unwrap().unwrap();
    [0, 1, 2].map(|id| number(&value, UIDS + id * 4))
}

/// A process that has run this, and waits.
fn after(interpreter: &str, option: &str, program: &str) -> Option<Child> {
    let mut command = Command::new(interpreter);
    command.args([option, program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let mut said = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n");
    Some(child)
}

/// What is remembered of such a process before and after rights were looked at.
fn looked_at(loaded: &Loaded, mut child: Child) -> [[u32; 3]; 2] {
    let before = remembered(loaded, child.id());
    loaded.iterate("rights", &mut Vec::new()).unwrap();
    let after = remembered(loaded, child.id());
    drop(child.stdin.take());
    child.wait().unwrap();
    [before, after]
}

#[test]
fn a_process_that_gave_up_its_rights_is_remembered_without_them() {
    needs!("root");
    let loaded = watching();
    if !loaded.hooks.iter().all(|hook| hook.verdict.is_active()) {
        println!("skipped: {:?}", loaded.hooks);
        return;
    }
    let perl = |program: &str| {
        let program = format!("use POSIX; $| = 1; {program} print \"ready\\n\"; <STDIN>");
        after("perl", "-e", &program).expect("perl, which is in every Debian")
    };
    let root = [0; 3];
    let all = looked_at(&loaded, perl("POSIX::setuid(65534) or die;"));
    assert_eq!(all, [root, [NOBODY; 3]]);
    let for_now = looked_at(&loaded, perl("$> = 65534; $> == 65534 or die;"));
    assert_eq!(for_now, [root, [0, NOBODY, 0]], "it can become root again");
    assert_eq!(looked_at(&loaded, perl("")), [root, root]);

    let threads = "import os, threading\n\
        threading.Thread(target=threading.Event().wait, daemon=True).start()\n\
        os.setresuid(65534, 65534, 65534)\nprint('ready', flush=True)\ninput()\n";
    match after("python3", "-c", threads) {
        Some(child) => assert_eq!(looked_at(&loaded, child), [root, root]),
        None => println!("skipped: processes of several threads, which need python3"),
    }
}
