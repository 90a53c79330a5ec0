//! Whose program did it, and whose child that was, at that time: also where ids are used again, where
//! programs change within a process, and where parents go.
//!
//! Each scene is played twice: while the agent reads along, and while it is stopped, so that all of it
//! comes at once and what was so at the time is not so any more. The truth is what `/proc` says when
//! something happens.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use chandra_tests::actor::{Actor, Player, Relative};
use chandra_tests::agent::Agent;
use chandra_tests::needs;
use chandra_tests::process::{NANOSECONDS_PER_TICK, Process};
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;

const ACTOR: &str = env!("CARGO_BIN_EXE_actor");

/// What must be told of by one record.
#[derive(Debug)]
enum What {
    /// The program, and the thread that called exec if not the first.
    Exec(Option<u64>),
    /// The connection from this port.
    Connect(u64),
    Exit(u64),
}

#[derive(Debug)]
struct Expected {
    what: What,
    process: Process,
    /// Absent where even root may not look at it.
    parent: Option<Process>,
}

impl Expected {
    fn of(what: What, pid: u32) -> Self {
        let process = Process::of(pid);
        let link = std::fs::read_link(format!("/proc/{}/exe", process.ppid));
        let is_hidden = link.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        let parent = (!is_hidden).then(|| Process::of(process.ppid));
        Self { what, process, parent }
    }

    fn is_told_by(&self, record: &Record) -> bool {
        let kind = match self.what {
            What::Exec(_) => "exec",
            What::Connect(_) => "tcp_established",
            What::Exit(_) => "exit",
        };
        let is_it = match self.what {
            What::Exec(_) => record.text("process.exe") == self.process.exe.as_deref(),
            What::Connect(port) => record.number("connection.local.port") == Some(port),
            What::Exit(_) => true,
        };
        record.is(kind, self.process.pid) && is_it && started(record, "process", &self.process)
    }

    fn compare(&self, record: &Record) {
        let (process, parent) = (&self.process, &self.parent);
        let context = format!("{self:#?} {record:?}");
        assert_eq!(record.text("process.exe"), process.exe.as_deref(), "{context}");
        assert_eq!(record.text("process.comm"), Some(process.comm.as_str()), "{context}");
        assert_eq!(record.number("process.ppid"), Some(process.ppid.into()), "{context}");
        if let Some(parent) = parent {
            assert_eq!(record.number("parent.pid"), Some(parent.pid.into()), "{context}");
            assert_eq!(record.text("parent.exe"), parent.exe.as_deref(), "{context}");
            assert_eq!(record.text("parent.comm"), Some(parent.comm.as_str()), "{context}");
            assert!(started(record, "parent", parent), "{context}");
        }
        match self.what {
            What::Exec(thread) => assert_eq!(record.number("process.old_pid"), thread, "{context}"),
            What::Exit(code) => assert_eq!(record.number("exit_code"), Some(code), "{context}"),
            What::Connect(_) => {}
        }
    }
}

/// The process in this object started when that one did.
fn started(record: &Record, object: &str, process: &Process) -> bool {
    let start = record.number(&format!("{object}.start_boottime_ns"));
    start.is_some_and(|start| start / NANOSECONDS_PER_TICK == process.start_ticks)
}

/// What the players do, and so what must be told.
struct Play {
    folder: Scratch,
    listener: TcpListener,
    expected: Vec<Expected>,
}

impl Play {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { folder: Scratch::new(), listener, expected: Vec::new() }
    }

    /// A program of this name that is an actor.
    fn program(&self, name: &str) -> PathBuf {
        let program = self.folder.at(name);
        if program.exists() { program } else { self.folder.copy(Path::new(ACTOR), name) }
    }

    fn actor(&self, name: &str) -> Actor {
        Actor::start(&mut Command::new(self.program(name)))
    }

    fn connects(&mut self, player: &mut impl Player) {
        let address = self.listener.local_addr().unwrap();
        let ends = player.ask(&format!("connect {address}"));
        let port = ends.split([':', ' ']).nth(1).unwrap().parse().unwrap();
        self.expected.push(Expected::of(What::Connect(port), player.pid()));
    }

    fn becomes(&mut self, player: &mut impl Player, program: &str) {
        player.become_program(&self.program(program));
        self.has_executed(player, None);
    }

    fn has_executed(&mut self, player: &impl Player, thread: Option<u64>) {
        self.expected.push(Expected::of(What::Exec(thread), player.pid()));
    }

    fn exits(&mut self, player: Relative, code: u8) {
        self.expected.push(Expected::of(What::Exit(code.into()), player.pid()));
        player.exit(code);
    }

    fn compare(&self, agent: Agent) {
        for expected in &self.expected {
            agent.wait_for(&format!("{expected:#?}"), |record| expected.is_told_by(record));
        }
        let outcome = agent.stop();
        assert_eq!(outcome.total("lost"), 0);
        let records = outcome.records();
        for expected in &self.expected {
            let told: Vec<_> = records.iter().filter(|it| expected.is_told_by(it)).collect();
            assert_eq!(told.len(), 1, "{expected:#?} {told:#?}");
            expected.compare(told[0]);
        }
    }
}

/// Plays a scene with players that were there before the agent.
fn play_with<T>(before: impl Fn(&mut Play) -> T, scene: impl Fn(&mut Play, T)) {
    for is_stopped in [false, true] {
        let mut play = Play::new();
        let players = before(&mut play);
        let agent = Agent::start_printing(&["-o", "json", "--signals", "process,tcp"]);
        agent.wait_until_ready();
        if is_stopped {
            agent.pause();
        }
        scene(&mut play, players);
        agent.go_on();
        play.compare(agent);
    }
}

