//! The messages of CRI v1 that are used, with the fields that are read.
//!
//! Invariants: numbers and types are those of the public `runtime.v1` package. Text from outside is
//! declared as bytes, which is the same on the wire: one label that is not UTF-8 must not make a whole
//! answer unreadable. A map is declared as its repeated entries, for the same reason. Fields that are
//! not declared cost nothing but their bytes in the answer: lists leave out labels and annotations.

/// An entry of a map of strings.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct VersionRequest {
    #[prost(string, tag = "1")]
    pub version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct VersionResponse {
    #[prost(bytes = "vec", tag = "2")]
    pub runtime_name: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub runtime_version: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub runtime_api_version: Vec<u8>,
}

/// A list of everything: no filter.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ListPodSandboxResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<PodSandbox>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PodSandbox {
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    #[prost(int32, tag = "3")]
    pub state: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ListContainersResponse {
    #[prost(message, repeated, tag = "1")]
    pub containers: Vec<Container>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Container {
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub pod_sandbox_id: Vec<u8>,
    #[prost(int32, tag = "6")]
    pub state: i32,
}

/// ListContainers of one id: says which sandbox it is in.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListContainersRequest {
    #[prost(message, optional, tag = "1")]
    pub filter: Option<ContainerFilter>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerFilter {
    #[prost(string, tag = "1")]
    pub id: String,
}

/// PodSandboxStatusRequest and ContainerStatusRequest, which are alike.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StatusRequest {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(bool, tag = "2")]
    pub verbose: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PodSandboxStatusResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<PodSandboxStatus>,
    #[prost(message, repeated, tag = "2")]
    pub info: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PodSandboxStatus {
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<PodSandboxMetadata>,
    #[prost(int32, tag = "3")]
    pub state: i32,
    #[prost(int64, tag = "4")]
    pub created_at: i64,
    #[prost(message, optional, tag = "5")]
    pub network: Option<PodSandboxNetworkStatus>,
    #[prost(message, optional, tag = "6")]
    pub linux: Option<LinuxPodSandboxStatus>,
    #[prost(message, repeated, tag = "7")]
    pub labels: Vec<Entry>,
    #[prost(message, repeated, tag = "8")]
    pub annotations: Vec<Entry>,
    #[prost(bytes = "vec", tag = "9")]
    pub runtime_handler: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PodSandboxMetadata {
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub uid: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub namespace: Vec<u8>,
    #[prost(uint32, tag = "4")]
    pub attempt: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PodSandboxNetworkStatus {
    #[prost(bytes = "vec", tag = "1")]
    pub ip: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    pub additional_ips: Vec<PodIp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PodIp {
    #[prost(bytes = "vec", tag = "1")]
    pub ip: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct LinuxPodSandboxStatus {
    #[prost(message, optional, tag = "1")]
    pub namespaces: Option<Namespace>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Namespace {
    #[prost(message, optional, tag = "2")]
    pub options: Option<NamespaceOption>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct NamespaceOption {
    #[prost(int32, tag = "1")]
    pub network: i32,
    #[prost(int32, tag = "2")]
    pub pid: i32,
    #[prost(int32, tag = "3")]
    pub ipc: i32,
}

/// The NamespaceMode that means the host's.
pub const NAMESPACE_OF_NODE: i32 = 2;
/// The PodSandboxState of one that is up; there is one other.
pub const SANDBOX_READY: i32 = 0;

#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerStatusResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<ContainerStatus>,
    #[prost(message, repeated, tag = "2")]
    pub info: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerStatus {
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<ContainerMetadata>,
    #[prost(int32, tag = "3")]
    pub state: i32,
    #[prost(int64, tag = "4")]
    pub created_at: i64,
    #[prost(int64, tag = "5")]
    pub started_at: i64,
    #[prost(message, optional, tag = "8")]
    pub image: Option<ImageSpec>,
    #[prost(bytes = "vec", tag = "9")]
    pub image_ref: Vec<u8>,
    #[prost(message, repeated, tag = "12")]
    pub labels: Vec<Entry>,
    #[prost(message, repeated, tag = "13")]
    pub annotations: Vec<Entry>,
    #[prost(message, repeated, tag = "14")]
    pub mounts: Vec<Mount>,
    /// Runtimes say it since CRI of Kubernetes 1.29.
    #[prost(bytes = "vec", tag = "17")]
    pub image_id: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerMetadata {
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub attempt: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ImageSpec {
    #[prost(bytes = "vec", tag = "1")]
    pub image: Vec<u8>,
    #[prost(bytes = "vec", tag = "18")]
    pub user_specified_image: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Mount {
    #[prost(bytes = "vec", tag = "1")]
    pub container_path: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub host_path: Vec<u8>,
    #[prost(bool, tag = "3")]
    pub readonly: bool,
    #[prost(int32, tag = "5")]
    pub propagation: i32,
}

/// The MountPropagation by which mounts of the host are seen in the container, and that in both directions.
pub const HOST_TO_CONTAINER: i32 = 1;
pub const BIDIRECTIONAL: i32 = 2;

/// GetEventsRequest.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventsRequest {}

/// What happened is not read: an event only says where to look.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerEventResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub container_id: Vec<u8>,
}

/// GetContainerRequest of `containerd.services.containers.v1`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetContainerRequest {
    #[prost(string, tag = "1")]
    pub id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct GetContainerResponse {
    #[prost(message, optional, tag = "1")]
    pub container: Option<ContainerOfContainerd>,
}

/// A container as containerd has it, whoever made it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerOfContainerd {
    #[prost(message, repeated, tag = "2")]
    pub labels: Vec<Entry>,
    #[prost(bytes = "vec", tag = "3")]
    pub image: Vec<u8>,
}
