//! A queue on disk: what is appended is there until it is delivered, whatever becomes of the process.
//!
//! Segments are files that are only appended to, each named by its first record's number. A record counts as
//! acknowledged once the kernel has all of it (`write(2)` returned): from then on it survives the end of the
//! process by any signal. For the end of the machine `fdatasync(2)` is called when a segment is full,
//! [`Options::sync_interval`] after a write at the latest, and at the end; so a loss of power costs what was
//! acknowledged within that time.
//!
//! How far delivery has come is written to `delivered`, without syncing: where that is lost or torn, records
//! are delivered again. So each acknowledged record is delivered at least once.
//!
//! The queue has a bound in bytes. When it is full, what is new is refused, and what was acknowledged
//! stays: the promise is not taken back, and what began an attack is not pushed out by the noise after it.
//!
//! Invariants: a segment that was found is never written to again, so what a crash tore lies at its end
//! and is passed over; numbers ascend over all segments; one process has a folder at a time.

mod record;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use record::{HEADER, Header, MAGIC};
pub use record::{MAX_PAYLOAD, Segment as Whole, read as read_segment};

/// How large it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// All segments together, in bytes.
    pub max_bytes: u64,
    /// A segment is begun anew when it has so many bytes.
    pub segment_bytes: u64,
    /// What was written is synced to disk after this time at the latest.
    pub sync_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, segment_bytes: 4 << 20, sync_interval: Duration::from_secs(1) }
    }
}

/// Why there is no spool.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error("{}: another process uses this spool", .0.display())]
    Used(PathBuf),
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Why a record was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no room.
    #[error("the spool is full")]
    Full,
    /// It is larger than [`MAX_PAYLOAD`].
    #[error("larger than a record may be")]
    TooLarge,
    /// It could not be written.
    #[error("the spool cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// How much lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Records that are not delivered.
    pub records: u64,
    /// The size of all segments, what is delivered but not yet removed included.
    pub bytes: u64,
    /// Bytes that were torn or damaged, and are not read.
    pub damaged_bytes: u64,
}

/// The queue. Owned by the thread that delivers.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    options: Options,
    segments: VecDeque<Segment>,
    /// The last segment, while it is written to.
    writer: Option<Writer>,
    next_number: u64,
    delivered: u64,
    cursor: File,
    damaged_bytes: u64,
    /// Held as long as the spool is.
    _lock: File,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// Its size, which includes what is torn.
    bytes: u64,
    whole_bytes: u64,
    /// Where the next record to deliver lies.
    next: u64,
    /// Records that are not delivered.
    records: u64,
    open: Option<File>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    /// Since when there is something to sync.
    unsynced: Option<Instant>,
}

