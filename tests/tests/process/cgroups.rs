//! A container is known by its cgroup before anything happens in it, in the unified hierarchy and in
//! those of v1, and records of its processes name that cgroup and no other.

use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::cgroup::{self, Cgroup, Nested, start_in};
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::unique;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;

const POD: &str = "pod6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e11";

fn actor() -> Command {
    Command::new(env!("CARGO_BIN_EXE_actor"))
}

/// The cgroups of a container, as a runtime makes them under Kubernetes.
fn container(mount: &Path) -> Nested {
    Nested::new(mount, &["kubepods", "burstable", POD, &format!("{:064x}", unique())])
}

/// The mount of this v1 controller's hierarchy with its number, or a line that says that there is none.
fn v1(controller: &str) -> Option<(u32, PathBuf)> {
    let found = cgroup::v1(controller);
    if found.is_none() {
        eprintln!("skipped: {}: needs a v1 hierarchy of the {controller} controller", file!());
    }
    found
}

fn time(record: &Record) -> u64 {
    record.text("time").and_then(wall_clock::parse).unwrap()
}

fn is_about(record: &Record, kind: &str, hierarchy: u32, cgroup: &Cgroup) -> bool {
    record.kind() == kind
        && record.number("cgroup.id") == Some(cgroup.id())
        && record.number("cgroup.hierarchy") == Some(hierarchy.into())
}

/// One container from before its first program to its removal.
fn is_known_all_its_life(hierarchy: u32, mount: &Path, also_in: &[&Path]) {
    let mut cgroups = Trace::start(&["cgroup"]);
    let mut execs = Trace::start(&["exec"]);
    let made = container(mount);
    let own = made.innermost();
    let (id, path) = (own.id(), own.folder().strip_prefix(mount).unwrap().display().to_string());
    let folders: Vec<&Path> = also_in.iter().copied().chain([own.folder()]).collect();
    let mut command = actor();
    start_in(&mut command, &folders);
    let actor = Actor::start(&mut command);

    let known =
        cgroups.wait_for("mkdir", |record| is_about(record, "cgroup_mkdir", hierarchy, own));
    assert_eq!(known.text("cgroup.path"), Some(format!("/{path}").as_str()));
    assert_eq!(known.number("cgroup.level"), Some(5));
    assert_eq!(known.number("process.pid"), Some(std::process::id().into()));

    let exec = execs.wait_for("exec", |record| record.is("exec", actor.pid()));
    assert!(time(&known) < time(&exec), "{known:?} {exec:?}");
    assert_eq!(exec.number("process.cgroup_id"), Some(id));
    let named = exec.at("process.cgroup_hierarchy").map(|value| value.as_u64().unwrap());
    assert_eq!(named, Some(u64::from(hierarchy)).filter(|hierarchy| *hierarchy != 0));
    assert_eq!(cgroup::of_process(actor.pid()), (hierarchy, id));

    actor.finish();
    drop(made);
    let gone = cgroups.wait_for("rmdir", |record| {
        record.kind() == "cgroup_rmdir" && record.text("cgroup.path") == known.text("cgroup.path")
    });
    assert_eq!(gone.at("cgroup"), known.at("cgroup"));
    cgroups.stop().summary_without_loss();
    execs.stop().summary_without_loss();
}

#[test]
fn a_container_of_the_unified_hierarchy_is_known_before_its_first_program() {
    needs!("root");
    // Where there are both, a v1 cgroup that is not the root comes first.
    let pids = cgroup::v1("pids");
    let also: Vec<&Path> = pids.iter().map(|(_, mount)| mount.as_path()).collect();
    is_known_all_its_life(0, &cgroup::mount(), &also);
}

#[test]
fn a_container_of_v1_is_known_before_its_first_program_though_its_runtime_has_a_unified_cgroup() {
    needs!("root");
    let Some((hierarchy, mount)) = v1("pids") else { return };
    let service = Cgroup::new();
    is_known_all_its_life(hierarchy, &mount, &[service.folder()]);
}

