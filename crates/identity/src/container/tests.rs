//! Paths as they were seen on real hosts (ids changed), and the table under orderly and hostile feeds.

use chandra_event::cgroup::{Cgroup as Record, Happened};
use chandra_event::time::Timestamp;

use super::*;

const A: &str = "3f4e8a7c0b1d2e9f3f4e8a7c0b1d2e9f3f4e8a7c0b1d2e9f3f4e8a7c0b1d2e9f";
const B: &str = "b0c1d2e3f4a5968778695a4b3c2d1e0fb0c1d2e3f4a5968778695a4b3c2d1e0f";
const UID: &str = "6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e11";
const UID_: &str = "6f1e0c5a_3b0d_4c57_9f0e_2a4d8c7b6e11";
const STATIC: &str = "d4c9bfa5ce9ae1c2b5a7f3e0d1c2b3a4";

fn path(pattern: &str) -> String {
    let names = [("<A>", A), ("<B>", B), ("<uid>", UID), ("<uid_>", UID_), ("<static>", STATIC)];
    names.iter().fold(pattern.to_owned(), |path, (name, text)| path.replace(name, text))
}

#[test]
fn every_form_in_use_names_its_container() {
    use Runtime::{BuildKit, Containerd, Cri, CriO, Docker, Lxc, Nspawn, Podman, Unknown};
    #[rustfmt::skip]
    // Path, runtime, id, pod, and the container around it.
    type Case = (&'static str, Runtime, &'static str, Option<&'static str>, Option<&'static str>);
    let cases: &[Case] = &[
        // Kubernetes, systemd driver, by quality of service, and a static pod.
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid_>.slice/cri-containerd-<A>.scope",
            Containerd,
            A,
            Some(UID),
            None,
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<uid_>.slice/cri-containerd-<A>.scope",
            Containerd,
            A,
            Some(UID),
            None,
        ),
        (
            "/kubepods.slice/kubepods-pod<uid_>.slice/cri-containerd-<A>.scope",
            Containerd,
            A,
            Some(UID),
            None,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<static>.slice/cri-containerd-<A>.scope",
            Containerd,
            A,
            Some(STATIC),
            None,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid_>.slice/crio-<A>.scope",
            CriO,
            A,
            Some(UID),
            None,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid_>.slice/docker-<A>.scope",
            Docker,
            A,
            Some(UID),
            None,
        ),
        // Kubernetes, cgroupfs driver.
        ("/kubepods/burstable/pod<uid>/<A>", Cri, A, Some(UID), None),
        ("/kubepods/besteffort/pod<uid>/<A>", Cri, A, Some(UID), None),
        ("/kubepods/pod<uid>/<A>", Cri, A, Some(UID), None),
        ("/kubepods/burstable/pod<static>/<A>", Cri, A, Some(STATIC), None),
        ("/kubepods/burstable/pod<uid>/crio-<A>", CriO, A, Some(UID), None),
        // The drivers of kubelet and runtime disagree.
        (
            "/system.slice/containerd.service/kubepods-burstable-pod<uid_>.slice:cri-containerd:<A>",
            Containerd,
            A,
            Some(UID),
            None,
        ),
        ("/kubepods-besteffort-pod<uid_>.slice:cri-containerd:<A>", Containerd, A, Some(UID), None),
        // containerd by others.
        ("/k8s.io/<A>", Containerd, A, None, None),
        ("/default/<A>", Containerd, A, None, None),
        ("/system.slice/nerdctl-<A>.scope", Containerd, A, None, None),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/nerdctl-<A>.scope",
            Containerd,
            A,
            None,
            None,
        ),
        ("/system.slice:nerdctl:<A>", Containerd, A, None, None),
        // Docker.
        ("/docker/<A>", Docker, A, None, None),
        ("/system.slice/docker-<A>.scope", Docker, A, None, None),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-<A>.scope",
            Docker,
            A,
            None,
            None,
        ),
        ("/ecs/0123456789abcdef0123456789abcdef/<A>", Docker, A, None, None),
        (
            "/ecstasks.slice/ecstasks-0123456789abcdef0123456789abcdef.slice/docker-<A>.scope",
            Docker,
            A,
            None,
            None,
        ),
        ("/jobs/nightly/<A>", Unknown, A, None, None),
        // Podman.
        ("/machine.slice/libpod-<A>.scope", Podman, A, None, None),
        ("/machine.slice/machine-libpod_pod_<B>.slice/libpod-<A>.scope", Podman, A, None, None),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<A>.scope",
            Podman,
            A,
            None,
            None,
        ),
        ("/libpod_parent/libpod-<A>", Podman, A, None, None),
        ("/system.slice/web.service/libpod-payload-<A>", Podman, A, None, None),
        // Nested: kind, k3d, Docker in Docker.
        (
            "/docker/<B>/kubelet/kubepods/burstable/pod<uid>/<A>",
            Cri,
            A,
            Some(UID),
            Some("/docker/<B>"),
        ),
        (
            "/system.slice/docker-<B>.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod<uid_>.slice/cri-containerd-<A>.scope",
            Containerd,
            A,
            Some(UID),
            Some("/system.slice/docker-<B>.scope"),
        ),
        ("/docker/<B>/kubepods/besteffort/pod<uid>/<A>", Cri, A, Some(UID), Some("/docker/<B>")),
        ("/docker/<B>/docker/<A>", Docker, A, None, Some("/docker/<B>")),
        // Other kinds.
        (
            "/docker/buildkit/yg5jlzmbbylyuuu2e9n9rnn3y",
            BuildKit,
            "yg5jlzmbbylyuuu2e9n9rnn3y",
            None,
            None,
        ),
        ("/lxc/web-1", Lxc, "web-1", None, None),
        ("/lxc.payload.web-1", Lxc, "web-1", None, None),
        ("/lxc.payload/web-1", Lxc, "web-1", None, None),
        ("/machine.slice/systemd-nspawn@debian.service", Nspawn, "debian", None, None),
        ("/machine.slice/machine-debian.scope", Nspawn, "debian", None, None),
    ];
    for (pattern, runtime, id, pod, outer) in cases {
        let text = path(pattern);
        let found = parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is none"));
        assert_eq!((found.runtime, found.container_id), (*runtime, *id), "{text}");
        assert_eq!(found.pod_uid.as_ref().map(PodUid::as_str), *pod, "{text}");
        assert_eq!(found.outer, outer.map(path).as_ref().map(String::as_bytes), "{text}");
        // What a container makes below itself is no container, and belongs to it.
        for below in ["/container", "/init.scope", "/payload", "/system.slice/cron.service"] {
            let below = format!("{text}{below}");
            assert_eq!(parse(below.as_bytes()), None, "{below}");
            assert_eq!(enclosing(below.as_bytes()), Some((text.as_bytes(), found)), "{below}");
        }
    }
}

