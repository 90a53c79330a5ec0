//! Manifests, judged by what takes them: the types of Kubernetes' API, Go's own templates, and the documents.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what it expects by stopping")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chandra_chart::{defaults, files, notes, render, values};
use k8s_openapi::api::{apps, core, networking, rbac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Values with which every part of the chart is there.
fn everything() -> Value {
    json!({
        "image": { "repository": "registry.example/chandra", "tag": "1.2", "pullSecrets": [{ "name": "s" }] },
        "namespace": { "create": true },
        "signals": "process,tcp",
        "config": "print = true\n# <&> \"quoted\" ä\n",
        "extraEnv": [{ "name": "A", "value": "{{ .Values.a }}" }, { "name": "B", "value": "2" }],
        "identity": { "remotePods": "none", "clusterName": "east" },
        "rules": { "sets": "default", "files": { "own.yaml": "- rule: x\n  desc: \"y\"\n" } },
        "alerts": { "format": "text", "http": "https://collector.example/falco?a=b&c=d" },
        "hubble": { "metrics": "dns drop", "tlsSecret": "chandra-tls", "peerService": true, "relayService": true },
        "hostNetwork": true,
        "networkPolicy": { "metricsFrom": [{ "namespaceSelector": { "matchLabels": { "a": "b" } } }] },
        "serviceMonitor": { "enabled": true },
        "podMonitor": { "enabled": true },
        "prometheusRule": { "enabled": true },
        "dashboards": { "enabled": true },
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "podLabels": { "team": "a" },
        "podAnnotations": { "b/c": "1", "a": "true" },
        "resources": { "limits": { "cpu": "500m", "memory": "1Gi" } },
        "maxUnavailable": 1,
    })
}

/// And with which as little is there as can be.
fn least() -> Value {
    json!({
        "identity": { "runtimeFolder": "" },
        "networkPolicy": { "enabled": false },
        "tolerations": [],
    })
}

fn documents(stream: &str) -> Vec<Value> {
    let documents = stream.split("---\n").filter(|document| !document.trim().is_empty());
    documents
        .map(|document| values::parse(document).unwrap_or_else(|why| panic!("{why}\n{document}")))
        .collect()
}

/// Without what says nothing: null, and what is empty and may be left out.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(names) => {
            let names = names.iter().map(|(name, value)| (name.clone(), bare(value)));
            names
                .filter(|(_, value)| {
                    !(value.is_null() || *value == json!([]) || *value == json!({}))
                })
                .collect()
        }
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// Takes it as the API's type, which passes over what it does not know, and compares what is left.
fn is_wholly<T: DeserializeOwned + Serialize>(document: &Value) {
    let taken: T = serde_json::from_value(document.clone())
        .unwrap_or_else(|error| panic!("{error}\n{document:#}"));
    assert_eq!(bare(&serde_json::to_value(taken).unwrap()), bare(document));
}

#[test]
fn every_field_is_one_of_the_api() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for given in [json!({}), everything(), least()] {
        for document in documents(&render("watching", &given).unwrap()) {
            let kind = document["kind"].as_str().unwrap();
            *kinds.entry(kind.to_owned()).or_default() += 1;
            match (document["apiVersion"].as_str().unwrap(), kind) {
                ("v1", "Namespace") => is_wholly::<core::v1::Namespace>(&document),
                ("v1", "ServiceAccount") => is_wholly::<core::v1::ServiceAccount>(&document),
                ("v1", "ConfigMap") => is_wholly::<core::v1::ConfigMap>(&document),
                ("v1", "Service") => is_wholly::<core::v1::Service>(&document),
                ("apps/v1", "DaemonSet") => is_wholly::<apps::v1::DaemonSet>(&document),
                ("networking.k8s.io/v1", "NetworkPolicy") => {
                    is_wholly::<networking::v1::NetworkPolicy>(&document);
                }
                ("rbac.authorization.k8s.io/v1", "ClusterRole") => {
                    is_wholly::<rbac::v1::ClusterRole>(&document);
                }
                ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
                    is_wholly::<rbac::v1::ClusterRoleBinding>(&document);
                }
                // Of the Prometheus operator, which has no types here.
                (
                    "monitoring.coreos.com/v1",
                    "ServiceMonitor" | "PodMonitor" | "PrometheusRule",
                ) => {}
                other => panic!("{other:?} is not looked at"),
            }
            let namespace = document.pointer("/metadata/namespace");
            let is_of_cluster = ["Namespace", "ClusterRole", "ClusterRoleBinding"].contains(&kind);
            assert_eq!(namespace, (!is_of_cluster).then_some(&"watching".into()), "{kind}");
        }
    }
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

#[test]
fn a_misspelt_field_would_be_found() {
    let stream = render("watching", &json!({})).unwrap();
    let mut document = documents(&stream).into_iter().find(|it| it["kind"] == "DaemonSet").unwrap();
    let container =
        document.pointer_mut("/spec/template/spec/containers/0/securityContext").unwrap();
    container["readOnlyRootFileSystem"] = true.into();
    assert!(std::panic::catch_unwind(|| is_wholly::<apps::v1::DaemonSet>(&document)).is_err());
}

