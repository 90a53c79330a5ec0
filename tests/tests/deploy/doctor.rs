//! `chandra doctor`: what it says of this node is compared with the node; what it is to find is really made.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use chandra_tests::agent::{Agent, without_variables};
use chandra_tests::api_server::{self, Answer, Cluster};
use chandra_tests::failure::fails;
use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;
use serde_json::Value;

/// Bits of capabilities(7).
const CAP_SYS_ADMIN: u8 = 21;
const CAP_BPF: u8 = 39;

fn doctor(arguments: &[&str]) -> Command {
    let mut command = Command::new(chandra());
    command.arg("doctor").args(arguments);
    without_variables(&mut command);
    command
}

/// Its code, and what it says as JSON.
fn told(command: &mut Command) -> (i32, Value) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{errors}"));
    (output.status.code().unwrap(), json)
}

fn findings<'a>(report: &'a Value, subject: &str) -> Vec<&'a Value> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|found| found["subject"] == subject).collect()
}

fn says(report: &Value, subject: &str) -> String {
    let found = findings(report, subject);
    assert!(!found.is_empty(), "nothing about {subject} in {report:#}");
    found[0]["says"].as_str().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap().trim().to_owned()
}

#[test]
fn what_it_says_of_this_node_is_so() {
    needs!("root");
    let (code, report) = told(&mut doctor(&["-o", "json", "--kubernetes", "off"]));
    assert_eq!(code, 0, "{report:#}");
    let release = String::from_utf8(Command::new("uname").arg("-r").output().unwrap().stdout);
    assert_eq!(says(&report, "kernel"), release.unwrap().trim());
    for (name, path) in [
        ("kernel.unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled"),
        ("kernel.perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid"),
        ("net.core.bpf_jit_enable", "/proc/sys/net/core/bpf_jit_enable"),
    ] {
        let said = says(&report, name);
        assert!(said.starts_with(&read(path)), "{name}: {said}");
    }
    let clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    assert!(says(&report, "clock source").starts_with(&read(clock)));
    assert!(says(&report, "signal process").starts_with("active: exec by "));
    assert_eq!(findings(&report, "verifier").len(), 1);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/troubleshooting.md");
    let page = fs::read_to_string(page).unwrap();
    for found in report["findings"].as_array().unwrap() {
        let anchor = found["see"].as_str().unwrap().split_once('#').unwrap().1;
        assert!(page.contains(&format!("\n## {anchor}\n")), "{found}");
        assert!(found["grade"] == "ok" || found["grade"] == "note" || found["next"].is_string());
    }
}

#[test]
fn a_missing_right_is_named_with_every_signal_that_fails_for_it() {
    needs!("root");
    let mut command = doctor(&["-o", "json", "--kubernetes", "off", "--signals", "process"]);
    launch::without_capabilities(&mut command, &[CAP_BPF, CAP_SYS_ADMIN]);
    let (code, report) = told(&mut command);
    assert_eq!((code, &report["verdict"]), (1, &Value::from("failed")));
    assert_eq!(says(&report, "CAP_BPF"), "missing; needed by process");
    assert!(says(&report, "CAP_PERFMON").starts_with("held"));
    let process = findings(&report, "signal process");
    assert_eq!(
        (&process[0]["check"], &process[0]["grade"]),
        (&"capabilities".into(), &"failed".into())
    );
    // One that is not meant to be on is no failure.
    assert_eq!(findings(&report, "signal tcp")[0]["grade"], "warning");
}

#[test]
fn a_kernel_without_types_fails() {
    needs!("root");
    let mut command = doctor(&["-o", "json", "--kubernetes", "off"]);
    launch::with_empty_folder(&mut command, c"/sys/kernel/btf");
    let (code, report) = told(&mut command);
    let found = findings(&report, "kernel types (BTF)");
    assert_eq!((code, &found[0]["grade"]), (1, &Value::from("failed")));
}

#[test]
fn wrong_words_are_a_matter_of_usage() {
    fails(&mut doctor(&["--pain"]), 2, "usage", &["--pain"]);
    fails(&mut doctor(&["--signals", "nothing"]), 2, "filters", &["nothing"]);
    fails(&mut doctor(&["--explain", "all is well"]), 1, "usage", &["not known"]);
}

