//! The `tcp_request` signal: it sends no records, its histograms are read from the probe's maps.

use crate::registry::Context;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/tcp_request.rs"));
}
use wire::tcp_request_role::{ROLE_CLIENT, ROLE_SERVER};

pub use crate::counting::{KINDS, decode, seed};

/// A group's code is the end of the connection at which it was measured.
pub fn code_text(role: u32, _context: &Context) -> String {
    match role {
        ROLE_CLIENT => "client".to_owned(),
        ROLE_SERVER => "server".to_owned(),
        other => other.to_string(),
    }
}
