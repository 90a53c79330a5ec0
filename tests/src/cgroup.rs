//! Cgroups of both versions: their numbers, and cgroups that a test makes.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::launch::{before_exec, checked};
use crate::patience::wait_for;
use crate::scratch::unique;

/// Where the unified hierarchy is mounted.
///
/// # Panics
/// When it is not.
pub fn mount() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts.find(|fields| fields[2] == "cgroup2");
    PathBuf::from(mount.expect("no cgroup2 is mounted")[1])
}

/// The number of the v1 hierarchy that this controller is in, and where all of it is mounted.
pub fn v1(controller: &str) -> Option<(u32, PathBuf)> {
    let number = lines_of("self").find(|(number, controllers, _)| {
        *number != 0 && controllers.split(',').any(|name| name == controller)
    })?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let is_it =
            kind.next() == Some("cgroup") && kind.nth(1)?.split(',').any(|name| name == controller);
        let mut place = place.split(' ').skip(3);
        (is_it && place.next() == Some("/")).then(|| place.next().map(PathBuf::from))?
    });
    Some((number.0, mount?))
}

/// The lines of `/proc/PID/cgroup`: a hierarchy's number, its controllers, and the path.
fn lines_of(pid: &str) -> impl Iterator<Item = (u32, String, String)> {
    let list = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let lines: Vec<_> = list
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.splitn(3, ':').collect();
            (fields[0].parse().unwrap(), fields[1].to_owned(), fields[2].to_owned())
        })
        .collect();
    lines.into_iter()
}

/// The cgroup that the records of a process name, its hierarchy and its id: the first that is not a
/// root of those of the v1 pids controller, of v2, and of the v1 memory controller.
pub fn of_process(pid: u32) -> (u32, u64) {
    let path_in = |wanted: u32| {
        let line = lines_of(&pid.to_string()).find(|(number, ..)| *number == wanted);
        line.map(|(.., path)| path).unwrap()
    };
    let hierarchies = [v1("pids"), Some((0, mount())), v1("memory")];
    let found = hierarchies.into_iter().flatten().find(|(number, _)| path_in(*number) != "/");
    let (number, mount) = found.unwrap_or_else(|| (0, mount()));
    let folder = mount.join(path_in(number).trim_start_matches('/'));
    (number, fs::metadata(folder).unwrap().st_ino())
}

/// Starts the program in these cgroups, already there when it executes.
pub fn start_in(command: &mut Command, folders: &[&Path]) {
    for folder in folders {
        let processes: File =
            OpenOptions::new().write(true).open(folder.join("cgroup.procs")).unwrap();
        before_exec(command, move || {
            // SAFETY: the byte outlives the call; 0 is the process that writes it.
            checked(unsafe { libc::write(processes.as_raw_fd(), c"0".as_ptr().cast(), 1) })
                .map(drop)
        });
    }
}

/// Cgroups one in another, each removed before the one that it is in.
#[derive(Debug)]
pub struct Nested(Vec<Cgroup>);

impl Nested {
    /// New ones of these names in a new one below the root of the hierarchy that is mounted there.
    pub fn new(mount: &Path, names: &[&str]) -> Self {
        let top = Cgroup::make(mount.join(format!("chandra-test-{}", unique())));
        let mut this = Self(vec![top]);
        for name in names {
            let next = this.innermost().below(name);
            this.0.push(next);
        }
        this
    }

    /// The one that all others are around.
    ///
    /// # Panics
    /// Never: there is always one.
    pub fn innermost(&self) -> &Cgroup {
        self.0.last().unwrap()
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

/// A cgroup that is removed with everything below it when dropped.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// A new one below the root.
    pub fn new() -> Self {
        Self::make(mount().join(format!("chandra-test-{}", unique())))
    }

    /// A new one below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self::make(self.0.join(name))
    }

    fn make(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Its path as `/proc/PID/cgroup` writes it.
    pub fn path(&self) -> String {
        format!("/{}", self.0.strip_prefix(mount()).unwrap().display())
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        fs::metadata(&self.0).unwrap().st_ino()
    }

    /// Moves a process here.
    pub fn adopt(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Default for Cgroup {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It is busy until its processes, which were killed or ended before, have been reaped.
        let remove = || fs::remove_dir(&self.0).ok();
        if std::thread::panicking() {
            let started = Instant::now();
            while remove().is_none() && started.elapsed() < Duration::from_secs(2) {
                std::thread::sleep(Duration::from_millis(2));
            }
        } else {
            wait_for("an empty cgroup", remove);
        }
    }
}
