//! `chandra status` of an agent that runs: what it says is what the agent says, on one screen.

use std::net::TcpListener;
use std::process::Command;

use chandra_tests::agent::{Agent, without_variables};
use chandra_tests::failure::fails;
use chandra_tests::http;
use chandra_tests::needs;
use chandra_tests::observe::{Said, command, said};
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;
use serde_json::Value;

fn status(arguments: &[&str]) -> Command {
    let mut status = command(&["status"]);
    without_variables(&mut status);
    status.args(arguments);
    status
}

fn well(arguments: &[&str]) -> String {
    let Said { out, error, code } = said(&mut status(arguments));
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    out
}

#[test]
fn one_screen_has_every_signal_with_how_it_is_attached_and_what_became_of_its_facts() {
    needs!("root");
    let agent = Agent::start(&["--rules", "default"]);
    agent.wait_until_ready();
    let address = agent.address().to_string();
    let screen = well(&["--http", &address]);
    let lines: Vec<_> = screen.lines().collect();
    assert!(lines.len() < 24 && lines.iter().all(|line| line.chars().count() <= 80), "{screen}");
    assert!(!screen.contains('\u{1b}'), "{screen:?}");
    let headline = format!("Agent (http://{address}): ready, up ");
    assert!(lines.iter().any(|line| line.starts_with(&headline)), "{screen}");
    let told = agent.get("/signals").body.0;
    let signals = told["signals"].as_array().unwrap();
    assert!(signals.len() > 3);
    for signal in signals {
        let name = signal["signal"].as_str().unwrap();
        let line = lines.iter().find(|line| line.split(' ').next() == Some(name));
        let words: Vec<_> = line.unwrap().split_whitespace().collect();
        assert_eq!(words[1], signal["verdict"].as_str().unwrap(), "{screen}");
        let rung =
            signal["hooks"].as_array().unwrap().iter().find_map(|hook| hook["rung"].as_str());
        assert_eq!(words[7].trim_end_matches(','), rung.unwrap(), "{screen}");
    }
    let loaded = agent.metric("chandra_rules_loaded");
    assert!(screen.contains(&format!("Rules: {loaded} watch, ")), "{screen}");
    agent.stop();
}

#[test]
fn rates_are_of_what_happens_while_it_looks() {
    needs!("root");
    let agent = Agent::start(&["--signals", "tcp"]);
    agent.wait_until_ready();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (place, address) = (listener.local_addr().unwrap(), agent.address().to_string());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                drop(std::net::TcpStream::connect(place).unwrap());
                drop(listener.accept().unwrap());
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        });
        wait_for("a rate that only these connections make", || {
            let told: Value =
                serde_json::from_str(&well(&["--http", &address, "-o", "json"])).unwrap();
            let tcp = &told["agent"]["signals"].as_array().unwrap()[0];
            assert_eq!(tcp["ledger"]["imbalance"], 0);
            (tcp["signal"] == "tcp" && tcp["seen_per_second"].as_f64().unwrap() > 100.0)
                .then_some(())
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    agent.stop();
}

#[test]
fn json_has_what_hubble_says_and_what_the_agent_says() {
    needs!("root");
    let scratch = Scratch::new();
    let socket = scratch.at("hubble.sock").display().to_string();
    let agent = Agent::start(&["--hubble-socket-path", &socket, "--signals", "process,tcp"]);
    agent.wait_until_ready();
    let (server, address) = (format!("unix://{socket}"), agent.address().to_string());
    let both = well(&["--server", &server, "--http", &address, "-o", "json"]);
    let both: Value = serde_json::from_str(&both).unwrap();
    assert!(both["max_flows"].is_string() && both["agent"]["ready"] == true, "{both:#}");
    assert_eq!(both["agent"]["verdict"], "ok", "{both:#}");
    // Who names a server means that one alone, as before.
    let hubble: Value = serde_json::from_str(&well(&["--server", &server, "-o", "json"])).unwrap();
    assert!(hubble["max_flows"].is_string() && hubble["agent"].is_null(), "{hubble:#}");
    let compact = well(&["--server", &server]);
    assert_eq!(compact.lines().count(), 3, "{compact}");
    agent.stop();
}

#[test]
fn an_agent_that_is_not_well_is_a_failure_and_none_at_all_is_told_of() {
    needs!("root");
    let told = |body: &str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address, body.to_owned())
    };
    let unready = r#"{ "ready": false, "waiting_for_canary": ["exec"], "signals": [] }"#;
    let (listener, address, body) = told(unready);
    let server = std::thread::spawn(move || {
        for _ in 0..4 {
            let (mut connection, _) = listener.accept().unwrap();
            http::answer(&mut connection, "503 Service Unavailable", &body);
        }
    });
    let Said { out, code, .. } = said(&mut status(&["--http", &address]));
    server.join().unwrap();
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("failed: not ready: its own exec did not come through yet"), "{out}");
    // Nobody listens there any more.
    fails(&mut status(&["--http", &address]), 1, "port", &[&address]);
    fails(&mut status(&["--http", "nowhere"]), 2, "filters", &["nowhere"]);
}
