//! Filters work in the kernel: each lets through exactly what it names, and the rest is counted.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::cgroup::Cgroup;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};
use chandra_tests::storm;
use chandra_tests::trace::{Outcome, Trace};

fn actor() -> Actor {
    Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")))
}

/// Executes the program once and returns the process id that it had.
fn execute(command: &mut Command) -> u64 {
    let mut child = command.spawn().unwrap();
    assert!(child.wait().unwrap().success());
    child.id().into()
}

/// Traces with these options while `act` acts; the trace ends after its last record and `marker`.
fn during(options: &[&str], act: impl FnOnce(), expected: usize) -> Outcome {
    let mut trace = Trace::start(options);
    act();
    trace.wait_for_lines(expected);
    trace.stop()
}

/// What came through is exactly this, in this order, and at least so many more were counted.
fn assert_only(outcome: &Outcome, pids: &[u64], filtered: u64) {
    let shown: Vec<u64> =
        outcome.records.iter().map(|record| record.number("process.pid").unwrap()).collect();
    assert_eq!(shown, pids);
    let summary = outcome.summary_without_loss();
    assert!(summary.number("filtered") >= Some(filtered), "{summary:?}");
}

#[test]
fn by_user() {
    needs!("root");
    let (wanted, other) = (storm::user(), storm::user());
    let mut pids = Vec::new();
    let run = |user| execute(Command::new("/bin/true").uid(user));
    let option = wanted.to_string();
    let outcome = during(
        &["exec", "--uid", &option],
        || {
            for _ in 0..5 {
                run(other);
                pids.push(run(wanted));
            }
        },
        5,
    );
    assert_only(&outcome, &pids, 5);
}

#[test]
fn by_either_of_two_names() {
    needs!("root");
    let scratch = Scratch::new();
    // The kernel keeps fifteen bytes of a name: the second filter names what is left of it.
    let names = [format!("a{}", unique()), format!("b{}-and-more-of-it", unique()), "c".to_owned()];
    let cut: String = names[1].chars().take(15).collect();
    let links = names.map(|name| scratch.at(&name));
    for link in &links {
        symlink("/bin/true", link).unwrap();
    }
    let mut pids = Vec::new();
    let first = links[0].file_name().unwrap().to_str().unwrap();
    let outcome = during(
        &["exec", "--comm", first, "--comm", &cut],
        || {
            for (index, link) in links.iter().enumerate() {
                let pid = execute(&mut Command::new(link));
                if index < 2 {
                    pids.push(pid);
                }
            }
        },
        2,
    );
    assert_only(&outcome, &pids, 1);
}

#[test]
fn by_process_and_by_several() {
    needs!("root");
    let (mut first, mut second, mut third) = (actor(), actor(), actor());
    let pids = [first.pid().into(), second.pid().into()];
    let option = format!("{},{}", first.pid(), second.pid());
    let again = format!("execute {}", env!("CARGO_BIN_EXE_actor"));
    let outcome = during(
        &["exec", "--pid", &option],
        || {
            for actor in [&mut first, &mut third, &mut second] {
                actor.tell(&again);
                actor.wait_until_idle();
            }
        },
        2,
    );
    assert_only(&outcome, &pids, 1);
}

#[test]
fn all_filters_must_agree() {
    needs!("root");
    let scratch = Scratch::new();
    let name = format!("n{}", unique());
    let link = scratch.at(&name);
    symlink("/bin/true", &link).unwrap();
    let user = storm::user();
    let run = |program: &Path, user| execute(Command::new(program).uid(user));
    let mut pids = Vec::new();
    let outcome = during(
        &["exec", "--uid", &user.to_string(), "--comm", &name],
        || {
            run(&link, 0);
            run(Path::new("/bin/true"), user);
            pids.push(run(&link, user));
        },
        1,
    );
    assert_only(&outcome, &pids, 2);
}

#[test]
fn by_cgroup_with_what_is_below_it() {
    needs!("root");
    let (wanted, other) = (Cgroup::new(), Cgroup::new());
    let below = wanted.below("below");
    let again = format!("execute {}", env!("CARGO_BIN_EXE_actor"));
    let file_system_path = wanted.folder().display().to_string();
    for option in [wanted.path(), wanted.id().to_string(), file_system_path] {
        let mut actors = [actor(), actor(), actor(), actor()];
        wanted.adopt(actors[0].pid());
        other.adopt(actors[1].pid());
        below.adopt(actors[2].pid());
        let pids = [actors[0].pid().into(), actors[2].pid().into()];
        let outcome = during(
            &["exec", "--cgroup", &option],
            || {
                for actor in &mut actors {
                    actor.tell(&again);
                    actor.wait_until_idle();
                }
            },
            2,
        );
        assert_only(&outcome, &pids, 2);
        let ids = [wanted.id(), below.id()].map(Some);
        let found = outcome.records.iter().map(|record| record.number("process.cgroup_id"));
        assert_eq!(found.collect::<Vec<_>>(), ids, "--cgroup {option}");
        for actor in actors {
            actor.finish();
        }
    }
    // Before their parent.
    drop(below);
}

#[test]
fn by_port_of_either_end() {
    needs!("root");
    let (mut server, mut other, mut client) = (actor(), actor(), actor());
    let wanted = server.ask("listen 127.0.0.1:0");
    let unwanted = other.ask("listen 127.0.0.1:0");
    let port = wanted.rsplit(':').next().unwrap().to_owned();
    let outcome = during(
        &["tcp-close", "--type", "tcp_established,tcp_accept,tcp_close", "--port", &port],
        || {
            for (server, address) in [(&mut other, &unwanted), (&mut server, &wanted)] {
                client.ask(&format!("connect {address}"));
                server.ask("accept");
                client.ask("close");
                server.ask("receive-end");
                server.ask("close");
            }
        },
        4,
    );
    let has_port = |record: &Record| {
        ["local", "peer"]
            .iter()
            .any(|end| record.number(&format!("connection.{end}.port")) == port.parse().ok())
    };
    assert!(outcome.records.iter().all(has_port));
    let mut kinds: Vec<&str> = outcome.records.iter().map(Record::kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["tcp_accept", "tcp_close", "tcp_close", "tcp_established"]);
    assert!(outcome.summary_without_loss().number("filtered") >= Some(4));
}

#[test]
fn a_type_that_is_not_asked_for_is_not_seen() {
    needs!("root");
    let mut server = actor();
    let address = server.ask("listen 127.0.0.1:0");
    let port = address.rsplit(':').next().unwrap().to_owned();
    let mut client = actor();
    let outcome = during(
        &["tcp-close", "--type", "tcp_close", "--port", &port],
        || {
            client.ask(&format!("connect {address}"));
            server.ask("accept");
            client.ask("reset");
        },
        2,
    );
    let kinds: Vec<&str> = outcome.records.iter().map(Record::kind).collect();
    assert_eq!(kinds, ["tcp_close", "tcp_close"]);
    assert_eq!(outcome.summary_without_loss().number("seen"), Some(2));
}
