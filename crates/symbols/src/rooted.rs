//! Opening files inside the root of a process, which belongs to whoever made its image.
//!
//! A path below `/proc/PID/root` is not enough: a link in it that is absolute leads out, to the node's own
//! files. So the kernel resolves the path with that root as its root (`openat2`, Linux 5.6). Only regular
//! files are opened; a device or a pipe would do something, or wait. Nor are files of FUSE, whose reads
//! take as long as their owner likes.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

/// `FUSE_SUPER_MAGIC` of `include/uapi/linux/magic.h`.
const FUSE: u64 = 0x6573_5546;

/// The regular file at a path inside a root, opened for reading. The root is any open folder; that of a process
/// (`/proc/PID/root`) stays usable when the process is gone.
///
/// # Errors
/// When there is none, or it is no regular file, or one of FUSE.
pub fn open_inside(root: impl AsFd, path: &Path) -> io::Result<File> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)?;
    check_harmless(&found)?;
    // Opened again, the same file, to be read.
    let fd = std::os::fd::AsRawFd::as_raw_fd(&found);
    File::open(format!("/proc/self/fd/{fd}"))
}

/// That reading a file does nothing and waits for nobody: it is a regular one, and none of FUSE.
///
/// # Errors
/// When it is not so.
pub(crate) fn check_harmless(file: impl AsFd) -> io::Result<()> {
    let metadata = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(metadata.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file"));
    }
    if u64::try_from(rustix::fs::fstatfs(&file)?.f_type) == Ok(FUSE) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "on a file system of FUSE"));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_nowhere_but_inside_the_root_and_only_files_are_opened() {
        let folder = std::env::temp_dir().join(format!("chandra-rooted-{}", std::process::id()));
        let root = folder.join("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(folder.join("outside"), "outside").unwrap();
        fs::write(root.join("etc/inside"), "inside").unwrap();
        symlink("/etc/inside", root.join("absolute")).unwrap();
        symlink("../../../../etc/inside", root.join("etc/upwards")).unwrap();
        symlink(folder.join("outside"), root.join("out")).unwrap();
        symlink("../outside", root.join("beside")).unwrap();
        let open = |path: &str| open_inside(File::open(&root).unwrap(), Path::new(path));
        for path in ["etc/inside", "/etc/inside", "absolute", "etc/upwards", "../../etc/inside"] {
            let mut content = String::new();
            open(path).unwrap().read_to_string(&mut content).unwrap();
            assert_eq!(content, "inside", "{path}");
        }
        for path in ["out", "beside", "../outside", "etc", "none"] {
            assert!(open(path).is_err(), "{path}");
        }
        let null = open_inside(File::open("/").unwrap(), Path::new("dev/null"));
        assert_eq!(null.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        fs::remove_dir_all(folder).unwrap();
    }
}
