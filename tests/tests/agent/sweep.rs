//! What identity missed because its ring was full is made good: by looking anew at what runs.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::storm;

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
/// Processes that end while nobody takes records.
const ENDED: usize = 60;
/// Processes that start meanwhile.
const STARTED: usize = 5;
/// Execs before and after: many times what a ring of one page takes.
const EXECS: u32 = 500;

fn identity(agent: &Agent, path: &str) -> u64 {
    agent.get("/signals").body.number(&format!("identity.{path}")).unwrap()
}

/// Processes that run now, as `/proc` has them.
fn running() -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let stats = pids.filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    stats.filter(|stat| !stat.contains(") Z ")).count()
}

fn sleeper() -> Child {
    Command::new("/bin/sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap()
}

#[test]
fn after_losses_what_runs_is_known_and_what_ended_is_not_counted() {
    needs!("root");
    let agent = Agent::start_printing(&["-o", "json", "--ring-size", "4096"]);
    let mut ended: Vec<_> = (0..ENDED).map(|_| sleeper()).collect();
    wait_for("the sleepers known as live", || {
        (identity(&agent, "processes.live") as usize + ENDED / 4 >= running()).then_some(())
    });
    let user = storm::user();
    agent.kill(libc::SIGSTOP);
    storm::execute_many(Path::new("/bin/true"), EXECS, user);
    for child in &mut ended {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let actors: Vec<_> = (0..STARTED).map(|_| Actor::start(&mut Command::new(ACTOR))).collect();
    storm::execute_many(Path::new("/bin/true"), EXECS, user);
    agent.kill(libc::SIGCONT);
    wait_for("a sweep", || (identity(&agent, "sweeps") > 0).then_some(()));
    assert!(agent.signal("process").number("ledger.lost").unwrap() > u64::from(EXECS));
    wait_for("ends that nobody told of", || {
        (identity(&agent, "processes.exits_unseen") > 0).then_some(())
    });
    wait_for("as many live processes as run", || {
        let live = usize::try_from(identity(&agent, "processes.live")).unwrap();
        (live < running() + ENDED / 3).then_some(())
    });
    // Their ends say whose they were. The ring is still small: one that comes through is enough.
    let pids: Vec<_> = actors.iter().map(Actor::pid).collect();
    drop(actors);
    let exit = agent.wait_for("the exit of a process that started meanwhile", |record| {
        pids.iter().any(|pid| record.is("exit", *pid))
    });
    assert_eq!(exit.text("process.exe"), Some(ACTOR), "{exit:?}");
    assert_eq!(exit.number("parent.pid"), Some(u64::from(std::process::id())), "{exit:?}");
    let own = std::env::current_exe().unwrap();
    assert_eq!(exit.text("parent.exe"), own.to_str(), "{exit:?}");
    agent.stop();
}
