//! `chandra alerts`: what an agent keeps of its alerts, and what comes, as a person and a program ask for it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::agent::{self, Agent};
use chandra_tests::failure::fails;
use chandra_tests::hubble::{Answers, HubbleServer};
use chandra_tests::needs;
use chandra_tests::observe::{Running, command, printed, said};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};

/// An agent, and where it serves.
struct Auditing {
    agent: Agent,
    server: String,
    mark: String,
    _scratch: Scratch,
}

impl Auditing {
    /// One with two rules on what is run with a mark: `Marked`, and the more urgent `Marked loudly` where
    /// the word behind the mark is `loud`.
    fn start(arguments: &[&str]) -> Self {
        let (scratch, mark) = (Scratch::new(), format!("mark-{}", unique()));
        let rule = |name: &str, priority: &str, tag: &str, more: &str| {
            format!(
                "- rule: {name}\n  desc: A test\n  priority: {priority}\n  tags: [{tag}, test]\n  \
                 condition: evt.type = execve and proc.args startswith {mark}{more}\n  \
                 output: Seen (command=%proc.cmdline)\n"
            )
        };
        let rules = [
            rule("Marked loudly", "CRITICAL", "noise", " and proc.args contains loud"),
            rule("Marked", "NOTICE", "calm", ""),
        ];
        let (file, socket) = (scratch.at("rules.yaml"), scratch.at("hubble.sock"));
        fs::write(&file, rules.concat()).unwrap();
        let (file, socket) = (file.display().to_string(), socket.display().to_string());
        let usual = ["--rules", &file, "--hubble-socket-path", &socket];
        let mut agent = Agent::start(&[&usual[..], arguments].concat());
        agent.read_output();
        agent.wait_until_ready();
        Self { agent, server: format!("unix://{socket}"), mark, _scratch: scratch }
    }

    /// Runs a program with the mark and these arguments.
    fn run(&self, arguments: &[&str]) {
        let mut program = Command::new("/bin/true");
        assert!(program.arg(&self.mark).args(arguments).status().unwrap().success());
    }

    /// `chandra alerts ARGUMENTS` of this agent.
    fn alerts(&self, arguments: &[&str]) -> Command {
        let mut command = command(&["alerts", "--server", &self.server]);
        command.args(arguments);
        command
    }

