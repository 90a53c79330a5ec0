//! The bytes of a file, read where they are wanted: files of 150 MB have a few MB of symbols.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::limits::Why;
use crate::rooted::check_harmless;

/// Where the bytes of an ELF file come from.
#[derive(Debug)]
pub enum Source {
    /// A file that is open for reading. It stays the same file when its path leads elsewhere, and can be read
    /// when who ran it is gone.
    File(File),
    /// Its whole content.
    Memory(Arc<[u8]>),
}

impl Source {
    /// An open file of anybody's, if reading it does no harm: devices and pipes do something, and files of FUSE
    /// take as long as their owner likes.
    ///
    /// # Errors
    /// When it is no regular file, or one of FUSE.
    pub fn of_file(file: File) -> io::Result<Self> {
        check_harmless(&file)?;
        Ok(Self::File(file))
    }

    /// The same once more.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(match self {
            Self::File(file) => Self::File(file.try_clone()?),
            Self::Memory(bytes) => Self::Memory(Arc::clone(bytes)),
        })
    }

    /// How long it is, in bytes.
    pub(crate) fn length(&self) -> Result<u64, Why> {
        match self {
            Self::File(file) => {
                let metadata = file.metadata().map_err(|error| unreadable(&error))?;
                if metadata.is_file() {
                    Ok(metadata.len())
                } else {
                    Err(Why::Unreadable("no regular file".to_owned()))
                }
            }
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// So many bytes from an offset on, if they are all there. Who calls has bounded them.
    pub(crate) fn read(&self, offset: u64, bytes: u64) -> Result<Vec<u8>, Why> {
        let end =
            offset.checked_add(bytes).filter(|end| self.length().is_ok_and(|all| *end <= all));
        let missing = || Why::Damaged("it ends before what it says it has".to_owned());
        let end = end.ok_or_else(missing)?;
        match self {
            Self::File(file) => {
                let mut content = vec![0; usize::try_from(bytes).map_err(|_| missing())?];
                file.read_exact_at(&mut content, offset).map_err(|error| unreadable(&error))?;
                Ok(content)
            }
            Self::Memory(all) => {
                let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
                let content = range.and_then(|(start, end)| all.get(start..end));
                Ok(content.ok_or_else(missing)?.to_vec())
            }
        }
    }
}

impl chandra_unwind::Content for Source {
    fn length(&self) -> io::Result<u64> {
        Ok(match self {
            Self::File(file) => file.metadata()?.len(),
            Self::Memory(bytes) => bytes.len() as u64,
        })
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(buffer, offset),
            Self::Memory(bytes) => (**bytes).fill(offset, buffer),
        }
    }
}

pub(crate) fn unreadable(error: &io::Error) -> Why {
    Why::Unreadable(error.to_string())
}
