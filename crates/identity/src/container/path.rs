//! The paths that container runtimes give to their cgroups.
//!
//! A container's cgroup is told by its last name together with the one above it: a scope of a
//! runtime's own (`cri-containerd-<id>.scope`), or a bare id in a folder of a runtime's own
//! (`/docker/<id>`). What lies above that is the host's affair and may be anything, another container
//! included (`kind`, `k3d`, Docker in Docker).

use super::PodUid;

/// Who made a container's cgroup, as far as its path says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Runtime {
    /// containerd: for Kubernetes, or by nerdctl.
    Containerd,
    /// CRI-O.
    CriO,
    /// Docker, also under Kubernetes by cri-dockerd.
    Docker,
    /// Podman, and others on its library.
    Podman,
    /// Some runtime of Kubernetes: all of them name cgroups alike there (cgroupfs driver).
    Cri,
    /// A build step of BuildKit, with an id of its own making.
    BuildKit,
    /// LXC, LXD, Incus; the id is a name that people gave.
    Lxc,
    /// systemd-nspawn; the id is the machine's name.
    Nspawn,
    /// An id as containers have, in a folder that someone chose (`--cgroup-parent`).
    Unknown,
}

impl Runtime {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Runtime::Containerd => "containerd",
            Runtime::CriO => "cri-o",
            Runtime::Docker => "docker",
            Runtime::Podman => "podman",
            Runtime::Cri => "cri",
            Runtime::BuildKit => "buildkit",
            Runtime::Lxc => "lxc",
            Runtime::Nspawn => "systemd-nspawn",
            Runtime::Unknown => "unknown",
        }
    }
}

/// A container, as the path of its cgroup names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerPath<'a> {
    /// Whose it is.
    pub runtime: Runtime,
    /// 64 hexadecimal digits for most; see [`Runtime`] for the rest.
    pub container_id: &'a str,
    /// The pod that it belongs to.
    pub pod_uid: Option<PodUid>,
    /// The path of the container that this one runs within, if the path says so.
    pub outer: Option<&'a [u8]>,
}

/// Scopes (with `.scope`, systemd driver) and folders (without, cgroupfs driver) by their prefix. The
/// conmon of CRI-O and Podman, which is no container, has other names: `crio-conmon-<id>`.
const PREFIXES: &[(&[u8], Runtime)] = &[
    (b"cri-containerd-", Runtime::Containerd),
    (b"nerdctl-", Runtime::Containerd),
    (b"crio-", Runtime::CriO),
    (b"docker-", Runtime::Docker),
    (b"libpod-payload-", Runtime::Podman),
    (b"libpod-", Runtime::Podman),
];

/// Folders that hold nothing but containers, each named by its bare id.
const FOLDERS: &[(&[u8], Runtime)] = &[
    (b"docker", Runtime::Docker),
    (b"k8s.io", Runtime::Containerd),
    (b"default", Runtime::Containerd),
    (b"moby", Runtime::Docker),
    (b"libpod_parent", Runtime::Podman),
];

/// Folders whose ids are those of containers, though what is in them is the runtime's own.
const NOT_CONTAINERS: &[&[u8]] = &[b"kata_overhead"];

/// What a name says: whose it is, the id, and the pod.
pub(super) type Named<'a> = (Runtime, &'a str, Option<PodUid>);

/// The container whose own cgroup has this path; none for what is above or below such a cgroup.
pub fn parse(path: &[u8]) -> Option<ContainerPath<'_>> {
    enclosing(path).filter(|(found, _)| found.len() == path.len()).map(|(_, named)| named)
}

/// The innermost container's cgroup that this path is, or is below: its path, and what it names.
pub fn enclosing(path: &[u8]) -> Option<(&[u8], ContainerPath<'_>)> {
    let mut innermost: Option<(&[u8], ContainerPath<'_>)> = None;
    each(path, &mut |part, (runtime, container_id, pod_uid)| {
        let outer = innermost.map(|(outer, _)| outer);
        innermost = Some((part, ContainerPath { runtime, container_id, pod_uid, outer }));
    });
    innermost
}

/// Calls `found` for every container's cgroup on the way, from the outside in: whether a bare id
/// counts depends on what is around it.
pub(super) fn each<'a>(path: &'a [u8], found: &mut dyn FnMut(&'a [u8], Named<'a>)) {
    let slashes = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
    let mut is_within_another = false;
    for end in slashes.map(|(at, _)| at).chain([path.len()]) {
        let Some(part) = path.get(..end) else { continue };
        if let Some(named) = leaf(part, is_within_another) {
            is_within_another = true;
            found(part, named);
        }
    }
}

