//! What people and programs may write into names, labels, arguments and paths comes out escaped, as
//! JSON that parses and lines that do nothing to a terminal, and the container is known all the same.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::actor::{Actor, Player};
use chandra_tests::agent::Agent;
use chandra_tests::cgroup::{self, Nested, start_in};
use chandra_tests::containerd::{Container, Containerd, Pod, pairs};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};
use chandra_tests::trace::{Trace, chandra};
use chandra_tests::{needs, needs_containerd};

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");
const POD: &str = "pod6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e14";
/// Clears the screen, sets the title, turns the reading direction, ends the line, goes back, rings.
const HOSTILE: &str =
    "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}gpj.exe\n\r\t\u{9b}31m\u{0085}\u{2066}\u{200b}";

/// A `chandra trace` whose lines are for people; it ends when it is dropped.
struct Screen(std::process::Child);

impl Screen {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(chandra());
        command.arg("trace").args(arguments).stdin(Stdio::null());
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Everything that it wrote up to and with this text.
    fn read_until(mut self, text: &str) -> Vec<u8> {
        let mut output = self.0.stdout.take().unwrap();
        let mut all = Vec::new();
        let mut bytes = [0; 64 << 10];
        wait_for(&format!("{text:?} on the screen"), || {
            let read = output.read(&mut bytes).unwrap();
            assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&bytes[..read]);
            all.windows(text.len()).any(|window| window == text.as_bytes()).then_some(())
        });
        all
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Nothing but characters that are shown, in lines.
fn is_harmless(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    let turns = |it: char| matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let bad = text.chars().find(|it| (it.is_control() && *it != '\n') || turns(*it));
    assert_eq!(bad, None, "{text}");
}

fn container(below: &[&str]) -> (Nested, String) {
    let id = format!("{:064x}", unique());
    let names = [&["kubepods", POD, id.as_str()], below].concat();
    (Nested::new(&cgroup::mount(), &names), id)
}

fn start(container: &Nested, command: &mut Command) -> Actor {
    start_in(command, &[container.innermost().folder()]);
    Actor::start(command)
}

#[test]
fn labels_and_names_of_pods_do_nothing_to_a_reader() {
    needs_containerd!();
    let containerd = Containerd::start();
    let cri = containerd.cri();
    // As long as containerd lets a label be, with its key.
    let (long, large) = ("l".repeat(4092), "A".repeat(1 << 20));
    let pod = Pod { host_network: true, ..Pod::named("hostile") }
        .labels(&[("evil", HOSTILE), (HOSTILE, "key"), ("long", &long)])
        .annotations(&[("large", &large), ("evil", HOSTILE)]);
    let pod = Pod { name: format!("pod-{HOSTILE}"), ..pod };
    let socket = containerd.socket().display().to_string();
    let mut trace = Trace::start(&["exec", "--cri-socket", &socket]);
    let screens = ["table", "wide"]
        .map(|format| Screen::start(&["exec", "--cri-socket", &socket, "-o", format]));
    let sandbox = cri.run_pod(&pod);
    let marker = format!("0.01{}", unique());
    // The screens need not be up yet, so it is done again and again.
    let words = format!("while :; do /bin/sleep {marker}; done");
    let looped = Container::named("app", &["/bin/sh", "-c", &words]);
    let looped = Container { labels: pairs(&[("evil", HOSTILE)]), ..looped };
    let id = cri.run(&sandbox, &pod, &looped);
    let argv = Some(vec!["/bin/sleep", marker.as_str()]);
    let record = trace.wait_for("a sleep", |record| record.strings("process.argv") == argv);
    assert_eq!(record.text("container.id"), Some(id.as_str()));
    assert_eq!(record.text("container.name"), Some("app"));
    assert_eq!(record.text("pod.uid"), Some(pod.uid.as_str()));
    assert_eq!(record.text("pod.name"), Some(pod.name.as_str()), "JSON escapes it by itself");
    let labels = record.at("pod.labels").unwrap();
    assert_eq!(labels["evil"], HOSTILE);
    assert_eq!(labels[HOSTILE], "key");
    assert!(long.starts_with(labels["long"].as_str().unwrap()), "{labels}");
    let line = record.0.to_string();
    assert!(line.len() < 64 << 10, "{} bytes in a line", line.len());
    for screen in screens {
        let shown = screen.read_until(&marker);
        is_harmless(&shown);
        assert!(String::from_utf8(shown).unwrap().contains("pod-x\\"));
    }
    cri.remove_pod(&sandbox);
    trace.stop().summary_without_loss();
}

#[test]
fn names_and_paths_and_arguments_of_processes_do_nothing_to_a_reader() {
    needs!("root");
    let (container, id) = container(&[]);
    let scratch = Scratch::new();
    let folder = scratch.path().join(OsStr::from_bytes(b"\xff\xfe\x1b[2J\n"));
    std::fs::create_dir(&folder).unwrap();
    let evil = folder.join(format!("a{}", HOSTILE.replace('/', "")));
    std::fs::copy(ACTOR, &evil).unwrap();
    let agent = Agent::start_printing(&["-o", "json", "--signals", "process,tcp"]);
    agent.wait_until_ready();
    let screens = ["table", "wide"].map(|format| Screen::start(&["exec", "-o", format]));
    let large = [HOSTILE.as_bytes(), b"\xff", &[b'A'; 64 << 10], b"\xfe"].concat();
    let mut parent = start(&container, Command::new(&evil).arg(OsStr::from_bytes(&large)));
    let exec = agent.wait_for("its exec", |record| record.is("exec", parent.pid()));
    assert_eq!(exec.text("container.id"), Some(id.as_str()));
    assert!(exec.number("process.argv_bytes") > Some(64 << 10));
    assert!(exec.text("process.exe").unwrap().contains("gpj.exe"));
    // A name that is not text, under a parent with such a name and path.
    parent.ask("rename 1b5b324aff0aff1b5d303b78");
    let mut child = parent.fork();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    child.ask(&format!("connect {}", listener.local_addr().unwrap()));
    let pid = child.pid();
    child.exit(0);
    for kind in ["tcp_established", "exit"] {
        let record = agent.wait_for(kind, |record| record.is(kind, pid));
        assert_eq!(record.text("container.id"), Some(id.as_str()));
        let name = record.text("process.comm").unwrap();
        assert!(name.contains("[2J") && name.contains("]0;x"), "{name:?}");
        assert_eq!(record.text("parent.comm"), Some(name), "{record:?}");
        assert_eq!(record.text("parent.exe"), exec.text("process.exe"), "{record:?}");
        assert_eq!(record.text("process.exe"), exec.text("process.exe"), "{record:?}");
    }
    assert_eq!(agent.stop().total("lost"), 0);
    for screen in screens {
        // The screens need not have been up before.
        let marker = format!("marker-{}", unique());
        let mut ask = parent.fork();
        let is_shown = std::thread::spawn({
            let marker = marker.clone();
            move || screen.read_until(&marker)
        });
        wait_for("the screen", || {
            let mut again = ask.fork();
            again.tell(&format!("execute {ACTOR} {HOSTILE_ARGUMENT} {marker}"));
            again.wait_until_it_is(Path::new(ACTOR));
            drop(again);
            is_shown.is_finished().then_some(())
        });
        is_harmless(&is_shown.join().unwrap());
    }
}

/// Without spaces, and in one line, as an actor takes its commands.
const HOSTILE_ARGUMENT: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}gpj.exe\r\t\u{9b}31m";

#[test]
fn a_hundred_cgroups_within_a_container_are_all_the_container() {
    needs!("root");
    let mut trace = Trace::start(&["exec"]);
    let name = "x".repeat(30);
    let (nested, id) = container(&[name.as_str(); 100]);
    let actor = start(&nested, &mut Command::new(ACTOR));
    let record = trace.wait_for("the exec", |record| record.is("exec", actor.pid()));
    assert_eq!(record.text("container.id"), Some(id.as_str()), "{record:?}");
    assert_eq!(record.text("pod.uid"), POD.strip_prefix("pod"), "{record:?}");
    actor.finish();
    trace.stop().summary_without_loss();
    // Also where they are found at start, by their paths alone.
    let actor = start(&nested, &mut Command::new(ACTOR));
    let mut trace = Trace::start(&["exit"]);
    let pid = actor.pid();
    actor.finish();
    let record: Record = trace.wait_for("the exit", |record| record.is("exit", pid));
    assert_eq!(record.text("container.id"), Some(id.as_str()), "{record:?}");
    trace.stop().summary_without_loss();
}
