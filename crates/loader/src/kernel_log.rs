//! What libbpf and the verifier say while an object loads: kept, so that a refusal can quote them.

use std::sync::Mutex;

use libbpf_rs::{PrintLevel, set_print};

const KEPT_BYTES: usize = 1 << 20;

static LOG: Mutex<String> = Mutex::new(String::new());

/// Collects libbpf's warnings from now on, silently. Call once at start.
pub fn capture() {
    set_print(Some((PrintLevel::Warn, keep)));
}

fn keep(_level: PrintLevel, message: String) {
    if let Ok(mut log) = LOG.lock()
        && log.len() + message.len() <= KEPT_BYTES
    {
        log.push_str(&message);
    }
}

/// Everything said since the last call.
pub fn take() -> String {
    LOG.lock().map(|mut log| std::mem::take(&mut *log)).unwrap_or_default()
}

/// The program that libbpf names as the one that failed to load, if it names one.
pub fn failed_program(log: &str) -> Option<&str> {
    log.lines().rev().find_map(|line| {
        let rest = line.split_once("prog '")?.1;
        let (program, rest) = rest.split_once('\'')?;
        rest.contains("failed to load").then_some(program)
    })
}

/// The kernel's words about a refusal: the verifier's last complaint if there is one, else
/// libbpf's own line.
pub fn words(log: &str) -> Option<String> {
    let verifier = log.split("-- BEGIN PROG LOAD LOG --").nth(1).and_then(|rest| {
        let body = rest.split("-- END PROG LOAD LOG --").next()?;
        body.lines().rev().map(str::trim).find(|line| {
            !line.is_empty()
                && !line.starts_with("processed ")
                && !line.starts_with("verification time")
                && !line.starts_with("stack depth")
        })
    });
    let libbpf = || {
        log.lines()
            .map(|line| line.trim_start_matches("libbpf: ").trim())
            .find(|line| !line.is_empty())
    };
    verifier.or_else(libbpf).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "libbpf: prog 'a': BPF program load failed: Invalid argument\n\
        libbpf: prog 'a': -- BEGIN PROG LOAD LOG --\n0: R1=ctx()\nfunc 'x' doesn't have 3-th argument\n\
        processed 1 insns (limit 1000000)\n-- END PROG LOAD LOG --\n\
        libbpf: prog 'a': failed to load: -22\nlibbpf: failed to load object 'tcp'\n";

    #[test]
    fn the_failing_program_and_the_verifiers_complaint_are_found() {
        assert_eq!(failed_program(REFUSED), Some("a"));
        assert_eq!(words(REFUSED).as_deref(), Some("func 'x' doesn't have 3-th argument"));
    }

    #[test]
    fn without_a_verifier_log_libbpf_is_quoted() {
        let log = "libbpf: map 'events': failed to create: -1\n";
        assert_eq!(failed_program(log), None);
        assert_eq!(words(log).as_deref(), Some("map 'events': failed to create: -1"));
    }
}
