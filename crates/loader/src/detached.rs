//! File systems that are mounted nowhere, so that the machine stays as it is: fsopen(2), fsconfig(2)
//! and fsmount(2), since kernel 5.2, with CAP_SYS_ADMIN.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// An instance of a file system; its root is a directory for as long as the descriptor is open.
///
/// # Errors
/// What the kernel says.
pub fn mount(filesystem: &CStr) -> io::Result<OwnedFd> {
    const FSCONFIG_CMD_CREATE: libc::c_long = 6;
    let (none, no_flags) = (std::ptr::null::<libc::c_char>(), 0_i64);
    // SAFETY: a string that ends in NUL and a number.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, filesystem.as_ptr(), no_flags) })?;
    let context_fd = context.as_raw_fd();
    // SAFETY: the command takes no key and no value.
    let created = unsafe {
        libc::syscall(libc::SYS_fsconfig, context_fd, FSCONFIG_CMD_CREATE, none, none, no_flags)
    };
    if created < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: numbers only.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context_fd, no_flags, no_flags) })
}

/// The descriptor that a system call returned, or its error.
pub fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(fd) {
        // SAFETY: a descriptor just made and owned by no one else.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
