//! What user space and every probe agree on, generated from the BTF of `bpf/abi.h` and
//! `bpf/task.h`.
#![allow(
    missing_docs,
    clippy::indexing_slicing,
    reason = "generated; indices are constants within the array"
)]

include!(concat!(env!("OUT_DIR"), "/abi.rs"));
