//! What is said of pods and containers that a real containerd runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what it expects by stopping")]

#[path = "common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use chandra_identity::description::{ContainerState, Descriptions, Limits, RuntimeId, Text};
use chandra_runtime::{Change, Options, Source};
use chandra_tests::containerd::{Container, Containerd, IMAGE, Pod};
use chandra_tests::needs_containerd;
use chandra_tests::patience::PATIENCE;

use common::{Watch, is, is_running};

fn snapshot(containerd: &Containerd) -> Descriptions {
    let mut source = Source::connect(&containerd.socket(), Options::default()).unwrap();
    let mut told = Descriptions::new(Limits::default());
    for change in source.snapshot().unwrap() {
        told.apply(change, 0);
    }
    told
}

fn command_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim().to_owned()
}

#[test]
fn a_snapshot_says_everything_of_pods_and_containers() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let pod =
        Pod { host_network: !containerd.has_network(), privileged: true, ..Pod::named("web-1") }
            .labels(&[("app", "web"), ("io.kubernetes.pod.name", "web-1")])
            .annotations(&[("example.org/owner", "ops")]);
    let sandbox = cri.run_pod(&pod);
    let host_pod = Pod { host_network: true, ..Pod::named("agent") };
    let host_sandbox = cri.run_pod(&host_pod);
    let volume = containerd.folder().path().display().to_string();
    let server = Container {
        labels: pod.labels.clone(),
        annotations: vec![(b"note".to_vec(), b"x".to_vec())],
        privileged: true,
        mounts: vec![(volume.clone(), "/data".to_owned(), true)],
        ..Container::named("server", &[])
    };
    let server = cri.run(&sandbox, &pod, &server);
    let ended = cri.run(&host_sandbox, &host_pod, &Container::named("ended", &["/bin/true"]));
    let created = cri.create(&host_sandbox, &host_pod, &Container::named("created", &[]));

    let told = chandra_tests::patience::wait_for("the end of /bin/true", || {
        let told = snapshot(&containerd);
        let state = told.container(&ended).unwrap().state;
        (state == ContainerState::Exited).then_some(told)
    });
    assert_eq!((told.pods().count(), told.containers().count()), (2, 3));

    let pod = told.pod_of(&server).unwrap();
    assert_eq!(pod, told.pod(&sandbox).unwrap());
    assert_eq!(pod.name.as_str(), "web-1");
    assert_eq!(pod.namespace.as_str(), "test");
    assert_eq!(pod.uid.as_str(), "uid-of-web-1");
    assert_eq!(pod.labels.get("app").unwrap().as_str(), "web");
    assert_eq!(pod.annotations.get("example.org/owner").unwrap().as_str(), "ops");
    assert!(pod.ready && pod.created_at_ns > 0);
    assert_eq!(pod.host_network, !containerd.has_network());
    if containerd.has_network() {
        let [std::net::IpAddr::V4(address)] = pod.ips[..] else { panic!("{:?}", pod.ips) };
        assert_eq!(address.octets()[..2], [10, 204]);
    }
    assert_eq!(command_of(pod.pid.unwrap()), "sleep");
    let host_pod = told.pod(&host_sandbox).unwrap();
    assert!(host_pod.host_network && host_pod.ips.is_empty());

    let container = told.container(&server).unwrap();
    assert_eq!(container.name.as_str(), "server");
    assert_eq!(container.state, ContainerState::Running);
    assert_eq!(container.image.as_str(), IMAGE);
    assert!(
        container.details.image_id.as_str().starts_with("sha256:"),
        "{}",
        container.details.image_id
    );
    assert_eq!(container.details.labels.as_ref().unwrap().get("app").unwrap().as_str(), "web");
    assert_eq!(container.annotations.get("note").unwrap().as_str(), "x");
    assert_eq!(container.details.privileged, Some(true));
    assert!(is(container.sandbox_id.as_ref().unwrap(), &sandbox));
    let mount = container
        .details
        .mounts
        .iter()
        .flatten()
        .find(|mount| mount.container_path.as_str() == "/data");
    let mount = mount.unwrap();
    assert_eq!((mount.host_path.as_str(), mount.read_only), (volume.as_str(), true));
    let paths =
        container.details.mounts.iter().flatten().map(|mount| mount.container_path.as_str());
    let paths: Vec<&str> = paths.collect();
    assert!(paths.contains(&"/dev/shm"), "what the runtime adds: {paths:?}");
    assert_eq!(command_of(container.pid.unwrap()), "sleep");
    let cgroup = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid.unwrap()));
    assert!(cgroup.unwrap().contains(&server));

    assert_eq!(told.container(&ended).unwrap().details.privileged, Some(false));
    assert_eq!(told.container(&ended).unwrap().pid, None);
    assert_eq!(told.container(&created).unwrap().state, ContainerState::Created);
}

