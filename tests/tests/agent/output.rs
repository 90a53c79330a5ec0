//! What the agent prints: everything, in one line each, harmless on a terminal; and what becomes of
//! it when the reader is slow, leaves, or the agent ends. The kernel must never pay for a reader.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::process::{Caller, Execution};
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::storm;
use chandra_tests::wall_clock;

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const TRUE: &str = "/bin/true";

#[test]
fn json_has_every_exec_to_the_last_field() {
    needs!("root");
    let agent = Agent::start_printing(&["-o", "json", "--signals", "process"]);
    agent.wait_until_ready();
    for argument in ["one", "", "two words", "é\n\u{202e}"] {
        let before = wall_clock::now();
        let actor = Actor::start(Command::new(ACTOR).arg(argument));
        let when = before..=wall_clock::now();
        let truth = Execution::of(actor.pid());
        let record = agent.wait_for("the exec", |record| record.is("exec", actor.pid()));
        assert_eq!(truth.compare(&record, when, &Caller::naming(ACTOR)), Ok(()));
        let pid = actor.pid();
        actor.finish();
        let exit = agent.wait_for("the exit", |record| record.is("exit", pid));
        assert_eq!(exit.number("exit_code"), Some(0));
    }
    agent.stop();
}

#[test]
fn json_has_every_connection_once_from_both_ends() {
    needs!("root");
    let agent = Agent::start_printing(&["-o", "json", "--signals", "tcp"]);
    agent.wait_until_ready();
    let [mut opener, mut acceptor] = [(); 2].map(|()| Actor::start(&mut Command::new(ACTOR)));
    let address = acceptor.ask("listen 127.0.0.1:0");
    let mut ports = Vec::new();
    for _ in 0..20 {
        let ends = opener.ask(&format!("connect {address}"));
        acceptor.ask("accept");
        opener.ask("close");
        acceptor.ask("receive-end");
        acceptor.ask("close");
        ports.push(ends.split(['.', ':', ' ']).nth(4).unwrap().parse::<u64>().unwrap());
    }
    let port: u64 = address.rsplit(':').next().unwrap().parse().unwrap();
    let records = agent.stop().records();
    let ends = [(port, opener.pid(), "peer", "local"), (port, acceptor.pid(), "local", "peer")];
    for own in ports {
        let mut keys = Vec::new();
        for ((known, pid, known_end, other_end), opens) in
            ends.into_iter().zip(["tcp_established", "tcp_accept"])
        {
            for kind in [opens, "tcp_close"] {
                let number =
                    |record: &Record, end| record.number(&format!("connection.{end}.port"));
                let of_this = |record: &&Record| {
                    record.is(kind, pid)
                        && number(record, known_end) == Some(known)
                        && number(record, other_end) == Some(own)
                };
                let found: Vec<_> = records.iter().filter(of_this).collect();
                assert_eq!(found.len(), 1, "{kind} of {pid}, ports {own} and {known}");
                keys.push(found[0].text("connection.key").unwrap().to_owned());
            }
        }
        keys.dedup();
        assert_eq!(keys.len(), 1, "one connection has one key: {keys:?}");
    }
}

/// What would move the cursor, end the line, turn it around, or hide in it.
const HOSTILE: [&str; 8] = [
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "\r\n12:00:00.000 exec 1 init /sbin/init",
    "\u{202e}gnp.exe",
    "\u{2066}\u{2069}\u{200b}\u{feff}",
    "\u{85}\u{9b}31m\u{7f}\u{8}",
    "\t\u{b}\u{c}\u{2028}\u{2029}",
    "",
    "\" \\n quoted",
];

fn is_harmless(character: char) -> bool {
    let hides = matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !character.is_control() && !hides
}

