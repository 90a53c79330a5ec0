//! The unified cgroup hierarchy: ids of cgroups, and cgroups that a test makes.

use std::fs;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::patience::wait_for;
use crate::scratch::unique;

/// Where the unified hierarchy is mounted.
///
/// # Panics
/// When it is not.
pub fn mount() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts.find(|fields| fields[2] == "cgroup2");
    PathBuf::from(mount.expect("no cgroup2 is mounted")[1])
}

/// The id of the cgroup that a process is in: the inode number of its folder.
pub fn of_process(pid: u32) -> u64 {
    let list = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = list.lines().find_map(|line| line.strip_prefix("0::/")).unwrap();
    fs::metadata(mount().join(path)).unwrap().st_ino()
}

/// A cgroup that is removed with everything below it when dropped.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// A new one below the root.
    pub fn new() -> Self {
        Self::make(mount().join(format!("chandra-test-{}", unique())))
    }

    /// A new one below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self::make(self.0.join(name))
    }

    fn make(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Its path as `/proc/PID/cgroup` writes it.
    pub fn path(&self) -> String {
        format!("/{}", self.0.strip_prefix(mount()).unwrap().display())
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        fs::metadata(&self.0).unwrap().st_ino()
    }

    /// Moves a process here.
    pub fn adopt(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Default for Cgroup {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It is busy until its processes, which were killed or ended before, have been reaped.
        let remove = || fs::remove_dir(&self.0).ok();
        if std::thread::panicking() {
            let _busy = remove();
        } else {
            wait_for("an empty cgroup", remove);
        }
    }
}
