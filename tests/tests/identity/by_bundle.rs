//! Containers that no CRI describes: `ctr` runs them in a namespace of its own, and what is said of them is what
//! their bundle and containerd say.

use std::fs;
use std::process::Command;

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Container, Containerd, IMAGE, Pod};
use chandra_tests::needs_containerd;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::unique;
use chandra_tests::trace::{self, Trace};
use serde_json::Value;

const FIELDS: [&str; 7] = [
    "container.id",
    "container.full_id",
    "container.name",
    "container.image",
    "container.privileged",
    "container.mounts",
    "container.host_network",
];

/// Fires of one program's argument in a container.
fn rule(moment: &str) -> String {
    let output: Vec<String> = FIELDS.iter().map(|field| format!("%{field}")).collect();
    format!(
        "- rule: In a container\n  desc: d\n  priority: NOTICE\n  output: \"{}\"\n  \
         condition: evt.type = execve and container.id != host and proc.args = \"{moment}\"\n",
        output.join(" ")
    )
}

/// The specification that runc got.
fn specification(containerd: &Containerd, id: &str) -> Value {
    let file = containerd.bundle(&containerd.namespace(), id).join("config.json");
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// As `container.mounts` has those of a specification that are the host's.
fn mounts(specification: &Value) -> String {
    let mounts = specification["mounts"].as_array().unwrap().iter();
    let binds = mounts.filter(|mount| mount["type"] == "bind").map(|mount| {
        let options = mount["options"].as_array().unwrap();
        let has = |word: &str| options.iter().any(|option| option == word);
        let (mode, is_writable) = if has("ro") { ("ro", false) } else { ("rw", true) };
        let (source, destination) =
            (mount["source"].as_str().unwrap(), mount["destination"].as_str().unwrap());
        format!("{source}:{destination}:{mode}:{is_writable}:private")
    });
    binds.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_container_of_ctr_is_described_by_its_bundle() {
    needs_containerd!();
    let containerd = Containerd::start();
    let folder = containerd.folder();
    let moment = format!("0.04{:09}", unique());
    let (rules, volume) = (folder.at("rules.yaml"), folder.at("volume"));
    fs::write(&rules, rule(&moment)).unwrap();
    fs::create_dir(&volume).unwrap();
    let root = folder.path().display().to_string();
    let nobody = folder.at("nobody.sock").display().to_string();
    let socket = containerd.socket().display().to_string();
    // Where no CRI answers, and beside one, which has a namespace of its own.
    for (round, cri) in [nobody, socket].iter().enumerate() {
        let asked = ["--host-root", &root, "--cri-socket", cri];
        let rules = ["--rules", rules.to_str().unwrap(), "--alerts", "json"];
        let mut agent = Agent::start(&[&asked[..], &rules].concat());
        agent.read_output();
        agent.wait_until_ready();
        let mut trace = Trace::start(&[&["exec"], &asked[..]].concat());

        // Named by a person, with more than the runtime's twelve digits, and by a program.
        let digits = format!("{:064x}", unique());
        let mount = format!("type=bind,src={},dst=/data,options=rbind:ro", volume.display());
        let words = format!("/bin/sleep {moment}; while :; do /bin/sleep 1000; done");
        let plain = format!("plain-{round}");
        let mighty = format!("mighty-{round}");
        let cases: [(&str, &[&str], bool); 3] = [
            (&plain, &["--mount", &mount], false),
            (&mighty, &["--privileged", "--net-host"], true),
            (&digits, &[], false),
        ];
        for (id, options, _) in cases {
            containerd.run_by_ctr(id, options, &["/bin/sh", "-c", &words]);
        }
        for (id, _, is_privileged) in cases {
            let name = format!("the first program of {id}");
            let record = trace.wait_for(&name, |record| {
                record.text("container.id") == Some(id)
                    && record.at("process.argv").is_some_and(|argv| argv[1] == moment.as_str())
            });
            assert_eq!(record.text("container.name"), Some(id));
            assert_eq!(record.text("container.image"), Some(IMAGE));
            assert_eq!(record.text("container.runtime"), Some("containerd"));
            assert_eq!(record.at("pod"), None);

            let alert = wait_for("its alert", || {
                let of_it = |alert: &Record| alert.text("container.id") == Some(id);
                agent.records().into_iter().find(of_it)
            });
            let field = |name: &str| alert.at("output_fields").unwrap()[name].clone();
            assert_eq!(field("container.id"), id.get(..12).unwrap_or(id));
            assert_eq!(field("container.full_id"), id);
            assert_eq!(field("container.name"), id);
            assert_eq!(field("container.image"), IMAGE);
            assert_eq!(field("container.privileged"), is_privileged);
            assert_eq!(field("container.host_network"), is_privileged);
            let specification = specification(&containerd, id);
            let bounding = &specification["process"]["capabilities"]["bounding"];
            let has_admin = bounding.as_array().unwrap().iter().any(|name| name == "CAP_SYS_ADMIN");
            assert_eq!(has_admin, is_privileged, "what the test asked for");
            assert_eq!(field("container.mounts"), mounts(&specification));
        }
        // A name that is given again at once is another container's.
        containerd.remove_by_ctr(&plain);
        containerd.run_by_ctr(&plain, &["--privileged"], &["/bin/sh", "-c", &words]);
        wait_for("the alert of another container of the same name", || {
            let is_it = |alert: &Record| {
                alert.text("container.id") == Some(plain.as_str())
                    && alert.at("output_fields").unwrap()["container.privileged"] == true
            };
            agent.records().into_iter().any(|alert| is_it(&alert)).then_some(())
        });
        // It is told once a second.
        wait_for("what came of the looks", || {
            let signals = agent.get("/signals").body;
            let number = |name: &str| signals.number(&format!("identity.bundles.{name}"));
            let wrong = ["malformed", "too_long", "unreadable", "dropped", "unwatched"];
            assert!(wrong.iter().all(|name| number(name).unwrap_or(0) == 0), "{signals:?}");
            (number("found") >= Some(4)).then_some(())
        });
        trace.stop().summary_without_loss();

        let list = || {
            let mut list = Command::new(trace::chandra());
            list.args(["list", "containers", "-o", "json", "--host-root", &root]);
            String::from_utf8(list.output().unwrap().stdout).unwrap()
        };
        let listed = list();
        let of = |id: &str| {
            let containers = listed.lines().map(Record::parse);
            containers.into_iter().find(|it| it.text("container.id") == Some(id))
        };
        for (id, ..) in cases {
            let container = of(id).unwrap_or_else(|| panic!("{id} is not in {listed}"));
            assert_eq!(container.text("container.image"), Some(IMAGE));
            containerd.remove_by_ctr(id);
        }
        // What is removed is forgotten.
        let listed = list();
        for (id, ..) in cases {
            assert!(!listed.contains(id), "{listed}");
        }
        agent.stop();
    }
}

/// What CRI says comes first: a pod's container has its labels and its pod, whatever its bundle lacks.
#[test]
fn a_pod_that_no_cri_describes_is_named_by_its_bundle() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let root = containerd.folder().path().display().to_string();
    let nobody = containerd.folder().at("nobody.sock").display().to_string();
    let mut trace = Trace::start(&["exec", "--host-root", &root, "--cri-socket", &nobody]);
    let pod = Pod { host_network: true, ..Pod::named("unseen") };
    let sandbox = cri.run_pod(&pod);
    let id = cri.run(&sandbox, &pod, &Container::named("app", &["/bin/sleep", "1000"]));
    let record = trace.wait_for("its program", |record| {
        record.text("container.id") == Some(id.as_str())
            && record.text("process.comm") == Some("sleep")
    });
    assert_eq!(record.text("container.name"), Some("app"));
    assert!(record.text("container.image").unwrap().contains(IMAGE));
    assert_eq!(record.text("pod.name"), Some("unseen"));
    assert_eq!(record.text("pod.namespace"), Some("test"));
    trace.stop().summary_without_loss();
}
