//! What is asked of HTTP.

use std::borrow::Cow;

use super::Why;

/// `404`, `40+`, `4+`: a status, or the beginning of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCodes {
    least: u32,
    most: u32,
}

impl StatusCodes {
    /// What was typed.
    pub fn parse(text: &str) -> Result<Self, Why> {
        let digits = text.strip_suffix('+').unwrap_or(text);
        let is_prefix = digits.len() < text.len();
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let has_class = digits.as_bytes().first().is_some_and(|byte| (b'1'..=b'5').contains(byte));
        let number = digits.parse::<u32>().ok().filter(|_| is_number && has_class);
        let unit = match (is_prefix, digits.len()) {
            (false, 3) => 1,
            (true, 2) => 10,
            (true, 1) => 100,
            _ => return Err(Why::StatusCode),
        };
        let least = number.ok_or(Why::StatusCode)? * unit;
        Ok(Self { least, most: least + unit - 1 })
    }

    /// Whether a status is meant; requests have none, 0.
    pub fn matches(self, code: u32) -> bool {
        (self.least..=self.most).contains(&code)
    }
}

/// The path of a URL as a request may have it (RFC 9112, 3.2), with its percent signs resolved; `None`
/// where it is none.
pub fn path(url: &str) -> Option<Cow<'_, str>> {
    let hierarchical = match url.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => {
            rest.find(['/', '?']).map_or("", |at| &rest[at..])
        }
        _ if url.starts_with('/') || url == "*" => url,
        _ => return None,
    };
    let path = hierarchical.split('?').next().unwrap_or_default();
    if path.contains('%') { decode(path).map(Cow::Owned) } else { Some(Cow::Borrowed(path)) }
}

fn is_scheme(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && text.bytes().all(is_inner)
}

fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = rest.get(2..)?;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_whole_or_begins_so() {
        for (text, least, most) in [("404", 404, 404), ("40+", 400, 409), ("4+", 400, 499)] {
            assert_eq!(StatusCodes::parse(text), Ok(StatusCodes { least, most }));
        }
        for text in ["", "+", "4", "40", "404+", "600", "6+", "04+", "4++", "4 ", "+40", "4x+"] {
            assert_eq!(StatusCodes::parse(text), Err(Why::StatusCode), "{text}");
        }
    }

    #[test]
    fn the_path_is_between_host_and_query() {
        for (url, expected) in [
            ("http://x/a/b?c=/d", Some("/a/b")),
            ("http://x", Some("")),
            ("http://x?q", Some("")),
            ("/a?b", Some("/a")),
            ("*", Some("*")),
            ("/a%2Fb%20c", Some("/a/b c")),
            ("/%zz", None),
            ("/%2", None),
            ("a/b", None),
            ("", None),
        ] {
            assert_eq!(path(url).as_deref(), expected, "{url}");
        }
    }
}
