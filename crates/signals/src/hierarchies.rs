//! The cgroup hierarchies of this machine: the unified one (v2), and those of v1, each with the
//! controllers that are in it, its number as the kernel has it, and where it can be seen.
//!
//! `/proc/self/cgroup` numbers them and `/proc/self/mountinfo` shows where they are mounted; the two
//! are joined by the controllers. (`/proc/cgroups` would do too, but newer kernels warn of its use.)

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Its number; 0 is the unified one.
    pub id: u32,
    /// Names of its controllers, of v1 only: `pids`, `name=systemd`.
    pub controllers: Vec<String>,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The cgroup that is seen there, empty for the root: `/docker/…` within a container.
    pub root: Vec<u8>,
}

impl Hierarchy {
    /// It is the one whose cgroup a process's records name where there is no better one; see
    /// `task_cgroup` in probe.h.
    pub fn names_processes(&self) -> bool {
        self.id == 0 || self.has("pids") || self.has("memory")
    }

    /// This controller is in it.
    pub fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|known| known == controller)
    }
}

/// The mounted hierarchies, each once.
pub fn hierarchies() -> Vec<Hierarchy> {
    let read = |name: &str| std::fs::read(format!("/proc/self/{name}")).unwrap_or_default();
    join(&read("cgroup"), &read("mountinfo"))
}

/// The pids or the memory controller is in a hierarchy of v1, mounted in sight or not.
pub fn has_v1_controllers() -> bool {
    let list = std::fs::read("/proc/self/cgroup").unwrap_or_default();
    numbered(&list).any(|(id, controllers)| {
        id != 0 && controllers.split(',').any(|name| name == "pids" || name == "memory")
    })
}

/// The lines of `/proc/PID/cgroup`: `8:pids:/path`, `4:cpu,cpuacct:/`, `9:name=systemd:/`, `0::/`.
fn numbered(list: &[u8]) -> impl Iterator<Item = (u32, &str)> {
    list.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let mut text = || std::str::from_utf8(fields.next()?).ok();
        Some((text()?.parse().ok()?, text()?))
    })
}

fn join(list: &[u8], mounts: &[u8]) -> Vec<Hierarchy> {
    let mounts: Vec<Mount> = mounts.split(|byte| *byte == b'\n').filter_map(Mount::parse).collect();
    let found = numbered(list).filter_map(|(id, controllers)| {
        let controllers: Vec<String> =
            controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let is_it = |mount: &&Mount| match id {
            0 => mount.is_unified,
            _ => !mount.is_unified && controllers.iter().all(|name| mount.options.contains(name)),
        };
        // One that shows all of it, if there is one.
        let mount = mounts.iter().filter(is_it).min_by_key(|mount| mount.root.len())?;
        let (mount, root) = (mount.point.clone(), mount.root.clone());
        Some(Hierarchy { id, controllers, mount, root })
    });
    let mut found: Vec<Hierarchy> = found.collect();
    found.sort_by_key(|hierarchy| hierarchy.id);
    found.dedup_by_key(|hierarchy| hierarchy.id);
    found
}

/// A line of mountinfo that is about cgroups (proc_pid_mountinfo(5)).
struct Mount {
    is_unified: bool,
    /// Empty for the root.
    root: Vec<u8>,
    point: PathBuf,
    options: Vec<String>,
}

impl Mount {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let root = unescaped(fields.nth(3)?);
        let point = unescaped(fields.next()?);
        let mut fields = fields.skip_while(|field| *field != b"-");
        let is_unified = match fields.nth(1)? {
            b"cgroup2" => true,
            b"cgroup" => false,
            _ => return None,
        };
        let options = String::from_utf8_lossy(fields.nth(1)?).into_owned();
        Some(Self {
            is_unified,
            root: if root == b"/" { Vec::new() } else { root },
            point: OsString::from_vec(point).into(),
            options: options.split(',').map(str::to_owned).collect(),
        })
    }
}

/// Spaces and the like are written in octal: `\040`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = || u8::from_str_radix(std::str::from_utf8(tail.get(..3)?).ok()?, 8).ok();
        match (*first == b'\\').then(octal).flatten() {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
24 1 0:22 / /proc rw - proc proc rw
30 24 0:26 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
31 24 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
32 24 0:28 /docker/ab /in\\040here rw shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct
33 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 24 0:29 /docker/ab /only\\040part rw - cgroup cgroup rw,pids
broken
";

    #[test]
    fn numbers_and_mounts_are_joined_by_controllers() {
        let list = b"9:name=systemd:/\n8:pids:/docker/ab\n3:cpu,cpuacct:/\n2:memory:/\n0::/\nx\n";
        let found = join(list, MOUNTS);
        let brief: Vec<_> = found
            .iter()
            .map(|hierarchy| {
                (hierarchy.id, hierarchy.mount.to_str().unwrap(), hierarchy.root.as_slice())
            })
            .collect();
        assert_eq!(
            brief,
            [
                (0, "/sys/fs/cgroup/unified", b"".as_slice()),
                (3, "/sys/fs/cgroup/cpu,cpuacct", b""),
                (8, "/only part", b"/docker/ab"),
                (9, "/sys/fs/cgroup/systemd", b""),
            ]
        );
        let names: Vec<_> = found.iter().map(Hierarchy::names_processes).collect();
        assert_eq!(names, [true, false, true, false]);
    }

    #[test]
    fn this_machine_has_what_its_kernel_says() {
        let list = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        for hierarchy in hierarchies() {
            let prefix = format!("{}:{}:", hierarchy.id, hierarchy.controllers.join(","));
            assert!(list.lines().any(|line| line.starts_with(&prefix)), "{prefix}");
            assert!(hierarchy.mount.join("cgroup.procs").exists());
        }
    }
}
