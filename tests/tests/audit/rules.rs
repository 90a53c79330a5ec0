//! The security audit, from an action to its alert: what rules fire of, what evades them not, where alerts
//! go, and rules that change while the agent runs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use chandra_tests::actor::Actor;
use chandra_tests::agent::{self, Agent};
use chandra_tests::failure::fails;
use chandra_tests::needs;
use chandra_tests::patience::{PATIENCE, wait_for};
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};

/// An agent with these rules, which prints their alerts as JSON.
fn auditing(scratch: &Scratch, rules: &str, arguments: &[&str]) -> Agent {
    let file = scratch.at("rules.yaml");
    fs::write(&file, rules).unwrap();
    let usual = ["--rules", file.to_str().unwrap(), "--alerts", "json"];
    let mut agent = Agent::start(&[&usual, arguments].concat());
    agent.read_output();
    agent.wait_until_ready();
    agent
}

/// A rule of this name with this condition.
fn rule(name: &str, condition: &str) -> String {
    format!(
        "- rule: {name}\n  desc: A test\n  condition: {condition}\n  priority: WARNING\n  tags: [test]\n  \
         output: Seen (user=%user.name command=%proc.cmdline parent=%proc.pname)\n"
    )
}

fn wait_for_alert(agent: &Agent, what: &str, wanted: impl Fn(&Record) -> bool) -> Record {
    agent.wait_for(what, |record| record.at("rule").is_some() && wanted(record))
}

fn run(program: &Path, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success());
}

#[test]
fn an_alert_has_falcos_keys_and_says_who_did_it() {
    needs!("root");
    let scratch = Scratch::new();
    let mark = format!("mark-{}", unique());
    let condition =
        format!("evt.type = execve and proc.args contains \"{mark}\" and proc.name = true");
    let agent = auditing(&scratch, &rule("Marked program", &condition), &[]);
    let program = scratch.copy("/bin/true".as_ref(), "true");
    let secret = format!("--password={}", "x8Kp2Qz7");
    run(&program, &[&mark, &secret]);
    let alert = wait_for_alert(&agent, "the alert", |_| true);
    assert_eq!(alert.text("rule"), Some("Marked program"));
    assert_eq!(alert.text("priority"), Some("Warning"));
    assert_eq!(alert.text("source"), Some("syscall"));
    assert_eq!(alert.strings("tags"), Some(vec!["test"]));
    assert_eq!(alert.at("output_fields").unwrap()["user.name"], "root");
    let own = std::env::current_exe().unwrap();
    let parent = own.file_name().unwrap().to_str().unwrap();
    let told = alert.at("output_fields").unwrap()["proc.pname"].as_str().unwrap();
    assert!(parent.starts_with(told), "{told}");
    let output = alert.text("output").unwrap();
    assert!(output.contains(&format!("Warning Seen (user=root command=true {mark} ")), "{output}");
    assert_eq!(alert.text("process.exe"), program.to_str());
    let ancestors = alert.at("ancestors").unwrap().as_array().unwrap();
    assert_eq!(ancestors[0]["pid"], std::process::id());
    assert!(ancestors.len() > 1);
    // No secret leaves, wherever it stood.
    let whole = alert.0.to_string();
    assert!(!whole.contains("x8Kp2Qz7"), "{whole}");
    assert!(whole.contains("<redacted:password>"), "{whole}");
    agent.stop();
}

#[test]
fn a_name_that_was_chosen_hides_no_program() {
    needs!("root", "busybox");
    let scratch = Scratch::new();
    let mark = format!("mark-{}", unique());
    let condition = format!("evt.type = execve and proc.name = dash and proc.args contains {mark}");
    let agent = auditing(&scratch, &rule("A shell", &condition), &["--rule-matching", "all"]);
    let shell = fs::canonicalize("/bin/dash").unwrap();
    let script = format!(": {mark}");
    // A link, another first argument, and a script: the file that runs is the same.
    symlink(&shell, scratch.at("not-a-shell")).unwrap();
    run(&scratch.at("not-a-shell"), &["-c", &script]);
    let mut renamed = Command::new(&shell);
    assert!(renamed.arg0("kworker/0:1").args(["-c", &script]).status().unwrap().success());
    let padded = format!("{script} {}", "x".repeat(100_000));
    run(&shell, &["-c", &padded]);
    // And near misses: another program with that argument.
    run("/bin/true".as_ref(), &[&script]);
    run(&shell, &["-c", ":"]);
    let alerts = wait_for("three alerts", || {
        let alerts = agent.records();
        (alerts.len() >= 3).then_some(alerts)
    });
    let exes: Vec<_> = alerts.iter().map(|alert| alert.text("process.exe")).collect();
    assert_eq!(exes, [shell.to_str(); 3], "{alerts:#?}");
    assert_eq!(agent.stop().records().len(), 3);
}