impl Spool {
    /// Opens the spool in this folder, or makes one, and finds what is not delivered.
    ///
    /// # Errors
    /// When another process has it, or the folder cannot be used.
    pub fn open(folder: &Path, options: Options) -> Result<Self, Error> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| Error::Io { path, error }
        };
        fs::create_dir_all(folder).map_err(at(folder))?;
        let private = |name: &str| {
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            options.open(&path).map_err(at(&path))
        };
        let lock = private("lock")?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Used(folder.to_owned()),
            TryLockError::Error(error) => at(folder)(error),
        })?;
        let cursor = private("delivered")?;
        let delivered = read_cursor(&cursor);
        let mut spool = Self {
            folder: folder.to_owned(),
            options,
            segments: VecDeque::new(),
            writer: None,
            next_number: delivered.saturating_add(1),
            delivered,
            cursor,
            damaged_bytes: 0,
            _lock: lock,
        };
        spool.recover().map_err(at(folder))?;
        Ok(spool)
    }

    fn recover(&mut self) -> io::Result<()> {
        let mut found: Vec<(u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            found.extend(first_number(&path).map(|number| (number, path)));
        }
        found.sort();
        for (_, path) in found {
            let mut bytes = Vec::new();
            let file = File::open(&path)?;
            let size = file.metadata()?.len();
            file.take(self.options.max_bytes.saturating_mul(2)).read_to_end(&mut bytes)?;
            let read = record::read(&bytes);
            let last = read.records.last().map_or(0, |(number, _)| *number);
            let is_left = |(number, _): &&(u64, _)| *number > self.delivered;
            let records = read.records.iter().filter(is_left).count() as u64;
            self.next_number = self.next_number.max(last.saturating_add(1));
            self.damaged_bytes += size.saturating_sub(read.whole_bytes as u64);
            if records == 0 {
                fs::remove_file(&path)?;
                continue;
            }
            let first = read.records.iter().find(|(number, _)| *number > self.delivered);
            let next = first.map_or(0, |(_, payload)| payload.start.saturating_sub(HEADER));
            self.segments.push_back(Segment {
                path,
                bytes: size,
                whole_bytes: read.whole_bytes as u64,
                next: next as u64,
                records,
                open: None,
            });
        }
        Ok(())
    }

    /// Appends a record, and returns its number. When this returns, the record is acknowledged.
    ///
    /// # Errors
    /// When there is no room, or it cannot be written; then nothing of it is in the spool.
    pub fn append(&mut self, payload: &[u8], now: Instant) -> Result<u64, Refused> {
        if payload.len() > MAX_PAYLOAD {
            return Err(Refused::TooLarge);
        }
        let number = self.next_number;
        let mut bytes = Vec::with_capacity(MAGIC.len() + HEADER + payload.len());
        record::write(number, payload, &mut bytes);
        let size = bytes.len() as u64;
        let is_full =
            |spool: &Self| spool.bytes() + size + MAGIC.len() as u64 > spool.options.max_bytes;
        if is_full(self) && self.segments.iter().all(|segment| segment.records == 0) {
            // All that takes room is delivered.
            self.close()?;
            self.remove_delivered()?;
        }
        if is_full(self) || number == u64::MAX {
            return Err(Refused::Full);
        }
        if self.segments.back().is_some_and(|last| last.bytes + size > self.options.segment_bytes) {
            self.close()?;
        }
        if self.writer.is_none() {
            self.begin(number)?;
        }
        let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) else {
            return Err(Refused::Io(io::ErrorKind::NotFound.into()));
        };
        if let Err(error) = writer.file.write_all(&bytes) {
            // What was written of it must not stand before what comes next.
            if writer.file.set_len(segment.bytes).is_err() {
                self.writer = None;
            }
            return Err(error.into());
        }
        writer.unsynced.get_or_insert(now);
        segment.bytes += size;
        segment.whole_bytes = segment.bytes;
        segment.records += 1;
        self.next_number += 1;
        Ok(number)
    }

    fn begin(&mut self, number: u64) -> io::Result<()> {
        let path = self.folder.join(format!("{number:020}.{EXTENSION}"));
        let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        if let Err(error) = file.write_all(MAGIC) {
            fs::remove_file(&path)?;
            return Err(error);
        }
        // The name must survive with the records.
        File::open(&self.folder)?.sync_all()?;
        let bytes = MAGIC.len() as u64;
        let segment =
            Segment { path, bytes, whole_bytes: bytes, next: bytes, records: 0, open: None };
        self.segments.push_back(segment);
        self.writer = Some(Writer { file, unsynced: None });
        Ok(())
    }

    /// The oldest record that is not delivered: the same one until it is.
    ///
    /// # Errors
    /// When it cannot be read now.
    pub fn oldest(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        loop {
            let Some(segment) = self.segments.iter_mut().find(|segment| segment.records > 0) else {
                return Ok(None);
            };
            let whole = segment.read()?;
            if let Some((header, payload)) = whole {
                return Ok(Some((header.number, payload)));
            }
            // Damaged since it was written: what comes after it cannot be found.
            self.damaged_bytes += segment.whole_bytes.saturating_sub(segment.next);
            segment.records = 0;
            self.remove_delivered()?;
        }
    }

    /// The record that [`Spool::oldest`] returned is delivered.
    ///
    /// # Errors
    /// When that cannot be written down; the record may be delivered again after a restart.
    pub fn deliver(&mut self, number: u64) -> io::Result<()> {
        let Some(segment) = self.segments.iter_mut().find(|segment| segment.records > 0) else {
            return Ok(());
        };
        segment.pass()?;
        self.delivered = number;
        write_cursor(&self.cursor, number)?;
        self.remove_delivered()
    }

    /// Removes segments of which all is delivered, but for the one that is written to.
    fn remove_delivered(&mut self) -> io::Result<()> {
        while let Some(first) = self.segments.front() {
            if first.records > 0 || self.segments.len() == 1 && self.writer.is_some() {
                break;
            }
            match fs::remove_file(&first.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.segments.pop_front(),
            };
        }
        Ok(())
    }

    /// Syncs what was written long enough ago.
    ///
    /// # Errors
    /// When that fails; it is tried again next time.
    pub fn tick(&mut self, now: Instant) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let is_due =
            |since: Instant| now.saturating_duration_since(since) >= self.options.sync_interval;
        if writer.unsynced.is_some_and(is_due) {
            writer.file.sync_data()?;
            writer.unsynced = None;
        }
        Ok(())
    }

    /// Syncs all and ends the segment; the next record begins another.
    ///
    /// # Errors
    /// When it cannot be synced.
    pub fn close(&mut self) -> io::Result<()> {
        match self.writer.take() {
            Some(writer) => writer.file.sync_data(),
            None => Ok(()),
        }
    }

    /// How much lies in it.
    pub fn figures(&self) -> Figures {
        let records = self.segments.iter().map(|segment| segment.records).sum();
        Figures { records, bytes: self.bytes(), damaged_bytes: self.damaged_bytes }
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // There is nobody to tell; what is written survives all but the end of the machine.
        let _ = self.close();
    }
}

