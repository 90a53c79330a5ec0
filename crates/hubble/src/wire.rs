//! Encoded messages (protobuf.dev, "Encoding"), field by field.

/// A field as it stands: its number, the whole of it, and its value.
pub(crate) struct Field<'a> {
    pub number: u32,
    pub whole: &'a [u8],
    pub value: Value<'a>,
}

/// What a field holds, by its wire type.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    /// A message, a text, bytes, or numbers one behind the other.
    Bytes(&'a [u8]),
}

/// The first field of a message, which is left with the rest. `None` where it is not a message.
pub(crate) fn next<'a>(message: &mut &'a [u8]) -> Option<Field<'a>> {
    let start = *message;
    let key = varint(message)?;
    let value = match key & 7 {
        0 => Value::Varint(varint(message)?),
        1 => Value::Fixed64(u64::from_le_bytes(*take(message, 8)?.first_chunk()?)),
        2 => {
            let length = usize::try_from(varint(message)?).ok()?;
            Value::Bytes(take(message, length)?)
        }
        5 => take(message, 4).map(|_| Value::Fixed32)?,
        _ => return None,
    };
    let whole = start.get(..start.len() - message.len())?;
    Some(Field { number: u32::try_from(key >> 3).ok()?, whole, value })
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// The first number, of which the rest is left.
pub(crate) fn varint(bytes: &mut &[u8]) -> Option<u64> {
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

pub(crate) fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
