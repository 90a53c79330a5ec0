//! The header `traceparent` (W3C Trace Context, levels 1 and 2): of which trace a request is a part.

/// A request's place in its trace, as its header says it. Borrowed: both ids are valid as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext<'a> {
    /// 32 hexadecimal digits in lower case, not all of them 0.
    pub trace_id: &'a str,
    /// The span of whoever asks: 16 such digits, not all of them 0.
    pub parent_id: &'a str,
    /// Bit 0: whoever asks records it. The others are of later versions.
    pub flags: u8,
}

/// `VERSION-TRACE_ID-PARENT_ID-FLAGS`
const BYTES: usize = 55;

impl<'a> TraceContext<'a> {
    /// Reads the value of the header; `None` where it is not valid. Of a version that is not known yet the
    /// beginning is read as that of version 0, as the recommendation has it.
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(BYTES)?;
        let known = std::str::from_utf8(known).ok()?;
        let mut parts = known.split('-');
        let mut digits = |count| {
            let part = parts.next().filter(|part| part.len() == count)?;
            part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(part)
        };
        let (version, trace_id, parent_id, flags) =
            (digits(2)?, digits(32)?, digits(16)?, digits(2)?);
        let is_version = match version {
            "00" => rest.is_empty(),
            "ff" => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let is_id = |id: &str| id.bytes().any(|byte| byte != b'0');
        let flags = u8::from_str_radix(flags, 16).ok()?;
        (is_version && is_id(trace_id) && is_id(parent_id)).then_some(Self {
            trace_id,
            parent_id,
            flags,
        })
    }

    /// Whoever asks records it.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The id of the trace as bytes.
    pub fn trace_id_bytes(&self) -> [u8; 16] {
        u128::from_str_radix(self.trace_id, 16).unwrap_or_default().to_be_bytes()
    }

    /// The id of the span of whoever asks.
    pub fn parent_id_number(&self) -> u64 {
        u64::from_str_radix(self.parent_id, 16).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn read(value: &str) -> Option<(&str, &str, u8)> {
        let context = TraceContext::read(value.as_bytes())?;
        Some((context.trace_id, context.parent_id, context.flags))
    }

    #[test]
    fn what_the_recommendation_shows_is_read() {
        let value = format!("00-{TRACE}-b7ad6b7169203331-01");
        let context = TraceContext::read(value.as_bytes()).unwrap();
        assert_eq!((context.trace_id, context.parent_id), (TRACE, "b7ad6b7169203331"));
        assert!(context.is_sampled());
        assert_eq!(context.trace_id_bytes()[..3], [0x0a, 0xf7, 0x65]);
        assert_eq!(context.parent_id_number(), 0xb7ad_6b71_6920_3331);
        let other = format!("00-{TRACE}-b7ad6b7169203331-02");
        assert!(!TraceContext::read(other.as_bytes()).unwrap().is_sampled());
    }

    #[test]
    fn a_version_that_is_not_known_yet_may_have_more_behind() {
        let head = format!("{TRACE}-b7ad6b7169203331-01");
        for (value, is_valid) in [
            (format!("00-{head}-more"), false),
            (format!("00-{head} "), false),
            (format!("01-{head}"), true),
            (format!("cc-{head}-what-the-future-will-be-like"), true),
            (format!("cc-{head}."), false),
            (format!("ff-{head}"), false),
        ] {
            assert_eq!(read(&value).is_some(), is_valid, "{value}");
        }
    }

    #[test]
    fn what_is_not_valid_is_none() {
        let (none, zeros) = ("0".repeat(32), "0".repeat(16));
        for value in [
            String::new(),
            format!("00-{none}-b7ad6b7169203331-01"),
            format!("00-{TRACE}-{zeros}-01"),
            format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-b7ad6b7169203331-0"),
            format!("00-{TRACE}-b7ad6b7169203331-0G"),
            format!("0x-{TRACE}-b7ad6b7169203331-01"),
            format!("00_{TRACE}-b7ad6b7169203331-01"),
            format!("00-{TRACE}+b7ad6b7169203331-01"),
            format!("00-{TRACE}0-b7ad6b716920333-01"),
            format!("00-{TRACE}-b7ad6b716920333\u{e9}01"),
        ] {
            assert_eq!(read(&value), None, "{value}");
        }
    }
}
