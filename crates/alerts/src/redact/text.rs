//! Secrets in one text, whatever it is of: names with values, headers, URLs, tokens, keys as PEM.
//!
//! One pass from the left; what was found, or had been redacted before, is never looked into again, and
//! whatever lies ahead is looked at only as far as a constant, or is then passed over. So the time is linear
//! in the text, and redacting again what was redacted changes nothing.

use std::ops::Range;

use super::header::{bearer, cookies, credentials, is_list};
use super::kind::{Kind, marker_at};
use super::names;
use super::spans::Spans;
use super::tokens;
use super::url::{colon_in, webhook};
use super::value::is_harmless;

/// How far back a name begins at most.
const MAX_NAME: usize = 64;
/// How far ahead the end of an address is looked for.
const MAX_AUTHORITY: usize = 256;

/// Adds all that is secret in this text.
pub(crate) fn scan(text: &[u8], spans: &mut Spans) {
    let mut scan = Scan { text, at: 0, floor: 0, in_query: false, tells_of_users: false, spans };
    while scan.at < text.len() {
        scan.step();
    }
}

struct Scan<'t, 's> {
    text: &'t [u8],
    at: usize,
    /// The end of what was found last: nothing before it is looked at again.
    floor: usize,
    /// Within the parameters of a URL or of a form.
    in_query: bool,
    /// A statement of SQL about a user.
    tells_of_users: bool,
    spans: &'s mut Spans,
}

impl Scan<'_, '_> {
    fn byte(&self, index: usize) -> Option<u8> {
        self.text.get(index).copied()
    }

    fn from(&self, index: usize) -> &[u8] {
        self.text.get(index..).unwrap_or_default()
    }

    fn step(&mut self) {
        let Some(byte) = self.byte(self.at) else { return };
        let before = self.at.checked_sub(1).and_then(|at| self.byte(at));
        let begins = self.at == self.floor || before.is_none_or(|before| !is_word(before));
        if begins && self.begins_here(byte) {
            return;
        }
        match byte {
            b'=' | b':' => return self.separator(byte),
            b'?' | b'&' => self.in_query = true,
            b'\'' | b'"' => {
                self.in_query = false;
                return self.quote();
            }
            _ if byte.is_ascii_whitespace() => self.in_query = false,
            _ => {}
        }
        self.at += 1;
    }

    /// What may stand at the begin of a word, or begins with a sign.
    fn begins_here(&mut self, byte: u8) -> bool {
        let rest = self.from(self.at);
        if byte == b'<'
            && let Some(length) = marker_at(rest)
        {
            self.pass(self.at + length);
            return true;
        }
        if byte == b'-'
            && let Some(range) = private_key(rest)
        {
            self.found(self.at + range.start..self.at + range.end, Kind::PrivateKey);
            return true;
        }
        if let Some((length, kind)) = tokens::at(rest) {
            self.found(self.at..self.at + length, kind);
            return true;
        }
        if matches!(byte, b'b' | b'B')
            && let Some(range) = bearer(rest)
        {
            self.found(self.at + range.start..self.at + range.end, Kind::Token);
            return true;
        }
        if matches!(byte | 0x20, b'i' | b'u' | b'r') {
            let is = |word: &[u8]| {
                rest.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
            };
            self.tells_of_users |= is(b"identified ") || is(b"user ") || is(b"role ");
        }
        false
    }

    fn pass(&mut self, end: usize) {
        self.at = end;
        self.floor = end;
    }

    fn found(&mut self, range: Range<usize>, kind: Kind) {
        self.pass(range.end);
        self.spans.add(range, kind);
    }

    /// The name that ends there, going back.
    fn name_before(&self, end: usize) -> Range<usize> {
        let lowest = end.saturating_sub(MAX_NAME).max(self.floor);
        let before = self.text.get(lowest..end).unwrap_or_default();
        let length = before.iter().rev().take_while(|byte| is_name(**byte)).count();
        end - length..end
    }

