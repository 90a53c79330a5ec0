//! A file that is set aside when it has grown, and begun anew.
//!
//! `flows.log` is set aside as `flows-2026-11-26T01-30-00.123456789Z.log`, and is perhaps compressed, which
//! adds `.gz`. The names sort by time, so that the oldest are known by their names alone.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;

/// When a file has grown too much, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// A file is not written beyond this, unless one line is longer.
    pub max_bytes: u64,
    /// So many are kept beside the one that is written.
    pub max_backups: usize,
    /// Those are compressed (gzip).
    pub compress: bool,
}

/// A file that is rotated.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    rotation: Rotation,
    /// With its size, where it has one: pipes and devices are never set aside.
    open: Option<(File, Option<u64>)>,
}

impl Rotating {
    /// The file of this path, which is opened, or made, when first written.
    pub fn new(path: PathBuf, rotation: Rotation) -> Self {
        Self { path, rotation, open: None }
    }

    /// Appends whole lines, as many of them at once as fit.
    ///
    /// # Errors
    /// With the number of bytes that were written. The next call tries anew.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut rest = lines;
        while !rest.is_empty() {
            let written = lines.len() - rest.len();
            match self.write_some(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) => {
                    self.open = None;
                    return Err((written, error));
                }
            }
        }
        Ok(())
    }

    /// Writes the lines that fit into this file, one at least.
    fn write_some(&mut self, lines: &[u8]) -> io::Result<usize> {
        let (mut file, mut size) = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let max_bytes = if size.is_some() { self.rotation.max_bytes } else { u64::MAX };
        let room = |size: Option<u64>| {
            usize::try_from(max_bytes.saturating_sub(size.unwrap_or(0))).unwrap_or(usize::MAX)
        };
        let mut end = whole_lines(lines, room(size));
        if end == 0 && size.is_some_and(|size| size > 0) {
            drop(file);
            self.set_aside()?;
            (file, size) = self.open()?;
            end = whole_lines(lines, room(size));
        }
        if end == 0 {
            // Longer than a file may be.
            let first = lines.iter().position(|byte| *byte == b'\n');
            end = first.map_or(lines.len(), |at| at + 1);
        }
        let lines = lines.get(..end).unwrap_or_default();
        if let Err(error) = file.write_all(lines) {
            // Half a line would spoil the next one.
            size.map(|size| file.set_len(size)).transpose()?;
            return Err(error);
        }
        self.open = Some((file, size.map(|size| size + lines.len() as u64)));
        Ok(end)
    }

    fn open(&self) -> io::Result<(File, Option<u64>)> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        let metadata = file.metadata()?;
        let size = metadata.is_file().then_some(metadata.len());
        Ok((file, size))
    }

    fn set_aside(&self) -> io::Result<()> {
        let now = humantime::format_rfc3339_nanos(SystemTime::now()).to_string();
        let aside = self.named(&now.replace(':', "-"));
        fs::rename(&self.path, &aside)?;
        if self.rotation.compress {
            compress(&aside)?;
        }
        let mut backups = self.backups()?;
        backups.sort();
        let surplus = backups.len().saturating_sub(self.rotation.max_backups);
        backups.iter().take(surplus).try_for_each(fs::remove_file)
    }

    /// The name of what was set aside then.
    fn named(&self, then: &str) -> PathBuf {
        let mut name: OsString = self.path.file_stem().unwrap_or_default().into();
        name.push(format!("-{then}"));
        if let Some(extension) = self.path.extension() {
            name.push(".");
            name.push(extension);
        }
        self.path.with_file_name(name)
    }

    /// All that was set aside.
    fn backups(&self) -> io::Result<Vec<PathBuf>> {
        let text = |part: Option<&std::ffi::OsStr>| {
            part.unwrap_or_default().to_string_lossy().into_owned()
        };
        let begin = format!("{}-", text(self.path.file_stem()));
        let end = self.path.extension().map(|_| format!(".{}", text(self.path.extension())));
        let end = end.unwrap_or_default();
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut found = Vec::new();
        for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
            let path = entry?.path();
            let name = text(path.file_name());
            let name = name.strip_suffix(".gz").unwrap_or(&name);
            let then = name.strip_prefix(&begin).and_then(|name| name.strip_suffix(&end));
            if then.is_some_and(is_time) {
                found.push(path);
            }
        }
        Ok(found)
    }
}

/// `2026-11-26T01-30-00.123456789Z`: nobody else's files are removed.
fn is_time(text: &str) -> bool {
    let form = b"dddd-dd-ddTdd-dd-dd.dddddddddZ";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        form => byte == *form,
    };
    text.len() == form.len() && text.bytes().zip(form).all(fits)
}

