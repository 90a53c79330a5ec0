//! The known programs of a root, by their code.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use crate::code::Code;
use crate::root::{Root, real_name};

/// Names of programs that are worth knowing: those that rules ask about.
pub type Names = HashSet<Box<[u8]>>;

/// Where programs are.
const FOLDERS: [&[u8]; 6] =
    [b"/bin", b"/sbin", b"/usr/bin", b"/usr/sbin", b"/usr/local/bin", b"/usr/local/sbin"];
/// Dynamic loaders, which run any program that they are told, where their ABI has them.
const LOADERS: [&[u8]; 4] = [
    b"/lib64/ld-linux-x86-64.so.2",
    b"/lib/ld-linux-aarch64.so.1",
    b"/lib/ld-musl-x86_64.so.1",
    b"/lib/ld-musl-aarch64.so.1",
];
/// They are all programs at once.
const MULTI_CALL: [&[u8]; 2] = [b"busybox", b"toybox"];
/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 20_000;
/// Programs that are read.
const MAX_PROGRAMS: usize = 1024;

/// Known programs: the name of the file behind all links, by the code in it.
#[derive(Debug, Default)]
pub struct Known(HashMap<Code, Arc<[u8]>>);

impl Known {
    /// Those in a root that have one of these names. What cannot be read is not known.
    pub fn of(root: &Root, names: &Names) -> Self {
        let mut this = Self::default();
        let mut files = HashSet::new();
        let mut read = 0;
        let mut learn = |path: &[u8]| {
            let Ok(file) = root.open(path) else { return };
            let Ok(metadata) = file.metadata() else { return };
            if read >= MAX_PROGRAMS || !files.insert((metadata.dev(), metadata.ino())) {
                return;
            }
            read += 1;
            if let (Ok(Some(code)), Some(name)) = (Code::of(&file), real_name(&file)) {
                this.0.entry(code).or_insert_with(|| name.into());
            }
        };
        let mut folders = HashSet::new();
        for folder in FOLDERS {
            let Ok((opened, listed)) = root.folder(folder) else { continue };
            let metadata = std::fs::metadata(&listed);
            let is_new = metadata.is_ok_and(|it| folders.insert((it.dev(), it.ino())));
            let Some(entries) = is_new.then(|| std::fs::read_dir(&listed).ok()).flatten() else {
                continue;
            };
            for entry in entries.take(MAX_ENTRIES).flatten() {
                let name = entry.file_name();
                let name = name.as_bytes();
                if names.contains(name) || MULTI_CALL.contains(&name) {
                    learn(&[folder, b"/", name].concat());
                }
            }
            drop(opened);
        }
        LOADERS.into_iter().for_each(&mut learn);
        this
    }

    /// The name of the program that has this code.
    pub fn name_of(&self, code: Code) -> Option<&Arc<[u8]>> {
        self.0.get(&code)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_this_machine_are_known_by_the_name_of_their_file()
    -> Result<(), Box<dyn std::error::Error>> {
        let root = Root::of_process(std::process::id())?;
        let names = [b"sh".as_slice(), b"cat", b"no-such-program"].map(Box::from).into();
        let known = Known::of(&root, &names);
        let name = |path: &[u8]| -> Result<_, std::io::Error> {
            let code = Code::of(&root.open(path)?)?;
            Ok(code.and_then(|code| known.name_of(code)).map(|name| name.to_vec()))
        };
        let shell = std::fs::canonicalize("/bin/sh")?;
        assert_eq!(name(b"/bin/sh")?.as_deref(), shell.file_name().map(OsStrExt::as_bytes));
        assert_eq!(name(b"/bin/cat")?.as_deref(), Some(b"cat".as_slice()));
        assert_eq!(name(b"/bin/ls")?, None);
        Ok(())
    }
}
