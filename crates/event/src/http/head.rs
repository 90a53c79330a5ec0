//! What is kept of the head of a request (RFC 9112) that anybody may have sent: method, path, host, trace context.
//!
//! Reading one allocates nothing and never fails: the head may have been cut anywhere, and what was there until
//! then is read. Invariant: nothing else of it is ever shown. Queries and parameters of paths, users of
//! authorities and all other headers may be secrets, and are passed over.

use super::TraceContext;

/// A method of RFC 9110 or RFC 5789. Requests with others are not recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are HTTP's")]
pub enum Method {
    Connect,
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
    Trace,
}

impl Method {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Connect, "CONNECT"),
        (Self::Delete, "DELETE"),
        (Self::Get, "GET"),
        (Self::Head, "HEAD"),
        (Self::Options, "OPTIONS"),
        (Self::Patch, "PATCH"),
        (Self::Post, "POST"),
        (Self::Put, "PUT"),
        (Self::Trace, "TRACE"),
    ];

    /// Its word, as it is on the wire.
    pub fn word(self) -> &'static str {
        let known = Self::ALL.iter().find(|(method, _)| *method == self);
        known.map_or("", |(_, word)| word)
    }

    fn of_word(word: &[u8]) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.as_bytes() == word).map(|(method, _)| *method)
    }
}

/// A version of HTTP/1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `1.0`
    Http10,
    /// `1.1`, or a later one that is not known.
    Http11,
}

impl Version {
    /// Its word in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
        }
    }
}

/// What is kept of a request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head<'a> {
    /// The method.
    pub method: Option<Method>,
    /// The path, up to its query or its first parameter (`?`, `#` or `;`).
    pub path: Option<&'a [u8]>,
    /// The authority that is asked, of the target or else of the header `Host`: a name or an address, and a port.
    pub host: Option<&'a [u8]>,
    /// The version that is spoken, where the request's line says it.
    pub version: Option<Version>,
    /// Of which trace it is.
    pub trace_context: Option<TraceContext<'a>>,
    /// It does not end in what was captured, so there may be more headers.
    pub is_cut: bool,
}

/// Names have 255 bytes at most; a colon and a port follow.
const HOST_BYTES: usize = 262;

impl<'a> Head<'a> {
    /// Reads what there is; nothing of no bytes.
    pub fn read(bytes: &'a [u8]) -> Self {
        let mut head = Self { is_cut: !bytes.is_empty(), ..Self::default() };
        let mut lines = Lines(bytes);
        if let Some(line) = lines.next() {
            head.read_request_line(line);
        }
        let mut traces = 0;
        for line in lines {
            if line.bytes.is_empty() && line.is_whole {
                head.is_cut = false;
                break;
            }
            // A header that does not end here may go on.
            let Some((name, value)) = line.header().filter(|_| line.is_whole) else { continue };
            if name.eq_ignore_ascii_case(b"traceparent") {
                traces += 1;
                head.trace_context = TraceContext::read(value);
            } else if name.eq_ignore_ascii_case(b"host") && head.host.is_none() {
                head.host = host(value);
            }
        }
        // Which of several would be the right one nobody can tell.
        if traces > 1 {
            head.trace_context = None;
        }
        head
    }

    fn read_request_line(&mut self, line: Line<'a>) {
        let mut words = line.bytes.splitn(3, |byte| *byte == b' ');
        self.method = words.next().and_then(Method::of_word);
        let (Some(method), Some(target)) = (self.method, words.next()) else { return };
        self.version = match words.next() {
            Some(b"HTTP/1.0") => Some(Version::Http10),
            Some(version) if line.is_whole && version.starts_with(b"HTTP/1.") => {
                Some(Version::Http11)
            }
            _ => None,
        };
        if method == Method::Connect {
            self.host = host(target);
            return;
        }
        let scheme = target.windows(3).position(|three| three == b"://");
        match target {
            [b'/', ..] | b"*" => self.path = Some(path(target)),
            _ => {
                let Some((_, rest)) = scheme.and_then(|at| target.split_at_checked(at + 3)) else {
                    return;
                };
                let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
                let (authority, rest) = rest.split_at(end.unwrap_or(rest.len()));
                // A user and a password, which are deprecated there, come before.
                self.host = authority.rsplit(|byte| *byte == b'@').next().and_then(host);
                self.path = Some(if rest.starts_with(b"/") { path(rest) } else { b"/" });
            }
        }
    }
}

fn path(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#' | b';'));
    target.get(..end.unwrap_or(target.len())).unwrap_or_default()
}

/// A name or an address with or without a port; `None` for what is none.
fn host(value: &[u8]) -> Option<&[u8]> {
    let is_allowed = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
    };
    let is_host = !value.is_empty() && value.len() <= HOST_BYTES && value.iter().all(is_allowed);
    is_host.then_some(value)
}

/// A line without its end.
#[derive(Clone, Copy)]
struct Line<'a> {
    bytes: &'a [u8],
    /// Its end is there.
    is_whole: bool,
}

impl<'a> Line<'a> {
    /// The name of a header, and its value without the space around it. A line that goes on with the header
    /// before is none.
    fn header(self) -> Option<(&'a [u8], &'a [u8])> {
        let colon = self.bytes.iter().position(|byte| *byte == b':')?;
        let (name, value) = self.bytes.split_at_checked(colon)?;
        let is_name = !name.is_empty() && !name.iter().any(u8::is_ascii_whitespace);
        is_name.then_some((name, value.get(1..)?.trim_ascii()))
    }
}

