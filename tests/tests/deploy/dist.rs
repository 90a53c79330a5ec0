//! What `./dev dist` made, taken as those take it who get it: checked, installed, imported, run.
//!
//! `CHANDRA_DIST` names the folder; `./dev dist --prove` sets it. Without it there is nothing to look at: what is
//! given to others takes a release build.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chandra_tests::containerd::Containerd;
use chandra_tests::needs;
use chandra_tests::needs_containerd;
use chandra_tests::scratch::Scratch;
use serde_json::Value;

use crate::bill_of_materials::assert_valid;
use crate::installed::{installed, works};

/// What the image may weigh, unpacked.
const MOST_BYTES: u64 = 30_000_000;

fn dist() -> Option<PathBuf> {
    let folder = std::env::var_os("CHANDRA_DIST");
    if folder.is_none() {
        eprintln!("skipped: CHANDRA_DIST names no folder that ./dev dist made");
    }
    folder.map(PathBuf::from)
}

#[track_caller]
fn done(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// The only file whose name ends so.
fn file_of(dist: &Path, ending: &str) -> PathBuf {
    let entries = fs::read_dir(dist).unwrap().map(|entry| entry.unwrap().path());
    let mut found = entries.filter(|path| path.to_string_lossy().ends_with(ending));
    let file = found.next().unwrap_or_else(|| panic!("no {ending} in {}", dist.display()));
    assert_eq!(found.next(), None, "more than one {ending}");
    file
}

#[test]
fn every_file_has_its_sum() {
    needs!("sha256sum");
    let Some(dist) = dist() else { return };
    done(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&dist));
    let sums = fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
    let summed = sums.lines().map(|line| line.split_once("  ").unwrap().1.to_owned());
    let there = done(Command::new("find").arg(&dist).args(["-type", "f", "-printf", "%P\n"]));
    let there = there.lines().filter(|file| *file != "SHA256SUMS").map(str::to_owned);
    assert_eq!(summed.collect::<BTreeSet<_>>(), there.collect());
}

/// A root that has a shell for the package's scripts and nothing else.
fn root_with_a_shell(scratch: &Scratch) -> PathBuf {
    let root = scratch.at("root");
    for folder in ["bin", "var/lib/dpkg/updates", "var/lib/dpkg/info"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy("/usr/bin/busybox", root.join("bin/busybox")).unwrap();
    symlink("busybox", root.join("bin/sh")).unwrap();
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    root
}

#[test]
fn the_package_is_installed_in_a_root_runs_there_and_goes_without_a_trace() {
    needs!("root", "dpkg", "busybox", "chroot");
    let Some(dist) = dist() else { return };
    let scratch = Scratch::new();
    let root = root_with_a_shell(&scratch);
    let before = done(Command::new("find").arg(&root));
    let dpkg = |arguments: &[&str]| {
        let mut command = Command::new("dpkg");
        done(command.arg("--root").arg(&root).args(["--log=/dev/null"]).args(arguments))
    };
    dpkg(&["--install", file_of(&dist, ".deb").to_str().unwrap()]);
    assert_eq!(dpkg(&["--verify", "chandra"]), "");
    // What is in there is the program beside it, and it needs nothing else to be there.
    assert!(
        fs::read(root.join("usr/bin/chandra")).unwrap() == fs::read(dist.join("chandra")).unwrap()
    );
    let inside = |words: &[&str]| done(Command::new("chroot").arg(&root).args(words));
    let version = inside(&["/usr/bin/chandra", "--version"]);
    assert_eq!(version, done(Command::new(dist.join("chandra")).arg("--version")));
    assert_eq!(
        inside(&["/usr/bin/chandra", "install"]),
        fs::read_to_string(dist.join("chandra.yaml")).unwrap()
    );
    dpkg(&["--purge", "chandra"]);
    let without = |listed: &str| {
        let lines =
            listed.lines().filter(|line| !line.contains("/var/lib/dpkg")).map(str::to_owned);
        lines.collect::<BTreeSet<_>>()
    };
    assert_eq!(without(&done(Command::new("find").arg(&root))), without(&before));
}

/// On a node without a registry: imported as the guide says, found by the name that the manifests have, and run
/// with the rights that they grant.
#[test]
fn the_image_is_imported_found_and_runs_as_the_manifests_have_it() {
    needs_containerd!();
    let Some(dist) = dist() else { return };
    let (containerd, scratch) = (Containerd::start(), Scratch::new());
    let mut ctr = Command::new("ctr");
    ctr.arg("--address").arg(containerd.socket()).args([
        "--namespace",
        "k8s.io",
        "images",
        "import",
    ]);
    done(ctr.arg(file_of(&dist, "-image.tar")));
    let container = installed(&dist.join("chandra"), &scratch);
    let name = container.image.clone().unwrap();
    assert!(containerd.cri().has_image(&name), "{name} is not there");
    works(&containerd, &container);
}

/// The files of the image, as a container has them.
fn unpacked_image(dist: &Path, scratch: &Scratch) -> PathBuf {
    let (layout, root) = (scratch.at("layout"), scratch.at("layer"));
    for folder in [&layout, &root] {
        fs::create_dir(folder).unwrap();
    }
    done(Command::new("tar").arg("-xf").arg(file_of(dist, "-image.tar")).arg("-C").arg(&layout));
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|it| it.unwrap().path());
    let mut layers = blobs.filter(|path| fs::read(path).unwrap().starts_with(&[0x1f, 0x8b]));
    done(Command::new("tar").arg("-xzf").arg(layers.next().unwrap()).arg("-C").arg(&root));
    assert_eq!(layers.next(), None, "one layer is all");
    root
}

