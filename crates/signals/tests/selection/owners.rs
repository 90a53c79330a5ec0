//! Records of processes and of their connections.

use std::collections::HashSet;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use chandra_signals::filter::Filter;
use chandra_tests::cgroup::{self, Cgroup, Nested, start_in};
use chandra_tests::launch::with_connection;
use chandra_tests::needs;
use chandra_tests::record::Record;

use crate::watched::{Asked, Watched, counters, counting, id_of, number, root, run_in};

#[test]
fn selected_and_undecided_processes_pass_and_deselected_ones_are_filtered() {
    needs!("root");
    let mut exec = Watched::new(&Asked::default());
    let [selected, deselected, undecided] = [Cgroup::new(), Cgroup::new(), Cgroup::new()];
    exec.selection.decide(0, selected.id(), number(7)).unwrap();
    exec.selection.decide(0, deselected.id(), None).unwrap();
    let before = counters(&exec.loaded).filtered;
    let pids = [&selected, &deselected, &undecided].map(|cgroup| run_in(cgroup.folder()));
    assert_eq!(exec.told_of(&pids), HashSet::from([pids[0], pids[2]]));
    assert!(counters(&exec.loaded).filtered > before);
    // What is decided anew holds at once, and what is forgotten is undecided.
    exec.selection.decide(0, selected.id(), None).unwrap();
    exec.selection.decide(0, undecided.id(), number(8)).unwrap();
    exec.selection.forget(0, deselected.id()).unwrap();
    let pids = [&selected, &deselected, &undecided].map(|cgroup| run_in(cgroup.folder()));
    assert_eq!(exec.told_of(&pids), HashSet::from([pids[1], pids[2]]));
}

#[test]
fn the_nearest_cgroup_with_a_decision_decides() {
    needs!("root");
    let mut exec = Watched::new(&Asked::default());
    let names = ["container", "shown", "its", "hidden", "hers"];
    let nested: Vec<Nested> =
        (0..=names.len()).map(|depth| Nested::new(&cgroup::mount(), &names[..depth])).collect();
    // Each of the chains is decided of in the same way, as far as it goes.
    for chain in &nested {
        let ancestors: Vec<_> = chain.innermost().folder().ancestors().collect();
        for folder in ancestors {
            let name = folder.file_name().and_then(|name| name.to_str());
            let decision = match name {
                Some("container" | "hidden") => None,
                Some("shown") => number(3),
                _ => continue,
            };
            exec.selection.decide(0, id_of(folder), decision).unwrap();
        }
    }
    let pids: Vec<u32> = nested.iter().map(|chain| run_in(chain.innermost().folder())).collect();
    // Undecided, deselected, selected, below that, deselected, below that.
    assert_eq!(exec.told_of(&pids), HashSet::from([pids[0], pids[2], pids[3]]));
}

#[test]
fn a_decision_is_of_one_hierarchy() {
    needs!("root");
    let Some((hierarchy, mount)) = cgroup::v1("pids") else {
        eprintln!("skipped: {}: needs a v1 hierarchy of the pids controller", file!());
        return;
    };
    let mut exec = Watched::new(&Asked { has_v1_cgroups: true, ..Asked::default() });
    let made = Nested::new(&mount, &["container", "below"]);
    let [right, wrong] = [(); 2].map(|()| Nested::new(&mount, &["container", "below"]));
    let around = |chain: &Nested| id_of(chain.innermost().folder().parent().unwrap());
    exec.selection.decide(hierarchy, around(&right), None).unwrap();
    exec.selection.decide(hierarchy + 1000, around(&wrong), None).unwrap();
    let pids = [&made, &right, &wrong].map(|chain| run_in(chain.innermost().folder()));
    assert_eq!(exec.told_of(&pids), HashSet::from([pids[0], pids[2]]));
}

#[test]
fn other_filters_hold_too() {
    needs!("root");
    let filter =
        Filter { comms: vec!["no-such".to_owned()], selects_cgroups: true, ..Filter::default() };
    let exec = Watched::new(&Asked { filter, ..Asked::default() });
    let selected = Cgroup::new();
    exec.selection.decide(0, selected.id(), number(1)).unwrap();
    let before = counters(&exec.loaded);
    run_in(selected.folder());
    let after = counters(&exec.loaded);
    assert!(after.filtered > before.filtered);
    assert_eq!(after.submitted, 0);
}

