//! Processes and their ancestors.
//!
//! [`ProcessTable`] answers who a process is, what it runs and who its ancestors are, for every
//! record of every signal. It is fed with `exec`, `fork` and `exit` records and with the mere
//! sighting of a process on any other record; it reads nothing by itself and has no clock.
//!
//! - A process is (pid, start), never a bare pid. An exec keeps the process.
//! - A parent starts before its child, and whoever holds a parent's pid is found by the child's
//!   start: the holder of `ppid` when the child started. That is true of the original parent and
//!   of any later one, because a reaper is always older than those it adopts. So no answer depends
//!   on the order in which records arrive, and ancestry has no cycle.
//! - Lineage is by birth: who forked whom. Re-parenting changes [`ProcessEntry::parent`] only.
//! - A dead process stays until [`ProcessTable::advance`] says that its late records have drained,
//!   and as long as a descendant is in the table.
//! - Where records were lost, a sweep ([`ProcessTable::begin_sweep`]) makes up for it: the table
//!   then holds as alive what runs.
//! - Memory stays under [`Limits`]; what is evicted for that is counted ([`Stats`]).
//!
//! Files: `table` (look up), `feed` (records in), `lineage` (links between entries), `retire`
//! (forget and evict), `sweep` (after losses), `coarse` (starts to the clock tick), `entry` and `program` (what is known), `pool`, `slab`, `index` (memory).

mod coarse;
mod entry;
mod feed;
pub(crate) mod index;
mod lineage;
mod pool;
mod program;
mod retire;
pub(crate) mod slab;
mod stats;
mod sweep;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use entry::{Ending, Parent, ProcessEntry, ProcessId, Source};
pub use pool::Handle;
pub use program::{File, Program, Text};
pub use stats::{Limits, Stats};
pub use table::{Ancestors, Children, ProcessTable};
