//! Nodes that do not exist, and what is said of each.

use std::collections::BTreeMap;

use super::examine;
use crate::capabilities::{self, Need};
use crate::node::{
    Certificate, Cluster, HookTrial, HubbleServer, HubbleSettings, HubbleSetup, HubbleState,
    Kernel, Mount, Node, OtherProgram, Port, Trial,
};
use crate::{Check, Finding, Grade, Problem};

const ALL: u64 = (1 << 41) - 1;
const NOW: i64 = 1_800_000_000;

/// A node on which all is well.
fn sound() -> Node {
    let settings: BTreeMap<_, _> = [
        ("kernel.unprivileged_bpf_disabled", Ok(2)),
        ("kernel.perf_event_paranoid", Ok(2)),
        ("kernel.kptr_restrict", Ok(1)),
        ("net.core.bpf_jit_enable", Ok(1)),
        ("kernel.bpf_stats_enabled", Ok(0)),
    ]
    .into();
    let mount = |filesystem: &str, point: &str| Mount {
        filesystem: filesystem.to_owned(),
        point: point.to_owned(),
    };
    let hook =
        HookTrial { hook: "state", verdict: "active", rung: Some("tp_btf"), refused: vec![] };
    Node {
        kernel: Kernel { release: "6.12.1".to_owned(), version_line: String::new() },
        capabilities: ALL,
        memlock_bytes: Ok(Some(8 << 20)),
        btf: Ok(()),
        has_ring_buffer: Ok(true),
        settings,
        lockdown: Ok("[none] integrity confidentiality".to_owned()),
        lsm: Ok("capability,bpf".to_owned()),
        mounts: Ok(vec![
            mount("cgroup2", "/sys/fs/cgroup"),
            mount("tracefs", "/sys/kernel/tracing"),
        ]),
        clock_source: Ok("tsc".to_owned()),
        cpus: 4,
        ring_bytes: 2 << 20,
        signals: vec![Trial {
            signal: "tcp",
            is_default: true,
            outcome: Ok(vec![hook]),
            verified_instructions: vec![("state_btf".to_owned(), 900)],
        }],
        other_programs: Ok(vec![]),
        runtime: Ok(("containerd 2.1".to_owned(), "/run/containerd/containerd.sock".to_owned())),
        cluster: Cluster::NotNamed,
        ports: vec![],
        hubble: vec![],
        hubble_setup: HubbleSetup::NotAsked,
        certificates: vec![],
        now: NOW,
    }
}

fn needs(node: &Node) -> Vec<Need> {
    let capabilities: &[&str] = &["CAP_BPF", "CAP_PERFMON"];
    capabilities::needs(&[("tcp", capabilities)], &node.kernel, true)
}

/// What is said about this check, where it is graver than a note.
fn graver(node: &Node, check: Check) -> Vec<Finding> {
    let findings = examine(node, &needs(node)).findings.into_iter();
    findings.filter(|finding| finding.check == check && finding.grade > Grade::Note).collect()
}

fn only(node: &Node, check: Check) -> (Grade, String) {
    let mut found = graver(node, check);
    assert_eq!(found.len(), 1, "{found:?}");
    let found = found.remove(0);
    assert!(found.next.is_some(), "it says what to do: {found:?}");
    (found.grade, found.says)
}

#[test]
fn of_a_sound_node_nothing_is_graver_than_a_note() {
    let node = sound();
    let report = examine(&node, &needs(&node));
    assert!(report.worst() <= Grade::Note, "{report:#?}");
    assert_eq!(report.exit_code(), 0);
}

#[test]
fn a_kernel_without_types_fails() {
    let node = Node { btf: Err("it publishes none".to_owned()), ..sound() };
    assert_eq!(only(&node, Check::BTF), (Grade::Failed, "it publishes none".to_owned()));
    assert_eq!(examine(&node, &needs(&node)).exit_code(), 1);
}

#[test]
fn each_missing_capability_is_named_with_what_needs_it() {
    let node = Node { capabilities: ALL & !(1 << 38) & !(1 << 21), ..sound() };
    let (grade, says) = only(&node, Check::CAPABILITIES);
    assert_eq!((grade, says.as_str()), (Grade::Failed, "missing; needed by tcp"));
}

#[test]
fn the_limit_on_locked_memory_matters_on_old_kernels_that_may_not_raise_it() {
    let old = |capabilities, memlock_bytes| Node {
        kernel: Kernel { release: "5.10.0".to_owned(), ..Kernel::default() },
        capabilities,
        memlock_bytes,
        ..sound()
    };
    let without_resource = ALL & !(1 << 24);
    let low = Ok(Some(64 << 10));
    assert_eq!(only(&old(without_resource, low.clone()), Check::MEMLOCK).0, Grade::Failed);
    assert_eq!(graver(&old(ALL, low.clone()), Check::MEMLOCK), []);
    assert_eq!(graver(&old(without_resource, Ok(None)), Check::MEMLOCK), []);
    let new = Node { capabilities: without_resource, memlock_bytes: low, ..sound() };
    assert_eq!(graver(&new, Check::MEMLOCK), []);
}