    /// `NAME=VALUE`, `"NAME": "VALUE"`, or `SCHEME://`.
    fn separator(&mut self, separator: u8) {
        let at = self.at;
        if separator == b':' && self.from(at).starts_with(b"://") {
            return self.url();
        }
        self.at += 1;
        let back = |end: usize, is: fn(u8) -> bool| {
            end.checked_sub(1).filter(|end| *end >= self.floor && self.byte(*end).is_some_and(is))
        };
        let mut end = at;
        let mut is_spaced = false;
        while let Some(space) = back(end, |byte| byte == b' ').filter(|end| at - end <= 2) {
            (end, is_spaced) = (space, true);
        }
        let closed = back(end, is_quote);
        end = closed.unwrap_or(end);
        if closed.is_some() {
            end = back(end, |byte| byte == b'\\').unwrap_or(end);
        }
        let name = self.name_before(end);
        let name_start = name.start;
        let before = name.start.checked_sub(1).and_then(|index| self.byte(index));
        let is_parameter = self.in_query || matches!(before, Some(b'?' | b'&'));
        let known = self.text.get(name).unwrap_or_default();
        let kind = if is_parameter { names::secret_parameter(known) } else { names::secret(known) };
        let Some(kind) = kind else { return };
        if separator == b':' && before == Some(b':') {
            // The name of a resource: `arn:aws:secretsmanager:eu:1:secret:web`.
            return;
        }
        let up_to_name = self.text.get(self.floor..name_start).unwrap_or_default();
        if up_to_name.ends_with(b"from-file=") {
            return;
        }

        let mut start = at + 1 + usize::from(self.from(at).starts_with(b"=>"));
        let spaces = self.from(start).iter().take(8).take_while(|byte| **byte == b' ').count();
        if separator == b'=' && spaces > 0 && !is_spaced {
            // The shell's way to say nothing.
            return;
        }
        start += spaces;
        if closed.is_none() && before.is_some_and(is_quote) && self.byte(start) == before {
            // The quote was opened before the name.
            return;
        }
        let ends: fn(u8) -> bool = match before {
            _ if is_parameter => |byte| matches!(byte, b'&' | b'#'),
            Some(b';') => |byte| byte == b';',
            _ => |byte| matches!(byte, b'&' | b';' | b',' | b')' | b'}' | b']' | b'|'),
        };
        let outer = before.filter(|byte| is_quote(*byte) && closed.is_none());
        self.value(start, kind, outer, ends);
    }

    /// `PASSWORD 'VALUE'`, `IDENTIFIED BY 'VALUE'`, `PASSWORD('VALUE')`
    fn quote(&mut self) {
        let at = self.at;
        self.at += 1;
        let Some(before) = at.checked_sub(1).filter(|before| *before >= self.floor) else { return };
        let is_call = self.byte(before) == Some(b'(');
        let follows_name = is_call || self.tells_of_users && self.byte(before) == Some(b' ');
        if !follows_name {
            return;
        }
        let name = self.text.get(self.name_before(before)).unwrap_or_default();
        let is_by = !is_call && name.eq_ignore_ascii_case(b"by");
        if is_by || names::secret(name) == Some(Kind::Password) {
            self.value(at, Kind::Password, None, |_| false);
        }
    }

    /// The value that begins there, to the end of its quotes, or to a byte that ends it. `outer` is the
    /// quote that was opened before the name.
    fn value(&mut self, start: usize, kind: Kind, outer: Option<u8>, ends: fn(u8) -> bool) {
        let escaped = usize::from(self.from(start).starts_with(b"\\"));
        let quote = self.byte(start + escaped).filter(|byte| is_quote(*byte));
        let range = match quote {
            Some(quote) => {
                let start = start + escaped + 1;
                start..start + quoted_length(self.from(start), quote, escaped > 0)
            }
            None => {
                let rest = self.from(start);
                let is_list = kind == Kind::Authorization && is_list(rest);
                let is_end = |byte: u8| match (kind, outer) {
                    (Kind::Authorization | Kind::Cookie, Some(outer)) => byte == outer,
                    (Kind::Authorization | Kind::Cookie, None) => {
                        byte == b'\n' || is_quote(byte) && !is_list
                    }
                    _ => byte.is_ascii_whitespace() || is_quote(byte) || ends(byte),
                };
                // No further than to what may be secret: the rest of the line is looked at again.
                let most = match kind {
                    Kind::Authorization if !is_list => credentials(rest, false).end,
                    Kind::Cookie => cookies(rest, false).end,
                    _ => rest.len(),
                };
                let length = rest.iter().take(most).position(|byte| is_end(*byte));
                start..start + length.unwrap_or(most)
            }
        };
        let value = self.text.get(range.clone()).unwrap_or_default();
        let part = match kind {
            Kind::Authorization => credentials(value, quote.is_some()),
            Kind::Cookie => cookies(value, quote.is_some()),
            _ => 0..value.len(),
        };
        if value.get(part.clone()).is_none_or(|value| is_harmless(value, kind)) {
            return;
        }
        self.found(range.start + part.start..range.start + part.end, kind);
    }

