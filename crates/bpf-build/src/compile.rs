//! One clang call per probe.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::strip::strip;

/// Why a probe could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// clang is not there.
    #[error(
        "cannot run {clang}: {source}. Install clang 14 or later (Debian: apt-get install clang), or name it in CLANG"
    )]
    NoClang {
        /// The command that was tried.
        clang: String,
        /// Why it did not start.
        source: io::Error,
    },
    /// clang ran and refused.
    #[error("clang refused {source_file}:\n{stderr}")]
    Refused {
        /// The probe.
        source_file: PathBuf,
        /// clang's own words.
        stderr: String,
    },
    /// What clang wrote could not be read, or what is left of it not written.
    #[error("cannot strip {object}: {source}")]
    Object {
        /// The object.
        object: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Compiles `source` to the BPF object `object` for the architecture, without what only debuggers read.
///
/// # Errors
/// When clang is missing or refuses (warnings are errors), or the object cannot be stripped.
pub fn compile(
    source: &Path,
    includes: &[PathBuf],
    target_arch: &str,
    object: &Path,
) -> Result<(), CompileError> {
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let arch = match target_arch {
        "x86_64" => "x86",
        "aarch64" => "arm64",
        other => other,
    };
    let mut command = Command::new(&clang);
    // -mcpu=v3: 32-bit jumps and atomics of 5.1 and later; every kernel we prove has them.
    command.args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]);
    command.arg(format!("-D__TARGET_ARCH_{arch}"));
    for include in includes {
        command.arg("-I").arg(include);
    }
    let output = command.arg("-c").arg(source).arg("-o").arg(object).output();
    let output = output.map_err(|source| CompileError::NoClang { clang, source })?;
    if !output.status.success() {
        return Err(CompileError::Refused {
            source_file: source.to_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    strip_file(object).map_err(|source| CompileError::Object { object: object.to_owned(), source })
}

fn strip_file(object: &Path) -> io::Result<()> {
    let stripped = strip(&fs::read(object)?).ok_or(io::ErrorKind::InvalidData)?;
    fs::write(object, stripped)
}
