//! Alerts of what happens in pods: from a container's first program on they say whose it was.

use std::fs;

use chandra_tests::agent::Agent;
use chandra_tests::containerd::{Container, Containerd, IMAGE, Pod};
use chandra_tests::needs_containerd;
use chandra_tests::observe::{command, printed};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};

const PODS: usize = 20;

#[test]
fn each_alert_of_a_short_container_names_its_pod() {
    needs_containerd!();
    let containerd = Containerd::start();
    let (cri, scratch) = (containerd.cri(), Scratch::new());
    // So long a sleep that nobody else on this machine sleeps.
    let moment = format!("0.02{:09}", unique());
    let rules = scratch.at("rules.yaml");
    let text = format!(
        "- macro: inside\n  condition: container.id != host\n\
         - rule: Sleeper\n  desc: A test\n  priority: NOTICE\n  \
         condition: evt.type = execve and inside and proc.args = \"{moment}\"\n  \
         output: Sleeps (pod=%k8s.pod.name ns=%k8s.ns.name container=%container.name image=%container.image)\n"
    );
    fs::write(&rules, text).unwrap();
    let socket = containerd.socket().display().to_string();
    let flows = scratch.at("hubble.sock").display().to_string();
    let arguments =
        ["--cri-socket", &socket, "--rules", rules.to_str().unwrap(), "--alerts", "json"];
    let mut agent = Agent::start(&[&arguments[..], &["--hubble-socket-path", &flows]].concat());
    agent.read_output();
    agent.wait_until_ready();
    let mut pods = Vec::new();
    for number in 0..PODS {
        let pod = Pod { host_network: true, ..Pod::named(&format!("sleeper-{number}")) };
        let sandbox = cri.run_pod(&pod);
        let name = format!("app-{number}");
        let id = cri.run(&sandbox, &pod, &Container::named(&name, &["/bin/sleep", &moment]));
        pods.push((id, pod.name.clone(), name));
    }
    let alerts = wait_for("an alert of each", || {
        let alerts = agent.records();
        (alerts.len() >= PODS).then_some(alerts)
    });
    for (id, pod, name) in pods {
        let of_it = alerts.iter().find(|alert| alert.text("container.id") == Some(&id));
        let alert = of_it.unwrap_or_else(|| panic!("none of {name}: {alerts:#?}"));
        let field = |field: &str| alert.at("output_fields").unwrap()[field].as_str();
        assert_eq!(field("k8s.pod.name"), Some(pod.as_str()), "{alert:?}");
        assert_eq!(field("k8s.ns.name"), Some("test"));
        assert_eq!(field("container.name"), Some(name.as_str()));
        assert_eq!(field("container.image"), Some(IMAGE));
        assert_eq!(alert.text("pod.name"), Some(pod.as_str()));
    }
    let server = format!("unix://{flows}");
    let shown = |arguments: &[&str]| {
        let usual = ["alerts", "--server", &server, "--all", "-o", "json"];
        let shown = printed(&mut command(&[&usual[..], arguments].concat()));
        shown.lines().map(Record::parse).collect::<Vec<_>>()
    };
    assert_eq!(shown(&["-n", "test"]).len(), PODS);
    assert_eq!(shown(&["-n", "other"]).len(), 0);
    let one = shown(&["--pod", "test/sleeper-7"]);
    assert_eq!(
        one.iter().map(|alert| alert.text("pod.name")).collect::<Vec<_>>(),
        [Some("sleeper-7")]
    );
    assert_eq!(shown(&["--pod", "sleeper-1*", "--container", "app-1?"]).len(), PODS - 10);
    let id = one[0].text("container.id").unwrap().to_owned();
    assert_eq!(shown(&["--container", &id[..12]]).len(), 1);
    assert_eq!(agent.stop().records().len(), PODS);
}