/// What the pods of agents have to be like, and that all they mount is there.
#[test]
fn agents_have_no_more_rights_than_they_need() {
    for given in [json!({}), everything(), least()] {
        let stream = render("watching", &given).unwrap();
        let all = documents(&stream);
        let set = all.iter().find(|it| it["kind"] == "DaemonSet").unwrap();
        let pod = &set["spec"]["template"]["spec"];
        assert_eq!((&pod["hostPID"], &pod["hostIPC"]), (&true.into(), &Value::Null));
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let containers = pod["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1);
        let security = &containers[0]["securityContext"];
        assert_eq!(
            (&security["privileged"], &security["allowPrivilegeEscalation"]),
            (&false.into(), &false.into())
        );
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
        let names = |list: &Value| {
            let names =
                list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        assert_eq!(names(&pod["volumes"]), names(&containers[0]["volumeMounts"]));
        for mount in containers[0]["volumeMounts"].as_array().unwrap() {
            let is_own = ["run", "state"].contains(&mount["name"].as_str().unwrap());
            assert!(is_own || mount["readOnly"] == true, "{mount}");
        }
        let there: Vec<_> = all.iter().filter(|it| it["kind"] == "ConfigMap").collect();
        for volume in pod["volumes"].as_array().unwrap() {
            if let Some(name) = volume.pointer("/configMap/name") {
                assert!(there.iter().any(|it| it["metadata"]["name"] == *name), "{name}");
            }
        }
        let selected = &set["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"];
        for service in all.iter().filter(|it| it["kind"] == "Service") {
            assert_eq!(&service["spec"]["selector"]["app.kubernetes.io/name"], selected);
        }
    }
}

#[test]
fn the_role_is_that_of_the_documents() {
    let page = fs::read_to_string(root().join("docs/reference/rbac.md")).unwrap();
    let block = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let told = values::parse(block).unwrap();
    let stream = render("watching", &json!({})).unwrap();
    let role = documents(&stream).into_iter().find(|it| it["kind"] == "ClusterRole").unwrap();
    assert_eq!(
        (&role["rules"], &role["metadata"]["name"]),
        (&told["rules"], &told["metadata"]["name"])
    );
}

/// As Helm renders it: by Go's own templates, with the functions that Helm adds.
#[test]
fn go_makes_the_same_of_every_template() {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("skipped: needs go");
        return;
    }
    let version = env!("CARGO_PKG_VERSION");
    let numbers = json!({ "resources": { "limits": { "cpu": 0.5, "memory": 1e9 } } });
    for given in [json!({}), everything(), least(), numbers] {
        let whole = values::over(defaults(), &given);
        let texts: BTreeMap<_, _> = files::FILES.iter().copied().collect();
        let asked = json!({
            "values": whole, "namespace": "watching", "version": version, "files": texts,
        });
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helm.go");
        let mut go = Command::new("go");
        go.args(["run", program.to_str().unwrap()]).env("GO111MODULE", "off").env("GOFLAGS", "");
        let mut go = go.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        go.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
        let output = go.wait_with_output().unwrap();
        assert!(output.status.success());
        let told: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
        let mut count = 0;
        for (path, text) in files::FILES.iter().filter(|(path, _)| path.starts_with("templates/")) {
            let top = json!({
                "Values": whole, "Files": texts,
                "Release": { "Name": "chandra", "Namespace": "watching" },
                "Chart": { "Name": "chandra", "Version": version, "AppVersion": version },
            });
            let own = chandra_chart::template::render(text, &top).unwrap();
            assert_eq!(own, told[*path], "{path}");
            count += 1;
        }
        assert_eq!(count, told.len());
    }
}

#[test]
fn values_that_the_chart_does_not_take_are_refused_with_their_place() {
    for (given, why) in [
        (json!({ "hubbel": {} }), "hubbel is not known; the nearest is hubble"),
        (json!({ "hostNetwork": "yes" }), "hostNetwork is string, and has to be boolean"),
        (json!({ "alerts": { "format": "xml" } }), "alerts.format is \"xml\""),
        (json!({ "resources": null }), "resources is null, and has to be object"),
        (json!({ "image": { "repository": "" } }), "image.repository is empty"),
    ] {
        let error = render("watching", &given).unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }
}

/// A value stays one, whatever is in it.
#[test]
fn no_value_breaks_out_of_its_place() {
    for hostile in
        ["\"\n  privileged: true\n", "{{ .Values.image }}", "---\nkind: Secret", "*x", "' # \\"]
    {
        let given = json!({
            "image": { "tag": hostile }, "identity": { "clusterName": hostile }, "signals": hostile,
            "podLabels": { hostile: hostile }, "rules": { "files": { "a.yaml": hostile } },
            "config": hostile, "alerts": { "http": hostile },
        });
        let stream = render("watching", &given).unwrap();
        let plain = render(
            "watching",
            &json!({
                "image": { "tag": "x" }, "identity": { "clusterName": "x" }, "signals": "x",
                "podLabels": { "x": "x" }, "rules": { "files": { "a.yaml": "x" } },
                "config": "x", "alerts": { "http": "x" },
            }),
        )
        .unwrap();
        assert_eq!(stream.lines().count(), plain.lines().count(), "{hostile:?}");
        let all: Vec<_> = stream.split("\n---\n").map(|it| values::parse(it).unwrap()).collect();
        let set = all.iter().find(|it| it["kind"] == "DaemonSet").unwrap();
        let container = &set["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], format!("chandra:{hostile}"));
        assert_eq!(container["securityContext"]["privileged"], false);
    }
}

#[test]
fn notes_name_the_next_two_commands() {
    let notes = notes("watching", &json!({})).unwrap();
    let commands: Vec<_> =
        notes.lines().filter(|line| line.starts_with("  kubectl -n watching ")).collect();
    assert_eq!(commands.len(), 2, "{notes}");
}
