//! Tracepoints by number, also where nobody mounted tracefs: then an instance of it is opened that
//! is mounted nowhere ([`detached`]).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use crate::detached::{self, owned};

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

/// The number of a tracepoint.
///
/// # Errors
/// NotFound when the kernel has no such tracepoint; else what tracefs says.
pub fn id(category: &str, name: &str) -> io::Result<u64> {
    let file = format!("events/{category}/{name}/id");
    let mounted =
        MOUNT_POINTS.map(PathBuf::from).into_iter().find(|path| path.join("events").exists());
    let (root, _instance) = match mounted {
        Some(root) => (root, None),
        None => {
            let instance = detached::mount(c"tracefs")?;
            (PathBuf::from(format!("/proc/self/fd/{}", instance.as_raw_fd())), Some(instance))
        }
    };
    let mut text = String::new();
    File::open(root.join(file))?.read_to_string(&mut text)?;
    text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}
