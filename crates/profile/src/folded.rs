//! Folded stacks: a stack a line, frames from the root parted by `;`, then a space and a value.
//!
//! The format of Brendan Gregg's FlameGraph scripts, which most tools read. Kinds of frames are the suffixes
//! that those scripts know: `_[k]` kernel, `_[i]` inlined, `_[j]` compiled at run time.

use std::io::{self, Write};

use crate::frame::{Frame, FrameId, Kind};
use crate::metadata::ValueType;
use crate::owner::{Grouping, OwnerId};
use crate::profile::{Limits, Profile};
use crate::text::push_visible;
use crate::tree::Tree;

/// A line that is not a stack and a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Error {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

const SUFFIXES: [(&str, Kind); 3] =
    [("_[k]", Kind::Kernel), ("_[i]", Kind::Inlined), ("_[j]", Kind::Jit)];

/// Reads folded stacks. Empty lines, and those that begin with `# `, are passed over.
///
/// # Errors
/// At the first line that is something else, and when there is no stack at all.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Profile, Error> {
    let mut profile = Profile::new(vec![ValueType::samples()], limits);
    let mut frames = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() || line.starts_with(b"# ") {
            continue;
        }
        let error = |why| Error { line: number, why };
        let (stack, value) = split(line).ok_or(error("no value after the stack"))?;
        let value = std::str::from_utf8(value).ok().and_then(|digits| digits.parse::<u64>().ok());
        let value = value.ok_or(error("the value is not a whole number"))?;
        frames.clear();
        for name in stack.split(|byte| *byte == b';') {
            frames.push(frame(&mut profile, &String::from_utf8_lossy(name)));
        }
        let stack = profile.stack(&frames);
        profile
            .add(stack, OwnerId::UNKNOWN, None, &[value])
            .map_err(|_| error("a stack has one value"))?;
    }
    if profile.sample_count() == 0 {
        return Err(Error { line: 1, why: "there is no stack" });
    }
    Ok(profile)
}

/// At the last space.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_end();
    let space = line.iter().rposition(|byte| *byte == b' ' || *byte == b'\t')?;
    Some((line.get(..space)?.trim_ascii_end(), line.get(space + 1..)?))
}

fn frame(profile: &mut Profile, name: &str) -> FrameId {
    let suffixed = |(suffix, kind)| Some((name.strip_suffix(suffix)?, kind));
    let (name, kind) = (SUFFIXES.into_iter().find_map(suffixed))
        .unwrap_or_else(|| (name, Kind::guess(name, "", "")));
    let function = profile.text(name);
    profile.frame(Frame { function, kind, ..Frame::default() })
}

/// Whether bytes look like folded stacks: their first line that counts is one.
pub fn looks_like(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = lines.find(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"# "));
    let value = first.and_then(|line| Some(split(line.strip_suffix(b"\r").unwrap_or(line))?.1));
    value.is_some_and(|value| !value.is_empty() && value.iter().all(u8::is_ascii_digit))
}

/// Writes the value of this index, grouped. Stacks of value 0 are left out.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    profile: &Profile,
    grouping: Grouping,
    value: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tree = Tree::new(profile, grouping, &[value]);
    write_tree(&tree, out)
}

/// Writes all values of a tree, parted by spaces.
pub(crate) fn write_tree(tree: &Tree, out: &mut dyn Write) -> io::Result<()> {
    let mut names: Vec<String> = Vec::with_capacity(tree.labels().len());
    for label in tree.labels() {
        let mut name = String::new();
        push_visible(&mut name, &label.name, usize::MAX);
        // A semicolon parts frames and cannot be escaped; a colon is what FlameGraph's scripts write.
        let mut name = name.replace(';', ":");
        name.push_str(SUFFIXES.iter().find(|it| it.1 == label.kind).map_or("", |it| it.0));
        names.push(name);
    }
    let name = |label: u32| names.get(label as usize).map_or("", String::as_str);
    // Of each node on the path to where the walk is, how long the line is with it.
    let mut line = String::new();
    let mut walk = vec![(0_u32, 0_usize)];
    while let Some((node, around)) = walk.pop() {
        line.truncate(around);
        if node != 0 {
            if around > 0 {
                line.push(';');
            }
            line.push_str(name(tree.nodes().get(node as usize).map_or(0, |node| node.label)));
        }
        let own = tree.own(node);
        if own.iter().any(|value| *value > 0) {
            let stack = if line.is_empty() { "[no stack]" } else { &line };
            out.write_all(stack.as_bytes())?;
            for value in own {
                write!(out, " {value}")?;
            }
            out.write_all(b"\n")?;
        }
        let length = line.len();
        walk.extend(tree.children(node).iter().rev().map(|child| (*child, length)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{looks_like, read, write};
    use crate::frame::Kind;
    use crate::owner::Grouping;
    use crate::profile::Limits;

    fn written_again(text: &str) -> String {
        let profile = read(text.as_bytes(), Limits::default()).unwrap();
        let mut out = Vec::new();
        write(&profile, Grouping::None, 0, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_was_read_is_written() {
        let text =
            "main;do work(int, char) 5\nmain;sys_read_[k] 3\nmain;inner_[i] 1\n[unknown] 1\n";
        assert_eq!(written_again(text), text);
    }

    #[test]
    fn lines_that_are_alike_add_up_and_remarks_are_passed_over() {
        assert_eq!(written_again("# a remark\r\nmain;a 1\r\n\nmain;a 2"), "main;a 3\n");
    }

    #[test]
    fn what_is_no_stack_is_told_with_its_line() {
        let error = |text: &str| read(text.as_bytes(), Limits::default()).unwrap_err().to_string();
        assert_eq!(error("main 1\nmain\n"), "line 2: no value after the stack");
        assert_eq!(error("main -1\n"), "line 1: the value is not a whole number");
        assert_eq!(error("main 99999999999999999999\n"), "line 1: the value is not a whole number");
        assert_eq!(error("\n"), "line 1: there is no stack");
    }

    #[test]
    fn kinds_are_read_from_suffixes() {
        let profile = read(b"main;a_[k];b_[j];[lost: ring full] 1\n", Limits::default()).unwrap();
        let sample = profile.samples().next().unwrap();
        let kinds: Vec<_> =
            profile.frames_from_leaf(sample.stack).map(|it| profile.frame_of(it).kind).collect();
        assert_eq!(kinds, [Kind::Marker, Kind::Jit, Kind::Kernel, Kind::Native]);
    }

    #[test]
    fn folded_stacks_are_recognised() {
        assert!(looks_like(b"# x\nmain;work 12\n"));
        assert!(!looks_like(b"{\"a\": 1}\n"));
        assert!(!looks_like(b"\x0a\x04\x08\x01\x10\x02"));
    }
}
