//! The agent as an operator meets it: what it says at its start and over HTTP, that its books are
//! true, and how it ends. The truth is what the test itself executed and connected.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::actor::Actor;
use chandra_tests::agent::{self, Agent};
use chandra_tests::failure::fails;
use chandra_tests::http;
use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::storm;
use chandra_tests::trace::chandra;

const TRUE: &str = "/bin/true";

fn objects(record: &Record, path: &str) -> Vec<Record> {
    record.at(path).unwrap().as_array().unwrap().iter().cloned().map(Record).collect()
}

#[test]
fn a_line_for_each_signal_tells_what_signals_tells() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process,tcp,file_io"]);
    for name in ["process", "tcp", "file_io"] {
        let line = agent.start_line(name).unwrap();
        let signal = agent.signal(name);
        assert!(line.starts_with(&format!("signal {name}: active (")), "{line}");
        assert_eq!(signal.text("verdict"), Some("active"));
        let hooks = objects(&signal, "hooks");
        assert!(!hooks.is_empty());
        for hook in hooks {
            let text = |name| hook.text(name).unwrap();
            let says = match text("verdict") {
                "active" => format!("{} by {}", text("hook"), text("rung")),
                verdict => format!("{} {verdict}", text("hook")),
            };
            assert!(line.contains(&says), "{says} is not in {line}");
        }
        let ring = signal.number("ring_bytes").unwrap() / 1024;
        assert!(line.contains(&format!("ring {ring} KiB, ")), "{line}");
    }
    let messages = agent.messages();
    assert!(messages.iter().any(|line| line.starts_with("agent: 3 signals active after ")));
    assert_eq!(messages.len(), 5, "identity adds one: {messages:#?}");
    agent.stop();
}

#[test]
fn what_costs_every_read_is_off_unless_it_is_asked_for() {
    needs!("root");
    let agent = Agent::start(&[]);
    assert!(agent.start_line("process").is_some() && agent.start_line("tcp").is_some());
    assert_eq!(agent.start_line("file_io"), None);
    agent.stop();
}

#[test]
fn it_is_healthy_and_knows_only_its_own_paths() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process"]);
    let health = agent.get("/healthz");
    assert_eq!((health.status, health.body.text("status")), (200, Some("ok")));
    assert_eq!(http::request(agent.address(), "GET", "/no/such/path").0, 404);
    assert_eq!(http::request(agent.address(), "POST", "/signals").0, 405);
    agent.stop();
}

/// The canary executes the agent's own file. That of this agent is gone from the beginning, and
/// comes back, under the name that the kernel now gives it, when the test says so.
#[test]
fn it_is_ready_only_after_its_canaries_came_through() {
    needs!("root");
    let scratch = Scratch::new();
    let program = scratch.copy(&chandra(), "agent");
    let file = launch::inherited(&program);
    fs::remove_file(&program).unwrap();
    let mut command = launch::by_descriptor(&file, &["chandra", "agent", "--http", "127.0.0.1:0"]);
    let agent = Agent::start_command(&mut command);
    let is_waiting = |answer: &http::Answer, waiting: &[&str]| {
        let names = answer.body.strings("waiting_for_canary").unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body.at("ready"), Some(&false.into()));
        names == waiting
    };
    assert!(["exec", "connect"].contains(
        agent.get("/readyz").body.strings("waiting_for_canary").unwrap().first().unwrap()
    ));
    wait_for("the connect", || is_waiting(&agent.get("/readyz"), &["exec"]).then_some(()));
    // Whole before it has its name.
    let copy = scratch.copy(&chandra(), "copy");
    fs::rename(copy, scratch.at("agent (deleted)")).unwrap();
    let answer = wait_for("the exec", || {
        let answer = agent.get("/readyz");
        (answer.status == 200 || !is_waiting(&answer, &["exec"])).then_some(answer)
    });
    assert_eq!(answer.body.at("ready"), Some(&true.into()));
    assert_eq!(answer.body.strings("waiting_for_canary"), Some(vec![]));
    agent.stop();
}

#[test]
fn without_signals_that_could_see_a_canary_it_is_ready_and_counts() {
    needs!("root");
    let agent = Agent::start(&["--signals", "file_io"]);
    agent.wait_until_ready();
    let ledger = |name: &str| agent.signal("file_io").number(&format!("ledger.{name}")).unwrap();
    let mut actor = Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")));
    wait_for("the first read that is counted", || {
        actor.ask("read 1");
        (ledger("aggregated") > 0).then_some(())
    });
    let before = ledger("aggregated");
    actor.ask("read 1000");
    actor.ask("write 500");
    assert!(ledger("aggregated") >= before + 1500);
    assert_eq!(agent.signal("file_io").at("ledger.imbalance"), Some(&0.into()));
    let outcome = agent.stop();
    assert_eq!(outcome.messages.len(), 5, "identity adds two: {:#?}", outcome.messages);
}

