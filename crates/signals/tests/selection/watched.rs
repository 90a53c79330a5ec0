//! A signal that selects cgroups, loaded and listened to, and processes in cgroups.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::num::NonZeroU32;
use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use chandra_event::json;
use chandra_loader::abi::{Counters, GroupKey};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::ring::{self, Reader};
use chandra_loader::selection::Selection;
use chandra_loader::spec::SignalSpec;
use chandra_loader::{MapHandle, batch, ledger};
use chandra_signals::filter::Filter;
use chandra_signals::{Context, registry};
use chandra_tests::cgroup::{self, Cgroup, start_in};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;

/// What is asked of a signal.
pub struct Asked<'a> {
    pub signal: &'a str,
    pub hooks: &'a [&'a str],
    pub kinds: &'a [&'a str],
    pub group_by: u32,
    pub filter: Filter,
    pub has_v1_cgroups: bool,
    pub entries: &'a [(&'a str, u32)],
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self {
            signal: "process",
            hooks: &["exec"],
            kinds: &["exec"],
            group_by: 0,
            filter: Filter { selects_cgroups: true, ..Filter::default() },
            has_v1_cgroups: false,
            entries: &[],
        }
    }
}

/// Loads it; nobody listens yet.
pub fn loaded(asked: &Asked<'_>) -> Loaded {
    loaded_as(asked, &registry::signal(asked.signal).unwrap().spec)
}

/// The same with other ladders.
pub fn loaded_as(asked: &Asked<'_>, spec: &SignalSpec) -> Loaded {
    let signal = registry::signal(asked.signal).unwrap();
    let kinds = signal.kinds.iter().filter(|(name, _)| asked.kinds.contains(name));
    let kinds = kinds.map(|(_, number)| 1 << number).sum();
    let mut config = asked.filter.config(kinds, asked.group_by).unwrap();
    config.has_v1_cgroups = u8::from(asked.has_v1_cgroups);
    let options = Options { ring_bytes: Some(1 << 20), ..Options::default() };
    let request = Request {
        spec,
        hooks: asked.hooks,
        config,
        map_entries: asked.entries,
        tracepoints: Ok(&[]),
        options: &options,
    };
    load(&request).unwrap()
}

/// As [`loaded`], and it counts from now on.
pub fn counting(asked: &Asked<'_>) -> Loaded {
    let loaded = loaded(asked);
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

/// The books, which balance as soon as no other processor is in the midst of counting.
pub fn counters(loaded: &Loaded) -> Counters {
    let counters = wait_for("books that balance", || {
        Some(ledger::read(loaded.object())).filter(|counters| counters.imbalance() == 0)
    });
    assert_eq!(counters.lost, 0, "{counters:?}");
    counters
}

/// The keys of a map that counts.
pub fn keys(loaded: &Loaded, map: &str) -> Vec<GroupKey> {
    let entries = batch::lookup(&loaded.map(map).unwrap()).unwrap();
    entries.iter().map(|(key, _)| GroupKey::read(key).unwrap()).collect()
}

/// A signal whose records are read.
pub struct Watched {
    pub loaded: Loaded,
    pub selection: Selection,
    records: Rc<RefCell<Vec<Record>>>,
    reader: Reader<'static>,
}

impl Watched {
    pub fn new(asked: &Asked<'_>) -> Self {
        let signal = registry::signal(asked.signal).unwrap();
        let loaded = loaded(asked);
        let context = Context::new(None);
        let records = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&records);
        let on_record = move |bytes: &[u8]| {
            let mut push = |record: &dyn chandra_event::record::Record| {
                let mut line = Vec::new();
                json::write_line(record, None, &mut line);
                sink.borrow_mut().push(Record::parse(str::from_utf8(&line).unwrap()));
            };
            (signal.decode)(bytes, &context, &mut push).expect("a record that can be decoded");
        };
        let state = MapHandle::try_from(&loaded.map("reader").unwrap()).unwrap();
        let events = loaded.map("events").unwrap();
        let reader = Reader::new(&events, loaded.ring_bytes, on_record).unwrap();
        let reader = reader.announce(state).unwrap();
        let selection = loaded.selection().unwrap();
        Self { loaded, selection, records, reader }
    }

    /// All records so far that are wanted, once one is the last.
    pub fn until(
        &mut self,
        wanted: impl Fn(&Record) -> bool,
        last: impl Fn(&Record) -> bool,
    ) -> Vec<Record> {
        wait_for("the last record", || {
            self.reader.wait(Duration::from_millis(1)).unwrap();
            self.records.borrow().iter().any(&last).then_some(())
        });
        counters(&self.loaded);
        self.records.borrow().iter().filter(|record| wanted(record)).cloned().collect()
    }

    /// Which of these processes were told of, once a process that nothing is decided of was.
    pub fn told_of(&mut self, pids: &[u32]) -> HashSet<u32> {
        let (around, last) = in_new();
        let is_of = |record: &Record, pid: u32| record.number("process.pid") == Some(pid.into());
        let is_wanted = |record: &Record| pids.iter().any(|pid| is_of(record, *pid));
        let records = self.until(is_wanted, |record| is_of(record, last));
        drop(around);
        let pid = |record: &Record| u32::try_from(record.number("process.pid").unwrap()).unwrap();
        records.iter().map(pid).collect()
    }
}

/// A container's number.
pub fn number(number: u32) -> Option<NonZeroU32> {
    Some(NonZeroU32::new(number).unwrap())
}

/// A process that executed in this cgroup and has ended.
pub fn run_in(folder: &Path) -> u32 {
    let mut command = Command::new("/bin/cat");
    command.arg("/proc/version").stdin(Stdio::null()).stdout(Stdio::null());
    start_in(&mut command, &[folder]);
    let mut child = command.spawn().unwrap();
    assert!(child.wait().unwrap().success());
    child.id()
}

/// As [`run_in`], in a new cgroup.
pub fn in_new() -> (Cgroup, u32) {
    let cgroup = Cgroup::new();
    let pid = run_in(cgroup.folder());
    (cgroup, pid)
}

/// A cgroup's id.
pub fn id_of(folder: &Path) -> u64 {
    fs::metadata(folder).unwrap().st_ino()
}

/// The id of the root of the unified hierarchy: what is decided of that holds for all others.
pub fn root() -> u64 {
    id_of(&cgroup::mount())
}
