//! The fields of the `cgroup` signal's records: the same for whatever happened.

use super::{Cgroup, Happened};
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::fields! {
    /// The fields of every record of the `cgroup` signal.
    pub struct CgroupFields(cgroup: &Cgroup<'_>) = [OwnerFields(cgroup.process.as_ref())] {
        "cgroup.id", "CGROUP_ID", 10, Wide, Big(cgroup.id),
        "Id within the hierarchy: the inode number of its directory";
        "cgroup.hierarchy", "HIERARCHY", 9, Table, Number(cgroup.hierarchy),
        "Hierarchy, as in /proc/PID/cgroup: 0 is the unified (v2) one";
        "cgroup.parent_id", "PARENT_ID", 10, Json, Big(cgroup.parent_id),
        "Id of the cgroup that it is in";
        "cgroup.level", "LEVEL", 5, Wide, Number(cgroup.level),
        "How many cgroups it is in";
        "cgroup.path_truncated", "PATH_TRUNCATED", 5, Json, Bool(cgroup.path_truncated),
        "The end of the path may be missing; the kernel spells 1023 bytes";
        "cgroup.path", "PATH", 40, Table, Bytes(cgroup.path),
        "Path from the root of the hierarchy";
    }
}

macro_rules! kinds {
    ($($(#[doc = $summary:literal])+ $kind:ident = $name:literal;)*) => {
        $($(#[doc = $summary])+
        pub static $kind: Kind = Kind {
            signal: "cgroup",
            name: $name,
            summary: concat!($($summary),+).trim_ascii(),
            fields: CgroupFields::FIELDS,
        };)*
    };
}

kinds! {
    /// A cgroup was made; nothing is in it yet
    CGROUP_MKDIR = "cgroup_mkdir";
    /// A cgroup was removed; nothing is in it any more
    CGROUP_RMDIR = "cgroup_rmdir";
    /// A cgroup was renamed (cgroup v1 only); `cgroup.path` is the new one
    CGROUP_RENAME = "cgroup_rename";
    /// The kernel gave up the last of a cgroup that had been removed
    CGROUP_RELEASE = "cgroup_release";
    /// A cgroup was there when Chandra started; `time` is when it was found
    CGROUP_RUNNING = "cgroup_running";
}

impl Record for Cgroup<'_> {
    fn kind(&self) -> &'static Kind {
        match self.happened {
            Happened::Mkdir => &CGROUP_MKDIR,
            Happened::Rmdir => &CGROUP_RMDIR,
            Happened::Rename => &CGROUP_RENAME,
            Happened::Release => &CGROUP_RELEASE,
            Happened::Running => &CGROUP_RUNNING,
        }
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        CgroupFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::Cgroup(self)
    }
}
