//! What goes wrong is said in four parts: what failed, why, what to do next, and the check that
//! explains it. What merely ends, such as a pipe that nobody reads, is no failure.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use chandra_tests::failure::fails;
use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::storm;
use chandra_tests::trace::chandra;

/// Bits of capabilities(7).
const CAP_SYS_ADMIN: u8 = 21;
const CAP_PERFMON: u8 = 38;
const CAP_BPF: u8 = 39;

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

/// Runs `chandra ARGUMENTS` where the kernel publishes no BTF: in a mount namespace where something
/// empty lies over it.
fn without_btf(arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs none /sys/kernel/btf && exec \"$0\" \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]);
    command.arg(chandra()).args(arguments);
    command
}

#[test]
fn on_a_kernel_that_publishes_no_btf() {
    needs!("root", "unshare");
    let words = ["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF", "--btf FILE"];
    for verb in ["exec", "tcp-close", "vfs-latency"] {
        fails(&mut without_btf(&["trace", verb, "--duration", "1s"]), 1, "btf", &words);
    }
    fails(&mut without_btf(&["agent", "--http", "127.0.0.1:0"]), 1, "btf", &words);
}

/// The file stands in for what the kernel does not publish; the rungs that the kernel itself checks
/// against its BTF are passed over.
#[test]
fn a_btf_file_is_enough_where_the_kernel_publishes_none() {
    needs!("root", "unshare");
    let scratch = Scratch::new();
    let file = scratch.at("btf");
    std::fs::copy("/sys/kernel/btf/vmlinux", &file).unwrap();
    let user = storm::user();
    let options = ["--btf", file.to_str().unwrap(), "--uid", &user.to_string(), "-o", "json"];
    let mut command = without_btf(&[&["trace", "exec", "--count", "3"], &options[..]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    messages.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        "tracing exec: exec by raw_tp, fork by raw_tp, exit by raw_tp, rights unsupported\n"
    );
    storm::execute_many("/bin/true".as_ref(), 3, user);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines: Vec<_> = output.stdout.lines().map(|line| Record::parse(&line.unwrap())).collect();
    assert_eq!(lines.len(), 3);
    for record in lines {
        assert_eq!(
            record.text("process.exe"),
            std::fs::canonicalize("/bin/true").unwrap().to_str()
        );
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
        ("--interval", "0"),
        ("--interval", "often"),
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
