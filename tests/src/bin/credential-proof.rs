//! Proves that a credential jump is seen, on a kernel whose memory somebody else writes to.
//!
//! usage: credential-proof --chandra PATH
//!
//! It belongs into a guest. It starts processes that take user ids which nobody else has, says which, and waits
//! until their credentials have become root's, which no program in the guest can do: whoever started the guest
//! does, by writing to its memory as an exploit of its kernel would. Then the processes execute programs, and
//! what `chandra trace exec` says of these is printed, a line of JSON for each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a proof ends where something does not hold")]

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use chandra_tests::actor::{self, Actor};
use chandra_tests::credentials::{HELD_BEFORE, HELD_BY_NOBODY, OVERWRITTEN};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;

const SELF: &str = "/proc/self/exe";
const ACT: &str = "act";

fn actor_with(id: u32, trace: &mut Trace) -> Actor {
    let mut actor = Actor::start(Command::new(SELF).arg(ACT));
    actor.ask(&format!("become {id} {HELD_BEFORE}"));
    // What it may from here on is what it has when it executes this.
    actor.tell(&format!("execute {SELF} {ACT} anew"));
    trace.wait_for("the exec of an actor", |record| {
        let words = record.strings("process.argv").unwrap_or_default();
        record.is("exec", actor.pid()) && words.last() == Some(&"anew")
    });
    // Not before that its credentials are such as are written over.
    actor.ask(&format!("become {id} {id}"));
    actor
}

fn has_become_root(actor: &Actor) -> Option<()> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", actor.pid())).unwrap();
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    ids.split_ascii_whitespace().all(|id| id == "0").then_some(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let chandra = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, ACT, ..] => return actor::play(),
        [_, "--chandra", path] => PathBuf::from(path),
        _ => return ExitCode::from(2),
    };
    let mut trace = Trace::start_program(&chandra, &["exec"]);
    let [mut executing, mut forking] = OVERWRITTEN.map(|id| actor_with(id, &mut trace));
    let mut lawful = actor_with(HELD_BY_NOBODY, &mut trace);
    for actor in [&executing, &forking] {
        wait_for("credentials that were written over", || has_become_root(actor));
    }
    executing.tell("execute /bin/busybox true executed");
    lawful.tell("execute /bin/busybox true lawful");
    forking.ask("run /bin/busybox true forked");
    executing.wait();
    lawful.wait();
    for word in ["executed", "lawful", "forked"] {
        trace.wait_for(word, |record: &Record| {
            let arguments = record.strings("process.argv").unwrap_or_default();
            arguments == ["/bin/busybox", "true", word]
        });
    }
    let outcome = trace.stop();
    let summary = outcome.summary();
    let mut hooks = summary.at("hooks").and_then(|hooks| hooks.as_array()).unwrap().iter();
    let looks = hooks.any(|hook| hook["hook"] == "rights" && hook["verdict"] == "active");
    assert!(looks, "nobody looks for what processes give up: {summary:?}");
    for record in outcome.records {
        println!("{}", record.0);
    }
    ExitCode::SUCCESS
}
