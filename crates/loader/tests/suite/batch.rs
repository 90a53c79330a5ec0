//! Whole maps in few system calls, on real maps of every kind.

use std::collections::HashMap;
use std::io::ErrorKind;

use chandra_loader::batch::{self, Entries};
use libbpf_rs::{MapCore, MapFlags};

use crate::common::{is_root, load_plainly, map};

const ENTRIES: u64 = 65_536;

/// Keys 0.., each with a value that only it has.
fn numbers(count: u64) -> (Vec<u8>, Vec<u8>) {
    let keys = (0..count).flat_map(u64::to_ne_bytes).collect();
    let values = (0..count).flat_map(|key| value_of(key).to_ne_bytes()).collect();
    (keys, values)
}

fn value_of(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))
}

/// Every key below `count` once, each with its value.
fn assert_all_numbers(entries: &Entries, count: u64) {
    assert_eq!(entries.len() as u64, count);
    let found: HashMap<_, _> =
        entries.iter().map(|(key, value)| (number(key), number(value))).collect();
    assert_eq!(found.len() as u64, count, "each key once");
    for key in 0..count {
        assert_eq!(found.get(&key), Some(&value_of(key)));
    }
}

#[test]
fn all_entries_of_a_full_hash_come_back_once() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let hash = map(&object, "hash");
    let (keys, values) = numbers(ENTRIES);
    assert_eq!(batch::update(&hash, &keys, &values).unwrap(), 65_536);
    assert_all_numbers(&batch::lookup(&hash).unwrap(), ENTRIES);
    assert_all_numbers(&batch::lookup(&hash).unwrap(), ENTRIES);
    assert_eq!(batch::count(&hash).unwrap(), ENTRIES);

    // Why this module is there: libbpf-rs takes a short batch for the last one.
    let theirs = hash.lookup_batch(512, MapFlags::ANY, MapFlags::ANY).unwrap().count();
    println!("libbpf-rs's own lookup_batch finds {theirs} of {ENTRIES}");
    assert!(theirs < 65_536, "libbpf-rs reads whole hashes now: is this module still needed?");
}

#[test]
fn entries_that_were_read_and_deleted_are_gone() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let hash = map(&object, "hash");
    let (keys, values) = numbers(ENTRIES);
    batch::update(&hash, &keys, &values).unwrap();
    assert_all_numbers(&batch::lookup_and_delete(&hash).unwrap(), ENTRIES);
    assert!(batch::lookup(&hash).unwrap().is_empty());
    assert!(batch::lookup_and_delete(&hash).unwrap().is_empty());
}

#[test]
fn an_empty_map_has_no_entries() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    for name in ["hash", "lru", "per_cpu", "tiny", "trie"] {
        let map = map(&object, name);
        assert_eq!(batch::lookup(&map).unwrap().len(), 0, "{name}");
        assert_eq!(batch::count(&map).unwrap(), 0, "{name}");
        assert_eq!(batch::lookup_key_by_key(&map).unwrap().len(), 0, "{name}");
        assert_eq!(batch::lookup_and_delete(&map).unwrap().iter().count(), 0, "{name}");
        assert_eq!(batch::update(&map, &[], &[]).unwrap(), 0, "{name}");
    }
}

#[test]
fn a_bucket_larger_than_the_batch_is_read_with_a_larger_batch() {
    if !is_root() {
        return;
    }
    // Whether 4,096 entries a batch is too small depends on how the kernel's hash falls: here it
    // cannot, with at most a few entries a bucket. So the whole way from one entry on is walked.
    let object = load_plainly("maps");
    let hash = map(&object, "hash");
    let (keys, values) = numbers(ENTRIES);
    batch::update(&hash, &keys, &values).unwrap();
    assert_all_numbers(&batch::lookup_by(&hash, 1).unwrap(), ENTRIES);
    assert_all_numbers(&batch::lookup_by(&hash, 7).unwrap(), ENTRIES);
}

#[test]
fn an_lru_hash_gives_what_it_kept() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let lru = map(&object, "lru");
    let (keys, values) = numbers(1000);
    assert_eq!(batch::update(&lru, &keys, &values).unwrap(), 1000);
    assert_all_numbers(&batch::lookup(&lru).unwrap(), 1000);

    // More than it holds: it drops some, and what it says it has is right.
    let (keys, values) = numbers(ENTRIES * 2);
    assert_eq!(batch::update(&lru, &keys, &values).unwrap(), 131_072);
    let kept = batch::lookup(&lru).unwrap();
    assert!(!kept.is_empty() && kept.len() <= 65_536);
    assert!(kept.iter().all(|(key, value)| number(value) == value_of(number(key))));
    assert_eq!(batch::lookup_and_delete(&lru).unwrap().len(), kept.len());
    assert!(batch::lookup(&lru).unwrap().is_empty());
}

