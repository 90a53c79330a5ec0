//! Rules about the environment of programs: it is read when they are executed, so it is there however short they
//! live; only where a rule asks for it; and no secret of it leaves.

use std::fs;
use std::path::Path;
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::agent::Agent;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};

/// What a variable and its value take: `NAME=VALUE` and the NUL behind it.
fn bytes_of(name: &str, value: &str) -> usize {
    name.len() + value.len() + 2
}

/// Of the environment that probes send.
const KEPT_BYTES: usize = 16 * 1024;

fn auditing(scratch: &Scratch, rules: &str) -> Agent {
    let file = scratch.at("rules.yaml");
    fs::write(&file, rules).unwrap();
    let mut agent = Agent::start(&["--rules", file.to_str().unwrap(), "--alerts", "json"]);
    agent.read_output();
    agent.wait_until_ready();
    agent
}

fn rule(name: &str, condition: &str, output: &str) -> String {
    format!(
        "- rule: {name}\n  desc: A test\n  priority: NOTICE\n  condition: evt.type = execve and {condition}\n  \
         output: \"{output}\"\n"
    )
}

fn field(alert: &Record, name: &str) -> Option<String> {
    alert.at("output_fields").unwrap()[name].as_str().map(str::to_owned)
}

/// Runs a short program with these variables and no others.
fn run(argument: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new("/bin/true");
    command.arg(argument).env_clear().envs(variables.iter().copied());
    assert!(command.status().unwrap().success());
}

#[test]
fn what_a_short_program_was_given_fires_and_names_that_are_alike_do_not() {
    needs!("root");
    let scratch = Scratch::new();
    let mark = format!("mark-{}", unique());
    let marked = format!("proc.args startswith {mark}");
    let rules = [
        rule(
            "Preloads",
            &format!("{marked} and proc.env[LD_PRELOAD] startswith /tmp/"),
            "%proc.args %proc.env[LD_PRELOAD] %proc.env[PASSPHRASE]",
        ),
        rule("All", &format!("{marked} and proc.env contains \"last=\""), "%proc.args %proc.env"),
    ];
    let agent = auditing(&scratch, &rules.concat());
    let word = |case: &str| format!("{mark}-{case}");
    let secret = "correct horse battery";
    let preload = ("LD_PRELOAD", "/tmp/none.so");
    run(&word("alike"), &[("XLD_PRELOAD", "/tmp/none.so"), ("LD_PRELOAD2", "/tmp/none.so")]);
    run(&word("elsewhere"), &[("LD_PRELOAD", "/usr/tmp/none.so")]);
    run(&word("hit"), &[preload, ("PASSPHRASE", secret)]);
    // The first bytes are kept: what lies across their end, and behind it, is not known.
    let filling = KEPT_BYTES - bytes_of("FILL", "") - bytes_of("LD_PRELOAD", preload.1);
    let fill = |more: usize| "x".repeat(filling + more);
    run(&word("just"), &[("FILL", &fill(0)), preload, ("last", "1")]);
    run(&word("behind"), &[("FILL", &fill(KEPT_BYTES)), preload, ("last", "1")]);
    run(&word("end"), &[("FILL", "x"), ("last", "1")]);

    let fired = wait_for("all alerts", || {
        let mut fired: Vec<(String, String)> = (agent.records().iter())
            .map(|alert| {
                let arguments = field(alert, "proc.args").unwrap();
                let case = arguments.strip_prefix(&format!("{mark}-")).unwrap().to_owned();
                (alert.text("rule").unwrap().to_owned(), case)
            })
            .collect();
        fired.sort();
        fired.iter().any(|(_, case)| case == "end").then_some(fired)
    });
    let expected = [("All", "end"), ("Preloads", "hit"), ("Preloads", "just")];
    let expected = expected.map(|(rule, case)| (rule.to_owned(), case.to_owned()));
    assert_eq!(fired, expected);
    let alerts = agent.records();
    let hit = alerts.iter().find(|it| field(it, "proc.args").unwrap().ends_with("hit")).unwrap();
    assert_eq!(field(hit, "proc.env[LD_PRELOAD]").as_deref(), Some("/tmp/none.so"));
    assert_eq!(field(hit, "proc.env[PASSPHRASE]").as_deref(), Some("<redacted:environment>"));
    for word in secret.split(' ') {
        assert!(!hit.0.to_string().contains(word), "{hit:?}");
    }
    agent.stop();
}

#[test]
fn the_environment_is_that_of_proc() {
    needs!("root");
    let scratch = Scratch::new();
    let mark = format!("mark-{}", unique());
    let agent =
        auditing(&scratch, &rule("All", &format!("proc.args contains {mark}"), "%proc.env"));
    // Those whose values alerts tell.
    let variables = [("PATH", "/usr/bin:/bin"), ("LANG", "C"), ("HOME", "/a b"), ("TERM", "")];
    let actor = Path::new(env!("CARGO_BIN_EXE_actor"));
    let actor = Actor::start(Command::new(actor).arg(&mark).env_clear().envs(variables));
    let alert = agent.wait_for("the alert", |record| record.at("rule").is_some());
    let truth = fs::read(format!("/proc/{}/environ", actor.pid())).unwrap();
    actor.finish();
    let truth = String::from_utf8(truth).unwrap();
    let truth = truth.strip_suffix('\0').unwrap().replace('\0', " ");
    assert_eq!(field(&alert, "proc.env"), Some(truth.clone()));
    assert!(alert.text("output").unwrap().contains(&truth), "{alert:?}");
    agent.stop();
}

#[test]
fn rules_that_come_to_ask_for_it_later_are_told_to_need_a_new_start() {
    needs!("root");
    let scratch = Scratch::new();
    let mark = format!("mark-{}", unique());
    let condition = format!("proc.args contains {mark}");
    let agent = auditing(&scratch, &rule("Plain", &condition, "%proc.args"));
    let asking = format!("{condition} and proc.env[LD_PRELOAD] exists");
    let both = [rule("Asking", &asking, "%proc.args"), rule("Plain", &condition, "%proc.args")];
    fs::write(scratch.at("rules.yaml"), both.concat()).unwrap();
    agent.kill(libc::SIGHUP);
    wait_for("the warning", || {
        let messages = agent.messages();
        messages.iter().any(|line| line.contains("start the agent anew")).then_some(())
    });
    // It is not read, and so not known.
    run(&mark, &[("LD_PRELOAD", "/tmp/none.so")]);
    let alert = agent.wait_for("the alert", |record| record.at("rule").is_some());
    assert_eq!(alert.text("rule"), Some("Plain"));
    let alerts = agent.stop().records();
    assert!(alerts.iter().all(|alert| alert.text("rule") != Some("Asking")), "{alerts:?}");
}
