//! Regular expressions as RE2 has them, which is what Hubble's users write.
//!
//! Both RE2 and `regex` match in linear time and find the same; where the same text means something
//! else to `regex`, it is rewritten: classes of letters and digits are ASCII, `\Q…\E` quotes, and in a
//! set `[`, `&` and `~` are themselves.

use regex::{Regex, RegexBuilder};

use super::Why;

/// Compiles an expression; matching is not anchored.
pub fn compile(text: &str, most_compiled_bytes: usize) -> Result<Regex, Why> {
    RegexBuilder::new(&translate(text))
        .size_limit(most_compiled_bytes)
        .dfa_size_limit(most_compiled_bytes)
        .nest_limit(64)
        .build()
        .map_err(|error| Why::Regex(reason(&error)))
}

/// The last line is what is wrong; those above draw the expression.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim().trim_start_matches("error: ").to_owned()
}

fn translate(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut is_in_set = false;
    let mut begins_set = false;
    while let Some(character) = characters.next() {
        let began_set = std::mem::take(&mut begins_set);
        match character {
            '\\' => match characters.next() {
                Some('Q') if !is_in_set => quote(&mut characters, &mut out),
                Some(escaped) => push_escape(escaped, is_in_set, &mut out),
                None => out.push('\\'),
            },
            '[' if !is_in_set => {
                is_in_set = true;
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                begins_set = true;
            }
            '[' if characters.peek() == Some(&':') => push_named_class(&mut characters, &mut out),
            ']' if is_in_set && began_set => out.push_str("\\]"),
            ']' if is_in_set => {
                is_in_set = false;
                out.push(']');
            }
            '[' | '&' | '~' if is_in_set => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    out
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// `[:alpha:]`, or a bracket that is only itself.
fn push_named_class(characters: &mut Characters<'_>, out: &mut String) {
    let ahead: String = characters.clone().collect();
    let end = ahead.find(":]").filter(|end| *end > 0);
    let name = end.and_then(|end| ahead.get(1..end));
    let is_name =
        |name: &&str| name.trim_start_matches('^').bytes().all(|b| b.is_ascii_alphabetic());
    let Some(name) = name.filter(is_name) else { return out.push_str("\\[") };
    out.push_str("[:");
    out.push_str(name);
    out.push_str(":]");
    for _ in 0..name.len() + 3 {
        characters.next();
    }
}

fn quote(characters: &mut Characters<'_>, out: &mut String) {
    while let Some(character) = characters.next() {
        if character == '\\' && characters.next_if_eq(&'E').is_some() {
            return;
        }
        out.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
    }
}

fn push_escape(escaped: char, is_in_set: bool, out: &mut String) {
    out.push_str(match escaped {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => "[\\t\\n\\x0C\\r ]",
        'S' => "[^\\t\\n\\x0C\\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        'b' if !is_in_set => "(?-u:\\b)",
        'B' if !is_in_set => "(?-u:\\B)",
        _ => {
            out.push('\\');
            return out.push(escaped);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_re2_says() {
        for (expression, text, expected) in [
            ("^a.c$", "abc", true),
            ("b", "abc", true),
            (r"^\d+$", "123", true),
            (r"^\d+$", "١٢٣", false),
            (r"^[\d]+$", "12", true),
            (r"^[^\d]$", "1", false),
            (r"^\D$", "١", true),
            (r"^\w+$", "aé", false),
            (r"^\w+\b", "aé", true),
            (r"^\s$", "\u{a0}", false),
            (r"^\Qa.c\E$", "a.c", true),
            (r"^\Qa.c\E$", "abc", false),
            (r"\Qa+b", "a+b", true),
            ("^[a&&b]+$", "a&b", true),
            ("^[a[b]+$", "a[b", true),
            ("^[]a]+$", "a]", true),
            ("^[^]a]$", "]", false),
            ("^[[:alpha:]-]+$", "a-b", true),
            ("^[[:^alpha:]]+$", "12", true),
            ("^[x[:y]+$", "x[:y", true),
            ("(?i)ABC", "xabcx", true),
            (r"\.example\.com\.$", "a.example.com.", true),
            ("", "anything", true),
            (r"\x41\x{42}", "AB", true),
        ] {
            let regex = compile(expression, 256 << 10).expect(expression);
            assert_eq!(regex.is_match(text), expected, "{expression} {text}");
        }
    }

    #[test]
    fn what_means_nothing_or_is_too_large_is_refused() {
        for expression in ["(", "[", "a**b(", r"\", r"(a)\1", "(?=a)", "a{1000}{1000}{1000}"] {
            match compile(expression, 256 << 10) {
                Err(Why::Regex(why)) => assert!(!why.is_empty() && !why.contains('\n'), "{why:?}"),
                other => panic!("{expression}: {other:?}"),
            }
        }
        assert!(compile(&"(".repeat(4000), 256 << 10).is_err());
    }
}