impl Segment {
    fn file(&mut self) -> io::Result<&File> {
        match &mut self.open {
            Some(file) => Ok(file),
            open => Ok(open.insert(File::open(&self.path)?)),
        }
    }

    fn header(&mut self) -> io::Result<Option<Header>> {
        let next = self.next;
        let mut header = [0; HEADER];
        match self.file()?.read_exact_at(&mut header, next) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(Header::read(&header)),
        }
    }

    /// The record at the place of the next one, where it is whole.
    fn read(&mut self) -> io::Result<Option<(Header, Vec<u8>)>> {
        let Some(header) = self.header()? else { return Ok(None) };
        let start = self.next + HEADER as u64;
        let mut payload = vec![0; header.length];
        match self.file()?.read_exact_at(&mut payload, start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(header.fits(&payload).then_some((header, payload))),
        }
    }

    /// Goes on to the record after the next one.
    fn pass(&mut self) -> io::Result<()> {
        if let Some(header) = self.header()? {
            self.next += (HEADER + header.length) as u64;
        }
        self.records = self.records.saturating_sub(1);
        Ok(())
    }
}

const EXTENSION: &str = "spool";

/// The number in a segment's name; other files are none of ours.
fn first_number(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    let is_ours = path.extension()? == EXTENSION
        && stem.len() == 20
        && stem.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| stem.parse().ok())?
}

/// The number of the record that was delivered last; zero where it was never written, or torn.
fn read_cursor(file: &File) -> u64 {
    let mut bytes = [0; 12];
    let is_read = file.read_exact_at(&mut bytes, 0).is_ok();
    let (number, checksum) = bytes.split_at(8);
    let fits = crc32fast::hash(number).to_le_bytes() == *checksum;
    number.try_into().ok().filter(|_| is_read && fits).map_or(0, u64::from_le_bytes)
}

fn write_cursor(file: &File, number: u64) -> io::Result<()> {
    let number = number.to_le_bytes();
    let mut bytes = [0; 12];
    let (to_number, to_checksum) = bytes.split_at_mut(8);
    to_number.copy_from_slice(&number);
    to_checksum.copy_from_slice(&crc32fast::hash(&number).to_le_bytes());
    file.write_all_at(&bytes, 0)
}

#[cfg(test)]
mod tests;
