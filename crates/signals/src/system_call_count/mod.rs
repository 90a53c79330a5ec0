//! The `system_call_count` signal: it sends no records, its histograms are read from the probe's maps.

use crate::registry::Context;

mod names;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/system_call_count.rs"));
}
use wire::system_call_count_code::CODE_OTHER;

pub use crate::counting::{KINDS, decode, seed};

/// A group's code is a call's number; one without a name is shown as a number.
pub fn code_text(number: u32, _context: &Context) -> String {
    match names::name(number) {
        Some(name) => name.to_owned(),
        None if number == CODE_OTHER => "other".to_owned(),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_their_names() {
        let text = |number| code_text(number, &Context::test());
        assert_eq!(text(u32::try_from(libc::SYS_read).unwrap()), "read");
        assert_eq!(text(u32::try_from(libc::SYS_futex_waitv).unwrap()), "futex_waitv");
        assert_eq!((text(500), text(CODE_OTHER)), ("500".to_owned(), "other".to_owned()));
    }
}