/// What the agent says until its signals are loaded, or to its end, where it holds these capabilities only.
fn agent_with(capabilities: &[&str]) -> String {
    let list = capabilities.iter().map(|name| format!(",+{}", name.trim_start_matches("CAP_")));
    let bounds = format!("-all{}", list.collect::<String>().to_lowercase());
    let script = "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing; \
                  exec setpriv --bounding-set \"$1\" --inh-caps -all \"$0\" agent --http 127.0.0.1:0 \
                  --hubble-socket-path off --hubble-listen-address off --rules off";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]);
    command.arg(chandra()).arg(bounds).stdout(Stdio::null()).stderr(Stdio::piped());
    without_variables(&mut command);
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        said += &(line.clone() + "\n");
        if line.starts_with("agent: ") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn the_set_that_it_names_is_enough_and_each_of_it_is_missed() {
    needs!("root", "setpriv", "unshare");
    let (_, told) = told(&mut doctor(&["--capabilities", "-o", "json"]));
    let needed = told["capabilities"].as_array().unwrap().iter();
    let needed: Vec<_> = needed.filter(|need| need["is_optional"] == false).collect();
    let names: Vec<_> = needed.iter().map(|need| need["capability"].as_str().unwrap()).collect();
    let whole = agent_with(&names);
    assert!(whole.contains("signals active after") && !whole.contains("failed"), "{whole}");
    let all_active = whole.lines().filter(|line| line.contains(": active")).count();
    for need in needed {
        let missing = need["capability"].as_str().unwrap();
        let rest: Vec<_> = names.iter().copied().filter(|name| *name != missing).collect();
        let said = agent_with(&rest);
        assert!(said.contains(&format!("lacks {missing}")), "without {missing}: {said}");
        assert!(said.contains("docs/troubleshooting.md#capabilities"), "without {missing}: {said}");
        // Signals that do not need it go on.
        let by = need["by"].as_array().unwrap();
        let active = said.lines().filter(|line| line.contains(": active")).count();
        assert!(active + by.len() >= all_active, "without {missing}: {said}");
    }
}

#[test]
fn an_agent_that_runs_is_asked_for_its_verdicts() {
    needs!("root");
    let scratch = Scratch::new();
    let socket = scratch.at("hubble.sock").display().to_string();
    let agent = Agent::start(&["--hubble-socket-path", &socket, "--signals", "process,tcp"]);
    let (code, report) =
        told(&mut doctor(&["-o", "json", "--server", &format!("unix://{socket}")]));
    assert_eq!(code, 0, "{report:#}");
    assert!(says(&report, "server").starts_with("serves on unix://"));
    for name in ["process", "tcp"] {
        let signal = agent.signal(name);
        let said = says(&report, &format!("signal {name}"));
        assert!(said.starts_with(signal.text("verdict").unwrap()), "{said}");
    }
    assert_eq!(says(&report, "signal udp"), "off");
    let nowhere = format!("unix://{}", scratch.at("nowhere").display());
    fails(&mut doctor(&["--server", &nowhere]), 1, "hubble", &["nowhere"]);
}

/// The verbs and resources of docs/reference/rbac.md, each answered in the order in which it is asked.
#[test]
fn a_cluster_is_asked_what_may_be_done_there() {
    let scratch = Scratch::new();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Cluster::new(1, 0).but(move |request| {
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        (request.method == "POST" && request.path == path).then(|| {
            let number = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let allowed = number != 1;
            let text = format!(
                "{{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SelfSubjectAccessReview\",\
                 \"metadata\":{{}},\"spec\":{{}},\"status\":{{\"allowed\":{allowed}}}}}"
            );
            Answer::Whole(201, text.into_bytes(), None)
        })
    });
    let config = api_server::write_kubeconfig(&scratch, &format!("http://{}", server.address), "");
    let config = config.display().to_string();
    let (_, report) = told(&mut doctor(&["-o", "json", "--kubernetes", &config]));
    assert_eq!(says(&report, "may list pods"), "yes");
    let denied = findings(&report, "may watch pods");
    assert_eq!((&denied[0]["says"], &denied[0]["grade"]), (&"no".into(), &"warning".into()));
    assert_eq!(says(&report, "may watch endpointslices"), "yes");
    drop(server);
    let (code, report) = told(&mut doctor(&["-o", "json", "--kubernetes", &config]));
    assert_eq!((code, &findings(&report, "Kubernetes API")[0]["grade"]), (1, &"failed".into()));
}