/// What `/signals` says of a signal's books once nothing is under way.
fn settled(agent: &Agent, signal: &str) -> Record {
    wait_for("books without anything under way", || {
        let ledger = Record(agent.signal(signal).at("ledger").unwrap().clone());
        let number = |name| ledger.number(name).unwrap();
        assert_eq!(ledger.at("imbalance"), Some(&0.into()), "{ledger:?}");
        let handed_on = number("delivered") + number("shed.slow_reader") + number("learnt");
        assert!(number("decoded") >= handed_on, "{ledger:?}");
        (number("in_flight") == 0 && number("decoded") == handed_on).then_some(ledger)
    })
}

#[test]
fn the_books_have_exactly_what_happened() {
    needs!("root");
    let agent = Agent::start_printing(&["-o", "json"]);
    agent.wait_until_ready();
    let user = storm::user();
    let before = settled(&agent, "process").number("seen").unwrap();
    storm::execute_many(Path::new(TRUE), 300, user);
    let after = settled(&agent, "process");
    assert!(after.number("seen").unwrap() >= before + 600);
    for door in ["filtered", "aggregated", "sampled_out", "rate_limited", "lost", "decode_errors"] {
        assert_eq!(after.number(door), Some(0), "{door}");
    }
    let outcome = agent.stop();
    let records = outcome.records();
    for kind in ["exec", "exit"] {
        let ours = |record: &&Record| {
            record.kind() == kind && record.number("process.uid") == Some(user.into())
        };
        assert_eq!(records.iter().filter(ours).count(), 300, "{kind}");
    }
    // Others execute and connect meanwhile; all of it was seen, printed, and counted so.
    let printed = outcome.lines.len() as u64;
    assert_eq!(outcome.total("delivered"), printed);
    assert_eq!(outcome.total("seen"), printed + outcome.total("learnt from"));
    assert_eq!((outcome.total("lost"), outcome.total("shed")), (0, 0));
}

#[test]
fn its_own_cost_is_known_after_the_first_second() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process"]);
    let all = wait_for("the end of the first measurement", || {
        assert!(Command::new(TRUE).status().unwrap().success());
        let all = agent.get("/signals").body;
        (all.number("cost_measured_ms").unwrap() >= 1000).then_some(all)
    });
    assert_eq!(all.at("cost_not_measured_because"), Some(&serde_json::Value::Null));
    let programs = objects(&agent.signal("process"), "programs");
    for name in ["exec_btf", "fork_btf", "exit_btf"] {
        let program = programs.iter().find(|program| program.text("program") == Some(name));
        let number = |field| program.unwrap().number(field).unwrap();
        assert!(number("run_count") > 0, "{name}");
        assert!(number("run_time_ns") >= number("run_count"), "{name}");
        assert_eq!(number("run_time_ns_per_run"), number("run_time_ns") / number("run_count"));
        let percent = program.unwrap().at("percent_of_one_core").unwrap().as_f64().unwrap();
        assert!(percent > 0.0 && percent < 100.0, "{name}: {percent}");
    }
    agent.stop();
}

