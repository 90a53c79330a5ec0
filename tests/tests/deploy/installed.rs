//! The container of an agent as `chandra install` has it, run by a real container runtime: with these
//! capabilities, this seccomp profile and these mounts, and no others, every signal works.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use chandra_chart::values;
use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Confined, Container, Containerd, Pod, pairs};
use chandra_tests::needs;
use chandra_tests::needs_containerd;
use chandra_tests::observe::{Said, said};
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;
use serde_json::Value;

/// The container in the manifest that this program prints, as far as a runtime is told of it.
pub fn installed(program: &Path, scratch: &Scratch) -> Container {
    let Said { out, .. } = said(Command::new(program).arg("install"));
    let manifest = out.split("---\n").find(|document| document.contains("kind: DaemonSet\n"));
    let manifest = values::parse(manifest.unwrap()).unwrap();
    let pod = &manifest["spec"]["template"]["spec"];
    assert_eq!((&pod["hostPID"], &pod["hostNetwork"]), (&true.into(), &false.into()));
    let spec = &pod["containers"][0];
    let security = &spec["securityContext"];
    assert_eq!(security["capabilities"]["drop"], serde_json::json!(["ALL"]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let texts = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    let confined = Confined {
        capabilities: texts(&security["capabilities"]["add"]),
        is_root_readonly: security["readOnlyRootFilesystem"] == true,
        has_no_new_privileges: security["allowPrivilegeEscalation"] == false,
        has_seccomp: pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault",
    };
    assert!(confined.is_root_readonly && confined.has_no_new_privileges && confined.has_seccomp);
    let mut variables = pairs(&[("CHANDRA_NODE_NAME", "this-node")]);
    for variable in spec["env"].as_array().unwrap() {
        if let Some(value) = variable["value"].as_str() {
            variables.extend(pairs(&[(variable["name"].as_str().unwrap(), value)]));
        }
    }
    // Nothing asks a cluster that is not there.
    variables.extend(pairs(&[("CHANDRA_KUBERNETES", "off")]));
    let mut mounts = Vec::new();
    for mount in spec["volumeMounts"].as_array().unwrap() {
        let volumes = pod["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        let name = text(&mount["name"]);
        let host = match volume["hostPath"]["path"].as_str() {
            // What an agent writes there, it writes for this test alone; the runtime that the test knows of
            // is the test's own.
            _ if ["run", "state", "runtime"].contains(&name.as_str()) => {
                let own = scratch.at(&name);
                fs::create_dir(&own).unwrap();
                own.display().to_string()
            }
            Some(path) => path.to_owned(),
            None => panic!("{volume}"),
        };
        mounts.push((host, text(&mount["mountPath"]), mount["readOnly"] == true));
    }
    let command = ["/usr/bin/chandra".to_owned()].into_iter().chain(texts(&spec["args"])).collect();
    Container {
        name: "agent".to_owned(),
        image: Some(text(&spec["image"])),
        command,
        variables,
        mounts,
        confined: Some(confined),
        ..Container::default()
    }
}

/// The same in place of the image: the program, and what it is linked with where it was built for tests.
fn mounted(mut container: Container) -> Container {
    container.image = None;
    container.mounts.push((chandra().display().to_string(), "/usr/bin/chandra".to_owned(), true));
    for folder in ["/lib/x86_64-linux-gnu", "/lib64"] {
        container.mounts.push((folder.to_owned(), folder.to_owned(), true));
    }
    container
}

#[test]
fn every_signal_works_with_what_the_manifest_grants() {
    needs_containerd!();
    let (containerd, scratch) = (Containerd::start(), Scratch::new());
    works(&containerd, &mounted(installed(&chandra(), &scratch)));
}

/// Runs an agent as a pod, and shows that what it is to see is seen.
pub fn works(containerd: &Containerd, container: &Container) {
    let pod = Pod { host_pid: true, ..Pod::named("chandra") };
    let cri = containerd.cri();
    let sandbox = cri.run_pod(&pod);
    let id = cri.run(&sandbox, &pod, container);
    let told = wait_for("a ready agent", || {
        assert_eq!(cri.exit_code(&id), None, "the agent ended");
        let asked = cri.try_execute(&id, &["/usr/bin/chandra", "status", "-o", "json"]).ok()?;
        let told: Value = serde_json::from_str(&asked).ok()?;
        (told["agent"]["ready"] == true).then_some(told)
    });
    let signals = told["agent"]["signals"].as_array().unwrap();
    assert!(signals.len() > 4, "{told:#}");
    for signal in signals.iter().filter(|signal| signal["is_on"] == true) {
        assert_eq!(signal["verdict"], "active", "{signal:#}");
    }
    assert_eq!(told["agent"]["failures"], serde_json::json!([]));
    // It knows the processes of the node, which are many more than its own.
    let there = fs::read_dir("/proc").unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().parse::<u32>().is_ok()
    });
    let (there, known) = (there.count() as u64, &told["agent"]["identity"]["processes"]);
    assert!(known.as_u64().unwrap() > there / 2, "{known} of {there}");
    // And holds no right that was not granted.
    let held = cri.execute(&id, &["/usr/bin/chandra", "doctor", "--capabilities", "-o", "json"]);
    let held: Value = serde_json::from_str(&held).unwrap();
    for capability in held["capabilities"].as_array().unwrap() {
        assert_eq!(capability["is_held"], capability["is_optional"] == false, "{held:#}");
    }
    cri.remove(&id);
    cri.stop_pod(&sandbox);
    cri.remove_pod(&sandbox);
}

/// As the kubelet writes a config map: files are links through one link, which it puts elsewhere at once.
fn write_as_kubelets_do(folder: &Path, version: &str, rules: &[&str]) {
    let data = folder.join(format!("..{version}"));
    fs::create_dir(&data).unwrap();
    let rule = |name: &&str| {
        format!(
            "- rule: {name}\n  desc: {name}\n  condition: evt.type = execve and proc.name = {name}\n  \
             output: \"%proc.name\"\n  priority: WARNING\n"
        )
    };
    fs::write(data.join("own.yaml"), rules.iter().map(rule).collect::<String>()).unwrap();
    symlink(format!("..{version}"), folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if !folder.join("own.yaml").exists() {
        symlink("..data/own.yaml", folder.join("own.yaml")).unwrap();
    }
}

#[test]
fn rules_of_a_config_map_are_read_again_when_it_changes() {
    needs!("root");
    let scratch = Scratch::new();
    write_as_kubelets_do(scratch.path(), "2026_01", &["first"]);
    let folder = scratch.path().display().to_string();
    let agent = Agent::start(&["--signals", "process", "--rules", &folder]);
    assert_eq!(agent.metric("chandra_rules_loaded"), 1);
    write_as_kubelets_do(scratch.path(), "2026_02", &["first", "second", "third"]);
    wait_for("the new rules", || (agent.metric("chandra_rules_loaded") == 3).then_some(()));
    assert_eq!(agent.metric("chandra_rules_reloads_total{outcome=\"loaded\"}"), 1);
    agent.stop();
}
