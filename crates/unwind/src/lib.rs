//! From a thread's registers to the chain of its callers: what to do at each place of an executable, as
//! tables small enough for BPF, and a walk in user space that does the same.
#![forbid(unsafe_code)]

pub mod format;
pub mod row;
