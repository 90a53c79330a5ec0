//! The calls of CRI that run things, which Chandra never makes.
//!
//! Its own messages, so that a wrong field number there is not repeated here.

use std::path::Path;
use std::time::Duration;

use prost::Message;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

/// Labels or annotations, which need not be text.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Makes pairs of texts.
pub fn pairs(list: &[(&str, &str)]) -> Pairs {
    list.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

/// A pod to run.
#[derive(Debug, Clone, Default)]
pub struct Pod {
    /// Its name, namespace and uid.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid: unique among all pods.
    pub uid: String,
    /// Its labels.
    pub labels: Pairs,
    /// Its annotations.
    pub annotations: Pairs,
    /// It shares the host's network.
    pub host_network: bool,
    /// It shares the host's process ids.
    pub host_pid: bool,
    /// It may have privileged containers.
    pub privileged: bool,
}

impl Pod {
    /// One with this name in the namespace `test`.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: "test".to_owned(),
            uid: format!("uid-of-{name}"),
            ..Self::default()
        }
    }

    /// With these labels too.
    #[must_use]
    pub fn labels(mut self, list: &[(&str, &str)]) -> Self {
        self.labels.extend(pairs(list));
        self
    }

    /// With these annotations too.
    #[must_use]
    pub fn annotations(mut self, list: &[(&str, &str)]) -> Self {
        self.annotations.extend(pairs(list));
        self
    }
}

/// A container to run.
#[derive(Debug, Clone, Default)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// Its image; if none is said, BusyBox alone.
    pub image: Option<String>,
    /// How often it was made before in this pod.
    pub attempt: u32,
    /// What it runs instead of sleeping.
    pub command: Vec<String>,
    /// Its labels.
    pub labels: Pairs,
    /// Its annotations.
    pub annotations: Pairs,
    /// All rights.
    pub privileged: bool,
    /// Host path, container path, read-only.
    pub mounts: Vec<(String, String, bool)>,
    /// Its environment, beside that of its image.
    pub variables: Pairs,
    /// It is confined so; if it is not said, as containers usually are.
    pub confined: Option<Confined>,
}

/// Rights of a container, as a pod's security context has them.
#[derive(Debug, Clone, Default)]
pub struct Confined {
    /// Capabilities that it has, of all.
    pub capabilities: Vec<String>,
    /// Nothing in its root can be written.
    pub is_root_readonly: bool,
    /// What it executes gets no more rights.
    pub has_no_new_privileges: bool,
    /// The runtime's own seccomp profile, in place of none.
    pub has_seccomp: bool,
}

impl Container {
    /// One with this name that sleeps, or runs these words.
    pub fn named(name: &str, command: &[&str]) -> Self {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Self { name: name.to_owned(), command, ..Self::default() }
    }
}

/// A connection that makes the calls.
#[derive(Debug)]
pub struct Cri {
    tokio: tokio::runtime::Runtime,
    grpc: Grpc<Channel>,
    cgroup: String,
}

/// What any call may take.
const PATIENCE: Duration = Duration::from_secs(60);

