//! What was meant, perhaps: the nearest of the words that there are.

/// The nearest of some words, if any is near.
pub(crate) fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let far = |other: &str| strsim::damerau_levenshtein(word, other);
    // A word of another length by more than that is not near, and comparing costs length by length.
    let near = (word.len() / 3).clamp(1, 4);
    let words = words.into_iter().filter(|other| other.len().abs_diff(word.len()) <= near);
    let words = words.map(|other| (far(other), other)).filter(|(far, _)| *far <= near);
    words.min_by_key(|(far, _)| *far).map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        let words = ["proc.name", "proc.pname", "fd.name"];
        assert_eq!(nearest("proc.nmae", words), Some("proc.name"));
        assert_eq!(nearest("proc.pnam", words), Some("proc.pname"));
        assert_eq!(nearest("container.id", words), None);
        assert_eq!(nearest("", words), None);
    }
}
