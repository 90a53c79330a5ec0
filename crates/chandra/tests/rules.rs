//! `chandra rules`: check, list and explain, as a person runs them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what it expects by stopping")]

use std::path::PathBuf;
use std::process::Command;

use chandra_event::file::{FileOpen, FileType, Opened};
use chandra_event::json;
use chandra_event::process::{Arguments, Capabilities, Comm, Exec, Executable, Process};
use chandra_event::record::Record;
use chandra_event::system_call::{Path, SystemCall};
use chandra_event::time::Timestamp;
use chandra_event::who::{Container, Known, Parent, Pod, Who};
use serde_json::Value;

const GOOD: &str = "\
- macro: spawned
  condition: evt.type in (execve, execveat)
- rule: Shell of a server
  desc: A server started a shell.
  condition: spawned and proc.name in (bash, sh) and proc.pname = nginx and container.id != host
  output: A shell (command=%proc.cmdline parent=%proc.pname image=%container.image.repository)
  priority: WARNING
- rule: Opened
  desc: It needs what is not captured.
  condition: evt.type = read and thread.cgroups = shadow
  output: Opened
  priority: INFO
  skip-if-unknown-filter: true
- rule: Off
  desc: Off.
  condition: spawned
  output: Off
  priority: INFO
  enabled: false
