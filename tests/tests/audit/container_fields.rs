//! Fields of rules about containers, of containers that containerd really runs: what alerts say is what the bundle
//! that runc got, `/proc` and the runtime have.

use std::fs;
use std::path::Path;
use std::process::Command;

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Container, Containerd, Pod, pairs};
use chandra_tests::needs_containerd;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};
use serde_json::Value;

const FIELDS: [&str; 19] = [
    "container.privileged",
    "container.mounts",
    "container.mount.dest[/*/volume]",
    "container.mount.source[/data]",
    "container.mount.rdwr[/*/volume]",
    "container.image.id",
    "container.ip",
    "container.cni.json",
    "container.labels",
    "container.label[tier]",
    "container.host_pid",
    "container.host_network",
    "container.host_ipc",
    "container.start_ts",
    "container.duration",
    "k8s.pod.ip",
    "k8s.pod.id",
    "k8s.pod.sandbox_id",
    "k8s.pod.full_sandbox_id",
];

/// A rule that fires of one program's argument, once with each of its repetitions.
fn rule(name: &str, condition: &str, moment: &str) -> String {
    let output: Vec<String> = FIELDS.iter().map(|field| format!("%{field}")).collect();
    format!(
        "- rule: {name}\n  desc: A test\n  priority: NOTICE\n  condition: evt.type = execve and container \
         and proc.args = \"{moment}\" and {condition}\n  output: \"{}\"\n",
        output.join(" ")
    )
}

