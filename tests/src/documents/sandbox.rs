//! Where the commands of a page run: in a folder, a network and a `/run` of their own, with the binary that was
//! built as `chandra`, so that ports, sockets and files of this machine are neither used nor touched.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::shape::missing;
use crate::agent::without_variables;
use crate::launch::{before_exec, checked};
use crate::namespaces::Namespace;
use crate::patience::{PATIENCE, wait_for};
use crate::scratch::{Scratch, unique};
use crate::trace::chandra;

/// How long a command that goes on until Ctrl-C may show what it shows.
const LOOK: Duration = Duration::from_millis(500);
/// How the first line begins of what goes on until Ctrl-C.
const STARTED: [&str; 4] = ["tracing ", "profiling ", "recording ", "agent: "];
/// What goes on until Ctrl-C and need not say that it began.
const FOLLOWS: [&str; 3] = [" -f", " -Pf", " watch "];
/// Folders, and a file, of the machine that commands see others in place of.
const OWN: [&str; 4] = ["/run", "/var/log", "/var/lib", "/etc/hosts"];
/// The machines that documents name are all this one.
const HOSTS: &str = "127.0.0.1 localhost node-1\n";

/// Where the commands of one page run. What is made there is gone with it.
#[derive(Debug)]
pub struct Sandbox {
    folder: Scratch,
    network: Namespace,
    life: Option<Beside>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// What it printed, on standard error first.
    pub output: String,
    status: Option<ExitStatus>,
}

/// A program that runs until this is dropped, with all that it started.
#[derive(Debug)]
pub struct Beside(Child);

