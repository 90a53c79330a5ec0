//! A folder for a test's files, gone when the test ends, also when it fails.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that everybody may enter, because tests drop their rights.
#[derive(Debug)]
pub struct Scratch(PathBuf);

/// Numbers names that this process makes up.
static NAMES: AtomicU32 = AtomicU32::new(0);

/// A number that no other test has now: tests run as processes and as threads of one.
pub fn unique() -> u32 {
    std::process::id() * NAMES_OF_ONE + NAMES.fetch_add(1, Ordering::Relaxed) % NAMES_OF_ONE
}

/// The process that made up this number.
pub fn maker_of(number: u32) -> u32 {
    number / NAMES_OF_ONE
}

/// So many that none comes twice, and so few that the largest fits: process ids have 22 bits.
const NAMES_OF_ONE: u32 = 512;

impl Scratch {
    /// A new, empty folder.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("chandra-test-{}", unique()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        Self(folder.canonicalize().unwrap())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of something in it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// An executable copy of `program` under this name.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn copy(&self, program: &Path, name: &str) -> PathBuf {
        let copy = self.at(name);
        std::fs::copy(program, &copy).unwrap();
        copy
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