#[test]
fn what_only_looks_like_a_container_is_none() {
    let cases = [
        "",
        "/",
        "//",
        "docker",
        "/docker",
        "/docker/",
        "/init.scope",
        "/system.slice/cron.service",
        "/kubepods/burstable/pod<uid>",
        "/kubepods.slice/kubepods-burstable.slice",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid_>.slice",
        // A runtime's own.
        "/kubepods.slice/kubepods-pod<uid_>.slice/crio-conmon-<A>.scope",
        "/kubepods/burstable/pod<uid>/crio-conmon-<A>",
        "/machine.slice/libpod-conmon-<A>.scope",
        "/libpod_parent/conmon",
        "/system.slice/web.service/runtime",
        "/lxc.monitor.web-1",
        "/lxc.monitor/web-1",
        "/kata_overhead/<A>",
        "/system.slice/docker.service",
        "/system.slice/containerd.service",
        // Virtual machines.
        "/machine.slice/machine-qemu\\x2d1\\x2ddebian.scope",
        // Malformed.
        "/docker/<A>0",
        "/docker/3f4e8a7c0b1d",
        "/system.slice/docker-<A>.scope.scope",
        "/system.slice/docker-<A>.slice",
        "/system.slice/xdocker-<A>.scope",
        "/lxc/",
        "/lxc/..",
        "/lxc/a b",
        "/docker/buildkit/short",
        "/machine.slice/systemd-nspawn@.service",
        "/a:b:c",
        "/kubepods-pod<uid_>.slice:evil:<A>",
        "/:cri-containerd:",
    ];
    for text in cases.map(path) {
        assert_eq!(parse(text.as_bytes()), None, "{text}");
    }
    let upper = format!("/docker/{}", A.to_uppercase());
    assert_eq!(parse(upper.as_bytes()), None);
    assert_eq!(parse(b"/docker/\xff\xfe"), None);
    // Within a container a bare id is no proof of anything.
    let inside = path("/docker/<B>/own/<A>");
    assert_eq!(enclosing(inside.as_bytes()).unwrap().1.container_id, B);
}