/// Cgroups that are made, removed and renamed are what the selection is made from.
#[test]
fn cgroups_are_told_of_whoever_makes_them() {
    needs!("root");
    let mut cgroups = Watched::new(&Asked {
        signal: "cgroup",
        hooks: &["mkdir", "rmdir", "rename", "release"],
        kinds: &["cgroup_mkdir", "cgroup_rmdir", "cgroup_rename", "cgroup_release"],
        ..Asked::default()
    });
    cgroups.selection.decide(0, root(), None).unwrap();
    let made = Cgroup::new();
    let id = made.id();
    drop(made);
    let is_it = |record: &Record| record.number("cgroup.id") == Some(id);
    let records = cgroups.until(is_it, |record| is_it(record) && record.kind() == "cgroup_release");
    let kinds: Vec<&str> = records.iter().map(Record::kind).collect();
    assert_eq!(kinds, ["cgroup_mkdir", "cgroup_rmdir", "cgroup_release"]);
}

/// A process in this cgroup with a connection to us, until its stdin ends.
pub fn connected_in(cgroup: &Cgroup, listener: &TcpListener) -> (Child, TcpStream) {
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("not IPv4") };
    let mut command = Command::new("/bin/cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    start_in(&mut command, &[cgroup.folder()]);
    with_connection(&mut command, address);
    let child = command.spawn().unwrap();
    (child, listener.accept().unwrap().0)
}

/// Lets it close first.
pub fn close((mut child, mut connection): (Child, TcpStream)) {
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(connection.read(&mut [0]).unwrap(), 0);
}

/// A connection may be older than the decision of its owner: the one that holds is the latest.
#[test]
fn connections_follow_what_is_decided_of_their_owners() {
    needs!("root");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let filter = Filter { ports: vec![port], selects_cgroups: true, ..Filter::default() };
    let mut tcp = Watched::new(&Asked {
        signal: "tcp",
        hooks: &["state", "accept"],
        kinds: &["tcp_established", "tcp_close"],
        filter,
        ..Asked::default()
    });
    let nested = || Nested::new(&cgroup::mount(), &["below"]);
    let cases = [None, Some((None, number(4))), Some((number(4), None)), Some((None, None))];
    let mut expected = Vec::new();
    let mut pids = Vec::new();
    for decisions in cases {
        let made = nested();
        let around = id_of(made.innermost().folder().parent().unwrap());
        if let Some((first, _)) = decisions {
            tcp.selection.decide(0, around, first).unwrap();
        }
        let connected = connected_in(made.innermost(), &listener);
        let pid = connected.0.id();
        if let Some((_, second)) = decisions {
            tcp.selection.decide(0, around, second).unwrap();
        }
        close(connected);
        let passes = decisions
            .map_or([true; 2], |(first, second)| [first, second].map(|number| number.is_some()));
        for (kind, passes) in ["tcp_established", "tcp_close"].iter().zip(passes) {
            expected.extend(passes.then_some((pid, *kind)));
        }
        pids.push(pid);
    }
    // One whose owner was undecided when it connected.
    let late = Cgroup::new();
    let connected = connected_in(&late, &listener);
    let pid = connected.0.id();
    tcp.selection.decide(0, late.id(), None).unwrap();
    close(connected);
    expected.push((pid, "tcp_established"));
    pids.push(pid);

    let last_cgroup = Cgroup::new();
    let connected = connected_in(&last_cgroup, &listener);
    let last = connected.0.id();
    close(connected);
    let is_of = |record: &Record, pid: u32| record.number("process.pid") == Some(pid.into());
    let records = tcp.until(
        |record| pids.iter().any(|pid| is_of(record, *pid)),
        |record| is_of(record, last) && record.kind() == "tcp_close",
    );
    let mut found: Vec<_> = records
        .iter()
        .map(|record| {
            (u32::try_from(record.number("process.pid").unwrap()).unwrap(), record.kind())
        })
        .collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// What nobody did is of no cgroup that could be selected: the socket that a listening one makes is
/// nobody's until it is accepted, and that is not watched here.
#[test]
fn what_is_nobodys_is_filtered() {
    needs!("root");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let filter =
        |selects_cgroups| Filter { ports: vec![port], selects_cgroups, ..Filter::default() };
    let asked = Asked {
        signal: "tcp",
        hooks: &["state"],
        kinds: &["tcp_state"],
        filter: filter(true),
        ..Asked::default()
    };
    let mut tcp = Watched::new(&asked);
    let plain = counting(&Asked { filter: filter(false), ..asked });
    let cgroup = Cgroup::new();
    let connected = connected_in(&cgroup, &listener);
    let pid = u64::from(connected.0.id());
    close(connected);
    let records = tcp.until(|_| true, |record| record.number("process.pid") == Some(pid));
    let owned = records.iter().filter(|record| record.number("process.pid").is_some());
    assert_eq!(owned.count(), records.len(), "{records:?}");
    assert!(counters(&tcp.loaded).submitted < counters(&plain).submitted);
}
