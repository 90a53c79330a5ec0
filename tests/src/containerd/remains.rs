//! What a containerd leaves behind when it is killed: shims, containers, mounts, cgroups, sockets.
//!
//! Invariant: everything is found by the folder that the containerd had, and by the cgroup that is
//! named after it, so that it can be done without the test that started it.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::scratch::maker_of;

/// The cgroup that all pods of the containerd in this folder are in, in every hierarchy.
pub fn cgroup_of(folder: &Path) -> String {
    format!("/{}", folder.file_name().unwrap().to_str().unwrap())
}

/// Removes everything but the folder itself. Does not panic: it runs while a test fails.
pub fn remove(folder: &Path) {
    let cgroup = cgroup_of(folder);
    let groups: Vec<PathBuf> =
        hierarchies().into_iter().map(|mount| mount.join(cgroup.trim_start_matches('/'))).collect();
    let shims = shim_sockets(folder);
    // Shims first, because they would start the removal of containers that are killed.
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        let mut pids = processes_naming(folder);
        pids.extend(groups.iter().flat_map(|group| processes_in(group)));
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            // SAFETY: takes numbers only.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    unmount_below(folder);
    for socket in shims {
        drop(fs::remove_file(socket));
    }
    for group in &groups {
        remove_group(group);
    }
}

/// Removes what tests left that were killed.
pub fn remove_abandoned() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for folder in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = folder.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("chandra-test-")?.parse().ok());
        let Some(maker) = number.map(maker_of) else { continue };
        let is_ours = folder.join("config.toml").exists() && folder.join("cni").exists();
        if is_ours && !Path::new(&format!("/proc/{maker}")).exists() {
            remove(&folder);
            drop(fs::remove_dir_all(&folder));
        }
    }
}

fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        kind.starts_with("cgroup").then(|| PathBuf::from(point))
    });
    mounts.collect()
}

/// containerd and its shims have their socket or their configuration in their command line.
fn processes_naming(folder: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let folder = folder.as_os_str().as_bytes();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let own = std::process::id();
    let named = |pid: &i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let program = command.split(|byte| *byte == 0).next().unwrap_or_default();
        program.windows(10).any(|bytes| bytes == b"containerd")
            && command.windows(folder.len()).any(|bytes| bytes == folder)
    };
    pids.filter(|pid: &i32| u32::try_from(*pid) != Ok(own)).filter(named).collect()
}

fn processes_in(group: &Path) -> Vec<i32> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = list.lines().filter_map(|line| line.parse().ok()).collect();
    pids.retain(|pid| *pid > 0);
    pids.extend(groups_below(group).iter().flat_map(|below| processes_in(below)));
    pids
}

fn groups_below(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(group) else { return Vec::new() };
    let folders = entries.filter_map(Result::ok);
    folders
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|e| e.path())
        .collect()
}

fn remove_group(group: &Path) {
    for below in groups_below(group) {
        remove_group(&below);
    }
    // Busy until those killed have been reaped.
    for _ in 0..200 {
        if !group.exists() || fs::remove_dir(group).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    let mut points: Vec<&str> =
        points.filter(|point| Path::new(point).starts_with(folder)).collect();
    // The last first: it lies on top.
    points.reverse();
    for point in points {
        if let Ok(point) = CString::new(point) {
            // SAFETY: the path ends with NUL.
            unsafe { libc::umount2(point.as_ptr(), libc::MNT_DETACH) };
        }
    }
}

/// Shims listen outside of their containerd's folder; where, they write next to each container.
fn shim_sockets(folder: &Path) -> Vec<PathBuf> {
    let tasks = folder.join("run/containerd/io.containerd.runtime.v2.task");
    let folders = |of: &Path| {
        let entries = fs::read_dir(of).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let addresses = folders(&tasks).into_iter().flat_map(|of| folders(&of)).filter_map(|task| {
        let address = fs::read_to_string(task.join("address")).ok()?;
        address.strip_prefix("unix://").map(PathBuf::from)
    });
    addresses.collect()
}
