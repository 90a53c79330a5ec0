//! Users and groups of containers, by the databases in their own roots.
//!
//! A database is read when something is executed in a container for the first time, and again after a while, when
//! somebody may have been added. What is opened is another's, and may hang or lie: a thread of its own does it, below
//! the container's root, within bounds; the thread that tells waits for a bounded time
//! ([`Patience`](chandra_executables::Patience)), and only the first time. Until then 0 is root, and others have no
//! name.
//!
//! Invariant: numbers are those of the initial user namespace, as records have them.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use chandra_event::process::{Exec, Namespaces};
use chandra_event::record::{Event, Record};
use chandra_event::who::Who;
use chandra_executables::{Patience, Root, Waited};
use chandra_rules::adapter::{IdMap, MAX_ENTRIES, Names};

/// A database that is larger is read so far.
const MAX_BYTES: u64 = 1 << 20;
/// Users and groups of all databases. They are forgotten all at once.
const MAX_KEPT: usize = 65_536;
/// Databases that are asked for and not read yet at most.
const QUEUE: usize = 64;
/// After this time a database is read again.
const REFRESH: Duration = Duration::from_secs(60);

/// Whose database it is: namespaces by their inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Mount namespace.
    pub mnt: u32,
    /// User namespace.
    pub user: u32,
}

impl Place {
    /// That of a process.
    pub fn of(namespaces: &Namespaces) -> Self {
        Self { mnt: namespaces.mnt, user: namespaces.user }
    }
}

/// Users and groups of containers.
#[derive(Debug, Default)]
pub struct Accounts {
    reading: Option<Reading>,
    known: HashMap<Place, Names>,
    kept: usize,
}

/// The thread that reads, and what is asked of it.
#[derive(Debug)]
struct Reading {
    questions: SyncSender<Question>,
    answers: Receiver<(Place, Option<Names>)>,
    asked: HashMap<Place, Instant>,
    patience: Patience,
}

#[derive(Debug)]
struct Question {
    place: Place,
    /// The process, and its parent, which mostly outlives it.
    pids: [u32; 2],
    is_initial_user: bool,
}

impl Accounts {
    /// Reads databases; where there can be no thread for it, none.
    pub fn start() -> Self {
        let reading = Reading::start().inspect_err(|error| {
            eprintln!("warning: users of containers have no names: {error}");
        });
        Self { reading: reading.ok(), ..Self::default() }
    }

    /// Looks at what a record executes in a container, before rules are asked about it.
    pub fn look(&mut self, record: &dyn Record, who: &Who<'_>, node: Option<&Namespaces>) {
        let (Event::Exec(exec), Some(reading)) = (record.event(), &mut self.reading) else {
            return;
        };
        let is_in_container = who.container.is_some() || who.is_pending;
        let is_of_node = node.is_some_and(|node| node.mnt == exec.namespaces.mnt);
        if !is_in_container || is_of_node || exec.namespaces.mnt == 0 || exec.running {
            return;
        }
        let place = Place::of(&exec.namespaces);
        let is_known = self.known.contains_key(&place);
        let found = reading.find(exec, place, is_known, node);
        for (place, names) in found {
            self.learn(place, names);
        }
    }

    /// Keeps a database that was read.
    pub fn learn(&mut self, place: Place, names: Names) {
        let count = |names: &Names| names.users.len() + names.groups.len();
        if self.kept + count(&names) > MAX_KEPT {
            self.known.clear();
            self.kept = 0;
        }
        self.kept += count(&names);
        let before = self.known.insert(place, names);
        self.kept -= before.as_ref().map_or(0, count);
    }

    /// The database of who is in these namespaces.
    pub fn of(&self, namespaces: &Namespaces) -> Option<&Names> {
        self.known.get(&Place::of(namespaces))
    }
}

