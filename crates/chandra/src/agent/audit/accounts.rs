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
use chandra_rules::adapter::{Account, Names};

/// A database that is larger is read so far.
const MAX_BYTES: u64 = 1 << 20;
/// Users, and groups, that are kept of a database.
const MAX_ENTRIES: usize = 4096;
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
        true => Some(Map::identity()),
        false => {
            std::fs::read_to_string(format!("/proc/{pid}/{kind}_map")).ok().map(|it| Map::of(&it))
        }
    };
    let text = |path: &[u8]| -> Option<String> {
        let mut bytes = Vec::new();
        root.open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (users, groups) = (map("uid")?, map("gid")?);
    Some(Names {
        users: text(b"/etc/passwd").map(|it| users_of(&it, &users)).unwrap_or_default(),
        groups: text(b"/etc/group").map(|it| groups_of(&it, &groups)).unwrap_or_default(),
    })
}

/// How numbers in a user namespace are numbers outside of it (user_namespaces(7)): first one inside, first one
/// outside, how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map(Vec<(u32, u32, u32)>);

impl Map {
    /// They are the same.
    pub fn identity() -> Self {
        Self(vec![(0, 0, u32::MAX)])
    }

    /// As `/proc/PID/uid_map` has it.
    fn of(text: &str) -> Self {
        let line = |line: &str| {
            let mut numbers = line.split_ascii_whitespace().map(|number| number.parse().ok());
            Some((numbers.next()??, numbers.next()??, numbers.next()??))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn outside(&self, inside: u32) -> Option<u32> {
        self.0.iter().find_map(|(first, outside, count)| {
            let offset = inside.checked_sub(*first).filter(|offset| offset < count)?;
            outside.checked_add(offset)
        })
    }
}

/// Users of passwd(5): `name:password:uid:gid:text:home:shell`. Of several with one number the first is the one that
/// programs show.
pub(super) fn users_of(text: &str, map: &Map) -> HashMap<u32, Account> {
    let mut users = HashMap::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(':').collect();
        let [name, _, number, _, _, home, shell] = parts.as_slice() else { continue };
        let number = number.parse().ok().and_then(|number| map.outside(number));
        let Some(number) = number.filter(|_| users.len() < MAX_ENTRIES && !name.is_empty()) else {
            continue;
        };
        let [name, home, shell] = [name, home, shell].map(|&text| text.to_owned());
        users.entry(number).or_insert(Account { name, home, shell });
    }
    users
}

/// Groups of group(5): `name:password:gid:members`.
pub(super) fn groups_of(text: &str, map: &Map) -> HashMap<u32, String> {
    let mut groups = HashMap::new();
    for line in text.lines() {
        let mut parts = line.split(':');
        let (Some(name), Some(number)) = (parts.next(), parts.nth(1)) else { continue };
        let number = number.parse().ok().and_then(|number| map.outside(number));
        let Some(number) = number.filter(|_| groups.len() < MAX_ENTRIES && !name.is_empty()) else {
            continue;
        };
        groups.entry(number).or_insert_with(|| name.to_owned());
    }
    groups
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn of_two_users_with_one_number_the_first_is_shown() {
        let text = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\n#comment\nbad:x:one:0:::\nnobody:x:65534:65534::/nonexistent:\n";
        let users = users_of(text, &Map::identity());
        assert_eq!(users.len(), 2);
        assert_eq!(
            (&*users[&0].name, &*users[&0].home, &*users[&0].shell),
            ("root", "/root", "/bin/bash")
        );
        assert_eq!(users[&65534].shell, "");
        let groups = groups_of("wheel:x:0:\nusers:x:100:a,b\nbroken\n", &Map::identity());
        assert_eq!((&*groups[&0], &*groups[&100], groups.len()), ("wheel", "users", 2));
    }

    #[test]
    fn numbers_are_those_outside_of_a_user_namespace() {
        let map = Map::of("         0     100000      65536\n     70000       5000          1\n");
        assert_eq!((map.outside(0), map.outside(1000)), (Some(100_000), Some(101_000)));
        assert_eq!(
            (map.outside(65_536), map.outside(70_000), map.outside(70_001)),
            (None, Some(5000), None)
        );
        let users = users_of("app:x:1000:0::/srv:/bin/sh\nfar:x:99999:0::/:\n", &map);
        assert_eq!(users.keys().copied().collect::<Vec<_>>(), [101_000]);
    }

    #[test]
    fn databases_stay_within_their_bound() {
        let line = |number: usize| format!("u{number}:x:{number}:0::/:\n");
        let text: String = (0..MAX_ENTRIES + 10).map(line).collect();
        let users = users_of(&text, &Map::identity());
        assert_eq!(users.len(), MAX_ENTRIES);
        let mut accounts = Accounts::default();
        for mnt in 1..40 {
            let names = Names { users: users.clone(), ..Names::default() };
            accounts.learn(Place { mnt, user: 1 }, names);
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