#[test]
fn connections_fire_with_their_key_and_what_nobody_asks_for_is_not_watched() {
    needs!("root");
    let scratch = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let condition =
        format!("evt.type = connect and fd.l4proto = tcp and fd.sport = {}", address.port());
    let agent = auditing(&scratch, &rule("Connects", &condition), &["--signals", "tcp"]);
    let connection = std::net::TcpStream::connect(address).unwrap();
    let alert = wait_for_alert(&agent, "the alert", |_| true);
    drop(connection);
    assert_eq!(alert.text("connection.peer.address"), Some("127.0.0.1"), "{alert:?}");
    assert_eq!(alert.number("connection.peer.port"), Some(address.port().into()), "{alert:?}");
    assert_eq!(alert.at("connection.local"), None, "it has no port yet");
    assert_eq!(alert.at("process").unwrap()["pid"], std::process::id());
    assert!(agent.start_line("file_open").is_none() && agent.start_line("system_call").is_none());
    agent.stop();
}

#[test]
fn rules_are_read_again_when_they_change_and_bad_ones_change_nothing() {
    needs!("root");
    let scratch = Scratch::new();
    let of =
        |name: &str, mark: &str| rule(name, &format!("evt.type = execve and proc.args = {mark}"));
    let marks = ["one", "two", "three"].map(|word| format!("{word}-{}", unique()));
    let agent = auditing(&scratch, &of("First", &marks[0]), &[]);
    let (file, program) = (scratch.at("rules.yaml"), Path::new("/bin/true"));
    let said = |words: &str| {
        wait_for(words, || agent.messages().iter().any(|line| line.contains(words)).then_some(()));
    };
    fs::write(&file, of("Second", &marks[1])).unwrap();
    wait_for("the new rules", || {
        (agent.messages().iter().filter(|line| line.starts_with("rules: 1 of 1 watch")).count()
            == 2)
            .then_some(())
    });
    run(program, &[&marks[0]]);
    run(program, &[&marks[1]]);
    let alert = wait_for_alert(&agent, "an alert", |_| true);
    assert_eq!(alert.text("rule"), Some("Second"), "{alert:?}");
    fs::write(
        &file,
        "- rule: Broken\n  desc: d\n  condition: evt.type =\n  output: o\n  priority: INFO\n",
    )
    .unwrap();
    said("the rules before them stay in force");
    said("rules.yaml:3:");
    run(program, &[&marks[1], ""]);
    run(program, &[&marks[2]]);
    run(program, &[&marks[1]]);
    assert_eq!(agent.metric("chandra_rules_reloads_total{outcome=\"refused\"}"), 1);
    let counted = "chandra_alerts_total{rule=\"Second\",priority=\"Warning\"}";
    wait_for("it counts", || (agent.metric(counted) == 2).then_some(()));
    // The second is the same as the first: it waits to be told in a count.
    assert_eq!(agent.metric("chandra_alerts_folded_total"), 1);
    agent.stop();
}

#[test]
fn rules_that_cannot_be_used_are_refused_before_anything_is_loaded() {
    let scratch = Scratch::new();
    let file = scratch.at("rules.yaml");
    fs::write(&file, rule("Wrong", "evt.type = execve and proc.nmae = x")).unwrap();
    let mut command = agent::command(&["--rules", file.to_str().unwrap()]);
    let words = ["rules.yaml:3:", "proc.nmae", "proc.name", "chandra rules check"];
    fails(&mut command, 1, "rules", &words);
    let mut command = agent::command(&["--rules", "/nowhere/rules.yaml"]);
    fails(&mut command, 1, "rules", &["/nowhere/rules.yaml", "No such file"]);
    fs::write(&file, rule("Right", "evt.type = execve")).unwrap();
    let place = ["--rules", file.to_str().unwrap(), "--alerts-syslog", "/dev/log"];
    fails(&mut agent::command(&place), 2, "filters", &["/dev/log", "unix:/dev/log"]);
}

/// A receiver that acknowledges what it gets, one request after another.
fn receive(listener: TcpListener) -> Receiver<Record> {
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let mut reader = BufReader::new(stream);
            while let Some(body) = request(&mut reader) {
                let _ = sender.send(Record::parse(&body));
                let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                if reader.get_mut().write_all(answer).is_err() {
                    break;
                }
            }
        }
    });
    received
}

/// The body of the next request.
fn request(reader: &mut BufReader<std::net::TcpStream>) -> Option<String> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