#[test]
fn kernels_that_come_to_harm_or_are_not_proven_are_told_of() {
    let of = |release: &str| Node {
        kernel: Kernel { release: release.to_owned(), ..Kernel::default() },
        ..sound()
    };
    assert_eq!(only(&of("6.0.5"), Check::KERNEL).0, Grade::Warning);
    assert_eq!(only(&of("5.4.0"), Check::KERNEL).0, Grade::Warning);
    assert!(examine(&of("4.19.0"), &[]).exit_code() == 1);
    assert_eq!(graver(&of("6.1.0"), Check::KERNEL), []);
}

#[test]
fn lockdown_for_confidentiality_fails_and_for_integrity_does_not() {
    let with = |text: &str| Node { lockdown: Ok(text.to_owned()), ..sound() };
    assert_eq!(only(&with("none integrity [confidentiality]"), Check::LOCKDOWN).0, Grade::Failed);
    assert_eq!(graver(&with("none [integrity] confidentiality"), Check::LOCKDOWN), []);
}

#[test]
fn settings_that_hinder_are_told_of_with_what_sets_them_right() {
    let with = |name, value| {
        let mut node = sound();
        node.settings.insert(name, Ok(value));
        node.capabilities &= !(1 << 21);
        node
    };
    assert_eq!(only(&with("net.core.bpf_jit_enable", 0), Check::JIT).0, Grade::Warning);
    let paranoid = with("kernel.perf_event_paranoid", 4);
    assert_eq!(only(&paranoid, Check::PERF_EVENT_PARANOID).0, Grade::Warning);
    let paranoid = Node { capabilities: ALL, ..paranoid };
    assert_eq!(graver(&paranoid, Check::PERF_EVENT_PARANOID), []);
}

#[test]
fn a_hook_that_failed_is_graver_in_a_signal_that_is_on() {
    let with = |is_default, verdict, refused: &str| {
        let hook =
            HookTrial { hook: "state", verdict, rung: None, refused: vec![refused.to_owned()] };
        let trial = Trial {
            signal: "tcp",
            is_default,
            outcome: Ok(vec![hook]),
            verified_instructions: vec![],
        };
        Node { signals: vec![trial], ..sound() }
    };
    let words = "tp_btf refused at load: no such type";
    let node = with(true, "failed", words);
    assert_eq!(only(&node, Check::LADDER), (Grade::Failed, format!("failed: {words}")));
    assert_eq!(only(&with(false, "failed", words), Check::LADDER).0, Grade::Warning);
    assert_eq!(only(&with(true, "unsupported", words), Check::LADDER).0, Grade::Warning);
    assert_eq!(graver(&with(true, "off", words), Check::LADDER), []);
}

#[test]
fn a_signal_that_does_not_load_tells_its_own_problem() {
    let problem =
        Problem::new(Check::RING, "cannot load signal tcp", "no memory", "--ring-size 256k");
    let trial = Trial {
        signal: "tcp",
        is_default: true,
        outcome: Err(problem),
        verified_instructions: vec![],
    };
    let node = Node { signals: vec![trial], ..sound() };
    assert_eq!(
        only(&node, Check::RING),
        (Grade::Failed, "cannot load signal tcp: no memory".to_owned())
    );
}

#[test]
fn a_program_near_the_verifiers_limit_is_told_of() {
    let mut node = sound();
    node.signals[0].verified_instructions.push(("large".to_owned(), 700_000));
    let (grade, says) = only(&node, Check::COMPLEXITY);
    assert!(
        grade == Grade::Warning && says.contains("large of tcp") && says.contains("70.0 %"),
        "{says}"
    );
}

#[test]
fn others_on_the_same_hooks_are_named() {
    let other = |name: &str| OtherProgram { name: name.to_owned(), place: "cgroup".to_owned() };
    let node = Node { other_programs: Ok(vec![other("cil_sock4"), other("x")]), ..sound() };
    let report = examine(&node, &[]);
    let found = report.findings.iter().find(|found| found.check == Check::OTHER_PROGRAMS).unwrap();
    assert!(
        found.grade == Grade::Note && found.says.starts_with("cgroup: cil_sock4, x"),
        "{found:?}"
    );
}

#[test]
fn what_may_not_be_asked_of_a_cluster_is_a_warning_and_no_answer_a_failure() {
    let may = vec![
        ("list".to_owned(), "pods".to_owned(), Ok(true)),
        ("watch".to_owned(), "pods".to_owned(), Ok(false)),
    ];
    let answered = Cluster::Answered { server: "https://x".to_owned(), may };
    let node = Node { cluster: answered, ..sound() };
    assert_eq!(only(&node, Check::CLUSTER), (Grade::Warning, "no".to_owned()));
    let cluster = Cluster::Unreachable { why: "refused".to_owned(), next: "start it".to_owned() };
    assert_eq!(only(&Node { cluster, ..sound() }, Check::CLUSTER).0, Grade::Failed);
}

