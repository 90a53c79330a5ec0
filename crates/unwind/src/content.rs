//! The bytes of an ELF file, read where they are wanted: of the compiler's library of 147 MiB, 6 describe its functions.

use std::io;

/// Where the bytes of a file come from. A file may change while it is read; then what is read of it is of both.
pub trait Content {
    /// How many there are.
    ///
    /// # Errors
    /// When that cannot be known.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` with those from an offset on.
    ///
    /// # Errors
    /// When they are not all there, or cannot be read.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Content for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let part = rest.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Content for &[u8] {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        (**self).fill(offset, buffer)
    }
}

/// So many bytes from an offset on. Room for them is made only when the file is as long as that.
///
/// # Errors
/// As [`Content::fill`].
pub(crate) fn read(file: &dyn Content, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let end = offset.checked_add(bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
    if end > file.length()? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::UnexpectedEof)?;
    let mut buffer = vec![0; bytes];
    file.fill(offset, &mut buffer)?;
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_all_there_is_not_read() {
        let file = &b"0123456789"[..];
        assert_eq!(read(&file, 7, 3).ok().as_deref(), Some(&b"789"[..]));
        assert_eq!(read(&file, 10, 0).ok().as_deref(), Some(&b""[..]));
        for (offset, bytes) in [(7, 4), (11, 0), (u64::MAX, 1), (0, u64::MAX)] {
            assert!(read(&file, offset, bytes).is_err(), "{offset} {bytes}");
        }
    }
}
