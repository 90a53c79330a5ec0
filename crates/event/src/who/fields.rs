//! The fields that every record may have beside its own.

use std::net::SocketAddr;

use super::{Container, Described, Parent, Peer, Pod, Service, Who, Workload};

crate::fields! {
    /// The parent.
    pub struct ParentFields(parent: &Parent<'_>) = [] {
        "parent.pid", "PARENT_PID", 7, Json, Number(parent.pid),
        "Process id of the parent in the initial pid namespace";
        "parent.comm", "PARENT_COMM", 15, Wide, Bytes(parent.comm.as_bytes()),
        "Name of the parent, that of the thread-group leader (15 bytes at most)";
        "parent.exe", "PARENT_EXE", 24, Json, Bytes(parent.executable),
        "File that the parent ran at that time";
        "parent.start_time", "PARENT_START", 30, Json, Time(parent.start_time),
        "Start of the parent, the same on every record of one run";
        "parent.start_boottime_ns", "PARENT_START_BOOTTIME", 20, Json, Big(parent.start_boottime_ns),
        "Start of the parent on CLOCK_BOOTTIME; with the pid it names one process";
    }
}

crate::fields! {
    /// Where a connection went, within the object of the connection.
    pub struct BackendFields(backend: &SocketAddr) = [] {
        "connection.backend.address", "BACKEND_ADDRESS", 15, Wide,
        Address(backend.ip().to_canonical()),
        "Address that the connection reached, where the dialled one was translated on the way";
        "connection.backend.port", "BACKEND_PORT", 12, Wide, Number(backend.port()),
        "Port that the connection reached there";
    }
}

crate::fields! {
    /// The container.
    pub struct ContainerFields(container: &Container<'_>) = [] {
        "container.name", "CONTAINER", 16, Table, Bytes(container.name.map(str::as_bytes)),
        "Name of the container in its pod";
        "container.id", "CONTAINER_ID", 12, Wide, Bytes(container.id.as_bytes()),
        "Id that the runtime gave to the container";
        "container.runtime", "RUNTIME", 10, Json, Word(container.runtime),
        "Who made the container: `containerd`, `cri-o`, `docker`, …";
        "container.image", "IMAGE", 30, Wide, Bytes(container.image.map(str::as_bytes)),
        "Image of the container as it was asked for";
        "container.is_sandbox", "SANDBOX", 7, Json, Bool(container.is_sandbox.then_some(true)),
        "It is the sandbox of its pod (pause); absent for others";
    }
}

/// A pod and its workload, of either end.
macro_rules! pod_fields {
    (
        $(#[$attribute:meta])*
        $pod:ident, $workload:ident, $before:literal, $title:literal, $whose:literal, $shown:ident
    ) => {
        crate::fields! {
            $(#[$attribute])*
            pub struct $pod(pod: &Pod<'_>) = [] {
                concat!($before, "pod.namespace"), concat!($title, "NAMESPACE"), 12, $shown,
                Bytes(pod.namespace.map(str::as_bytes)), concat!("Namespace of the pod", $whose);
                concat!($before, "pod.name"), concat!($title, "POD"), 30, $shown,
                Bytes(pod.name.map(str::as_bytes)), concat!("Name of the pod", $whose);
                concat!($before, "pod.uid"), concat!($title, "POD_UID"), 36, Json,
                Bytes(pod.uid.map(str::as_bytes)), concat!("Uid of the pod", $whose);
                concat!($before, "pod.labels"), concat!($title, "LABELS"), 30, Json,
                Pairs(pod.labels.filter(|labels| !labels.is_empty())), concat!("Labels of the pod", $whose);
            }
        }

        crate::fields! {
            /// What a pod belongs to.
            pub struct $workload(workload: &Workload<'_>) = [] {
                concat!($before, "workload.kind"), concat!($title, "WORKLOAD_KIND"), 12, Json,
                Bytes(workload.kind.as_bytes()),
                concat!("What the pod", $whose, " belongs to: `Deployment`, `DaemonSet`, `CronJob`, …");
                concat!($before, "workload.name"), concat!($title, "WORKLOAD"), 20, Wide,
                Bytes(workload.name.as_bytes()), concat!("Name of the workload", $whose);
            }
        }
    };
}

pod_fields! {
    /// The pod.
    PodFields, WorkloadFields, "", "", "", Table
}
pod_fields! {
    /// The pod at the other end.
    PeerPodFields, PeerWorkloadFields, "peer_", "PEER_", " at the other end", Wide
}

crate::fields! {
    /// The service at the other end.
    pub struct PeerServiceFields(service: &Service<'_>) = [] {
        "peer_service.namespace", "PEER_SERVICE_NAMESPACE", 12, Json,
        Bytes(service.namespace.as_bytes()), "Namespace of the service that was dialled";
        "peer_service.name", "PEER_SERVICE", 20, Wide, Bytes(service.name.as_bytes()),
        "Name of the service that was dialled";
        "peer_service.port", "PEER_SERVICE_PORT", 8, Json,
        Bytes(service.port.map(str::as_bytes)), "Name of the service's port";
    }
}

crate::fields! {
    /// The other end.
    pub struct PeerFields(peer: &Peer<'_>) = [
        PeerPodFields(peer.pod.as_ref()),
        PeerWorkloadFields(peer.workload.as_ref()),
        PeerServiceFields(peer.service.as_ref())
    ] {
        "peer_node", "PEER_NODE", 20, Json, Bytes(peer.node.map(str::as_bytes)),
        "Node that has the address at the other end, or that its pod is on";
        "peer_name", "PEER_NAME", 30, Wide, Bytes(peer.name.map(str::as_bytes)),
        "Name that was resolved to the address at the other end just before";
        "peer_entity", "PEER_ENTITY", 12, Json, Bytes(peer.entity.map(str::as_bytes)),
        "What the other end is where it is no pod: `host`, `remote-node`, `kube-apiserver`, `world`";
    }
}

crate::fields! {
    /// Who did it.
    pub struct WhoFields(who: &Who<'_>) = [
        ParentFields(who.parent.as_ref()),
        PodFields(who.pod.as_ref()),
        ContainerFields(who.container.as_ref()),
        WorkloadFields(who.workload.as_ref()),
        PeerFields(&who.peer)
    ] {
        "identity", "IDENTITY", 8, Json, Word(who.is_pending.then_some("pending")),
        "`pending`: the runtime has not described the container yet";
    }
}

crate::record! {
    /// The runtime said what a container is whose records were passed on as pending
    pub static CONTAINER_DESCRIBED: Kind = ("identity", "container_described");
    pub(super) struct DescribedFields(described: &Described) = [] {
        "pending_records", "PENDING", 7, Table, Number(described.pending_records),
        "Records of the container that were passed on as pending before";
    }
}