#[test]
fn the_runtime_is_found_where_it_usually_is() {
    needs_containerd!();
    let containerd = Containerd::start();
    let root = containerd.folder().at("host");
    let place = root.join("var/run/containerd");
    std::fs::create_dir_all(&place).unwrap();
    std::os::unix::fs::symlink(containerd.socket(), place.join("containerd.sock")).unwrap();
    // A socket that nobody serves comes before it.
    std::fs::create_dir_all(root.join("run/crio")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(root.join("run/crio/crio.sock")).unwrap());
    let source = Source::find(&root, Options::default()).unwrap();
    assert_eq!(source.socket(), place.join("containerd.sock"));
    assert_eq!(source.version().name.as_str(), "containerd");
    assert_eq!(source.version().api.as_str(), "v1");
    drop(containerd);
    let error = Source::find(&root, Options::default()).unwrap_err();
    assert!(error.to_string().contains("no container runtime answers"), "{error}");
}

#[test]
fn a_container_started_later_is_seen_and_a_removed_one_goes() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let pod = Pod { host_network: true, ..Pod::named("later") };
    let mut watch = Watch::start(&containerd.socket(), Options::default());
    watch.wait_until_fresh();
    assert!(watch.told.is_empty());

    let sandbox = cri.run_pod(&pod);
    let id = cri.create(&sandbox, &pod, &Container::named("late", &[]));
    cri.start(&id);
    let (lists, started) = (watch.handle.counts().lists, Instant::now());
    watch.wait_until_running(&id);
    eprintln!("seen after {:?}", started.elapsed());
    // The one that was under way, and the next.
    assert!(watch.handle.counts().lists <= lists + 2);
    assert_eq!(watch.told.pod_of(&id).unwrap().name.as_str(), "later");

    cri.remove(&id);
    watch.wait_until_gone(&id);
    cri.stop_pod(&sandbox);
    watch.wait_for("the pod not to be ready", |change| match change {
        Change::PodSeen(pod) => !pod.ready && is(&pod.sandbox_id, &sandbox),
        _ => false,
    });
    cri.remove_pod(&sandbox);
    watch.wait_for("the pod to go", |change| match change {
        Change::PodGone(gone) => is(gone, &sandbox),
        _ => false,
    });
}

#[test]
fn a_look_asked_for_is_answered_before_the_next_list() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let options = Options { poll: Duration::from_secs(3600), ..Options::default() };
    let mut watch = Watch::start(&containerd.socket(), options);
    watch.wait_until_fresh();
    let pod = Pod { host_network: true, ..Pod::named("hinted") };
    let sandbox = cri.run_pod(&pod);
    let id = cri.run(&sandbox, &pod, &Container::named("hinted", &[]));
    let asked = Instant::now();
    assert!(watch.handle.look(RuntimeId::new(&id).unwrap()));
    watch.wait_until_running(&id);
    eprintln!("answered after {:?}", asked.elapsed());
    assert_eq!(watch.told.pod_of(&id).unwrap().name.as_str(), "hinted");

    // One that the runtime does not have is answered too.
    watch.handle.look(RuntimeId::new("not-a-container-of-this-runtime").unwrap());
    watch.wait_until_gone("not-a-container-of-this-runtime");
    assert_eq!(watch.handle.counts().lists, 1);
}

#[test]
fn a_runtime_that_crashes_leaves_stale_data_until_it_is_back() {
    needs_containerd!();
    let mut containerd = Containerd::start();
    let pod = Pod { host_network: true, ..Pod::named("stays") };
    let sandbox = containerd.cri().run_pod(&pod);
    let stays = containerd.cri().run(&sandbox, &pod, &Container::named("stays", &[]));
    let goes = containerd.cri().run(&sandbox, &pod, &Container::named("goes", &[]));
    let mut watch = Watch::start(&containerd.socket(), Options::default());
    watch.wait_until_fresh();
    assert_eq!(watch.told.containers().count(), 2);

    containerd.kill();
    watch.wait_until_stale();
    assert!(watch.told.stale().is_some());
    assert!(is_running(watch.told.container(&stays).unwrap()));

    containerd.restart();
    containerd.cri().remove(&goes);
    let new = containerd.cri().run(&sandbox, &pod, &Container::named("new", &[]));
    watch.wait_until_fresh();
    assert_eq!(watch.told.stale(), None);
    if watch.told.containers().all(|container| !is(&container.id, &new)) {
        watch.wait_until_running(&new);
    }
    while watch.told.containers().any(|container| is(&container.id, &goes)) {
        watch.wait_for("the removed one to go", |_| true);
    }
    assert_eq!(watch.told.containers().count(), 2);
    assert_eq!(watch.handle.counts().reconnects, 1);
}

