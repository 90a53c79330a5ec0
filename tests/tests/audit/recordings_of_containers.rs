//! A recording holds what an agent finds out beside its records: what the runtime says of a container, its users,
//! what executables are copies of, and variables where a rule asks for them. A replay makes the same of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Container, Containerd, Pod, pairs};
use chandra_tests::needs_containerd;
use chandra_tests::observe::{command, said};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::recorder::{Recorder, compared, replay};
use chandra_tests::scratch::{Scratch, unique};
use serde_json::Value;

const FIELDS: [&str; 29] = [
    "proc.exe_copy_of",
    "proc.env[EDITOR]",
    "proc.aenv[EDITOR]",
    "user.name",
    "user.homedir",
    "user.shell",
    "group.name",
    "container.id",
    "container.name",
    "container.image",
    "container.image.repository",
    "container.image.id",
    "container.image.digest",
    "container.privileged",
    "container.mounts",
    "container.label[tier]",
    "container.labels",
    "container.ip",
    "container.host_pid",
    "container.host_network",
    "container.host_ipc",
    "container.start_ts",
    "container.cni.json",
    "k8s.ns.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.pod.labels",
    "k8s.pod.sandbox_id",
    "k8s.pod.ip",
];

fn field(alert: &Record, field: &str) -> Value {
    alert.at("output_fields").unwrap()[field].clone()
}

/// Lines of this type in a recording, as far as it is written.
fn lines(events: &Path, line_type: &str) -> Vec<Record> {
    let text = fs::read_to_string(events).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let all = whole.lines().map(Record::parse);
    all.filter(|line| line.text("type") == Some(line_type)).collect()
}