#[test]
fn a_pod_that_is_no_pod_does_not_name_one() {
    for name in
        ["pod", "pod<uid>0", "podx<uid>", "evil-pod<uid_>.slice", "kubepods-evil-pod<uid_>.slice"]
    {
        let text = path(&format!("/kubepods/{name}/cri-containerd-<A>.scope"));
        assert_eq!(parse(text.as_bytes()).unwrap().pod_uid, None, "{text}");
    }
    let mixed = UID.replacen('-', "_", 1);
    assert_eq!(PodUid::parse(mixed.as_bytes()), None);
}

#[test]
fn any_bytes_are_parsed_without_harm() {
    let pieces: [&[u8]; 12] = [
        b"/",
        b"/docker/",
        A.as_bytes(),
        b"docker-",
        b".scope",
        b"/pod",
        UID_.as_bytes(),
        b".slice",
        b"-pod",
        b":cri-containerd:",
        b"\xff\0",
        b"kubepods",
    ];
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut path = Vec::new();
        for _ in 0..state % 9 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            path.extend_from_slice(pieces[(state >> 33) as usize % pieces.len()]);
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        if let Some(found) = parse(&path) {
            assert!(!found.container_id.is_empty());
            assert!(found.outer.is_none_or(|outer| path.starts_with(outer)));
        }
    }
    let long = path("/docker/<A>").repeat(900);
    assert_eq!(parse(long.as_bytes()).unwrap().container_id, A);
}

/// What was made and removed without a record, after a walk.
#[test]
fn what_a_walk_does_not_meet_is_removed_and_what_is_new_is_known() {
    let mut feed = Feed::new(Limits::default());
    feed.make(2, 1, "/docker");
    feed.make(3, 2, "/docker/<A>");
    feed.make(4, 2, "/docker/<B>");
    feed.tell(Happened::Mkdir, 7, 3, 2, path("/docker/<A>").as_bytes());
    feed.begin_sweep();
    feed.meet(0, 1, None, "/");
    feed.meet(0, 2, Some(1), "/docker");
    feed.meet(0, 4, Some(2), "/docker/<B>");
    feed.meet(0, 6, Some(4), "/docker/<B>/inner");
    feed.end_sweep();
    feed.table.advance(Timestamp(feed.now - 1));
    assert_eq!(feed.id_of(0, 3), Some(A), "a record may still be about it");
    feed.make(5, 2, "/docker/new");
    feed.table.advance(Timestamp(feed.now));
    assert_eq!(
        (feed.table.get(0, 3), feed.id_of(0, 4), feed.id_of(0, 6)),
        (None, Some(B), Some(B))
    );
    assert!(feed.table.get(0, 5).is_some(), "it came after the walk");
    assert_eq!(feed.id_of(7, 3), Some(A), "a hierarchy that was not walked");
    let counts = feed.table.counts();
    assert_eq!((counts.cgroups, counts.lingering, counts.removals_unseen), (6, 0, 1));
}

#[test]
fn only_what_a_walk_can_meet_is_concluded_about() {
    let mut feed = Feed::new(Limits::default());
    feed.make(2, 1, "/part/<A>");
    feed.make(3, 1, "/part");
    feed.make(4, 1, "/parts");
    feed.make(5, 1, "/other");
    feed.table
        .apply(&Record { level: 257, ..feed.record(Happened::Mkdir, 0, 6, 2, b"/part/deep") });
    feed.begin_sweep();
    feed.meet(0, 3, None, "/part");
    feed.end_sweep();
    feed.table.advance(Timestamp(feed.now));
    let there: Vec<_> = (2..7).filter(|id| feed.table.get(0, *id).is_some()).collect();
    assert_eq!(there, [3, 4, 5, 6]);
    // A walk that could not even begin.
    feed.begin_sweep();
    feed.end_sweep();
    feed.table.advance(Timestamp(feed.now));
    assert_eq!(feed.table.counts().cgroups, 4);
}

