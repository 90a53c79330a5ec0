//! What is given to others: the Debian package is installed and removed by dpkg itself, in a folder; what
//! `./dev dist` makes is looked through.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;

fn deploy(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(script)
}

#[track_caller]
fn done(command: &mut Command) -> String {
    // What a test builds is compressed for nobody.
    command.env("DPKG_DEB_COMPRESSOR_TYPE", "none");
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn files_below(folder: &Path) -> BTreeSet<String> {
    let found = done(Command::new("find").arg(folder).args(["-type", "f", "-printf", "%P\n"]));
    found.lines().map(str::to_owned).collect()
}

#[test]
fn dpkg_installs_and_removes_the_package() {
    needs!("root", "dpkg", "dpkg-deb", "readelf");
    let scratch = Scratch::new();
    let built = done(Command::new(deploy("deb")).arg(chandra()).arg(scratch.path()));
    let package = built.trim();
    let root = scratch.at("root");
    let state = root.join("var/lib/dpkg");
    fs::create_dir_all(state.join("updates")).unwrap();
    fs::create_dir_all(state.join("info")).unwrap();
    fs::write(state.join("status"), "").unwrap();
    let dpkg = |arguments: &[&str]| {
        let mut command = Command::new("dpkg");
        command.arg(format!("--instdir={}", root.display()));
        command.arg(format!("--admindir={}", state.display()));
        // There is nothing in the folder that it could depend on, nor a shell to change into.
        command.args(["--force-script-chrootless", "--force-depends", "--log=/dev/null"]);
        done(command.args(arguments))
    };
    dpkg(&["--install", package]);
    let status = dpkg(&["--status", "chandra"]);
    assert!(status.contains("Status: install ok installed\n"), "{status}");
    let version = env!("CARGO_PKG_VERSION");
    assert!(status.contains(&format!("Version: {version}\n")), "{status}");
    assert_eq!(dpkg(&["--verify", "chandra"]), "");
    let program = root.join("usr/bin/chandra");
    assert_eq!(done(Command::new(&program).arg("--version")).trim(), format!("chandra {version}"));
    assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o7777, 0o755);
    let files = files_below(&root);
    for file in [
        "lib/systemd/system/chandra.service",
        "usr/share/bash-completion/completions/chandra",
        "usr/share/zsh/vendor-completions/_chandra",
        "usr/share/fish/vendor_completions.d/chandra.fish",
        "usr/share/man/man1/chandra-trace-exec.1.gz",
        "usr/share/doc/chandra/copyright",
    ] {
        assert!(files.contains(file), "{file} is not in {files:?}");
    }
    dpkg(&["--purge", "chandra"]);
    let left: Vec<_> =
        files_below(&root).into_iter().filter(|it| !it.starts_with("var/")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The unit is one of systemd's, and grants what the doctor names.
#[test]
fn the_unit_is_one() {
    let unit = deploy("systemd/chandra.service");
    let text = fs::read_to_string(&unit).unwrap();
    let told = done(Command::new(chandra()).args(["doctor", "--capabilities", "-o", "json"]));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let bounds = text.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let granted: Vec<_> = bounds.unwrap().split(' ').collect();
    for need in told["capabilities"].as_array().unwrap() {
        let name = need["capability"].as_str().unwrap();
        assert!(granted.contains(&name), "{name} is not granted by the unit");
    }
    if let Some(lack) = needs::lack(&["systemd-analyze"]) {
        eprintln!("skipped: systemd does not judge the unit: {lack}");
        return;
    }
    let scratch = Scratch::new();
    let own = scratch.at("chandra.service");
    fs::write(&own, text.replace("/usr/bin/chandra", chandra().to_str().unwrap())).unwrap();
    let said =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&own).output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(!said.contains("chandra.service"), "{said}");
}

#[test]
fn what_is_given_to_others_is_whole_and_the_same_each_time() {
    needs!("tar", "sha256sum", "dpkg-deb", "readelf", "python3", "cargo");
    let scratch = Scratch::new();
    let [first, second] = ["first", "second"].map(|name| scratch.at(name));
    for folder in [&first, &second] {
        done(Command::new(deploy("dist")).arg(chandra()).arg(folder));
        let mut check = Command::new("sha256sum");
        done(check.args(["--check", "--quiet", "SHA256SUMS"]).current_dir(folder));
    }
    let sums = |folder: &Path| fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&first), sums(&second));
    let version = env!("CARGO_PKG_VERSION");
    let chart = first.join(format!("chandra-{version}.tgz"));
    let listed = done(Command::new("tar").arg("-tzf").arg(chart));
    for file in ["chandra/Chart.yaml", "chandra/values.yaml", "chandra/templates/daemonset.yaml"] {
        assert!(listed.lines().any(|line| line == file), "{listed}");
    }
    let manifests = fs::read_to_string(first.join("chandra.yaml")).unwrap();
    assert_eq!(manifests, fs::read_to_string(deploy("manifests/chandra.yaml")).unwrap());
    assert!(sums(&first).lines().count() > 40);
    assert_each_part_has_its_licence(&first);
}

/// Every part of the bill of materials stands above a text, but for the few that bring none.
fn assert_each_part_has_its_licence(dist: &Path) {
    let bill = fs::read_to_string(dist.join("chandra.cdx.json")).unwrap();
    let bill: serde_json::Value = serde_json::from_str(&bill).unwrap();
    let licences = fs::read_to_string(dist.join("licences.txt")).unwrap();
    let (texts, without) = licences.split_once("Parts that bring no text").unwrap();
    let headings: BTreeSet<_> = texts.lines().flat_map(|line| line.split(", ")).collect();
    let parts = bill["components"].as_array().unwrap();
    let untold: Vec<_> = parts
        .iter()
        .map(|part| {
            format!("{} {}", part["name"].as_str().unwrap(), part["version"].as_str().unwrap())
        })
        .filter(|part| {
            !headings.contains(part.as_str()) && !without.contains(&format!("\n{part}: "))
        })
        .collect();
    assert!(untold.is_empty(), "{untold:?}");
    assert!(without.lines().count() < parts.len() / 10, "{without}");
    for words in ["Apache License", "MIT License", "GNU LESSER GENERAL PUBLIC LICENSE"] {
        assert!(texts.contains(words), "{words}");
    }
}