#[test]
fn a_container_that_has_only_a_memory_cgroup_is_known_by_that() {
    needs!("root");
    let (Some((_, pids)), Some((hierarchy, memory))) = (v1("pids"), v1("memory")) else { return };
    is_known_all_its_life(hierarchy, &memory, &[&pids, &cgroup::mount()]);
}

#[test]
fn a_filter_finds_cgroups_of_v1_and_mixes_no_hierarchies() {
    needs!("root");
    let Some((hierarchy, mount)) = v1("pids") else { return };
    let made = container(&mount);
    let own = made.innermost();
    let above = own.folder().parent().unwrap().display().to_string();
    let path = format!("/{}", own.folder().strip_prefix(&mount).unwrap().display());
    let right = format!("{hierarchy}:{}", own.id());
    let wrong = format!("0:{}", own.id());
    for (option, expected) in [(above, 1), (path, 1), (right, 1), (wrong, 0)] {
        let mut inside = Actor::start(&mut actor());
        own.adopt(inside.pid());
        let pid = inside.pid();
        let mut trace = Trace::start(&["exec", "--cgroup", &option]);
        inside.tell(&format!("execute {}", env!("CARGO_BIN_EXE_actor")));
        inside.wait_until_idle();
        if expected > 0 {
            trace.wait_for("exec", |record| record.is("exec", pid));
        }
        let outcome = trace.stop();
        assert_eq!(outcome.of("exec", pid).count(), expected, "--cgroup {option}");
        let summary = outcome.summary_without_loss();
        assert!(expected > 0 || summary.number("filtered") >= Some(1), "{summary:?}");
        inside.finish();
    }
}

#[test]
fn what_is_there_at_start_is_found_once() {
    needs!("root");
    let unified = cgroup::mount();
    let made: Vec<_> = [Some((0, unified)), cgroup::v1("pids")]
        .into_iter()
        .flatten()
        .map(|(hierarchy, mount)| (hierarchy, container(&mount), mount))
        .collect();
    let mut trace = Trace::start(&["cgroup", "--type", "cgroup_running"]);
    for (hierarchy, cgroups, mount) in &made {
        let own = cgroups.innermost();
        let is_it = |record: &Record| is_about(record, "cgroup_running", *hierarchy, own);
        let record = trace.wait_for("the cgroup", is_it);
        let path = format!("/{}", own.folder().strip_prefix(mount).unwrap().display());
        assert_eq!(record.text("cgroup.path"), Some(path.as_str()));
        assert_eq!(record.at("process"), None);
        assert_eq!(trace.records().iter().filter(|record| is_it(record)).count(), 1);
    }
    trace.stop().summary_without_loss();
}

#[test]
fn a_hundred_cgroups_one_in_another_are_all_told_of_and_found() {
    needs!("root");
    let mut cgroups = Trace::start(&["cgroup"]);
    let name = "x".repeat(30);
    let made = Nested::new(&cgroup::mount(), &[name.as_str(); 100]);
    let own = made.innermost();
    let record = cgroups.wait_for("mkdir", |record| is_about(record, "cgroup_mkdir", 0, own));
    assert_eq!(record.number("cgroup.level"), Some(101));
    assert_eq!(record.at("cgroup.path_truncated"), Some(&true.into()));
    assert_eq!(record.text("cgroup.path").unwrap().len(), 1023);
    let parent = record.number("cgroup.parent_id").unwrap();
    cgroups.wait_for("its parent", |record| record.number("cgroup.id") == Some(parent));

    let mut trace = Trace::start(&["cgroup", "--type", "cgroup_running"]);
    let found = trace.wait_for("it", |record| is_about(record, "cgroup_running", 0, own));
    assert_eq!(found.text("cgroup.path").unwrap().len(), own.path().len());
    trace.stop().summary_without_loss();
    drop(made);
    cgroups.stop().summary_without_loss();
}
