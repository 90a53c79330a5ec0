//! A root folder of somebody else: files are opened within it, and links in it lead nowhere else.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// A root folder.
#[derive(Debug)]
pub struct Root(File);

impl Root {
    /// That of a process.
    ///
    /// # Errors
    /// When there is no such process, or one may not look.
    pub fn of_process(pid: u32) -> io::Result<Self> {
        Self::of_folder(format!("/proc/{pid}/root").as_ref())
    }

    /// That in a folder, which is trusted itself.
    ///
    /// # Errors
    /// When there is no such folder, or one may not look.
    pub fn of_folder(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(File::from(rustix::fs::open(folder, flags, Mode::empty())?)))
    }

    /// That of the first of these processes that is in this mount namespace, given by its inode, and which it is.
    pub fn in_namespace(inode: u32, pids: impl IntoIterator<Item = u32>) -> Option<(u32, Self)> {
        pids.into_iter().find_map(|pid| {
            let is_there = mount_namespace(pid) == Some(inode);
            is_there.then(|| Some((pid, Self::of_process(pid).ok()?)))?
        })
    }

    /// Device and inode of the folder.
    ///
    /// # Errors
    /// When the file system does not say.
    pub fn id(&self) -> io::Result<(u64, u64)> {
        let metadata = self.0.metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    }

    /// Opens a regular file for reading; `path` begins at this root, with or without a slash.
    ///
    /// # Errors
    /// When there is none, or it is something else.
    pub fn open(&self, path: &[u8]) -> io::Result<File> {
        // Without waiting for a pipe's other end, and without becoming a terminal's.
        let file =
            File::from(self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Opens a folder, and gives a path that it can be listed by.
    ///
    /// # Errors
    /// When there is none.
    pub fn folder(&self, path: &[u8]) -> io::Result<(OwnedFd, PathBuf)> {
        use std::os::fd::AsRawFd;
        let folder = self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let listed = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        Ok((folder, listed))
    }

    fn resolve(&self, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let path = std::ffi::OsStr::from_bytes(path);
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), within)?)
    }
}

/// Inode of the mount namespace of a process.
pub(crate) fn mount_namespace(pid: u32) -> Option<u32> {
    u32::try_from(std::fs::metadata(format!("/proc/{pid}/ns/mnt")).ok()?.ino()).ok()
}

/// The last part of the path by which an open file is known, links resolved.
pub(crate) fn real_name(file: &File) -> Option<Vec<u8>> {
    use std::os::fd::AsRawFd;
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    Some(path.file_name()?.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_do_not_lead_out_of_a_root() -> io::Result<()> {
        let folder = std::env::temp_dir().join(format!("chandra-root-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("etc"))?;
        std::fs::write(folder.join("etc/inside"), "x")?;
        symlink("/etc/inside", folder.join("absolute"))?;
        symlink("../../../etc/passwd", folder.join("upwards"))?;
        let root = Root::of_folder(&folder)?;
        let (inside, outside) = (root.open(b"/absolute"), root.open(b"/upwards"));
        let is_folder = root.open(b"/etc");
        std::fs::remove_dir_all(&folder)?;
        assert_eq!(inside?.metadata()?.len(), 1);
        assert!(outside.is_err() && is_folder.is_err());
        Ok(())
    }
}
