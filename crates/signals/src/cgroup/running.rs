//! Cgroups that are there at start: every mounted hierarchy is walked once, never on the path of an
//! event. The probes send from before the walk on, so that a cgroup made meanwhile is told of once or
//! twice, but never not at all.
//!
//! Directories are opened one below the other rather than by path: a path may be longer than the
//! kernel takes, and a name that was removed and made anew meanwhile leads nowhere else.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};

use chandra_event::cgroup::{Cgroup, Happened};
use chandra_event::record::Record;
use chandra_loader::load::Loaded;

use crate::hierarchies::{Hierarchy, hierarchies};
use crate::registry::Context;

/// Deeper cgroups are not walked into: a descriptor is open for each level.
const DEEPEST: u32 = 256;

/// Tells `sink` of every cgroup once. Returns how many there were.
pub fn seed(loaded: &Loaded, context: &Context, sink: &mut dyn FnMut(&dyn Record)) -> usize {
    // Where it fails, so will the reader that comes next, and say why.
    let _ = loaded.listen_early();
    hierarchies().iter().map(|hierarchy| walk(hierarchy, context, sink)).sum()
}

fn walk(hierarchy: &Hierarchy, context: &Context, sink: &mut dyn FnMut(&dyn Record)) -> usize {
    let Ok(root) = File::open(&hierarchy.mount) else { return 0 };
    let Ok(id) = root.metadata().map(|metadata| metadata.ino()) else { return 0 };
    let mut walk = Walk { hierarchy: hierarchy.id, path: hierarchy.root.clone(), count: 0, context, sink };
    // Of a mount that shows only a part, this is the part's own cgroup; its parent is not to be seen.
    let level = hierarchy.root.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).count();
    walk.found(id, None, u32::try_from(level).unwrap_or(u32::MAX));
    walk.below(&root, id, u32::try_from(level).unwrap_or(u32::MAX), 0);
    walk.count
}

/// One hierarchy being walked.
struct Walk<'a> {
    hierarchy: u32,
    /// Of the cgroup that the walk is in; empty for the root.
    path: Vec<u8>,
    count: usize,
    context: &'a Context,
    sink: &'a mut dyn FnMut(&dyn Record),
}

impl Walk<'_> {
    fn found(&mut self, id: u64, parent_id: Option<u64>, level: u32) {
        self.count += 1;
        (self.sink)(&Cgroup {
            time: self.context.clock.get().event_time(chandra_loader::clock::boottime_ns()),
            process: None,
            happened: Happened::Running,
            id,
            hierarchy: self.hierarchy,
            parent_id,
            level,
            path: if self.path.is_empty() { b"/" } else { &self.path },
            path_truncated: false,
        });
    }

    fn below(&mut self, folder: &File, id: u64, level: u32, depth: u32) {
        if depth >= DEEPEST {
            return;
        }
        let here = format!("/proc/self/fd/{}", folder.as_raw_fd());
        let Ok(entries) = std::fs::read_dir(&here) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            let name = entry.file_name();
            let end = self.path.len();
            self.path.push(b'/');
            self.path.extend_from_slice(OsStr::as_bytes(&name));
            self.found(entry.ino(), Some(id), level.saturating_add(1));
            if let Ok(child) = File::open(entry.path()) {
                self.below(&child, entry.ino(), level.saturating_add(1), depth + 1);
            }
            self.path.truncate(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_event::record::Event;

    #[test]
    fn every_folder_of_every_hierarchy_is_found_with_its_number_and_place() {
        for hierarchy in hierarchies() {
            let mut found = Vec::new();
            let count = walk(&hierarchy, &Context::test(), &mut |record| {
                let Event::Cgroup(cgroup) = record.event() else { panic!("not of this signal") };
                found.push((cgroup.path.to_vec(), cgroup.id, cgroup.parent_id, cgroup.level));
            });
            assert_eq!((found.len(), count > 0), (count, true));
            let mut compared = 0;
            for (path, id, parent, level) in &found {
                let below = path.strip_prefix(hierarchy.root.as_slice()).unwrap();
                let below = OsStr::from_bytes(below.strip_prefix(b"/").unwrap_or(below));
                // Other tests make and remove cgroups meanwhile.
                if let Ok(metadata) = hierarchy.mount.join(below).metadata() {
                    assert_eq!(metadata.ino(), *id, "{}", below.display());
                    compared += 1;
                }
                if let Some(parent) = parent {
                    let above = found.iter().find(|(_, id, ..)| id == parent).unwrap();
                    assert_eq!(above.3 + 1, *level);
                    assert!(path.starts_with(&above.0));
                }
            }
            assert!(compared > 0);
        }
    }
}
