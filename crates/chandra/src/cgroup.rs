//! Cgroups as people name them, by path, directory or number, and as probes do: by the number of the
//! hierarchy and an id within it, which is the inode number of the cgroup's directory.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chandra_signals::hierarchies::{Hierarchy, hierarchies};

/// Deeper than this nobody looks for a path.
const DEEPEST: u32 = 16;

/// The hierarchies that a process's cgroup is named in, in the order in which probes ask them.
fn known() -> Vec<Hierarchy> {
    let mut known: Vec<_> = hierarchies().into_iter().filter(Hierarchy::names_processes).collect();
    known.sort_by_key(|hierarchy| match hierarchy.id {
        0 => 1,
        _ if hierarchy.has("pids") => 0,
        _ => 2,
    });
    known
}

/// A cgroup, given as an id in the unified hierarchy or, behind the hierarchy's number, in another
/// (`8:42`); as a path from the root of a hierarchy (`/system.slice/cron.service`, as in
/// `/proc/PID/cgroup`); or as a directory. Returns the hierarchy and the id.
pub fn find(text: &str) -> io::Result<(u32, u64)> {
    let (hierarchy, id) = text.split_once(':').unwrap_or(("0", text));
    if let (Ok(hierarchy), Ok(id)) = (hierarchy.parse(), id.parse()) {
        return Ok((hierarchy, id));
    }
    let known = known();
    for hierarchy in &known {
        if let Some(metadata) = directory(hierarchy, text).and_then(|path| path.metadata().ok())
            && metadata.is_dir()
        {
            return Ok((hierarchy.id, metadata.ino()));
        }
    }
    let path = Path::new(text).canonicalize()?;
    let metadata = path.metadata()?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let within = known.iter().filter(|hierarchy| path.starts_with(&hierarchy.mount));
    let hierarchy = within.max_by_key(|hierarchy| hierarchy.mount.as_os_str().len());
    let why = "it is in no hierarchy that processes are known by (unified, pids, memory)";
    let hierarchy = hierarchy.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, why))?;
    Ok((hierarchy.id, metadata.ino()))
}

/// Where the cgroup of this path from the root of the hierarchy can be seen.
fn directory(hierarchy: &Hierarchy, path: &str) -> Option<PathBuf> {
    let below = path.as_bytes().strip_prefix(hierarchy.root.as_slice())?;
    let below = Path::new(std::ffi::OsStr::from_bytes(below));
    Some(hierarchy.mount.join(below.strip_prefix("/").unwrap_or(below)))
}

/// The path of a cgroup from the root of its hierarchy, looked for by id, or else its numbers.
pub fn name(hierarchy: u32, id: u64) -> String {
    path(hierarchy, id).unwrap_or_else(|| match hierarchy {
        0 => id.to_string(),
        _ => format!("{hierarchy}:{id}"),
    })
}

fn path(hierarchy: u32, id: u64) -> Option<String> {
    let hierarchy = hierarchies().into_iter().find(|known| known.id == hierarchy)?;
    let found = search(&hierarchy.mount, id, DEEPEST)?;
    let below = found.strip_prefix(&hierarchy.mount).ok()?;
    Some(format!("{}/{}", String::from_utf8_lossy(&hierarchy.root), below.display()))
}

fn search(directory: &Path, id: u64, depth: u32) -> Option<PathBuf> {
    if directory.metadata().ok()?.ino() == id {
        return Some(directory.to_owned());
    }
    let entries = std::fs::read_dir(directory).ok().filter(|_| depth > 0)?;
    let directories =
        entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.into_iter().find_map(|entry| search(&entry.path(), id, depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_found_by_numbers_and_by_path() {
        assert_eq!(find("4242").unwrap(), (0, 4242));
        assert_eq!(find("8:42").unwrap(), (8, 42));
        assert!(find("/no/such/cgroup").is_err());
        assert!(find("/etc/passwd").is_err());
        assert!(find("/etc").is_err());
        for hierarchy in known().iter().filter(|hierarchy| hierarchy.root.is_empty()) {
            let (number, id) = find(hierarchy.mount.to_str().unwrap()).unwrap();
            assert_eq!(number, hierarchy.id);
            assert_eq!(name(number, id), "/");
        }
    }

    #[test]
    fn one_that_is_gone_keeps_its_numbers() {
        assert_eq!(name(0, u64::MAX), u64::MAX.to_string());
        assert_eq!(name(8, u64::MAX), format!("8:{}", u64::MAX));
    }
}
