//! Writing families in Prometheus's text format 0.0.4 and in OpenMetrics 1.0.
//!
//! The two differ in little, and a parser of one refuses the other for it: OpenMetrics names a counter's
//! family without `_total`, tells its unit, escapes quotes in help, writes numbers of `le` as floats,
//! may say when a series began (`_created`), and ends with `# EOF`.

use std::fmt::{self, Display, Write};

use crate::format::Format;
use crate::spec::{Kind, Spec};

/// Writes one answer to a scrape, family by family.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut String,
    format: Format,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(format: Format, out: &'a mut String) -> Self {
        Self { out, format }
    }

    /// Begins a family; its series follow. The caller sees to it that no name comes twice.
    pub fn family(&mut self, kind: Kind, name: &str, unit: &str, help: &str) -> FamilyWriter<'_> {
        let Self { out, format } = self;
        let is_open = *format == Format::OpenMetrics;
        let end = if kind == Kind::Counter && !is_open { "_total" } else { "" };
        let _ = write!(out, "# HELP {name}{end} ");
        escape(out, help, is_open);
        let _ = write!(out, "\n# TYPE {name}{end} {kind}\n");
        if is_open && !unit.is_empty() {
            let _ = writeln!(out, "# UNIT {name} {unit}");
        }
        FamilyWriter { out, format: *format, name: name.to_owned(), kind }
    }

    /// The same, of a spec.
    pub(crate) fn family_of(&mut self, kind: Kind, spec: &Spec) -> FamilyWriter<'_> {
        self.family(kind, spec.name, spec.unit, spec.help)
    }

    /// Ends the answer.
    pub fn finish(self) {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
    }
}

/// Writes the series of a family.
#[derive(Debug)]
pub struct FamilyWriter<'a> {
    out: &'a mut String,
    format: Format,
    name: String,
    kind: Kind,
}

impl FamilyWriter<'_> {
    /// The sample of a counter or gauge.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Number) {
        let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
        self.series(labels.iter().copied(), |samples| samples.sample(suffix, None, value));
    }

    /// The samples of a histogram: how many values were up to each bound, the bounds growing, then how
    /// many there were in all, and their sum.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: impl IntoIterator<Item = (f64, u64)>,
        (count, sum): (u64, f64),
    ) {
        self.series(labels.iter().copied(), |samples| {
            for (bound, count) in buckets {
                samples.sample("_bucket", Some(bound), count);
            }
            samples.sample("_bucket", Some(f64::INFINITY), count);
            samples.sample("_sum", None, sum);
            samples.sample("_count", None, count);
        });
    }

    /// The samples of one series.
    pub(crate) fn series<'v>(
        &mut self,
        labels: impl Iterator<Item = (&'v str, &'v str)>,
        write: impl FnOnce(&mut SampleWriter<'_>),
    ) {
        let mut text = String::new();
        for (name, value) in labels {
            let _ = write!(text, "{}{name}=\"", if text.is_empty() { "" } else { "," });
            escape(&mut text, value, true);
            text.push('"');
        }
        let Self { out, format, name, .. } = self;
        write(&mut SampleWriter { out, format: *format, name, labels: &text });
    }
}

/// Writes the samples of a series.
#[derive(Debug)]
pub struct SampleWriter<'a> {
    out: &'a mut String,
    format: Format,
    name: &'a str,
    labels: &'a str,
}

impl SampleWriter<'_> {
    /// A line; `bound` is the upper end of a histogram's bucket.
    pub(crate) fn sample(&mut self, suffix: &str, bound: Option<f64>, value: impl Number) {
        let Self { out, format, name, labels } = self;
        out.push_str(name);
        out.push_str(suffix);
        let comma = if labels.is_empty() { "" } else { "," };
        let _ = match bound {
            Some(bound) => {
                let bound = Float { value: bound, has_point: *format == Format::OpenMetrics };
                write!(out, "{{{labels}{comma}le=\"{bound}\"}}")
            }
            None if labels.is_empty() => Ok(()),
            None => write!(out, "{{{labels}}}"),
        };
        let _ = writeln!(out, " {}", value.shown());
    }

    /// When the series began, where the format has a place for it.
    pub(crate) fn created(&mut self, unix_ms: u64) {
        if self.format == Format::OpenMetrics {
            let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
            let Self { out, name, labels, .. } = self;
            let (open, close) = if labels.is_empty() { ("", "") } else { ("{", "}") };
            let _ = writeln!(out, "{name}_created{open}{labels}{close} {seconds}.{ms:03}");
        }
    }
}

/// A value of a sample.
pub trait Number: Copy {
    /// As both formats write it.
    fn shown(self) -> impl Display;
}

impl Number for u64 {
    fn shown(self) -> impl Display {
        self
    }
}

