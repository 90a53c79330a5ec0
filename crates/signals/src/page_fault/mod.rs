//! The `page_fault` signal: it sends no records, its counts are read from the probe's maps.

use crate::registry::Context;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/page_fault.rs"));
}
use wire::page_fault_operation;

pub use crate::counting::{KINDS, decode, seed};

/// A group's code is what a fault took.
pub fn code_text(fault: u32, _context: &Context) -> String {
    match fault {
        page_fault_operation::FAULT_MINOR => "minor".to_owned(),
        page_fault_operation::FAULT_MAJOR => "major".to_owned(),
        other => other.to_string(),
    }
}