#[test]
fn labels_and_annotations_that_mean_harm_are_kept_within_bounds() {
    needs_containerd!();
    let containerd = Containerd::start();
    let megabyte = "ä".repeat(1 << 19);
    let mut pod = Pod { host_network: true, ..Pod::named("hostile") }
        .annotations(&[("huge", &megabyte), ("small", "s")])
        .labels(&[
            ("escape", "\u{1b}[2J\u{7}\r\n"),
            ("bidi", "\u{202e}txt.exe"),
            ("ключ", "значение"),
            ("nul", "a\0b"),
        ]);
    pod.labels.push((b"bytes".to_vec(), b"\xff\xfe".to_vec()));
    let sandbox = containerd.cri().run_pod(&pod);
    let container =
        Container { annotations: pod.annotations.clone(), ..Container::named("hostile", &[]) };
    let id = containerd.cri().run(&sandbox, &pod, &container);

    let told = snapshot(&containerd);
    let pod = told.pod_of(&id).unwrap();
    for annotations in [&pod.annotations, &told.container(&id).unwrap().annotations] {
        let huge = annotations.get("huge").unwrap();
        assert_eq!(huge.as_str(), "ä".repeat(Text::MAX_BYTES / 2));
        assert_eq!(huge.cut_bytes(), (1 << 20) - Text::MAX_BYTES as u64);
        assert_eq!(annotations.get("small").unwrap().as_str(), "s");
    }
    let label = |key: &str| pod.labels.get(key).unwrap().as_str();
    assert_eq!(label("escape"), "\u{1b}[2J\u{7}\r\n");
    assert_eq!(label("bidi"), "\u{202e}txt.exe");
    assert_eq!(label("ключ"), "значение");
    assert_eq!(label("nul"), "a\0b");
    assert!(!label("bytes").is_empty());
    assert!(told.bytes() < 64 << 10, "{}", told.bytes());
}

#[test]
fn none_of_fifty_short_containers_is_missed() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    let pod = Pod { host_network: true, ..Pod::named("short") };
    let sandbox = cri.run_pod(&pod);
    let mut watch = Watch::start(&containerd.socket(), Options::default());
    watch.wait_until_fresh();
    let mut ids = Vec::new();
    for number in 0..50 {
        let container = Container::named(&format!("short-{number}"), &["/bin/true"]);
        let id = cri.create(&sandbox, &pod, &container);
        // As whoever watches cgroups being made would.
        assert!(watch.handle.look(RuntimeId::new(&id).unwrap()));
        cri.start(&id);
        if number % 2 == 1 {
            cri.remove(&id);
        }
        ids.push(id);
    }
    let (mut seen, mut gone) = (Vec::new(), Vec::new());
    let until = Instant::now() + PATIENCE;
    let is_open = |seen: &[String], gone: &[String]| {
        let known = |id: &String| seen.contains(id) || gone.contains(id);
        !ids.iter().all(known) || !ids.iter().skip(1).step_by(2).all(|id| gone.contains(id))
    };
    while is_open(&seen, &gone) {
        match watch.next(until, "all of them") {
            Change::Seen(container) => {
                assert!(is(container.sandbox_id.as_ref().unwrap(), &sandbox));
                assert!(container.name.as_str().starts_with("short-"));
                seen.push(container.id.as_str().to_owned());
            }
            Change::Gone(id) => gone.push(id.as_str().to_owned()),
            _ => {}
        }
    }
    let named = ids.iter().filter(|id| seen.contains(id)).count();
    eprintln!("{named} of {} described, {} gone", ids.len(), gone.len());
    assert!(ids.iter().step_by(2).all(|id| seen.contains(id)), "those that stay are described");
}

#[test]
fn a_test_that_fails_leaves_nothing_behind() {
    needs_containerd!();
    let started = std::sync::Mutex::new(None);
    let failed = std::panic::catch_unwind(|| {
        let containerd = Containerd::start();
        let pod = Pod { host_network: !containerd.has_network(), ..Pod::named("left") };
        let sandbox = containerd.cri().run_pod(&pod);
        let id = containerd.cri().run(&sandbox, &pod, &Container::named("left", &[]));
        let told = snapshot(&containerd);
        let pids =
            [told.container(&id).unwrap().pid.unwrap(), told.pod(&sandbox).unwrap().pid.unwrap()];
        *started.lock().unwrap() = Some((containerd.folder().path().to_owned(), pids));
        // Without the line that a panic prints.
        std::panic::resume_unwind(Box::new("fails"));
    });
    assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"fails"));
    let (folder, pids) = started.into_inner().unwrap().unwrap();
    let folder = folder.to_str().unwrap();
    assert!(!std::path::Path::new(folder).exists());
    let name = folder.rsplit('/').next().unwrap();
    for pid in pids {
        // One that only waits to be reaped has no memory any more, and so no arguments.
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert_ne!(arguments, b"/bin/sleep\x001000000\0", "{pid} is alive");
    }
    assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(folder));
    assert!(!chandra_tests::cgroup::mount().join(name).exists());
}