#[test]
fn after_random_losses_a_sweep_makes_the_table_what_there_is() {
    let mut random = crate::process::tests::Random(7);
    for percent_lost in [10, 50, 90] {
        let mut feed = Feed::new(Limits::default());
        let mut there = std::collections::BTreeMap::new();
        for step in 0..20_000_u64 {
            let is_told = random.below(100) >= percent_lost;
            feed.now += 1;
            if there.len() < 50 || random.below(2) == 0 && there.len() < 500 {
                let (id, name) = (step + 10, format!("/docker/{:064x}", random.below(1000)));
                if is_told {
                    feed.make(id, 1, &name);
                }
                there.insert(id, name);
            } else {
                let at = random.below(there.len());
                let (id, _) = there.iter().nth(at).map(|(id, name)| (*id, name.clone())).unwrap();
                there.remove(&id);
                if is_told {
                    feed.tell(Happened::Rmdir, 0, id, 1, b"");
                }
            }
            if step % 499 != 498 {
                feed.table.advance(Timestamp(feed.now.saturating_sub(100)));
                continue;
            }
            feed.begin_sweep();
            feed.meet(0, 1, None, "/");
            there.iter().for_each(|(id, name)| feed.meet(0, *id, Some(1), name));
            feed.end_sweep();
            feed.table.advance(Timestamp(feed.now));
            for (id, name) in &there {
                assert_eq!(feed.id_of(0, *id), name.strip_prefix("/docker/"));
            }
            let counts = feed.table.counts();
            assert_eq!((counts.cgroups, counts.lingering), (there.len() + 1, 0));
            let containers: std::collections::BTreeSet<_> = there.values().collect();
            assert_eq!(counts.containers, containers.len());
        }
        assert!(feed.table.counts().removals_unseen > 0);
    }
}

/// A table and a clock.
struct Feed {
    table: Cgroups,
    now: u64,
}

impl Feed {
    fn new(limits: Limits) -> Self {
        Self { table: Cgroups::new(limits), now: 0 }
    }

    fn tell(&mut self, happened: Happened, hierarchy: u32, id: u64, parent_id: u64, path: &[u8]) {
        self.now += 1;
        let record = self.record(happened, hierarchy, id, parent_id, path);
        self.table.apply(&record);
    }

    fn record<'a>(
        &self,
        happened: Happened,
        hierarchy: u32,
        id: u64,
        parent_id: u64,
        path: &'a [u8],
    ) -> Record<'a> {
        Record {
            time: Timestamp(self.now),
            process: None,
            happened,
            id,
            hierarchy,
            parent_id: Some(parent_id),
            level: 1,
            path,
            path_truncated: path.len() >= 1023,
        }
    }

    /// A walk meets a cgroup.
    fn meet(&mut self, hierarchy: u32, id: u64, parent_id: Option<u64>, pattern: &str) {
        self.now += 1;
        let path = path(pattern);
        let record = self.record(Happened::Running, hierarchy, id, 0, path.as_bytes());
        self.table.apply(&Record { parent_id, ..record });
    }

    fn begin_sweep(&mut self) {
        self.now += 1;
        self.table.begin_sweep(Timestamp(self.now));
    }

    fn end_sweep(&mut self) {
        self.now += 1;
        self.table.end_sweep(Timestamp(self.now));
    }

    fn make(&mut self, id: u64, parent_id: u64, pattern: &str) {
        self.tell(Happened::Mkdir, 0, id, parent_id, path(pattern).as_bytes());
    }

    fn id_of(&self, hierarchy: u32, id: u64) -> Option<&str> {
        self.table.container(hierarchy, id).map(|container| &*container.id)
    }
}

#[test]
fn a_cgroup_belongs_to_the_nearest_container_above() {
    let mut feed = Feed::new(Limits::default());
    feed.make(1, 0, "/");
    feed.make(2, 1, "/docker");
    feed.make(3, 2, "/docker/<A>");
    feed.make(4, 3, "/docker/<A>/init");
    feed.make(5, 4, "/docker/<A>/init/pod<uid>");
    feed.make(6, 5, "/docker/<A>/init/pod<uid>/<B>");
    let found: Vec<_> = (1..=7).map(|id| feed.id_of(0, id)).collect();
    assert_eq!(found, [None, None, Some(A), Some(A), Some(A), Some(B), None]);
    let inner = feed.table.container(0, 6).unwrap();
    assert_eq!(feed.table.by_number(inner.outer.unwrap()).unwrap().id.as_ref(), A);
    assert_eq!(feed.table.get(0, 4).unwrap().path, path("/docker/<A>/init").as_bytes());
    assert!(feed.table.get(0, 2).unwrap().container.is_none() && feed.table.get(0, 99).is_none());
}