    /// What the agent itself printed of so many alerts, which then are kept as well.
    fn wait_for_lines(&self, count: usize) -> Vec<String> {
        wait_for("lines of the agent", || {
            let lines = self.agent.lines(0);
            (lines.len() >= count && self.agent.metric("chandra_alerts_recent") >= count as u64)
                .then_some(lines)
        })
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn what_the_agent_keeps_is_shown_as_it_told_it() {
    needs!("root");
    let auditing = Auditing::start(&[]);
    for words in [["one"], ["loud"], ["three"]] {
        auditing.run(&words);
    }
    let told = auditing.wait_for_lines(3);
    let shown = |arguments: &[&str]| printed(&mut auditing.alerts(arguments));
    assert_eq!(lines(&shown(&[])), told);
    assert_eq!(lines(&shown(&["--last", "1"])), told[2..]);
    assert_eq!(lines(&shown(&["--all", "--rule", "Marked"])), [&*told[0], &*told[2]]);
    assert_eq!(lines(&shown(&["--rule", "Marked *"])), [&*told[1]]);
    assert_eq!(lines(&shown(&["--priority", "critical"])), [&*told[1]]);
    assert_eq!(lines(&shown(&["--priority", "notice"])), told);
    assert_eq!(lines(&shown(&["--tag", "calm", "--last", "1"])), [&*told[2]]);
    assert_eq!(lines(&shown(&["--tag", "noise,calm"])), told);
    assert_eq!(lines(&shown(&["--since", "1h"])), told);
    // It runs in no pod.
    for none in [["-n", "shop"], ["--pod", "*"], ["--container", "*"], ["--since", "-1h"]] {
        assert_eq!(shown(&none), "", "{none:?}");
    }
    auditing.agent.stop();
}

#[test]
fn json_is_the_object_that_other_receivers_get_without_the_secrets() {
    needs!("root");
    let auditing = Auditing::start(&["--alerts", "json"]);
    auditing.run(&["--password=x8Kp2Qz7"]);
    let told = auditing.wait_for_lines(1);
    let shown = printed(&mut auditing.alerts(&["-o", "json"]));
    assert_eq!(lines(&shown), told);
    assert!(shown.contains("<redacted:password>") && !shown.contains("x8Kp2Qz7"), "{shown}");
    let wide = printed(&mut auditing.alerts(&["-o", "wide"]));
    let alert = Record::parse(&told[0]);
    let (pid, own) = (alert.number("process.pid").unwrap(), std::process::id());
    for part in [
        "Notice Seen (command=true mark-".to_owned(),
        "\n  rule:       Marked [calm, test]\n".to_owned(),
        format!("\n  process:    true[{pid}] /"),
        format!("[{own}] {}", std::env::current_exe().unwrap().display()),
        format!("\n  node:       {}\n", alert.text("hostname").unwrap()),
        format!("\n  command:    /bin/true {}", auditing.mark),
    ] {
        assert!(wide.contains(&part), "{part:?} is not in {wide}");
    }
    assert!(!wide.contains("x8Kp2Qz7") && !wide.contains('\x1b'), "{wide}");
    let colored = printed(&mut auditing.alerts(&["--color", "always"]));
    assert!(colored.contains("\x1b[36mNotice\x1b[0m Seen"), "{colored:?}");
    auditing.agent.stop();
}

#[test]
fn what_comes_is_followed_until_it_is_interrupted() {
    needs!("root");
    let auditing = Auditing::start(&[]);
    auditing.run(&["before"]);
    auditing.wait_for_lines(1);
    let all = Running::start(&mut auditing.alerts(&["-f"]));
    let new = Running::start(&mut auditing.alerts(&["-f", "--last", "0"]));
    let loud = Running::start(&mut auditing.alerts(&["-f", "--priority", "error"]));
    all.wait_for_lines(1);
    // What follows and shows nothing yet cannot be told from what is not there yet.
    for number in 0.. {
        auditing.run(&["loud", &format!("try-{number}")]);
        if !new.lines().is_empty() && !loud.lines().is_empty() {
            break;
        }
        wait_for("the next", || (all.lines().len() >= number + 2).then_some(()));
    }
    auditing.run(&["after"]);
    let after = |lines: &[String]| lines.last().is_some_and(|line| line.contains("after"));
    wait_for("the last", || (after(&all.lines()) && after(&new.lines())).then_some(()));
    let (all, new, loud) = (all.interrupt(), new.interrupt(), loud.interrupt());
    assert_eq!(all, auditing.agent.lines(0));
    assert!(all[0].contains("before") && all.ends_with(&new), "{all:#?} {new:#?}");
    assert!(!new.iter().any(|line| line.contains("before")), "{new:#?}");
    assert!(loud.iter().all(|line| line.contains("Critical")), "{loud:#?}");
    // An agent that ends ends what follows it.
    let last = Running::start(&mut auditing.alerts(&["-f"]));
    last.wait_for_lines(1);
    auditing.agent.stop();
    last.interrupt();
}

#[test]
fn who_reads_slowly_is_told_what_was_lost_and_holds_up_nobody() {
    needs!("root");
    const ALERTS: usize = 600;
    let auditing = Auditing::start(&["--alerts-buffer-size", "256k", "--alerts", "json"]);
    auditing.run(&["first"]);
    auditing.wait_for_lines(1);
    let mut slow = auditing.alerts(&["-f", "-o", "json"]);
    let mut slow = slow.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(slow.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = next();
    // From now on nobody reads: the pipe fills, then what waits for it, then it falls behind.
    let long = "x".repeat(8000);
    for number in 1..ALERTS {
        auditing.run(&[&format!("number-{number}"), &long]);
    }
    let told = wait_for("all alerts", || {
        let told = auditing.agent.lines(0);
        (told.len() >= ALERTS).then_some(told)
    });
    assert_eq!(first, told[0]);
    assert!(told.iter().map(String::len).sum::<usize>() > 10 << 20, "too little to fall behind");
    let kept = auditing.agent.metric("chandra_alerts_recent_bytes");
    assert!(0 < kept && kept <= 256 << 10, "{kept}");
    auditing.run(&["last"]);
    let (mut alerts, mut lost) = (1, 0);
    let last = loop {
        let record = Record::parse(&next());
        match record.number("lost.count") {
            Some(count) => lost += count,
            None => alerts += 1,
        }
        if record.text("output").is_some_and(|output| output.contains(" last)")) {
            break record;
        }
    };
    assert!(lost > 0, "{alerts} alerts and none lost");
    assert_eq!(alerts + lost, ALERTS as u64 + 1, "{alerts} and {lost} lost");
    assert_eq!(last.0, Record::parse(auditing.agent.lines(0).last().unwrap()).0);
    slow.kill().unwrap();
    slow.wait().unwrap();
    auditing.agent.stop();
}

#[test]
fn where_there_are_none_the_next_step_is_said() {
    needs!("root");
    let scratch = Scratch::new();
    let socket = scratch.at("hubble.sock").display().to_string();
    let server = format!("unix://{socket}");
    let alerts = |server: &str| command(&["alerts", "--server", server]);
    fails(&mut alerts(&server), 1, "hubble", &["cannot reach", "ls -l"]);
    let agent = Agent::start(&["--rules", "off", "--hubble-socket-path", &socket]);
    fails(&mut alerts(&server), 1, "alerts", &["no rules watch", "chandra agent --rules default"]);
    agent.stop();
    let other = HubbleServer::start(Answers::default());
    fails(&mut alerts(other.address()), 1, "alerts", &["does not know of alerts", "hubble.sock"]);
    let mut wrong = alerts(&server);
    fails(wrong.args(["--priority", "loud"]), 2, "filters", &["emergency", "debug"]);
    let mut many = alerts(&server);
    fails(many.args(["--last", "3", "--all"]), 2, "usage", &["--all"]);
}

#[test]
fn rules_watch_out_of_the_box_and_print_nothing_among_json() {
    needs!("root");
    let scratch = Scratch::new();
    let socket = scratch.at("hubble.sock").display().to_string();
    let start = |arguments: &[&str]| {
        let place = ["--http", "127.0.0.1:0", "--hubble-socket-path", &socket];
        let mut command = agent::command(&[&place[..], arguments].concat());
        let mut agent = Agent::start_command(command.env_remove("CHANDRA_RULES"));
        agent.read_output();
        agent.wait_until_ready();
        agent
    };
    let server = format!("unix://{socket}");
    let agent = start(&[]);
    assert!(
        agent
            .messages()
            .iter()
            .any(|line| line.starts_with("rules: ") && line.ends_with(" (default)"))
    );
    assert!(agent.metric("chandra_rules_loaded") > 20);
    let tool = scratch.copy("/bin/true".as_ref(), "xmrig");
    let run = || assert!(Command::new(&tool).status().unwrap().success());
    run();
    // Others may run such a program at the same time, but not this file.
    let is_own = |line: &&str| line.contains(tool.to_str().unwrap());
    let line =
        wait_for("its alert", || agent.lines(0).into_iter().find(|line| is_own(&line.as_str())));
    let shown = printed(&mut command(&["alerts", "--all", "--server", &server]));
    assert_eq!(shown.lines().filter(is_own).collect::<Vec<_>>(), [&*line]);
    assert!(agent.start_line("file_open").is_none() && agent.start_line("system_call").is_none());
    agent.stop();
    let agent = start(&["--print", "-o", "json"]);
    run();
    let alert = || said(&mut command(&["alerts", "--server", &server])).out;
    wait_for("its alert", || alert().lines().any(|line| is_own(&line)).then_some(()));
    let is_run = |record: &Record| record.text("process.exe") == tool.to_str();
    agent.wait_for("the record of it", is_run);
    assert!(agent.stop().records().iter().all(|record| record.at("signal").is_some()));
}

#[test]
fn each_rule_is_timed_for_some_events() {
    needs!("root");
    let auditing = Auditing::start(&[]);
    let count = "chandra_rules_evaluations_sampled_total{rule=\"Marked\"}";
    wait_for("a sample", || {
        (0..256).for_each(|_| {
            assert!(Command::new(Path::new("/bin/true")).status().unwrap().success())
        });
        (auditing.agent.metric(count) > 0).then_some(())
    });
    let (_, text) = chandra_tests::http::get_as(auditing.agent.address(), "/metrics", "text/plain");
    let seconds = "chandra_rules_evaluation_sampled_seconds_total{rule=\"Marked\"} ";
    let seconds = text.lines().find_map(|line| line.strip_prefix(seconds)).unwrap();
    assert!(seconds.parse::<f64>().unwrap() > 0.0, "{seconds}");
    assert!(text.contains("of one event in 256"), "{text}");
    let (_, open) = chandra_tests::http::get_as(
        auditing.agent.address(),
        "/metrics",
        "application/openmetrics-text; version=1.0.0",
    );
    assert!(open.contains("# UNIT chandra_rules_evaluation_sampled_seconds seconds\n"), "{open}");
    auditing.agent.stop();
}
