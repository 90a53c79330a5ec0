//! `container.*` and `k8s.*`: of what a runtime described, and of what nobody did.

use std::net::IpAddr;

use chandra_event::bounded::Text;
use chandra_event::who::{ContainerDetails, HostNamespaces, Mount, Propagation};

use super::*;
use crate::catalogue::{self, ContainerField, KubernetesField};

const ADDRESS: [IpAddr; 1] = [IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3))];

fn mount(host: &str, container: &str, read_only: bool) -> Mount {
    Mount {
        host_path: Text::new(host),
        container_path: Text::new(container),
        read_only,
        propagation: if read_only { Propagation::Slave } else { Propagation::Private },
    }
}

fn details() -> ContainerDetails {
    ContainerDetails {
        image_id: Text::new("sha256:0123456789abcdef0123"),
        image_reference: Text::new("docker.io/library/nginx@sha256:feed"),
        started_at_ns: Some(1000 * SECOND),
        labels: Some(Pairs::collect([(&b"tier"[..], &b"front"[..])])),
        privileged: Some(true),
        mounts: Some(vec![mount("/proc", "/host/proc", true), mount("/var/data", "/data", false)]),
        mounts_omitted: 0,
        host_namespaces: HostNamespaces { pid: Some(false), network: None, ipc: None },
    }
}

fn described<'a>(labels: &'a Pairs, details: &'a ContainerDetails) -> Who<'a> {
    let mut who = somebody(labels);
    who.container = who.container.map(|it| Container { details: Some(details), ..it });
    who.pod = who.pod.map(|pod| Pod {
        sandbox: Some("5a4db0c5000000ff"),
        addresses: Some(&ADDRESS),
        host_namespaces: HostNamespaces { pid: Some(true), network: Some(false), ipc: None },
        network_json: Some("{\"Interfaces\":{}}"),
        ..pod
    });
    who
}

#[test]
fn a_container_answers_for_what_it_is_made_of() {
    let (exec, labels, lineage, node, details) = (exec(), labels(), lineage(), node(), details());
    let who = described(&labels, &details);
    let facts = RecordFacts::new(&exec, 3, &who, &lineage, &node).unwrap();
    check(
        &facts,
        &[
            "container.privileged = true and not container.privileged = false",
            "container.mount.dest[/proc*] != \"N/A\" and container.mount.dest[/proc] = /host/proc",
            "not container.mount.dest[/pro] exists and not container.mount.dest[/etc*] != \"N/A\"",
            "container.mount.source[/data] = /var/data and not container.mount.source[/var/data] exists",
            "container.mount.source[1] = /var/data and not container.mount[2] exists",
            "container.mount[0] = /proc:/host/proc:ro:false:rslave",
            "container.mount.mode[/proc] = ro and container.mount.rdwr[/var/*] = true",
            "container.mount.propagation[0] = rslave and container.mount.propagation[1] = private",
            "container.mounts contains /var/data:/data:rw:true:private and not container.mounts contains docker.sock",
            "container.image.id = 0123456789ab and container.image.digest = sha256:feed",
            "container.ip = 10.1.2.3 and not container.ip = 10.1.2.4 and k8s.pod.ip startswith 10.1.",
            "container.start_ts = 1000000000000 and container.duration = 2000000005",
            "container.label[tier] = front and not container.label[app] exists",
            // Its own word before that of its pod, whose namespace it may have joined.
            "container.host_pid = false and container.host_network = false",
            "container.cni.json contains Interfaces and k8s.pod.cni.json contains Interfaces",
            "k8s.pod.sandbox_id = 5a4db0c50000 and k8s.pod.full_sandbox_id endswith ff and k8s.pod.id = u-1",
        ],
        &[
            (
                "%container.mounts",
                "/proc:/host/proc:ro:false:rslave /var/data:/data:rw:true:private",
            ),
            ("%container.labels", "tier:front"),
            ("%container.privileged", "true"),
            ("%container.mount.dest[/etc]", "<NA>"),
            // Neither of them says.
            ("%container.host_ipc", "<NA>"),
        ],
    );
}

#[test]
fn what_is_not_known_of_a_container_is_unknown_and_of_the_host_is_not_there() {
    let (exec, labels, lineage, node) = (exec(), labels(), lineage(), node());
    let who = somebody(&labels);
    let in_container = RecordFacts::new(&exec, 3, &who, &lineage, &node).unwrap();
    let nobody = Who::default();
    let on_host = RecordFacts::new(&exec, 3, &nobody, &lineage, &node).unwrap();
    let of_details = [
        ContainerField::Privileged,
        ContainerField::Mounts,
        ContainerField::ImageId,
        ContainerField::ImageDigest,
        ContainerField::Ip,
        ContainerField::NetworkJson,
        ContainerField::StartTime,
        ContainerField::Duration,
        ContainerField::Labels,
        ContainerField::HostPid,
        ContainerField::HostNetwork,
        ContainerField::HostIpc,
    ];
    for field in of_details.map(FieldId::Container) {
        assert_eq!(in_container.value(field, &Argument::None), Value::Unknown, "{field:?}");
        assert_eq!(on_host.value(field, &Argument::None), Value::Absent, "{field:?}");
    }
    for field in [KubernetesField::SandboxId, KubernetesField::PodIp].map(FieldId::Kubernetes) {
        assert_eq!(in_container.value(field, &Argument::None), Value::Unknown, "{field:?}");
        assert_eq!(on_host.value(field, &Argument::None), Value::Absent, "{field:?}");
    }
    let nothing = ContainerDetails::default();
    let who = described(&labels, &nothing);
    let facts = RecordFacts::new(&exec, 3, &who, &lineage, &node).unwrap();
    for field in [ContainerField::Privileged, ContainerField::Mounts, ContainerField::ImageId] {
        let field = FieldId::Container(field);
        assert_eq!(facts.value(field, &Argument::None), Value::Unknown, "{field:?}");
    }
}

#[test]
fn mounts_that_were_left_out_may_be_the_one_that_is_asked_for() {
    let (exec, labels, lineage, node) = (exec(), labels(), lineage(), node());
    let details = ContainerDetails { mounts_omitted: 1, ..details() };
    let who = described(&labels, &details);
    let facts = RecordFacts::new(&exec, 3, &who, &lineage, &node).unwrap();
    let value = |text: &str| {
        let spec = catalogue::field("container.mount.dest").unwrap();
        facts.value(spec.id, &Argument::Mount(crate::matching::MountChoice::new(text)))
    };
    assert_eq!(value("/var/data"), Value::Text(b"/data"));
    assert_eq!(value("/etc"), Value::Unknown);
    let all = FieldId::Container(ContainerField::Mounts);
    assert_eq!(facts.value(all, &Argument::None), Value::Unknown);
}

#[test]
fn a_pod_in_the_host_s_network_has_no_address_of_its_own() {
    let (exec, labels, lineage, node, details) = (exec(), labels(), lineage(), node(), details());
    let mut who = described(&labels, &details);
    who.pod = who.pod.map(|pod| Pod { addresses: Some(&[]), network_json: None, ..pod });
    let facts = RecordFacts::new(&exec, 3, &who, &lineage, &node).unwrap();
    check(&facts, &["not container.ip exists and not container.cni.json exists"], &[]);
}
