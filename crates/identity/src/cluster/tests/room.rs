//! Ceilings, under churn and under hostile input.

use super::*;

fn of_workload(number: u32, workload: u32) -> Pod {
    let [_, b, c, d] = number.to_be_bytes();
    let made = pod(&format!("web-{workload}-{number}"), &[&format!("10.{b}.{c}.{d}")], 1);
    let owner =
        Owner { kind: Text::new("StatefulSet"), name: Text::new(&format!("web-{workload}")) };
    let workload = workload.to_string();
    Pod { owner: Some(owner), labels: pairs(&[("app", &workload)]), ..made }
}

#[test]
fn a_million_changes_keep_the_bytes_and_what_is_shared() {
    let limits = Limits { bytes: 4 << 20, ..Limits::default() };
    let mut cluster = Cluster::new("", limits);
    let mut settled = 0;
    for number in 0..500_000_u32 {
        // 500 pods live at a time, and 300 linger.
        let now = SECOND + u64::from(number) * SECOND / 10;
        tell(&mut cluster, &of_workload(number, number / 20), now);
        if let Some(old) = number.checked_sub(500) {
            gone(&mut cluster, &of_workload(old, old / 20), now);
        }
        if number == 10_000 {
            settled = cluster.bytes();
        }
        if number % 50_000 == 0 {
            assert!(cluster.bytes() <= limits.bytes);
            let stats = cluster.stats();
            assert!(stats.pods <= 801 && stats.groups <= 42 && stats.label_sets <= 42, "{stats:?}");
        }
    }
    let stats = cluster.stats();
    assert_eq!((stats.evicted, stats.refused), (0, 0));
    assert!(cluster.bytes() < settled + settled / 10, "{} {settled}", cluster.bytes());
    for number in 499_500..500_000 {
        gone(&mut cluster, &of_workload(number, number / 20), 1 << 60);
    }
    while cluster.advance(u64::MAX) {}
    assert!(cluster.is_clean());
}

#[test]
fn a_full_table_gives_up_what_lingers_then_refuses_what_is_new() {
    let limits = Limits { entries: 100, ..Limits::default() };
    let mut cluster = Cluster::new("", limits);
    for number in 0..100 {
        tell(&mut cluster, &of_workload(number, 0), SECOND);
    }
    for number in 0..10 {
        gone(&mut cluster, &of_workload(number, 0), 2 * SECOND);
    }
    for number in 100..120 {
        tell(&mut cluster, &of_workload(number, 0), 3 * SECOND);
    }
    let stats = cluster.stats();
    assert_eq!((stats.pods, stats.evicted, stats.refused), (100, 10, 10));
    assert!(cluster.pod_named("shop", "web-0-109").is_some());
    assert!(cluster.pod_named("shop", "web-0-110").is_none());
    // What is known may change.
    let mut known = of_workload(50, 0);
    known.labels = pairs(&[("app", "new")]);
    tell(&mut cluster, &known, 4 * SECOND);
    let found = cluster.pod_named("shop", "web-0-50").unwrap();
    assert_eq!(found.labels().unwrap().get("app"), Some("new"));
}

#[test]
fn the_bytes_never_pass_the_ceiling_whatever_comes() {
    let limits = Limits { bytes: 2 << 20, ..Limits::default() };
    let mut cluster = Cluster::new("", limits);
    let huge = "v".repeat(1 << 16);
    for number in 0..3000_u32 {
        let key = format!("key-{number}");
        let labels = [(key.as_str(), huge.as_str()), ("a\0b\x1b[2J", &huge), (&huge, "x")];
        let mut hostile = of_workload(number, number);
        hostile.labels = pairs(&labels);
        hostile.name = name(&huge, &format!("{huge}{number}"));
        hostile.ips = (0..1000).map(|low| ip(&format!("fd00::{number}:{low}"))).collect();
        tell(&mut cluster, &hostile, u64::from(number));
        let ports = (0..1000).map(|number| port(&huge, number, number)).collect();
        let mut dialled = service(&format!("s-{number}"), "10.96.0.1", ports);
        dialled.external_ips = hostile.ips.clone();
        cluster.apply(Change::Service(dialled), u64::from(number));
        let endpoint = Endpoint { ips: hostile.ips.clone(), ready: true, pod: None, node: None };
        let mut backends = slice(name("shop", &key), "web", &[], vec![port(&huge, 1, 0)]);
        backends.endpoints = vec![endpoint; 3];
        cluster.apply(Change::EndpointSlice(backends), u64::from(number));
        let mut wide = node(&key, "192.168.0.1", None);
        let range = |ip: &IpAddr| Cidr { address: *ip, prefix_bits: 128 };
        wide.pod_cidrs = hostile.ips.iter().map(range).collect();
        cluster.apply(Change::Node(wide), u64::from(number));
        if number % 3 == 0 {
            gone(&mut cluster, &hostile, u64::from(number));
        }
        assert!(cluster.bytes() <= limits.bytes, "{number}: {}", cluster.bytes());
    }
    let stats = cluster.stats();
    assert!(stats.refused > 1000 && stats.omitted > 1000, "{stats:?}");
}

#[test]
fn a_pod_that_comes_and_goes_all_the_time_leaves_nothing_behind() {
    let mut cluster = cluster();
    let web = pod("web", &["10.0.0.1"], 1);
    tell(&mut cluster, &web, 0);
    let before = cluster.bytes();
    for round in 0..100_000 {
        gone(&mut cluster, &web, round);
        tell(&mut cluster, &web, round);
    }
    assert!(cluster.bytes() < before + 8192, "{} {before}", cluster.bytes());
    cluster.advance(u64::MAX);
    assert!(!cluster.pod(ip("10.0.0.1")).unwrap().is_gone());
}
