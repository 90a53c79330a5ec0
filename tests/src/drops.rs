//! What a trace of drops says of one network namespace: others have their own at the same time.

use crate::namespaces::Namespace;
use crate::record::Record;
use crate::trace::{Outcome, Trace};

/// Counts drops by what sets them apart.
pub fn start_counting(more: &[&str]) -> Trace {
    let by = "reason,location,protocol,net_namespace";
    Trace::start(&[&["drops", "--by", by], more].concat())
}

/// How many there were in this namespace for this reason, of this protocol.
pub fn counted(outcome: &Outcome, namespace: &Namespace, reason: &str, protocol: &str) -> u64 {
    let is_it = |row: &&Record| {
        row.number("net_namespace") == Some(namespace.inode())
            && row.text("reason") == Some(reason)
            && row.text("protocol") == Some(protocol)
    };
    outcome.records.iter().filter(is_it).map(|row| row.number("count").unwrap()).sum()
}

/// All that were counted in this namespace.
pub fn counted_in(outcome: &Outcome, namespace: &Namespace) -> u64 {
    let rows = outcome.records.iter();
    let rows = rows.filter(|row| row.number("net_namespace") == Some(namespace.inode()));
    rows.map(|row| row.number("count").unwrap()).sum()
}

/// The records of this namespace.
pub fn of<'a>(
    records: &'a [Record],
    namespace: &Namespace,
) -> impl Iterator<Item = &'a Record> + use<'a> {
    let inode = namespace.inode();
    records.iter().filter(move |record| record.number("net_namespace") == Some(inode))
}