#[test]
fn lines_for_people_are_one_each_and_harmless_whatever_is_executed() {
    needs!("root");
    let scratch = Scratch::new();
    let name = "evil\u{1b}[1m\n\u{202e}";
    let program = scratch.copy(Path::new(TRUE), name);
    for format in ["table", "wide"] {
        let agent = Agent::start_printing(&["-o", format]);
        agent.wait_until_ready();
        let huge = format!("{}\u{1b}[31m", "A".repeat(64 << 10));
        let mut pids = Vec::new();
        for argument in HOSTILE.iter().chain([&huge.as_str()]) {
            let mut command = Command::new(&program);
            // Bytes that are no text, either.
            command.arg(argument).arg(std::ffi::OsStr::from_bytes(b"\xff\x9b31m\xc0\x80"));
            let mut child = command.stdin(Stdio::null()).spawn().unwrap();
            assert!(child.wait().unwrap().success());
            pids.push(child.id().to_string());
        }
        let outcome = agent.stop();
        for line in &outcome.lines {
            assert!(line.chars().all(is_harmless), "{line:?}");
            assert!(line.len() < 64 << 10, "a line of {} bytes", line.len());
        }
        for pid in pids {
            for kind in ["exec", "exit"] {
                let of_this = |line: &&String| {
                    let words: Vec<_> = line.split_whitespace().take(3).collect();
                    words.get(1..) == Some(&[kind, &pid])
                };
                let found: Vec<_> = outcome.lines.iter().filter(of_this).collect();
                assert_eq!(found.len(), 1, "{kind} of {pid}: {found:#?}");
                assert!(found[0].contains("evil\\x1b[1m"), "{found:?}");
            }
        }
        assert_eq!(outcome.total("delivered"), outcome.lines.len() as u64);
        assert_eq!((outcome.total("lost"), outcome.total("shed")), (0, 0));
    }
}

#[test]
fn a_reader_that_leaves_ends_it_without_an_error() {
    needs!("root");
    let mut agent = Agent::start(&["--print"]);
    drop(agent.take_output());
    storm::execute_many(Path::new(TRUE), 10, storm::user());
    let outcome = agent.end();
    assert_eq!(outcome.status.code(), Some(0), "{:#?}", outcome.messages);
    assert!(!outcome.messages.join("\n").contains("error:"), "{:#?}", outcome.messages);
}

#[test]
fn a_slow_reader_costs_lines_that_are_counted_and_nothing_in_the_kernel() {
    needs!("root");
    let mut agent = Agent::start(&["--print", "-o", "json"]);
    agent.wait_until_ready();
    let user = storm::user();
    storm::execute_many(Path::new(TRUE), 5000, user);
    let ledger = wait_for("books without anything under way", || {
        let ledger = Record(agent.signal("process").at("ledger").unwrap().clone());
        let number = |name| ledger.number(name).unwrap();
        assert_eq!(ledger.at("imbalance"), Some(&0.into()), "{ledger:?}");
        let handed_on = number("delivered") + number("shed.slow_reader") + number("learnt");
        (number("in_flight") == 0 && number("decoded") == handed_on).then_some(ledger)
    });
    let number = |name| ledger.number(name).unwrap();
    assert_eq!(number("lost"), 0, "{ledger:?}");
    assert_eq!(number("decode_errors"), 0, "{ledger:?}");
    assert!(number("seen") >= 10_000, "{ledger:?}");
    assert!(number("shed.slow_reader") > 0, "{ledger:?}");
    // Once somebody reads, everything that was not shed comes, whole.
    agent.read_output();
    let outcome = agent.stop();
    let records = outcome.records();
    assert_eq!(records.len() as u64, outcome.total("delivered"));
    assert!(outcome.total("shed") >= number("shed.slow_reader"));
    assert_eq!(outcome.total("lost"), 0);
    let told = outcome.total("delivered") + outcome.total("shed");
    assert_eq!(outcome.total("seen"), told + outcome.total("learnt from"));
}

#[test]
fn what_happened_before_it_was_asked_to_end_is_printed() {
    needs!("root");
    for _ in 0..5 {
        let agent = Agent::start_printing(&["-o", "json"]);
        agent.wait_until_ready();
        let user = storm::user();
        storm::execute_many(Path::new(TRUE), 400, user);
        let records = agent.stop().records();
        for kind in ["exec", "exit"] {
            let ours = |record: &&Record| {
                record.kind() == kind && record.number("process.uid") == Some(user.into())
            };
            assert_eq!(records.iter().filter(ours).count(), 400, "{kind}");
        }
    }
}
