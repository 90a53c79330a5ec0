//! A digest of the first code of an executable.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::fs::FileExt;

use crate::elf::{HEAD_BYTES, code_range};

/// The first code of an executable: the same for the same instructions.
///
/// It tells apart what was not made to look the same: 64 bits of SipHash, with a known key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(u64);

impl Code {
    /// That of a file; nothing for what is no ELF file of this machine.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(file: &File) -> io::Result<Option<Self>> {
        let mut head = [0; HEAD_BYTES];
        let read = read_up_to(file, &mut head, 0)?;
        let Some(range) = code_range(head.get(..read).unwrap_or_default()) else { return Ok(None) };
        // As long as `CODE_BYTES` at most.
        let mut code = vec![0; usize::try_from(range.end - range.start).unwrap_or_default()];
        let read = read_up_to(file, &mut code, range.start)?;
        if read < code.len() {
            return Ok(None);
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(&code);
        Ok(Some(Self(hasher.finish())))
    }
}

/// Reads until the buffer or the file ends, and says how much.
fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(read as u64)) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn code(path: &str) -> Option<Code> {
        Code::of(&File::open(path).ok()?).ok()?
    }

    #[test]
    fn other_programs_have_other_code_and_a_longer_copy_has_the_same() {
        let programs = ["/bin/cat", "/bin/true", "/bin/ls", "/bin/sh"];
        let codes: Vec<_> = programs.iter().filter_map(|path| code(path)).collect();
        assert_eq!(codes.len(), programs.len());
        let distinct: std::collections::HashSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());

        let path = std::env::temp_dir().join(format!("chandra-code-{}", std::process::id()));
        std::fs::copy("/bin/cat", &path).unwrap_or_default();
        let appended =
            File::options().append(true).open(&path).and_then(|mut file| file.write_all(b"more"));
        let copy = path.to_str().and_then(code);
        drop(std::fs::remove_file(&path));
        assert!(appended.is_ok());
        assert_eq!(copy.as_ref(), codes.first());
    }
}
