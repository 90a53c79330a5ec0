//! Tracepoints by number, also where nobody mounted tracefs: then an instance of it is opened that
//! is mounted nowhere, so that the machine stays as it is (needs CAP_SYS_ADMIN and kernel 5.2).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Opens a tracepoint as a perf event on all CPUs, for a program to be attached to.
///
/// # Errors
/// NotFound when the kernel has no such tracepoint; else what tracefs or perf_event_open(2) say.
pub fn open(category: &str, name: &str) -> io::Result<OwnedFd> {
    let id = id(category, name)?;
    let mut attributes = libbpf_sys::perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_TRACEPOINT,
        size: u32::try_from(size_of::<libbpf_sys::perf_event_attr>()).unwrap_or(0),
        config: id,
        ..Default::default()
    };
    attributes.__bindgen_anon_1.sample_period = 1;
    // A tracepoint's program runs on every CPU, whichever one the event is opened on.
    let (any_process, first_cpu, no_group) = (-1, 0, -1);
    // SAFETY: `attributes` lives through the call and says its own size; the rest are numbers.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            any_process,
            first_cpu,
            no_group,
            libc::c_long::from(libbpf_sys::PERF_FLAG_FD_CLOEXEC),
        )
    };
    owned(fd)
}

fn id(category: &str, name: &str) -> io::Result<u64> {
    let file = format!("events/{category}/{name}/id");
    let mounted =
        MOUNT_POINTS.map(PathBuf::from).into_iter().find(|path| path.join("events").exists());
    let (root, _instance) = match mounted {
        Some(root) => (root, None),
        None => {
            let instance = detached()?;
            (PathBuf::from(format!("/proc/self/fd/{}", instance.as_raw_fd())), Some(instance))
        }
    };
    let mut text = String::new();
    File::open(root.join(file))?.read_to_string(&mut text)?;
    text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// An instance of tracefs that is mounted nowhere (fsopen(2), fsconfig(2), fsmount(2)).
fn detached() -> io::Result<OwnedFd> {
    const FSCONFIG_CMD_CREATE: libc::c_long = 6;
    let (none, no_flags) = (std::ptr::null::<libc::c_char>(), 0_i64);
    // SAFETY: a string that ends in NUL and a number.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, c"tracefs".as_ptr(), no_flags) })?;
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

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(fd) {
        // SAFETY: a descriptor just made and owned by no one else.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
