//! Each rule that Chandra comes with fires of what it is about, done for real on the machine or in a container,
//! and not of the near miss beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::deeds::{CASES, Done, Place, wait_for_done};
use chandra_tests::needs;
use chandra_tests::needs_containerd;
use chandra_tests::patience::PATIENCE;
use chandra_tests::scratch::Scratch;

const RULES: &str = "default,default-files";

/// Rules that are proven in tests of their own, because they need more than a deed: rights without a lawful way
/// take a kernel whose memory is written to (`credential_jumps`).
const ELSEWHERE: &[&str] = &["Rights gained without a lawful way"];

#[test]
fn each_default_rule_has_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/rules/rules");
    let mut rules = BTreeSet::new();
    for file in ["default.yaml", "default-files.yaml"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        rules.extend(
            text.lines().filter_map(|line| line.strip_prefix("- rule: ")).map(str::to_owned),
        );
    }
    let cases = CASES.iter().map(|case| case.rule).chain(ELSEWHERE.iter().copied());
    let cases: BTreeSet<String> = cases.map(str::to_owned).collect();
    assert!(rules.len() > 40);
    assert_eq!(rules, cases);
}

fn auditing(arguments: &[&str]) -> Agent {
    let usual = ["--rules", RULES, "--rule-matching", "all", "--alerts", "json"];
    let mut agent = Agent::start(&[&usual, arguments].concat());
    agent.read_output();
    agent.wait_until_ready();
    agent
}

/// Waits until every rule fired of its deed, and checks that none did of its near miss.
fn check(agent: &Agent, done: &[Done]) {
    let begun = std::time::Instant::now();
    let fired = |done: &Done, alerts: &BTreeSet<(u64, String)>| {
        alerts.contains(&(u64::from(done.pid), CASES[done.case].rule.to_owned()))
    };
    let alerts = loop {
        let alerts: BTreeSet<(u64, String)> = (agent.records().iter())
            .filter_map(|alert| {
                Some((alert.number("process.pid")?, alert.text("rule")?.to_owned()))
            })
            .collect();
        let missing: Vec<_> = (done.iter())
            .filter(|it| it.fires && !fired(it, &alerts))
            .map(|it| (CASES[it.case].rule, it.pid))
            .collect();
        if missing.is_empty() {
            break alerts;
        }
        assert!(begun.elapsed() < PATIENCE / 3, "missing {missing:#?} of {alerts:#?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let wrong: Vec<_> = (done.iter())
        .filter(|it| !it.fires && fired(it, &alerts))
        .map(|it| CASES[it.case].rule)
        .collect();
    assert!(wrong.is_empty(), "fired of near misses: {wrong:#?}");
}

#[test]
fn default_rules_fire_of_what_is_done_on_the_host() {
    needs!("root", "bash");
    let scratch = Scratch::new();
    let agent = auditing(&[]);
    let mut doer = Command::new(env!("CARGO_BIN_EXE_doer"));
    let own = std::process::id().to_string();
    let doer = doer.arg("host").arg(scratch.path()).arg(own).stdin(Stdio::null()).status().unwrap();
    assert!(doer.success());
    let done = wait_for_done(scratch.path());
    let cases = CASES.iter().filter(|case| case.place == Place::Both).count();
    assert_eq!(done.len(), 2 * cases);
    check(&agent, &done);
    agent.stop();
}

#[test]
fn default_rules_fire_of_what_is_done_in_a_container() {
    needs_containerd!();
    needs!("bash", "nsenter", "unshare");
    let containerd = Containerd::start();
    if !containerd.has_network() {
        eprintln!("skipped: needs network plugins");
        return;
    }
    let stage = Scratch::new();
    stage.copy(env!("CARGO_BIN_EXE_doer").as_ref(), "doer");
    let socket = containerd.socket().display().to_string();
    let agent = auditing(&["--cri-socket", &socket]);
    let pod = Pod { host_pid: true, privileged: true, ..Pod::named("deeds") };
    let sandbox = containerd.cri().run_pod(&pod);
    let mount = |host: &Path, inside: &str, is_read_only: bool| {
        (host.display().to_string(), inside.to_owned(), is_read_only)
    };
    let own = std::process::id().to_string();
    let container = Container {
        privileged: true,
        mounts: vec![
            mount("/usr".as_ref(), "/usr", true),
            mount("/lib64".as_ref(), "/lib64", true),
            mount("/lib".as_ref(), "/lib", true),
            mount(stage.path(), "/stage", false),
        ],
        ..Container::named("deeds", &["/stage/doer", "container", "/stage", &own])
    };
    containerd.cri().run(&sandbox, &pod, &container);
    let done = wait_for_done(stage.path());
    assert_eq!(done.len(), 2 * CASES.len());
    check(&agent, &done);
    agent.stop();
}