#[test]
fn a_replay_makes_the_alerts_of_a_container_and_of_a_renamed_copy() {
    needs_containerd!();
    let containerd = Containerd::start();
    let (cri, scratch) = (containerd.cri(), Scratch::new());
    let moment = |case: u32| format!("0.0{case}{:09}", unique());
    let moments = [moment(1), moment(2), moment(3)];
    let [inside, below, copied] = &moments;
    let all: Vec<String> = FIELDS.iter().map(|field| format!("%{field}")).collect();
    let rules = scratch.at("rules.yaml");
    let text = format!(
        "- rule: Sleeps\n  desc: A test\n  priority: NOTICE\n  condition: evt.type = execve and proc.name = sleep and \
         proc.args in ({})\n  output: \"Seen: {}\"\n",
        moments.each_ref().map(|moment| format!("\"{moment}\"")).join(", "),
        all.join(" ")
    );
    fs::write(&rules, text).unwrap();
    let rules = rules.display().to_string();
    let (passwd, group) = (scratch.at("users"), scratch.at("groups"));
    fs::write(&passwd, "toor:x:0:0::/container/home:/bin/ash\n").unwrap();
    fs::write(&group, "wheel:x:0:\n").unwrap();
    let socket = containerd.socket().display().to_string();
    let usual = ["--cri-socket", &socket, "--rules", &rules];
    let mut agent =
        Agent::start(&[&usual[..], &["--alerts", "json", "--rule-matching", "all"]].concat());
    agent.read_output();
    agent.wait_until_ready();
    let events = scratch.at("events.jsonl");
    let recorder = Recorder::start(&[&["-o", events.to_str().unwrap()][..], &usual].concat());

    let pod = Pod { host_network: !containerd.has_network(), ..Pod::named("web") };
    let host = |path: &Path| path.display().to_string();
    let container = Container {
        labels: pairs(&[("tier", "front")]),
        mounts: vec![
            (host(&passwd), "/etc/passwd".to_owned(), true),
            (host(&group), "/etc/group".to_owned(), true),
        ],
        variables: pairs(&[("EDITOR", "/bin/vi")]),
        ..Container::named("app", &["/bin/sh", "-c", "while :; do /bin/sleep 1000; done"])
    };
    let sandbox = cri.run_pod(&pod);
    let id = cri.run(&sandbox, &pod, &container);
    // Each finds out in its own time that the container runs, and who its users are.
    wait_for("the runtime's word in the recording", || {
        cri.execute(&id, &["/bin/true"]);
        let is_running = |line: &Record| {
            line.text("id") == Some(&id) && line.at("details.started_at_ns") != Some(&Value::Null)
        };
        lines(&events, "container").iter().any(is_running).then_some(())?;
        (!lines(&events, "accounts").is_empty()).then_some(())
    });
    wait_for("the runtime's word in an alert", || {
        cri.execute(&id, &["/bin/sleep", inside]);
        let is_settled = |alert: &Record| {
            field(alert, "container.start_ts") != Value::Null && field(alert, "user.name") == "toor"
        };
        agent.records().iter().any(is_settled).then_some(())
    });
    // What comes now both know all of.
    cri.execute(&id, &["/bin/sh", "-c", &format!("unset EDITOR; /bin/sleep {below}; :")]);
    let renamed = scratch.at("renamed");
    fs::copy("/bin/sleep", &renamed).unwrap();
    let mut copy = Command::new(&renamed);
    assert!(copy.arg(copied).env("EDITOR", "/bin/ed").status().unwrap().success());
    let of = |alerts: &[Record], argument: &str| -> Vec<Record> {
        let words = |alert: &Record| alert.at("process.argv").unwrap().to_string();
        alerts.iter().filter(|alert| words(alert).contains(argument)).cloned().collect()
    };
    wait_for("the last alert", || {
        [below, copied].iter().all(|it| !of(&agent.records(), it).is_empty()).then_some(())
    });
    let summary = recorder.interrupt();
    assert!(summary.ends_with("; 0 lost"), "{summary}");
    let told = agent.stop().records();
    let (replayed, error) = replay(&events, &rules, &["--rule-matching", "all"]);
    assert!(!error.contains("warning"), "{error}");

    for moment in [below, copied] {
        let [told, replayed] = [&told, &replayed].map(|alerts| of(alerts, moment));
        assert_eq!((told.len(), replayed.len()), (1, 1), "{told:#?} {replayed:#?}");
        let both =
            [&told, &replayed].map(|alerts| FIELDS.map(|name| (name, field(&alerts[0], name))));
        assert_eq!(both[0], both[1]);
        // How much each remembers of a process before is its own.
        let of = |alert: &Record| -> Vec<Value> { compared(alert)[..11].to_vec() };
        assert_eq!(of(&told[0]), of(&replayed[0]));
    }
    let of_container = &of(&replayed, below)[0];
    assert_eq!(field(of_container, "user.name"), "toor");
    assert_eq!(field(of_container, "user.homedir"), "/container/home");
    assert_eq!(field(of_container, "user.shell"), "/bin/ash");
    assert_eq!(field(of_container, "group.name"), "wheel");
    assert_eq!(field(of_container, "container.privileged"), false);
    assert_eq!(field(of_container, "container.label[tier]"), "front");
    assert_eq!(field(of_container, "proc.env[EDITOR]"), Value::Null);
    assert_eq!(field(of_container, "proc.aenv[EDITOR]"), "/bin/vi");
    let mounts = field(of_container, "container.mounts");
    assert!(mounts.as_str().unwrap().contains(":/etc/group:ro:false:"), "{mounts}");
    let of_copy = &of(&replayed, copied)[0];
    assert_eq!(field(of_copy, "proc.exe_copy_of"), "sleep");
    assert_eq!(field(of_copy, "proc.env[EDITOR]"), "/bin/ed");
    assert_eq!(field(of_copy, "container.id"), "host");
    // One line is explained by it and what stands before it.
    let text = fs::read_to_string(&events).unwrap();
    let is_needed = |line: &&str| {
        let line = Record::parse(line);
        match line.text("type").unwrap() {
            "recording" | "container" | "accounts" => true,
            "exec" => {
                line.0.to_string().contains(below.as_str())
                    && line.text("process.comm") == Some("sleep")
            }
            _ => false,
        }
    };
    let needed: Vec<&str> = text.lines().filter(is_needed).collect();
    let event = scratch.at("event.json");
    fs::write(&event, needed.join("\n")).unwrap();
    let explained =
        said(&mut command(&["rules", "explain", event.to_str().unwrap(), "--rules", &rules]));
    assert!(explained.out.starts_with("Sleeps fires"), "{} {}", explained.out, explained.error);
    assert!(explained.out.contains(" toor /container/home /bin/ash wheel "), "{}", explained.out);
    let times = |line: &Record| line.at("process.pid_namespace_start").is_some();
    assert!(lines(&events, "exec").iter().all(times));
    // The recording has the variables, in full, and only because the rule asks for them.
    let recorded = lines(&events, "exec");
    let has_editor = |line: &Record| {
        line.at("process.environment").is_some_and(|all| all.to_string().contains("EDITOR=/bin/ed"))
    };
    assert!(recorded.iter().any(has_editor));
}
