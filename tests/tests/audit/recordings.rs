//! `chandra record` and `chandra replay`: what is written down makes the same alerts later as an agent made when it
//! happened.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::failure::fails;
use chandra_tests::needs;
use chandra_tests::observe::{command, said};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::recorder::{Recorder, compared, replay};
use chandra_tests::scratch::{Scratch, unique};

#[test]
fn a_replay_makes_the_alerts_that_an_agent_made() {
    needs!("root");
    let scratch = Scratch::new();
    let folder = scratch.path().canonicalize().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (mark, secret) = (format!("mark-{}", unique()), folder.join("secret"));
    fs::write(&secret, "text").unwrap();
    let rule = |name: &str, condition: &str| {
        format!(
            "- rule: {name}\n  desc: A test\n  priority: NOTICE\n  tags: [test]\n  condition: {condition}\n  \
             output: Seen (user=%user.name command=%proc.cmdline exe=%proc.exe_real parent=%proc.pname \
             grandparent=%proc.aname[2] great=%proc.aname[3] cwd=%proc.cwd file=%fd.name to=%fd.sport \
             result=%evt.res)\n"
        )
    };
    let rules = [
        rule("Runs", &format!("evt.type = execve and proc.cmdline contains {mark}")),
        rule(
            "Below",
            &format!(
                "evt.type = execve and proc.args contains below and proc.acmdline contains {mark}"
            ),
        ),
        rule(
            "Opens",
            &format!("evt.type in (open, openat, openat2) and fd.name = {}", secret.display()),
        ),
        rule("Connects", &format!("evt.type = connect and fd.sport = {}", address.port())),
        rule("Enters", "evt.type = setns and evt.rawres < 0 and proc.name = actor"),
    ];
    let file = scratch.at("rules.yaml");
    fs::write(&file, rules.concat()).unwrap();
    let rules = file.display().to_string();
    // One that was there before, so that what it is can only be known from the beginning of the recording.
    let mut before = Command::new(env!("CARGO_BIN_EXE_actor"));
    let mut before = Actor::start(before.current_dir("/usr/lib").args(["before", &mark]));
    let mut agent =
        Agent::start(&["--rules", &rules, "--alerts", "json", "--rule-matching", "all"]);
    agent.read_output();
    agent.wait_until_ready();
    let events = scratch.at("events.jsonl");
    let recorder = Recorder::start(&["-o", events.to_str().unwrap(), "--rules", &rules]);

    let script = format!(
        "/bin/sh -c '/bin/true below-1; /bin/cat {0}; cd /usr; /bin/true below-2' {mark}; :",
        secret.display()
    );
    let shell = |script: &str| {
        assert!(Command::new("/bin/sh").args(["-c", script]).output().unwrap().status.success());
    };
    shell(&script);
    before.ask(&format!("connect {address}"));
    let password = format!("/bin/true {mark} --password=x8Kp2Qz7");
    shell(&password);
    let own_last = format!("/bin/true {mark} last");
    shell(&own_last);
    wait_for("the last alert", || {
        let is_last =
            |alert: &Record| alert.text("output").unwrap().contains(&format!("{mark} last "));
        agent.records().iter().any(is_last).then_some(())
    });
    // What the recorder has not read yet it reads before it ends.
    let summary = recorder.interrupt();
    let told = agent.stop().records();
    before.finish();

    assert!(summary.starts_with("recorded ") && summary.ends_with("; 0 lost"), "{summary}");
    let (replayed, error) = replay(&events, &rules, &["--rule-matching", "all"]);
    assert!(!error.contains("warning"), "{error}");
    assert!(told.len() >= 9, "{told:#?}");
    let rules_told: std::collections::BTreeSet<_> =
        told.iter().filter_map(|alert| alert.text("rule")).collect();
    assert_eq!(rules_told.into_iter().collect::<Vec<_>>(), ["Below", "Connects", "Opens", "Runs"]);
    for (told, replayed) in told.iter().zip(&replayed) {
        assert_eq!(compared(told), compared(replayed));
    }
    assert_eq!(told.len(), replayed.len(), "{told:#?} {replayed:#?}");
    // The ancestors of a process that ran already are known, too.
    let connects = replayed.iter().find(|alert| alert.text("rule") == Some("Connects")).unwrap();
    assert_eq!(connects.text("process.cwd"), Some("/usr/lib"), "{connects:?}");
    assert!(connects.at("ancestors").unwrap().as_array().unwrap().len() > 1);
    // Secrets are in the recording, which only its owner may read, and not in alerts.
    let recorded = fs::read_to_string(&events).unwrap();
    assert!(recorded.contains("x8Kp2Qz7"));
    // No rule asked for variables.
    assert!(!recorded.contains("\"environment"));
    assert_eq!(fs::metadata(&events).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!format!("{replayed:?}").contains("x8Kp2Qz7"));
}

