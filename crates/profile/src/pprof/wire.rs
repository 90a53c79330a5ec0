//! Protobuf's wire format: fields one after the other, each a number, a type and a value.

/// What cannot be read, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {why}")]
pub struct Malformed {
    /// Offset into the unpacked file.
    pub offset: usize,
    /// What is wrong.
    pub why: &'static str,
}

/// Bytes, and where in the file they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub bytes: &'a [u8],
    pub offset: usize,
}

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    Piece(Piece<'a>),
    /// Of a width that none of the messages has.
    Fixed,
}

/// The fields of a message, in order.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: Piece<'a>,
}

impl<'a> Piece<'a> {
    pub fn fields(self) -> Fields<'a> {
        Fields { rest: self }
    }

    fn error(&self, why: &'static str) -> Malformed {
        Malformed { offset: self.offset, why }
    }

    fn take(&mut self, bytes: u64) -> Result<Piece<'a>, Malformed> {
        let split =
            usize::try_from(bytes).ok().and_then(|bytes| self.bytes.split_at_checked(bytes));
        let (taken, rest) = split.ok_or(self.error("ends too early"))?;
        let taken = Piece { bytes: taken, offset: self.offset };
        *self = Piece { bytes: rest, offset: self.offset + taken.bytes.len() };
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (index, byte) in self.bytes.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32).unwrap_or(0);
            if byte & 0x80 == 0 {
                self.take(index as u64 + 1)?;
                return Ok(value);
            }
        }
        Err(self.error("a number does not end"))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let at = self.rest;
        let tag = self.rest.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.rest.number()?),
            1 => self.rest.take(8).map(|_| Value::Fixed)?,
            2 => {
                let bytes = self.rest.number()?;
                Value::Piece(self.rest.take(bytes)?)
            }
            5 => self.rest.take(4).map(|_| Value::Fixed)?,
            _ => return Err(at.error("no field begins so")),
        };
        Ok((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.bytes.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest.bytes = &[];
        }
        Some(field)
    }
}

impl Value<'_> {
    /// Numbers of a field that may come alone or packed.
    pub fn numbers(
        self,
        mut each: impl FnMut(u64) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        match self {
            Self::Number(number) => each(number),
            Self::Piece(mut piece) => {
                while !piece.bytes.is_empty() {
                    each(piece.number()?)?;
                }
                Ok(())
            }
            Self::Fixed => Ok(()),
        }
    }
}

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Message(pub Vec<u8>);

impl Message {
    pub fn number(&mut self, field: u32, value: u64) -> &mut Self {
        if value != 0 {
            self.varint(u64::from(field) << 3);
            self.varint(value);
        }
        self
    }

    pub fn bytes(&mut self, field: u32, value: &[u8]) -> &mut Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub fn message(&mut self, field: u32, message: &Self) -> &mut Self {
        self.bytes(field, &message.0)
    }

    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Piece, Value};

    #[test]
    fn what_is_written_can_be_read() {
        let mut inner = Message::default();
        inner.number(1, u64::MAX).number(2, 0);
        let mut message = Message::default();
        message.number(9, 300).message(15, &inner).bytes(16, b"text");
        let piece = Piece { bytes: &message.0, offset: 0 };
        let fields: Vec<_> = piece.fields().map(Result::unwrap).collect();
        assert!(matches!(fields[0], (9, Value::Number(300))));
        let (15, Value::Piece(inner)) = fields[1] else { panic!("{fields:?}") };
        let inner: Vec<_> = inner.fields().map(Result::unwrap).collect();
        assert!(matches!(inner[..], [(1, Value::Number(u64::MAX))]));
        assert!(matches!(fields[2], (16, Value::Piece(text)) if text.bytes == b"text"));
    }

    #[test]
    fn what_is_cut_short_is_told_with_its_place() {
        let error = |bytes: &[u8]| {
            let piece = Piece { bytes, offset: 100 };
            piece.fields().find_map(Result::err).unwrap().to_string()
        };
        assert_eq!(error(&[0x08, 0x80]), "byte 101: a number does not end");
        assert_eq!(error(&[0x08, 0x01, 0x12, 0x05, 0x00]), "byte 104: ends too early");
        assert_eq!(error(&[0x0b]), "byte 100: no field begins so");
        assert_eq!(error(&[0xff; 20]), "byte 100: a number does not end");
    }
}
