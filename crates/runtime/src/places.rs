//! Where runtimes have their sockets.

use std::path::{Path, PathBuf};

/// Below the root of the host: containerd, CRI-O, k3s and RKE2, cri-dockerd, k0s, MicroK8s.
const USUAL: [&str; 6] = [
    "run/containerd/containerd.sock",
    "run/crio/crio.sock",
    "run/k3s/containerd/containerd.sock",
    "run/cri-dockerd.sock",
    "run/k0s/containerd.sock",
    "var/snap/microk8s/common/run/containerd.sock",
];

/// The usual places below `root`, which is `/` on the host itself, or where its file system is
/// mounted in a container. `/var/run` is there for hosts where it is not a link to `/run`.
pub fn usual(root: &Path) -> impl Iterator<Item = PathBuf> {
    USUAL.iter().flat_map(move |place| {
        let run = root.join(place);
        // Absolute links inside a mounted root lead out of it: the plain path comes first.
        let below_var = place.starts_with("run/").then(|| root.join("var").join(place));
        std::iter::once(run).chain(below_var)
    })
}

/// The path in `unix:///run/x.sock`, which is how tools write it, or the path itself.
pub(crate) fn path_of(named: &Path) -> &Path {
    let plain = named.to_str().and_then(|named| named.strip_prefix("unix://"));
    plain.map_or(named, Path::new)
}

/// A socket is there.
pub(crate) fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_comes_first_and_var_run_is_looked_at() {
        let places: Vec<_> = usual(Path::new("/host")).collect();
        assert_eq!(places[0], Path::new("/host/run/containerd/containerd.sock"));
        assert!(places.contains(&PathBuf::from("/host/var/run/crio/crio.sock")));
    }

    #[test]
    fn a_socket_may_be_named_as_an_address() {
        for named in ["unix:///run/x.sock", "/run/x.sock"] {
            assert_eq!(path_of(Path::new(named)), Path::new("/run/x.sock"));
        }
    }
}
