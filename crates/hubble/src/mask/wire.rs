//! Copies of encoded messages, field by field.

use super::{Asked, Fields};
use crate::wire::{Value, next, push_varint};

/// Copies of an encoded message what is asked for. `None` where it is not a message.
pub(super) fn copy(mut message: &[u8], asked: &Fields, out: &mut Vec<u8>) -> Option<()> {
    while !message.is_empty() {
        let field = next(&mut message)?;
        match (asked.0.get(&field.number), field.value) {
            (None, _) => {}
            (Some(Asked::Some(fields)), Value::Bytes(content)) => {
                let mut inner = Vec::with_capacity(content.len());
                copy(content, fields, &mut inner)?;
                push_varint(u64::from(field.number) << 3 | 2, out);
                push_varint(inner.len() as u64, out);
                out.extend_from_slice(&inner);
            }
            (Some(_), _) => out.extend_from_slice(field.whole),
        }
    }
    Some(())
}