#[test]
fn a_second_agent_beside_the_first_sees_the_same() {
    needs!("root");
    let agents = [(); 2].map(|()| Agent::start_printing(&["-o", "json"]));
    agents.iter().for_each(Agent::wait_until_ready);
    let user = storm::user();
    storm::execute_many(Path::new(TRUE), 200, user);
    let seen = agents.map(|agent| {
        let records = agent.stop().records();
        let ours = records.iter().filter(|one| one.number("process.uid") == Some(user.into()));
        let mut facts: Vec<_> = ours
            .map(|record| {
                let fact = ["process.pid", "process.start_boottime_ns"];
                (record.kind().to_owned(), fact.map(|path| record.number(path).unwrap()))
            })
            .collect();
        facts.sort();
        facts
    });
    assert_eq!(seen[0].len(), 400);
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_port_in_use_is_an_error_that_names_a_way_out() {
    needs!("root");
    let agent = Agent::start(&["--signals", "process"]);
    let address = agent.address().to_string();
    let words = [address.as_str(), "in use", "chandra agent --http 127.0.0.1:0"];
    fails(&mut agent::command(&["--http", &address]), 1, "port", &words);
    agent.stop();
}

#[test]
fn without_the_rights_for_any_signal_it_ends() {
    needs!("root");
    // CAP_SYS_ADMIN stands for both.
    for (missing, name) in [(&[39, 21], "CAP_BPF"), (&[38, 21], "CAP_PERFMON")] {
        let mut command = agent::command(&["--http", "127.0.0.1:0"]);
        launch::without_capabilities(&mut command, missing);
        let text = fails(&mut command, 1, "capabilities", &[name, "sudo"]);
        for signal in ["process", "tcp"] {
            let line = format!("signal {signal}: failed");
            assert_eq!(text.lines().filter(|found| **found == line).count(), 1, "{text}");
        }
    }
}

/// Everything but CAP_BPF and CAP_PERFMON: the kernel then refuses its statistics, and what needs
/// tracefs where nobody has mounted that.
#[test]
fn with_only_two_rights_it_says_what_it_cannot_do() {
    needs!("root");
    static OTHERS: [u8; 38] = {
        let mut bits = [0; 38];
        let mut bit = 0;
        while bit < 38 {
            bits[bit as usize] = bit;
            bit += 1;
        }
        bits
    };
    let mut command =
        agent::command(&["--http", "127.0.0.1:0", "--signals", "process,tcp,file_io"]);
    launch::without_capabilities(&mut command, &OTHERS);
    let agent = Agent::start_command(&mut command);
    agent.wait_until_ready();
    let all = wait_for("an attempt to measure", || {
        let all = agent.get("/signals").body;
        all.text("cost_not_measured_because").is_some().then_some(all)
    });
    assert!(all.text("cost_not_measured_because").unwrap().contains("not permitted"), "{all:?}");
    assert_eq!(all.number("cost_measured_ms"), Some(0));
    for name in ["process", "tcp"] {
        let hooks = objects(&agent.signal(name), "hooks");
        for hook in hooks.iter().filter(|hook| hook.text("hook") != Some("accept")) {
            assert_eq!(hook.text("verdict"), Some("active"), "{hook:?}");
        }
    }
    // By a function where those can be hooked; else by tracepoints, whose numbers are in tracefs.
    for (signal, name) in [("tcp", "accept"), ("file_io", "read"), ("file_io", "write")] {
        let hooks = objects(&agent.signal(signal), "hooks");
        let hook = hooks.iter().find(|hook| hook.text("hook") == Some(name)).unwrap();
        let last = hook.strings("refused").unwrap().last().map(|words| (*words).to_owned());
        if hook.text("verdict") != Some("active") {
            assert_eq!(hook.text("verdict"), Some("failed"), "{hook:?}");
            let last = last.unwrap();
            assert!(last.starts_with("tracepoint refused at attach: "), "{last}");
            assert!(last.contains("not permitted"), "{last}");
        }
    }
    agent.stop();
}

#[test]
fn a_second_request_ends_it_at_once() {
    needs!("root");
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // It cannot end in good order while nobody reads what it has printed.
        let agent = Agent::start(&["--print", "-o", "json"]);
        let shed = || agent.signal("process").number("ledger.shed.slow_reader").unwrap();
        wait_for("a full pipe", || {
            storm::execute_many(Path::new(TRUE), 200, storm::user());
            (shed() > 0).then_some(())
        });
        agent.kill(signal);
        wait_for("the end of what serves", || {
            std::net::TcpStream::connect(agent.address()).is_err().then_some(())
        });
        agent.kill(signal);
        assert_eq!(agent.end().status.code(), Some(128 + signal));
    }
}

#[test]
fn ctrl_c_ends_it_as_well() {
    needs!("root");
    let agent = Agent::start(&[]);
    agent.kill(libc::SIGINT);
    let outcome = agent.end();
    assert_eq!(outcome.status.code(), Some(0));
    assert!(outcome.messages.last().unwrap().starts_with("agent: stopped; "));
}

#[test]
fn a_full_disk_ends_it_with_an_error() {
    needs!("root");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = agent::command(&["--http", "127.0.0.1:0", "--print"]);
    let child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn();
    let agent = Agent::of(child.unwrap());
    // Its own canary is what it prints first.
    let outcome = agent.end();
    let text = outcome.messages.join("\n");
    assert_eq!(outcome.status.code(), Some(1), "{text}");
    for part in ["error:", "why:", "next:", "#output "] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}
