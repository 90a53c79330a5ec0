//! What `chandra doctor` says of Hubble in a cluster and of certificates, of clusters and certificates that are made
//! for that.

use std::process::Command;
use std::sync::{Arc, Mutex};

use chandra_tests::agent::{self, Agent, without_variables};
use chandra_tests::api_server::{self, Answer, Cluster, Server, refused};
use chandra_tests::certificates::{Authority, Validity};
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;
use serde_json::{Value, json};

fn doctor(arguments: &[&str]) -> Command {
    let mut command = Command::new(chandra());
    command.args(["doctor", "-o", "json", "--signals", "process"]).args(arguments);
    without_variables(&mut command);
    command
}

fn told(command: &mut Command) -> Vec<Value> {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{errors}"));
    report["findings"].as_array().unwrap().clone()
}

/// Grade and words about a subject.
fn about<'a>(findings: &'a [Value], subject: &str) -> (&'a str, &'a str) {
    let found = findings.iter().find(|found| found["subject"] == subject);
    let found = found.unwrap_or_else(|| panic!("nothing about {subject} in {findings:#?}"));
    assert!(found["grade"] == "ok" || found["next"].is_string(), "{found}");
    (found["grade"].as_str().unwrap(), found["says"].as_str().unwrap())
}

/// What is in `kube-system`, as Cilium's installation leaves it there.
#[derive(Debug, Default)]
struct Installed {
    settings: Option<Value>,
    is_secret: bool,
    services: Vec<&'static str>,
    relays_ready: Vec<bool>,
}

/// Serves it as an API server does.
fn serve(installed: &Arc<Mutex<Installed>>) -> Server {
    let installed = Arc::clone(installed);
    Cluster::new(1, 0).but(move |asked| {
        let installed = installed.lock().unwrap();
        let object = |value: Value| Some(Answer::Whole(200, value.to_string().into_bytes(), None));
        let absent = || Some(refused(404, "NotFound", "it is not there"));
        let namespaced = "/api/v1/namespaces/kube-system";
        let slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices";
        if asked.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" {
            let answer = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "metadata": {}, "spec": {}, "status": {"allowed": true}});
            return object(answer);
        }
        if asked.path == format!("{namespaced}/configmaps/cilium-config") {
            if installed.is_secret {
                return Some(refused(403, "Forbidden", "configmaps is forbidden: who asks may not"));
            }
            return match &installed.settings {
                Some(data) => object(json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "cilium-config"}, "data": data})),
                None => absent(),
            };
        }
        if let Some(name) = asked.path.strip_prefix(&format!("{namespaced}/services/")) {
            return match installed.services.contains(&name) {
                true => object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}})),
                false => absent(),
            };
        }
        if asked.path == slices {
            assert_eq!(asked.get("labelSelector"), Some("kubernetes.io/service-name=hubble-relay"));
            let endpoints = installed.relays_ready.iter().map(|ready| {
                json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}})
            });
            let slice = json!({"metadata": {"name": "x"}, "addressType": "IPv4",
                "endpoints": endpoints.collect::<Vec<_>>()});
            return object(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSliceList",
                "metadata": {}, "items": [slice]}));
        }
        None
    })
}

