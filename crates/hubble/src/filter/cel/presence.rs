//! `has(a.b)`, which the interpreter would answer by reading the field; and a field that is not set reads
//! as zero. So it is rewritten to `a["?b"]`, which a message answers by whether the field is set.

use std::sync::LazyLock;

use regex::Regex;

/// A field that is asked about and not for.
pub(super) const MARK: char = '?';

static HAS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\bhas\(\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.([A-Za-z_]\w*)\s*\)").ok()
});

/// The same text without `has` of paths, save in strings.
pub(super) fn rewrite(text: &str) -> String {
    let Some(has) = HAS.as_ref() else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['"', '\'']) {
        let (code, string) = rest.split_at(start);
        out.push_str(&has.replace_all(code, r#"$1["?$2"]"#));
        let end = end_of_string(string);
        let (string, behind) = string.split_at(end);
        out.push_str(string);
        rest = behind;
    }
    out.push_str(&has.replace_all(rest, r#"$1["?$2"]"#));
    out
}

/// Behind the quote that closes a string, or the end of the text.
fn end_of_string(string: &str) -> usize {
    let mut characters = string.char_indices();
    let Some((_, quote)) = characters.next() else { return string.len() };
    let mut is_escaped = false;
    for (at, character) in characters {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return at + character.len_utf8(),
            _ => {}
        }
    }
    string.len()
}
