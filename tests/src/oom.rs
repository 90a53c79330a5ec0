//! A cgroup with little memory, and what the kernel says of who was killed in it.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::cgroup::{self, Nested};
use crate::patience::wait_for;

/// A cgroup of the memory controller with a limit; it is removed when dropped.
#[derive(Debug)]
pub struct Limited {
    cgroups: Nested,
    hierarchy: u32,
}

/// What the kernel's log says of a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Name of the victim.
    pub comm: String,
    /// Its address space.
    pub total_bytes: u64,
    /// Its own memory.
    pub anonymous_bytes: u64,
    /// Of files.
    pub file_bytes: u64,
    /// Shared.
    pub shared_memory_bytes: u64,
    /// Its page tables.
    pub page_table_bytes: u64,
    /// `oom_score_adj`
    pub oom_score_adjustment: i64,
}

impl Limited {
    /// A new one with so many bytes; `None` where there is no memory controller.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(bytes: u64) -> Option<Self> {
        let (hierarchy, mount, file) = match cgroup::v1("memory") {
            Some((hierarchy, mount)) => (hierarchy, mount, "memory.limit_in_bytes"),
            None => {
                let mount = cgroup::mount();
                fs::write(mount.join("cgroup.subtree_control"), "+memory").ok()?;
                (0, mount, "memory.max")
            }
        };
        let cgroups = Nested::new(&mount, &[]);
        fs::write(cgroups.innermost().folder().join(file), bytes.to_string()).unwrap();
        // What cannot be swapped out has to stay within it.
        let _ = fs::write(cgroups.innermost().folder().join("memory.swap.max"), "0");
        Some(Self { cgroups, hierarchy })
    }

    /// Its hierarchy: 0 is the unified one.
    pub fn hierarchy(&self) -> u32 {
        self.hierarchy
    }

    /// Itself.
    pub fn cgroup(&self) -> &cgroup::Cgroup {
        self.cgroups.innermost()
    }

    /// How many were killed in it.
    pub fn kills(&self) -> u64 {
        kills(self.cgroup().folder())
    }
}

/// How many processes the kernel says that it killed in a cgroup of the memory controller.
fn kills(folder: &Path) -> u64 {
    let files = ["memory.events", "memory.oom_control"].map(|name| folder.join(name));
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap();
    line.parse().unwrap()
}

/// Limits the memory of what is in this cgroup of the controller, `PATH` as runtimes have it.
///
/// # Panics
/// When there is no such cgroup.
pub fn limit(path: &str, bytes: u64) {
    let (mount, file) = match cgroup::v1("memory") {
        Some((_, mount)) => (mount, "memory.limit_in_bytes"),
        None => (cgroup::mount(), "memory.max"),
    };
    let folder = mount.join(path.trim_start_matches('/'));
    fs::write(folder.join(file), bytes.to_string()).unwrap();
}

/// What the kernel's log says of this victim, once it does.
///
/// # Panics
/// When it never does.
pub fn logged(pid: u32) -> Logged {
    wait_for("the kernel's log of the kill", || {
        let log = kernel_log();
        let line = log.lines().rev().find(|line| line.contains(&format!("Killed process {pid} (")));
        line.map(parse)
    })
}

fn kernel_log() -> String {
    let mut options = OpenOptions::new();
    let mut log = options.read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").unwrap();
    let (mut text, mut record) = (String::new(), [0; 8192]);
    loop {
        match log.read(&mut record) {
            Ok(bytes) => text += &String::from_utf8_lossy(&record[..bytes]),
            // Records that were overwritten meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(_) => return text,
        }
    }
}

fn parse(line: &str) -> Logged {
    let rest = line.split_once("Killed process ").unwrap().1;
    let comm = rest.split_once('(').unwrap().1.split_once(')').unwrap().0;
    let word = |name: &str| {
        let at = rest.split_once(&format!("{name}:")).unwrap().1;
        at.split([',', ' ']).next().unwrap()
    };
    let kilobytes = |name: &str| word(name).strip_suffix("kB").unwrap().parse::<u64>().unwrap();
    Logged {
        comm: comm.to_owned(),
        total_bytes: kilobytes("total-vm") << 10,
        anonymous_bytes: kilobytes("anon-rss") << 10,
        file_bytes: kilobytes("file-rss") << 10,
        shared_memory_bytes: kilobytes("shmem-rss") << 10,
        page_table_bytes: kilobytes("pgtables") << 10,
        oom_score_adjustment: word("oom_score_adj").parse().unwrap(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_read() {
        let line = "3,500,1,-;Memory cgroup out of memory: Killed process 7 (a b) total-vm:20kB, \
            anon-rss:12kB, file-rss:8kB, shmem-rss:0kB, UID:0 pgtables:44kB oom_score_adj:-5";
        let logged = parse(line);
        assert_eq!((logged.comm.as_str(), logged.total_bytes), ("a b", 20 << 10));
        assert_eq!((logged.anonymous_bytes, logged.page_table_bytes), (12 << 10, 44 << 10));
        assert_eq!((logged.file_bytes, logged.oom_score_adjustment), (8 << 10, -5));
    }
}
