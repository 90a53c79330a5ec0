//! What is left of an object: all that libbpf and the kernel read, as clang wrote it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test states what it expects by stopping where that does not hold"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_bpf_build::strip::strip;

/// A program with a map of state, a relocation by BTF, and a call.
const PROBE: &str = "
struct task { int pid; } __attribute__((preserve_access_index));
const volatile int wanted = 3;
int seen;
static __attribute__((noinline)) int is_wanted(int pid) { return pid == wanted; }
__attribute__((section(\"raw_tp/sched_switch\"), used))
int on_switch(struct task *task) { if (is_wanted(task->pid)) seen++; return 0; }
char own_license[] __attribute__((section(\"license\"), used)) = \"GPL\";
";

fn compiled(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, object) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.o")));
    std::fs::write(&source, PROBE).unwrap();
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let mut command = Command::new(clang);
    command
        .args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-c"])
        .arg(&source)
        .arg("-o")
        .arg(&object);
    assert!(command.status().unwrap().success());
    object
}

/// What binutils, which know nothing of our reader, say of the sections: number, name, size.
fn sections(object: &Path) -> Vec<(String, String, usize)> {
    let said =
        Command::new("readelf").args(["--section-headers", "--wide"]).arg(object).output().unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    let text = String::from_utf8(said.stdout).unwrap();
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix('['));
    let sections = lines.filter_map(|line| {
        let (number, rest) = line.split_once(']')?;
        let words: Vec<_> = rest.split_whitespace().collect();
        let [name, _type, _address, _offset, size, ..] = words[..] else { return None };
        Some((number.trim().to_owned(), name.to_owned(), usize::from_str_radix(size, 16).ok()?))
    });
    sections.collect()
}

/// The bytes of a section, without the remarks before them.
fn dumped(object: &Path, section: &str) -> String {
    let said = Command::new("readelf").args(["--hex-dump", section]).arg(object).output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    text.lines().filter(|line| line.starts_with("  0x")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_only_debuggers_read_is_gone_and_all_else_is_as_it_was() {
    if Command::new("readelf").arg("--version").output().is_err() {
        eprintln!("skipped: needs the program readelf");
        return;
    }
    let whole = compiled("whole");
    let bytes = std::fs::read(&whole).unwrap();
    let stripped = whole.with_file_name("stripped.o");
    std::fs::write(&stripped, strip(&bytes).unwrap()).unwrap();
    let (before, after) = (sections(&whole), sections(&stripped));
    assert!(before.iter().any(|(_, name, size)| name == ".debug_info" && *size > 0), "{before:?}");
    assert_eq!(before.len(), after.len());
    for (was, is) in before.iter().zip(&after) {
        assert_eq!((&was.0, &was.1), (&is.0, &is.1), "sections keep their numbers");
        if was.1.contains(".debug_") || was.1.starts_with(".rel.BTF") {
            assert_eq!(is.2, 0, "{}", is.1);
        } else {
            assert_eq!(was.2, is.2, "{}", is.1);
            assert_eq!(dumped(&whole, &was.0), dumped(&stripped, &is.0), "{}", is.1);
        }
    }
    let symbols = |object: &Path| {
        let said =
            Command::new("readelf").args(["--symbols", "--relocs", "--wide"]).arg(object).output();
        let text = String::from_utf8(said.unwrap().stdout).unwrap();
        // Where relocations lie in the file, and those of what is gone.
        let lines = text.lines().skip_while(|line| !line.starts_with("Symbol table"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(symbols(&whole), symbols(&stripped));
}

#[test]
fn a_damaged_object_is_refused() {
    let bytes = std::fs::read(compiled("damaged")).unwrap();
    for end in 0..bytes.len() {
        assert_eq!(strip(&bytes[..end]), None, "{end} of {} bytes", bytes.len());
    }
}
