//! What each CPU counts for itself, in the first entry of a map.

use libbpf_rs::{MapCore, MapFlags};

/// The first value of each CPU; none where it cannot be read.
pub fn values(map: &impl MapCore) -> Vec<Vec<u8>> {
    let values = map.lookup_percpu(&0_u32.to_ne_bytes(), MapFlags::ANY);
    values.ok().flatten().unwrap_or_default()
}
