//! Files that are opened: what a caller's name hides, what is filtered in the kernel, what fails, and
//! floods. Each system call, field by field, is proven by the program `signal-proof`.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use chandra_tests::failure::fails;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::{Trace, chandra};

fn own_pid() -> String {
    std::process::id().to_string()
}

fn named<'a>(name: &'a str) -> impl Fn(&Record) -> bool + 'a {
    move |record| record.text("file.name") == Some(name)
}

#[test]
fn whatever_name_leads_to_a_file_its_path_is_told() {
    needs!("root");
    let scratch = Scratch::new();
    let root = scratch.path().canonicalize().unwrap();
    let secret = root.join("secret");
    fs::write(&secret, "text").unwrap();
    fs::create_dir(root.join("below")).unwrap();
    symlink("secret", root.join("link")).unwrap();
    symlink(root.join("link"), root.join("below/link-to-link")).unwrap();
    fs::hard_link(&secret, root.join("other-name")).unwrap();
    let mut trace = Trace::start(&["open", "--pid", &own_pid()]);
    let open = File::open(&secret).unwrap();
    let by_descriptor = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
    let names = [
        root.join("below/link-to-link"),
        root.join("below/../below/./../secret"),
        Path::new("/proc/self/root").join(secret.strip_prefix("/").unwrap()),
        by_descriptor.into(),
    ];
    let inode = open.metadata().unwrap().ino().to_string();
    for name in names {
        File::open(&name).unwrap();
        let name = name.to_str().unwrap();
        let record = trace.wait_for(name, named(name));
        assert_eq!(record.text("file.path"), secret.to_str(), "{record:?}");
        assert_eq!(record.text("file.inode"), Some(inode.as_str()), "{record:?}");
    }
    // Another name of the same file is another path; the inode tells.
    let other = root.join("other-name");
    File::open(&other).unwrap();
    let record = trace.wait_for("the hard link", named(other.to_str().unwrap()));
    assert_eq!(record.text("file.path"), other.to_str());
    assert_eq!(record.text("file.inode"), Some(inode.as_str()), "{record:?}");
    trace.stop().summary_without_loss();
}

