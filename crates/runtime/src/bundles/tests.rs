//! Files of the shapes that runtimes write, made here; Docker and Podman are not run for it.

use std::fs;

use chandra_identity::description::Change;

use super::*;

const ID: &str = "3f4e8a7c0b1d2e9f3f4e8a7c0b1d2e9f3f4e8a7c0b1d2e9f3f4e8a7c0b1d2e9f";
const SPEC: &str = r#"{"ociVersion":"1.0.2","process":{"capabilities":{"bounding":["CAP_CHOWN"]}},
    "mounts":[{"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/data","type":"bind","source":"/srv/data","options":["rbind","ro"]}],
    "linux":{"namespaces":[{"type":"pid"},{"type":"mount"}]}ANNOTATIONS}"#;

/// The root of a host that is made up.
struct Host(PathBuf);

impl Host {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("chandra-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn look(&self, id: &str) -> Result<Found, Missing> {
        Bundles::below(&self.0).unwrap().look(&RuntimeId::new(id).unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn spec(annotations: &[(&str, &str)]) -> String {
    let annotations: std::collections::HashMap<_, _> = annotations.iter().copied().collect();
    let annotations = serde_json::to_string(&annotations).unwrap();
    SPEC.replace("ANNOTATIONS", &format!(r#","annotations":{annotations}"#))
}

fn container(found: &Found) -> &ContainerDescription {
    found.bundle.container.as_ref().unwrap()
}

#[test]
fn a_task_of_containerd_is_known_by_its_name_and_its_specification() {
    let host = Host::new("ctr");
    let path = "run/containerd/io.containerd.runtime.v2.task/default/web/config.json";
    host.write(path, &spec(&[]));
    let found = host.look("web").unwrap();
    assert_eq!((found.path.as_str(), found.bundle.is_of_kubernetes), (path, false));
    let web = container(&found);
    assert_eq!((web.name.as_str(), web.image.as_str()), ("web", ""));
    assert_eq!(web.details.privileged, Some(false));
    let mounts = web.details.mounts.as_ref().unwrap();
    assert_eq!(mounts.len(), 1);
    assert_eq!(mounts[0].host_path.as_str(), "/srv/data");
    assert!(mounts[0].read_only && found.bundle.pod.is_none());
    let bundles = Bundles::below(&host.0).unwrap();
    assert!(bundles.is_task("default", "web") && !bundles.is_task("other", "web"));
    assert!(!bundles.is_task("..", "web") && !bundles.is_task("default/web", ".."));
}

#[test]
fn a_pod_is_known_by_the_annotations_of_its_containers() {
    let host = Host::new("cri");
    let sandbox = ID.replace('3', "5");
    let of_containerd = [
        ("io.kubernetes.cri.container-type", "container"),
        ("io.kubernetes.cri.container-name", "app"),
        ("io.kubernetes.cri.image-name", "registry.example/app:1"),
        ("io.kubernetes.cri.sandbox-id", &sandbox),
        ("io.kubernetes.cri.sandbox-name", "app-1"),
        ("io.kubernetes.cri.sandbox-namespace", "shop"),
        ("io.kubernetes.cri.sandbox-uid", "1-2-3"),
    ];
    let of_crio = [
        ("io.kubernetes.cri-o.ContainerType", "container"),
        ("io.kubernetes.container.name", "app"),
        ("io.kubernetes.cri-o.ImageName", "registry.example/app:1"),
        ("io.kubernetes.cri-o.SandboxID", &sandbox),
        ("io.kubernetes.pod.name", "app-1"),
        ("io.kubernetes.pod.namespace", "shop"),
        ("io.kubernetes.pod.uid", "1-2-3"),
    ];
    let places = [
        format!("run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"),
        format!("run/containers/storage/overlay-containers/{ID}/userdata/config.json"),
    ];
    for (path, annotations) in places.iter().zip([of_containerd, of_crio]) {
        host.write(path, &spec(&annotations));
        let found = host.look(ID).unwrap();
        assert!(found.bundle.is_of_kubernetes);
        let app = container(&found);
        assert_eq!((app.name.as_str(), app.image.as_str()), ("app", "registry.example/app:1"));
        let pod = found.bundle.pod.as_ref().unwrap();
        assert_eq!((pod.namespace.as_str(), pod.name.as_str()), ("shop", "app-1"));
        assert_eq!((pod.uid.as_str(), pod.sandbox_id.as_str()), ("1-2-3", sandbox.as_str()));
        fs::remove_file(host.0.join(path)).unwrap();
    }
    // A sandbox is a pod, and no container.
    let mut of_sandbox = of_containerd;
    of_sandbox[0].1 = "sandbox";
    host.write(&places[0], &spec(&of_sandbox));
    let found = host.look(ID).unwrap();
    assert!(found.bundle.container.is_none());
    assert_eq!(found.bundle.pod.as_ref().unwrap().sandbox_id.as_str(), ID);
}

const DOCKER: &str = r#"{"ID":"IDENTITY","Name":"/shop","Image":"sha256:0123","Config":{"Image":"nginx:1.25",
    "Labels":{"tier":"front"}},"MountPoints":{"/data":{"Source":"/srv/data","Destination":"/data","RW":true,
    "Propagation":"rslave"}}}"#;
const DOCKER_HOST: &str =
    r#"{"Privileged":true,"PidMode":"host","NetworkMode":"bridge","IpcMode":"private"}"#;

#[test]
fn docker_names_its_containers() {
    let host = Host::new("docker");
    let folder = format!("var/lib/docker/containers/{ID}");
    host.write(&format!("{folder}/config.v2.json"), &DOCKER.replace("IDENTITY", ID));
    let bare = host.look(ID).unwrap();
    assert_eq!(container(&bare).details.privileged, None);
    host.write(&format!("{folder}/hostconfig.json"), DOCKER_HOST);
    // By its own files alone, and by those beside the specification.
    let task = format!("run/containerd/io.containerd.runtime.v2.task/moby/{ID}/config.json");
    for privileged in [true, false] {
        let found = host.look(ID).unwrap();
        let shop = container(&found);
        assert_eq!((shop.name.as_str(), shop.image.as_str()), ("shop", "nginx:1.25"));
        assert_eq!(shop.details.image_id.as_str(), "sha256:0123");
        assert_eq!(shop.details.labels.as_ref().unwrap().get("tier").unwrap().as_str(), "front");
        // What the runtime made counts more than what was asked for.
        assert_eq!(shop.details.privileged, Some(privileged));
        let mounts = shop.details.mounts.as_ref().unwrap();
        assert_eq!((mounts.len(), mounts[0].container_path.as_str()), (1, "/data"));
        let namespaces = shop.details.host_namespaces;
        assert_eq!(namespaces.pid, Some(privileged));
        assert!(!found.bundle.is_of_kubernetes);
        host.write(&task, &spec(&[]));
    }
}

#[test]
fn podman_names_its_containers_in_a_list() {
    let host = Host::new("podman");
    let storage = "var/lib/containers/storage/overlay-containers";
    host.write(&format!("{storage}/{ID}/userdata/config.json"), &spec(&[]));
    assert_eq!(container(&host.look(ID).unwrap()).name.as_str(), "");
    let list = format!(
        r#"[{{"id":"{}"}},{{"id":"{ID}","names":["shop"],"image":"4567","metadata":"{{\"image-name\":\"docker.io/library/nginx:1.25\",\"name\":\"shop\"}}"}}]"#,
        ID.replace('3', "5")
    );
    host.write(&format!("{storage}/containers.json"), &list);
    let found = host.look(ID).unwrap();
    let shop = container(&found);
    assert_eq!((shop.name.as_str(), shop.image.as_str()), ("shop", "docker.io/library/nginx:1.25"));
    assert_eq!(shop.details.image_id.as_str(), "sha256:4567");
}

#[test]
fn hostile_files_are_refused_with_their_reason() {
    let host = Host::new("hostile");
    assert!(matches!(host.look(ID), Err(Missing::NotFound)));
    for id in ["..", "../../etc", "a/b", ".hidden", &"x".repeat(129)] {
        assert!(matches!(host.look(id), Err(Missing::NotFound)), "{id}");
    }
    let folder = "run/containerd/io.containerd.runtime.v2.task/default";
    let path = format!("{folder}/{ID}/config.json");
    for text in ["", "{", "7", r#"{"mounts":7}"#, &"[".repeat(100_000)] {
        host.write(&path, text);
        assert!(matches!(host.look(ID), Err(Missing::Malformed)), "{text:.20}");
    }
    host.write(&path, &" ".repeat(3 << 20));
    assert!(matches!(host.look(ID), Err(Missing::TooLong)));
    // Links do not lead out of the root, and a folder is no file.
    fs::remove_file(host.0.join(&path)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", host.0.join(&path)).unwrap();
    assert!(matches!(host.look(ID), Err(Missing::NotFound)));
    fs::remove_file(host.0.join(&path)).unwrap();
    fs::create_dir(host.0.join(&path)).unwrap();
    assert!(matches!(host.look(ID), Err(Missing::Unreadable(_))));
    // One of Docker's files is of another container.
    let other = ID.replace('3', "5");
    let docker = format!("var/lib/docker/containers/{other}/config.v2.json");
    host.write(&docker, &DOCKER.replace("IDENTITY", ID));
    assert!(matches!(host.look(&other), Err(Missing::Malformed)));
}

#[test]
fn what_is_gone_is_told() {
    let host = Host::new("gone");
    let folder = "run/containerd/io.containerd.runtime.v2.task/default/web";
    host.write(&format!("{folder}/config.json"), &spec(&[]));
    let (told, changes) = std::sync::mpsc::channel();
    let handle = watch(Bundles::below(&host.0).unwrap(), move |change| told.send(change).is_ok());
    let id = |name| RuntimeId::new(name).unwrap();
    assert!(handle.look(id("web")) && handle.look(id("nobody")));
    let next = || changes.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    assert!(matches!(next(), Change::Found(bundle) if bundle.id == id("web")));
    assert_eq!(next(), Change::NotFound(id("nobody")));
    fs::remove_dir_all(host.0.join(folder)).unwrap();
    assert_eq!(next(), Change::Lost(id("web")));
    let expected = Counts { found: 1, not_found: 1, ..Counts::default() };
    assert_eq!(handle.counts(), expected);
}
