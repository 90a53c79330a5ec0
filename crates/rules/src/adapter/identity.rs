//! Whether a process goes by another name than that of what it runs.
//!
//! Its name (`comm`) and its first argument are what the caller makes them; the executable is what the
//! kernel maps. They agree for a program that is started by its own name, by a longer or shorter version of
//! it (`python3`, `python3.12`), and for a script, whose name is that of its file.

use super::program::{Program, base_name};

/// Bytes that the kernel keeps of a name.
const COMM_BYTES: usize = 15;

/// Whether name or first argument are another's; nothing if the executable is not known.
pub(super) fn is_mismatch(program: &Program<'_>) -> Option<bool> {
    let real = program.real_name()?;
    let script = match program.interpreter {
        Some(interpreter) if !interpreter.is_empty() => program.filename.map(base_name),
        _ => None,
    };
    let agrees = |name: &[u8]| {
        is_version_of(name, real) || script.is_some_and(|script| is_version_of(name, script))
    };
    let name_agrees = agrees(program.comm);
    let first = program.first_argument().map(base_name);
    // A login shell has a dash before its name.
    let first = first.map(|first| first.strip_prefix(b"-").unwrap_or(first));
    let first_agrees = first.is_none_or(|first| {
        // Of a script it is the interpreter's, as its line has it.
        let of_interpreter = program.interpreter.map(base_name).unwrap_or_default();
        agrees(first) || !of_interpreter.is_empty() && is_version_of(first, of_interpreter)
    });
    Some(!name_agrees || !first_agrees)
}

/// The same name, one of them cut or followed by a version.
fn is_version_of(name: &[u8], other: &[u8]) -> bool {
    let (short, long) = if name.len() <= other.len() { (name, other) } else { (other, name) };
    let Some(rest) = long.strip_prefix(short).filter(|_| !short.is_empty()) else { return false };
    rest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-')) || short.len() == COMM_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_cut_names_are_the_same_name() {
        for (name, other) in [
            ("bash", "bash"),
            ("python3", "python3.12"),
            ("gcc-12", "gcc"),
            ("dpkg-preconfigu", "dpkg-preconfigure"),
        ] {
            assert!(is_version_of(name.as_bytes(), other.as_bytes()), "{name} {other}");
        }
        for (name, other) in [("sh", "busybox"), ("sh", "shred"), ("", "x"), ("su", "sudo")] {
            assert!(!is_version_of(name.as_bytes(), other.as_bytes()), "{name} {other}");
        }
    }
}
