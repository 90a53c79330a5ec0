//! What the tests of this crate share: programs that are compiled for them, and other tools' answers.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test states what it expects by stopping where that does not hold"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_symbols::{Image, Limits, Place, Source};

/// A folder of one test, which goes with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("chandra-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The source of a program.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

/// What a command prints; `None`, with a line that says so, where the tool is not there.
pub fn output(tool: &str, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(tool).args(arguments).output() else {
        eprintln!("skipped: needs the program {tool}");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

pub fn open(path: &Path) -> Source {
    Source::File(File::open(path).expect("a file"))
}

pub fn nowhere<'a>() -> Place<'a> {
    Place { roots: &[], path: Path::new("") }
}

pub fn image(path: &Path) -> Image {
    Image::read(&open(path), nowhere(), &Limits::default())
}

/// The file of a library that this process has loaded.
pub fn loaded(part: &str) -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").expect("mappings");
    let mut paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    paths.find(|path| path.contains(part)).map(PathBuf::from).expect("it is loaded")
}

/// Numbers that are the same on every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 16) % end.max(1)
    }
}

/// A function as `nm` has it.
#[derive(Debug)]
pub struct Listed {
    pub start: u64,
    pub size: u64,
    pub name: String,
}

/// Functions of a file's table, or of its dynamic one.
pub fn listed(file: &Path, arguments: &[&str]) -> Option<Vec<Listed>> {
    let all = [&["-S", "--defined-only"], arguments, &[text(file)]].concat();
    let text = output("nm", &all)?;
    let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let function = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (start, size, kind, name) = match words[..] {
            [start, size, kind, name, ..] if kind.len() == 1 => (start, number(size)?, kind, name),
            [start, kind, name, ..] => (start, 0, kind, name),
            _ => return None,
        };
        let name = name.split('@').next()?.to_owned();
        matches!(kind, "T" | "t" | "W" | "w" | "i").then_some(Listed {
            start: number(start)?,
            size,
            name,
        })
    };
    Some(text.lines().filter_map(function).collect())
}