    /// What lies before the host, and hosts whose paths are secret.
    fn url(&mut self) {
        let start = self.at + 3;
        self.at = start;
        let rest = self.from(start);
        if let Some(range) = webhook(rest) {
            return self.found(start + range.start..start + range.end, Kind::Webhook);
        }
        let near = rest.get(..MAX_AUTHORITY).unwrap_or(rest);
        let is_over = |byte: u8| byte.is_ascii_whitespace() || is_quote(byte);
        let near = near.split(|byte| is_over(*byte)).next().unwrap_or_default();
        let authority = near.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next();
        let authority = authority.unwrap_or_default();
        let last_at = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'@');
        // A password may hold what it should not, such as a slash; a host's port may not.
        let is_port = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
        let colon = colon_in(authority);
        let is_whole = colon.is_none_or(|colon| authority.get(colon + 1..).is_none_or(is_port));
        let end = last_at(authority).or_else(|| if is_whole { None } else { last_at(near) });
        let Some(end) = end else { return };
        let user_info = rest.get(..end).unwrap_or_default();
        let (user, password) = match colon_in(user_info) {
            Some(colon) => (0..colon, colon + 1..end),
            None => (0..end, end..end),
        };
        let part = |range: &Range<usize>| rest.get(range.clone()).unwrap_or_default();
        let is_token = |user: &[u8]| {
            user.len() >= 16 && user.iter().any(u8::is_ascii_digit) && marker_at(user).is_none()
        };
        let no_password = matches!(part(&password), b"" | b"x-oauth-basic");
        let secret = if no_password && is_token(part(&user)) {
            user
        } else if no_password || is_harmless(part(&password), Kind::Password) {
            // A shell's variable, or redacted already; the host follows.
            return self.pass(start + end);
        } else {
            password
        };
        self.spans.add(start + secret.start..start + secret.end, Kind::UrlPassword);
        self.pass(start + end);
    }
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) fn is_name(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'-' | b'.')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"')
}

/// To the quote that closes, or to the end. Quotes that were escaped as a whole close escaped.
fn quoted_length(bytes: &[u8], quote: u8, is_escaped: bool) -> usize {
    let mut before = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if *byte == quote && (before == b'\\') == is_escaped {
            return index - usize::from(is_escaped);
        }
        before = if before == b'\\' && !is_escaped { 0 } else { *byte };
    }
    bytes.len()
}

/// From the dashes before `BEGIN … PRIVATE KEY` to those after `END`, or to the end.
fn private_key(bytes: &[u8]) -> Option<Range<usize>> {
    let rest = bytes.strip_prefix(b"-----BEGIN ").or_else(|| bytes.strip_prefix(b"---- BEGIN "))?;
    let label = rest.get(..40).unwrap_or(rest);
    label.windows(11).any(|window| window == b"PRIVATE KEY").then_some(())?;
    const END: &[u8] = b"-----END ";
    let end = bytes.windows(END.len()).position(|window| window == END);
    let Some(end) = end else { return Some(0..bytes.len()) };
    let after = bytes.get(end + END.len()..).unwrap_or_default();
    let dashes = after.get(..64).unwrap_or(after).windows(5).position(|window| window == b"-----");
    Some(0..dashes.map_or(bytes.len(), |dashes| end + END.len() + dashes + 5))
}
