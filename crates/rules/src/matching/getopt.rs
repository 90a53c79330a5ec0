//! Options of a command line, as getopt(3) of POSIX takes them.

/// Which letters are options, and which of them take a value: `"nt:"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OptionLetters {
    known: [u64; 4],
    with_value: [u64; 4],
}

fn has(set: &[u64; 4], byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|bits| bits & 1 << (byte & 63) != 0)
}

fn put(set: &mut [u64; 4], byte: u8) {
    if let Some(bits) = set.get_mut(usize::from(byte >> 6)) {
        *bits |= 1 << (byte & 63);
    }
}

/// What stands for a letter that is no option.
const UNKNOWN: &[u8] = b"?";

impl OptionLetters {
    pub fn new(text: &str) -> Self {
        let mut letters = Self { known: [0; 4], with_value: [0; 4] };
        let bytes = text.as_bytes();
        for (index, byte) in bytes.iter().enumerate().filter(|(_, byte)| **byte != b':') {
            put(&mut letters.known, *byte);
            if bytes.get(index + 1) == Some(&b':') {
                put(&mut letters.with_value, *byte);
            }
        }
        letters
    }

    /// Calls `each` with every option among some arguments, in order, and its value if it takes one; a
    /// value that is missing is empty. `--` and the first argument that is no option end them; long
    /// options are passed over.
    pub fn each<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a [u8]>,
        mut each: impl FnMut(&'a [u8], Option<&'a [u8]>),
    ) {
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument {
                b"--" => return,
                [b'-', b'-', ..] => continue,
                [b'-', _, ..] => {}
                _ => return,
            }
            for index in 1..argument.len() {
                let letter = argument.get(index..=index).unwrap_or_default();
                let byte = letter.first().copied().unwrap_or_default();
                if byte == b':' || !has(&self.known, byte) {
                    each(UNKNOWN, None);
                } else if has(&self.with_value, byte) {
                    let attached = argument.get(index + 1..).filter(|rest| !rest.is_empty());
                    each(letter, Some(attached.or_else(|| arguments.next()).unwrap_or_default()));
                    break;
                } else {
                    each(letter, None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(letters: &str, arguments: &[&str]) -> String {
        let mut out = Vec::new();
        let arguments = arguments.iter().map(|argument| argument.as_bytes());
        OptionLetters::new(letters).each(arguments, |letter, value| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            out.push(match value {
                Some(value) => format!("{}={}", text(letter), text(value)),
                None => text(letter),
            });
        });
        out.join(" ")
    }

    #[test]
    fn options_are_taken_as_getopt_takes_them() {
        assert_eq!(options("nt:", &["-nt", "val", "-n", "x", "-n"]), "n t=val n");
        assert_eq!(options("nt:", &["-tval"]), "t=val");
        assert_eq!(options("nt:", &["--long", "-x", "-n", "--", "-n"]), "? n");
        assert_eq!(options("t:", &["-t"]), "t=");
        assert_eq!(options("a", &["-", "-a"]), "");
        assert_eq!(options(":a:", &["-a", "-b"]), "a=-b");
    }
}