";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("chandra-rules-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Exit code, standard output, standard error.
fn chandra(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_chandra")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn comm(name: &str) -> Comm {
    let mut comm = Comm::default();
    comm.0[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

/// A line of `chandra trace exec -o json`, written by what writes them.
fn line(parent: &str) -> String {
    let argv = b"sh\0-c\0id\0";
    let exec = Exec {
        time: Timestamp(1_795_338_611_123_456_789),
        process: Process { pid: 77, ppid: 7, comm: comm("sh"), ..Process::default() },
        filename: b"/bin/sh",
        executable: Executable { path: b"/bin/busybox", inode: 7, ..Executable::default() },
        arguments: Arguments { head: argv, tail: b"", total_bytes: argv.len() as u64 },
        capabilities: Capabilities { effective: 1 << 21, ..Capabilities::default() },
        ..Exec::default()
    };
    let parent = Parent {
        pid: 7,
        start_boottime_ns: 1,
        start_time: Timestamp(1_795_338_600_000_000_000),
        comm: comm(parent),
        executable: Some(b"/usr/sbin/nginx-debug"),
    };
    let container = Container {
        id: "c0ffee000000beef",
        runtime: "containerd",
        name: Some("web"),
        image: Some("docker.io/library/nginx:1.25"),
        is_sandbox: false,
        details: None,
    };
    let pod = Pod { namespace: Some("shop"), name: Some("web-5"), ..Pod::default() };
    let who =
        Who { parent: Some(parent), container: Some(container), pod: Some(pod), ..Who::default() };
    let mut out = Vec::new();
    json::write_line(&Known { record: &exec, who: &who }, Some("n1"), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn check_says_what_is_wrong_where_and_what_to_do_and_fails() {
    let folder = Folder::new("check");
    let good = folder.file("good.yaml", GOOD);
    let (code, out, err) = chandra(&["rules", "check", &good]);
    assert_eq!((code, err.as_str()), (0, ""));
    let expected = "\
        events: execve (1 rule)\n\
        left out: Opened: no event that is captured answers thread.cgroups: Falco writes a path for each controller; records carry the id of one cgroup; none of its events is captured: read\n\
        1 file: 3 rules, 1 of them off and 1 left out; 0 errors, 0 warnings\n";
    assert_eq!(out, expected);

    let bad =
        folder.file("bad.yaml", &GOOD.replace("proc.pname", "proc.pnmae").replace("INFO", "LOUD"));
    let (code, out, _) = chandra(&["rules", "check", &good, &bad]);
    assert_eq!(code, 1);
    let expected = format!(
        "{bad}:5:54: error: there is no field proc.pnmae (in rule \"Shell of a server\")\n    \
         5 |   condition: spawned and proc.name in (bash, sh) and proc.pnmae = nginx and container.id != host\n      \
         |                                                      ^^^^^^^^^^\n      = did you mean proc.pname?\n"
    );
    assert!(out.starts_with(&expected), "{out}");
    assert!(out.contains(&format!("{bad}:12:13: error: there is no priority \"LOUD\"")), "{out}");
    assert!(out.ends_with("2 files: the rules do not load; 4 errors, 0 warnings\n"), "{out}");

    let (code, out, _) = chandra(&["rules", "check", &bad, "-o", "json"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &object["errors"]), (1, &4.into()));
    let unknown = object["diagnostics"].as_array().unwrap().iter().find(|one| one["line"] == 5);
    let unknown = unknown.unwrap();
    assert_eq!((&unknown["code"], &unknown["column"]), (&"unknown-field".into(), &54.into()));
    assert_eq!(object["rules"], Value::Null);
}

#[test]
fn what_cannot_be_answered_is_an_error_or_is_left_out() {
    let folder = Folder::new("leave-out");
    let file = folder.file("r.yaml", &GOOD.replace("  skip-if-unknown-filter: true\n", ""));
    let (code, out, _) = chandra(&["rules", "check", &file]);
    assert_eq!(code, 1);
    assert!(out.contains("no event that is captured answers thread.cgroups"), "{out}");
    assert!(out.contains("none of its events is captured: read"), "{out}");
    let (code, out, _) = chandra(&["rules", "check", "--leave-out", &file]);
    assert_eq!(code, 0);
    assert!(
        out.ends_with("3 rules, 1 of them off and 1 left out; 0 errors, 2 warnings\n"),
        "{out}"
    );
    let (code, out, _) = chandra(&["rules", "list", &file, "-o", "json"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &object["rules"][1]["state"]), (0, &"left out".into()));
    assert_eq!(object["rules"][1]["events_not_captured"], serde_json::json!(["read"]));
    assert_eq!(object["rules"][0]["events"], serde_json::json!(["execve"]));
    let (_, out, _) = chandra(&["rules", "list", &file]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[1].starts_with("on         Warning        execve"), "{out}");
}

#[test]
fn explain_says_which_comparison_decides() {
    let folder = Folder::new("explain");
    let rules = folder.file("r.yaml", GOOD);
    let event = folder.file("nginx.json", &line("nginx"));
    let name = ["--rule", "Shell of a server"];
    let (code, out, err) =
        chandra(&["rules", "explain", &event, "--rules", &rules, name[0], name[1]]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with("Shell of a server fires\n  true: spawned\n    true: evt.type in"),
        "{out}"
    );
    let alert = "09:10:11.123456789: Warning A shell (command=sh -c id parent=nginx image=docker.io/library/nginx)";
    assert!(out.ends_with(&format!("  alert: {alert}\n")), "{out}");

    let event = folder.file("sshd.json", &line("sshd"));
    let (code, out, _) = chandra(&["rules", "explain", &event, "--rules", &rules]);
    assert_eq!(code, 0);
    let expected = "Shell of a server does not fire\n  false: proc.pname = nginx  (is \"sshd\")\n";
    assert!(out.starts_with(expected), "{out}");
    assert!(out.contains("\nOpened is left out\n") && out.contains("\nOff is off\n"), "{out}");

    let (_, out, _) = chandra(&["rules", "explain", &event, "--rules", &rules, "-o", "json"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&object["event"], &object["rules"][0]["fires"]), (&"execve".into(), &false.into()));
    assert_eq!(object["rules"][0]["condition"]["and"][2]["value"], "sshd");
}

#[test]
fn replay_prints_the_alerts_of_recorded_events_with_falco_s_keys() {
    let folder = Folder::new("replay");
    let rules = folder.file("r.yaml", &GOOD.replace("  enabled: false\n", ""));
    let lines = [line("nginx"), line("sshd"), "no record\n".to_owned()].concat();
    let events = folder.file("events.jsonl", &lines);
    let (code, out, err) = chandra(&["replay", &events, "--rules", &rules, "-o", "json"]);
    assert_eq!(code, 0);
    assert_eq!(err, "replay: 3 lines, 2 that rules are about, 2 alerts, 1 that cannot be read\n");
    let alerts: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The first rule that matches fires.
    let fired: Vec<&Value> = alerts.iter().map(|alert| &alert["rule"]).collect();
    assert_eq!(fired, ["Shell of a server", "Off"]);
    assert_eq!(alerts[0]["output_fields"]["proc.pname"], "nginx");
    assert_eq!(
        (&alerts[0]["hostname"], &alerts[0]["priority"], &alerts[0]["time"]),
        (&"n1".into(), &"Warning".into(), &"2026-11-22T09:10:11.123456789Z".into())
    );
    let (_, out, _) = chandra(&["replay", &events, "--rules", &rules, "--all-matching"]);
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(out.starts_with("09:10:11.123456789: Warning A shell (command=sh -c id"), "{out}");
}

const FILES: &str = "\
- macro: open_read
  condition: evt.type in (open,openat,openat2) and evt.is_open_read=true and fd.typechar='f' and fd.num>=0
- rule: Secret read
  desc: A file that holds secrets.
  condition: open_read and fd.name in (/etc/shadow, /etc/sudoers)
  output: Read (file=%fd.name given=%fd.nameraw flags=%evt.arg.flags)
  priority: WARNING
- rule: Link over a secret
  desc: A link that leads there.
  condition: evt.type in (symlink, symlinkat) and evt.arg.target in (/etc, /etc/shadow)
  output: Link (target=%evt.arg.target link=%evt.arg.linkpath result=%evt.res)
  priority: WARNING
";

#[test]
fn opens_and_system_calls_are_explained_and_replayed() {
    let folder = Folder::new("files");
    let rules = folder.file("r.yaml", FILES);
    let process = Process { pid: 77, ppid: 7, comm: comm("cat"), ..Process::default() };
    let time = Timestamp(1_795_338_611_123_456_789);
    let opened = Opened {
        file_type: FileType::Regular,
        permissions: 0o640,
        device: 8 << 20 | 1,
        inode: 5,
        is_created: false,
    };
    let open = FileOpen {
        time,
        process,
        sampled_one_in: 1,
        path: b"/etc/shadow",
        path_truncated: false,
        name: b"../link",
        flags: 0o2_000_000,
        mode: 0,
        opened: Some(opened),
        error: 0,
        descriptor: None,
    };
    let call = SystemCall {
        time,
        process,
        sampled_one_in: 1,
        effective_uid: 0,
        name: Some("symlinkat"),
        number: 266,
        arguments: [1, 0xffff_ff9c, 2, 0, 0, 0],
        argument_count: 3,
        path: Some(Path { path: b"/etc/shadow", name: b"/etc/shadow" }),
        second_path: Some(Path { path: b"/tmp/../tmp/x", name: b"../tmp/x" }),
        path_truncated: false,
        descriptor_type: None,
        descriptor_family: None,
        descriptor_path: None,
        socket: None,
        result: -17,
    };
    let mut lines = Vec::new();
    let failed = FileOpen { opened: None, error: 13, ..open };
    let records: [&dyn Record; 3] = [&open, &call, &failed];
    for record in records {
        json::write_line(&Known { record, who: &Who::default() }, Some("n1"), &mut lines);
    }
    let lines = String::from_utf8(lines).unwrap();
    let events = folder.file("events.jsonl", &lines);
    let (code, out, err) = chandra(&["replay", &events, "--rules", &rules]);
    assert_eq!(code, 0, "{err}");
    let expected = "\
        09:10:11.123456789: Warning Read (file=/etc/shadow given=../link flags=O_RDONLY|O_CLOEXEC)\n\
        09:10:11.123456789: Warning Link (target=/etc/shadow link=/tmp/x result=EEXIST)\n";
    assert_eq!(out, expected);
    assert_eq!(err, "replay: 3 lines, 3 that rules are about, 2 alerts, 0 that cannot be read\n");
    let event = folder.file("event.json", lines.lines().nth(2).unwrap());
    let (_, out, _) = chandra(&["rules", "explain", &event, "--rules", &rules]);
    assert!(out.contains("false: fd.num >= 0  (is -1)"), "{out}");
}

#[test]
fn what_cannot_be_read_is_a_problem_with_a_next_step() {
    let folder = Folder::new("unreadable");
    let rules = folder.file("r.yaml", GOOD);
    let empty = folder.0.join("empty");
    std::fs::create_dir(&empty).unwrap();
    for (arguments, code, what) in [
        (vec!["rules", "check", "/nonexistent.yaml"], 1, "cannot read /nonexistent.yaml"),
        (vec!["rules", "check", empty.to_str().unwrap()], 1, "there are no rules in"),
        (vec!["rules", "check"], 2, "cannot understand"),
        (vec!["rules", "chek", &rules], 2, "the nearest there is: check"),
        (vec!["rules", "explain", &rules, "--rules", &rules], 1, "no JSON"),
    ] {
        let (found, _, err) = chandra(&arguments);
        assert_eq!(found, code, "{arguments:?} {err}");
        assert!(err.contains(what) && err.contains("next:"), "{arguments:?} {err}");
    }
}

#[test]
fn rules_are_chosen_and_evaluated_as_the_agent_does() {
    let folder = Folder::new("chosen");
    let rules = folder.file("r.yaml", GOOD);
    let states = |arguments: &[&str]| {
        let (code, out, err) =
            chandra(&[&["rules", "list", &rules, "-o", "json"][..], arguments].concat());
        assert_eq!(code, 0, "{err}");
        let object: Value = serde_json::from_str(&out).unwrap();
        let states = object["rules"].as_array().unwrap().iter();
        let states: Vec<_> =
            states.map(|rule| rule["state"].as_str().unwrap().to_owned()).collect();
        (states, err)
    };
    let of = |arguments: &[&str]| states(arguments).0;
    assert_eq!(of(&[]), ["on", "left out", "off"]);
    assert_eq!(of(&["--rules-enable", "Off"])[2], "on");
    assert_eq!(of(&["--rules-disable", "*"])[0], "off");
    assert_eq!(of(&["--rules-disable", "*", "--rules-enable", "Shell*"])[0], "on");
    assert_eq!(of(&["--rules-minimum-priority", "error"])[0], "off");
    let (_, warned) = states(&["--rules-disable", "Shll"]);
    assert!(warned.contains("no rule is like \"Shll\""), "{warned}");

    let events = folder.file("events.jsonl", &line("nginx"));
    let enabled = ["--rules-enable", "Off"];
    let fired = |arguments: &[&str]| {
        let usual = ["replay", &events, "--rules", &rules, "-o", "json"];
        let (_, out, _) = chandra(&[&usual[..], &enabled, arguments].concat());
        out.lines().count()
    };
    assert_eq!(fired(&[]), 1);
    assert_eq!(fired(&["--rule-matching", "all"]), 2);
    let (code, _, err) = chandra(&["rules", "check", &rules, "--rules-minimum-priority", "loud"]);
    assert_eq!(code, 2, "{err}");
    let explained = ["rules", "explain", &events, "--rules", &rules, "--rule", "Off"];
    let (_, out, _) = chandra(&[&explained[..], &enabled].concat());
    assert!(out.starts_with("Off fires"), "{out}");
    let (_, out, _) = chandra(&["rules", "check", "default", "-o", "json"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&object["errors"], &object["files"][0]), (&0.into(), &"default".into()));
}

#[test]
fn list_without_files_lists_the_rules_that_chandra_comes_with() {
    let (code, out, err) = chandra(&["rules", "list", "-o", "json"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let listed: Value = serde_json::from_str(&out).unwrap();
    let listed = listed["rules"].as_array().unwrap();
    let texts = [chandra_rules::DEFAULT_RULES, chandra_rules::DEFAULT_FILE_RULES];
    let written = texts.iter().map(|text| text.matches("\n- rule: ").count()).sum::<usize>();
    assert_eq!(listed.len(), written);
    for rule in listed {
        assert_eq!(rule["state"], "on", "{rule}");
        assert!(rule["place"].as_str().unwrap().starts_with("default"), "{rule}");
    }
}

const TESTS: &str = "\
- rule: Shell of a server
  fires:
    - { title: a web shell, exe: /bin/bash, ancestors: [/usr/sbin/nginx] }
  silent:
    - { exe: /bin/bash, container: false, ancestors: [/usr/sbin/nginx] }
";

#[test]
fn tests_beside_rules_are_run_and_one_that_fails_says_why() {
    let folder = Folder::new("test");
    let rules = folder.file("mine.yaml", &GOOD.replace("- rule: Opened", "- rule: Not tested"));
    let arguments = ["rules", "test", &rules, "--leave-out"];
    let (code, _, err) = chandra(&arguments);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("mine.tests.yaml"), "{err}");

    let tests = folder.file("mine.tests.yaml", TESTS);
    let (code, out, err) = chandra(&arguments);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "no test of \"Not tested\"\nno test of \"Off\"\n2 events: 0 failures\n");

    let wrong = folder
        .file("wrong.yaml", &TESTS.replace("/usr/sbin/nginx] }\n  silent", "/x] }\n  silent"));
    let (code, out, _) = chandra(&["rules", "test", &rules, "--tests", &wrong]);
    assert_eq!(code, 1);
    let expected = format!(
        "{wrong}:3:9: \"Shell of a server\" does not fire of \"a web shell\"\n  \
         false: proc.pname = nginx  (is \"x\")\n\n"
    );
    assert!(out.starts_with(&expected), "{out}");
    assert!(out.ends_with("2 events: 1 failure\n"), "{out}");
    let (code, out, _) =
        chandra(&["rules", "test", &rules, "--tests", &tests, "--tests", &wrong, "-o", "json"]);
    assert_eq!(code, 1);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["events"], 4);
    assert_eq!(told["failures"][0]["rule"], "Shell of a server");
    assert_eq!(told["failures"][0]["event"], "a web shell");
    assert_eq!(told["untested_rules"], serde_json::json!(["Not tested", "Off"]));

    let unreadable = folder.file("unreadable.yaml", "- rule: R\n  fires: [{ exo: /x }]\n");
    let (code, _, err) = chandra(&["rules", "test", &rules, "--tests", &unreadable]);
    assert_ne!(code, 0);
    assert!(err.contains("unreadable.yaml:2:13: there is no key \"exo\""), "{err}");
}

/// A rule of Sigma's on a marked program; another, which is for another system.
const SIGMA: &str = "\
title: Marked Tool
id: 6d2b8a52-1c1e-4a7e-9d56-8b7d0f0e3c11
author: Ann Example
tags: [attack.execution, attack.t1059]
logsource: { product: linux, category: process_creation }
detection:
  selection:
    Image|endswith: /SH
    ParentImage|endswith: /nginx-debug
    CommandLine|contains|all: ['-C', 'id']
  condition: selection
falsepositives: [Nothing]
level: high
---
title: For Another System
logsource: { product: windows, category: process_creation }
detection: { a: { Image: x }, condition: a }
";

#[test]
fn sigma_files_are_taken_as_falcos_are() {
    let folder = Folder::new("sigma");
    std::fs::create_dir_all(folder.0.join("linux")).unwrap();
    let file = folder.file("linux/marked.yml", SIGMA);
    folder.file("falco.yaml", GOOD);
    folder.file("linux/marked.tests.yaml", "- rule: Marked Tool\n  fires:\n    - { exe: /bin/busybox, file: /bin/sh, argv: [sh, -c, id], ancestors: [/sbin/nginx-debug] }\n  silent:\n    - { exe: /bin/busybox }\n");
    let tree = folder.0.to_str().unwrap();

    let (code, out, err) = chandra(&["rules", "check", tree, "--leave-out"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("1 rule of product windows, category process_creation left out"), "{out}");
    assert!(out.contains("2 files: 4 rules"), "{out}");

    let (_, out, _) = chandra(&["rules", "list", &file, "-o", "json"]);
    let listed: Value = serde_json::from_str(&out).unwrap();
    let rule = &listed["rules"][0];
    assert_eq!((&rule["rule"], &rule["priority"]), (&"Marked Tool".into(), &"Error".into()));
    assert_eq!(rule["tags"], serde_json::json!(["mitre_execution", "T1059"]));
    assert_eq!(rule["sigma"]["author"], "Ann Example");
    assert_eq!(rule["events"], serde_json::json!(["execve"]));

    let (code, out, _) = chandra(&["rules", "test", &file]);
    assert_eq!((code, out.as_str()), (0, "2 events: 0 failures\n"));
    let (code, out, _) = chandra(&["rules", "test", tree]);
    assert!(code == 0 && out.ends_with("2 events: 0 failures\n"), "{out}");

    let events = folder.file("events.jsonl", &line("nginx"));
    let (code, out, err) = chandra(&["replay", &events, "--rules", &file]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(": Error Marked Tool (user=root process=/bin/busybox command=sh -c id parent=/usr/sbin/nginx-debug"), "{out}");
    assert!(out.contains("author=Ann Example)"), "{out}");
    let (_, out, _) = chandra(&["rules", "explain", &events, "--rules", &file]);
    assert!(out.contains("Marked Tool fires"), "{out}");
    assert!(out.contains("true: selection"), "{out}");
    assert!(out.contains("true: Image|endswith: '/SH'  (is \"/bin/busybox\")"), "{out}");
}

#[test]
fn mistakes_in_sigma_files_have_their_places() {
    let folder = Folder::new("sigma-wrong");
    folder.file("a.yml", &SIGMA.replace("Image|endswith", "Image|endwith"));
    folder.file(
        "b.yml",
        &SIGMA.replace("Image|endswith", "Imge|endswith").replace("Marked", "Other"),
    );
    let tree = folder.0.to_str().unwrap();
    let (code, out, _) = chandra(&["rules", "check", tree]);
    assert_eq!(code, 1);
    assert!(out.contains("a.yml:8:11: error: there is no modifier endwith"), "{out}");
    assert!(out.contains("\n      |           ^^^^^^^\n      = did you mean endswith?"), "{out}");
    assert!(out.contains("b.yml:8:5: error: there is no field Imge of process_creation"), "{out}");
}
