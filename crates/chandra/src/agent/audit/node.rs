//! What is the same for all events of this machine: its name, its users and groups, services by their ports, and
//! the namespaces of its first process.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use chandra_event::process::Namespaces;
use chandra_rules::adapter::{Names, Node, Services};

use super::accounts::{Map, groups_of, users_of};

/// As it is now; users that are made later have no name.
pub fn of_this_machine(hostname: &str, by_name_only: bool) -> Node {
    let text = |file| fs::read_to_string(file).unwrap_or_default();
    let same = Map::identity();
    Node {
        hostname: hostname.to_owned(),
        names: Names {
            users: users_of(&text("/etc/passwd"), &same),
            groups: groups_of(&text("/etc/group"), &same),
        },
        services: services_of(&text("/etc/services")),
        namespaces: first_namespaces(),
        by_name_only,
    }
}

/// Services of services(5): `name port/protocol aliases # comment`. Of several with one port the first is the one
/// that programs show.
fn services_of(text: &str) -> Services {
    let mut services = Services::default();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let (Some(name), Some((port, protocol))) =
            (words.next(), words.next().and_then(|word| word.split_once('/')))
        else {
            continue;
        };
        let by_port: &mut HashMap<u16, String> = match protocol {
            "tcp" => &mut services.tcp,
            "udp" => &mut services.udp,
            _ => continue,
        };
        if let Ok(port) = port.parse() {
            by_port.entry(port).or_insert_with(|| name.to_owned());
        }
    }
    services
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_the_first_name_of_its_protocol() {
        let text = "# comment\nhttps 443/tcp # http over TLS\nhttps\t443/udp\nother 443/tcp\nx 70000/tcp\nsctp 9/sctp\nbare\n";
        let services = services_of(text);
        assert_eq!((services.tcp.len(), services.udp.len()), (1, 1));
        assert_eq!(services.tcp[&443], "https");
    }
}
