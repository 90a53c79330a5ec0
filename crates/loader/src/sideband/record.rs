//! Records of perf's rings, of the kinds that are asked for (perf_event_open(2), "MMAP layout").
//!
//! Each ends with the moment it was made at, because that is asked for of all of them.

/// Something that happened to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskEvent<'a> {
    /// When, in nanoseconds of CLOCK_BOOTTIME.
    pub boottime_ns: u64,
    /// What.
    pub happened: Happened<'a>,
}

/// What happened to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened<'a> {
    /// A process has executable memory that it had not.
    Mapped(Mapped<'a>),
    /// A process executes another program: its memory is gone, and the new program's is told next.
    Executed {
        /// The process.
        pid: u32,
    },
    /// A process was made as a copy of another.
    Forked {
        /// The process.
        pid: u32,
        /// Of which it is a copy.
        parent: u32,
    },
    /// The first thread of a process has ended.
    Exited {
        /// The process.
        pid: u32,
    },
    /// So many records had no room.
    Lost {
        /// How many.
        records: u64,
    },
}

/// Executable memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped<'a> {
    /// Whose.
    pub pid: u32,
    /// Its first address.
    pub start: u64,
    /// Bytes.
    pub bytes: u64,
    /// The offset in its file.
    pub offset: u64,
    /// The device of the file: major and minor number.
    pub device: (u32, u32),
    /// Its inode; 0 where it is no file's.
    pub inode: u64,
    /// The path in the mount tree of the process, or a name in brackets.
    pub path: &'a [u8],
}

/// Header of a record: type, misc, size.
const HEADER_BYTES: usize = 8;
const TIME_BYTES: usize = 8;

// enum perf_event_type, and bits of misc, of include/uapi/linux/perf_event.h.
const LOST: u32 = 2;
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const MMAP2: u32 = 10;
const MISC_COMM_EXEC: u16 = 1 << 13;

/// The records that lie one after another in `bytes`; what is damaged ends them.
pub fn parse(mut bytes: &[u8]) -> impl Iterator<Item = TaskEvent<'_>> {
    std::iter::from_fn(move || {
        loop {
            let kind = word(bytes, 0)?;
            let (misc, size) = (half(bytes, 4)?, usize::from(half(bytes, 6)?));
            if size < HEADER_BYTES {
                return None;
            }
            let (record, rest) = bytes.split_at_checked(size)?;
            bytes = rest;
            if let Some(event) = event(kind, misc, record) {
                return Some(event);
            }
        }
    })
}

fn event(kind: u32, misc: u16, record: &[u8]) -> Option<TaskEvent<'_>> {
    let (body, time) = record.get(HEADER_BYTES..)?.split_last_chunk::<TIME_BYTES>()?;
    let pid = word(body, 0)?;
    let happened = match kind {
        MMAP2 => Happened::Mapped(Mapped {
            pid,
            start: long(body, 8)?,
            bytes: long(body, 16)?,
            offset: long(body, 24)?,
            device: (word(body, 32)?, word(body, 36)?),
            inode: long(body, 40)?,
            path: body.get(64..)?.split(|byte| *byte == 0).next()?,
        }),
        COMM if misc & MISC_COMM_EXEC != 0 => Happened::Executed { pid },
        FORK if pid != word(body, 4)? => Happened::Forked { pid, parent: word(body, 4)? },
        EXIT if pid == word(body, 8)? => Happened::Exited { pid },
        LOST => Happened::Lost { records: long(body, 8)? },
        _ => return None,
    };
    Some(TaskEvent { boottime_ns: u64::from_ne_bytes(*time), happened })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(kind: u32, misc: u16, body: &[&[u8]], time: u64) -> Vec<u8> {
        let body = [body.concat(), time.to_ne_bytes().to_vec()].concat();
        let size = u16::try_from(HEADER_BYTES + body.len()).unwrap();
        [&kind.to_ne_bytes()[..], &misc.to_ne_bytes(), &size.to_ne_bytes(), &body].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn longs(longs: &[u64]) -> Vec<u8> {
        longs.iter().flat_map(|long| long.to_ne_bytes()).collect()
    }

    fn mapping() -> Vec<u8> {
        let (head, place) = (words(&[7, 8]), longs(&[0x1000, 0x2000, 0x3000]));
        let file = [words(&[8, 1]), longs(&[42, 0]), words(&[5, 2])].concat();
        record(MMAP2, 0, &[&head, &place, &file, b"/bin/true\0\0\0\0\0\0\0"], 99)
    }

    #[test]
    fn a_mapping_has_its_place_and_its_file() {
        let bytes = mapping();
        let mapped = Mapped {
            pid: 7,
            start: 0x1000,
            bytes: 0x2000,
            offset: 0x3000,
            device: (8, 1),
            inode: 42,
            path: b"/bin/true",
        };
        let event = TaskEvent { boottime_ns: 99, happened: Happened::Mapped(mapped) };
        assert_eq!(parse(&bytes).collect::<Vec<_>>(), [event]);
    }

    #[test]
    fn threads_and_new_names_are_no_processes_and_no_programs() {
        let bytes = [
            record(FORK, 0, &[&words(&[7, 7, 9, 7]), &longs(&[1])], 1),
            record(FORK, 0, &[&words(&[8, 7, 8, 7]), &longs(&[2])], 2),
            record(COMM, 0, &[&words(&[8, 8]), b"name\0\0\0\0"], 3),
            record(COMM, MISC_COMM_EXEC, &[&words(&[8, 8]), b"name\0\0\0\0"], 4),
            record(EXIT, 0, &[&words(&[8, 7, 10, 10]), &longs(&[5])], 5),
            record(EXIT, 0, &[&words(&[8, 7, 8, 7]), &longs(&[6])], 6),
            record(LOST, 0, &[&longs(&[0, 17])], 7),
        ]
        .concat();
        let happened: Vec<_> = parse(&bytes).map(|event| event.happened).collect();
        let expected = [
            Happened::Forked { pid: 8, parent: 7 },
            Happened::Executed { pid: 8 },
            Happened::Exited { pid: 8 },
            Happened::Lost { records: 17 },
        ];
        assert_eq!(happened, expected);
    }

    #[test]
    fn what_is_damaged_ends_the_records() {
        let bytes = mapping();
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]).count(), 0, "{end}");
        }
        let mut short = bytes.clone();
        short[6..8].copy_from_slice(&4_u16.to_ne_bytes());
        assert_eq!(parse(&short).count(), 0);
    }
}
