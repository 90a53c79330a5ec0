//! Domain names (RFC 1035, 3.1 and 4.1.4), which may point to where they were said before.
//!
//! Invariants: a [`Name`] was walked to its end when it was made, so its labels are all there; pointers
//! lead strictly towards the front, and a name has 255 bytes at most, so every walk ends soon.

use std::fmt;

use super::message::Malformed;

/// The longest name, with the lengths of its labels and the root.
const NAME_BYTES: usize = 255;
/// The two upper bits of a length say what it is.
const POINTER: u8 = 0b1100_0000;

/// A name within a message.
///
/// Displayed in lower case (names are compared without case, RFC 4343), labels with `.` between and none
/// at the end, the root as `.`. What is not a visible ASCII character, and a `.` or `\` within a label,
/// is escaped as in zone files (RFC 1035, 5.1): `\.`, `\032`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Name<'a> {
    /// The name at this place in a message, and where what follows it begins.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(message: &'a [u8], at: usize) -> Result<(Self, usize), Malformed> {
        let mut place = at;
        // Where the run of labels that is read began: a pointer must lead to before it.
        let mut run = at;
        let mut after = None;
        let mut bytes = 0;
        loop {
            match step(message, place)? {
                Step::Root(next) => {
                    return Ok((Self { message, at }, after.unwrap_or(next)));
                }
                Step::Label(label, next) => {
                    bytes += 1 + label.len();
                    if bytes >= NAME_BYTES {
                        return Err(Malformed::NameTooLong);
                    }
                    place = next;
                }
                Step::Pointer(target, next) => {
                    if target >= run {
                        return Err(Malformed::Pointer);
                    }
                    after = after.or(Some(next));
                    // A pointer to a pointer says nothing; counted, so that a walk stays short.
                    bytes += 1;
                    if bytes >= NAME_BYTES {
                        return Err(Malformed::Pointer);
                    }
                    (run, place) = (target, target);
                }
            }
        }
    }

    /// Its labels, from the left, as they were sent.
    pub fn labels(&self) -> impl Iterator<Item = &'a [u8]> {
        let (message, mut place) = (self.message, self.at);
        std::iter::from_fn(move || {
            loop {
                match step(message, place) {
                    Ok(Step::Label(label, next)) => {
                        place = next;
                        return Some(label);
                    }
                    Ok(Step::Pointer(target, _)) => place = target,
                    Ok(Step::Root(_)) | Err(_) => return None,
                }
            }
        })
    }

    /// It is the root.
    pub fn is_root(&self) -> bool {
        self.labels().next().is_none()
    }
}

enum Step<'a> {
    Root(usize),
    Label(&'a [u8], usize),
    Pointer(usize, usize),
}

fn step(message: &[u8], at: usize) -> Result<Step<'_>, Malformed> {
    let rest = message.get(at..).unwrap_or_default();
    let (&length, rest) = rest.split_first().ok_or(Malformed::EndsTooSoon)?;
    match length & POINTER {
        0 if length == 0 => Ok(Step::Root(at + 1)),
        0 => {
            let label = rest.get(..usize::from(length)).ok_or(Malformed::EndsTooSoon)?;
            Ok(Step::Label(label, at + 1 + label.len()))
        }
        POINTER => {
            let &low = rest.first().ok_or(Malformed::EndsTooSoon)?;
            Ok(Step::Pointer(usize::from(u16::from_be_bytes([length & !POINTER, low])), at + 2))
        }
        _ => Err(Malformed::Label),
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return out.write_str(".");
        }
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                out.write_str(".")?;
            }
            for byte in label {
                match byte.to_ascii_lowercase() {
                    byte @ (b'.' | b'\\') => write!(out, "\\{}", char::from(byte))?,
                    byte if byte.is_ascii_graphic() => write!(out, "{}", char::from(byte))?,
                    byte => write!(out, "\\{byte:03}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(message: &[u8], at: usize) -> Result<(String, usize), Malformed> {
        Name::read(message, at).map(|(name, after)| (name.to_string(), after))
    }

    #[test]
    fn labels_are_joined_and_what_would_mislead_is_escaped() {
        assert_eq!(read(b"\x03WWW\x07example\x00", 0), Ok(("www.example".into(), 13)));
        assert_eq!(read(b"\x00", 0), Ok((".".into(), 1)));
        assert_eq!(
            read(b"\x05a.b\\c\x02\x1b \x01\xff\x00", 0).unwrap().0,
            r"a\.b\\c.\027\032.\255"
        );
    }

    #[test]
    fn a_pointer_leads_back_and_the_name_goes_on_behind_it() {
        let message = b"\x03com\x00\x07example\xc0\x00\x03www\xc0\x05!";
        assert_eq!(read(message, 15), Ok(("www.example.com".into(), 21)));
    }

    #[test]
    fn pointers_that_lead_nowhere_are_refused() {
        for message in [&b"\xc0\x00"[..], b"\xc0\x02\x00", b"\x01a\xc0\x00", b"\xc0\x02\xc0\x00"] {
            assert_eq!(read(message, 0), Err(Malformed::Pointer), "{message:?}");
        }
        // Two that lead to each other.
        assert_eq!(read(b"\xc0\x02\xc0\x00", 2), Err(Malformed::Pointer));
        // As many as fit, one behind the other, towards the front.
        let chain: Vec<u8> = [0, 0]
            .into_iter()
            .chain((0..4000_u16).flat_map(|at| (0xc000 | (2 * at)).to_be_bytes()))
            .collect();
        assert_eq!(read(&chain, 8000), Err(Malformed::Pointer));
        assert_eq!(read(&chain, 100).unwrap().0, ".");
    }

    #[test]
    fn a_name_has_255_bytes_at_most() {
        let name = |labels: usize, last: usize| {
            let mut name = b"\x3faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                .repeat(labels);
            name.push(u8::try_from(last).unwrap());
            name.extend(b"b".repeat(last));
            name.push(0);
            name
        };
        assert_eq!(name(3, 61).len(), 255);
        assert!(read(&name(3, 61), 0).is_ok());
        assert_eq!(read(&name(3, 62), 0), Err(Malformed::NameTooLong));
    }

    #[test]
    fn what_ends_too_soon_or_is_no_label_is_told_apart() {
        for message in [&b""[..], b"\x03ww", b"\x03www", b"\xc0"] {
            assert_eq!(read(message, 0), Err(Malformed::EndsTooSoon), "{message:?}");
        }
        assert_eq!(read(b"\x41a\x00", 0), Err(Malformed::Label));
        assert_eq!(read(b"\x80", 0), Err(Malformed::Label));
    }
}
