//! `chandra top` on traffic that the test made: figures are those of `ss -tin` and of what was sent, by own
//! probes and by an agent; on a terminal keys change what is seen, and it is left as it was.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use chandra_tests::actor::Actor;
use chandra_tests::flows::Observed;
use chandra_tests::launch::checked;
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::screen::OnScreen;
use chandra_tests::trace::chandra;
use serde_json::Value;

/// Two processes in a namespace that have a connection.
struct Pair {
    namespace: Namespace,
    opener: Actor,
    acceptor: Actor,
    /// The ports of its two ends, the opener's first.
    ports: [u64; 2],
    _programs: Scratch,
}

impl Pair {
    fn new() -> Self {
        let (namespace, programs) = (Namespace::new("top"), Scratch::new());
        let actor = |name: &str| {
            symlink(env!("CARGO_BIN_EXE_actor"), programs.at(name)).unwrap();
            let mut command = Command::new(programs.at(name));
            namespace.start_in(&mut command);
            Actor::start(&mut command)
        };
        let (mut opener, mut acceptor) = (actor("asker"), actor("teller"));
        let address = acceptor.ask("listen 127.0.0.1:0");
        let ends = opener.ask(&format!("connect {address}"));
        acceptor.ask("accept");
        let ports: Vec<u64> =
            ends.split(' ').map(|end| end.rsplit(':').next().unwrap().parse().unwrap()).collect();
        Self { namespace, opener, acceptor, ports: ports.try_into().unwrap(), _programs: programs }
    }

    fn exchange(&mut self, sent: u64, received: u64) {
        self.opener.ask(&format!("send {sent}"));
        self.acceptor.ask(&format!("receive {sent}"));
        self.acceptor.ask(&format!("send {received}"));
        self.opener.ask(&format!("receive {received}"));
        self.opener.ask("settle");
        self.acceptor.ask("settle");
    }

    fn close(&mut self) {
        self.opener.ask("close");
        self.acceptor.ask("receive-end");
        self.acceptor.ask("close");
    }

    /// What the kernel says of the opener's end, by `ss`.
    fn told_by_ss(&self) -> [u64; 4] {
        let [local, _] = self.ports;
        let told = self.namespace.run(&format!("ss -tinH sport = :{local}"));
        ["bytes_acked", "bytes_received", "segs_out", "segs_in"].map(|name| {
            let word = told.split_whitespace().find_map(|word| word.strip_prefix(name));
            word.and_then(|word| word.strip_prefix(':')?.parse().ok()).unwrap_or_default()
        })
    }
}

/// `chandra top` with these words and JSON, once it counts.
fn counting(words: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = Command::new(chandra());
    command.arg("top").args(words).args(["-o", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("counting") {
        line.clear();
        assert_ne!(messages.read_line(&mut line).unwrap(), 0, "it ended before it counted");
    }
    (child, messages)
}

/// The objects that it printed until its end.
fn objects(mut child: Child) -> Vec<Record> {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    text.lines().map(Record::parse).collect()
}

fn rows(object: &Record, view: &str) -> Vec<Record> {
    let rows = object.at(&format!("{view}.rows")).and_then(Value::as_array);
    rows.unwrap().iter().cloned().map(Record).collect()
}

fn flow<'a>(rows: &'a [Record], ports: &[u64; 2]) -> &'a Record {
    let is_it = |row: &&Record| {
        [row.number("source.port"), row.number("destination.port")] == ports.map(Some)
    };
    let found: Vec<_> = rows.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "one row for both ends: {rows:#?}");
    found[0]
}

fn process(rows: &[Record], pid: u32) -> &Record {
    let is_it = |row: &&Record| row.number("process.pid") == Some(pid.into());
    rows.iter().find(is_it).unwrap_or_else(|| panic!("no {pid} in {rows:#?}"))
}

