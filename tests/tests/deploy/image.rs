//! The image that `deploy/image` makes: containerd takes it, it has what the Dockerfile puts into it, and its
//! program runs with nothing else there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chandra_tests::containerd::Containerd;
use chandra_tests::needs;
use chandra_tests::needs_containerd;
use chandra_tests::scratch::Scratch;
use serde_json::Value;

const NAME: &str = "registry.example/chandra:0.1.0";

fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn image(program: &Path, file: &Path) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/image"));
    command.arg(program).arg(file).arg(NAME);
    command
}

/// A program that tells its arguments, linked in this way.
fn program(scratch: &Scratch, name: &str, linked: &[&str]) -> PathBuf {
    let (source, program) = (scratch.at("program.c"), scratch.at(name));
    let text = "#include <stdio.h>\nint main(int count, char **words)\n\
                { for (int i = 0; i < count; i++) puts(words[i]); return 0; }\n";
    fs::write(&source, text).unwrap();
    output(Command::new("gcc").args(linked).arg("-o").arg(&program).arg(&source));
    program
}

/// A blob of the layout, as JSON.
fn blob(layout: &Path, descriptor: &Value) -> Value {
    serde_json::from_slice(&fs::read(path(layout, descriptor)).unwrap()).unwrap()
}

/// Where a blob lies; it is what its descriptor says.
fn path(layout: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let path = layout.join("blobs/sha256").join(digest);
    assert_eq!(descriptor["size"], fs::metadata(&path).unwrap().len());
    let sum = output(Command::new("sha256sum").arg(&path)).stdout;
    assert!(sum.starts_with(digest.as_bytes()));
    path
}

#[test]
fn its_program_runs_with_nothing_else_there() {
    needs!("root", "gcc", "tar", "sha256sum", "readelf", "chroot");
    let scratch = Scratch::new();
    let static_program = program(&scratch, "static", &["-static"]);
    let [file, again, layout, root] =
        ["image.tar", "again.tar", "layout", "root"].map(|name| scratch.at(name));
    output(&mut image(&static_program, &file));
    output(&mut image(&static_program, &again));
    assert!(
        fs::read(&file).unwrap() == fs::read(&again).unwrap(),
        "the same program makes the same image"
    );
    for folder in [&layout, &root] {
        fs::create_dir(folder).unwrap();
    }
    output(Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&layout));
    let index: Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let manifest = blob(&layout, &index["manifests"][0]);
    let config = blob(&layout, &manifest["config"]);
    let layer = path(&layout, &manifest["layers"][0]);
    output(Command::new("tar").arg("-xzf").arg(&layer).arg("-C").arg(&root));
    assert_eq!(fs::read(root.join("usr/bin/chandra")).unwrap(), fs::read(&static_program).unwrap());

    // What a runtime executes, and what the Dockerfile says.
    let words = |of: &Value| {
        of.as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let command =
        [words(&config["config"]["Entrypoint"]), words(&config["config"]["Cmd"])].concat();
    let told = output(Command::new("chroot").arg(&root).args(&command)).stdout;
    assert_eq!(String::from_utf8(told).unwrap(), "/usr/bin/chandra\nagent\n");
    let dockerfile = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/Dockerfile");
    let dockerfile = fs::read_to_string(dockerfile).unwrap();
    let said = |keyword: &str| {
        let mut lines = dockerfile.lines().filter_map(|line| line.strip_prefix(keyword));
        lines.next_back().unwrap().trim().to_owned()
    };
    assert_eq!(said("ENTRYPOINT"), config["config"]["Entrypoint"].to_string());
    assert_eq!(said("CMD"), config["config"]["Cmd"].to_string());
    assert_eq!(said("USER"), config["config"]["User"].as_str().unwrap());
    assert_eq!([said("ENV")].as_slice(), words(&config["config"]["Env"]));
}

#[test]
fn a_program_that_needs_libraries_is_refused() {
    needs!("gcc", "readelf");
    let scratch = Scratch::new();
    let refused =
        image(&program(&scratch, "dynamic", &[]), &scratch.at("image.tar")).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8(refused.stderr).unwrap().contains("needs shared libraries"));
}

#[test]
fn containerd_takes_it() {
    needs_containerd!();
    needs!("gcc", "readelf");
    let scratch = Scratch::new();
    let file = scratch.at("image.tar");
    output(&mut image(&program(&scratch, "static", &["-static"]), &file));
    let containerd = Containerd::start();
    let ctr = |arguments: &[&str]| {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(containerd.socket()).args(["--namespace", "k8s.io"]);
        String::from_utf8(output(command.args(arguments)).stdout).unwrap()
    };
    ctr(&["images", "import", file.to_str().unwrap()]);
    let checked = ctr(&["images", "check", &format!("name=={NAME}")]);
    assert!(checked.contains("complete (2/2)"), "{checked}");
}