/// The specification that runc got.
fn bundle(containerd: &Containerd, id: &str) -> Value {
    let file = containerd.bundle("k8s.io", id).join("config.json");
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Host paths and container paths of a specification's binds.
fn binds(spec: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut binds: Vec<_> = (spec["mounts"].as_array().unwrap().iter())
        .filter(|mount| mount["type"] == "bind")
        .map(|mount| (text(&mount["source"]), text(&mount["destination"])))
        .collect();
    binds.sort();
    binds
}

fn namespace(pid: &str, kind: &str) -> std::path::PathBuf {
    fs::read_link(Path::new("/proc").join(pid).join("ns").join(kind)).unwrap()
}

fn field(alert: &Record, field: &str) -> Value {
    alert.at("output_fields").unwrap()[field].clone()
}

#[test]
fn alerts_say_of_a_container_what_its_bundle_and_its_namespaces_say() {
    needs_containerd!();
    let containerd = Containerd::start();
    let (cri, scratch) = (containerd.cri(), Scratch::new());
    let moment = format!("0.03{:09}", unique());
    let rules = scratch.at("rules.yaml");
    let text = [
        "- macro: container\n  condition: container.id != host\n".to_owned(),
        rule("Privileged", "container.privileged = true", &moment),
        rule("Not privileged", "container.privileged = false", &moment),
        rule("Sensitive", "container.mount.dest[/*/volume] != \"N/A\"", &moment),
    ];
    fs::write(&rules, text.concat()).unwrap();
    let volume = scratch.at("volume");
    fs::create_dir(&volume).unwrap();
    let socket = containerd.socket().display().to_string();
    let arguments = ["--cri-socket", &socket, "--rules", rules.to_str().unwrap()];
    let mut agent =
        Agent::start(&[&arguments[..], &["--alerts", "json", "--rule-matching", "all"]].concat());
    agent.read_output();
    agent.wait_until_ready();

    let has_network = containerd.has_network();
    // The program that makes the alert, and then one that stays.
    let words = format!("/bin/sleep {moment}; while :; do /bin/sleep 1000; done");
    let pod = |name: &str, is_host_s: bool| Pod {
        host_network: is_host_s || !has_network,
        host_pid: is_host_s,
        privileged: true,
        ..Pod::named(name)
    };
    let container = |name: &str, privileged: bool| Container {
        privileged,
        labels: pairs(&[("tier", name)]),
        mounts: if privileged {
            vec![(volume.display().to_string(), "/data".to_owned(), true)]
        } else {
            Vec::new()
        },
        ..Container::named(name, &["/bin/sh", "-c", &words])
    };
    let cases = [(pod("plain", false), false), (pod("mighty", true), true)];
    let cases = cases.map(|(pod, privileged)| {
        let sandbox = cri.run_pod(&pod);
        let id = cri.run(&sandbox, &pod, &container(&pod.name, privileged));
        (pod, privileged, sandbox, id)
    });
    let of = |alerts: &[Record], id: &str, rule: &str| -> Vec<Record> {
        let is_it = |alert: &&Record| {
            alert.text("container.id") == Some(id) && alert.text("rule") == Some(rule)
        };
        alerts.iter().filter(is_it).cloned().collect()
    };
    for (pod, privileged, sandbox, id) in &cases {
        let (fires, does_not) = match privileged {
            true => ("Privileged", "Not privileged"),
            false => ("Not privileged", "Privileged"),
        };
        // The runtime does not say at once that it runs.
        let (first, alert) = wait_for("an alert of when it runs", || {
            cri.execute(id, &["/bin/sleep", &moment]);
            let alerts = of(&agent.records(), id, fires);
            let alert = alerts.iter().find(|it| field(it, "container.start_ts") != Value::Null);
            Some((alerts.first()?.clone(), alert?.clone()))
        });
        let alerts = agent.records();
        assert!(of(&alerts, id, does_not).is_empty());
        assert_eq!(!of(&alerts, id, "Sensitive").is_empty(), *privileged);
        // What was known when its first program was executed.
        for name in ["container.privileged", "container.mounts", "container.host_pid"] {
            assert_eq!(field(&first, name), field(&alert, name), "{name}");
        }
        let field = |name: &str| field(&alert, name);
        let spec = bundle(&containerd, id);
        let has_admin = spec["process"]["capabilities"]["bounding"]
            .as_array()
            .unwrap()
            .contains(&"CAP_SYS_ADMIN".into());
        assert_eq!(field("container.privileged"), Value::Bool(has_admin));

        let mounts = field("container.mounts");
        let mut told: Vec<_> = (mounts.as_str().unwrap().split(' '))
            .map(|mount| {
                let parts: Vec<&str> = mount.split(':').collect();
                (parts[0].to_owned(), parts[1].to_owned())
            })
            .collect();
        told.sort();
        assert_eq!(told, binds(&spec), "{mounts}");
        let (source, writable) =
            ("container.mount.source[/data]", "container.mount.rdwr[/*/volume]");
        if *privileged {
            assert_eq!(field(source).as_str(), volume.to_str());
            assert_eq!(field(writable), "false");
            assert_eq!(field("container.mount.dest[/*/volume]"), "/data");
        } else {
            assert_eq!((field(source), field(writable)), (Value::Null, Value::Null));
        }

        // The container's first process.
        let shell = first.number("process.ppid").unwrap().to_string();
        for (name, kind) in [
            ("container.host_pid", "pid"),
            ("container.host_network", "net"),
            ("container.host_ipc", "ipc"),
        ] {
            let is_host_s = namespace(&shell, kind) == namespace("self", kind);
            // Where pods cannot have a network, the test's network is not the host's, and CRI calls it so.
            if kind == "net" && has_network && pod.host_network {
                continue;
            }
            assert_eq!(field(name), Value::Bool(is_host_s), "{name} of {}", pod.name);
        }
        assert_eq!(field("container.label[tier]"), pod.name.as_str());
        assert!(
            field("container.labels").as_str().unwrap().contains(&format!("tier:{}", pod.name))
        );
        assert_eq!(field("k8s.pod.id"), pod.uid.as_str());
        assert_eq!(field("k8s.pod.full_sandbox_id"), sandbox.as_str());
        assert_eq!(field("k8s.pod.sandbox_id"), sandbox[..12]);
        let image = Command::new("ctr")
            .args(["--address", &socket, "--namespace", "k8s.io", "images", "ls"])
            .output()
            .unwrap();
        let image = String::from_utf8(image.stdout).unwrap();
        let image_id = field("container.image.id");
        assert!(
            image.contains(&format!("sha256:{}", image_id.as_str().unwrap())),
            "{image_id} {image}"
        );

        let addresses = Command::new("nsenter")
            .args(["-t", &shell, "-n", "ip", "-4", "-o", "address", "show", "dev", "eth0"])
            .output()
            .unwrap();
        let addresses = String::from_utf8(addresses.stdout).unwrap();
        match field("container.ip").as_str() {
            Some(address) => {
                assert!(addresses.contains(&format!(" {address}/")), "{address} {addresses}");
                assert!(field("container.cni.json").as_str().unwrap().contains(address));
                assert_eq!(field("k8s.pod.ip"), address);
            }
            None => assert!(pod.host_network),
        }
        let start_ns = field("container.start_ts").as_u64().unwrap();
        // In hundredths of a second since the machine started, in the 22nd field (proc_pid_stat(5)).
        let stat = fs::read_to_string(format!("/proc/{shell}/stat")).unwrap();
        let ticks: u64 =
            stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
        let booted: u64 = (fs::read_to_string("/proc/stat").unwrap().lines())
            .find_map(|line| line.strip_prefix("btime ")?.parse().ok())
            .unwrap();
        let began_s = booted + ticks / 100;
        assert!((start_ns / 1_000_000_000).abs_diff(began_s) <= 5, "{start_ns} {began_s}");
        assert!(field("container.duration").as_u64().unwrap() > 0);
    }
    agent.stop();
}
