//! Counts and histograms: nobody can take out of them later what was undecided, so that is not in.

use std::collections::HashSet;
use std::net::TcpListener;

use chandra_loader::abi::{GroupKey, group_field};
use chandra_signals::filter::Filter;
use chandra_tests::cgroup::Cgroup;
use chandra_tests::needs;

use crate::owners::{close, connected_in};
use crate::watched::{Asked, counters, counting, keys, number, run_in};

fn ids(keys: &[GroupKey]) -> HashSet<u64> {
    keys.iter().map(|key| key.cgroup_id).collect()
}

#[test]
fn only_selected_processes_are_counted() {
    needs!("root");
    let loaded = counting(&Asked { group_by: group_field::GROUP_CGROUP, ..Asked::default() });
    let selection = loaded.selection().unwrap();
    let [selected, deselected, undecided] = [Cgroup::new(), Cgroup::new(), Cgroup::new()];
    let below = selected.below("below");
    selection.decide(0, selected.id(), number(1)).unwrap();
    selection.decide(0, deselected.id(), None).unwrap();
    for cgroup in [&selected, &deselected, &undecided, &below] {
        run_in(cgroup.folder());
    }
    assert_eq!(ids(&keys(&loaded, "groups")), HashSet::from([selected.id(), below.id()]));
    let counters = counters(&loaded);
    assert_eq!(counters.aggregated, 2);
    assert!(counters.filtered >= 2);
    drop(below);
}

#[test]
fn only_selected_processes_are_in_histograms() {
    needs!("root");
    let loaded = counting(&Asked {
        signal: "file_io",
        hooks: &["read", "write"],
        kinds: &[],
        group_by: group_field::GROUP_CGROUP,
        ..Asked::default()
    });
    let selection = loaded.selection().unwrap();
    let [selected, deselected, undecided] = [Cgroup::new(), Cgroup::new(), Cgroup::new()];
    selection.decide(0, selected.id(), number(1)).unwrap();
    selection.decide(0, deselected.id(), None).unwrap();
    for cgroup in [&selected, &deselected, &undecided] {
        run_in(cgroup.folder());
    }
    assert_eq!(ids(&keys(&loaded, "histograms")), HashSet::from([selected.id()]));
    assert!(counters(&loaded).filtered >= 2);
}

/// Also where nothing is grouped by, which leaves one histogram of all.
#[test]
fn a_histogram_of_everything_is_of_the_selected() {
    needs!("root");
    let asked =
        Asked { signal: "file_io", hooks: &["read", "write"], kinds: &[], ..Asked::default() };
    let loaded = counting(&asked);
    let (undecided, selected) = (Cgroup::new(), Cgroup::new());
    run_in(undecided.folder());
    assert_eq!(counters(&loaded).aggregated, 0);
    loaded.selection().unwrap().decide(0, selected.id(), number(1)).unwrap();
    run_in(selected.folder());
    assert!(counters(&loaded).aggregated > 0);
    assert!(counters(&loaded).filtered > 0);
}

/// A connection of an undecided owner is counted from when that is decided.
#[test]
fn connections_are_counted_once_their_owner_is_selected() {
    needs!("root");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let loaded = counting(&Asked {
        signal: "tcp",
        hooks: &["state"],
        kinds: &["tcp_connect", "tcp_close"],
        group_by: group_field::GROUP_CGROUP | group_field::GROUP_KIND,
        filter: Filter { ports: vec![port], selects_cgroups: true, ..Filter::default() },
        ..Asked::default()
    });
    let selection = loaded.selection().unwrap();
    let cgroup = Cgroup::new();
    let connected = connected_in(&cgroup, &listener);
    assert_eq!(keys(&loaded, "groups"), []);
    selection.decide(0, cgroup.id(), number(9)).unwrap();
    close(connected);
    let close = chandra_signals::registry::signal("tcp").unwrap();
    let close = close.kinds.iter().find(|(name, _)| *name == "tcp_close").unwrap().1;
    let found: Vec<_> =
        keys(&loaded, "groups").iter().map(|key| (key.cgroup_id, key.kind)).collect();
    assert_eq!(found, [(cgroup.id(), close)]);
    counters(&loaded);
}
