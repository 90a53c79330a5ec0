//! Names of code that was made at run time, from the list that its maker writes: Node (`--perf-basic-prof`), the
//! JVM (`-XX:+DumpPerfMapAtExit`, agents), .NET (`DOTNET_PerfMapEnabled`), and others.
//!
//! The list lies in the process's own `/tmp`, under its number as it sees it itself. It grows, and
//! is read on from where it was read to. Memory is used again for other code, without a word: of two entries of one
//! place the one that was written later is right, and the earlier one is gone as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::demangle::tidy;
use crate::rooted::open_inside;

/// A list is read to here; JVMs of the largest programs write 20 MiB.
const MAX_BYTES: u64 = 64 << 20;
const MAX_ENTRIES: usize = 1 << 19;
const MAX_NAME_BYTES: usize = 1 << 10;
/// A line that is longer ends here; the rest of it is no line.
const MAX_LINE_BYTES: usize = 4 << 10;

/// Code made at run time.
#[derive(Debug, Default)]
pub struct PerfMap {
    /// By its start: its end, its name.
    code: BTreeMap<u64, (u64, Box<str>)>,
    /// Device and inode of what was read.
    file: Option<(u64, u64)>,
    /// Read to here.
    read: u64,
    /// A line whose end is not written yet.
    rest: Vec<u8>,
    /// Lines that are none, or did not fit.
    pub passed_over: u64,
}

impl PerfMap {
    /// Where the list of a process is, inside its own root, by its number in its own namespace.
    pub fn path(namespace_pid: u32) -> PathBuf {
        PathBuf::from(format!("tmp/perf-{namespace_pid}.map"))
    }

    /// Reads what was written since it was last read; true if there was anything. The root is that of the
    /// process (`/proc/PID/root`).
    ///
    /// # Errors
    /// When there is no list, or it cannot be read.
    pub fn update(&mut self, root: impl AsFd, namespace_pid: u32) -> io::Result<bool> {
        self.update_from(open_inside(root, &Self::path(namespace_pid))?)
    }

    /// Reads on in a list that is open.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn update_from(&mut self, mut list: File) -> io::Result<bool> {
        let metadata = list.metadata()?;
        let file = Some((metadata.dev(), metadata.ino()));
        if self.file != file || metadata.len() < self.read {
            *self = Self { file, ..Self::default() };
        }
        let end = metadata.len().min(MAX_BYTES);
        if end <= self.read {
            return Ok(false);
        }
        list.seek(SeekFrom::Start(self.read))?;
        let mut list = list.take(end - self.read);
        let mut buffer = vec![0; 1 << 18];
        loop {
            match list.read(&mut buffer)? {
                0 => return Ok(true),
                bytes => {
                    self.read += bytes as u64;
                    self.take(buffer.get(..bytes).unwrap_or_default());
                }
            }
        }
    }

    /// Takes in what comes next in the list.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = bytes.split_at(end);
            bytes = behind.get(1..).unwrap_or_default();
            if self.rest.is_empty() {
                self.line(line);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend(line.iter().take(MAX_LINE_BYTES));
                self.line(&whole);
            }
        }
        let room = MAX_LINE_BYTES.saturating_sub(self.rest.len());
        self.rest.extend(bytes.iter().take(room));
    }

    fn line(&mut self, line: &[u8]) {
        let Some((start, end, name)) = entry(line) else {
            self.passed_over += u64::from(!line.is_empty());
            return;
        };
        // Entries do not overlap: those that this one does are at most the one before and those inside.
        while let Some((earlier, (reached, _))) = self.code.range(..end).next_back()
            && *reached > start
        {
            let earlier = *earlier;
            self.code.remove(&earlier);
        }
        if self.code.len() == MAX_ENTRIES {
            self.passed_over += 1;
        } else {
            self.code.insert(start, (end, name.into()));
        }
    }

    /// The code that an address is in: its name, and where it begins.
    pub fn find(&self, address: u64) -> Option<(&str, u64)> {
        let (start, (end, name)) = self.code.range(..=address).next_back()?;
        (address < *end).then_some((&**name, *start))
    }

    /// How many pieces of code there are.
    pub fn len(&self) -> usize {
        self.code.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.code.is_empty()
    }
}