#[test]
fn a_cluster_is_told_who_can_see_what_its_hubble_sees() {
    let scratch = Scratch::new();
    let installed = Arc::new(Mutex::new(Installed::default()));
    let server = serve(&installed);
    let config = api_server::write_kubeconfig(&scratch, &format!("http://{}", server.address), "");
    let config = config.display().to_string();
    let look = |change: Installed| {
        *installed.lock().unwrap() = change;
        told(&mut doctor(&["--kubernetes", &config]))
    };
    let own = "Cilium's Hubble";

    let nothing = look(Installed::default());
    assert!(about(&nothing, own).1.starts_with("no Cilium is installed in kube-system"));

    // As `hubble.enabled=true` alone leaves it.
    let only_enabled = json!({"enable-hubble": "true", "hubble-socket-path": "/var/run/cilium/hubble.sock",
        "hubble-disable-tls": "false", "cluster-name": "a"});
    let found = look(Installed { settings: Some(only_enabled), ..Installed::default() });
    assert_eq!(about(&found, own).0, "ok");
    let (grade, says) = about(&found, "Hubble's relay");
    assert!(grade == "warning" && says.contains("nowhere else"), "{says}");
    assert_eq!(about(&found, "Hubble's metrics").0, "note");

    let whole = json!({"enable-hubble": "true", "hubble-listen-address": ":4244",
        "hubble-disable-tls": "true", "hubble-metrics": "dns drop", "hubble-metrics-server": ":9965"});
    let services = vec!["hubble-relay", "hubble-peer"];
    let with = |relays_ready: &[bool]| Installed {
        settings: Some(whole.clone()),
        services: services.clone(),
        relays_ready: relays_ready.to_vec(),
        is_secret: false,
    };
    let found = look(with(&[true, false, true]));
    assert!(about(&found, "Hubble's relay").1.starts_with("2 ready"), "{found:#?}");
    assert_eq!(about(&found, "Hubble's metrics"), ("ok", "dns drop"));
    assert_eq!(about(&found, "Hubble's TLS").0, "note");
    let found = look(with(&[false]));
    assert_eq!(about(&found, "Hubble's relay").0, "warning");
    let found = look(Installed { services: vec!["hubble-relay"], ..with(&[true]) });
    assert_eq!(about(&found, "Hubble's peers").0, "warning");

    let found = look(Installed { is_secret: true, ..with(&[true]) });
    let (grade, says) = about(&found, own);
    assert!(grade == "note" && says.contains("forbidden"), "{says}");
}

/// Seconds since 1970 of a day, as date(1) has it.
fn seconds(day: &str) -> i64 {
    let output = Command::new("date").args(["-u", "-d", day, "+%s"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn certificates_of_files_and_of_servers_are_told_by_the_days_that_they_have() {
    needs!("root", "ip", "date");
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch, "authority");
    let valid = authority.sign(&scratch, "valid", "localhost", Validity::Now);
    let over = authority.sign(&scratch, "over", "localhost", Validity::Over);
    let text = |path: &std::path::Path| path.display().to_string();
    let network = Namespace::new("certificates");
    let mut command = agent::command(&[
        "--http",
        "127.0.0.1:0",
        "--signals",
        "process",
        "--hubble-listen-address",
        "127.0.0.1:4244",
        "--hubble-tls-cert-file",
        &text(&valid.certificate),
        "--hubble-tls-key-file",
        &text(&valid.key),
    ]);
    network.start_in(&mut command);
    let agent = Agent::start_command(&mut command);
    let file = scratch.at("chandra.toml");
    let config = format!(
        "hubble_tls_cert_file = {:?}\nhubble_tls_client_ca_files = [{:?}, \"/nowhere.pem\"]\n",
        over.certificate, authority.file
    );
    std::fs::write(&file, config).unwrap();
    let mut command = doctor(&["--kubernetes", "off", "--agent-config", &text(&file)]);
    network.start_in(&mut command);
    let found = told(&mut command);
    let days = |until: i64| (until - seconds("now")).div_euclid(86_400);

    let (grade, says) = about(&found, "certificate of the agent");
    let ago = -days(seconds("2021-01-01"));
    assert_eq!(
        (grade, says),
        ("failed", format!("{}: expired {ago} days ago", text(&over.certificate)).as_str())
    );
    // The library that made them ends them there unless it is told otherwise.
    let left = days(seconds("4096-01-01"));
    let authorities: Vec<_> = found
        .iter()
        .filter(|found| found["subject"] == "certificate of an authority of clients")
        .collect();
    assert_eq!(authorities[0]["says"], format!("{}: {left} days left", text(&authority.file)));
    assert_eq!((authorities.len(), &authorities[1]["grade"]), (2, &"failed".into()));
    let (grade, says) = about(&found, "certificate of a node's Hubble");
    assert_eq!((grade, says), ("ok", format!("127.0.0.1:4244: {left} days left").as_str()));
    agent.stop();
}
