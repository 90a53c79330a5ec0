//! What a program that exists to run others was told to run: a dynamic loader by the path on its command line,
//! BusyBox by the name of one of its programs.
//!
//! The kernel maps the loader, or BusyBox, and names the process after it; `ld.so /bin/sh` and `busybox sh` are
//! shells all the same. The command line says so, and cannot lie here: it is what these two go by.

use chandra_event::process::{Arguments, Executable};

use super::program::{Program, base_name};

/// A loader that runs BusyBox that runs BusyBox: so many steps are followed.
const MAX_STEPS: usize = 4;

/// What was started in place of the executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Started<'a> {
    /// Its path or name, as the command line has it.
    pub path: &'a [u8],
    /// The arguments behind it, each ended by NUL; nothing where they stand behind the first as always.
    pub arguments: Option<&'a [u8]>,
}

impl<'a> Started<'a> {
    /// Its name.
    pub fn name(&self) -> &'a [u8] {
        let name = base_name(self.path);
        // A login shell.
        name.strip_prefix(b"-").unwrap_or(name)
    }
}

/// The file that a dynamic loader was told to run, as its command line has it.
pub fn loaded_file<'a>(executable: &Executable<'_>, arguments: &Arguments<'a>) -> Option<&'a [u8]> {
    is_loader(base_name(executable.path)).then(|| load(arguments.head)).flatten().map(|it| it.file)
}

/// What a program was told to run, if it is one that runs others.
pub(super) fn started<'a>(program: &Program<'a>) -> Option<Started<'a>> {
    let mut copy_of = program.copy_of.filter(|name| !name.is_empty());
    let real = program.real_name()?;
    // Of what a loader runs, that is what its file is a copy of.
    let mut name = if is_loader(real) { real } else { copy_of.take().unwrap_or(real) };
    // Of what runs: its first argument, and what stands behind.
    let (mut first, mut rest) = split(program.arguments?.head)?;
    let mut started = None;
    for _ in 0..MAX_STEPS {
        if is_loader(name) {
            let loaded = load_behind(rest)?;
            name = copy_of.take().unwrap_or_else(|| base_name(loaded.file));
            (first, rest) = (loaded.first_argument, loaded.arguments);
            started = Some(Started { path: loaded.file, arguments: Some(rest) });
        } else if is_multi_call(name) {
            let called = first.strip_prefix(b"-").unwrap_or(first);
            if is_multi_call(base_name(called)) {
                // By its own name it takes the first argument for the program's.
                (first, rest) = match split(rest) {
                    Some(next) => next,
                    None => break,
                };
                started = Some(Started { path: first, arguments: Some(rest) });
            } else {
                let arguments = started.and_then(|started: Started<'_>| started.arguments);
                return Some(Started { path: first, arguments });
            }
        } else {
            break;
        }
    }
    started
}

/// glibc's (`ld-linux-x86-64.so.2`, `ld-2.31.so`, `ld64.so.2`) and musl's (`ld-musl-x86_64.so.1`).
fn is_loader(name: &[u8]) -> bool {
    let begins = [b"ld-".as_slice(), b"ld.", b"ld64."].iter().any(|begin| name.starts_with(begin));
    begins && memchr::memmem::find(name, b".so").is_some()
}

/// BusyBox looks only at the beginning of its name (`busybox-static`).
fn is_multi_call(name: &[u8]) -> bool {
    name.starts_with(b"busybox") || name == b"toybox"
}

struct Loaded<'a> {
    file: &'a [u8],
    first_argument: &'a [u8],
    arguments: &'a [u8],
}

fn load(arguments: &[u8]) -> Option<Loaded<'_>> {
    load_behind(split(arguments)?.1)
}

/// Reads a loader's options (ld.so(8); musl's `ldso/dynlink.c`) up to the file.
fn load_behind(mut rest: &[u8]) -> Option<Loaded<'_>> {
    let mut first_argument = None;
    loop {
        let (word, behind) = split(rest)?;
        rest = behind;
        let Some(option) = word.strip_prefix(b"--") else {
            let first_argument = first_argument.unwrap_or(word);
            return Some(Loaded { file: word, first_argument, arguments: rest });
        };
        let (option, value) = match memchr::memchr(b'=', option) {
            Some(at) => (option.get(..at)?, option.get(at + 1..)),
            None => (option, None),
        };
        match option {
            // They only look at the file.
            b"list" | b"verify" | b"help" | b"version" | b"list-tunables" | b"list-diagnostics" => {
                return None;
            }
            b"argv0"
            | b"library-path"
            | b"preload"
            | b"audit"
            | b"inhibit-rpath"
            | b"glibc-hwcaps-prepend"
            | b"glibc-hwcaps-mask" => {
                let value = match value {
                    Some(value) => value,
                    None => {
                        let (value, behind) = split(rest)?;
                        rest = behind;
                        value
                    }
                };
                if option == b"argv0" {
                    first_argument = Some(value);
                }
            }
            _ => {}
        }
    }
}