#[test]
fn a_per_cpu_hash_gives_every_cpus_slot() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let per_cpu = map(&object, "per_cpu");
    let cpus = libbpf_rs::num_possible_cpus().unwrap();
    let key = |index: u32| [index.to_ne_bytes(), [0; 4], index.to_ne_bytes()].concat();
    let slot = |index: u32, cpu: usize| [index.to_ne_bytes(), [cpu as u8; 4], [7; 4]].concat();
    let keys: Vec<u8> = (0..4096).flat_map(key).collect();
    // Twelve bytes and four of rounding for each CPU.
    let values: Vec<u8> = (0..4096)
        .flat_map(|index| (0..cpus).flat_map(move |cpu| [slot(index, cpu), vec![0; 4]].concat()))
        .collect();
    assert_eq!(batch::update(&per_cpu, &keys, &values).unwrap(), 4096);
    for entries in [
        batch::lookup(&per_cpu).unwrap(),
        batch::lookup_key_by_key(&per_cpu).unwrap(),
        batch::lookup_and_delete(&per_cpu).unwrap(),
    ] {
        let found: HashMap<_, _> = entries.iter().collect();
        assert_eq!((entries.len(), found.len()), (4096, 4096));
        for index in 0..4096 {
            let slots = found[&*key(index)];
            assert_eq!(slots.len(), 16 * cpus);
            for (cpu, found) in slots.chunks_exact(16).enumerate() {
                assert_eq!(found[..12], slot(index, cpu));
            }
        }
    }
    assert!(batch::lookup(&per_cpu).unwrap().is_empty());
}

#[test]
fn arrays_give_every_index() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let array = map(&object, "array");
    let keys: Vec<u8> = (0..10_000_u32).flat_map(u32::to_ne_bytes).collect();
    let values: Vec<u8> = (0..10_000).flat_map(|key| value_of(key).to_ne_bytes()).collect();
    assert_eq!(batch::update(&array, &keys, &values).unwrap(), 10_000);
    for entries in [batch::lookup(&array).unwrap(), batch::lookup_key_by_key(&array).unwrap()] {
        assert!(entries.iter().map(|(key, _)| key).eq(keys.chunks_exact(4)));
        assert!(entries.iter().map(|(_, value)| value).eq(values.chunks_exact(8)));
    }

    let per_cpu = map(&object, "per_cpu_array");
    let entries = batch::lookup(&per_cpu).unwrap();
    assert_eq!(entries.len(), 100);
    assert!(
        entries.iter().all(|(_, value)| value.len() == 8 * libbpf_rs::num_possible_cpus().unwrap())
    );
}

#[test]
fn a_key_smaller_than_the_kernels_cursor_is_no_trouble() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let tiny = map(&object, "tiny");
    let keys: Vec<u8> = (0..=255).collect();
    assert_eq!(batch::update(&tiny, &keys, &keys).unwrap(), 256);
    for entries in [batch::lookup(&tiny).unwrap(), batch::lookup_by(&tiny, 1).unwrap()] {
        let mut found: Vec<u8> = entries
            .iter()
            .map(|(key, value)| {
                assert_eq!(key, value);
                key[0]
            })
            .collect();
        found.sort_unstable();
        assert_eq!(found, keys);
    }
}

#[test]
fn where_the_kernel_has_no_batch_keys_are_walked_one_by_one() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    // The kernel has no lookup-and-delete batch for a trie.
    let trie = map(&object, "trie");
    let key = |index: u32| [32_u32.to_ne_bytes(), index.to_be_bytes()].concat();
    let keys: Vec<u8> = (0..100).flat_map(key).collect();
    let values: Vec<u8> = (0..100_u32).flat_map(u32::to_ne_bytes).collect();
    batch::update(&trie, &keys, &values).unwrap();
    assert_eq!(batch::lookup(&trie).unwrap().len(), 100);
    let mut taken: Vec<_> = batch::lookup_and_delete(&trie)
        .unwrap()
        .iter()
        .map(|(key, value)| (key.to_vec(), u32::from_ne_bytes(value.try_into().unwrap())))
        .collect();
    taken.sort_by_key(|(_, value)| *value);
    assert!(taken.into_iter().eq((0..100).map(|index| (key(index), index))));
    assert!(batch::lookup(&trie).unwrap().is_empty());
}

#[test]
fn key_by_key_gives_the_same_as_batches() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let hash = map(&object, "hash");
    let (keys, values) = numbers(ENTRIES);
    assert_eq!(batch::update_key_by_key(&hash, &keys, &values).unwrap(), 65_536);
    assert_all_numbers(&batch::lookup_key_by_key(&hash).unwrap(), ENTRIES);
    assert_all_numbers(&batch::lookup_and_delete_key_by_key(&hash).unwrap(), ENTRIES);
    assert!(batch::lookup_key_by_key(&hash).unwrap().is_empty());
}

#[test]
fn what_cannot_be_deleted_or_has_no_keys_is_an_error_and_not_an_empty_map() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let array = batch::lookup_and_delete(&map(&object, "array")).unwrap_err();
    assert_eq!(array.raw_os_error(), Some(libc::EINVAL), "{array}");
    let queue = map(&object, "queue");
    assert!(batch::lookup(&queue).is_err());
    assert!(batch::lookup_and_delete(&queue).is_err());
}

#[test]
fn an_update_that_does_not_fit_is_refused() {
    if !is_root() {
        return;
    }
    let object = load_plainly("maps");
    let hash = map(&object, "hash");
    let (keys, values) = numbers(ENTRIES + 1);
    assert_eq!(batch::update(&hash, &keys, &values).unwrap_err().raw_os_error(), Some(libc::E2BIG));
    assert_eq!(batch::lookup(&hash).unwrap().len(), 65_536, "those before it are set");

    let uneven = batch::update(&hash, &keys[..12], &values[..8]).unwrap_err();
    assert_eq!(uneven.kind(), ErrorKind::InvalidInput);
    let unpaired = batch::update(&hash, &keys[..16], &values[..8]).unwrap_err();
    assert_eq!(unpaired.kind(), ErrorKind::InvalidInput);
}