#[test]
fn the_image_is_no_larger_than_promised() {
    needs!("tar", "du");
    let Some(dist) = dist() else { return };
    let scratch = Scratch::new();
    let told = done(Command::new("du").args(["-sb"]).arg(unpacked_image(&dist, &scratch)));
    let bytes: u64 = told.split_whitespace().next().unwrap().parse().unwrap();
    assert!(bytes <= MOST_BYTES, "{bytes}");
}

/// Names and versions of the crates of which the program names a source file: every place that can panic does.
fn crates_named_in(program: &[u8]) -> BTreeSet<(String, String)> {
    const BEFORE: &[u8] = b"/registry/src/";
    let places = program.windows(BEFORE.len()).enumerate().filter(|(_, bytes)| *bytes == BEFORE);
    let crates = places.filter_map(|(at, _)| {
        let path = program.get(at + BEFORE.len()..at + 200)?;
        let mut folders = path.split(|byte| *byte == b'/');
        let folder = std::str::from_utf8(folders.nth(1)?).ok()?;
        // NAME-VERSION, and names have hyphens, too.
        let (at, _) = folder.match_indices('-').find(|(at, _)| {
            folder[at + 1..].starts_with(|byte: char| byte.is_ascii_digit())
                && folder[at + 1..].contains('.')
        })?;
        Some((folder[..at].to_owned(), folder[at + 1..].to_owned()))
    });
    crates.collect()
}

#[test]
fn the_bill_of_materials_names_what_is_in_the_program() {
    needs!("sha256sum", "tar");
    let Some(dist) = dist() else { return };
    let file = dist.join("chandra.cdx.json");
    let text = fs::read_to_string(&file).unwrap();
    assert_valid(&file);

    let told: Value = serde_json::from_str(&text).unwrap();
    let sum = done(Command::new("sha256sum").arg(dist.join("chandra")));
    let own = &told["metadata"]["component"];
    assert_eq!(own["hashes"][0]["content"], sum.split(' ').next().unwrap());
    let parts = told["components"].as_array().unwrap();
    let text_of = |part: &Value, name: &str| part[name].as_str().unwrap().to_owned();
    let named: BTreeSet<_> =
        parts.iter().map(|part| (text_of(part, "name"), text_of(part, "version"))).collect();
    let inside = crates_named_in(&fs::read(dist.join("chandra")).unwrap());
    assert!(inside.len() > 50, "{inside:?}");
    let untold: Vec<_> = inside.difference(&named).collect();
    assert!(untold.is_empty(), "in the program and not told: {untold:?}");
    // What only made it is not in it.
    for maker in ["syn", "serde_derive", "prost-build", "cc", "chandra-bpf-build", "simple-dns"] {
        assert!(!named.iter().any(|(name, _)| name == maker), "{maker}");
    }
    for part in parts {
        assert!(part["licenses"][0]["expression"].is_string(), "{part:#}");
        assert_ne!(part["version"], "unknown", "{part:#}");
    }
    for c_part in ["libbpf", "elfutils-libelf", "zlib", "glibc"] {
        assert!(named.iter().any(|(name, _)| name == c_part), "{c_part}");
    }
    // Who gets the image or the package gets it along, and the licences.
    let scratch = Scratch::new();
    let package = scratch.at("package");
    done(Command::new("dpkg-deb").arg("-x").arg(file_of(&dist, ".deb")).arg(&package));
    let layer = unpacked_image(&dist, &scratch);
    for document in ["chandra.cdx.json", "licences.txt"] {
        let given = fs::read(dist.join(document)).unwrap();
        for root in [&package, &layer] {
            let along = fs::read(root.join("usr/share/doc/chandra").join(document)).unwrap();
            assert!(along == given, "{document} in {}", root.display());
        }
    }
}

#[test]
fn completions_and_pages_are_taken_by_what_reads_them() {
    needs!("bash");
    let Some(dist) = dist() else { return };
    done(Command::new("bash").arg("-n").arg(dist.join("completions/chandra.bash")));
    if let Some(lack) = needs::lack(&["man"]) {
        eprintln!("skipped: pages are not shown: {lack}");
        return;
    }
    let mut man = Command::new("man");
    man.arg("-l").arg(dist.join("man/chandra.1")).env("MANPAGER", "cat").env("MANROFFOPT", "-ww");
    let page = done(&mut man);
    assert!(page.contains("chandra"), "{page}");
}
