//! A process that has rights which it cannot have got in a lawful way, and all that have theirs in one.
//!
//! The jumps are real: the memory of an emulated guest is written to from outside, as an exploit of its kernel
//! would from within.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chandra_tests::credentials::{HELD_BEFORE, HELD_BY_NOBODY, OVERWRITTEN, overwrite};
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::replay::default_alerts;
use chandra_tests::scratch::{Scratch, unique};
use chandra_tests::trace::{Trace, chandra};
use serde_json::{Value, json};

const RULE: &str = "Rights gained without a lawful way";

/// Where `./dev kernels` keeps this kernel, if it has fetched it.
fn kernel(name: &str) -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    Some(cache.join("chandra/kernels").join(name)).filter(|folder| folder.join("vmlinuz").is_file())
}

/// Boots a kernel with the proof, and writes over the credentials that it asks for until it has ended. Returns
/// the records that it printed.
fn jump(kernel: &Path) -> Vec<Record> {
    let scratch = Scratch::new();
    let (script, memory) = (scratch.at("script"), scratch.at("memory"));
    fs::write(&script, "./credential-proof --chandra ./chandra\n").unwrap();
    let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/boot");
    let mut command = Command::new(boot);
    command.arg(kernel).arg(script).arg(env!("CARGO_BIN_EXE_credential-proof")).arg(chandra());
    command.env("RAM", &memory).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut guest = command.spawn().unwrap();
    let mut found = [0; 2];
    while guest.try_wait().unwrap().is_none() {
        for (id, found) in OVERWRITTEN.into_iter().zip(&mut found) {
            *found += overwrite(&memory, id);
        }
        // The guest needs the processor more.
        std::thread::sleep(Duration::from_millis(200));
    }
    let output = guest.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{found:?} {text}");
    text.lines().filter(|line| line.starts_with('{')).map(Record::parse).collect()
}

fn of<'a>(records: &'a [Record], word: &str) -> &'a Record {
    let is_own = |record: &&Record| {
        record.strings("process.argv").is_some_and(|words| words == ["/bin/busybox", "true", word])
    };
    records.iter().find(is_own).unwrap()
}

#[track_caller]
fn prove_jumps(name: &str) {
    needs!("root", "qemu-system-x86_64");
    let Some(kernel) = kernel(name) else {
        eprintln!("skipped: ./dev kernels has not fetched {name}");
        return;
    };
    let records = jump(&kernel);
    for (word, id) in ["executed", "forked"].into_iter().zip(OVERWRITTEN) {
        let record = of(&records, word);
        assert_eq!(record.number("process.uid"), Some(0), "{word}");
        assert_eq!(record.at("process.cred_jump"), Some(&json!(true)), "{word}");
        let before = |field: &str| record.number(&format!("process.cred_before.{field}"));
        assert_eq!(before("uid"), Some(u64::from(id)), "{word}");
        // It gave that up: whether that was looked at before its memory was written over is chance.
        let effective = before("effective_uid").unwrap();
        assert!([HELD_BEFORE, id].map(u64::from).contains(&effective), "{word}: {effective}");
    }
    let lawful = of(&records, "lawful");
    assert_eq!(lawful.number("process.uid"), Some(u64::from(HELD_BY_NOBODY)));
    assert_eq!(lawful.at("process.cred_jump"), Some(&json!(false)));

    let alerts = default_alerts(&records);
    let of_jumps = alerts.iter().filter(|alert| alert.text("rule") == Some(RULE));
    let mut commands: Vec<_> =
        of_jumps.map(|alert| alert.0["output_fields"]["proc.cmdline"].as_str().unwrap()).collect();
    commands.sort_unstable();
    assert_eq!(commands, ["busybox true executed", "busybox true forked"], "{alerts:?}");
}

#[test]
fn credentials_written_over_on_the_oldest_kernel_are_a_jump() {
    prove_jumps("bullseye");
}

#[test]
fn credentials_written_over_on_the_newest_kernel_are_a_jump() {
    prove_jumps("sid");
}

