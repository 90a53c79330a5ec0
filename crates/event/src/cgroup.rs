//! Records of the `cgroup` signal.

use crate::process::Process;
use crate::time::Timestamp;

mod fields;

pub use fields::{
    CGROUP_MKDIR, CGROUP_RELEASE, CGROUP_RENAME, CGROUP_RMDIR, CGROUP_RUNNING, CgroupFields,
};

/// What happened to a cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happened {
    /// `cgroup_mkdir`: it was made. Nothing is in it yet, and nobody can see it yet.
    Mkdir,
    /// `cgroup_rmdir`: it was removed. Nothing is in it any more.
    Rmdir,
    /// `cgroup_rename`: it has another name, within the same parent (cgroup v1 only).
    Rename,
    /// `cgroup_release`: nothing refers to it any more, long after its removal perhaps.
    Release,
    /// `cgroup_running`: it was there at start.
    Running,
}

impl Happened {
    /// Some process did it, rather than the kernel in its own time.
    pub fn has_process(self) -> bool {
        matches!(self, Happened::Mkdir | Happened::Rmdir | Happened::Rename)
    }
}

/// A cgroup, and what happened to it. It is named by (`hierarchy`, `id`): each hierarchy counts its
/// ids by itself, and gives none twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cgroup<'a> {
    /// When; for one that was there at start when it was found.
    pub time: Timestamp,
    /// Who did it.
    pub process: Option<Process>,
    /// What.
    pub happened: Happened,
    /// The id within the hierarchy: the inode number of its directory.
    pub id: u64,
    /// The hierarchy: 0 is the unified (v2) one, others are of v1.
    pub hierarchy: u32,
    /// The id of the cgroup that it is in, which no cut of a path can hide; none for a root.
    pub parent_id: Option<u64>,
    /// How many cgroups it is in.
    pub level: u32,
    /// From the root of the hierarchy, whatever namespace or mount anyone sees it in.
    pub path: &'a [u8],
    /// The end of the path may be missing: the kernel spells no more than 1,023 bytes.
    pub path_truncated: bool,
}
