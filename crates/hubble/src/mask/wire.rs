//! Encoded messages (protobuf.dev, "Encoding"), copied field by field.

use super::{Asked, Fields};

/// A field as it stands: number, the whole of it, and its content where it has a length.
struct Field<'a> {
    number: u32,
    whole: &'a [u8],
    content: Option<&'a [u8]>,
}

/// Copies of an encoded message what is asked for. `None` where it is not a message.
pub(super) fn copy(mut message: &[u8], asked: &Fields, out: &mut Vec<u8>) -> Option<()> {
    while !message.is_empty() {
        let field = next(&mut message)?;
        match (asked.0.get(&field.number), field.content) {
            (None, _) => {}
            (Some(Asked::Some(fields)), Some(content)) => {
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

/// The first field of a message, which is left with the rest.
fn next<'a>(message: &mut &'a [u8]) -> Option<Field<'a>> {
    let start = *message;
    let key = varint(message)?;
    let content = match key & 7 {
        0 => varint(message).map(|_| None)?,
        1 => take(message, 8).map(|_| None)?,
        2 => {
            let length = usize::try_from(varint(message)?).ok()?;
            Some(take(message, length)?)
        }
        5 => take(message, 4).map(|_| None)?,
        _ => return None,
    };
    let whole = start.get(..start.len() - message.len())?;
    Some(Field { number: u32::try_from(key >> 3).ok()?, whole, content })
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
