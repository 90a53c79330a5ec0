//! Cgroups by path and by id, in the unified (v2) hierarchy. There a cgroup's id is the inode
//! number of its directory, which is what probes see.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The mount point of the unified hierarchy; on a hybrid host it is not `/sys/fs/cgroup` itself.
fn root() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (mount_point, kind) = (fields.nth(1)?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(mount_point))
    })
}

/// The id of a cgroup, given as an id, as a path from the root of the hierarchy
/// (`/system.slice/cron.service`, as in `/proc/PID/cgroup`), or as a directory.
pub fn id(text: &str) -> io::Result<u64> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let below_root = root().map(|root| root.join(text.trim_start_matches('/')));
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    for path in below_root.into_iter().chain([PathBuf::from(text)]) {
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => return Ok(metadata.ino()),
            Ok(_) => error = io::Error::from(io::ErrorKind::NotADirectory),
            Err(unreadable) => error = unreadable,
        }
    }
    Err(error)
}

/// The path of a cgroup from the root of the hierarchy, looked for by id.
pub fn path(id: u64) -> Option<String> {
    let root = root()?;
    let found = find(&root, id, 16)?;
    let below = found.strip_prefix(&root).ok()?;
    Some(format!("/{}", below.display()))
}

fn find(directory: &Path, id: u64, depth: u32) -> Option<PathBuf> {
    if directory.metadata().ok()?.ino() == id {
        return Some(directory.to_owned());
    }
    let entries = std::fs::read_dir(directory).ok().filter(|_| depth > 0)?;
    let directories =
        entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.into_iter().find_map(|entry| find(&entry.path(), id, depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_found_by_id_and_by_path() {
        assert_eq!(id("4242").unwrap(), 4242);
        assert!(id("/no/such/cgroup").is_err());
        assert!(id("/etc/passwd").is_err());
        if root().is_some() {
            assert_eq!(path(id("/").unwrap()).as_deref(), Some("/"));
        }
    }
}
