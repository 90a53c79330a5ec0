//! Ways to start a program so that its name, its path or its command line does not tell what it is.
//!
//! The program `starter` starts a set of targets in all ways and keeps them running, as a process of its own so
//! that it can do so in a container.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use crate::launch;
use crate::patience::wait_for;

/// A way to start a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By its own name.
    Plain,
    /// By a symbolic link with another name.
    Link,
    /// A copy with another name.
    Copy,
    /// As a program of BusyBox.
    BusyBox,
    /// As a program of a copy of BusyBox with another name.
    CopyOfBusyBox,
    /// By the dynamic loader.
    Loader,
    /// A copy with another name, by the dynamic loader.
    LoadedCopy,
    /// From a file in memory.
    Memory,
    /// A copy that was deleted before.
    Deleted,
    /// As the interpreter of a script.
    Script,
    /// With 200 KiB of arguments behind those that count.
    Padding,
    /// With another first argument, as `exec -a` does.
    FirstArgument,
    /// By a thread that is not the first.
    Thread,
}

/// A program to start.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called here.
    pub name: &'static str,
    /// Its path.
    pub program: &'static str,
    /// Arguments that say the same in three ways: alerts that are alike are folded.
    pub arguments: [&'static [&'static str]; 3],
    /// The one argument that a script's first line can have.
    pub script_argument: &'static str,
    /// Its name in BusyBox.
    pub applet: Option<&'static str>,
}

/// A shell that is to be interactive.
const SHELL: Target = Target {
    name: "shell",
    program: "/usr/bin/bash",
    arguments: [&["-i"], &["--norc", "-i"], &["-i", "-l"]],
    script_argument: "-i",
    applet: Some("sh"),
};
const NSENTER: Target = Target {
    name: "nsenter",
    program: "/usr/bin/nsenter",
    // It waits for the other end of a pipe that has none.
    arguments: [
        &["-t", "1", "--net=wait"],
        &["-t", "1", "--net=./wait"],
        &["--target", "1", "--net=wait"],
    ],
    // The script would be what it runs, again and again.
    script_argument: "-Vt1",
    applet: Some("nsenter"),
};
/// The near miss: what is no shell, with a shell's arguments.
const HARMLESS: Target = Target {
    name: "harmless",
    program: "/usr/bin/env",
    arguments: [&["-i"], &["-i", "-u", "x"], &["-i", "-u", "y"]],
    script_argument: "-i",
    applet: Some("env"),
};
/// A set-user-id program that every machine has.
const SU: Target = Target {
    name: "su",
    program: "/usr/bin/su",
    arguments: [&["-c", "cat"], &["root", "-c", "cat"], &["-c", "cat", "root"]],
    script_argument: "--help",
    applet: Some("su"),
};
/// What a test puts there, a set-user-id program that waits, because not every machine has one.
const SUDO: Target = Target {
    name: "sudo",
    program: "/usr/local/bin/sudo",
    arguments: [&["-"], &["-b", "-"], &["-s", "-"]],
    script_argument: "-s",
    applet: None,
};

/// What is started on the machine itself.
pub const ON_HOST: [Target; 4] = [SHELL, SU, NSENTER, HARMLESS];
/// What is started in a container.
pub const IN_CONTAINER: [Target; 4] = [SHELL, SUDO, NSENTER, HARMLESS];

const LOADER: &str = if cfg!(target_arch = "aarch64") {
    "/lib/ld-linux-aarch64.so.1"
} else {
    "/lib64/ld-linux-x86-64.so.2"
};
const BUSYBOX: &str = "/bin/busybox";