impl Sandbox {
    /// A new one, in which a client asks now and then for what an agent serves, so that there is something to see.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        let folder = Scratch::new();
        for name in ["bin", "home", "work", "run", "log", "lib"] {
            fs::create_dir(folder.at(name)).unwrap();
        }
        fs::write(folder.at("hosts"), HOSTS).unwrap();
        symlink(chandra(), folder.at("bin/chandra")).unwrap();
        // Tests are root already; asking again might ask a person.
        let sudo = folder.at("bin/sudo");
        fs::write(&sudo, "#!/bin/sh\nexec \"$@\"\n").unwrap();
        fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
        let mut this = Self { folder, network: Namespace::new("page"), life: None };
        let life = "while :; do curl -s http://127.0.0.1:9965/healthz; read -rt 0.1 <> <(:); done";
        this.life = Some(Beside(this.spawn(life, None)));
        this
    }

    /// Puts a file where commands run.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program that a command begins with, or that a pipe leads to, if there is none of that name.
    pub fn lacks(&self, command: &str) -> Option<String> {
        let code: Vec<_> = command.lines().take(1).flat_map(|line| line.split(" | ")).collect();
        let programs = code.iter().filter_map(|part| {
            let mut words =
                part.split_whitespace().filter(|word| *word != "sudo" && !word.contains('='));
            words.next().map(|word| word.trim_end_matches(';'))
        });
        let mut names = programs.filter(|name| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        });
        names
            .find(|name| {
                let mut check = Command::new("bash");
                check.args(["-c", "type \"$0\""]).arg(name).env("PATH", self.path());
                !check.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
            })
            .map(str::to_owned)
    }

    /// Runs a command to its end. One that goes on until Ctrl-C is given a moment, and until it has printed
    /// what it is shown to print, and then that.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, command: &str, shown: &[String]) -> Ended {
        let output = self.folder.at(&format!("output-{}", unique()));
        let mut child = self.spawn(command, Some(&output));
        let mut began = None;
        let started = Instant::now();
        let mut is_interrupted = false;
        let follows = FOLLOWS.iter().any(|word| command.contains(word));
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if started.elapsed() > PATIENCE {
                break None;
            }
            if began.is_none() && (says_it_began(&output) || follows && has_run_for(started)) {
                began = Some(Instant::now());
            }
            let has_looked = began.is_some_and(|began| {
                let is_shown = || missing(shown, &read(&output)).is_empty();
                began.elapsed() > LOOK && (is_shown() || began.elapsed() > PATIENCE / 2)
            });
            if has_looked && !is_interrupted {
                interrupt(child.id());
                is_interrupted = true;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        // Whatever it left behind ends with it.
        drop(Beside(child));
        Ended { output: read(&output), status }
    }

    /// Starts a program that runs beside others; of an agent, waits until it is ready.
    ///
    /// # Panics
    /// When it ends at once, or never begins.
    pub fn start(&self, command: &str) -> Beside {
        let output = self.folder.at(&format!("output-{}", unique()));
        let mut beside = Beside(self.spawn(command, Some(&output)));
        if command.contains("chandra ") {
            wait_for(command, || {
                let ended = beside.0.try_wait().unwrap();
                assert!(ended.is_none(), "{command}: {ended:?}: {}", read(&output));
                says_it_began(&output).then_some(())
            });
        }
        if command.contains("chandra agent") {
            let ask = "curl -sf http://127.0.0.1:9965/readyz";
            wait_for(command, || self.run(ask, &[]).is_well(&[]).then_some(()));
        }
        beside
    }

    fn work(&self) -> PathBuf {
        self.folder.at("work")
    }

    fn path(&self) -> String {
        let rest = std::env::var("PATH").unwrap_or_default();
        format!("{}:{rest}:/usr/sbin:/sbin", self.folder.at("bin").display())
    }

    /// Starts a command as the leader of a group of processes, with its output in a file.
    fn spawn(&self, command: &str, output: Option<&Path>) -> Child {
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("set -o pipefail\n{command}")]);
        without_variables(&mut bash);
        bash.env("PATH", self.path()).env("HOME", self.folder.at("home"));
        bash.env("SOURCES", concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        bash.current_dir(self.work()).stdin(Stdio::null());
        let stream = || match output {
            Some(path) => File::options().create(true).append(true).open(path).unwrap().into(),
            None => Stdio::null(),
        };
        bash.stdout(stream()).stderr(stream());
        self.network.start_in(&mut bash);
        self.mount_in(&mut bash);
        bash.process_group(0);
        bash.spawn().unwrap()
    }

    fn mount_in(&self, command: &mut Command) {
        let own = OWN.map(|place| {
            let name = place.rsplit('/').next().unwrap();
            let from = CString::new(self.folder.at(name).as_os_str().as_bytes()).unwrap();
            (from, CString::new(place).unwrap())
        });
        before_exec(command, move || {
            let none = c"none".as_ptr();
            // SAFETY: every string ends with NUL and lives during the calls; the rest are numbers.
            unsafe {
                checked(libc::unshare(libc::CLONE_NEWNS))?;
                let private = libc::MS_REC | libc::MS_PRIVATE;
                checked(libc::mount(none, c"/".as_ptr(), none, private, std::ptr::null()))?;
                for (from, place) in &own {
                    let nothing = std::ptr::null();
                    checked(libc::mount(
                        from.as_ptr(),
                        place.as_ptr(),
                        none,
                        libc::MS_BIND,
                        nothing,
                    ))?;
                }
            }
            Ok(())
        });
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Ended {
    /// It ended by itself, with 0 or one of these codes.
    pub fn is_well(&self, further: &[i32]) -> bool {
        let code = self.status.and_then(|status| status.code());
        code.is_some_and(|code| code == 0 || further.contains(&code))
    }

    /// All that is known of how it ended.
    pub fn told(&self, command: &str) -> String {
        let end = match self.status {
            Some(status) if status.signal().is_some() => format!("was killed: {status}"),
            Some(status) => status.to_string(),
            None => format!("did not end within {PATIENCE:?}"),
        };
        format!("`{command}`: {end}, having printed:\n{}", self.output)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let group = self.0.id().cast_signed();
        // SAFETY: takes numbers only. The leader was not reaped, or its group is empty, or is what it left behind.
        unsafe { libc::killpg(group, libc::SIGKILL) };
        drop(self.0.wait());
    }
}

/// A second, in which a connection is made: what follows flows or alerts need not see any.
fn has_run_for(started: Instant) -> bool {
    started.elapsed() > Duration::from_secs(1)
}

fn read(output: &Path) -> String {
    String::from_utf8_lossy(&fs::read(output).unwrap_or_default()).into_owned()
}

fn says_it_began(output: &Path) -> bool {
    read(output).lines().any(|line| STARTED.iter().any(|begin| line.starts_with(begin)))
}

/// Does what Ctrl-C does, to the programs of Chandra in this group: what reads from them ends when they do.
fn interrupt(group: u32) {
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for pid in entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok()) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some((head, rest)) = stat.rsplit_once(") ") else { continue };
        let is_of_group = rest.split(' ').nth(2) == Some(&group.to_string());
        if is_of_group && head.ends_with("(chandra") {
            // SAFETY: takes numbers only; the group is of a child that was not waited for.
            unsafe { libc::kill(pid, libc::SIGINT) };
        }
    }
}