/// The first string of memory in which each is ended by NUL, and what is behind it.
fn split(memory: &[u8]) -> Option<(&[u8], &[u8])> {
    if memory.is_empty() {
        return None;
    }
    let end = memchr::memchr(0, memory).unwrap_or(memory.len());
    Some((memory.get(..end)?, memory.get(end + 1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Program and arguments that are started by an executable of this name with this command line.
    fn told(executable: &str, copy_of: &str, words: &[&str]) -> Option<(String, Option<String>)> {
        let head: Vec<u8> = words.iter().flat_map(|word| word.bytes().chain([0])).collect();
        let total_bytes = head.len() as u64;
        let program = Program {
            executable: Some(Executable { path: executable.as_bytes(), ..Executable::default() }),
            arguments: Some(Arguments { head: &head, tail: b"", total_bytes }),
            copy_of: Some(copy_of.as_bytes()),
            ..Program::default()
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', " ");
        let started = started(&program)?;
        let arguments = started.arguments.map(|arguments| text(arguments).trim_end().to_owned());
        Some((text(started.name()), arguments))
    }

    fn some(name: &str, arguments: Option<&str>) -> Option<(String, Option<String>)> {
        Some((name.to_owned(), arguments.map(str::to_owned)))
    }

    #[test]
    fn a_loader_runs_the_file_behind_its_options() {
        let loader = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        let run = |words: &[&str]| told(loader, "", words);
        assert_eq!(run(&["ld.so", "/bin/sh", "-i"]), some("sh", Some("-i")));
        let options =
            ["ld.so", "--library-path", "/x", "--inhibit-cache", "--argv0", "cat", "./dash"];
        assert_eq!(run(&options), some("dash", Some("")));
        let musl = ["x", "--library-path=/lib", "--", "/bin/bash", "-c", "id"];
        assert_eq!(told("/lib/ld-musl-x86_64.so.1", "", &musl), some("bash", Some("-c id")));
        for nothing in
            [["ld.so"].as_slice(), &["ld.so", "--verify", "/bin/sh"], &["ld.so", "--argv0"]]
        {
            assert_eq!(run(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn busybox_runs_what_it_is_called_or_told() {
        let run = |words: &[&str]| told("/bin/busybox", "", words);
        assert_eq!(run(&["busybox", "sh", "-c", "id"]), some("sh", Some("-c id")));
        assert_eq!(run(&["/bin/busybox-1.36", "busybox", "nsenter"]), some("nsenter", Some("")));
        assert_eq!(run(&["sh", "-c", "id"]), some("sh", None));
        assert_eq!(run(&["-ash"]), some("ash", None));
        assert_eq!(run(&["busybox"]), None);
        assert_eq!(told("/usr/bin/toybox", "", &["toybox", "cat"]), some("cat", Some("")));
    }

    #[test]
    fn one_may_run_the_other() {
        let loader = "/lib/ld-musl-x86_64.so.1";
        let both = told(loader, "", &["ld", "/bin/busybox", "sh", "-i"]);
        assert_eq!(both, some("sh", Some("-i")));
        let named = told(loader, "", &["ld", "--argv0", "sh", "/bin/busybox", "-i"]);
        assert_eq!(named, some("sh", Some("-i")));
    }

    #[test]
    fn a_copy_is_what_it_is_a_copy_of() {
        let copy = told("/tmp/x", "busybox", &["busybox", "sh"]);
        assert_eq!(copy, some("sh", Some("")));
        let loaded =
            told("/lib/ld-musl-x86_64.so.1", "busybox", &["ld", "/tmp/x", "busybox", "sh"]);
        // BusyBox goes by its first argument, which is the path.
        assert_eq!(loaded, some("x", Some("busybox sh")));
        let loaded = told("/lib64/ld-linux-x86-64.so.2", "bash", &["ld", "/tmp/x", "-i"]);
        assert_eq!(loaded, some("x", Some("-i")));
        assert_eq!(told("/tmp/x", "", &["busybox", "sh"]), None);
        assert_eq!(told("/bin/bash", "", &["busybox", "sh"]), None);
    }
}