impl Cri {
    /// Connects when it is needed. Pods get cgroups below `cgroup`.
    pub(super) fn new(socket: &Path, cgroup: &str) -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).unwrap();
        let channel = {
            let _inside = tokio.enter();
            endpoint.connect_lazy()
        };
        Self { tokio, grpc: Grpc::new(channel), cgroup: cgroup.to_owned() }
    }

    /// The cgroup of a pod, as CRI is told it, in the form that kubelets give it.
    pub fn cgroup_of(&self, pod: &Pod) -> String {
        format!("{}/kubepods/besteffort/pod{}", self.cgroup, pod.uid)
    }

    /// The runtime is up and knows what it runs.
    pub fn answers(&self) -> bool {
        self.try_call::<_, Nothing>("RuntimeService/ListContainers", Nothing {}).is_ok()
    }

    /// There is an image of this name.
    pub fn has_image(&self, name: &str) -> bool {
        let image = Some(ImageSpec { image: name.to_owned() });
        let answer: ImageStatusResponse =
            self.call("ImageService/ImageStatus", ImageStatusRequest { image });
        answer.image.is_some()
    }

    /// Runs a sandbox and gives its id.
    pub fn run_pod(&self, pod: &Pod) -> String {
        let config = Some(self.config_of(pod));
        let answer: Id = self.call("RuntimeService/RunPodSandbox", RunPodSandboxRequest { config });
        answer.id
    }

    /// Makes a container in a sandbox and gives its id.
    pub fn create(&self, sandbox_id: &str, pod: &Pod, container: &Container) -> String {
        let mount = |(host, inside, readonly): &(String, String, bool)| Mount {
            container_path: inside.clone(),
            host_path: host.clone(),
            readonly: *readonly,
        };
        let confined = container.confined.as_ref();
        let context = ContainerContext {
            capabilities: confined.map(|confined| Capability {
                add: confined.capabilities.clone(),
                drop: vec!["ALL".to_owned()],
            }),
            readonly_rootfs: confined.is_some_and(|confined| confined.is_root_readonly),
            no_new_privs: confined.is_some_and(|confined| confined.has_no_new_privileges),
            seccomp: confined
                .filter(|confined| confined.has_seccomp)
                .map(|_| SecurityProfile { profile_type: RUNTIME_DEFAULT }),
            privileged: container.privileged,
            // Without them it has those of the pod.
            namespace_options: pod.host_pid.then(|| Self::namespaces_of(pod)),
        };
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: container.name.clone(),
                attempt: container.attempt,
            }),
            image: Some(ImageSpec {
                image: container.image.clone().unwrap_or_else(|| super::IMAGE.to_owned()),
            }),
            command: container.command.clone(),
            envs: entries(&container.variables),
            mounts: container.mounts.iter().map(mount).collect(),
            labels: entries(&container.labels),
            annotations: entries(&container.annotations),
            linux: Some(LinuxContainerConfig { security_context: Some(context) }),
        };
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox_id.to_owned(),
            config: Some(config),
            sandbox_config: Some(self.config_of(pod)),
        };
        let answer: Id = self.call("RuntimeService/CreateContainer", request);
        answer.id
    }

    /// Starts a container.
    pub fn start(&self, id: &str) {
        self.on("RuntimeService/StartContainer", id);
    }

    /// Runs a pod whose one container `app` runs a shell's script, and gives the container's id.
    pub fn run_script(&self, pod: &Pod, script: &str) -> String {
        let sandbox_id = self.run_pod(pod);
        self.run(&sandbox_id, pod, &Container::named("app", &["/bin/sh", "-c", script]))
    }

    /// Makes and starts a container, and gives its id.
    pub fn run(&self, sandbox_id: &str, pod: &Pod, container: &Container) -> String {
        let id = self.create(sandbox_id, pod, container);
        self.start(&id);
        id
    }

    /// Runs a program in a container to its end, and gives what it wrote.
    ///
    /// # Panics
    /// When it fails.
    pub fn execute(&self, id: &str, words: &[&str]) -> String {
        self.try_execute(id, words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same, which may fail.
    ///
    /// # Errors
    /// What it wrote to its standard error.
    pub fn try_execute(&self, id: &str, words: &[&str]) -> Result<String, String> {
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        let request = ExecSyncRequest { container_id: id.to_owned(), command, timeout: 30 };
        let answer: ExecSyncResponse = self.call("RuntimeService/ExecSync", request);
        match answer.exit_code {
            0 => Ok(String::from_utf8(answer.stdout).unwrap()),
            _ => Err(String::from_utf8_lossy(&answer.stderr).into_owned()),
        }
    }

    /// How a container's program ended, once it has.
    pub fn exit_code(&self, id: &str) -> Option<i32> {
        let request = Id { id: id.to_owned() };
        let answer: ContainerStatusResponse = self.call("RuntimeService/ContainerStatus", request);
        answer.status.filter(|status| status.state == EXITED).map(|status| status.exit_code)
    }

    /// Kills a container, if it runs, and removes it.
    pub fn remove(&self, id: &str) {
        self.on("RuntimeService/RemoveContainer", id);
    }

    /// Stops a sandbox and its containers.
    pub fn stop_pod(&self, id: &str) {
        self.on("RuntimeService/StopPodSandbox", id);
    }

    /// Removes a sandbox and its containers.
    pub fn remove_pod(&self, id: &str) {
        self.on("RuntimeService/RemovePodSandbox", id);
    }

    fn on(&self, call: &str, id: &str) {
        let _: Nothing = self.call(call, Id { id: id.to_owned() });
    }

    fn namespaces_of(pod: &Pod) -> NamespaceOption {
        let network = if pod.host_network { NODE } else { 0 };
        let pid = if pod.host_pid { NODE } else { OF_CONTAINER };
        NamespaceOption { network, pid }
    }

    fn config_of(&self, pod: &Pod) -> PodSandboxConfig {
        let (namespace_options, privileged) = (Some(Self::namespaces_of(pod)), pod.privileged);
        let context = SandboxContext { namespace_options, privileged };
        PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: pod.name.clone(),
                uid: pod.uid.clone(),
                namespace: pod.namespace.clone(),
                attempt: 0,
            }),
            hostname: if pod.host_network { String::new() } else { pod.name.clone() },
            labels: entries(&pod.labels),
            annotations: entries(&pod.annotations),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: self.cgroup_of(pod),
                security_context: Some(context),
            }),
        }
    }

    fn call<Q, A>(&self, call: &str, request: Q) -> A
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.try_call(call, request).unwrap_or_else(|error| panic!("{call}: {error}"))
    }

    fn try_call<Q, A>(&self, call: &str, request: Q) -> Result<A, String>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.grpc.clone();
        let path = PathAndQuery::try_from(format!("/runtime.v1.{call}")).unwrap();
        let answer = async {
            grpc.ready().await.map_err(|error| error.to_string())?;
            let codec: ProstCodec<Q, A> = ProstCodec::new();
            let answer = grpc.unary(Request::new(request), path, codec).await;
            answer.map(tonic::Response::into_inner).map_err(|status| format!("{status:?}"))
        };
        let timed = async { tokio::time::timeout(PATIENCE, answer).await };
        self.tokio.block_on(timed).map_err(|error| error.to_string())?
    }
}

