//! Flows for which a probe's table had no room (`bpf/flow_table.h`).
//!
//! A table of the least recently used gives places away without a word. So evictions are a difference: what came in,
//! less what was taken out, less what is there. While flows come and go it may be too small, by those that did so as it
//! was counted; when none does it is exact.

use std::io;

use libbpf_rs::{MapCore, MapType};

use crate::load::Loaded;
use crate::{batch, ledger};

/// Free places that the kernel may keep for each CPU, so that a table is full with so many fewer
/// (`LOCAL_FREE_TARGET` in kernel/bpf/bpf_lru_list.c).
const FREE_FOR_A_CPU: u64 = 128;

/// Flows for which there was no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overflow {
    /// Were quiet, and made room for new ones.
    pub evicted: u64,
    /// Found no place. One that is tried again counts again.
    pub refused: u64,
}

/// Reads it of a loaded signal, whose table has this name.
///
/// # Errors
/// When there is no such map, or what the kernel says as its entries are counted.
pub fn overflow(loaded: &Loaded, table: &str) -> io::Result<Overflow> {
    let map = loaded.map(table).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let counters = ledger::read(loaded.object());
    let evicted = match map.map_type() {
        MapType::LruHash if counters.flows_added >= may_be_full_with(map.max_entries()) => {
            let there = batch::count(&map)?;
            // Last, so that what left meanwhile is not taken for evicted.
            let removed = ledger::read(loaded.object()).flows_removed;
            counters.flows_added.saturating_sub(removed + there)
        }
        MapType::LruHash => 0,
        _ => counters.flows_evicted,
    };
    Ok(Overflow { evicted, refused: counters.flows_refused })
}

/// Before so many have come in none was evicted, and entries need not be counted.
fn may_be_full_with(most: u32) -> u64 {
    let processors = libbpf_rs::num_possible_cpus().unwrap_or(1) as u64;
    u64::from(most).saturating_sub(FREE_FOR_A_CPU * processors)
}