fn play(scene: impl Fn(&mut Play)) {
    play_with(|_| (), |play, ()| scene(play));
}

#[test]
fn a_pid_that_is_used_again_is_its_holders_at_that_time() {
    needs!("root");
    play(|play| {
        let (mut one, mut other) = (play.actor("one"), play.actor("other"));
        let mut first = one.fork();
        let pid = first.pid();
        play.becomes(&mut first, "first");
        play.connects(&mut first);
        play.exits(first, 1);
        assert_eq!(one.reap(pid), 1);
        for code in 2..7 {
            let parent = if code % 2 == 0 { &mut other } else { &mut one };
            let mut next = parent.fork_as(pid);
            assert_eq!(next.pid(), pid);
            play.connects(&mut next);
            play.becomes(&mut next, &format!("holder-{code}"));
            play.connects(&mut next);
            play.exits(next, code);
            assert_eq!(parent.reap(pid), u32::from(code));
        }
    });
}

#[test]
fn what_happens_between_two_execs_is_of_the_program_of_that_time() {
    needs!("root");
    play(|play| {
        let mut parent = play.actor("parent");
        let mut player = parent.fork();
        play.connects(&mut player);
        for program in ["one", "two", "three", "four", "five"] {
            play.becomes(&mut player, program);
            play.connects(&mut player);
        }
        play.exits(player, 0);
    });
}

#[test]
fn a_parent_is_what_it_was_at_that_time() {
    needs!("root");
    play(|play| {
        let mut parent = play.actor("shell");
        let mut child = parent.fork();
        play.becomes(&mut child, "child");
        play.connects(&mut child);
        play.becomes(&mut parent, "server");
        play.connects(&mut child);
        play.becomes(&mut child, "worker");
        play.becomes(&mut parent, "server-2");
        play.exits(child, 0);
    });
}

#[test]
fn a_thread_that_executes_is_its_process() {
    needs!("root");
    play(|play| {
        let mut parent = play.actor("parent");
        let mut player = parent.fork();
        let program = play.program("by-thread");
        let thread = player.ask(&format!("execute-in-thread {}", program.display()));
        player.tell("go");
        player.wait_until_it_is(&program);
        play.has_executed(&player, Some(thread.parse().unwrap()));
        play.connects(&mut player);
        play.exits(player, 5);
    });
}

#[test]
fn who_loses_its_parent_is_the_child_of_who_adopts_it() {
    needs!("root");
    play(|play| {
        let mut guardian = play.actor("guardian");
        guardian.ask("adopt-orphans");
        let mut parent = guardian.fork();
        play.becomes(&mut parent, "parent");
        let mut child = parent.fork();
        play.connects(&mut child);
        play.becomes(&mut child, "child");
        play.connects(&mut child);
        let pid = parent.pid();
        play.exits(parent, 0);
        guardian.reap(pid);
        assert_eq!(Process::of(child.pid()).ppid, guardian.pid());
        play.connects(&mut child);
        play.becomes(&mut child, "grown-up");
        play.exits(child, 0);
    });
}

#[test]
fn a_daemon_is_the_child_of_the_one_who_takes_in_orphans() {
    needs!("root");
    play(|play| {
        let mut starter = play.actor("starter");
        let mut middle = starter.fork();
        let mut daemon = middle.fork();
        let pid = middle.pid();
        play.exits(middle, 0);
        starter.reap(pid);
        assert!(![pid, starter.pid()].contains(&Process::of(daemon.pid()).ppid));
        play.connects(&mut daemon);
        play.becomes(&mut daemon, "daemon");
        play.connects(&mut daemon);
        play.exits(daemon, 0);
    });
}

#[test]
fn a_fork_without_an_exec_runs_what_its_parent_ran() {
    needs!("root");
    play(|play| {
        let mut parent = play.actor("parent");
        let mut child = parent.fork();
        play.connects(&mut child);
        play.becomes(&mut parent, "changed");
        play.connects(&mut child);
        let mut grandchild = child.fork();
        play.connects(&mut grandchild);
        play.exits(grandchild, 0);
        play.exits(child, 0);
    });
}

#[test]
fn who_is_spawned_with_its_parents_memory_is_its_child() {
    needs!("root");
    play(|play| {
        let mut parent = play.actor("parent");
        let program = play.program("spawned");
        let mut child = parent.spawn(&program);
        play.has_executed(&child, None);
        play.connects(&mut child);
        let program = play.program("grandchild");
        let grandchild = child.spawn(&program);
        play.has_executed(&grandchild, None);
        play.exits(grandchild, 0);
        play.exits(child, 0);
    });
}

#[test]
fn those_who_were_there_before_are_known() {
    needs!("root");
    play_with(
        |play| {
            let mut guardian = play.actor("guardian");
            guardian.ask("adopt-orphans");
            let mut parent = guardian.fork();
            let orphan = parent.fork();
            let pid = parent.pid();
            parent.exit(0);
            guardian.reap(pid);
            let mut child = guardian.fork();
            child.become_program(&play.program("child"));
            (guardian, orphan, child)
        },
        |play, (_guardian, mut orphan, mut child)| {
            play.connects(&mut orphan);
            play.exits(orphan, 0);
            play.connects(&mut child);
            let mut grandchild = child.fork();
            play.connects(&mut grandchild);
            play.becomes(&mut grandchild, "grandchild");
            play.exits(grandchild, 0);
            play.exits(child, 0);
        },
    );
}
