//! 500 short containers a second: memory stays flat and under its ceilings.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

#[path = "../examples/common/storm.rs"]
mod storm;

use chandra_identity::{container, process};

#[test]
fn a_storm_of_short_containers_leaves_all_tables_flat_and_under_their_ceilings() {
    let samples = storm::simulate(500, 60, 5);
    assert_eq!(samples.len(), 12);
    // Descriptions stay for half a minute, so by then everything has its size.
    let (first, rest) = samples[7..].split_first().unwrap();
    for sample in rest {
        let flat = |now: u64, before: u64| now <= before + before / 100;
        assert!(flat(sample.processes, first.processes), "{samples:#?}");
        assert!(flat(sample.cgroups, first.cgroups), "{samples:#?}");
        assert!(flat(sample.descriptions, first.descriptions), "{samples:#?}");
    }
    let (processes, cgroups) = (process::Limits::default(), container::Limits::default());
    for sample in &samples {
        assert!(sample.processes <= processes.bytes as u64 / 8);
        assert!(sample.cgroups <= cgroups.bytes as u64 / 2);
        assert!(sample.descriptions <= 16 << 20);
        assert_eq!(sample.evicted, 0);
    }
    // 15,000 containers and as many pods in half a minute are more than may be kept.
    assert!(samples.last().unwrap().cut_short > 0);
}
