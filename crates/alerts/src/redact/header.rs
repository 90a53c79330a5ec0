//! The headers that let somebody in: what of their values is secret.

use std::ops::Range;

use super::text::is_name;

/// Words that say how the credentials after them are to be read; some have several, to the end.
const SCHEMES: &[(&[u8], bool)] = &[
    (b"bearer", false),
    (b"basic", false),
    (b"token", false),
    (b"apikey", false),
    (b"negotiate", false),
    (b"ntlm", false),
    (b"splunk", false),
    (b"key", false),
    (b"sharedkey", false),
    (b"bot", false),
    (b"digest", true),
    (b"hawk", true),
    (b"oauth", true),
    (b"signature", true),
    (b"aws", true),
    (b"aws4-hmac-sha256", true),
];

/// Whether these credentials are several, with quotes among them.
pub(super) fn is_list(value: &[u8]) -> bool {
    let word = value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    SCHEMES.iter().any(|(known, is_list)| *is_list && known.eq_ignore_ascii_case(word))
}

/// What is secret in the value of `Authorization`: what comes after the scheme.
pub(super) fn credentials(value: &[u8], is_quoted: bool) -> Range<usize> {
    let word = |start: usize| {
        let rest = value.get(start..).unwrap_or_default();
        start + rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len())
    };
    let first = word(0);
    let scheme = value.get(..first).unwrap_or_default();
    let known = SCHEMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme));
    let Some((_, is_list)) = known else {
        return 0..if is_quoted { value.len() } else { first };
    };
    let rest = value.get(first..).unwrap_or_default();
    let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let start = first + spaces;
    start..if *is_list || is_quoted { value.len() } else { word(start) }
}

/// `a=b; c=d`: without quotes, as long as a word ends with `;`.
pub(super) fn cookies(value: &[u8], is_quoted: bool) -> Range<usize> {
    if is_quoted {
        return 0..value.len();
    }
    let is_last = |(index, byte): (usize, &u8)| {
        byte.is_ascii_whitespace()
            && index.checked_sub(1).and_then(|at| value.get(at)) != Some(&b';')
    };
    0..value.iter().enumerate().position(is_last).unwrap_or(value.len())
}

/// `Bearer TOKEN` without its header.
pub(super) fn bearer(bytes: &[u8]) -> Option<Range<usize>> {
    const BEARER: &[u8] = b"bearer ";
    bytes.get(..BEARER.len()).filter(|begin| begin.eq_ignore_ascii_case(BEARER))?;
    let rest = bytes.get(BEARER.len()..)?;
    let is_part =
        |byte: &u8| is_name(*byte) || matches!(byte, b'~' | b'+' | b'/' | b'=' | b'%' | b':');
    let length = rest.iter().take_while(|byte| is_part(byte)).count();
    let has_digit = rest.get(..length)?.iter().any(u8::is_ascii_digit);
    (length >= 16 && has_digit).then_some(BEARER.len()..BEARER.len() + length)
}
