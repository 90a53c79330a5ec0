//! Interpreters of Python that are on this machine: those that `tests/pythons/fetch` fetched, the system's own, and those
//! that pyenv keeps; in a guest of `tests/kernels/boot`, one that lies beside the program. One of each release from 3.8 to
//! 3.14.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The releases that are known, `3.N`.
const MINORS: std::ops::RangeInclusive<u8> = 8..=14;

/// An interpreter.
#[derive(Debug, Clone)]
pub struct Python {
    /// Its release, `3.N`.
    pub minor: u8,
    program: PathBuf,
}

/// All that there are, the oldest first.
pub fn all() -> Vec<Python> {
    let mut found: BTreeMap<u8, Python> = BTreeMap::new();
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = variable("HOME").unwrap_or_default();
    let cache = variable("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
    let pyenv = variable("PYENV_ROOT").unwrap_or_else(|| home.join(".pyenv")).join("versions");
    let kept: Vec<OsString> = std::fs::read_dir(&pyenv)
        .map(|entries| entries.flatten().map(|entry| entry.file_name()).collect())
        .unwrap_or_default();
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.parent().unwrap_or(Path::new("/"));
    for minor in MINORS {
        let mut programs = vec![
            beside.join(format!("3.{minor}/run")),
            cache.join(format!("chandra/pythons/3.{minor}/run")),
            Path::new("/usr/bin").join(format!("python3.{minor}")),
        ];
        let of_pyenv =
            |version: &OsString| pyenv.join(version).join("bin").join(format!("python3.{minor}"));
        programs.extend(kept.iter().map(of_pyenv));
        let program = programs.into_iter().find(|program| program.is_file());
        if let Some(program) = program {
            found.insert(minor, Python { minor, program });
        }
    }
    found.into_values().collect()
}

impl Python {
    /// A command that runs this file of `tests/profiling`.
    pub fn script(&self, file: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiling").join(file);
        let mut command = self.command();
        command.arg(script);
        command
    }

    /// A command that runs this text.
    pub fn text(&self, text: &str) -> Command {
        let mut command = self.command();
        command.args(["-c", text]);
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg("-S");
        command
    }

    /// A function's name in a profile: with its class where the interpreter keeps that.
    pub fn qualified<'a>(&self, name: &'a str) -> &'a str {
        match self.minor {
            ..11 => name.rsplit('.').next().unwrap_or(name),
            _ => name,
        }
    }
}

/// Returns from the test, with a line that says why, unless there is an interpreter of Python.
#[macro_export]
macro_rules! needs_pythons {
    () => {{
        let all = $crate::pythons::all();
        if all.is_empty() {
            eprintln!(
                "skipped: {}:{}: needs an interpreter of Python 3.8 to 3.14: tests/pythons/fetch",
                file!(),
                line!()
            );
            return;
        }
        all
    }};
}
