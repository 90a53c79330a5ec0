//! Every way to execute a program that hides what runs: the record must tell it all the same.
//!
//! Each test compares every field of the record with `/proc` while the program runs.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::process::{Caller, Execution};
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;

fn actor() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_actor"))
}

/// Executes what `command` says, and compares the record with `/proc` and with `caller`.
fn prove(command: &mut Command, caller: &Caller) -> (Record, Execution) {
    let mut trace = Trace::start(&["exec"]);
    let before = wall_clock::now();
    let actor = Actor::start(command);
    let after = wall_clock::now();
    let truth = Execution::of(actor.pid());
    let record = trace.wait_for("the exec", |record| record.is("exec", actor.pid()));
    actor.finish();
    trace.stop().summary_without_loss();
    assert_eq!(truth.compare(&record, before..=after, caller), Ok(()));
    (record, truth)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_plain_program() {
    needs!("root");
    let (_, truth) =
        prove(Command::new(actor()).args(["a", "b c", "", "é"]), &Caller::naming(text(actor())));
    assert!(truth.arguments.ends_with("\0a\0b c\0\0é\0".as_bytes()));
}

#[test]
fn a_symbolic_link_with_an_innocent_name() {
    needs!("root");
    let scratch = Scratch::new();
    let link = scratch.at("cat");
    symlink(actor(), &link).unwrap();
    let (record, truth) = prove(&mut Command::new(&link), &Caller::naming(text(&link)));
    assert_eq!(truth.process.comm, "cat");
    assert_eq!(record.text("process.exe"), actor().canonicalize().unwrap().to_str());
}

#[test]
fn a_renamed_copy_that_poses_as_a_kernel_thread() {
    needs!("root");
    let scratch = Scratch::new();
    let copy = scratch.copy(actor(), "kworker0");
    let (record, _) =
        prove(Command::new(&copy).arg0("[kworker/0:1]"), &Caller::naming(text(&copy)));
    assert_eq!(record.strings("process.argv"), Some(vec!["[kworker/0:1]"]));
    assert_eq!(record.text("process.exe"), copy.to_str());
}

#[test]
fn a_script_and_its_interpreter() {
    needs!("root");
    let scratch = Scratch::new();
    let interpreter = scratch.copy(actor(), "interpreter");
    let script = scratch.at("evil.sh");
    fs::write(&script, format!("#!{} -x\n", interpreter.display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let caller = Caller {
        interpreter: Some(text(&interpreter).to_owned()),
        ..Caller::naming(text(&script))
    };
    let (record, truth) = prove(Command::new(&script).arg("argument"), &caller);
    assert_eq!(truth.process.comm, "evil.sh");
    let expected = [text(&interpreter), "-x", text(&script), "argument"];
    assert_eq!(record.strings("process.argv"), Some(expected.to_vec()));
    assert_eq!(record.text("process.exe"), interpreter.to_str());
}

#[test]
fn a_file_in_memory_by_its_descriptor() {
    needs!("root");
    let file = launch::memory_file("payload", actor());
    let filename = format!("/dev/fd/{}", file.as_raw_fd());
    let caller = Caller { is_memfd: true, ..Caller::naming(&filename) };
    let (record, _) = prove(&mut launch::by_descriptor(&file, &["/usr/sbin/sshd"]), &caller);
    assert_eq!(record.text("process.exe"), Some("/memfd:payload"));
    assert_eq!(record.at("process.exe_is_deleted"), Some(&true.into()));
}

#[test]
fn a_file_in_memory_by_a_path_in_proc() {
    needs!("root");
    let file = launch::memory_file("payload", actor());
    let filename = format!("/proc/self/fd/{}", file.as_raw_fd());
    let caller = Caller { is_memfd: true, ..Caller::naming(&filename) };
    let (_, truth) = prove(Command::new(&filename).arg0("/usr/sbin/sshd"), &caller);
    assert_eq!(truth.arguments, b"/usr/sbin/sshd\0");
}

#[test]
fn a_program_deleted_before_it_ran() {
    needs!("root");
    let scratch = Scratch::new();
    let copy = scratch.copy(actor(), "gone");
    let file = launch::inherited(&copy);
    fs::remove_file(&copy).unwrap();
    let caller = Caller::naming(&format!("/dev/fd/{}", file.as_raw_fd()));
    let (record, _) = prove(&mut launch::by_descriptor(&file, &["gone"]), &caller);
    assert_eq!(record.text("process.exe"), copy.to_str());
    assert_eq!(record.at("process.exe_is_deleted"), Some(&true.into()));
}

#[test]
fn a_relative_path_in_another_working_directory() {
    needs!("root");
    let scratch = Scratch::new();
    let copy = scratch.copy(actor(), "program");
    let command = &mut Command::new("./program");
    let (record, _) = prove(command.current_dir(scratch.path()), &Caller::naming("./program"));
    assert_eq!(record.text("process.exe"), copy.to_str());
    assert_eq!(record.text("process.cwd"), scratch.path().to_str());
}

#[test]
fn a_path_through_another_view_of_the_root() {
    needs!("root");
    let scratch = Scratch::new();
    let copy = scratch.copy(actor(), "program");
    let detour = format!("/proc/self/root{}", copy.display());
    let (record, _) = prove(&mut Command::new(&detour), &Caller::naming(&detour));
    assert_eq!(record.text("process.exe"), copy.to_str());
}

/// The dynamic loader that the actor asks for, from its own maps.
fn dynamic_loader() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut paths = maps.lines().filter_map(|line| line.split_ascii_whitespace().nth(5));
    let is_loader = |path: &&str| path.rsplit('/').next().unwrap().starts_with("ld-");
    PathBuf::from(paths.find(is_loader).unwrap())
}

#[test]
fn a_program_run_by_the_dynamic_loader() {
    needs!("root");
    let loader = dynamic_loader();
    let (record, _) = prove(Command::new(&loader).arg(actor()), &Caller::naming(text(&loader)));
    let argv = record.strings("process.argv").unwrap();
    assert_eq!(argv, [text(&loader), text(actor())]);
}

#[test]
fn two_hundred_kilobytes_of_arguments_with_the_point_at_the_end() {
    needs!("root");
    let filler = "A".repeat(4095);
    let command = &mut Command::new(actor());
    command.args((0..50).map(|_| &filler)).arg("-e");
    let (record, truth) = prove(command, &Caller::naming(text(actor())));
    assert!(truth.arguments.len() > 200 << 10);
    assert_eq!(record.at("process.argv_truncated"), Some(&true.into()));
    assert_eq!(record.strings("process.argv_tail").unwrap().last(), Some(&"-e"));
}

#[test]
fn arguments_are_called_cut_only_when_some_are_missing() {
    needs!("root");
    let name = actor().as_os_str().len();
    for total in [8192, 8193, 10_240, 10_241] {
        let filler = "A".repeat(total - name - 2);
        let mut command = Command::new(actor());
        let (record, truth) = prove(command.arg(filler), &Caller::naming(text(actor())));
        assert_eq!(truth.arguments.len(), total);
        let truncated = record.at("process.argv_truncated");
        assert_eq!(truncated, Some(&(total > 10_240).into()), "{total} bytes");
    }
}

#[test]
fn another_user_with_other_effective_ids() {
    needs!("root");
    let scratch = Scratch::new();
    let copy = scratch.copy(actor(), "program");
    let mut command = Command::new(&copy);
    launch::before_exec(&mut command, || {
        // SAFETY: takes numbers only.
        unsafe {
            launch::checked(libc::setresgid(2001, 2002, 2003))?;
            launch::checked(libc::setresuid(1001, 1002, 1003)).map(drop)
        }
    });
    let (record, _) = prove(&mut command, &Caller::naming(text(&copy)));
    let ids = ["uid", "effective_uid", "gid", "effective_gid"];
    let ids = ids.map(|name| record.number(&format!("process.{name}")));
    assert_eq!(ids, [Some(1001), Some(1002), Some(2001), Some(2002)]);
    assert_eq!(record.strings("process.capabilities_effective"), Some(vec![]));
}

#[test]
fn fewer_capabilities() {
    needs!("root");
    let mut command = Command::new(actor());
    launch::without_capabilities(&mut command, &[12, 39]);
    let (record, _) = prove(&mut command, &Caller::naming(text(actor())));
    let held = record.strings("process.capabilities_permitted").unwrap();
    assert!(!held.contains(&"CAP_NET_ADMIN") && !held.contains(&"CAP_BPF"));
    assert!(held.contains(&"CAP_CHOWN"));
}

#[test]
fn a_new_session_on_a_terminal() {
    needs!("root");
    let (_near, name) = launch::terminal();
    let mut command = Command::new(actor());
    launch::on_terminal(&mut command, &name);
    let tty = Some(name.replace('/', ""));
    let (record, _) = prove(&mut command, &Caller { tty, ..Caller::naming(text(actor())) });
    assert_eq!(record.number("process.session_id"), record.number("process.pid"));
}

#[test]
fn new_namespaces_of_every_kind() {
    needs!("root");
    let kinds = [
        libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUSER | libc::CLONE_NEWNET,
    ];
    let names = [["mnt", "net", "cgroup"].as_slice(), &["user", "net"]];
    let own = Execution::of(std::process::id());
    for (flags, names) in kinds.into_iter().zip(names) {
        let mut command = Command::new(actor());
        launch::in_new_namespaces(&mut command, flags);
        let mut trace = Trace::start(&["exec"]);
        let before = wall_clock::now();
        let actor = Actor::start(&mut command);
        let after = wall_clock::now();
        let truth = Execution::of(actor.pid());
        let record = trace.wait_for("the exec", |record| record.is("exec", actor.pid()));
        let caller = Caller::naming(text(self::actor()));
        assert_eq!(truth.compare(&record, before..=after, &caller), Ok(()));
        for name in names {
            let path = format!("process.namespaces.{name}");
            assert_ne!(record.number(&path), own.namespace(name), "{name}");
        }
    }
}

#[test]
fn a_process_in_a_pid_namespace_of_its_own_has_its_outer_id() {
    needs!("root", "unshare");
    let mut trace = Trace::start(&["exec"]);
    let before = wall_clock::now();
    let mut command = Command::new("unshare");
    let outer = Actor::start(command.args(["--pid", "--fork", "--kill-child", "--"]).arg(actor()));
    let after = wall_clock::now();
    let children = format!("/proc/{0}/task/{0}/children", outer.pid());
    let pid: u32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let truth = Execution::of(pid);
    let record = trace.wait_for("the exec", |record| record.is("exec", pid));
    assert_eq!(truth.compare(&record, before..=after, &Caller::naming(text(actor()))), Ok(()));
    let own = Execution::of(std::process::id());
    assert_ne!(record.number("process.namespaces.pid"), own.namespace("pid"));
}

#[test]
fn an_exec_by_another_thread_than_the_first() {
    needs!("root");
    let mut trace = Trace::start(&["exec"]);
    let mut command = Command::new(actor());
    let mut actor = Actor::start(&mut command);
    trace.wait_for("the first exec", |record| record.is("exec", actor.pid()));
    let scratch = Scratch::new();
    let next = scratch.copy(self::actor(), "next");
    let thread = actor.ask(&format!("execute-in-thread {}", next.display())).parse().unwrap();
    assert_ne!(thread, actor.pid());
    let before = wall_clock::now();
    actor.tell("go");
    let record = trace.wait_for("the second exec", |record| {
        record.is("exec", actor.pid()) && record.text("process.exe") == next.to_str()
    });
    assert_eq!(actor.ask("hello"), "hello");
    let caller = Caller { thread: Some(thread), ..Caller::naming(text(&next)) };
    let truth = Execution::of(actor.pid());
    assert_eq!(truth.compare(&record, before..=wall_clock::now(), &caller), Ok(()));
}
