//! What rules cost: nanoseconds per exec event with 100 and with 1,000 rules, their load time, their memory; of
//! Falco's language and of Sigma's.
//!
//! `cargo run --release -p chandra-rules --example rules_bench`
//!
//! Lines that begin with `rules_` are for programs: name, value, unit.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench stops where something is not as expected"
)]

use std::fmt::Write;
use std::hint::black_box;

use chandra_event::process::{Arguments, Comm, Exec, Executable, Process};
use chandra_event::time::Timestamp;
use chandra_event::who::{Container, Pod, Who};
use chandra_rules::adapter::{Lineage, Node, Program, RecordFacts};
use chandra_rules::evaluate::Scratch;
use chandra_rules::load::{Matching, Options};
use chandra_rules::rules::Ruleset;
use chandra_rules::source::{Source, Sources};

const EVENTS: usize = 20_000;
const ROUNDS: usize = 7;

/// Rules on executions as people write them: two macros that all have, a list of programs of its own, and
/// tests of the command line, of the parent, of ancestors and of the image.
fn rules(count: usize) -> String {
    let mut text = "
- macro: spawned
  condition: (evt.type in (execve, execveat) and evt.dir=<)
- macro: in_container
  condition: (container.id != host)
- list: shells
  items: [bash, sh, zsh, dash, ash, csh, ksh]
- macro: by_package_manager
  condition: (proc.aname[2] in (apt, dpkg, yum, dnf, apk) or proc.aname[3] in (apt, dpkg, yum, dnf, apk))
"
    .to_owned();
    for number in 0..count {
        let _ = write!(
            text,
            "
- list: tools_{number}
  items: [tool{number}, scan{number}, miner{number}, nc{number}, shred{number}]
- rule: Tool {number}
  desc: A tool was started.
  condition: >
    spawned and in_container
    and ((proc.name in (tools_{number}) and proc.args contains \"-e{number}\")
         or (proc.name in (shells) and proc.pname in (server{number}, daemon{number})
             and proc.cmdline contains \"/dev/tcp/{number}\"))
    and not by_package_manager
    and not container.image.repository endswith /trusted{number}
  output: A tool (user=%user.name command=%proc.cmdline parent=%proc.pname image=%container.image.repository)
  priority: WARNING
  tags: [container, process]
"
        );
    }
    text
}

/// Rules of Sigma on executions as people write them: programs by the ends of their paths, options all of which
/// have to be there, a parent that is left out.
fn sigma(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "---
title: Tool {number}
id: 00000000-0000-4000-8000-{number:012}
author: Bench
logsource: {{ category: process_creation, product: linux }}
detection:
  selection_image:
    Image|endswith: [/tool{number}, /scan{number}, /bash]
  selection_options:
    CommandLine|contains|all: [' -e{number} ', ' --output']
  selection_shell:
    CommandLine|contains: ['/dev/tcp/{number}', 'nc -e{number}', 'base64 -d{number}']
  filter_main_parent:
    ParentImage|endswith: [/trusted{number}, /dpkg]
  condition: selection_image and (selection_options or selection_shell) and not 1 of filter_main_*
level: medium
"
        );
    }
    text
}

fn load(text: String) -> Ruleset {
    let mut sources = Sources::default();
    sources.add(Source::new("bench.yaml", text));
    let options = Options { matching: Matching::All, ..Options::default() };
    Ruleset::load(&sources, &options).unwrap_or_else(|report| panic!("{report}")).0
}

fn comm(name: &str) -> Comm {
    let mut comm = Comm::default();
    comm.0[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

fn exec<'e>(name: &str, path: &'e str, arguments: &'e [u8]) -> Exec<'e> {
    Exec {
        time: Timestamp(1_795_338_611_123_456_789),
        process: Process { pid: 77, ppid: 7, comm: comm(name), ..Process::default() },
        filename: path.as_bytes(),
        executable: Executable { path: path.as_bytes(), inode: 5, ..Executable::default() },
        arguments: Arguments { head: arguments, tail: b"", total_bytes: arguments.len() as u64 },
        ..Exec::default()
    }
}

fn program(pid: u32, name: &'static str, path: &'static str) -> Program<'static> {
    Program {
        pid,
        comm: name.as_bytes(),
        start_time: None,
        executable: Some(Executable { path: path.as_bytes(), inode: 9, ..Executable::default() }),
        arguments: None,
        filename: None,
        interpreter: None,
        cwd: None,
        namespaces: None,
        copy_of: None,
        capabilities: None,
        cred_jump: None,
    }
}

fn main() {
    let lineage = vec![
        program(77, "bash", "/usr/bin/bash"),
        program(7, "nginx", "/usr/sbin/nginx"),
        program(6, "containerd-shim", "/usr/bin/containerd-shim-runc-v2"),
        program(1, "systemd", "/usr/lib/systemd/systemd"),
    ];
    type Made = fn(usize) -> String;
    let kinds: [(&str, usize, Made); 4] =
        [("", 100, rules), ("", 1000, rules), ("sigma_", 100, sigma), ("sigma_", 3000, sigma)];
    for (kind, number, made) in kinds {
        let count = format!("{kind}{number}");
        let text = made(number);
        let before = resident_bytes();
        let began = processor_ns();
        let rules = load(text);
        say(&format!("load_{count}"), (processor_ns() - began) as f64 / 1e6, "ms");
        let grown = resident_bytes().saturating_sub(before);
        say(&format!("resident_{count}"), grown as f64 / 1024.0, "KiB");
        say(&format!("comparisons_{count}"), rules.comparisons() as f64, "predicates");
        let shell = exec("bash", "/usr/bin/bash", b"bash\0-c\0exec 3<>/dev/null; cat <&3\0");
        let tool = exec("tool42", "/opt/tool42", b"tool42\0--verbose\0--output=/tmp/x\0");
        let other = exec("coredns", "/coredns", b"/coredns\0-conf\0/etc/coredns/Corefile\0");
        let events = [
            ("shell", &shell, true),
            ("tool", &tool, true),
            ("other", &other, true),
            ("host", &other, false),
        ];
        for (name, exec, in_container) in events {
            let ns = evaluate(&rules, exec, in_container, &lineage, u64::MAX);
            say(&format!("exec_{name}_{count}"), ns, "ns");
        }
        // As an agent does it: one event in 256 is timed.
        let ns = evaluate(&rules, &shell, true, &lineage, 256);
        say(&format!("exec_shell_timed_{count}"), ns, "ns");
        let began = processor_ns();
        drop(rules);
        say(&format!("drop_{count}"), (processor_ns() - began) as f64 / 1e6, "ms");
    }
}

/// Nanoseconds for one event, the median of some rounds. One event in `sampling` has each rule timed.
fn evaluate(
    rules: &Ruleset,
    exec: &Exec<'_>,
    in_container: bool,
    lineage: &dyn Lineage,
    sampling: u64,
) -> f64 {
    let container = Container {
        id: "c0ffee000000beef",
        runtime: "containerd",
        name: Some("web"),
        image: Some("docker.io/library/nginx:1.25"),
        is_sandbox: false,
        details: None,
    };
    let pod = Pod { namespace: Some("shop"), name: Some("web-5"), ..Pod::default() };
    let who = match in_container {
        true => Who { container: Some(container), pod: Some(pod), ..Who::default() },
        false => Who::default(),
    };
    let node = Node::default();
    let mut scratch = Scratch::default();
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = processor_ns();
            let mut fired = 0u64;
            for number in 1..=EVENTS as u64 {
                let facts =
                    RecordFacts::new(black_box(exec), number, &who, lineage, &node).unwrap();
                let mut each = |_: &_, _| fired += 1;
                if number.is_multiple_of(sampling) {
                    let timed = &mut |rule, time| {
                        black_box((rule, time));
                    };
                    rules.evaluate_timed(&facts, &mut scratch, &mut each, timed);
                } else {
                    rules.evaluate(&facts, &mut scratch, &mut each);
                }
            }
            black_box(fired);
            (processor_ns() - began) as f64 / EVENTS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// Time that this thread has had a processor, so that a busy machine does not count.
fn processor_ns() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split(' ').next().unwrap().parse().unwrap()
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn say(name: &str, value: f64, unit: &str) {
    println!("rules_{name} {value:.1} {unit}");
}