#[test]
fn a_cgroup_whose_parent_was_missed_is_placed_by_its_path() {
    let mut feed = Feed::new(Limits::default());
    feed.make(10, 9, "/docker/<A>/kubelet/kubepods/pod<uid>/<B>/deep/er");
    assert_eq!(feed.id_of(0, 10), Some(B));
    feed.make(3, 2, "/docker/<A>");
    let outer = feed.table.container(0, 10).unwrap().outer;
    assert_eq!(outer, feed.table.container(0, 3).map(|container| container.number));
    assert_eq!(feed.table.counts().containers, 2);
}

#[test]
fn one_container_has_one_number_in_all_hierarchies_and_ids_do_not_mix() {
    let mut feed = Feed::new(Limits::default());
    feed.tell(Happened::Mkdir, 0, 7, 1, path("/docker/<A>").as_bytes());
    feed.tell(Happened::Mkdir, 8, 7, 1, path("/docker/<B>").as_bytes());
    feed.tell(Happened::Mkdir, 8, 9, 1, path("/docker/<A>").as_bytes());
    assert_eq!((feed.id_of(0, 7), feed.id_of(8, 7)), (Some(A), Some(B)));
    assert_eq!(feed.table.container(0, 7), feed.table.container(8, 9));
    assert_eq!(feed.table.counts().containers, 2);
}

#[test]
fn nobody_can_pose_as_a_neighbour() {
    let mut feed = Feed::new(Limits::default());
    feed.make(3, 2, "/docker/<A>");
    feed.make(4, 2, "/docker/<B>");
    feed.make(5, 4, "/docker/<B>/docker-<A>.scope");
    let (victim, fake) = (feed.table.container(0, 3).unwrap(), feed.table.container(0, 5).unwrap());
    assert_eq!((victim.id.as_ref(), fake.id.as_ref()), (A, A));
    assert_ne!(victim.number, fake.number);
    assert_eq!(fake.outermost, feed.table.container(0, 4).unwrap().number);
}

#[test]
fn a_number_is_given_anew_only_after_late_records_have_drained() {
    let mut feed = Feed::new(Limits::default());
    feed.make(3, 2, "/docker/<A>");
    let first = feed.table.container(0, 3).unwrap().number;
    feed.tell(Happened::Rmdir, 0, 3, 2, path("/docker/<A>").as_bytes());
    let removed = feed.now;
    // A late record, and one of release, find it still.
    feed.tell(Happened::Release, 0, 3, 2, path("/docker/<A>").as_bytes());
    feed.table.advance(Timestamp(removed - 1));
    assert!(feed.table.get(0, 3).unwrap().is_removed);
    feed.make(4, 2, "/docker/<B>");
    assert_ne!(feed.table.container(0, 4).unwrap().number, first);
    feed.table.advance(Timestamp(removed));
    assert_eq!(feed.table.get(0, 3), None);
    feed.make(5, 2, &format!("/docker/{}", "c".repeat(64)));
    assert_eq!(feed.table.container(0, 5).unwrap().number, first);
    // Who looked at start was slower than the record of the removal.
    feed.tell(Happened::Rmdir, 0, 4, 2, b"");
    feed.tell(Happened::Running, 0, 4, 2, path("/docker/<B>").as_bytes());
    assert!(feed.table.get(0, 4).unwrap().is_removed);
}

#[test]
fn a_rename_moves_what_is_below() {
    let mut feed = Feed::new(Limits::default());
    feed.make(2, 1, "/docker/new");
    feed.make(3, 2, "/docker/new/init");
    feed.make(4, 1, "/docker/news");
    feed.tell(Happened::Rename, 0, 2, 1, path("/docker/<A>").as_bytes());
    assert_eq!((feed.id_of(0, 2), feed.id_of(0, 3), feed.id_of(0, 4)), (Some(A), Some(A), None));
    assert_eq!(feed.table.get(0, 3).unwrap().path, path("/docker/<A>/init").as_bytes());
    feed.tell(Happened::Rename, 0, 2, 1, b"/docker/old");
    assert_eq!((feed.id_of(0, 3), feed.table.counts().containers), (None, 0));
}

