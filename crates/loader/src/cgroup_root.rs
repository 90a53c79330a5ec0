//! The root of the unified cgroup hierarchy, to which programs on the packets of all sockets are
//! attached: by a mount of it that is there, or by an instance that is mounted nowhere, so that the
//! machine stays as it is (needs CAP_SYS_ADMIN and kernel 5.2).
//!
//! In a cgroup namespace of its own (an agent in a container) a process is shown its own cgroup as the
//! root, and programs there would see nobody else's packets. The root is known by its inode number, and
//! looked for in the namespace of process 1, which with `hostPID` is the machine's, or of process 2, which is the kernel's
//! then and may be looked into where process 1 may not.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::fs::MetadataExt;

use crate::detached;

/// The root's inode number in every kernel: kernfs counts from 1.
const ROOT_INODE: u64 = 1;

/// Opens the root.
///
/// # Errors
/// What the kernel said of the last way that was tried; NotFound where all that can be seen is a part
/// of the hierarchy.
pub fn open() -> io::Result<OwnedFd> {
    if let Some(mounted) = mounted() {
        return Ok(mounted);
    }
    detached::mount(c"cgroup2").and_then(root).or_else(|_| from_outside())
}

/// A mount of it in this mount namespace.
fn mounted() -> Option<OwnedFd> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    mount_points(&table).find_map(|path| File::open(path).map(OwnedFd::from).and_then(root).ok())
}

/// The mount points of cgroup2 in a `mountinfo` (proc(5)); one with a character that is escaped there
/// is not found, and another way is.
fn mount_points(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let is_cgroup2 = filesystem.split(' ').next() == Some("cgroup2");
        mount.split(' ').nth(4).filter(|_| is_cgroup2)
    })
}

/// The directory, if it is the root.
fn root(directory: OwnedFd) -> io::Result<OwnedFd> {
    let file = File::from(directory);
    match file.metadata()?.st_ino() {
        ROOT_INODE => Ok(file.into()),
        _ => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "only a part of the cgroup hierarchy is visible from this cgroup namespace",
        )),
    }
}

/// From the cgroup namespace of process 1 or 2, in a thread that ends after it.
fn from_outside() -> io::Result<OwnedFd> {
    let outside = File::open("/proc/1/ns/cgroup")
        .or_else(|error| File::open("/proc/2/ns/cgroup").map_err(|_| error))?;
    let look = move || {
        let namespace = outside.as_raw_fd();
        // SAFETY: takes numbers only, and changes this thread alone.
        if unsafe { libc::setns(namespace, libc::CLONE_NEWCGROUP) } < 0 {
            return Err(io::Error::last_os_error());
        }
        detached::mount(c"cgroup2").and_then(root)
    };
    let thread = std::thread::Builder::new().spawn(look)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that looked for it ended")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_cgroup2_are_found_among_others() {
        let table = "\
30 23 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,name=systemd
33 23 0:27 /a /mnt/part rw - cgroup2 none rw
nonsense
";
        assert_eq!(
            mount_points(table).collect::<Vec<_>>(),
            ["/sys/fs/cgroup/unified", "/mnt/part"]
        );
    }

    #[test]
    fn an_instance_that_is_mounted_nowhere_is_the_same_root() {
        // SAFETY: no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            println!("skipped: needs root to make a mount");
            return;
        }
        let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let detached = detached::mount(c"cgroup2").and_then(root).unwrap();
        let opened = File::from(open().unwrap()).metadata().unwrap();
        assert_eq!(File::from(detached).metadata().unwrap().st_dev(), opened.st_dev());
        assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    }
}
