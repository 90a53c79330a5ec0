//! What an agent may still do once it watches: by what the kernel says of each of its threads.

use std::collections::BTreeMap;
use std::fs;

use chandra_tests::agent::{self, Agent};
use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;

/// Bits of capabilities(7).
const CAP_DAC_OVERRIDE: u8 = 1;
const CAP_DAC_READ_SEARCH: u8 = 2;
const CAP_NET_ADMIN: u8 = 12;
const CAP_SYS_PTRACE: u8 = 19;
const CAP_SYS_ADMIN: u8 = 21;
const CAP_SYSLOG: u8 = 34;
const CAP_PERFMON: u8 = 38;
const CAP_BPF: u8 = 39;

/// What any agent goes on with, where it was given all.
const ALWAYS: [u8; 6] =
    [CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_SYSLOG, CAP_BPF];

fn set(bits: &[u8]) -> u64 {
    bits.iter().map(|bit| 1 << bit).sum()
}

/// The lines of `/proc/PID/task/TID/status`, unless it is no more.
fn status(path: &str) -> Option<BTreeMap<String, String>> {
    let text = match fs::read_to_string(path) {
        Err(error) if [Some(libc::ENOENT), Some(libc::ESRCH)].contains(&error.raw_os_error()) => {
            return None;
        }
        text => text.unwrap(),
    };
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Some(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

fn capabilities(status: &BTreeMap<String, String>, name: &str) -> u64 {
    u64::from_str_radix(&status[name], 16).unwrap()
}

/// Every thread of the agent has this permitted at most and cannot get more; those that are named have their own.
fn assert_holds(agent: &Agent, expected: u64, others: &[(&str, u64)]) {
    let mut threads = 0;
    for entry in fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap() {
        let path = entry.unwrap().path().join("status");
        // Some threads are there for a moment only.
        let Some(status) = status(&path.display().to_string()) else { continue };
        let name = &status["Name"];
        let own = others.iter().find(|(thread, _)| thread == name);
        let expected = own.map_or(expected, |(_, set)| *set);
        for (set, expected) in [
            ("CapPrm", expected),
            ("CapEff", expected),
            ("CapBnd", expected),
            ("CapInh", 0),
            ("CapAmb", 0),
        ] {
            assert_eq!(capabilities(&status, set), expected, "{set} of the thread {name}");
        }
        assert_eq!(status["NoNewPrivs"], "1", "of the thread {name}");
        threads += 1;
    }
    assert!(threads > 3, "{threads} threads");
}

#[test]
fn an_agent_gives_up_what_it_needed_to_attach() {
    needs!("root");
    assert_eq!(
        capabilities(&status("/proc/self/status").unwrap(), "CapEff") & set(&ALWAYS),
        set(&ALWAYS)
    );
    let agent = Agent::start_printing(&[
        "--signals",
        "process,cgroup,tcp,cpu_profile,off_cpu",
        "--rules",
        "default",
    ]);
    agent.wait_until_ready();
    // These go on for processors that come, for which there are no events yet.
    let of_clock = set(&[CAP_PERFMON, CAP_SYS_ADMIN]);
    let of_doorbells = of_clock | set(&[CAP_BPF]);
    let of_reader = set(&[CAP_DAC_READ_SEARCH]);
    let others = [("sampling", of_clock), ("doorbells", of_doorbells), ("rules", of_reader)];
    assert_holds(&agent, set(&ALWAYS), &others);
    // What is left is enough for what comes later.
    wait_for("the cost of a program", || {
        let signal = agent.signal("process");
        let programs = signal.at("programs")?.as_array()?.clone();
        programs.iter().any(|program| program["run_count"].as_u64() > Some(0)).then_some(())
    });
    assert!(
        !agent.messages().iter().any(|line| line.starts_with("warning: ")),
        "{:#?}",
        agent.messages()
    );
    agent.stop();
}

#[test]
fn one_that_writes_files_may_write_them_anywhere() {
    needs!("root");
    let scratch = Scratch::new();
    let folder = scratch.at("of-another");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(1234), Some(1234)).unwrap();
    let file = folder.join("flows.json");
    let agent = Agent::start(&[
        "--signals",
        "tcp",
        "--identity",
        "off",
        "--export-file-path",
        file.to_str().unwrap(),
    ]);
    let with_files =
        [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_SYSLOG, CAP_BPF];
    assert_holds(&agent, set(&with_files), &[]);
    wait_for("flows in the file", || {
        agent.get("/healthz");
        fs::metadata(&file).is_ok_and(|file| file.len() > 0).then_some(())
    });
    agent.stop();
}

#[test]
fn one_that_may_attach_hooks_again_keeps_what_that_takes() {
    needs!("root");
    for (signal, budget, keeps) in [
        ("file_io", "1%", true),
        ("file_io", "off", false),
        // What flows may cost when nobody says so does not detach their hooks.
        ("tcp", "1%", false),
        ("tcp", "tcp=1%", true),
    ] {
        let arguments = ["--signals", signal, "--identity", "off", "--cpu-budget", budget];
        let agent = Agent::start(&arguments);
        agent.wait_until_ready();
        let own = status(&format!("/proc/{}/status", agent.pid())).unwrap();
        let kept = capabilities(&own, "CapEff") & set(&[CAP_PERFMON]) != 0;
        assert_eq!(kept, keeps, "{signal} {budget}");
        agent.stop();
    }
}

#[test]
fn nothing_comes_to_it_that_it_was_not_given() {
    needs!("root");
    let given = [CAP_BPF, CAP_PERFMON];
    let others: Vec<u8> = (0..=40).filter(|bit| !given.contains(bit)).collect();
    let mut command = agent::command(&["--http", "127.0.0.1:0", "--signals", "process,tcp"]);
    launch::without_capabilities(&mut command, Vec::leak(others));
    let agent = Agent::start_command(&mut command);
    agent.wait_until_ready();
    let own = status(&format!("/proc/{}/status", agent.pid())).unwrap();
    // Without CAP_SETPCAP the bounding set stays; no program that it executes can use it.
    assert_eq!(capabilities(&own, "CapEff"), set(&[CAP_BPF]));
    assert_eq!(capabilities(&own, "CapPrm"), set(&[CAP_BPF]));
    assert_eq!((capabilities(&own, "CapBnd"), own["NoNewPrivs"].as_str()), (set(&given), "1"));
    agent.stop();
}