/// The end of the last line that ends within so many bytes.
fn whole_lines(lines: &[u8], room: usize) -> usize {
    let within = lines.get(..room).unwrap_or(lines);
    within.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// Makes `PATH.gz` of `PATH`. What is half made has another name.
fn compress(path: &Path) -> io::Result<()> {
    let suffixed = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let half = suffixed(".gz.tmp");
    let mut encoder = GzEncoder::new(File::create(&half)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?;
    fs::rename(&half, suffixed(".gz"))?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_tests::scratch::Scratch;
    use std::io::Read;

    fn names(scratch: &Scratch) -> Vec<String> {
        let folder = scratch.at("");
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn rotating(scratch: &Scratch, max_bytes: u64, max_backups: usize, compress: bool) -> Rotating {
        Rotating::new(scratch.at("flows.log"), Rotation { max_bytes, max_backups, compress })
    }

    fn line(number: usize) -> String {
        format!("line {number:04}\n")
    }

    #[test]
    fn a_file_that_has_grown_is_set_aside_and_the_oldest_go() {
        let scratch = Scratch::new();
        // Not ours, whatever it looks like.
        let foreign =
            ["flows-of-others.log", "flows-2026.log", "other-2026-11-26T01-30-00.000000000Z.log"];
        foreign.iter().for_each(|name| fs::write(scratch.at(name), "x").unwrap());
        let mut file = rotating(&scratch, 30, 2, false);
        for number in 0..20 {
            file.write(line(number).as_bytes()).unwrap();
        }
        // Three lines of 10 bytes a file.
        let all = names(&scratch);
        let ours: Vec<_> = all.iter().filter(|name| !foreign.contains(&name.as_str())).collect();
        assert_eq!(ours.len(), 3, "{all:?}");
        assert_eq!(all.len(), 6, "{all:?}");
        let text: String =
            ours.iter().map(|name| fs::read_to_string(scratch.at(name)).unwrap()).collect();
        assert_eq!(text, (12..20).map(line).collect::<String>());
    }

    #[test]
    fn many_lines_at_once_are_cut_at_their_ends() {
        let scratch = Scratch::new();
        let mut file = rotating(&scratch, 35, 100, false);
        let lines: String = (0..50).map(line).collect();
        file.write(lines.as_bytes()).unwrap();
        let sizes: Vec<_> = names(&scratch)
            .iter()
            .map(|name| fs::metadata(scratch.at(name)).unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 17, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size == 30 || *size == 20), "{sizes:?}");
    }

    #[test]
    fn a_line_longer_than_a_file_has_one_of_its_own() {
        let scratch = Scratch::new();
        let mut file = rotating(&scratch, 10, 100, false);
        let long = format!("{}\n", "x".repeat(100));
        file.write(format!("a\n{long}b\n").as_bytes()).unwrap();
        let mut texts: Vec<_> = names(&scratch)
            .iter()
            .map(|name| fs::read_to_string(scratch.at(name)).unwrap())
            .collect();
        texts.sort();
        assert_eq!(texts, ["a\n", "b\n", &long]);
    }

    #[test]
    fn what_is_there_is_gone_on_with() {
        let scratch = Scratch::new();
        rotating(&scratch, 100, 1, false).write(b"old\n").unwrap();
        rotating(&scratch, 100, 1, false).write(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(scratch.at("flows.log")).unwrap(), "old\nnew\n");
    }

    #[test]
    fn what_is_set_aside_can_be_compressed() {
        let scratch = Scratch::new();
        let mut file = rotating(&scratch, 30, 1, true);
        (0..8).for_each(|number| file.write(line(number).as_bytes()).unwrap());
        let names = names(&scratch);
        let [aside, open] = names.as_slice() else { panic!("{names:?}") };
        assert!(aside.ends_with("Z.log.gz") && open == "flows.log", "{names:?}");
        let mut text = String::new();
        let compressed = File::open(scratch.at(aside)).unwrap();
        flate2::read::GzDecoder::new(compressed).read_to_string(&mut text).unwrap();
        assert_eq!(text, (3..6).map(line).collect::<String>());
    }

    #[test]
    fn a_full_disk_is_told_and_tried_again() {
        let mut file = Rotating::new(
            "/dev/full".into(),
            Rotation { max_bytes: 1 << 20, max_backups: 0, compress: false },
        );
        for _ in 0..2 {
            let (written, error) = file.write(b"a\nb\n").unwrap_err();
            assert_eq!((written, error.kind()), (0, io::ErrorKind::StorageFull));
        }
    }
}
