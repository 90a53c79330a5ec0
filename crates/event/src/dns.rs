//! Records of the `dns` signal.

use crate::process::Process;
use crate::socket::Ends;
use crate::time::Timestamp;

mod answers;
mod codes;
mod fields;
mod message;
mod name;

pub use answers::{Answer, Answers, Data};
pub use codes::{code_name, type_name};
pub use fields::{DNS_QUERY, DNS_RESPONSE};
pub use message::{Edns, Malformed, Message, Question};
pub use name::Name;

/// A DNS message, at the socket that sent or received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dns<'a> {
    /// When.
    pub time: Timestamp,
    /// Whose socket it is, when known.
    pub process: Option<Process>,
    /// The socket.
    pub ends: Ends,
    /// The message, as far as it was captured.
    pub message: Message<'a>,
    /// Its size as it was sent, without the length that TCP puts before it.
    pub message_bytes: u32,
    /// Less than all of it was captured.
    pub is_cut: bool,
    /// Of a response whose query was seen: nanoseconds from that to this, at this end.
    pub latency_ns: Option<u64>,
}

impl Dns<'_> {
    /// What is wrong with the message itself. That it ends too soon says nothing where it was cut.
    pub fn malformed(&self) -> Option<Malformed> {
        self.message.malformed.filter(|what| *what != Malformed::EndsTooSoon || !self.is_cut)
    }
}
