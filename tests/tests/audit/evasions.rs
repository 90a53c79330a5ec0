//! Shells, programs for more rights and nsenter fire the rules that Chandra comes with, in whatever way they are
//! started; what is none does not, in none of those ways.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::needs;
use chandra_tests::needs_containerd;
use chandra_tests::patience::PATIENCE;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::ways::{self, Started, Way};

const SHELL: &str = "Interactive shell without a terminal";
const HIDDEN_SHELL: &str = "Shell under another name";
const SU: &str = "A set-user-id program";
const SUDO: &str = "Tool for more rights in a container";
const NSENTER: &str = "Container enters the host";
const ANY_NSENTER: &str = "nsenter";

fn auditing(rules: &str, arguments: &[&str]) -> Agent {
    let usual = ["--rules", rules, "--rule-matching", "all", "--alerts", "json"];
    let mut agent = Agent::start(&[&usual, arguments].concat());
    agent.read_output();
    agent.wait_until_ready();
    agent
}

/// The rules that fired, by process.
fn fired(alerts: &[Record]) -> BTreeMap<u64, BTreeSet<&str>> {
    let mut fired: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for alert in alerts {
        let pid = alert.number("process.pid").unwrap();
        fired.entry(pid).or_default().insert(alert.text("rule").unwrap());
    }
    fired
}