/// `START SIZE NAME`, both in hexadecimal digits; names have spaces.
fn entry(line: &[u8]) -> Option<(u64, u64, String)> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let mut number = || {
        let word = std::str::from_utf8(words.next()?).ok()?;
        u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()
    };
    let (start, bytes) = (number()?, number()?);
    let name = words.next()?;
    let end = start.checked_add(bytes).filter(|end| *end > start)?;
    let name = name.get(..MAX_NAME_BYTES).unwrap_or(name);
    let name = tidy(String::from_utf8_lossy(name).trim());
    (!name.is_empty()).then_some((start, end, name))
}

/// The number that a process has in its own namespace, from the text of its `/proc/PID/status`.
pub fn namespace_pid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn of(list: &str) -> PerfMap {
        let mut map = PerfMap::default();
        map.take(list.as_bytes());
        map
    }

    #[test]
    fn names_have_spaces_and_numbers_may_have_a_prefix() {
        let map =
            of("3ef 10 LazyCompile:*handle /app/server.js:12:3\n0x500 0x8 void Main::run()\n");
        let handle = Some(("LazyCompile:*handle /app/server.js:12:3", 0x3ef));
        assert_eq!(map.find(0x3ef), handle);
        assert_eq!(map.find(0x3fe), handle);
        assert_eq!(map.find(0x3ff), None);
        assert_eq!(map.find(0x507), Some(("void Main::run()", 0x500)));
        assert_eq!(map.find(0), None);
    }

    #[test]
    fn what_was_written_later_takes_the_place_of_all_that_it_overlaps() {
        let mut map = of("100 40 a\n140 40 b\n180 40 c\n120 40 later\n");
        let names = |map: &PerfMap| {
            [0x100, 0x120, 0x140, 0x160, 0x180].map(|at| map.find(at).map(|it| it.0.to_owned()))
        };
        let [later, c] = ["later", "c"].map(|name| Some(name.to_owned()));
        assert_eq!(names(&map), [None, later.clone(), later, None, c]);
        map.take(b"0 1000 all\n");
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn lines_of_any_kind_are_passed_over() {
        let long = format!("1 1 {}\n", "x".repeat(1 << 20));
        let map =
            of(&format!("\nzz 1 a\n1 0 empty\n1\n1 1\n1 1 \nffffffffffffffff 2 b\n{long}9 1 k\n"));
        assert_eq!((map.find(9), map.len(), map.passed_over), (Some(("k", 9)), 2, 6));
        assert!(map.find(1).unwrap().0.len() <= MAX_NAME_BYTES);
    }

    #[test]
    fn a_list_is_read_on_when_it_has_grown_and_anew_when_it_is_another() {
        let root = std::env::temp_dir().join(format!("chandra-perf-map-{}", std::process::id()));
        std::fs::create_dir_all(root.join("tmp")).unwrap();
        let path = root.join(PerfMap::path(7));
        let folder = || File::open(&root).unwrap();
        let mut map = PerfMap::default();
        assert_eq!(map.update(folder(), 7).unwrap_err().kind(), io::ErrorKind::NotFound);
        let mut list = File::create(&path).unwrap();
        list.write_all(b"100 10 first\n200 10 sec").unwrap();
        assert!(map.update(folder(), 7).unwrap());
        assert_eq!((map.find(0x100), map.find(0x200)), (Some(("first", 0x100)), None));
        assert!(!map.update(folder(), 7).unwrap());
        list.write_all(b"ond\n").unwrap();
        assert!(map.update(folder(), 7).unwrap());
        assert_eq!(map.find(0x200), Some(("second", 0x200)));
        std::fs::write(&path, "300 10 third\n").unwrap();
        assert!(map.update(folder(), 7).unwrap());
        assert_eq!((map.len(), map.find(0x300)), (1, Some(("third", 0x300))));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_last_number_of_a_process_is_its_own() {
        let status = "Name:\tx\nPid:\t4711\nNSpid:\t4711\t12\t1\n";
        assert_eq!(namespace_pid(status), Some(1));
        assert_eq!(namespace_pid("Name:\tx\n"), None);
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        assert_eq!(namespace_pid(&own), Some(std::process::id()));
    }
}
