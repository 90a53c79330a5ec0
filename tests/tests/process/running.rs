//! Processes that ran before the trace began: each once, and each with everything that an exec
//! record of it would have said. The truth is `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::process::{Caller, Execution, NANOSECONDS_PER_TICK, Process};
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::{Outcome, Trace, chandra};
use chandra_tests::wall_clock;

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const KIND: &str = "process_running";

/// Everything that runs now.
fn look(further: &[&str]) -> Outcome {
    let options = [&["exec", "--type", KIND, "--duration", "1ms"], further].concat();
    let outcome = Trace::run_program(&chandra(), &options);
    let summary = outcome.summary_without_loss();
    assert_eq!(summary.number("found_at_start"), Some(outcome.records.len() as u64));
    outcome
}

/// Compares the record of a process that `command` starts with `/proc`.
fn prove(command: &mut Command, caller: &Caller) -> (Record, Execution) {
    let actor = Actor::start(command);
    actor.wait_until_idle();
    let truth = Execution::of(actor.pid());
    let before = wall_clock::now();
    let outcome = look(&[]);
    let found: Vec<_> = outcome.of(KIND, actor.pid()).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(truth.compare_running(found[0], before..=wall_clock::now(), caller), Ok(()));
    (found[0].clone(), truth)
}

#[test]
fn arguments_and_working_directory() {
    needs!("root");
    let scratch = Scratch::new();
    let mut command = Command::new(ACTOR);
    command.args(["a", "b c", "", "é\n"]).current_dir(scratch.path());
    let (record, truth) = prove(&mut command, &Caller::default());
    assert!(truth.arguments.ends_with("\0a\0b c\0\0é\n\0".as_bytes()));
    assert_eq!(record.text("process.cwd"), scratch.path().to_str());
}

#[test]
fn arguments_longer_than_an_exec_record_takes() {
    needs!("root");
    let filler = "A".repeat(4095);
    let mut command = Command::new(ACTOR);
    command.args((0..50).map(|_| &filler)).arg("-e");
    let (record, truth) = prove(&mut command, &Caller::default());
    assert!(truth.arguments.len() > 200 << 10);
    assert_eq!(record.strings("process.argv").unwrap().last(), Some(&"-e"));
}

#[test]
fn another_user_and_fewer_capabilities() {
    needs!("root");
    let scratch = Scratch::new();
    let mut command = Command::new(scratch.copy(Path::new(ACTOR), "program"));
    launch::before_exec(&mut command, || {
        // SAFETY: takes numbers only.
        unsafe {
            launch::checked(libc::setresgid(2001, 2002, 2003))?;
            launch::checked(libc::setresuid(1001, 1002, 1003)).map(drop)
        }
    });
    let (record, _) = prove(&mut command, &Caller::default());
    assert_eq!(record.number("process.uid"), Some(1001));
    assert_eq!(record.number("process.effective_gid"), Some(2002));
    assert_eq!(record.strings("process.capabilities_effective"), Some(vec![]));
    let mut command = Command::new(ACTOR);
    launch::without_capabilities(&mut command, &[12, 39]);
    let (record, _) = prove(&mut command, &Caller::default());
    assert!(!record.strings("process.capabilities_effective").unwrap().contains(&"CAP_BPF"));
}

#[test]
fn a_session_on_a_terminal() {
    needs!("root");
    let (_near, name) = launch::terminal();
    let mut command = Command::new(ACTOR);
    launch::on_terminal(&mut command, &name);
    let tty = Some(name.replace('/', ""));
    let (record, _) = prove(&mut command, &Caller { tty, ..Caller::default() });
    assert_eq!(record.number("process.session_id"), record.number("process.pid"));
}

#[test]
fn namespaces_of_its_own() {
    needs!("root");
    let own = Execution::of(std::process::id());
    let flags = libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;
    for (flags, names) in [
        (flags, ["mnt", "net", "cgroup"].as_slice()),
        (libc::CLONE_NEWUSER | libc::CLONE_NEWNET, &["user", "net"]),
    ] {
        let mut command = Command::new(ACTOR);
        launch::in_new_namespaces(&mut command, flags);
        let (record, _) = prove(&mut command, &Caller::default());
        for name in names {
            let path = format!("process.namespaces.{name}");
            assert_ne!(record.number(&path), own.namespace(name), "{name}");
        }
    }
}