#[test]
fn a_recording_ends_after_its_time_or_at_its_size_and_says_so() {
    needs!("root");
    let scratch = Scratch::new();
    let events = scratch.at("events.jsonl");
    let (path, off) = (events.display().to_string(), ["--kubernetes", "off"]);
    let summary = Recorder::start(&[&["-o", &path, "-d", "300ms"][..], &off].concat()).end();
    assert!(summary.contains("; 0 lost"), "{summary}");
    let types = || -> Vec<String> {
        let text = fs::read_to_string(&events).unwrap();
        text.lines().map(|line| Record::parse(line).text("type").unwrap().to_owned()).collect()
    };
    let found = types();
    assert_eq!((&*found[0], &*found[1]), ("recording", "process_running"));
    assert_eq!(found.last().unwrap(), "recording_end");
    let last = fs::read_to_string(&events).unwrap();
    let last = Record::parse(last.lines().last().unwrap());
    // Containers and accounts of whatever else runs here have lines that are no records.
    let around = ["recording", "container", "accounts", "recording_end"];
    let records = found.iter().filter(|it| !around.contains(&it.as_str())).count();
    assert_eq!(last.number("records"), Some(records as u64));
    // So small that already what runs does not fit.
    let mut small = command(&["record", "-o", &path, "--max-size", "2k"]);
    let said = said(small.args(off));
    assert_eq!(said.code, Some(0), "{}", said.error);
    assert!(said.error.contains("it is as large as it may be"), "{}", said.error);
    assert_eq!(types().last().unwrap(), "recording_end");
    let mut unwritable = command(&["record", "-o", "/nowhere/events.jsonl"]);
    fails(&mut unwritable, 1, "output", &["/nowhere/events.jsonl", "No such file"]);
}

#[test]
fn a_recording_that_was_cut_is_said_to_be() {
    let scratch = Scratch::new();
    let events = scratch.at("events.jsonl");
    let heading = r#"{"type":"recording","version":2,"node":"n1","clock":{"start_offset_ns":"0","offset_ns":"0"}}"#;
    fs::write(&events, format!("{heading}\n{{\"type\":\"exec\",\"pro")).unwrap();
    let (alerts, error) = replay(&events, "default", &[]);
    assert_eq!(alerts.len(), 0);
    assert!(
        error.contains("1 that cannot be read") && error.contains("not written to its end"),
        "{error}"
    );
    let end = r#"{"type":"recording_end","records":0,"lost":7}"#;
    fs::write(&events, format!("{heading}\n{end}\n")).unwrap();
    assert!(replay(&events, "default", &[]).1.contains("7 records were lost"));
    fs::write(&events, heading.replace(":2,", ":9,")).unwrap();
    let mut newer = command(&["replay", events.to_str().unwrap(), "--rules", "default"]);
    fails(&mut newer, 1, "rules", &["version 9", "record it anew"]);
}