#[test]
fn deep_long_and_strange_cgroups_do_no_harm() {
    let mut feed = Feed::new(Limits::default());
    let mut text = path("/docker/<A>").into_bytes();
    feed.tell(Happened::Mkdir, 0, 1000, 1, &text);
    for id in 1001..1101 {
        text.extend_from_slice(b"/\xff\xfe\x1b[2J");
        text.extend_from_slice(&[b'x'; 240]);
        // As the kernel cuts it.
        feed.tell(Happened::Mkdir, 0, id, id - 1, &text[..text.len().min(1023)]);
        assert_eq!(feed.id_of(0, id), Some(A));
    }
    feed.tell(Happened::Running, 0, 2000, 1, &[b'/'; 65_536]);
    feed.tell(Happened::Running, 0, 2001, 1, path("/docker/<B>").repeat(900).as_bytes());
    let counts = feed.table.counts();
    assert!(counts.bytes < 200_000 && counts.containers < 20, "{counts:?}");
    for id in 1000..2002 {
        feed.tell(Happened::Rmdir, 0, id, 1, b"");
    }
    feed.table.advance(Timestamp(feed.now));
    assert_eq!(feed.table.counts(), Counts::default());
}

#[test]
fn who_makes_too_many_loses_their_own() {
    for limits in [
        Limits { cgroups: 1000, bytes: usize::MAX },
        Limits { cgroups: usize::MAX, bytes: 400_000 },
    ] {
        let mut feed = Feed::new(limits);
        for id in 0..100 {
            feed.make(id + 2, 1, &format!("/docker/{id:064x}"));
        }
        for id in 0..20_000 {
            feed.make(id + 1000, 2, &format!("/docker/{:064x}/own-{id}", 0));
            let counts = feed.table.counts();
            assert!(counts.cgroups <= limits.cgroups && counts.bytes <= limits.bytes, "{counts:?}");
        }
        for id in 0..100 {
            assert_eq!(feed.id_of(0, id + 2), Some(format!("{id:064x}").as_str()));
        }
        let counts = feed.table.counts();
        assert_eq!(counts.evicted, 20_100 - counts.cgroups as u64);
        // Removed ones go first.
        feed.tell(Happened::Rmdir, 0, 50, 1, b"");
        while feed.table.counts().evicted == counts.evicted {
            let id = feed.now + 100_000;
            feed.make(id, 1, &format!("/other/{id}"));
        }
        assert_eq!(feed.table.get(0, 50), None);
    }
}

#[test]
fn five_hundred_short_containers_a_second_leave_nothing_behind() {
    let mut feed = Feed::new(Limits::default());
    let mut highest = Counts::default();
    for round in 0..300_000_u64 {
        let name = format!("/kubepods/pod{UID}/{round:064x}");
        feed.make(round + 10, 1, &name);
        feed.tell(Happened::Rmdir, 0, round + 10, 1, name.as_bytes());
        feed.table.advance(Timestamp(feed.now.saturating_sub(1000)));
        let counts = feed.table.counts();
        highest.bytes = highest.bytes.max(counts.bytes);
        highest.containers = highest.containers.max(counts.containers);
    }
    assert_eq!((highest.containers, feed.table.counts().evicted), (500, 0));
    assert!(highest.bytes < 1 << 20, "{highest:?}");
}

#[test]
fn a_task_of_containerd_is_a_container_where_somebody_knows_of_it() {
    let mut feed = Feed::new(Limits::default());
    let tasks = |namespace: &str, name: &str| (namespace, name) == ("default", "web");
    feed.table.ask(Tasks::new(tasks));
    feed.make(2, 1, "/default");
    feed.make(3, 2, "/default/web");
    feed.make(4, 3, "/default/web/worker");
    feed.make(5, 2, "/default/other");
    // Met below it at first, and within another container.
    feed.make(13, 12, "/default/web/worker/deep");
    feed.make(20, 1, "/docker/<A>");
    feed.make(21, 20, "/docker/<A>/default");
    feed.make(22, 21, "/docker/<A>/default/web");
    let id = |cgroup| feed.id_of(0, cgroup);
    assert_eq!([id(2), id(3), id(4), id(5)], [None, Some("web"), Some("web"), None]);
    assert_eq!([id(13), id(22)], [Some("web"), Some(A)]);
    assert_eq!(feed.table.container(0, 3).unwrap().runtime, Runtime::Containerd);
    assert_eq!(feed.table.counts().containers, 2);
    // Units of systemd are not asked about.
    feed.table.ask(Tasks::new(|_, _| true));
    feed.make(30, 1, "/system.slice/ssh.service");
    feed.make(31, 1, "/user.slice");
    assert_eq!([feed.id_of(0, 30), feed.id_of(0, 31)], [None, None]);
}
