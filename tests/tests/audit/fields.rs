//! Fields of rules whose truth somebody else tells: `/proc`, `getent`, and the program itself.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use chandra_tests::agent::Agent;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};
use serde_json::Value;

fn auditing(scratch: &Scratch, rules: &[String]) -> Agent {
    let file = scratch.at("rules.yaml");
    fs::write(&file, rules.concat()).unwrap();
    let usual = ["--rules", file.to_str().unwrap(), "--alerts", "json", "--rule-matching", "all"];
    let mut agent = Agent::start(&usual);
    agent.read_output();
    agent.wait_until_ready();
    agent
}

fn rule(name: &str, condition: &str, fields: &[&str]) -> String {
    let output: Vec<String> = fields.iter().map(|field| format!("%{field}")).collect();
    format!(
        "- rule: {name}\n  desc: A test\n  priority: NOTICE\n  condition: {condition}\n  output: \"{}\"\n",
        output.join(" ")
    )
}

fn alert_of(agent: &Agent, rule: &str) -> Record {
    wait_for(rule, || {
        agent.records().iter().find(|alert| alert.text("rule") == Some(rule)).cloned()
    })
}

fn field(alert: &Record, field: &str) -> Value {
    alert.at("output_fields").unwrap()[field].clone()
}

fn said(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A line of a database by its number, split at colons.
fn getent(database: &str, number: u32) -> Vec<String> {
    let line = said(Command::new("getent").args([database, &number.to_string()]));
    line.trim_end().split(':').map(str::to_owned).collect()
}

#[test]
fn a_user_is_who_getent_says_and_one_without_an_entry_has_no_name() {
    needs!("root");
    const NOBODY: u32 = 65_534;
    const WITHOUT: u32 = 54_321;
    let (scratch, mark) = (Scratch::new(), format!("mark-{}", unique()));
    let fields = ["user.uid", "user.name", "user.homedir", "user.shell", "group.gid", "group.name"];
    let of = |name: &str, uid: u32| {
        let condition = format!("evt.type = execve and proc.args = {mark} and user.uid = {uid}");
        rule(name, &condition, &fields)
    };
    let agent = auditing(&scratch, &[of("Nobody", NOBODY), of("Without", WITHOUT)]);
    for uid in [NOBODY, WITHOUT] {
        let mut command = Command::new("/bin/true");
        assert!(command.arg(&mark).uid(uid).gid(uid).status().unwrap().success());
    }
    let alert = alert_of(&agent, "Nobody");
    let (user, group) = (getent("passwd", NOBODY), getent("group", NOBODY));
    assert_eq!(field(&alert, "user.name"), *user[0]);
    assert_eq!(field(&alert, "user.homedir"), *user[5]);
    assert_eq!(field(&alert, "user.shell"), *user[6]);
    assert_eq!(field(&alert, "group.name"), *group[0]);
    let alert = alert_of(&agent, "Without");
    for field_name in ["user.name", "user.homedir", "user.shell", "group.name"] {
        assert_eq!(field(&alert, field_name), Value::Null, "{field_name}");
    }
}

#[test]
fn an_open_says_of_its_process_and_its_thread_what_proc_says() {
    needs!("root");
    let scratch = Scratch::new();
    let folder = scratch.path().canonicalize().unwrap();
    let [by_shell, by_thread] = ["shell", "thread"].map(|name| folder.join(name));
    for file in [&by_shell, &by_thread] {
        fs::write(file, "text").unwrap();
    }
    let fields = [
        "proc.pid",
        "proc.sid",
        "proc.pgid",
        "proc.vpid",
        "proc.tty",
        "user.loginuid",
        "thread.tid",
        "thread.ismain",
        "proc.env[MARK]",
        "fd.num",
        "fd.uid",
        "evt.rawarg.fd",
        "evt.arg.fd",
        "evt.args",
        "fd.containername",
    ];
    let opens = |name: &str, file: &std::path::Path| {
        rule(name, &format!("evt.type = openat and fd.name = {}", file.display()), &fields)
    };
    let agent = auditing(&scratch, &[opens("Shell", &by_shell), opens("Thread", &by_thread)]);

    // A shell in a session of its own that says what the kernel has of it.
    let script = "exec 7< \"$0\"; cat /proc/$$/stat /proc/$$/loginuid";
    let mut shell = Command::new("setsid");
    shell.args(["--wait", "/bin/sh", "-c", script]).arg(&by_shell).env("HISTSIZE", "4711");
    let proc = said(shell.env("MARK", "x"));
    let (stat, login) = proc.trim_end().split_once('\n').unwrap();
    let (head, tail) = stat.rsplit_once(") ").unwrap();
    let tail: Vec<i64> = tail.split(' ').skip(1).take(4).map(|it| it.parse().unwrap()).collect();
    let pid: i64 = head.split(' ').next().unwrap().parse().unwrap();
    let alert = alert_of(&agent, "Shell");
    let number = |name: &str| field(&alert, name).as_i64().unwrap();
    assert_eq!((number("proc.pid"), number("proc.vpid"), number("thread.tid")), (pid, pid, pid));
    // Behind the state: parent, group, session, terminal.
    assert_eq!([number("proc.pgid"), number("proc.sid"), number("proc.tty")], tail[1..4]);
    let login: u32 = login.parse().unwrap();
    let login = if login == u32::MAX { -1 } else { i64::from(login) };
    assert_eq!(number("user.loginuid"), login);
    assert_eq!(field(&alert, "thread.ismain"), true);
    let path = by_shell.display();
    assert_eq!(field(&alert, "evt.arg.fd"), format!("<f>{path}"));
    assert_eq!(field(&alert, "fd.containername"), format!("host:{path}"));
    assert!(
        field(&alert, "evt.args")
            .as_str()
            .unwrap()
            .starts_with(&format!("fd=<f>{path} name={path} flags=O_"))
    );

    // A thread of this program, which ran before the agent did.
    let opening = by_thread.clone();
    let thread = std::thread::spawn(move || {
        use std::os::fd::AsRawFd;
        let file = fs::File::open(&opening).unwrap();
        // SAFETY: takes nothing, and fails never.
        (i64::from(unsafe { libc::gettid() }), i64::from(file.as_raw_fd()))
    });
    let (thread, descriptor) = thread.join().unwrap();
    let alert = alert_of(&agent, "Thread");
    let number = |name: &str| field(&alert, name).as_i64().unwrap();
    assert_eq!(number("thread.tid"), thread);
    assert_eq!(number("proc.pid"), i64::from(std::process::id()));
    assert_eq!(field(&alert, "thread.ismain"), false);
    if let Some(told) = field(&alert, "fd.num").as_i64() {
        assert_eq!((told, number("evt.rawarg.fd")), (descriptor, descriptor));
        assert_eq!(field(&alert, "fd.uid"), format!("{thread}{descriptor}"));
    }
    // It was not seen to be executed, so nobody knows its variables.
    assert_eq!(field(&alert, "proc.env[MARK]"), Value::Null);
}

#[test]
fn variables_of_ancestors_are_those_that_they_were_executed_with() {
    needs!("root");
    let (scratch, mark) = (Scratch::new(), format!("mark-{}", unique()));
    let asked = "evt.type = execve and proc.args";
    let fields = ["proc.env[EDITOR]", "proc.aenv[EDITOR]", "proc.aenv[1]", "proc.aenv[2]"];
    let rules = [
        rule("Near", &format!("{asked} = {mark}-a and proc.aenv[EDITOR] = near"), &fields),
        rule("Far", &format!("{asked} = {mark}-b and proc.aenv[EDITOR] = far"), &fields),
        rule("Own", &format!("{asked} startswith {mark} and proc.aenv[EDITOR] = own"), &fields),
        rule("Any", &format!("{asked} = {mark}-a and proc.aenv contains \"EDITOR=far\""), &fields),
    ];
    let agent = auditing(&scratch, &rules);
    let inner = |argument: &str| format!("EDITOR=own /bin/true {argument}; :");
    let near = format!("env -i EDITOR=near /bin/sh -c '{}'; :", inner(&format!("{mark}-a")));
    let far = format!("env -i PATH=/bin /bin/sh -c '{}'; :", inner(&format!("{mark}-b")));
    let last = format!("/bin/true {mark}-last");
    for script in [near, far, last] {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).env_clear();
        assert!(
            shell.env("PATH", "/bin:/usr/bin").env("EDITOR", "far").status().unwrap().success()
        );
    }
    let alert = alert_of(&agent, "Near");
    assert_eq!(field(&alert, "proc.env[EDITOR]"), "own");
    assert_eq!(field(&alert, "proc.aenv[EDITOR]"), "near");
    assert!(field(&alert, "proc.aenv[1]").as_str().unwrap().contains("EDITOR=near"));
    let alert = alert_of(&agent, "Far");
    assert_eq!(field(&alert, "proc.aenv[EDITOR]"), "far");
    alert_of(&agent, "Any");
    let rules: Vec<_> = agent.stop().records();
    assert!(rules.iter().all(|alert| alert.text("rule") != Some("Own")), "{rules:#?}");
}