#[test]
fn a_port_that_is_taken_is_a_note() {
    let port = Port {
        address: "127.0.0.1:9965".to_owned(),
        purpose: "state and metrics",
        free: Err("Address already in use".to_owned()),
    };
    let node = Node { ports: vec![port], ..sound() };
    assert_eq!(graver(&node, Check::PORT), []);
    let report = examine(&node, &[]);
    assert!(
        report
            .findings
            .iter()
            .any(|found| found.check == Check::PORT && found.grade == Grade::Note)
    );
}

#[test]
fn a_server_of_hubbles_that_has_nothing_to_serve_is_told_of() {
    let server = |state| HubbleServer { address: "x:4245".to_owned(), whose: "a relay", state };
    let absent = HubbleState::Absent("refused".to_owned());
    let node = |states: Vec<HubbleState>| Node {
        hubble: states.into_iter().map(server).collect(),
        ..sound()
    };
    let not_serving = HubbleState::NotServing("NOT_SERVING".to_owned());
    let found = only(&node(vec![absent.clone(), not_serving]), Check::HUBBLE_NOT_READY);
    assert_eq!(found.0, Grade::Warning);
    assert_eq!(graver(&node(vec![absent.clone(), HubbleState::Serving]), Check::HUBBLE), []);
    assert_eq!(graver(&node(vec![absent]), Check::HUBBLE), []);
}

/// A Hubble with everything.
fn whole_hubble() -> HubbleSettings {
    HubbleSettings {
        is_enabled: true,
        listens: true,
        has_tls: true,
        metrics: Some("dns drop".to_owned()),
        relay: Ok(Some(1)),
        has_peers: Ok(true),
    }
}

/// What is graver than fine of this setup: subject and words.
fn of_setup(settings: HubbleSettings) -> Vec<(Grade, String, String)> {
    let hubble_setup = HubbleSetup::Installed { namespace: "kube-system".to_owned(), settings };
    let node = Node { hubble_setup, ..sound() };
    let checks = [Check::HUBBLE_SETUP, Check::HUBBLE_NOT_READY];
    let findings = examine(&node, &[]).findings.into_iter();
    let graver = findings.filter(|it| checks.contains(&it.check) && it.grade > Grade::Fine);
    graver.map(|found| (found.grade, found.subject, found.says)).collect()
}

#[test]
fn a_hubble_that_is_only_enabled_shows_its_flows_to_nobody() {
    assert_eq!(of_setup(whole_hubble()), []);
    let only_enabled = HubbleSettings {
        listens: false,
        metrics: None,
        relay: Ok(None),
        has_peers: Ok(false),
        ..whole_hubble()
    };
    let found = of_setup(only_enabled);
    assert_eq!((found[0].0, found[0].1.as_str()), (Grade::Warning, "Hubble's relay"));
    assert!(found[0].2.starts_with("not installed: flows are seen on each node's own socket"));
    assert_eq!((found[1].0, found[1].1.as_str()), (Grade::Note, "Hubble's metrics"));
    assert_eq!(found.len(), 2);
}

#[test]
fn each_part_of_a_hubble_that_is_missing_is_named() {
    let off = of_setup(HubbleSettings { is_enabled: false, ..whole_hubble() });
    assert!(off.len() == 1 && off[0].0 == Grade::Note && off[0].2.starts_with("off"), "{off:?}");
    for (settings, grade, says) in [
        (
            HubbleSettings { listens: false, ..whole_hubble() },
            Grade::Warning,
            "hubble-listen-address",
        ),
        (
            HubbleSettings { relay: Ok(Some(0)), ..whole_hubble() },
            Grade::Warning,
            "none of its pods is ready",
        ),
        (HubbleSettings { has_peers: Ok(false), ..whole_hubble() }, Grade::Warning, "hubble-peer"),
        (HubbleSettings { has_tls: false, ..whole_hubble() }, Grade::Note, "hubble-disable-tls"),
        (
            HubbleSettings { relay: Err("forbidden".to_owned()), ..whole_hubble() },
            Grade::Note,
            "forbidden",
        ),
    ] {
        let found = of_setup(settings);
        assert!(
            found.len() == 1 && found[0].0 == grade && found[0].2.contains(says),
            "{says}: {found:?}"
        );
    }
}

#[test]
fn a_certificate_is_graver_the_nearer_its_end() {
    let with = |expires| Certificate { place: "tls.crt".to_owned(), whose: "the agent", expires };
    let node = |expires| Node { certificates: vec![with(expires)], ..sound() };
    let day = 86_400;
    assert_eq!(graver(&node(Ok(NOW + 90 * day)), Check::CERTIFICATES), []);
    let soon = only(&node(Ok(NOW + 3 * day + 5)), Check::CERTIFICATES);
    assert_eq!(soon, (Grade::Warning, "tls.crt: 3 days left".to_owned()));
    let over = only(&node(Ok(NOW - 1)), Check::CERTIFICATES);
    assert_eq!(over, (Grade::Failed, "tls.crt: expired 1 days ago".to_owned()));
    assert_eq!(only(&node(Err("no such file".to_owned())), Check::CERTIFICATES).0, Grade::Failed);
}