#[test]
fn what_was_spooled_arrives_although_the_agent_was_killed() {
    needs!("root");
    const ALERTS: usize = 200;
    let scratch = Scratch::new();
    // Nobody listens there yet.
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mark = format!("mark-{}", unique());
    let rules = rule("Marked", &format!("evt.type = execve and proc.args startswith {mark}"));
    let (url, spool) = (format!("http://{address}/alerts"), scratch.at("spool"));
    let to = ["--alerts-http", &url, "--alerts-spool-folder", spool.to_str().unwrap()];
    let agent = auditing(&scratch, &rules, &to);
    for number in 0..ALERTS {
        run("/bin/true".as_ref(), &[&format!("{mark}-{number}")]);
    }
    // What it says is in the spool is what must arrive.
    let spooled = wait_for("the spool to have all", || {
        let count = agent.metric("chandra_alerts_spooled{sink=\"http\"}") as usize;
        (count >= ALERTS).then_some(count)
    });
    agent.kill(libc::SIGKILL);
    drop(agent);
    let received = receive(TcpListener::bind(address).unwrap());
    let agent = auditing(&scratch, &rules, &to);
    let mut ids = std::collections::HashSet::new();
    while ids.len() < spooled {
        let alert = received.recv_timeout(PATIENCE).expect("another alert");
        assert_eq!(alert.text("rule"), Some("Marked"));
        ids.insert(alert.text("id").unwrap().to_owned());
    }
    agent.stop();
}

#[test]
fn opens_are_watched_where_rules_look_and_nowhere_else() {
    needs!("root");
    let scratch = Scratch::new();
    let folder = scratch.path().canonicalize().unwrap();
    let (secret, other) = (folder.join("secret"), folder.join("other"));
    fs::write(&secret, "text").unwrap();
    fs::write(&other, "text").unwrap();
    symlink("secret", folder.join("link")).unwrap();
    let condition = format!(
        "evt.type in (open, openat, openat2) and evt.is_open_read = true and fd.num >= 0 and fd.name = {}",
        secret.display()
    );
    let rules = rule("Secret is read", &condition);
    let agent = auditing(&scratch, &rules, &["--rule-matching", "all"]);
    assert!(agent.start_line("system_call").is_none());
    for name in ["other", "link"] {
        run("/bin/cat".as_ref(), &[folder.join(name).to_str().unwrap()]);
    }
    let alert = wait_for_alert(&agent, "the alert", |_| true);
    assert_eq!(alert.text("process.exe"), fs::canonicalize("/bin/cat").unwrap().to_str());
    assert!(alert.text("output").unwrap().contains("link"), "{alert:?}");
    let ledger = agent.signal("file_open");
    let number = |name: &str| ledger.number(&format!("ledger.{name}")).unwrap();
    // A cat opens libraries and locales; of all that was seen hardly anything passes.
    assert!(number("submitted") * 10 < number("seen"), "{ledger:?}");
    assert_eq!(agent.stop().records().len(), 1);
}

#[test]
fn calls_are_watched_by_the_names_that_rules_have() {
    needs!("root");
    let scratch = Scratch::new();
    let condition = "evt.type = setns and evt.rawres < 0";
    let agent = auditing(&scratch, &rule("Fails to enter", condition), &[]);
    // SAFETY: no descriptor has this number, and nothing is unshared.
    unsafe {
        libc::unshare(0);
        libc::setns(-1, 0);
    }
    let alert = wait_for_alert(&agent, "the alert", |_| true);
    assert_eq!(alert.at("process").unwrap()["pid"], std::process::id());
    let records = agent.stop().records();
    assert_eq!(records.len(), 1, "{records:#?}");
}

#[test]
fn the_default_rules_load_and_watch() {
    needs!("root");
    let agent = Agent::start(&["--rules", "default,default-files", "--alerts", "json"]);
    let line = wait_for("the line of rules", || {
        agent.messages().into_iter().find(|line| line.starts_with("rules: "))
    });
    assert!(line.ends_with(" watch (default, default-files)"), "{line}");
    assert!(agent.metric("chandra_rules_loaded") > 40);
    for signal in ["process", "tcp", "file_open", "system_call"] {
        assert_eq!(agent.signal(signal).text("verdict"), Some("active"), "{signal}");
    }
    agent.stop();
}

#[test]
fn an_alert_tells_what_its_process_did_before() {
    needs!("root");
    let scratch = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mark = format!("mark-{}", unique());
    let rules = [
        rule(
            "Connects",
            &format!("evt.type = connect and fd.l4proto = tcp and fd.sport = {}", address.port()),
        ),
        rule("Never", "evt.type = execve and proc.name = nobody-runs-this"),
    ];
    let agent = auditing(&scratch, &rules.concat(), &[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_actor"));
    let mut actor = Actor::start(command.args(["--token=s3cr3tWord9", &mark]));
    actor.ask(&format!("connect {address}"));
    let alert = wait_for_alert(&agent, "the alert", |_| true);
    let preceding = alert.at("preceding").unwrap().as_array().unwrap();
    assert_eq!(preceding.len(), 1, "{alert:?}");
    assert_eq!(preceding[0]["type"], "exec");
    let arguments = preceding[0]["arguments"].to_string();
    assert!(arguments.contains(&mark), "{arguments}");
    assert!(!alert.0.to_string().contains("s3cr3tWord9"), "{alert:?}");
    actor.finish();
    agent.stop();
}