impl Reading {
    fn start() -> io::Result<Self> {
        let (questions, taken) = sync_channel::<Question>(QUEUE);
        let (sender, answers) = channel();
        std::thread::Builder::new().name("accounts".to_owned()).spawn(move || {
            for question in taken {
                if sender.send((question.place, read(&question))).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { questions, answers, asked: HashMap::new(), patience: Patience::default() })
    }

    /// Asks for the database of an execution if it is time to, and waits a little if none is known. What was read
    /// by now.
    fn find(
        &mut self,
        exec: &Exec<'_>,
        place: Place,
        is_known: bool,
        node: Option<&Namespaces>,
    ) -> Vec<(Place, Names)> {
        let mut found = Vec::new();
        let keep = |(place, names): (Place, Option<Names>), found: &mut Vec<_>| {
            found.extend(names.map(|names| (place, names)));
        };
        while let Ok(answer) = self.answers.try_recv() {
            keep(answer, &mut found);
        }
        let is_asked = self.asked.get(&place).is_some_and(|at| at.elapsed() < REFRESH);
        if (is_known || found.iter().any(|(other, _)| *other == place)) && is_asked {
            return found;
        }
        let question = Question {
            place,
            pids: [exec.process.pid, exec.process.ppid],
            is_initial_user: node.is_some_and(|node| node.user == exec.namespaces.user),
        };
        if self.questions.try_send(question).is_err() {
            return found;
        }
        if self.asked.len() >= MAX_ENTRIES {
            self.asked.clear();
        }
        self.asked.insert(place, Instant::now());
        if is_known {
            return found;
        }
        let Self { answers, patience, .. } = self;
        patience.wait(|left| match answers.recv_timeout(left) {
            Ok(answer) => {
                let is_it = answer.0 == place;
                keep(answer, &mut found);
                if is_it { Waited::Enough } else { Waited::More }
            }
            Err(_) => Waited::Enough,
        });
        found
    }
}

/// The database of a container; nothing where nobody of it is there any more.
fn read(question: &Question) -> Option<Names> {
    let Question { place, pids, is_initial_user } = question;
    let (pid, root) = Root::in_namespace(place.mnt, *pids)?;
    let map = |kind: &str| match is_initial_user {
        true => Some(IdMap::identity()),
        false => {
            let text = std::fs::read_to_string(format!("/proc/{pid}/{kind}_map"));
            text.ok().map(|text| IdMap::read(&text))
        }
    };
    let text = |path: &[u8]| -> String {
        let mut bytes = Vec::new();
        // What cannot be read has no names.
        let _ = root.open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (users, groups) = (map("uid")?, map("gid")?);
    Some(Names::read(&text(b"/etc/passwd"), &text(b"/etc/group"), &users, &groups))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn databases_stay_within_their_bound() {
        let line = |number: usize| format!("u{number}:x:{number}:0::/:\n");
        let text: String = (0..MAX_ENTRIES).map(line).collect();
        let same = IdMap::identity();
        let names = Names::read(&text, "", &same, &same);
        let mut accounts = Accounts::default();
        for mnt in 1..40 {
            accounts.learn(Place { mnt, user: 1 }, names.clone());
            assert!(accounts.kept <= MAX_KEPT && accounts.known.len() <= 16);
        }
        let last = Namespaces { mnt: 39, user: 1, ..Namespaces::default() };
        assert_eq!(accounts.of(&last).unwrap().users[&7].name, "u7");
        assert!(accounts.of(&Namespaces { mnt: 1, user: 1, ..last }).is_none());
    }

    #[test]
    fn the_database_of_a_process_is_read_below_its_root() {
        let namespace = |kind: &str| {
            use std::os::unix::fs::MetadataExt;
            u32::try_from(std::fs::metadata(format!("/proc/self/ns/{kind}")).unwrap().ino())
                .unwrap()
        };
        let place = Place { mnt: namespace("mnt"), user: namespace("user") };
        let question = Question { place, pids: [0, std::process::id()], is_initial_user: true };
        let names = read(&question).unwrap();
        assert!(names.users[&0].home.starts_with('/'), "{names:?}");
        let elsewhere = Place { mnt: 1, ..place };
        assert_eq!(read(&Question { place: elsewhere, ..question }), None);
    }
}