#[test]
fn a_path_is_told_from_the_root_that_the_process_has() {
    needs!("root", "busybox");
    let scratch = Scratch::new();
    let busybox =
        ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|it| Path::new(it).exists());
    scratch.copy(busybox.unwrap().as_ref(), "busybox");
    fs::create_dir(scratch.at("etc")).unwrap();
    fs::write(scratch.at("etc/passwd"), "x").unwrap();
    let mut trace = Trace::start(&["open", "--path", "/etc/passwd", "--comm", "busybox"]);
    let root = std::ffi::CString::new(scratch.path().to_str().unwrap()).unwrap();
    let mut command = Command::new("/busybox");
    command.args(["cat", "/etc/passwd"]).current_dir("/");
    // SAFETY: between fork and exec only system calls are made, on a string that was made before.
    unsafe {
        command.pre_exec(move || match libc::chroot(root.as_ptr()) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    assert!(command.output().unwrap().status.success());
    let inode = fs::metadata(scratch.at("etc/passwd")).unwrap().ino().to_string();
    let record = trace.wait_for("the file", |record| record.text("file.inode") == Some(&inode));
    assert_eq!(record.text("file.path"), Some("/etc/passwd"));
    trace.stop().summary_without_loss();
}

#[test]
fn only_what_begins_so_passes_the_kernel() {
    needs!("root");
    let scratch = Scratch::new();
    let root = scratch.path().canonicalize().unwrap();
    for name in ["wanted-1", "wanted-2", "other"] {
        fs::write(root.join(name), "").unwrap();
    }
    symlink("wanted-1", root.join("disguised")).unwrap();
    let prefix = root.join("wanted");
    let trace = Trace::start(&["open", "--pid", &own_pid(), "--path", prefix.to_str().unwrap()]);
    for name in ["wanted-1", "other", "wanted-2", "disguised", "wanted-none", "none"] {
        let _ = File::open(root.join(name));
    }
    let outcome = trace.stop();
    let paths: Vec<_> = outcome.records.iter().map(|it| it.text("file.path").unwrap()).collect();
    let expected = ["wanted-1", "wanted-2", "wanted-1", "wanted-none"].map(|name| root.join(name));
    assert_eq!(paths, expected.each_ref().map(|path| path.to_str().unwrap()));
    let summary = outcome.summary_without_loss();
    let number = |name| summary.number(name).unwrap();
    assert_eq!(number("seen"), number("filtered") + 4);
    assert!(number("filtered") >= 2);
}

#[test]
fn what_could_not_be_opened_says_why() {
    needs!("root");
    let scratch = Scratch::new();
    let folder = scratch.path().canonicalize().unwrap();
    fs::write(folder.join("there"), "").unwrap();
    let trace = Trace::start(&["open", "--pid", &own_pid(), "--path", folder.to_str().unwrap()]);
    type Attempt<'a> = (&'a str, fn(&Path), &'a str);
    let attempts: [Attempt<'_>; 4] = [
        ("none", |path| drop(File::open(path)), "ENOENT"),
        ("there/below", |path| drop(File::open(path)), "ENOTDIR"),
        (".", |path| drop(OpenOptions::new().write(true).open(path)), "EISDIR"),
        ("there", |path| drop(File::create_new(path)), "EEXIST"),
    ];
    for (name, attempt, _) in attempts {
        attempt(&folder.join(name));
    }
    let outcome = trace.stop();
    let errors: Vec<_> = outcome.records.iter().map(|it| it.text("error")).collect();
    assert_eq!(errors, attempts.map(|(.., error)| Some(error)), "{:#?}", outcome.records);
    let unresolved = outcome.records.iter().all(|it| it.at("file.inode").is_none());
    assert!(unresolved, "{:#?}", outcome.records);
    outcome.summary_without_loss();
}

#[test]
fn a_flood_is_told_or_counted_and_counted_in_the_kernel_by_error() {
    needs!("root");
    const OPENS: u64 = 20_000;
    let scratch = Scratch::new();
    let folder = scratch.path().canonicalize().unwrap();
    let none = folder.join("none");
    let arguments = ["open", "--pid", &own_pid(), "--path", folder.to_str().unwrap()];
    let flood = || (0..OPENS).for_each(|_| drop(File::open(&none)));
    let trace = Trace::start(&[&arguments[..], &["--ring-size", "4k"]].concat());
    flood();
    let outcome = trace.stop();
    let summary = outcome.summary();
    let number = |name| summary.number(name).unwrap();
    assert_eq!(number("imbalance"), 0);
    assert_eq!(number("shown") + number("lost"), OPENS);
    assert_eq!(number("shown"), outcome.records.len() as u64);
    let trace = Trace::start(&[&arguments[..], &["--by", "error"]].concat());
    flood();
    drop(File::open(&folder));
    let outcome = trace.stop();
    let counts = outcome.records.iter().map(|it| (it.text("error"), it.number("count")));
    let mut counts: Vec<_> = counts.collect();
    counts.sort_unstable();
    assert_eq!(counts, [(Some("-"), Some(1)), (Some("ENOENT"), Some(OPENS))]);
}

#[test]
fn paths_that_cannot_be_asked_for_are_refused() {
    let refused = |arguments: &[&str], words: &[&str]| {
        fails(Command::new(chandra()).arg("trace").args(arguments), 2, "filters", words);
    };
    refused(&["open", "--path", "etc"], &["no absolute path", "--path /etc/"]);
    refused(&["open", "--path", &format!("/{}", "x".repeat(128))], &["128 bytes"]);
    refused(&["exec", "--path", "/etc"], &["cannot filter by --path"]);
}