#[test]
fn a_file_in_memory_and_one_that_was_deleted() {
    needs!("root");
    let file = launch::memory_file("payload", Path::new(ACTOR));
    let caller = Caller { is_memfd: true, ..Caller::default() };
    let (record, _) = prove(&mut launch::by_descriptor(&file, &["/usr/sbin/sshd"]), &caller);
    assert_eq!(record.text("process.exe"), Some("/memfd:payload"));
    let scratch = Scratch::new();
    let copy = scratch.copy(Path::new(ACTOR), "gone");
    let file = launch::inherited(&copy);
    fs::remove_file(&copy).unwrap();
    let command = &mut launch::by_descriptor(&file, &["gone"]);
    let (record, _) = prove(command, &Caller::default());
    assert_eq!(record.at("process.exe_is_deleted"), Some(&true.into()));
    assert_eq!(record.text("process.exe"), copy.to_str());
}

#[test]
fn filters_hold_for_what_runs_already() {
    needs!("root");
    let actor = Actor::start(&mut Command::new(ACTOR));
    let outcome = look(&["--pid", &actor.pid().to_string()]);
    assert_eq!(outcome.records.len(), 1);
    assert!(outcome.records[0].is(KIND, actor.pid()));
}

/// Processes by id with their start, as `/proc` has them, and whether they are ending.
fn all() -> BTreeMap<u32, (u64, bool)> {
    /// A process that ends, which takes a while when it held much (include/linux/sched.h).
    const PF_EXITING: u64 = 0x4;
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let (state, flags, start) = (fields.first()?, fields.get(6)?, fields.get(19)?);
        let is_ending = ["Z", "X"].contains(state) || flags.parse::<u64>().ok()? & PF_EXITING != 0;
        Some((pid, (start.parse().ok()?, is_ending)))
    });
    entries.collect()
}

/// Whether the kernel lets not even root look into this process: some sandboxes' kernels withhold
/// their first process from `/proc` and from BPF alike. tests/kernels proves that one elsewhere.
fn is_withheld(pid: u32) -> bool {
    let is_refused = |error: &std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    fs::read_link(format!("/proc/{pid}/cwd")).is_err_and(|error| is_refused(&error))
}

#[test]
fn every_process_is_told_of_once_and_none_that_there_is_not() {
    needs!("root");
    // Who comes while the first list is made may be in neither.
    let begun = wall_clock::since_boot();
    let before = all();
    let outcome = look(&[]);
    let after = all();
    let mut told = BTreeMap::new();
    for record in &outcome.records {
        assert_eq!(record.kind(), KIND);
        let pid = u32::try_from(record.number("process.pid").unwrap()).unwrap();
        let start = record.number("process.start_boottime_ns").unwrap();
        assert_eq!(told.insert(pid, start), None, "process {pid} twice");
        let ticks = start / NANOSECONDS_PER_TICK;
        // What neither list has came after the first and went before the second.
        let is_in = |list: &BTreeMap<_, (u64, bool)>| {
            list.get(&pid).is_some_and(|(start, _)| *start == ticks)
        };
        let is_known = is_in(&before) || is_in(&after);
        assert!(is_known || start > begun, "process {pid} is in no list: {record:?}");
    }
    let stayed = before.iter().filter(|(pid, process)| after.get(pid) == Some(process));
    let running = stayed.filter(|(_, (_, is_ending))| !is_ending);
    for (pid, (ticks, _)) in running.filter(|(pid, _)| !is_withheld(**pid)) {
        let start = told.get(pid).unwrap_or_else(|| panic!("process {pid} was not told of"));
        assert_eq!(start / NANOSECONDS_PER_TICK, *ticks, "process {pid}");
    }
}

#[test]
fn a_kernel_thread_has_no_program() {
    needs!("root");
    let outcome = look(&["--pid", "2"]);
    let truth = Process::of(2);
    assert_eq!(truth.comm, "kthreadd");
    let record = &outcome.records[0];
    assert_eq!(record.text("process.comm"), Some("kthreadd"));
    assert_eq!(record.number("process.ppid"), Some(0));
    for field in ["exe", "exe_inode", "exe_device", "tty", "interpreter", "filename"] {
        assert_eq!(record.at(&format!("process.{field}")), None, "{field}: {record:?}");
    }
}

/// Its end was before; only its parent has not asked yet.
#[test]
fn a_process_that_has_ended_is_not_running() {
    needs!("root");
    let mut child = Command::new("/bin/true").spawn().unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    chandra_tests::patience::wait_for("its end", || {
        fs::read_to_string(&stat).unwrap().contains(") Z ").then_some(())
    });
    let outcome = look(&["--pid", &child.id().to_string()]);
    child.wait().unwrap();
    assert!(outcome.records.is_empty(), "{:?}", outcome.records);
}
