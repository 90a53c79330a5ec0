//! Causes are really made, and what is said then is given to `chandra doctor --explain`, without the line that
//! names the check: it is recognised by its words. What the verifier refuses is made in the loader's tests.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chandra_tests::agent::without_variables;
use chandra_tests::hubble::{Answers, HubbleServer};
use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::observe::asking;
use chandra_tests::scratch::Scratch;
use chandra_tests::storm;
use chandra_tests::trace::chandra;
use serde_json::Value;

/// Bits of capabilities(7).
const CAP_SYS_ADMIN: u8 = 21;
const CAP_BPF: u8 = 39;

/// What it says on stderr, without the line that names the check.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "it has to fail");
    let text = String::from_utf8(output.stderr).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("see:"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first cause of a message is this.
fn assert_means(text: &str, check: &str) {
    let mut command = Command::new(chandra());
    let output = command.args(["doctor", "-o", "json", "--explain", text]).output().unwrap();
    assert!(output.status.success(), "not known: {text}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["causes"][0]["check"], check, "{text}\n{json:#}");
    assert!(json["causes"][0]["next"].is_string());
}

fn trace(arguments: &[&str]) -> Command {
    let mut command = Command::new(chandra());
    command.args(["trace", "exec", "--duration", "1s"]).args(arguments);
    without_variables(&mut command);
    command
}

#[test]
fn no_types_of_the_kernel() {
    needs!("root");
    let mut command = trace(&[]);
    launch::with_empty_folder(&mut command, c"/sys/kernel/btf");
    assert_means(&said(&mut command), "btf");
}

#[test]
fn no_rights() {
    needs!("root");
    let mut command = trace(&[]);
    launch::without_capabilities(&mut command, &[CAP_BPF, CAP_SYS_ADMIN]);
    assert_means(&said(&mut command), "capabilities");
}

#[test]
fn a_ring_that_is_full() {
    needs!("root");
    let user = storm::user();
    let mut command = Command::new(chandra());
    command.args(["trace", "exec", "--ring-size", "4k", "--uid", &user.to_string()]);
    without_variables(&mut command);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = messages.next().unwrap();
    assert!(first.starts_with("tracing "), "{first}");
    let pid = child.id().cast_signed();
    // SAFETY: signals to a child that was not waited for.
    let send = |signal| launch::checked(unsafe { libc::kill(pid, signal) }).unwrap();
    // Nobody reads, so that the ring fills.
    send(libc::SIGSTOP);
    storm::execute_many("/bin/true".as_ref(), 100, user);
    send(libc::SIGCONT);
    send(libc::SIGTERM);
    let messages: Vec<_> = messages.collect();
    child.wait().unwrap();
    let last = messages.iter().find(|line| line.contains(" seen, "));
    let last = last.unwrap_or_else(|| panic!("{messages:?}"));
    assert!(!last.contains(" 0 lost"), "{last}");
    assert_means(last, "ring");
}

#[test]
fn nothing_listens_where_a_relay_is_looked_for() {
    needs!("root", "unshare", "ip");
    let mut command = Command::new("unshare");
    let script = "ip link set lo up && exec \"$0\" status --server localhost:4245";
    command.args(["--net", "sh", "-c", script]).arg(chandra());
    without_variables(&mut command);
    assert_means(&said(&mut command), "hubble-refused");
}

#[test]
fn a_server_that_serves_nothing() {
    let server = HubbleServer::start(Answers { is_unwell: true, ..Answers::default() });
    assert_means(&said(&mut asking(&server, &["status", "-o", "json"])), "hubble-not-ready");
}

/// The folder of a fetched kernel.
fn kernel(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("chandra/kernels").join(name)).filter(|folder| folder.join("version").exists())
}

/// On a kernel that still counts maps against it: 5.10, emulated.
#[test]
fn too_little_memory_may_be_locked() {
    needs!("setpriv", "qemu-system-x86_64", "busybox");
    let Some(kernel) = kernel("bullseye") else {
        eprintln!("skipped: needs the kernel bullseye (./dev kernels fetches it)");
        return;
    };
    let scratch = Scratch::new();
    let script = scratch.at("script");
    let text = "ulimit -l 64\n\
        without='./setpriv --bounding-set -sys_resource --inh-caps -all'\n\
        $without ./chandra trace exec --duration 1s --identity off 2>said && exit 1\n\
        grep -v see: said >text\n\
        cat text\n\
        $without ./chandra doctor --explain \"$(cat text)\"\n\
        $without ./chandra doctor --kubernetes off | grep 'locked memory'\n";
    std::fs::write(&script, text).unwrap();
    let boot = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/boot");
    let setpriv =
        ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().find(|path| Path::new(path).exists());
    let mut command = Command::new(boot);
    command.arg(kernel).arg(script).arg(chandra()).arg(setpriv.unwrap());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let context = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    let first = text.lines().find(|line| line.contains(": ") && !line.starts_with([' ', 'e']));
    assert!(first.is_some_and(|line| line.starts_with("memlock: ")), "{context}");
    assert!(text.lines().any(|line| line.starts_with("failed   locked memory")), "{context}");
}
