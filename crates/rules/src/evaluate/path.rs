//! Absolute paths without `.`, `..` and doubled slashes. Nothing is resolved: of links this knows nothing.

use super::PathPart;

/// A path reads as it is: it is absolute, and has nothing in it that normalising takes away.
pub(crate) fn is_normal(path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(b"/") else { return false };
    rest.is_empty()
        || !rest.split(|byte| *byte == b'/').any(|part| matches!(part, b"" | b"." | b".."))
}

/// A part of a path that is normal.
pub(crate) fn part(path: &[u8], part: PathPart) -> &[u8] {
    let Some(slash) = memchr::memrchr(b'/', path) else { return path };
    match part {
        PathPart::Whole => path,
        PathPart::Directory => path.get(..slash.max(1)).unwrap_or(path),
        PathPart::Name => path.get(slash + 1..).unwrap_or_default(),
    }
}

/// Appends a part of a path once it is normal.
pub(super) fn write(path: &[u8], wanted: PathPart, out: &mut Vec<u8>) {
    let start = out.len();
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                let written = out.get(start..).unwrap_or_default();
                let end = memchr::memrchr(b'/', written).unwrap_or_default();
                out.truncate(start + end);
            }
            component => {
                out.push(b'/');
                out.extend_from_slice(component);
            }
        }
    }
    if out.len() == start {
        out.push(b'/');
    }
    let written = out.get(start..).unwrap_or_default();
    let (whole, kept) = (written.len(), part(written, wanted).len());
    if wanted == PathPart::Name {
        out.drain(start..start + whole - kept);
    } else {
        out.truncate(start + kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_normalised_by_its_text_alone() {
        for (path, whole, directory, name) in [
            ("/etc/../etc//shadow", "/etc/shadow", "/etc", "shadow"),
            ("/../..", "/", "/", ""),
            ("/a/./b/", "/a/b", "/a", "b"),
            ("/x/..", "/", "/", ""),
            ("//x", "/x", "/", "x"),
        ] {
            assert!(!is_normal(path.as_bytes()), "{path}");
            let parts = [PathPart::Whole, PathPart::Directory, PathPart::Name];
            for (wanted, expected) in parts.into_iter().zip([whole, directory, name]) {
                let mut out = b"before".to_vec();
                write(path.as_bytes(), wanted, &mut out);
                assert_eq!(out, [b"before", expected.as_bytes()].concat(), "{path} {wanted:?}");
                assert_eq!(
                    part(whole.as_bytes(), wanted),
                    expected.as_bytes(),
                    "{path} {wanted:?}"
                );
            }
            assert!(is_normal(whole.as_bytes()), "{whole}");
        }
        assert!(is_normal(b"/etc/a..b/.c") && !is_normal(b"etc"));
    }
}
