//! Which format a scraper gets.
//!
//! A scraper says in `Accept` what it takes (RFC 9110, 12.5.1) and how much it likes it. What we cannot
//! give is passed over, and who asks for nothing that we have gets the text format, as Prometheus's own
//! libraries do: an answer that may be understood beats an error.

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Prometheus's text format, version 0.0.4.
    #[default]
    Text,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
    /// Prometheus's messages, each after its length: the only one with native histograms.
    Protobuf,
}

/// Longer lists of what is accepted are read no further.
const MAX_RANGES: usize = 32;

impl Format {
    /// What `Content-Type` says of it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited"
            }
        }
    }

    /// The format that `Accept` likes best; of two that it likes as much, the one it names first.
    pub fn negotiate(accept: &str) -> Self {
        let mut best = (0, Self::Text);
        for range in accept.split(',').take(MAX_RANGES) {
            let Some((liking, format)) = media_range(range) else { continue };
            if liking > best.0 {
                best = (liking, format);
            }
        }
        best.1
    }
}

/// A format with how much it is liked, 0 to 1000; `None` where it is not one of ours.
fn media_range(text: &str) -> Option<(u16, Format)> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next()?;
    let mut liking = 1000;
    let (mut version, mut message, mut encoding) = (None, None, None);
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim() {
            name if name.eq_ignore_ascii_case("q") => liking = thousandths(value)?,
            name if name.eq_ignore_ascii_case("version") => version = Some(value),
            name if name.eq_ignore_ascii_case("proto") => message = Some(value),
            name if name.eq_ignore_ascii_case("encoding") => encoding = Some(value),
            _ => {}
        }
    }
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    let is_delimited =
        message == Some("io.prometheus.client.MetricFamily") && encoding == Some("delimited");
    let format = match version {
        None if is("application/vnd.google.protobuf") && is_delimited => Format::Protobuf,
        None | Some("1.0.0") if is("application/openmetrics-text") => Format::OpenMetrics,
        None | Some("0.0.4") if is("text/plain") => Format::Text,
        None if is("text/*") || is("*/*") => Format::Text,
        _ => return None,
    };
    Some((liking, format))
}

/// A weight as RFC 9110 has it: 0 to 1, with three decimals at most.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "0" if is_number => format!("{fraction:0<3}").parse().ok(),
        "1" if is_number && fraction.bytes().all(|byte| byte == b'0') => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Prometheus 3 sends, shortened by the protocols that only it has.
    const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
        escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

    /// What Prometheus sends that is to have native histograms.
    const NATIVE: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
        encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,\
        application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

    #[test]
    fn a_scraper_gets_what_it_likes_best() {
        for (accept, expected) in [
            (PROMETHEUS, Format::OpenMetrics),
            (NATIVE, Format::Protobuf),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            ("text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.3", Format::Text),
            ("text/plain;q=0.3, application/openmetrics-text;q=0.31", Format::OpenMetrics),
            ("text/plain, application/openmetrics-text", Format::Text),
            ("application/openmetrics-text, text/plain", Format::OpenMetrics),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
        ] {
            assert_eq!(Format::negotiate(accept), expected, "{accept}");
        }
    }

    #[test]
    fn what_we_cannot_give_or_cannot_read_is_passed_over() {
        for accept in [
            "",
            "application/json",
            "application/vnd.google.protobuf",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            "application/vnd.google.protobuf;proto=another.Message;encoding=delimited",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.0",
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=0.1234",
            "application/openmetrics-text;q=-1",
            "application/openmetrics-text;q=",
            "openmetrics-text",
            ";;;,,,=;q",
        ] {
            assert_eq!(Format::negotiate(accept), Format::Text, "{accept}");
        }
    }

    #[test]
    fn a_list_without_end_is_read_so_far() {
        let accept = "a/b,".repeat(MAX_RANGES) + "application/openmetrics-text";
        assert_eq!(Format::negotiate(&accept), Format::Text);
    }
}
