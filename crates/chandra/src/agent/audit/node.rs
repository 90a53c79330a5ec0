//! What is the same for all events of this machine: its name, its users and groups, and the namespaces of
//! its first process.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use chandra_event::process::Namespaces;
use chandra_rules::adapter::{Names, Node};

/// As it is now; users that are made later have no name.
pub fn of_this_machine(hostname: &str, by_name_only: bool) -> Node {
    Node {
        hostname: hostname.to_owned(),
        names: Names { users: names("/etc/passwd"), groups: names("/etc/group") },
        namespaces: first_namespaces(),
        by_name_only,
    }
}

/// Numbers and names of passwd(5) and group(5), which have them in the same places.
fn names(file: &str) -> HashMap<u32, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let entry = |line: &str| {
        let mut parts = line.split(':');
        let name = parts.next()?.to_owned();
        Some((parts.nth(1)?.parse().ok()?, name))
    };
    // Of several names of one number the first is the one that programs show.
    text.lines().rev().filter_map(entry).collect()
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
