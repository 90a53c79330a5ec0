//! Flows of a real agent, asked for as a person asks: by `chandra observe`.

use std::path::PathBuf;

use crate::agent::Agent;
use crate::observe::{Running, command, printed};
use crate::patience::wait_for;
use crate::record::Record;
use crate::scratch::Scratch;

/// An agent that serves flows on a socket of its own.
#[derive(Debug)]
pub struct Observed {
    /// The agent.
    pub agent: Agent,
    folder: Scratch,
}

impl Observed {
    /// Starts one with these arguments more, and waits until it is ready.
    ///
    /// # Panics
    /// When it never is.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = Scratch::new();
        let socket = folder.at("hubble.sock").display().to_string();
        let agent = Agent::start(&[&["--hubble-socket-path", &socket], arguments].concat());
        agent.wait_until_ready();
        Self { agent, folder }
    }

    /// Where it serves.
    pub fn socket(&self) -> PathBuf {
        self.folder.at("hubble.sock")
    }

    /// The words that name it as a server.
    pub fn server(&self) -> [String; 2] {
        ["--server".to_owned(), format!("unix://{}", self.socket().display())]
    }

    /// What `chandra WORDS` prints about it.
    ///
    /// # Panics
    /// When it fails.
    pub fn printed(&self, words: &[&str]) -> String {
        printed(command(words).args(self.server()))
    }

    /// Flows as JSON, all of them that these flags ask for.
    ///
    /// # Panics
    /// When they cannot be had.
    pub fn flows(&self, flags: &[&str]) -> Vec<Record> {
        let words = [&["observe", "--all", "-o", "json"], flags].concat();
        self.printed(&words).lines().map(Record::parse).collect()
    }

    /// The same, once there are so many.
    ///
    /// # Panics
    /// When there never are.
    pub fn wait_for_flows(&self, count: usize, flags: &[&str]) -> Vec<Record> {
        wait_for("flows", || Some(self.flows(flags)).filter(|flows| flows.len() >= count))
    }

    /// `chandra observe -f`, which goes on.
    pub fn follow(&self, flags: &[&str]) -> Running {
        let words = [&["observe", "-f"], flags].concat();
        Running::start(command(&words).args(self.server()))
    }
}
