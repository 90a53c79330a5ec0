//! The `http_request` signal: requests over HTTP/1 in clear, and what came of them.

use chandra_event::http::{HTTP_REQUEST, Head, HttpRequest, Outcome};
use chandra_event::record::{Kind, Record};
use chandra_event::socket::{Ends, Part, Transport};
use chandra_loader::load::Loaded;

use crate::process::process;
use crate::registry::{Context, DecodeError};
use crate::tcp::address;

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/http_request.rs"));
}
use wire::{HttpRequestRecord, http_request_flag, http_request_outcome};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&HTTP_REQUEST];

/// Decodes one record: its fixed part, and what is kept of the head of the request.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let record = HttpRequestRecord::read(bytes).ok_or(DecodeError::Short(bytes.len()))?;
    let has = |flag| record.flags & flag != 0;
    let head = bytes.get(HttpRequestRecord::BYTES..).unwrap_or_default();
    let head = head.get(..record.captured_bytes as usize).ok_or(DecodeError::Short(bytes.len()))?;
    let outcome = outcome(record.outcome.into()).ok_or(DecodeError::Value("outcome"))?;
    let key = u64::from(record.opener_sequence) << 32 | u64::from(record.acceptor_sequence);
    let takes_time = matches!(outcome, Outcome::Answered | Outcome::Closed);
    sink(&HttpRequest {
        time: context.clock.get().event_time(record.time_ns),
        process: has(http_request_flag::HTTP_OWNER_KNOWN)
            .then(|| process(&record.process, &context.clock.get())),
        ends: Ends {
            transport: Transport::Tcp,
            part: Some(if has(http_request_flag::HTTP_SERVER) {
                Part::Server
            } else {
                Part::Client
            }),
            local: address(record.family, record.local_address, record.local_port)?,
            peer: address(record.family, record.peer_address, record.peer_port)?,
            net_namespace: record.net_namespace,
            cookie: record.socket_cookie,
        },
        key: has(http_request_flag::HTTP_KEY_KNOWN).then_some(key),
        outcome,
        status: Some(record.status).filter(|status| *status != 0),
        duration_ns: takes_time.then_some(record.duration_ns),
        head: Head::read(head),
    });
    Ok(())
}

fn outcome(number: u32) -> Option<Outcome> {
    Some(match number {
        http_request_outcome::OUTCOME_ANSWERED => Outcome::Answered,
        http_request_outcome::OUTCOME_CLOSED => Outcome::Closed,
        http_request_outcome::OUTCOME_PIPELINED => Outcome::Pipelined,
        http_request_outcome::OUTCOME_UNSEEN => Outcome::Unseen,
        http_request_outcome::OUTCOME_UNASKED => Outcome::Unasked,
        _ => return None,
    })
}

/// What was asked before the probe was there is nobody's to know.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// A group's code is the status; a request without an answer has none.
pub fn code_text(status: u32, _context: &Context) -> String {
    if status == 0 { "-".to_owned() } else { status.to_string() }
}

#[cfg(test)]
mod tests;
