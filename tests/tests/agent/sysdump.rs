//! `chandra sysdump`: one archive with what it promises, from which planted secrets are gone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use chandra_tests::agent::{Agent, without_variables};
use chandra_tests::failure::fails;
use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;
use serde_json::Value;

fn sysdump(arguments: &[&str]) -> Command {
    let mut command = Command::new(chandra());
    without_variables(&mut command);
    command.arg("sysdump").args(arguments);
    command
}

/// Parts by their names.
fn unpacked(archive: &Path, scratch: &Scratch) -> BTreeMap<String, String> {
    let folder = scratch.at("unpacked");
    fs::create_dir(&folder).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(&folder).args(["--strip-components", "1"]);
    assert!(tar.status().unwrap().success());
    let found = Command::new("find").arg(&folder).args(["-type", "f", "-printf", "%P\n"]).output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    found.lines().map(|name| (name.to_owned(), read(name))).collect()
}

#[test]
fn it_has_what_a_report_needs_and_no_secret() {
    needs!("root", "tar");
    let scratch = Scratch::new();
    let agent = Agent::start(&["--signals", "process,tcp", "--rules", "default"]);
    agent.wait_until_ready();
    // Each where it would lie, in the shape that it would have there.
    let config = scratch.at("chandra.toml");
    fs::write(
        &config,
        "print = true\nalerts_http = \"https://jane:hunter2planted@collector.example/x?token=planted3b\"\n",
    )
    .unwrap();
    let log = scratch.at("agent.log");
    fs::write(
        &log,
        "agent: 2 signals active\n\
         12:00:00.000 exec 1 mysql mysql --password=planted4c -h db\n\
         12:00:00.001 exec 2 curl curl -H 'Authorization: Bearer planted5d.planted5d.planted5d' https://x\n\
         12:00:00.002 exec 3 psql psql postgres://joe:planted6e@db/shop\n\
         12:00:00.003 exec 4 aws env AWS_SECRET_ACCESS_KEY=planted7fplanted7fplanted7fplanted7f aws s3 ls\n",
    )
    .unwrap();
    let archive = scratch.at("dump.tar.gz");
    let address = agent.address().to_string();
    let paths = [&archive, &config, &log].map(|path| path.to_str().unwrap());
    let mut command =
        sysdump(&["-o", paths[0], "--http", &address, "--config", paths[1], "--log", paths[2]]);
    command.env("HUBBLE_BASIC_AUTH_PASSWORD", "planted8a");
    command.env("CHANDRA_ALERTS_HTTP", "https://jane:planted9b@collector.example/");
    command.env("CHANDRA_CLUSTER_NAME", "east");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), paths[0]);
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    let parts = unpacked(&archive, &scratch);
    for (name, text) in &parts {
        assert!(!text.contains("planted"), "{name}: {text}");
    }
    let json = |name: &str| -> Value {
        serde_json::from_str(&parts[name]).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let contents = json("contents.json");
    let mut listed: Vec<_> = contents["parts"].as_array().unwrap().iter().collect();
    listed.retain(|name| !parts.contains_key(name.as_str().unwrap()));
    assert!(listed.is_empty(), "{listed:?}");
    assert!(contents["redacted"].as_object().unwrap().len() >= 3, "{contents:#}");
    // What is no secret is there.
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(json("agent/signals.json")["kernel"], release.trim());
    assert_eq!(json("agent/status.json")["ready"], true);
    assert!(json("doctor.json")["findings"].as_array().unwrap().len() > 10);
    assert!(json("capabilities.json")["capabilities"].is_array());
    assert!(parts["agent/metrics.txt"].contains("chandra_ledger_imbalance{signal=\"tcp\"} 0\n"));
    assert!(parts["agent/config.toml"].starts_with("print = true\n"));
    assert!(parts["agent/config.toml"].contains("collector.example"));
    assert!(parts["agent/log"].starts_with("agent: 2 signals active\n"));
    assert!(
        parts["environment"].contains("CHANDRA_CLUSTER_NAME=east\n"),
        "{}",
        parts["environment"]
    );
    assert!(parts["system/proc/version"].starts_with("Linux version "));
    agent.stop();
    // A file that is there is not written over.
    fails(&mut sysdump(&["-o", paths[0], "--http", &address]), 1, "output", &[paths[0]]);
}

#[test]
fn without_an_agent_it_says_what_is_missing() {
    needs!("tar");
    let scratch = Scratch::new();
    let archive = scratch.at("dump.tar.gz");
    let mut command = sysdump(&["-o", archive.to_str().unwrap(), "--http", "127.0.0.1:1"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("without agent/signals.json: Connection refused"), "{said}");
    let parts = unpacked(&archive, &scratch);
    let contents: Value = serde_json::from_str(&parts["contents.json"]).unwrap();
    let missing = contents["missing"].as_array().unwrap().iter();
    let missing: Vec<_> = missing.map(|it| it["part"].as_str().unwrap()).collect();
    assert!(missing.contains(&"agent/metrics.txt") && !parts.contains_key("agent/metrics.txt"));
}