fn entries(pairs: &Pairs) -> Vec<Entry> {
    pairs.iter().map(|(key, value)| Entry { key: key.clone(), value: value.clone() }).collect()
}

/// The NamespaceMode of the host's namespaces.
const NODE: i32 = 2;
/// The NamespaceMode of namespaces of each container.
const OF_CONTAINER: i32 = 1;

#[derive(Clone, PartialEq, prost::Message)]
struct Nothing {}

/// Any message of an id alone.
#[derive(Clone, PartialEq, prost::Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ExecSyncRequest {
    #[prost(string, tag = "1")]
    container_id: String,
    #[prost(string, repeated, tag = "2")]
    command: Vec<String>,
    #[prost(int64, tag = "3")]
    timeout: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ExecSyncResponse {
    #[prost(bytes = "vec", tag = "1")]
    stdout: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    stderr: Vec<u8>,
    #[prost(int32, tag = "3")]
    exit_code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
}

/// The ContainerState of one whose program has ended.
const EXITED: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct ContainerStatusResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<ContainerStatus>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerStatus {
    #[prost(int32, tag = "3")]
    state: i32,
    #[prost(int32, tag = "7")]
    exit_code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageStatusRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageStatusResponse {
    #[prost(message, optional, tag = "1")]
    image: Option<Nothing>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RunPodSandboxRequest {
    #[prost(message, optional, tag = "1")]
    config: Option<PodSandboxConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PodSandboxConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<PodSandboxMetadata>,
    #[prost(string, tag = "2")]
    hostname: String,
    #[prost(message, repeated, tag = "6")]
    labels: Vec<Entry>,
    #[prost(message, repeated, tag = "7")]
    annotations: Vec<Entry>,
    #[prost(message, optional, tag = "8")]
    linux: Option<LinuxPodSandboxConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PodSandboxMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(uint32, tag = "4")]
    attempt: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LinuxPodSandboxConfig {
    #[prost(string, tag = "1")]
    cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    security_context: Option<SandboxContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SandboxContext {
    #[prost(message, optional, tag = "1")]
    namespace_options: Option<NamespaceOption>,
    #[prost(bool, tag = "6")]
    privileged: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NamespaceOption {
    #[prost(int32, tag = "1")]
    network: i32,
    #[prost(int32, tag = "2")]
    pid: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CreateContainerRequest {
    #[prost(string, tag = "1")]
    pod_sandbox_id: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    sandbox_config: Option<PodSandboxConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "2")]
    image: Option<ImageSpec>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    envs: Vec<Entry>,
    #[prost(message, repeated, tag = "7")]
    mounts: Vec<Mount>,
    #[prost(message, repeated, tag = "9")]
    labels: Vec<Entry>,
    #[prost(message, repeated, tag = "10")]
    annotations: Vec<Entry>,
    #[prost(message, optional, tag = "15")]
    linux: Option<LinuxContainerConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    attempt: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Mount {
    #[prost(string, tag = "1")]
    container_path: String,
    #[prost(string, tag = "2")]
    host_path: String,
    #[prost(bool, tag = "3")]
    readonly: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LinuxContainerConfig {
    #[prost(message, optional, tag = "2")]
    security_context: Option<ContainerContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerContext {
    #[prost(message, optional, tag = "1")]
    capabilities: Option<Capability>,
    #[prost(bool, tag = "7")]
    readonly_rootfs: bool,
    #[prost(bool, tag = "11")]
    no_new_privs: bool,
    #[prost(message, optional, tag = "15")]
    seccomp: Option<SecurityProfile>,
    #[prost(bool, tag = "2")]
    privileged: bool,
    #[prost(message, optional, tag = "3")]
    namespace_options: Option<NamespaceOption>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Capability {
    #[prost(string, repeated, tag = "1")]
    add: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    drop: Vec<String>,
}

/// The ProfileType of the runtime's own profile.
const RUNTIME_DEFAULT: i32 = 0;

#[derive(Clone, PartialEq, prost::Message)]
struct SecurityProfile {
    #[prost(int32, tag = "1")]
    profile_type: i32,
}
