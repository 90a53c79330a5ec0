//! Descendants of an actor, which a test directs like the actor itself.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use super::Actor;
use crate::patience::wait_for;
use crate::scratch::Scratch;

/// Somebody who does what a test asks.
pub trait Player {
    /// Its process id.
    fn pid(&self) -> u32;

    /// Gives a command that is answered later or never.
    fn tell(&mut self, command: &str);

    /// The next answer.
    fn hear(&mut self) -> String;

    /// Gives a command and waits for its answer.
    fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.hear()
    }

    /// It becomes another program, which must be an actor too.
    ///
    /// # Panics
    /// When it does not come up.
    fn become_program(&mut self, program: &std::path::Path) {
        self.tell(&format!("execute {}", program.display()));
        self.wait_until_it_is(program);
    }

    /// Waits until it runs this program and listens.
    ///
    /// # Panics
    /// When it does not.
    fn wait_until_it_is(&mut self, program: &std::path::Path) {
        let link = format!("/proc/{}/exe", self.pid());
        wait_for("a new program", || std::fs::read_link(&link).ok().filter(|exe| exe == program));
        assert_eq!(self.ask("hello"), "hello");
    }

    /// It forks.
    fn fork(&mut self) -> Relative {
        Relative::born(self, "fork")
    }

    /// It forks, and the child has this id.
    fn fork_as(&mut self, pid: u32) -> Relative {
        Relative::born(self, &format!("fork-as {pid}"))
    }

    /// It starts this program, which must be an actor too, by posix_spawn(3).
    fn spawn(&mut self, program: &std::path::Path) -> Relative {
        Relative::born(self, &format!("spawn {}", program.display()))
    }

    /// It waits for the end of this child, and gives its code.
    ///
    /// # Panics
    /// When it answers something else.
    fn reap(&mut self, pid: u32) -> u32 {
        self.ask(&format!("reap {pid}")).parse().unwrap()
    }
}

impl Player for Actor {
    fn pid(&self) -> u32 {
        Self::pid(self)
    }

    fn tell(&mut self, command: &str) {
        Self::tell(self, command);
    }

    fn hear(&mut self) -> String {
        Self::hear(self)
    }
}

/// A descendant of an actor. It ends by itself when it is dropped.
#[derive(Debug)]
pub struct Relative {
    pid: u32,
    commands: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Relative {
    fn born<P: Player + ?Sized>(parent: &mut P, how: &str) -> Self {
        let folder = Scratch::new();
        let test = folder.at("test");
        let listener = UnixListener::bind(&test).unwrap();
        let pid = parent.ask(&format!("{how} {}", test.display())).parse().unwrap();
        let (commands, _) = listener.accept().unwrap();
        let answers = BufReader::new(commands.try_clone().unwrap());
        let mut this = Self { pid, commands, answers };
        assert_eq!(this.ask("hello"), "hello");
        this
    }

    /// It ends with this code; it is a zombie until its parent reaps it.
    ///
    /// # Panics
    /// When it does not end.
    pub fn exit(mut self, code: u8) {
        self.tell(&format!("exit {code}"));
        let stat = format!("/proc/{}/stat", self.pid);
        wait_for("end of a relative", || match std::fs::read_to_string(&stat) {
            Ok(stat) => stat.rsplit_once(')')?.1.starts_with(" Z").then_some(()),
            Err(_) => Some(()),
        });
    }
}

impl Player for Relative {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn tell(&mut self, command: &str) {
        self.commands.write_all(format!("{command}\n").as_bytes()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.strip_suffix('\n').expect("the relative has gone").to_owned()
    }
}