#[test]
fn figures_of_an_interval_are_those_of_ss() {
    needs!("root", "ip", "ss");
    let mut pair = Pair::new();
    pair.exchange(5_000, 6_000);
    let before = pair.told_by_ss();
    let words = ["--local", "--once", "--by", "connection", "--interval", "4s"];
    let (child, _messages) = counting(&words);
    pair.exchange(700_001, 1_234);
    pair.exchange(2, 3);
    let after = pair.told_by_ss();
    let new: Vec<_> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    let object = &objects(child)[0];

    let flows = rows(object, "flows");
    let row = flow(&flows, &pair.ports);
    assert_eq!(
        [row.number("bytes_sent"), row.number("bytes_received")],
        [Some(700_003), Some(1_237)]
    );
    let names = ["bytes_sent", "bytes_received", "packets_sent", "packets_received"];
    let told: Vec<_> = names.iter().map(|name| row.number(name).unwrap()).collect();
    assert_eq!(told, new, "{row:?}");
    assert_eq!(
        (row.text("source.name"), row.text("destination.name")),
        (Some("asker"), Some("teller"))
    );
    assert_eq!(row.number("connections_opened"), Some(0), "it was open before");
    assert!(row.number("rtt_us").is_some());

    let processes = rows(object, "processes");
    for (pid, sent, received) in
        [(pair.opener.pid(), 700_003, 1_237), (pair.acceptor.pid(), 1_237, 700_003)]
    {
        let row = process(&processes, pid);
        let went = [row.number("bytes_sent"), row.number("bytes_received")];
        assert_eq!(went, [Some(sent), Some(received)], "{row:?}");
    }
    let lost = [object.number("losses.lost"), object.number("losses.unknown_totals")];
    assert_eq!(lost[0], Some(0), "{object:?}");
    let tcp = rows(object, "signals").into_iter().find(|row| row.text("signal") == Some("tcp"));
    assert!(tcp.unwrap().number("run_time_ns").unwrap() > 0);
}

#[test]
fn intervals_add_up_to_what_a_connection_carried() {
    needs!("root", "ip");
    let words = ["flows", "--local", "--by", "connection", "--interval", "1s"];
    let (mut child, _messages) = counting(&words);
    let mut pair = Pair::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut sums = [0; 3];
    let mut next = |sums: &mut [u64; 3], ports: &[u64; 2]| {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let object = Record::parse(&line);
        assert!(object.at("processes").is_none(), "only what was asked for");
        let names = ["bytes_sent", "bytes_received", "connections_opened"];
        for row in rows(&object, "flows") {
            if row.number("source.port") == Some(ports[0]) {
                for (sum, name) in sums.iter_mut().zip(names) {
                    *sum += row.number(name).unwrap();
                }
            }
        }
    };
    pair.exchange(1_000_000, 10);
    next(&mut sums, &pair.ports);
    pair.exchange(7, 20);
    next(&mut sums, &pair.ports);
    pair.exchange(5, 1);
    pair.close();
    // What was told of its end is in the second one at the latest.
    next(&mut sums, &pair.ports);
    next(&mut sums, &pair.ports);
    assert_eq!(sums, [1_000_012, 31, 1]);
    stop(&mut child);
}

fn stop(child: &mut Child) {
    // SAFETY: takes numbers; the child was not waited for, so that its number is its own.
    checked(unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM) }).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn programs_connections_and_drops_count_for_who_did_it() {
    needs!("root", "ip", "nft");
    let (child, _messages) = counting(&["--local", "--once", "--interval", "4s"]);
    let mut pair = Pair::new();
    pair.exchange(10, 20);
    pair.close();
    let port = pair.ports[1];
    pair.namespace.run("nft add table ip t");
    pair.namespace.run("nft add chain ip t out { type filter hook input priority 0 ; }");
    pair.namespace.run("nft add rule ip t out udp dport 9 drop");
    let socket = pair.opener.ask("bind-datagrams 127.0.0.1:0");
    for _ in 0..3 {
        pair.opener.ask("send-datagram 78 127.0.0.1:9");
    }
    assert!(socket.starts_with("127.0.0.1:"));
    let object = &objects(child)[0];
    let processes = rows(object, "processes");
    let (opener, acceptor) =
        (process(&processes, pair.opener.pid()), process(&processes, pair.acceptor.pid()));
    let figures = |row: &Record| {
        ["execs", "connections_opened", "connections_accepted", "bytes_sent"]
            .map(|name| row.number(name).unwrap())
    };
    assert_eq!(figures(opener), [1, 1, 0, 10]);
    assert_eq!(figures(acceptor), [1, 0, 1, 20]);
    let flows = rows(object, "flows");
    let flow = flows.iter().find(|row| row.number("destination.port") == Some(port)).unwrap();
    assert_eq!((flow.number("connections_opened"), flow.at("source.port")), (Some(1), None));
    let drops = rows(object, "drops");
    let dropped = drops.iter().find(|row| row.text("destination") == Some("127.0.0.1:9"));
    let dropped = dropped.unwrap_or_else(|| panic!("{drops:#?}"));
    assert_eq!((dropped.text("protocol"), dropped.number("packets")), (Some("udp"), Some(3)));
}

