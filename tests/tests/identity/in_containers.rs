//! Who did it, in containers that a real containerd runs: from their first program on, also when they
//! live for a moment only.

use std::collections::HashMap;

use chandra_tests::containerd::{Container, Containerd, IMAGE, Pod};
use chandra_tests::needs_containerd;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::unique;
use chandra_tests::trace::Trace;

/// Traces with this containerd to ask.
fn trace(containerd: &Containerd, arguments: &[&str]) -> Trace {
    let socket = containerd.socket().display().to_string();
    Trace::start(&[arguments, &["--cri-socket", &socket]].concat())
}

/// Programs that ran in a container, not those that made it.
fn is_inside(record: &Record) -> bool {
    record.kind() == "exec" && record.at("container").is_some()
}

#[test]
fn three_hundred_containers_that_live_for_a_moment_are_all_named() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let mut trace = trace(&containerd, &["exec"]);
    let pods: Vec<_> = (0..3)
        .map(|number| {
            let pod = Pod { host_network: true, ..Pod::named(&format!("short-{number}")) };
            let pod = pod.labels(&[("app", "short")]);
            (cri.run_pod(&pod), pod)
        })
        .collect();
    // So long a sleep that nobody else on this machine sleeps.
    let moment = format!("0.05{:09}", unique());
    let mut started = HashMap::new();
    for number in 0..300 {
        let (sandbox, pod) = &pods[number % pods.len()];
        let name = format!("moment-{number}");
        let id = cri.run(sandbox, pod, &Container::named(&name, &["/bin/sleep", &moment]));
        if number % 3 == 2 {
            // As soon as its life is over: that of its records may not be. It did execute its program.
            let code = wait_for("its end", || cri.exit_code(&id));
            assert_eq!(code, 0);
            cri.remove(&id);
        }
        started.insert(id, (name, pod.name.clone()));
    }
    let last = format!("moment-{}", 299);
    trace.wait_for("the last one", |record| record.text("container.name") == Some(&last));
    let outcome = trace.stop();
    let mut named = HashMap::new();
    for record in outcome.records.iter().filter(|record| is_inside(record)) {
        let id = record.text("container.id").unwrap();
        let Some((name, pod)) = started.get(id) else { continue };
        assert_eq!(record.text("container.name"), Some(name.as_str()), "{record:?}");
        assert_eq!(record.text("pod.name"), Some(pod.as_str()), "{record:?}");
        assert_eq!(record.text("pod.namespace"), Some("test"));
        assert_eq!(record.text("pod.labels.app"), Some("short"));
        assert_eq!(record.text("container.image"), Some(IMAGE));
        assert_eq!(record.at("identity"), None, "{record:?}");
        *named.entry(name.clone()).or_insert(0) += 1;
    }
    // Who is removed at once may be killed before it executes anything.
    let is_missing = |number: &usize| !named.contains_key(&format!("moment-{number}"));
    let (removed, missing): (Vec<_>, Vec<_>) =
        (0..300).filter(is_missing).partition(|number| number % 3 == 2);
    assert_eq!(missing, Vec::<usize>::new(), "every one of them executed something");
    assert!(removed.len() < 50, "most of them executed something, not {removed:?}");
    // Nothing that runs in a container of ours is taken for something else.
    let ours = Some(vec!["/bin/sleep", moment.as_str()]);
    for record in outcome.records.iter().filter(|record| record.strings("process.argv") == ours) {
        assert!(record.at("container").is_some(), "{record:?}");
    }
    eprintln!("{:?}", outcome.summary());
}
