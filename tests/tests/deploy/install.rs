//! `chandra install`: what it prints is the chart's manifests, with what was set, and it fails where it should.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use chandra_tests::failure::fails;
use chandra_tests::observe::{Said, said};
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;

fn install(arguments: &[&str]) -> Command {
    let mut command = Command::new(chandra());
    command.arg("install").args(arguments);
    command
}

fn printed(arguments: &[&str]) -> String {
    let Said { out, error, code } = said(&mut install(arguments));
    assert_eq!(code, Some(0), "{error}");
    out
}

#[test]
fn it_prints_the_plain_manifests_and_beside_them_what_comes_next() {
    let Said { out, error, code } = said(&mut install(&[]));
    assert_eq!(code, Some(0));
    let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/manifests/chandra.yaml");
    assert_eq!(out, fs::read_to_string(plain).unwrap());
    assert!(
        error.contains("kubectl -n chandra exec daemonset/chandra -- chandra status"),
        "{error}"
    );
}

#[test]
fn values_go_over_files_and_files_over_the_chart() {
    let scratch = Scratch::new();
    let file = scratch.at("values.yaml");
    fs::write(&file, "image:\n  repository: from.file/chandra\n  tag: file\nhostNetwork: true\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let out = printed(&["-n", "kube-system", "--values", file, "--set", "image.tag=set"]);
    assert!(out.contains("image: \"from.file/chandra:set\"\n"), "{out}");
    assert!(out.contains("hostNetwork: true\n") && out.contains("namespace: \"kube-system\"\n"));
    assert!(!out.contains("kind: Namespace\n"), "that one is there anyway");
}

#[test]
fn what_the_chart_does_not_take_is_said() {
    let see = "install";
    fails(&mut install(&["--set", "hostNetwrok=true"]), 2, see, &["hostNetwork"]);
    fails(&mut install(&["--set", "signals"]), 2, see, &["NAME=VALUE"]);
    fails(&mut install(&["--values", "/nowhere.yaml"]), 2, see, &["/nowhere.yaml"]);
    fails(&mut install(&["-n", "No_Such"]), 2, see, &["No_Such"]);
}

/// The chart grants what the doctor computes for the signals that are on.
#[test]
fn agents_are_granted_exactly_what_the_doctor_names() {
    let mut doctor = Command::new(chandra());
    let told = said(doctor.args(["doctor", "--capabilities", "-o", "json"])).out;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let needs = told["capabilities"].as_array().unwrap().iter();
    let needs = needs.filter(|need| need["is_optional"] == false);
    let needed: BTreeSet<_> =
        needs.map(|need| need["capability"].as_str().unwrap().trim_start_matches("CAP_")).collect();
    let out = printed(&[]);
    let line = out.lines().find_map(|line| line.trim().strip_prefix("add: ")).unwrap();
    let granted: Vec<String> = serde_json::from_str(line).unwrap();
    let mut expected: BTreeSet<_> = granted.iter().map(String::as_str).collect();
    // What only kernels before 5.11 ask for.
    if needed.contains("SYS_RESOURCE") {
        expected.insert("SYS_RESOURCE");
    }
    assert_eq!(needed, expected);
}
