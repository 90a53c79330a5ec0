//! Files that are opened by each system call that does, through a link, below a descriptor and below the
//! working directory, and one that is not there.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chandra_tests::comparison::Comparison;
use chandra_tests::launch::checked;
use chandra_tests::process::Process;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;
use serde_json::{Value, json};

use crate::hooks::Hooks;

/// A call, and what its record must say of it.
struct Opening<'a> {
    call: &'static str,
    directory: i32,
    name: &'a str,
    flags: i32,
    named_flags: &'static [&'static str],
    mode: Option<u32>,
    path: PathBuf,
    is_created: bool,
}

/// `struct open_how` of openat2(2).
#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

fn open(opening: &Opening<'_>) -> std::io::Result<OwnedFd> {
    let name = CString::new(opening.name).unwrap();
    let (directory, flags, mode) = (opening.directory, opening.flags, opening.mode.unwrap_or(0));
    let how = How { flags: flags as u64, mode: mode.into(), resolve: 0 };
    // SAFETY: the name ends with NUL, and it and `how` outlive the call.
    let result = unsafe {
        match opening.call {
            #[cfg(target_arch = "x86_64")]
            "open" => libc::syscall(libc::SYS_open, name.as_ptr(), flags, mode),
            #[cfg(target_arch = "x86_64")]
            "creat" => libc::syscall(libc::SYS_creat, name.as_ptr(), mode),
            "openat" => libc::syscall(libc::SYS_openat, directory, name.as_ptr(), flags, mode),
            _ => {
                let size = size_of::<How>();
                libc::syscall(libc::SYS_openat2, directory, name.as_ptr(), &raw const how, size)
            }
        }
    };
    match i32::try_from(result).unwrap() {
        // SAFETY: the call just made it, and nobody else has it.
        descriptor if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => checked(-1).map(|_| unreachable!("it has failed")),
    }
}

/// Every field of every record.
pub fn opens(chandra: &Path, hooks: &mut Hooks) {
    let scratch = Scratch::new();
    let root = scratch.path().canonicalize().unwrap();
    fs::write(root.join("there"), "text").unwrap();
    std::os::unix::fs::symlink("there", root.join("link")).unwrap();
    let directory = fs::File::open(&root).unwrap();
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let (link, new, made) =
        (text(root.join("link")), text(root.join("new")), text(root.join("made")));
    let none = |name: &'static str, directory: i32, path: PathBuf| Opening {
        call: "openat",
        directory,
        name,
        flags: libc::O_RDONLY,
        named_flags: &["O_RDONLY"],
        mode: None,
        path,
        is_created: false,
    };
    let below = directory.as_raw_fd();
    let here = std::env::current_dir().unwrap();
    let mut openings = vec![
        Opening {
            call: "openat2",
            directory: below,
            name: "link",
            flags: libc::O_RDWR | libc::O_APPEND,
            named_flags: &["O_RDWR", "O_APPEND"],
            mode: None,
            path: root.join("there"),
            is_created: false,
        },
        Opening {
            call: "openat",
            directory: libc::AT_FDCWD,
            name: &new,
            flags: libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL,
            named_flags: &["O_WRONLY", "O_CREAT", "O_EXCL"],
            mode: Some(0o640),
            path: root.join("new"),
            is_created: true,
        },
        none("not-there", below, root.join("not-there")),
        none("chandra-not-there", libc::AT_FDCWD, here.join("chandra-not-there")),
        none("/chandra-not-there", libc::AT_FDCWD, "/chandra-not-there".into()),
    ];
    if cfg!(target_arch = "x86_64") {
        let (call, directory) = ("open", libc::AT_FDCWD);
        let link =
            Opening { call, name: &link, path: root.join("there"), ..none("", directory, here) };
        openings.push(link);
        openings.push(Opening {
            call: "creat",
            directory,
            name: &made,
            flags: libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC,
            named_flags: &["O_WRONLY", "O_CREAT", "O_TRUNC"],
            mode: Some(0o600),
            path: root.join("made"),
            is_created: true,
        });
    }
    let own = Process::own();
    let mut trace =
        Trace::start_program(chandra, &["open", "--pid", &std::process::id().to_string()]);
    for opening in &openings {
        let before = wall_clock::now();
        let result = open(opening);
        let record =
            trace.wait_for(opening.call, |record| record.text("file.name") == Some(opening.name));
        let when = before..=wall_clock::now();
        let mut fields = Comparison::of(&record, "file_open", "file_open", when);
        own.compare(&mut fields, "process");
        compare(&mut fields, opening, result.as_ref().ok());
        hooks.compared("file_open", fields.finish());
    }
    hooks.served(&trace.stop());
}

/// More opens at once than a cgroup may tell of: what is told and what is over the budget is all of them.
pub fn over_budget(chandra: &Path, hooks: &mut Hooks) {
    const OPENS: u64 = 2000;
    const RATE: u64 = 100;
    let pid = std::process::id().to_string();
    let budget = RATE.to_string();
    let started = Instant::now();
    let trace = Trace::start_program(chandra, &["open", "--pid", &pid, "--event-budget", &budget]);
    let path = "/chandra-not-there".to_owned();
    (0..OPENS).for_each(|_| drop(fs::File::open(&path)));
    let outcome = trace.stop();
    hooks.served(&outcome);
    let summary = outcome.summary();
    let number = |name: &str| summary.number(name).unwrap();
    let (seen, limited) = (number("seen"), number("rate_limited"));
    let told =
        outcome.records.iter().filter(|it| it.text("file.path") == Some(&path)).count() as u64;
    // A quarter of a second's may come at once; the proof opens a few files of its own.
    let allowed = started.elapsed().as_millis() as u64 * RATE / 1000 + RATE / 4 + 64;
    let is_right = seen >= OPENS
        && told >= RATE / 4
        && number("shown") <= allowed
        && limited >= OPENS - told
        && limited + number("shown") == seen - number("filtered");
    let why = || format!("{told} of {OPENS} told, {allowed} allowed: {summary:?}");
    hooks.compared("file_open", if is_right { Ok(()) } else { Err(why()) });
}

fn compare(fields: &mut Comparison, opening: &Opening<'_>, opened: Option<&OwnedFd>) {
    fields.is("file.name", opening.name);
    fields.is("file.path", opening.path.to_str());
    fields.is("file.path_truncated", false);
    fields.is("file.flags", json!(opening.named_flags));
    fields.is_optional("file.mode", opening.mode.map(|mode| format!("{mode:04o}")));
    fields.is("file.is_resolved", opened.is_some());
    // Only the hooks on system calls know it.
    if let Some(descriptor) = fields.take("file.descriptor") {
        let truth = opened.map(|opened| Value::from(opened.as_raw_fd()));
        if Some(descriptor) != truth {
            fields.problem(format!("descriptor, in truth {truth:?}"));
        }
    }
    let Some(opened) = opened else {
        fields.is("error", "ENOENT");
        return fields.is("error_number", libc::ENOENT);
    };
    let metadata = fs::metadata(format!("/proc/self/fd/{}", opened.as_raw_fd())).unwrap();
    let device = metadata.st_dev();
    fields.is("file.device", format!("{}:{}", libc::major(device), libc::minor(device)));
    fields.is_big("file.inode", metadata.st_ino());
    fields.is("file.type", "regular");
    fields.is("file.permissions", format!("{:04o}", metadata.st_mode() & 0o7777));
    fields.is("file.is_created", opening.is_created);
}
