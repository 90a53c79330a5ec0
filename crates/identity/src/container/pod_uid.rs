//! A pod's UID as cgroups spell it.

use std::fmt;

/// The longest form: 8-4-4-4-12 digits.
const LONGEST: usize = 36;
/// Digits of a static pod's UID, a hash without dashes.
const HASH: usize = 32;

/// A pod's UID, in the form that the Kubernetes API has. Copied, so that nothing is allocated.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PodUid {
    /// ASCII.
    bytes: [u8; LONGEST],
    length: u8,
}

impl PodUid {
    /// The UID in a cgroup's name: with `-` or, in a systemd slice, `_`; a static pod's has neither.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let mut bytes = [0; LONGEST];
        match name.len() {
            HASH if name.iter().all(is_digit) => {}
            LONGEST => {
                let separator = *name.get(8)?;
                let fits = name.iter().enumerate().all(|(at, byte)| match at {
                    8 | 13 | 18 | 23 => *byte == separator,
                    _ => is_digit(byte),
                });
                if !fits || !matches!(separator, b'-' | b'_') {
                    return None;
                }
            }
            _ => return None,
        }
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = if *from == b'_' { b'-' } else { *from };
        }
        Some(Self { bytes, length: u8::try_from(name.len()).ok()? })
    }

    /// As the Kubernetes API writes it.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for PodUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PodUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PodUid({self})")
    }
}
