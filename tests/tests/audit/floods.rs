//! Floods before rules: execs as fast as the kernel makes them, and opens as fast as they go beside them. No
//! exec is lost, and of the opens it is known exactly how many were.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chandra_tests::agent::Agent;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;
use chandra_tests::storm;

const EXECS: u32 = 20_000;
const RULES: usize = 100;

/// A program that does nothing but to end: no library, so that executing it takes next to no time.
const TINY: &str = r#"
void _start(void)
{
	__asm__ volatile("syscall" : : "a"(231), "D"(0));
}
"#;

fn tiny_program(scratch: &Scratch) -> PathBuf {
    let (source, program) = (scratch.at("tiny.c"), scratch.at("tiny"));
    fs::write(&source, TINY).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-nostdlib", "-static", "-o"]).args([&program, &source]);
    assert!(compiler.status().unwrap().success());
    program
}

/// A hundred rules of which one is about what this user executes; opens below the folder are asked about,
/// by a rule that never fires, and only those that succeed: what failed would be told wherever it is.
fn rules(user: u32, folder: Option<&Path>) -> String {
    let rule = |name: &str, condition: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  output: o\n  priority: INFO\n  condition: {condition}\n"
        )
    };
    let opens = folder.map(|folder| {
        let folder = folder.display();
        rule(
            "Opens",
            &format!("evt.type = openat and fd.num >= 0 and fd.name startswith {folder} and proc.name = nobody"),
        )
    });
    let others = RULES - 1 - usize::from(opens.is_some());
    let others = (0..others).map(|number| {
        let condition = format!("evt.type = execve and proc.name = program-{number}");
        rule(&format!("Program {number}"), &condition)
    });
    let counted = format!("evt.type = execve and user.uid = {user}");
    others.chain(opens).chain([rule("Counted", &counted)]).collect()
}

fn auditing(scratch: &Scratch, rules: &str) -> Agent {
    let file = scratch.at("rules.yaml");
    fs::write(&file, rules).unwrap();
    let agent = Agent::start(&["--rules", file.to_str().unwrap()]);
    agent.wait_until_ready();
    assert_eq!(agent.metric("chandra_rules_loaded"), RULES as u64);
    agent
}

/// Every exec was put before the rules, and the books of both halves balance.
fn all_execs_came_through(agent: &Agent) {
    let counted = "chandra_alerts_total{rule=\"Counted\",priority=\"Informational\"}";
    wait_for("every exec", || (agent.metric(counted) >= u64::from(EXECS)).then_some(()));
    assert_eq!(agent.metric(counted), u64::from(EXECS));
    let process = agent.signal("process");
    let number = |name: &str| process.number(&format!("ledger.{name}")).unwrap();
    assert_eq!((number("lost"), number("rate_limited")), (0, 0), "{process:?}");
    assert_eq!(number("imbalance"), 0, "{process:?}");
    assert!(number("delivered") >= u64::from(EXECS), "{process:?}");
}

#[test]
fn a_storm_of_execs_comes_before_a_hundred_rules_without_a_loss() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let (program, user) = (tiny_program(&scratch), storm::user());
    let agent = auditing(&scratch, &rules(user, None));
    storm::execute_many(&program, EXECS, user);
    all_execs_came_through(&agent);
    agent.stop();
}

/// Opens the file as fast as can be until it is told to end, and returns how often.
fn flood(file: &Path, ends: &AtomicBool) -> u64 {
    let mut opens = 0;
    while !ends.load(Ordering::Relaxed) {
        for _ in 0..100 {
            drop(File::open(file).unwrap());
        }
        opens += 100;
    }
    opens
}

/// While a flood of opens goes on, execs are made.
fn execs_beside_a_flood(scratch: &Scratch, file: &Path, watched: &Path) -> (Agent, u64) {
    let (program, user) = (tiny_program(scratch), storm::user());
    let agent = auditing(scratch, &rules(user, Some(watched)));
    let (ends, opens) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| opens.fetch_add(flood(file, &ends), Ordering::Relaxed));
        }
        storm::execute_many(&program, EXECS, user);
        ends.store(true, Ordering::Relaxed);
    });
    all_execs_came_through(&agent);
    (agent, opens.into_inner())
}

#[test]
fn a_flood_of_opens_that_no_rule_is_about_costs_no_exec_and_no_record() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let file = scratch.at("plain");
    fs::write(&file, "").unwrap();
    let watched = scratch.path().canonicalize().unwrap().join("watched");
    let (agent, opens) = execs_beside_a_flood(&scratch, &file, &watched);
    let signal = agent.signal("file_open");
    let number = |name: &str| signal.number(&format!("ledger.{name}")).unwrap();
    assert!(number("filtered") >= opens, "{opens} {signal:?}");
    assert_eq!((number("lost"), number("imbalance")), (0, 0), "{signal:?}");
    assert!(number("submitted") < opens / 100, "{opens} {signal:?}");
    agent.stop();
}

#[test]
fn a_flood_of_opens_that_a_rule_is_about_costs_no_exec_and_is_told_or_counted() {
    needs!("root", "cc");
    let scratch = Scratch::new();
    let folder = scratch.path().canonicalize().unwrap().join("watched");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    let (agent, opens) = execs_beside_a_flood(&scratch, &file, &folder);
    let signal = wait_for("what is in flight", || {
        let signal = agent.signal("file_open");
        (signal.number("ledger.in_flight") == Some(0)).then_some(signal)
    });
    let number = |name: &str| signal.number(&format!("ledger.{name}")).unwrap();
    let told = number("submitted") + number("lost") + number("rate_limited");
    // Nobody else opens what is there.
    assert_eq!(told, opens, "{signal:?}");
    assert_eq!(number("delivered") + number("shed.slow_reader"), number("submitted"), "{signal:?}");
    assert_eq!(number("imbalance"), 0, "{signal:?}");
    println!("{opens} opens beside {EXECS} execs: {} lost", number("lost"));
    agent.stop();
}
