//! Paths as a caller asked for them. A probe writes where the name begins, a slash and the name, so that
//! together they are the path.

/// The path, made absolute but not resolved, and the name as it was given. `start` are the bytes of where
/// the name begins: none for a name that begins at the root, or is no path.
pub(crate) fn path_and_name(bytes: &[u8], start: usize) -> Option<(&[u8], &[u8])> {
    let name = bytes.get(start + 1..)?;
    let path = match start {
        0 => name,
        // The root's own slash is enough.
        1 => bytes.get(1..)?,
        _ => bytes,
    };
    Some((path, name))
}
