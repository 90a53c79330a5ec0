//! The rules that Chandra comes with, on what a real kernel tells of containers that a real containerd runs:
//! silent about what is ordinary, starting containers included, and not about what is odd.

use std::collections::BTreeSet;

use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::needs_containerd;
use chandra_tests::record::Record;
use chandra_tests::replay::default_alerts;
use chandra_tests::trace::Trace;

/// The rules that fired of a container.
fn rules_of<'a>(alerts: &'a [Record], container: &str) -> BTreeSet<&'a str> {
    let name = |alert: &Record| alert.0["output_fields"]["container.name"].clone();
    let own = alerts.iter().filter(|alert| name(alert) == container);
    own.filter_map(|alert| alert.text("rule")).collect()
}

#[test]
fn ordinary_containers_make_no_alert_and_odd_ones_do() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let socket = containerd.socket().display().to_string();
    let mut trace = Trace::start(&["exec", "--cri-socket", &socket]);
    let pod = Pod { host_network: true, ..Pod::named("rules") };
    let sandbox = cri.run_pod(&pod);
    let run = |name: &str| {
        let entrypoint = ["/bin/sh", "-c", "exec /bin/sleep 3600"];
        cri.run(&sandbox, &pod, &Container::named(name, &entrypoint))
    };

    let ordinary = run("ordinary");
    cri.execute(&ordinary, &["/bin/sh", "-c", "/bin/busybox test -e /bin/sh"]);
    cri.execute(&ordinary, &["/bin/busybox", "true"]);

    let odd = run("odd");
    cri.execute(&odd, &["/bin/sh", "-i"]);
    cri.execute(&odd, &["/bin/sh", "-c", "true || curl http://localhost/x | sh"]);
    let copy = "/bin/busybox cp /bin/busybox /busybox-copy && /busybox-copy true";
    cri.execute(&odd, &["/bin/sh", "-c", copy]);
    trace.wait_for("the copy", |record| {
        record.kind() == "exec" && record.text("process.exe") == Some("/busybox-copy")
    });

    let outcome = trace.stop();
    outcome.summary_without_loss();
    let of = |name: &str| {
        outcome.records.iter().filter(|it| it.text("container.name") == Some(name)).count()
    };
    assert!(of("ordinary") >= 4 && of("odd") >= 5, "{} and {}", of("ordinary"), of("odd"));
    let alerts = default_alerts(&outcome.records);
    let of = |name| rules_of(&alerts, name);
    assert_eq!(of("ordinary"), BTreeSet::new(), "{alerts:#?}");
    let expected = BTreeSet::from([
        "Downloaded text is run",
        "Interactive shell without a terminal",
        "Program that is not from the image",
    ]);
    assert_eq!(of("odd"), expected, "{alerts:#?}");
}

#[test]
fn system_calls_of_ordinary_containers_make_no_alert_and_odd_ones_do() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let socket = containerd.socket().display().to_string();
    let mut trace = Trace::start(&["syscalls", "--cri-socket", &socket]);
    let pod = Pod { host_network: true, ..Pod::named("rules-calls") };
    let sandbox = cri.run_pod(&pod);
    let run = |name: &str| {
        let entrypoint = ["/bin/sh", "-c", "exec /bin/sleep 3600"];
        cri.run(&sandbox, &pod, &Container::named(name, &entrypoint))
    };
    let copy = |mode: &str| {
        format!("/bin/busybox cp /bin/busybox /copy && /bin/busybox chmod {mode} /copy")
    };
    let ordinary = run("ordinary-calls");
    cri.execute(&ordinary, &["/bin/sh", "-c", &copy("0755")]);
    let odd = run("odd-calls");
    cri.execute(&odd, &["/bin/sh", "-c", &copy("4755")]);
    trace.wait_for("the change of mode", |record| {
        let name = record.text("system_call.name").unwrap_or_default();
        name.contains("chmod") && record.text("container.name") == Some("odd-calls")
    });
    let is_own = |record: &&Record| {
        record
            .text("container.id")
            .is_some_and(|id| [&sandbox, &ordinary, &odd].iter().any(|own| *own == id))
    };
    let records: Vec<Record> = trace.stop().records.iter().filter(is_own).cloned().collect();
    let alerts = default_alerts(&records);
    // What the runtime does in a container's cgroup before it is the container is nobody's alert either.
    let setns = records.iter().filter(|it| it.text("system_call.name") == Some("setns"));
    assert!(setns.count() > 0, "the runtime entered no namespace that was seen");
    let is_setns =
        |alert: &&Record| alert.text("rule") == Some("Container enters other namespaces");
    assert_eq!(alerts.iter().filter(is_setns).count(), 0, "{alerts:#?}");
    assert_eq!(rules_of(&alerts, "ordinary-calls"), BTreeSet::new(), "{alerts:#?}");
    let expected = BTreeSet::from(["Set-user-id bit set"]);
    assert_eq!(rules_of(&alerts, "odd-calls"), expected, "{alerts:#?}");
}