/// Waits until each process fired what it must, and returns what all of them fired.
fn wait_for_alerts(
    agent: &Agent,
    started: &[Started],
    expected: impl Fn(&Started) -> Vec<&'static str>,
) -> Vec<Record> {
    let begun = std::time::Instant::now();
    loop {
        let alerts = agent.records();
        let fired = fired(&alerts);
        let nothing = BTreeSet::new();
        let missing: Vec<_> = (started.iter())
            .map(|it| (it, fired.get(&u64::from(it.pid)).unwrap_or(&nothing)))
            .filter(|(it, fired)| !expected(it).iter().all(|rule| fired.contains(rule)))
            .collect();
        if missing.is_empty() {
            return alerts;
        }
        let figures = ["copy", "no_copy", "gone", "unreadable", "not_asked"].map(|outcome| {
            let name = format!("chandra_executables_compared_total{{outcome=\"{outcome}\"}}");
            (outcome, agent.metric(&name))
        });
        let late = agent.metric("chandra_executables_compared_late_total");
        assert!(begun.elapsed() < PATIENCE / 3, "{figures:?} late {late}, missing {missing:#?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// None of these fired for what is harmless.
fn assert_silent(alerts: &[Record], started: &[Started], rules: &[&str]) {
    let fired = fired(alerts);
    let harmless = started.iter().filter(|it| it.target == "harmless");
    assert_eq!(harmless.clone().count(), Way::ALL.len());
    for it in harmless {
        let own = fired.get(&u64::from(it.pid));
        let wrong = own.into_iter().flatten().find(|rule| rules.contains(rule));
        assert_eq!(wrong, None, "{it:?}");
    }
}

/// Ways in which a shell's file is not where a shell is.
fn is_of_a_copy(way: Way) -> bool {
    matches!(way, Way::Copy | Way::LoadedCopy | Way::Memory | Way::Deleted)
}

#[test]
fn no_way_to_start_a_program_hides_it_on_the_host() {
    needs!("root", "busybox", "bash", "su", "nsenter");
    let scratch = Scratch::new();
    // No default rule is about these on a host.
    let rule = |name: &str, program: &str| {
        format!(
            "- rule: {name}\n  desc: A test\n  priority: NOTICE\n  \
             condition: execution and proc.name in ({program})\n  \
             output: Seen (command=%proc.cmdline first=%proc.exe exe=%proc.exe_real)\n"
        )
    };
    let file = scratch.at("more.yaml");
    fs::write(&file, rule(SU, "sudo, su") + &rule(ANY_NSENTER, "nsenter")).unwrap();
    let agent = auditing(&format!("default,{}", file.display()), &[]);

    let mut starter = Command::new(env!("CARGO_BIN_EXE_starter"));
    let starter = starter.arg("host").arg(scratch.path()).stdin(Stdio::null()).spawn();
    let mut starter = starter.unwrap();
    let started = ways::wait_for_started(scratch.path());
    let alerts = wait_for_alerts(&agent, &started, |it| match it.target.as_str() {
        "shell" if it.way == Way::Memory => vec![SHELL, HIDDEN_SHELL, "Program run from memory"],
        "shell" if is_of_a_copy(it.way) => vec![SHELL, HIDDEN_SHELL],
        "shell" if matches!(it.way, Way::Link | Way::FirstArgument) => vec![SHELL, HIDDEN_SHELL],
        "shell" => vec![SHELL],
        "su" => vec![SU],
        "nsenter" => vec![ANY_NSENTER],
        _ => vec![],
    });
    ways::end(scratch.path());
    assert!(starter.wait().unwrap().success());
    assert_silent(&alerts, &started, &[SHELL, HIDDEN_SHELL, SU, ANY_NSENTER]);
    agent.stop();
}

#[test]
fn no_way_to_start_a_program_hides_it_in_a_container() {
    needs_containerd!();
    needs!("bash", "nsenter");
    let containerd = Containerd::start();
    let stage = Scratch::new();
    for folder in ["stage", "programs"] {
        fs::create_dir(stage.at(folder)).unwrap();
    }
    let sudo = stage.copy("/usr/bin/fold".as_ref(), "programs/sudo");
    fs::set_permissions(sudo, PermissionsExt::from_mode(0o4755)).unwrap();
    stage.copy(env!("CARGO_BIN_EXE_starter").as_ref(), "stage/starter");
    let socket = containerd.socket().display().to_string();
    let agent = auditing("default,default-files", &["--cri-socket", &socket]);

    let pod =
        Pod { host_network: true, host_pid: true, privileged: true, ..Pod::named("evasions") };
    let sandbox = containerd.cri().run_pod(&pod);
    let mount = |host: &Path, inside: &str, is_read_only: bool| {
        (host.display().to_string(), inside.to_owned(), is_read_only)
    };
    let container = Container {
        privileged: true,
        mounts: vec![
            mount("/usr".as_ref(), "/usr", true),
            // The loader lies in one, and is a link into the other.
            mount("/lib64".as_ref(), "/lib64", true),
            mount("/lib".as_ref(), "/lib", true),
            mount(&stage.at("programs"), "/usr/local/bin", true),
            mount(&stage.at("stage"), "/stage", false),
        ],
        ..Container::named("evasions", &["/stage/starter", "container", "/stage"])
    };
    containerd.cri().run(&sandbox, &pod, &container);
    let folder = stage.at("stage");
    let started = ways::wait_for_started(&folder);
    let alerts = wait_for_alerts(&agent, &started, |it| {
        let mut rules = match it.target.as_str() {
            "shell" if is_of_a_copy(it.way) => vec![SHELL, HIDDEN_SHELL],
            "shell" => vec![SHELL],
            "sudo" => vec![SUDO],
            "nsenter" => vec![NSENTER],
            _ => vec![],
        };
        if it.target == "harmless" {
            return Vec::new();
        }
        rules.extend(match it.way {
            Way::Memory => Some("Program run from memory"),
            Way::Deleted => Some("Deleted program run in a container"),
            Way::Copy | Way::CopyOfBusyBox => Some("Program that is not from the image"),
            _ => None,
        });
        rules
    });
    ways::end(&folder);
    let of_container = |alert: &&Record| alert.text("container.name") == Some("evasions");
    assert!(alerts.iter().filter(of_container).count() >= started.len() / 2);
    assert_silent(&alerts, &started, &[SHELL, HIDDEN_SHELL, SUDO, NSENTER]);
    agent.stop();
}