impl Number for i64 {
    fn shown(self) -> impl Display {
        self
    }
}

impl Number for f64 {
    fn shown(self) -> impl Display {
        Float { value: self, has_point: false }
    }
}

struct Float {
    value: f64,
    /// Whole numbers have a point too.
    has_point: bool,
}

impl Display for Float {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            value if value.is_nan() => out.write_str("NaN"),
            f64::INFINITY => out.write_str("+Inf"),
            f64::NEG_INFINITY => out.write_str("-Inf"),
            value if self.has_point => write!(out, "{value:?}"),
            value => write!(out, "{value}"),
        }
    }
}

/// Nothing in a text can end the line or, where there are quotes around it, the quotes.
fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut out = String::new();
        let mut writer = Writer::new(format, &mut out);
        write(&mut writer);
        writer.finish();
        out
    }

    #[test]
    fn a_counter_is_named_as_each_format_wants_it() {
        let write = |writer: &mut Writer<'_>| {
            let mut family = writer.family(Kind::Counter, "sent_bytes", "bytes", "Bytes \"sent\".");
            family.sample(&[("to", "a\\b\"c\nd")], 3_u64);
            family.sample(&[], 18_446_744_073_709_551_615_u64);
        };
        let expected = "# HELP sent_bytes_total Bytes \"sent\".\n\
            # TYPE sent_bytes_total counter\n\
            sent_bytes_total{to=\"a\\\\b\\\"c\\nd\"} 3\n\
            sent_bytes_total 18446744073709551615\n";
        assert_eq!(written(Format::Text, write), expected);
        let expected = "# HELP sent_bytes Bytes \\\"sent\\\".\n\
            # TYPE sent_bytes counter\n\
            # UNIT sent_bytes bytes\n\
            sent_bytes_total{to=\"a\\\\b\\\"c\\nd\"} 3\n\
            sent_bytes_total 18446744073709551615\n\
            # EOF\n";
        assert_eq!(written(Format::OpenMetrics, write), expected);
    }

    #[test]
    fn numbers_are_written_as_parsers_read_them() {
        let write = |writer: &mut Writer<'_>| {
            let mut family = writer.family(Kind::Gauge, "g", "", "h\\\n");
            for value in [0.0, -1.5, 1e21, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
                family.sample(&[], value);
            }
            family.sample(&[], -3_i64);
        };
        let expected = "# HELP g h\\\\\\n\n# TYPE g gauge\n\
            g 0\ng -1.5\ng 1000000000000000000000\ng +Inf\ng -Inf\ng NaN\ng -3\n";
        assert_eq!(written(Format::Text, write), expected);
    }

    #[test]
    fn a_histogram_that_was_kept_elsewhere_is_told_like_any_other() {
        let write = |writer: &mut Writer<'_>| {
            let mut family = writer.family(Kind::Histogram, "wait_seconds", "seconds", "Waits.");
            family.histogram(&[("on", "cpu")], [(0.5, 1), (1.0, 3)], (4, 7.25));
        };
        let expected = "# HELP wait_seconds Waits.\n# TYPE wait_seconds histogram\n\
            wait_seconds_bucket{on=\"cpu\",le=\"0.5\"} 1\n\
            wait_seconds_bucket{on=\"cpu\",le=\"1\"} 3\n\
            wait_seconds_bucket{on=\"cpu\",le=\"+Inf\"} 4\n\
            wait_seconds_sum{on=\"cpu\"} 7.25\nwait_seconds_count{on=\"cpu\"} 4\n";
        assert_eq!(written(Format::Text, write), expected);
    }

    #[test]
    fn bounds_have_a_point_in_openmetrics() {
        let write = |writer: &mut Writer<'_>| {
            let mut family = writer.family(Kind::Histogram, "h", "", "");
            family.series([("a", "b")].into_iter(), |samples| {
                samples.sample("_bucket", Some(1.0), 2_u64);
                samples.sample("_bucket", Some(f64::INFINITY), 2_u64);
                samples.created(1_700_000_000_042);
            });
        };
        let text = written(Format::Text, write);
        let series = "h_bucket{a=\"b\",le=\"1\"} 2\nh_bucket{a=\"b\",le=\"+Inf\"} 2\n";
        assert_eq!(text, format!("# HELP h \n# TYPE h histogram\n{series}"));
        let open = written(Format::OpenMetrics, write);
        let series = "h_bucket{a=\"b\",le=\"1.0\"} 2\nh_bucket{a=\"b\",le=\"+Inf\"} 2\n\
            h_created{a=\"b\"} 1700000000.042\n";
        assert_eq!(open, format!("# HELP h \n# TYPE h histogram\n{series}# EOF\n"));
    }
}
