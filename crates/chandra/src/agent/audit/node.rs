//! What is the same for all events of this machine: its name, its users and groups, services by their ports, and
//! the namespaces of its first process.

use std::fs;
use std::os::unix::fs::MetadataExt;

use chandra_event::process::Namespaces;
use chandra_rules::adapter::{IdMap, Names, Node, Services};

/// As it is now; users that are made later have no name.
pub fn of_this_machine(hostname: &str, by_name_only: bool) -> Node {
    let text = |file| fs::read_to_string(file).unwrap_or_default();
    let same = IdMap::identity();
    Node {
        hostname: hostname.to_owned(),
        names: Names::read(&text("/etc/passwd"), &text("/etc/group"), &same, &same),
        services: Services::read(&text("/etc/services")),
        namespaces: first_namespaces(),
        by_name_only,
    }
}

/// Inode numbers that the kernel gives its first namespaces (`include/uapi/linux/nsfs.h`).
const INITIAL: [(&str, u64); 4] =
    [("ipc", 0xefff_ffff), ("uts", 0xefff_fffe), ("pid", 0xefff_fffc), ("cgroup", 0xefff_fffb)];

/// Those of process 1, if we are in its pid namespace. Where we may not look at it, our own, if they are no
/// container's.
fn first_namespaces() -> Option<Namespaces> {
    namespaces_of("1").or_else(|| {
        let is_initial = |(kind, inode): (&str, u64)| {
            fs::metadata(format!("/proc/self/ns/{kind}")).is_ok_and(|it| it.ino() == inode)
        };
        INITIAL.into_iter().all(is_initial).then(|| namespaces_of("self"))?
    })
}

fn namespaces_of(process: &str) -> Option<Namespaces> {
    let inode = |kind: &str| {
        let metadata = fs::metadata(format!("/proc/{process}/ns/{kind}")).ok()?;
        u32::try_from(metadata.ino()).ok()
    };
    Namespaces::by_name(inode)
}
