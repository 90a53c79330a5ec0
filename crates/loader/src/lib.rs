//! The only crate that touches libbpf: it opens, loads and attaches a signal's object, reads its
//! ring and maps, and keeps the kernel side of the ledger.
//!
//! Invariants: a signal that cannot load leaves the others alone, because each has an object of its
//! own; which hook serves is found by really loading and attaching, never by asking for versions;
//! every refusal keeps the kernel's own words.

pub mod abi;
pub mod batch;
pub mod btf;
pub mod budget;
pub mod capability;
mod cgroup_root;
pub mod clock;
pub mod cost;
mod cpus;
mod detached;
mod doorbell;
pub mod flow_table;
pub mod governed;
pub mod kernel_log;
mod kernel_types;
mod ladder;
pub mod ledger;
pub mod load;
pub mod memory;
pub mod memory_map;
mod object;
mod on_each_cpu;
pub mod others;
pub mod packed;
pub mod path_selection;
pub mod per_cpu;
mod periodic;
pub mod ring;
pub mod sampling;
pub mod selection;
pub mod sideband;
mod software_event;
pub mod spec;
pub mod tail_call;
mod tracefs;
pub mod verdict;

pub use libbpf_rs::{Error as LibbpfError, MapCore, MapFlags, MapHandle};
