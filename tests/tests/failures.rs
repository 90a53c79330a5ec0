//! What goes wrong is said in four parts: what failed, why, what to do next, and the check that
//! explains it. What merely ends, such as a pipe that nobody reads, is no failure.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::storm;
use chandra_tests::trace::chandra;

/// Bits of capabilities(7).
const CAP_SYS_ADMIN: u8 = 21;
const CAP_PERFMON: u8 = 38;
const CAP_BPF: u8 = 39;

/// Runs it to its end, which must come by itself with this code and the four parts.
fn fails(command: &mut Command, code: i32, check: &str, words: &[&str]) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let context = format!("{:?}: {text}", command.get_args().collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(code), "{context}");
    let part = |name: &str| {
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(name));
        let line = line.unwrap_or_default();
        assert!(line.trim().len() > 5, "no part {name:?} in {context}");
        line.to_owned()
    };
    let [_what, _why, _next, see] = ["error:", "why:", "next:", "see:"].map(part);
    assert!(see.contains(&format!("#{check} ")), "{context}");
    for word in words {
        assert!(text.contains(word), "{word} is not in {context}");
    }
    assert!(!text.contains("panicked"), "{context}");
    assert_eq!(output.stdout, b"", "{context}");
}

fn trace(arguments: &[&str]) -> Command {
    let mut command = Command::new(chandra());
    command.arg("trace").args(arguments);
    command
}

/// A copy of the binary that every user may execute.
fn readable() -> (Scratch, Command) {
    let scratch = Scratch::new();
    let copy = scratch.copy(&chandra(), "chandra");
    let mut command = Command::new(copy);
    command.args(["trace", "exec", "--duration", "1s"]);
    (scratch, command)
}

#[test]
fn without_root() {
    needs!("root");
    let (_scratch, mut command) = readable();
    fails(command.uid(65_534).gid(65_534), 1, "capabilities", &["CAP_BPF", "CAP_PERFMON", "sudo"]);
}

#[test]
fn without_one_capability() {
    needs!("root");
    for (missing, name) in
        [(&[CAP_BPF, CAP_SYS_ADMIN], "CAP_BPF"), (&[CAP_PERFMON, CAP_SYS_ADMIN], "CAP_PERFMON")]
    {
        for verb in ["exec", "tcp-close", "vfs-latency"] {
            let mut command = trace(&[verb, "--duration", "1s"]);
            launch::without_capabilities(&mut command, missing);
            fails(&mut command, 1, "capabilities", &[name]);
        }
    }
}

#[test]
fn with_only_what_it_needs() {
    needs!("root");
    let mut command = trace(&["exec", "--duration", "100ms"]);
    // All but CAP_BPF and CAP_PERFMON.
    static OTHERS: [u8; 38] = {
        let mut bits = [0; 38];
        let mut bit = 0;
        while bit < 38 {
            bits[bit as usize] = bit;
            bit += 1;
        }
        bits
    };
    launch::without_capabilities(&mut command, &OTHERS);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn with_a_wrong_type_file() {
    needs!("root");
    let scratch = Scratch::new();
    let text = scratch.at("text");
    std::fs::write(&text, "not BTF").unwrap();
    let missing = scratch.at("missing");
    for file in [text.to_str().unwrap(), missing.to_str().unwrap()] {
        fails(&mut trace(&["exec", "--btf", file, "--duration", "1s"]), 1, "btf", &[file]);
    }
}

#[test]
fn with_wrong_words() {
    fails(&mut trace(&["exce"]), 2, "usage", &["exce", "exec"]);
    fails(&mut trace(&["exec", "--pdi", "1"]), 2, "usage", &["--pdi"]);
    for (option, value) in [
        ("--pid", "0"),
        ("--pid", "one"),
        ("--comm", "sixteen-bytes-in"),
        ("--comm", ""),
        ("--uid", "-1"),
        ("--cgroup", "/no/such/cgroup"),
        ("--by", "colour"),
        ("--type", "birth"),
        ("--count", "0"),
        ("--duration", "soon"),
        ("--ring-size", "huge"),
    ] {
        let words = [option.trim_start_matches('-'), value];
        fails(&mut trace(&["exec", &format!("{option}={value}")]), 2, "filters", &words);
    }
    fails(&mut trace(&["exec", "--pid", "1,2,3,4,5,6,7,8,9"]), 2, "filters", &["9", "pid", "8"]);
    fails(&mut trace(&["tcp-connect", "--port", "65536"]), 2, "filters", &["65536"]);
    fails(&mut trace(&["exec", "--port", "80"]), 2, "filters", &["port"]);
}

#[test]
fn a_reader_that_leaves_ends_it_without_an_error() {
    needs!("root");
    let user = storm::user().to_string();
    let mut command = trace(&["exec", "--uid", &user, "-o", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    messages.read_line(&mut line).unwrap();
    assert!(line.starts_with("tracing "), "{line}");
    drop(child.stdout.take());
    // The end of the reader shows at the next write.
    storm::execute_many("/bin/true".as_ref(), 10, user.parse().unwrap());
    let status = chandra_tests::patience::wait_for("its end", || child.try_wait().unwrap());
    let mut rest = String::new();
    messages.read_to_string(&mut rest).unwrap();
    assert_eq!(status.code(), Some(0), "{rest}");
    assert!(!rest.contains("error:"), "{rest}");
}

#[test]
fn a_full_disk_is_an_error() {
    needs!("root");
    let user = storm::user();
    let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = trace(&["exec", "--uid", &user.to_string(), "-o", "json"]);
    let mut child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    messages.read_line(&mut line).unwrap();
    storm::execute_many("/bin/true".as_ref(), 10, user);
    let status = chandra_tests::patience::wait_for("its end", || child.try_wait().unwrap());
    let mut rest = String::new();
    messages.read_to_string(&mut rest).unwrap();
    assert_eq!(status.code(), Some(1), "{rest}");
    for part in ["error:", "why:", "next:", "#output "] {
        assert!(rest.contains(part), "no {part} in {rest}");
    }
}
