use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;

use super::*;
use crate::flow::Endpoint;

fn flow(number: u64) -> Flow {
    Flow { time_ns: number, source_ip: Some(IpAddr::from([10, 0, 0, 1])), ..Flow::default() }
}

fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().filter_map(Entry::time_ns).collect()
}

/// A ring that keeps some flows of [`flow`]; segments are counted whole, so a few more or less.
fn small() -> Ring {
    Ring::new(200_000)
}

#[test]
fn the_newest_flow_can_be_read_at_once() {
    let ring = small();
    let (mut cursor, mut entries) = (0, Vec::new());
    for number in 0..10 {
        assert_eq!(ring.push(flow(number)), number);
        assert_eq!(ring.read(&mut cursor, u64::MAX, &mut entries), 0);
        assert_eq!(numbers(&entries), [number]);
        assert_eq!(cursor, ring.next());
    }
    assert_eq!(ring.read(&mut cursor, u64::MAX, &mut entries), 0);
    assert!(entries.is_empty());
}

#[test]
fn the_oldest_go_and_the_rest_fits_the_budget() {
    let ring = small();
    for number in 0..20_000 {
        ring.push(flow(number));
        let stats = ring.stats(0);
        assert!(stats.bytes <= 200_000, "{stats:?}");
        assert_eq!(stats.flows, ring.range().end - ring.range().start);
    }
    let stats = ring.stats(0);
    assert!(stats.flows > 300 && stats.flows_at_most >= stats.flows, "{stats:?}");
    assert_eq!((stats.seen_flows, stats.oldest_time_ns), (20_000, Some(ring.range().start)));
}

#[test]
fn shared_parts_count_once_and_go_with_their_last_flow() {
    let labels: Vec<String> = (0..20).map(|number| format!("k8s:label-{number}=value")).collect();
    let endpoint = || Arc::new(Endpoint { labels: labels.clone(), ..Endpoint::default() });
    let (alone, shared) = (small(), small());
    let one = endpoint();
    for number in 0..5000 {
        alone.push(Flow { source: Some(endpoint()), ..flow(number) });
        shared.push(Flow { source: Some(one.clone()), ..flow(number) });
    }
    let (alone, shared_stats) = (alone.stats(0), shared.stats(0));
    assert!(shared_stats.flows > 3 * alone.flows, "{alone:?} {shared_stats:?}");
    assert!(alone.bytes <= 200_000 && shared_stats.bytes <= 200_000);
    for number in 0..5000 {
        shared.push(flow(number));
    }
    assert_eq!(Arc::strong_count(&one), 1);
    assert_eq!(shared.lock().parts.bytes(), 0);
}

#[test]
fn a_flow_larger_than_the_budget_is_kept_alone() {
    let ring = Ring::new(1);
    ring.push(flow(1));
    ring.push(flow(2));
    assert_eq!(ring.range(), 1..2);
}

#[test]
fn a_lapped_reader_is_told_once_and_goes_on_at_the_oldest() {
    let ring = small();
    for number in 0..20_000 {
        ring.push(flow(number));
    }
    let (mut cursor, mut entries) = (5, Vec::new());
    let lost = ring.read(&mut cursor, u64::MAX, &mut entries);
    assert_eq!(lost, ring.range().start - 5);
    assert_eq!(numbers(&entries).first(), Some(&ring.range().start));
    assert_eq!(entries.len(), BATCH);
    assert_eq!(ring.read(&mut cursor, u64::MAX, &mut entries), 0);
    // What lies before an end that is gone too is lost, and no more.
    let mut cursor = 5;
    assert_eq!(ring.read(&mut cursor, 10, &mut entries), 5);
    assert_eq!((cursor, entries.len()), (10, 0));
}

#[test]
fn reading_back_gives_batches_up_to_the_oldest() {
    let ring = small();
    for number in 0..20_000 {
        ring.push(flow(number));
    }
    let (mut end, mut entries, mut all) = (ring.next(), Vec::new(), Vec::new());
    loop {
        let first = ring.read_back(end, &mut entries);
        if first == end {
            break;
        }
        assert_eq!(numbers(&entries), (first..end).collect::<Vec<_>>());
        all.splice(0..0, numbers(&entries));
        end = first;
    }
    assert_eq!(all, ring.range().collect::<Vec<_>>());
}

#[test]
fn readers_beside_writers_see_each_entry_once_or_are_told() {
    let notices = Arc::new(AtomicUsize::new(0));
    let counted = notices.clone();
    let ring = Ring::with_notice(400_000, move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let is_over = AtomicBool::new(false);
    const EACH: u64 = 50_000;
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut cursor, mut entries) = (0, Vec::new());
                    let (mut seen, mut lost) = (0, 0);
                    loop {
                        let was_over = is_over.load(Ordering::Acquire);
                        lost += ring.read(&mut cursor, u64::MAX, &mut entries);
                        seen += entries.len() as u64;
                        if was_over && entries.is_empty() {
                            return seen + lost;
                        }
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for number in 0..EACH {
                        ring.push(flow(number));
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().expect("a writer");
        }
        is_over.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().expect("a reader"), 2 * EACH);
        }
    });
    assert_eq!(ring.next(), 2 * EACH);
    assert_eq!(notices.load(Ordering::Relaxed) as u64, 2 * EACH);
}
