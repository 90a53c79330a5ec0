//! What is asked of metrics.

use chandra_hubble::flow::Flow;
use chandra_metrics::hubble::{HubbleMetrics, Options};
use chandra_metrics::{Format, Kind, Registry, Writer};

/// Options of Hubble's metrics: what is wrong has a place in the text, and what is taken makes families.
pub fn hubble_metrics_options(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Options::parse(text) {
        Ok(options) => {
            let registry = Registry::default();
            let mut metrics = HubbleMetrics::new(&options, &registry).expect("families of one set");
            metrics.observe(&Flow::default());
        }
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.character), "{error}");
        }
    }
}

/// `Accept` of who scrapes; and the same as the value of a label and as help: each stays in its line,
/// and is what it was.
pub fn metrics_accept(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let format = Format::negotiate(&text);
    let mut out = Vec::new();
    let mut writer = Writer::new(format, &mut out);
    writer.family(Kind::Gauge, "g", "", &text).sample(&[("a", &text)], 1_u64);
    writer.finish();
    if format == Format::Protobuf {
        // As it is, with its length before it; to have asked for this it is not empty.
        assert_eq!(out.windows(text.len()).filter(|part| *part == text.as_bytes()).count(), 2);
        return;
    }
    let out = String::from_utf8(out).expect("text");
    let lines: Vec<_> = out.split('\n').collect();
    let [_help, "# TYPE g gauge", sample, rest @ ..] = lines.as_slice() else {
        panic!("other lines: {out}")
    };
    let end: &[_] = if format == Format::OpenMetrics { &["# EOF", ""] } else { &[""] };
    assert_eq!(rest, end, "{out}");
    let value = sample.strip_prefix("g{a=\"").and_then(|rest| rest.strip_suffix("\"} 1"));
    assert_eq!(unescaped(value.expect("a value in quotes")), text);
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        out.push(match c {
            '\\' => match rest.next() {
                Some('n') => '\n',
                Some(c @ ('\\' | '"')) => c,
                other => panic!("{other:?} after a backslash"),
            },
            '"' => panic!("a quote ends the value"),
            c => c,
        });
    }
    out
}