#[test]
fn an_agent_tells_of_connections_when_they_end() {
    needs!("root", "ip");
    let observed = Observed::start(&["--signals", "process,tcp"]);
    let [flag, server] = observed.server();
    let http = observed.agent.address().to_string();
    let words = [&flag, server.as_str(), "--http", &http, "--once", "--interval", "4s"];
    let (child, _messages) = counting(&words);
    let mut pair = Pair::new();
    pair.exchange(300_000, 500);
    pair.close();
    let object = &objects(child)[0];
    assert_eq!(object.text("source.kind"), Some("agent"));
    assert_eq!(object.text("source.address"), Some(server.as_str()));
    let flows = rows(object, "flows");
    let row = flows.iter().find(|row| row.number("destination.port") == Some(pair.ports[1]));
    let row = row.unwrap_or_else(|| panic!("{flows:#?}"));
    let names = ["bytes_sent", "bytes_received", "connections_opened"];
    assert_eq!(names.map(|name| row.number(name).unwrap()), [300_000, 500, 1]);
    let processes = rows(object, "processes");
    assert_eq!(process(&processes, pair.acceptor.pid()).number("bytes_received"), Some(300_000));
    let signals = rows(object, "signals");
    assert!(signals.iter().any(|row| row.text("signal") == Some("tcp")), "{signals:#?}");
}

fn on_screen(environment: &[(&str, &str)]) -> OnScreen {
    let mut command = Command::new(chandra());
    command.args(["top", "--local"]).env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command.envs(environment.iter().copied());
    OnScreen::start(&mut command)
}

#[test]
fn keys_change_what_is_seen() {
    needs!("root");
    let mut screen = on_screen(&[]);
    screen.wait_to_see("own probes");
    screen.wait_to_see("DESTINATION");
    screen.press("3");
    screen.wait_to_see("COMM");
    screen.press("/chandra");
    screen.wait_to_see("Enter keeps it");
    screen.press("\r");
    screen.wait_to_see("rows  with \"chandra\"");
    screen.press("\t");
    screen.wait_to_see("REASON");
    screen.press("5");
    screen.wait_to_see("NS/EVT");
    screen.press("?");
    screen.wait_to_see("hold the screen; counting goes on");
    screen.press(" ");
    screen.wait_to_see("NS/EVT");
    screen.press(" ");
    screen.wait_to_see("HELD");
    assert!(!screen.is_as_before(), "keys are read one by one");
    screen.press("q");
    assert!(screen.wait().success());
    assert!(screen.is_as_before());
    let told = screen.told();
    assert!(
        told.contains("\u{1b}[?1049h") && told.trim_end().contains("\u{1b}[?1049l"),
        "{told:?}"
    );
    assert!(told.contains("\u{1b}[38;5;"), "colours");
}

#[test]
fn a_terminal_is_given_back_however_it_ends() {
    needs!("root");
    let mut screen = on_screen(&[("NO_COLOR", "1")]);
    screen.wait_to_see("own probes");
    // SAFETY: takes numbers; the child was not waited for, so that its number is its own.
    checked(unsafe { libc::kill(i32::try_from(screen.pid()).unwrap(), libc::SIGTERM) }).unwrap();
    assert!(screen.wait().success());
    assert!(screen.is_as_before());
    assert!(screen.told().contains("\u{1b}[?1049l"));
    assert!(!screen.told().contains("\u{1b}[38;5;"), "no colours");
    let mut screen = on_screen(&[]);
    screen.wait_to_see("own probes");
    screen.press("\u{3}");
    assert!(screen.wait().success());
    assert!(screen.is_as_before());
}

#[test]
fn where_no_screen_can_be_drawn_it_says_what_to_do() {
    let output = Command::new(chandra()).arg("top").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("chandra top --once"), "{said}");
    let mut screen = on_screen(&[("TERM", "dumb")]);
    assert_eq!(screen.wait().code(), Some(2));
    assert!(screen.is_as_before());
    screen.wait_to_see("cannot be drawn on");
}