/// Lines that end with LF, or CR and LF; the last one may have no end.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (self.0.get(..end)?, self.0.get(end + 1..)?),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        let bytes = line.strip_suffix(b"\r").unwrap_or(line);
        Some(Line { bytes, is_whole: end.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn shown(head: &Head<'_>) -> String {
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"-")).into_owned();
        let (host, path) = (text(head.host), text(head.path));
        let method = head.method.map_or("-", Method::word);
        let span = head.trace_context.map_or("-", |context| context.parent_id);
        format!("{method} {host} {path} {span}{}", if head.is_cut { " cut" } else { "" })
    }

    fn read(head: &str) -> String {
        shown(&Head::read(head.as_bytes()))
    }

    #[test]
    fn a_request_has_its_method_path_host_and_trace_and_nothing_else() {
        let request = format!(
            "POST /cart/items?token=x8Kp2Qz7 HTTP/1.1\r\nHost: shop.example:8080\r\nAuthorization: Bearer \
             x8Kp2Qz7\r\nTraceParent:  {PARENT} \r\nCookie: id=x8Kp2Qz7\r\n\r\n{{\"password\":\"x8Kp2Qz7\"}}"
        );
        let head = Head::read(request.as_bytes());
        assert_eq!(shown(&head), "POST shop.example:8080 /cart/items b7ad6b7169203331");
        let everything = [
            head.path.unwrap(),
            head.host.unwrap(),
            head.trace_context.unwrap().trace_id.as_bytes(),
            head.trace_context.unwrap().parent_id.as_bytes(),
        ];
        assert!(!String::from_utf8_lossy(&everything.concat()).contains("x8Kp2Qz7"));
    }

    #[test]
    fn the_version_is_known_where_it_is_whole() {
        let version = |head: &str| Head::read(head.as_bytes()).version.map(Version::word);
        let heads = ["GET / HTTP/1.0\r\n", "GET / HTTP/1.1\n", "GET / HTTP/1.", "GET / HTTP/2\n"];
        assert_eq!(heads.map(version), [Some("1.0"), Some("1.1"), None, None]);
    }

    #[test]
    fn each_form_of_a_target_has_its_path_and_its_host() {
        for (line, expected) in [
            ("GET / HTTP/1.1", "GET h / -"),
            ("GET /a/b?c=d#e HTTP/1.1", "GET h /a/b -"),
            ("GET /a;jsessionid=1/b HTTP/1.1", "GET h /a -"),
            ("GET http://ann:secret@other.example:81/x?y HTTP/1.1", "GET other.example:81 /x -"),
            ("GET http://other.example?y HTTP/1.1", "GET other.example / -"),
            ("GET http://[::1]:80/x HTTP/1.1", "GET [::1]:80 /x -"),
            ("GET /go?to=http://ann@other.example/ HTTP/1.1", "GET h /go -"),
            ("CONNECT other.example:443 HTTP/1.1", "CONNECT other.example:443 - -"),
            ("OPTIONS * HTTP/1.1", "OPTIONS h * -"),
            ("DELETE rtsp HTTP/1.1", "DELETE h - -"),
            ("BREW /pot HTTP/1.1", "- h - -"),
        ] {
            assert_eq!(read(&format!("{line}\r\nHost: h\r\n\r\n")), expected, "{line}");
            assert_eq!(read(&format!("{line}\nhost:h\n\n")), expected, "{line}");
        }
    }

    #[test]
    fn what_was_cut_is_read_as_far_as_it_goes() {
        let request = format!("GET /a/b?c HTTP/1.1\r\nHost: h\r\ntraceparent: {PARENT}\r\n\r\n");
        let host_ends = request.find("traceparent").unwrap();
        for end in 0..request.len() {
            let told = read(&request[..end]);
            assert_eq!(told.ends_with(" cut"), end > 0, "{told}");
            // What is told of a header is what it says: its end is there.
            assert!(told.contains(" h ") == (end >= host_ends), "{end} {told}");
        }
        assert_eq!(read(&request), "GET h /a/b b7ad6b7169203331");
        assert_eq!(read("GET /a"), "GET - /a - cut");
        assert_eq!(read(""), "- - - -");
    }

    #[test]
    fn a_trace_that_is_told_twice_or_folded_or_named_otherwise_is_none() {
        let with = |headers: &str| read(&format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n"));
        assert_eq!(with(&format!("traceparent: {PARENT}")), "GET - / b7ad6b7169203331");
        for headers in [
            format!("traceparent: {PARENT}\r\ntraceparent: {PARENT}"),
            format!("traceparent:\r\n {PARENT}"),
            format!("traceparent : {PARENT}"),
            format!("x-traceparent: {PARENT}"),
            format!("traceparent: {PARENT},{PARENT}"),
        ] {
            assert_eq!(with(&headers), "GET - / -", "{headers}");
        }
    }

    #[test]
    fn a_host_that_may_hold_more_than_a_host_is_none() {
        for value in ["ann@h", "h/x8Kp2Qz7", "a b", "", &"h".repeat(300)] {
            assert_eq!(read(&format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n")), "GET - / -");
        }
    }
}