impl Way {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Plain,
        Self::Link,
        Self::Copy,
        Self::BusyBox,
        Self::CopyOfBusyBox,
        Self::Loader,
        Self::LoadedCopy,
        Self::Memory,
        Self::Deleted,
        Self::Script,
        Self::Padding,
        Self::FirstArgument,
        Self::Thread,
    ];

    /// BusyBox does not have every program.
    pub fn fits(self, target: &Target) -> bool {
        !matches!(self, Self::BusyBox | Self::CopyOfBusyBox) || target.applet.is_some()
    }

    /// Its name.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// Executes the target in place of the calling process, with files in `folder`, which is its own.
    fn execute(self, target: &Target, folder: &Path) -> io::Error {
        let arguments = target.arguments;
        let copy = |program: &str| -> PathBuf {
            let copy = folder.join("updater");
            fs::copy(program, &copy).unwrap();
            fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
            copy
        };
        let applet = target.applet.unwrap_or_default();
        let descriptor = |file| {
            let words: Vec<&str> = [&["sshd"], arguments[0]].concat();
            launch::by_descriptor(&file, &words).exec()
        };
        match self {
            Self::Plain => Command::new(target.program).args(arguments[0]).exec(),
            Self::Link => {
                let link = folder.join("logrotate");
                symlink(target.program, &link).unwrap();
                Command::new(link).args(arguments[0]).exec()
            }
            Self::Copy => Command::new(copy(target.program)).args(arguments[0]).exec(),
            Self::BusyBox => Command::new(BUSYBOX).arg(applet).args(arguments[0]).exec(),
            Self::CopyOfBusyBox => {
                let mut command = Command::new(copy(BUSYBOX));
                command.arg0("busybox").arg(applet).args(arguments[0]).exec()
            }
            Self::Loader => Command::new(LOADER).arg(target.program).args(arguments[0]).exec(),
            Self::LoadedCopy => {
                Command::new(LOADER).arg(copy(target.program)).args(arguments[0]).exec()
            }
            Self::Memory => descriptor(launch::memory_file(target.name, target.program.as_ref())),
            Self::Deleted => {
                let file = launch::inherited(&copy(target.program));
                fs::remove_file(folder.join("updater")).unwrap();
                descriptor(file)
            }
            Self::Script => {
                let script = folder.join("rotate.sh");
                let line = format!("#!{} {}\n", target.program, target.script_argument);
                fs::write(&script, line).unwrap();
                fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
                Command::new(script).exec()
            }
            Self::Padding => {
                let padding = "x".repeat(100 << 10);
                let mut command = Command::new(target.program);
                let options = if target.name == SHELL.name { ["-s"].as_slice() } else { &[] };
                command.args(arguments[0]).args(options).args([&padding, &padding]).exec()
            }
            Self::FirstArgument => {
                Command::new(target.program).arg0("sshd").args(arguments[1]).exec()
            }
            Self::Thread => {
                let act = || Command::new(target.program).args(arguments[2]).exec();
                std::thread::scope(|scope| scope.spawn(act).join().unwrap())
            }
        }
    }
}

/// A target that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// In which way.
    pub way: Way,
    /// Its name.
    pub target: String,
    /// As which process.
    pub pid: u32,
}

/// What `starter` wrote into its folder, once it has started everything.
///
/// # Panics
/// When it never does.
pub fn wait_for_started(folder: &Path) -> Vec<Started> {
    let text = wait_for("the started programs", || fs::read_to_string(folder.join("started")).ok());
    let started = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let way = *Way::ALL.iter().find(|way| way.name() == words[0]).unwrap();
        Started { way, target: words[1].to_owned(), pid: words[2].parse().unwrap() }
    };
    text.lines().map(started).collect()
}

/// Lets `starter` end what it started.
///
/// # Panics
/// When it cannot be told.
pub fn end(folder: &Path) {
    fs::write(folder.join("done"), "").unwrap();
}

/// `starter host|container FOLDER` starts everything and waits for its end; `starter … WAY TARGET` executes one.
///
/// # Panics
/// When something cannot be started.
pub fn starter() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let targets = if words[0] == "host" { ON_HOST } else { IN_CONTAINER };
    let folder = Path::new(&words[1]);
    if let [_, _, way, target] = words.as_slice() {
        let way = Way::ALL.iter().find(|it| it.name() == *way).unwrap();
        let target = targets.iter().find(|it| it.name == target).unwrap();
        let error = way.execute(target, folder);
        panic!("{way:?} {target:?}: {error}");
    }
    // Its own files lie where a container's image does not reach.
    let files = if words[0] == "host" { folder.join("files") } else { "/evasions".into() };
    let mut children: Vec<Child> = Vec::new();
    let mut said = String::new();
    for way in Way::ALL {
        for target in targets.iter().filter(|target| way.fits(target)) {
            let own = files.join(format!("{}-{}", way.name(), target.name));
            fs::create_dir_all(&own).unwrap();
            launch::make_pipe(&own.join("wait"));
            let mut command = Command::new("/proc/self/exe");
            command.args([&words[0], own.to_str().unwrap(), &way.name(), target.name]);
            // They wait for what comes through a pipe, without a terminal.
            command
                .current_dir(&own)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            // SAFETY: takes nothing.
            launch::before_exec(&mut command, || {
                launch::checked(unsafe { libc::setsid() }).map(drop)
            });
            let child = command.spawn().unwrap();
            said.push_str(&format!("{} {} {}\n", way.name(), target.name, child.id()));
            children.push(child);
        }
    }
    let mut file = fs::File::create(folder.join("starting")).unwrap();
    file.write_all(said.as_bytes()).unwrap();
    fs::rename(folder.join("starting"), folder.join("started")).unwrap();
    wait_for("the end", || folder.join("done").exists().then_some(()));
    for mut child in children {
        drop(child.stdin.take());
        drop(child.kill());
        child.wait().unwrap();
    }
    ExitCode::SUCCESS
}
