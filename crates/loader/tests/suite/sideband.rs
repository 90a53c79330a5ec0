//! What the kernel tells of a program that is executed, compared with what `/proc` says of it.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use chandra_loader::clock;
use chandra_loader::sideband::{Happened, Sideband};

#[test]
fn a_program_is_forked_executed_mapped_and_ended_in_this_order() {
    if !crate::common::is_root() {
        return;
    }
    let mut sideband = Sideband::open().unwrap();
    let before = clock::boottime_ns();
    let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    // Its memory as it is while it waits for input.
    let maps = loop {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        if maps.lines().any(|line| line.contains("libc") && line.contains(" r-xp ")) {
            break maps;
        }
        std::thread::yield_now();
    };
    let program = std::fs::metadata(format!("/proc/{pid}/exe")).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());

    let mut steps = Vec::new();
    let (mut pieces, mut last) = (Vec::new(), before);
    sideband.drain(&mut |event| {
        assert!(event.boottime_ns >= last || event.boottime_ns < before, "in the order of time");
        last = last.max(event.boottime_ns);
        match event.happened {
            Happened::Forked { pid: child, parent } if child == pid => {
                assert_eq!(parent, std::process::id());
                steps.push("forked");
            }
            Happened::Executed { pid: executed } if executed == pid => steps.push("executed"),
            Happened::Mapped(mapped) if mapped.pid == pid && steps.contains(&"executed") => {
                if steps.last() != Some(&"mapped") {
                    steps.push("mapped");
                }
                pieces.push((mapped.start, mapped.offset, mapped.inode));
            }
            Happened::Exited { pid: ended } if ended == pid => steps.push("ended"),
            _ => {}
        }
    });
    assert_eq!(steps, ["forked", "executed", "mapped", "ended"]);
    assert!(pieces.iter().any(|(_, _, inode)| *inode == program.ino()), "{pieces:?}");
    // A piece that it still had at the end was told, with its place in its file.
    for line in maps.lines().filter(|line| line.contains(" r-xp ") && line.contains(" /")) {
        let words: Vec<_> = line.split_whitespace().collect();
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let start = number(words[0].split_once('-').unwrap().0);
        let piece = (start, number(words[2]), words[4].parse().unwrap());
        assert!(pieces.contains(&piece), "{line}: {pieces:x?}");
    }
}
