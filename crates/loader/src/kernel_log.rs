//! What libbpf and the verifier say while an object loads: kept, so that a refusal can quote them.
//!
//! libbpf speaks on the thread that called it, so each thread keeps its own: two signals may load at
//! once and neither is told the other's reasons.

use std::cell::RefCell;
use std::sync::Once;

use libbpf_rs::{PrintLevel, set_print};

const KEPT_BYTES: usize = 1 << 20;

thread_local! {
    static LOG: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Collects libbpf's warnings from now on, silently. Loading does this by itself; whoever calls
/// libbpf before the first load calls it once at start.
pub fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_print(Some((PrintLevel::Warn, keep)));
    });
}

fn keep(_level: PrintLevel, message: String) {
    // A thread that is ending has no log any more; nobody would read it.
    let _ = LOG.try_with(|log| {
        if let Ok(mut log) = log.try_borrow_mut() {
            append(&mut log, &message);
        }
    });
}

/// A verifier's log may be of many MiB; its head says whose it is and its tail says why.
fn append(log: &mut String, message: &str) {
    if message.len() <= KEPT_BYTES / 2 {
        if log.len() + message.len() <= KEPT_BYTES {
            log.push_str(message);
        }
        return;
    }
    let (head, rest) = message.split_once('\n').unwrap_or(("", message));
    let tail = rest.len().saturating_sub(KEPT_BYTES / 4);
    let tail = rest.get(rest.ceil_char_boundary(tail)..).unwrap_or("");
    append(log, &format!("{}\n{tail}", head.get(..4096).unwrap_or(head)));
}

/// Everything said on this thread since the last call.
pub fn take() -> String {
    LOG.try_with(|log| log.try_borrow_mut().map(|mut log| std::mem::take(&mut *log)))
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default()
}

/// The program that libbpf names as the one that failed to load, if it names one.
pub fn failed_program(log: &str) -> Option<&str> {
    log.lines().rev().find_map(|line| named(line, "prog '", "failed to load"))
}

/// The map that libbpf names as the one that could not be made, if it names one, and its words.
pub fn failed_map(log: &str) -> Option<(&str, &str)> {
    log.lines().rev().find_map(|line| {
        let name = named(line, "map '", "failed to create")?;
        Some((name, own_words(line)))
    })
}

fn named<'a>(line: &'a str, kind: &str, verb: &str) -> Option<&'a str> {
    let (name, rest) = line.split_once(kind)?.1.split_once('\'')?;
    rest.contains(verb).then_some(name)
}

fn own_words(line: &str) -> &str {
    line.trim_start_matches("libbpf: ").trim()
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
    let libbpf = || log.lines().map(own_words).find(|line| !line.is_empty());
    verifier.or_else(libbpf).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    // As libbpf 1.7 and a kernel 6.18 wrote it.
    const REFUSED: &str = "libbpf: prog 'a': BPF program load failed: -EINVAL\n\
        libbpf: prog 'a': -- BEGIN PROG LOAD LOG --\n0: R1=ctx()\nfunc 'x' doesn't have 3-th argument\n\
        processed 1 insns (limit 1000000)\n-- END PROG LOAD LOG --\n\
        libbpf: prog 'a': failed to load: -EINVAL\nlibbpf: failed to load object 'tcp'\n";

    #[test]
    fn the_failing_program_and_the_verifiers_complaint_are_found() {
        assert_eq!(failed_program(REFUSED), Some("a"));
        assert_eq!(words(REFUSED).as_deref(), Some("func 'x' doesn't have 3-th argument"));
    }

    #[test]
    fn without_a_verifier_log_libbpf_is_quoted() {
        let log = "libbpf: prog 'a': failed to load: -EPERM\n";
        assert_eq!(words(log).as_deref(), Some("prog 'a': failed to load: -EPERM"));
    }

    #[test]
    fn the_map_that_failed_is_found_behind_the_first_try_with_btf() {
        let log = "libbpf: Error in bpf_create_map_xattr(ledger): -E2BIG. Retrying without BTF.\n\
            libbpf: map 'ledger': failed to create: -E2BIG\n\
            libbpf: failed to load object 'tcp'\n";
        assert_eq!(failed_map(log), Some(("ledger", "map 'ledger': failed to create: -E2BIG")));
        assert_eq!(failed_program(log), None);
        assert_eq!(failed_map(REFUSED), None);
    }

    #[test]
    fn of_a_log_too_long_to_keep_the_reason_is_kept() {
        // libbpf hands the verifier's whole log over in one message.
        let (before, verifiers) = REFUSED.split_at(REFUSED.find("libbpf: prog 'a': --").unwrap());
        let (verifiers, after) = verifiers.split_at(verifiers.find("libbpf: prog 'a': f").unwrap());
        let verifiers = verifiers.replace("0: R1=ctx()\n", &"0: R1=ctx() é\n".repeat(1 << 18));
        let mut log = String::new();
        for message in [before, &verifiers, after] {
            append(&mut log, message);
        }
        assert!(verifiers.len() > KEPT_BYTES && log.len() <= KEPT_BYTES);
        assert_eq!(failed_program(&log), Some("a"));
        assert_eq!(words(&log), words(REFUSED));
    }

    #[test]
    fn a_thread_does_not_see_what_another_was_told() {
        keep(PrintLevel::Warn, "libbpf: mine\n".to_owned());
        std::thread::scope(|scope| {
            scope.spawn(|| keep(PrintLevel::Warn, "libbpf: theirs\n".to_owned()));
        });
        assert_eq!(take(), "libbpf: mine\n");
        assert_eq!(take(), "");
    }
}
