//! Roots of processes: folders that all of their paths begin at, opened while they live.
//!
//! What is inside can be opened through an open root when the process is gone, and its container with it. Processes
//! that share a root share one. It stands for its mounts, too: two processes may have one folder as their root and
//! different things mounted below it, so a root is told apart by its mount namespace as well.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// Roots that are kept open: containers of a node, and then some.
const MAX_ROOTS: usize = 256;

/// Mount namespace, device, inode.
type Key = (u64, u64, u64);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Roots(HashMap<Key, Arc<File>>);

impl Roots {
    /// That of a process.
    ///
    /// # Errors
    /// When it is gone, or too many roots are kept already.
    pub fn of(&mut self, pid: u32) -> io::Result<Arc<File>> {
        let namespace = fs::metadata(format!("/proc/{pid}/ns/mnt"))?.ino();
        let root = File::open(format!("/proc/{pid}/root"))?;
        let metadata = root.metadata()?;
        let key = (namespace, metadata.dev(), metadata.ino());
        if let Some(known) = self.0.get(&key) {
            return Ok(Arc::clone(known));
        }
        if self.0.len() >= MAX_ROOTS {
            // Those that nothing was found in.
            self.0.retain(|_, root| Arc::strong_count(root) > 1);
        }
        if self.0.len() >= MAX_ROOTS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let root = Arc::new(root);
        self.0.insert(key, Arc::clone(&root));
        Ok(root)
    }

    /// All that are kept.
    pub fn all(&self) -> impl Iterator<Item = &Arc<File>> {
        self.0.values()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_share_a_root_share_one() {
        let mut roots = Roots::default();
        let own = roots.of(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let childs = roots.of(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Arc::ptr_eq(&own, &childs));
        assert_eq!(roots.all().count(), 1);
        assert!(roots.of(child.id()).is_err(), "it is gone");
    }
}
