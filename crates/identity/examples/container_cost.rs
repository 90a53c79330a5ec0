//! What placing a record by its cgroup costs: nanoseconds a lookup, and bytes a container.
//!
//! usage: cargo run --release -p chandra-identity --example container_cost [CONTAINERS]

use std::hint::black_box;
use std::time::Instant;

use chandra_event::cgroup::{Cgroup, Happened};
use chandra_event::time::Timestamp;
use chandra_identity::container::{Cgroups, Limits};

const LOOKUPS: u64 = 10_000_000;
/// The unified one, and the two of v1 that processes are named in.
const HIERARCHIES: u32 = 3;

fn main() {
    let wanted = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let containers: u64 = wanted.unwrap_or(1000);
    let before = resident_bytes();
    let mut table = Cgroups::new(Limits { cgroups: usize::MAX, bytes: usize::MAX });
    let started = Instant::now();
    for (number, hierarchy) in
        (0..containers).flat_map(|number| (0..HIERARCHIES).map(move |h| (number, h)))
    {
        let uid = "6f1e0c5a_3b0d_4c57_9f0e_2a4d8c7b6e11";
        let path = format!(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{number:064x}.scope"
        );
        table.apply(&Cgroup {
            time: Timestamp(0),
            process: None,
            happened: Happened::Mkdir,
            id: 1000 + number,
            hierarchy,
            parent_id: Some(1),
            level: 4,
            path: path.as_bytes(),
            path_truncated: false,
        });
    }
    let fed = started.elapsed().as_nanos() / u128::from(containers * u64::from(HIERARCHIES));
    let counts = table.counts();
    let resident = resident_bytes().saturating_sub(before);
    let (mut found, mut state) = (0_u64, 1_u64);
    let started = Instant::now();
    for _ in 0..LOOKUPS {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = 1000 + (state >> 33) % containers;
        found += u64::from(table.container(black_box(0), black_box(id)).is_some());
    }
    let lookup = started.elapsed().as_nanos() as f64 / LOOKUPS as f64;
    assert_eq!(found, LOOKUPS);
    println!("{containers} containers in {HIERARCHIES} hierarchies");
    println!("lookup: {lookup:.1} ns; a record of a new cgroup: {fed} ns");
    println!(
        "bytes a container: {} by its own count, {} resident",
        counts.bytes as u64 / containers,
        resident / containers
    );
}

/// Of this process (`VmRSS`).
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
