//! An image made of BusyBox alone, as the archive that `docker save` writes: there is no registry.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::Scratch;

const BUSYBOX: &str = "/usr/bin/busybox";
/// The names that it is called by in the image.
const PROGRAMS: [&str; 6] = ["sh", "sleep", "true", "echo", "cat", "wget"];

/// Why the image cannot be made, in words.
pub fn lack() -> Option<String> {
    let is_static = || {
        let program = fs::read(BUSYBOX).ok()?;
        let head = program.get(..4096)?;
        Some(!head.windows(9).any(|bytes| bytes == b"/ld-linux"))
    };
    (is_static() != Some(true)).then(|| "needs busybox-static".to_owned())
}

/// Writes one archive with an image for each name; all sleep unless they are told what else to do.
pub fn archive(folder: &Scratch, names: &[&str]) -> PathBuf {
    let image = folder.at("image");
    let programs = image.join("content/bin");
    fs::create_dir_all(&programs).unwrap();
    fs::copy(BUSYBOX, programs.join("busybox")).unwrap();
    for program in PROGRAMS {
        symlink("busybox", programs.join(program)).unwrap();
    }
    tar(&image.join("content"), &image.join("layer.tar"), &["."]);
    let sum = run(Command::new("sha256sum").arg(image.join("layer.tar")));
    let digest = sum.split(' ').next().unwrap();
    let mut manifest = Vec::new();
    let mut files = vec!["manifest.json".to_owned(), "layer.tar".to_owned()];
    for (number, name) in names.iter().enumerate() {
        let configuration = serde_json::json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {
                "Entrypoint": ["/bin/sleep", "1000000"],
                "Env": ["PATH=/bin"],
                // Makes each image another one.
                "Labels": {"name": name},
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        });
        let file = format!("config-{number}.json");
        fs::write(image.join(&file), configuration.to_string()).unwrap();
        manifest.push(serde_json::json!({
            "Config": file, "RepoTags": [name], "Layers": ["layer.tar"],
        }));
        files.push(file);
    }
    fs::write(image.join("manifest.json"), serde_json::Value::from(manifest).to_string()).unwrap();
    let archive = folder.at("image.tar");
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    tar(&image, &archive, &files);
    archive
}

fn tar(folder: &Path, archive: &Path, files: &[&str]) {
    let mut command = Command::new("tar");
    command.args(["--owner=0", "--group=0", "--numeric-owner", "-cf"]).arg(archive);
    run(command.arg("-C").arg(folder).args(files));
}

/// Runs a program to its end and gives what it wrote.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