/// Whose cgroup a path's last name says it is.
pub(super) fn leaf(path: &[u8], is_within_another: bool) -> Option<Named<'_>> {
    let (above, name) = split(path)?;
    let (further, parent) = split(above).unwrap_or_default();
    let pod = pod_of(parent);
    let scope = name.strip_suffix(b".scope");
    for (prefix, runtime) in PREFIXES {
        if let Some(id) = scope.unwrap_or(name).strip_prefix(*prefix).and_then(hash) {
            return Some((*runtime, id, pod));
        }
    }
    if let Some(found) = colons(name) {
        return Some(found);
    }
    if let Some(id) = hash(name) {
        if pod.is_some() {
            return Some((Runtime::Cri, id, pod));
        }
        if NOT_CONTAINERS.contains(&parent) {
            return None;
        }
        if let Some((_, runtime)) = FOLDERS.iter().find(|(folder, _)| *folder == parent) {
            return Some((*runtime, id, None));
        }
        if split(further).is_some_and(|(_, name)| name == b"ecs") {
            return Some((Runtime::Docker, id, None));
        }
        // Within a container anyone may have made it.
        return (!is_within_another).then_some((Runtime::Unknown, id, None));
    }
    other(name, parent, scope)
}

/// The path of the cgroup that is two steps from the root on the way to this one.
pub(super) fn first_two(path: &[u8]) -> Option<&[u8]> {
    let mut slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    if slashes.next() != Some(0) {
        return None;
    }
    slashes.next()?;
    path.get(..slashes.next().unwrap_or(path.len()))
}

/// Namespace and name, if a task of containerd may have this path: two words, none of which is systemd's.
pub(super) fn task(path: &[u8]) -> Option<(&str, &str)> {
    let (namespace, name) = split(path.strip_prefix(b"/")?)?;
    let is_unit = |name: &[u8]| {
        [&b".slice"[..], b".scope", b".service"].iter().any(|kind| name.ends_with(kind))
    };
    if is_unit(namespace) || is_unit(name) {
        return None;
    }
    Some((word(namespace)?, word(name)?))
}

/// Those of other kinds, whose ids are no hashes.
fn other<'a>(name: &'a [u8], parent: &[u8], scope: Option<&'a [u8]>) -> Option<Named<'a>> {
    let of = |runtime, id: Option<&'a str>| id.map(|id| (runtime, id, None));
    if parent == b"buildkit" {
        let is_digit = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let id = word(name).filter(|_| name.len() >= 20 && name.iter().all(is_digit));
        return of(Runtime::BuildKit, id);
    }
    if parent == b"lxc" || parent == b"lxc.payload" {
        return of(Runtime::Lxc, word(name));
    }
    if let Some(name) = name.strip_prefix(b"lxc.payload.") {
        return of(Runtime::Lxc, word(name));
    }
    let service = name.strip_suffix(b".service");
    if let Some(machine) = service.and_then(|name| name.strip_prefix(b"systemd-nspawn@")) {
        return of(Runtime::Nspawn, word(machine));
    }
    // Machines that machined knows otherwise, virtual ones among them, have an escaped `-` in front.
    if let Some(machine) = scope.and_then(|name| name.strip_prefix(b"machine-"))
        && parent == b"machine.slice"
        && !machine.contains(&b'\\')
    {
        return of(Runtime::Nspawn, word(machine));
    }
    None
}

/// containerd with the cgroupfs driver under a kubelet with systemd's takes the systemd driver's
/// triple for a name: `kubepods-burstable-pod<uid>.slice:cri-containerd:<id>`.
fn colons(name: &[u8]) -> Option<Named<'_>> {
    let mut parts = name.splitn(3, |byte| *byte == b':');
    let (slice, prefix, id) = (parts.next()?, parts.next()?, parts.next()?);
    let runtime = match prefix {
        b"cri-containerd" | b"nerdctl" => Runtime::Containerd,
        b"crio" => Runtime::CriO,
        b"docker" => Runtime::Docker,
        b"libpod" => Runtime::Podman,
        _ => return None,
    };
    Some((runtime, hash(id)?, pod_of(slice)))
}

/// The pod whose cgroup has this name: `pod<uid>`, or `kubepods-burstable-pod<uid>.slice` with the
/// names of the slices above it in front, and none for guaranteed pods.
fn pod_of(name: &[u8]) -> Option<PodUid> {
    let Some(slice) = name.strip_suffix(b".slice") else {
        return PodUid::parse(name.strip_prefix(b"pod")?);
    };
    let at = slice.windows(4).rposition(|window| window == b"-pod")?;
    let (front, uid) = (slice.get(..at)?, slice.get(at + 4..)?);
    let front =
        front.strip_suffix(b"-burstable").or(front.strip_suffix(b"-besteffort")).unwrap_or(front);
    (front == b"kubepods" || front.ends_with(b"-kubepods")).then(|| PodUid::parse(uid)).flatten()
}

/// What is before the last `/`, and the name behind it.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = path.iter().rposition(|byte| *byte == b'/')?;
    Some((path.get(..at)?, path.get(at + 1..)?))
}

/// 64 hexadecimal digits, as the OCI runtimes name containers.
fn hash(name: &[u8]) -> Option<&str> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    std::str::from_utf8(name).ok().filter(|_| name.len() == 64 && name.iter().all(is_digit))
}

/// A name that people give to containers: short, and of characters that hide nothing.
fn word(name: &[u8]) -> Option<&str> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let good = (1..=128).contains(&name.len()) && name.iter().all(fits) && !name.starts_with(b".");
    std::str::from_utf8(name).ok().filter(|_| good)
}