/// Runs a command while execs are traced, and returns the record of the last program in it, which is `true` with
/// this word. None of what was executed from the command on had jumped, and of all that is known.
#[track_caller]
fn lawful(word: &str, command: &mut Command) -> Record {
    let mut trace = Trace::start(&["exec"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let record = trace.wait_for(word, |record| {
        record.strings("process.argv").is_some_and(|words| words.len() == 2 && words[1] == word)
    });
    assert!(child.wait().unwrap().success(), "{word}");
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let mut own = vec![u64::from(child.id())];
    for record in outcome.records.iter().filter(|record| record.kind() == "exec") {
        let number = |path| record.number(path).unwrap();
        if own.contains(&number("process.pid")) || own.contains(&number("process.ppid")) {
            own.push(number("process.pid"));
            assert_eq!(record.at("process.cred_jump"), Some(&json!(false)), "{word}: {}", record.0);
        }
    }
    assert!(own.len() > 1, "{word}");
    record
}

/// A command that becomes this user for good and goes on with that one.
fn as_user(uid: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", uid, "--regid", uid, "--clear-groups", "--"]);
    command
}

/// A copy of this program with this mode, which everybody can reach.
fn with_mode(scratch: &Scratch, program: &str, mode: u32) -> PathBuf {
    let copy = scratch.copy(Path::new(program), "program");
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(mode)).unwrap();
    copy
}

#[test]
fn rights_that_are_given_up_are_no_jump() {
    needs!("root", "setpriv");
    let record = lawful("given-up", as_user("4711").args(["true", "given-up"]));
    assert_eq!(record.number("process.uid"), Some(4711));
    let mut command = Command::new("su");
    lawful("su", command.args(["-s", "/bin/sh", "nobody", "-c", "exec true su"]));
}

#[test]
fn a_set_user_id_file_gives_its_owner_s_rights() {
    needs!("root", "setpriv");
    let scratch = Scratch::new();
    let copy = with_mode(&scratch, "/usr/bin/setpriv", 0o4755);
    let mut command = as_user("4711");
    // It has root's effective rights when it is executed, and takes the rest of them then.
    command.arg(copy).args(["--reuid", "0", "true", "set-user-id"]);
    let record = lawful("set-user-id", &mut command);
    assert_eq!(record.number("process.uid"), Some(0));
    assert!(!record.strings("process.capabilities_permitted").unwrap().is_empty());
}

#[test]
fn capabilities_of_a_file_are_lawful_and_so_is_what_they_allow() {
    needs!("root", "setpriv");
    let scratch = Scratch::new();
    let copy = with_mode(&scratch, "/usr/bin/setpriv", 0o755);
    let set = Command::new("setcap").arg("cap_setuid,cap_setgid+ep").arg(&copy).status();
    if !set.is_ok_and(|status| status.success()) {
        eprintln!("skipped: capabilities cannot be given to a file here");
        return;
    }
    let mut command = as_user("4711");
    command.arg(copy).args(["--reuid", "0", "true", "file-capabilities"]);
    let record = lawful("file-capabilities", &mut command);
    assert_eq!(record.number("process.uid"), Some(0));
}

#[test]
fn ambient_capabilities_stay_with_another_user() {
    needs!("root", "setpriv");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "4711", "--regid", "4711", "--clear-groups"]);
    command.args(["--inh-caps", "+net_raw", "--ambient-caps", "+net_raw", "true", "ambient"]);
    let record = lawful("ambient", &mut command);
    assert_eq!(record.strings("process.capabilities_permitted"), Some(vec!["CAP_NET_RAW"]));
}

#[test]
fn a_user_namespace_of_one_s_own_gives_capabilities_in_it() {
    needs!("root", "setpriv", "unshare");
    for (word, options) in [
        ("unmapped", &["--user"][..]),
        ("kept", &["--user", "--keep-caps"]),
        ("mapped", &["--user", "--map-root-user"]),
        ("forked", &["--user", "--map-root-user", "--pid", "--fork", "--mount"]),
    ] {
        let mut command = as_user("4711");
        command.arg("unshare").args(options).args(["true", word]);
        let record = lawful(word, &mut command);
        assert_eq!(record.number("process.uid"), Some(4711), "{word}");
    }
    // And once more within.
    let mut command = as_user("4711");
    let inner = "unshare --user --map-root-user unshare --user --map-root-user true nested";
    lawful("nested", command.args(["sh", "-c", &format!("exec {inner}")]));
}

#[test]
fn user_ids_that_a_namespace_was_given_are_its_own_to_take() {
    needs!("root", "setpriv", "unshare");
    // What newuidmap does: one with the right to do so gives the namespace ids that are not its maker's.
    let script = "\
        setpriv --reuid 4711 --regid 4711 --clear-groups -- unshare --user --keep-caps sh -c '\
            until grep -q 200000 /proc/self/uid_map; do :; done; \
            exec setpriv --reuid 33 --regid 33 --clear-groups true subordinate' & \
        until [ \"$(readlink /proc/$!/ns/user)\" != \"$(readlink /proc/self/ns/user)\" ]; do :; done; \
        echo 0 200000 65536 >/proc/$!/gid_map; echo 0 200000 65536 >/proc/$!/uid_map; wait $!";
    let record = lawful("subordinate", Command::new("sh").args(["-c", script]));
    assert_eq!(record.number("process.uid"), Some(200_033));
}

#[test]
fn a_runtime_s_containers_have_lawful_rights() {
    needs!("root", "runc", "busybox");
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.at("rootfs/bin")).unwrap();
    fs::copy("/bin/busybox", scratch.at("rootfs/bin/busybox")).unwrap();
    let bundle = scratch.path();
    // With a user namespace, and with less than all capabilities in it.
    let made = Command::new("runc").args(["spec", "--rootless"]).current_dir(bundle).status();
    assert!(made.unwrap().success());
    let path = scratch.at("config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["/bin/busybox", "true"]);
    fs::write(&path, config.to_string()).unwrap();
    let name = format!("lawful-{}", unique());
    let mut command = Command::new("runc");
    command.arg("--root").arg(scratch.at("state")).args(["run", "--bundle"]).arg(bundle).arg(name);
    let mut trace = Trace::start(&["exec"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let is_entrypoint = |record: &Record| {
        record.strings("process.argv").is_some_and(|words| words == ["/bin/busybox", "true"])
            && record.text("process.exe") == Some("/bin/busybox")
    };
    let record = trace.wait_for("the entrypoint", is_entrypoint);
    assert_eq!(record.at("process.cred_jump"), Some(&json!(false)));
    assert_eq!(record.number("process.virtual_pid"), Some(1));
    let own = fs::read_link("/proc/self/ns/user").unwrap();
    let namespace = record.number("process.namespaces.user").unwrap();
    assert_ne!(own.to_str(), Some(&*format!("user:[{namespace}]")));
    let jumps = trace.stop().records;
    assert!(jumps.iter().all(|it| it.at("process.cred_jump") != Some(&json!(true))), "{jumps:#?}");
}
