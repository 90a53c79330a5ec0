//! One folder is one signal: in a copy of the tree, the template's folder is put among the signals and
//! nothing else is touched; what comes out traces it.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a build reads; the rest of the tree may be large.
const TREE: [&str; 6] = ["Cargo.toml", "Cargo.lock", "crates", "deploy", "tests", "bench"];

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "cp {} {}", from.display(), to.display());
}

/// Puts other people's libraries there, too, which nobody writes to again. Ours are built anew.
fn link_libraries(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let is_library = [".rlib", ".rmeta", ".so"].iter().any(|kind| name.ends_with(kind));
        if is_library && !name.starts_with("libchandra") {
            std::fs::hard_link(entry.path(), to.join(name)).unwrap();
        }
    }
}

struct Traced(Child);

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_new_folder_is_a_new_signal_and_nothing_else_changes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("new-signal");
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).unwrap();
    for part in TREE.iter().filter(|part| root.join(part).exists()) {
        copy(&root.join(part), &place.join(part));
    }
    let folder = place.join("crates/signals/src/renames");
    copy(&root.join("crates/signals/template"), &folder);
    for file in ["event.h", "probe.bpf.c", "mod.rs"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        std::fs::write(folder.join(file), text.replace("template", "renames")).unwrap();
    }

    // What the tree's own build made of other people's crates is taken along, to save a minute.
    let target = place.join("target/debug");
    std::fs::create_dir_all(&target).unwrap();
    let ours = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../debug");
    for part in [".fingerprint", "build"].iter().filter(|part| ours.join(part).exists()) {
        copy(&ours.join(part), &target.join(part));
    }
    link_libraries(&ours.join("deps"), &target.join("deps"));
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "-p", "chandra", "--target-dir"])
        .arg(place.join("target"))
        .current_dir(&place)
        .status()
        .unwrap();
    assert!(built.success());
    let chandra = target.join("chandra");

    let help = Command::new(&chandra).args(["trace", "--help"]).output().unwrap();
    assert!(String::from_utf8_lossy(&help.stdout).contains("Threads that change their name"));

    let mut traced = Traced(
        Command::new(&chandra)
            .args(["trace", "rename", "-o", "json", "--count", "1", "--pid"])
            .arg(std::process::id().to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut notes = BufReader::new(traced.0.stderr.take().unwrap());
    let mut note = String::new();
    notes.read_line(&mut note).unwrap();
    if note.starts_with("error: ") {
        println!("skipped: the kernel is not ours to watch here (root is needed): {note}");
        return;
    }
    assert_eq!(note, "tracing rename: rename by tp_btf\n");
    std::fs::write("/proc/thread-self/comm", "new-name").unwrap();
    let mut line = String::new();
    BufReader::new(traced.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(
        line.contains(r#""type":"rename""#) && line.contains(r#""new_comm":"new-name""#),
        "{line}"
    );
}
