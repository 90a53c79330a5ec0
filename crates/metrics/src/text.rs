//! Writing families in Prometheus's text format 0.0.4 and in OpenMetrics 1.0.
//!
//! The two differ in little, and a parser of one refuses the other for it: OpenMetrics names a counter's
//! family without `_total`, tells its unit, escapes quotes in help, writes numbers of `le` as floats,
//! may say when a series began (`_created`) and what a bucket holds for example, and ends with `# EOF`.

use std::fmt::{self, Display, Write};

use crate::reading::{Exemplar, HistogramReading, Reading, Value};
use crate::spec::Kind;
use crate::writer::{Heading, Sink};

/// Writes lines.
#[derive(Debug)]
pub struct Text<'a> {
    is_open: bool,
    out: Out<'a>,
    name: String,
    kind: Kind,
    /// Of one series, as they are written between braces.
    labels: String,
}

impl<'a> Text<'a> {
    /// Appends to `out`, as OpenMetrics or in the older format.
    pub fn new(is_open: bool, out: &'a mut Vec<u8>) -> Self {
        let (name, labels) = (String::new(), String::new());
        Self { is_open, out: Out(out), name, kind: Kind::Gauge, labels }
    }

    /// A line; `bound` is the upper end of a histogram's bucket.
    fn sample(
        &mut self,
        suffix: &str,
        bound: Option<f64>,
        value: Value,
        exemplar: Option<&Exemplar>,
    ) {
        let Self { is_open, out, name, labels, .. } = self;
        let _ = write!(out, "{name}{suffix}");
        let comma = if labels.is_empty() { "" } else { "," };
        let _ = match bound {
            Some(bound) => {
                let bound = Float { value: bound, has_point: *is_open };
                write!(out, "{{{labels}{comma}le=\"{bound}\"}}")
            }
            None if labels.is_empty() => Ok(()),
            None => write!(out, "{{{labels}}}"),
        };
        let _ = write!(out, " {value}");
        if let Some(Exemplar { id, value, unix_ms }) = exemplar.filter(|_| *is_open) {
            let ((name, id), value) = (id.label(), Value::Float(*value));
            let _ = write!(out, " # {{{name}=\"{id}\"}} {value} {}", Seconds(*unix_ms));
        }
        out.0.push(b'\n');
    }

    fn histogram(&mut self, reading: &HistogramReading) {
        let ends = reading.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = reading.up_to.iter().copied().chain([reading.count]);
        for (index, (end, count)) in ends.zip(counts).enumerate() {
            self.sample("_bucket", Some(end), count.into(), reading.exemplar(index));
        }
        self.sample("_sum", None, reading.sum.into(), None);
        self.sample("_count", None, reading.count.into(), None);
    }
}

impl Sink for Text<'_> {
    fn family(&mut self, heading: &Heading<'_>) {
        let Heading { kind, name, unit, help } = *heading;
        let Self { out, is_open, .. } = self;
        let end = if kind == Kind::Counter && !*is_open { "_total" } else { "" };
        let _ = write!(out, "# HELP {name}{end} ");
        escape(out, help, *is_open);
        let _ = write!(out, "\n# TYPE {name}{end} {kind}\n");
        if *is_open && !unit.is_empty() {
            let _ = writeln!(out, "# UNIT {name} {unit}");
        }
        (self.name, self.kind) = (name.to_owned(), kind);
    }

    fn series<'v>(
        &mut self,
        labels: &mut dyn Iterator<Item = (&'v str, &'v str)>,
        reading: &Reading,
        created_unix_ms: Option<u64>,
    ) {
        self.labels.clear();
        for (name, value) in labels {
            let comma = if self.labels.is_empty() { "" } else { "," };
            let _ = write!(self.labels, "{comma}{name}=\"");
            escape(&mut self.labels, value, true);
            self.labels.push('"');
        }
        match reading {
            Reading::Number(value) => {
                let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
                self.sample(suffix, None, *value, None);
            }
            Reading::Histogram(reading) => self.histogram(reading),
        }
        if let Some(created) = created_unix_ms.filter(|_| self.is_open) {
            let Self { out, name, labels, .. } = self;
            let (open, close) = if labels.is_empty() { ("", "") } else { ("{", "}") };
            let _ = writeln!(out, "{name}_created{open}{labels}{close} {}", Seconds(created));
        }
    }

    fn finish(&mut self) {
        if self.is_open {
            let _ = self.out.write_str("# EOF\n");
        }
    }
}

/// Text goes to bytes as it is.
#[derive(Debug)]
struct Out<'a>(&'a mut Vec<u8>);

impl Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Milliseconds since 1970, told as seconds.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unsigned(value) => value.fmt(out),
            Self::Signed(value) => value.fmt(out),
            Self::Float(value) => Float { value, has_point: false }.fmt(out),
        }
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
fn escape(out: &mut impl Write, text: &str, quotes: bool) {
    let is_special = |c: char| matches!(c, '\\' | '\n') || quotes && c == '"';
    let mut rest = text;
    while let Some(at) = rest.find(is_special) {
        let (plain, from) = rest.split_at(at);
        let mut after = from.chars();
        let _ = out.write_str(plain);
        let _ = out.write_str(match after.next() {
            Some('\n') => "\\n",
            Some('"') => "\\\"",
            _ => "\\\\",
        });
        rest = after.as_str();
    }
    let _ = out.write_str(rest);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reading::ExemplarId;
    use crate::{Format, Writer};

    fn written(format: Format, write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut out = Vec::new();
        let mut writer = Writer::new(format, &mut out);
        write(&mut writer);
        writer.finish();
        String::from_utf8(out).unwrap()
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
    fn openmetrics_has_points_in_bounds_and_exemplars_and_when_a_series_began() {
        let exemplar = Exemplar { id: ExemplarId::Connection(0xff), value: 7.5, unix_ms: 1042 };
        let reading = Reading::Histogram(HistogramReading {
            bounds: [1.0].into(),
            up_to: vec![2],
            count: 3,
            sum: 9.0,
            exponential: None,
            exemplars: vec![(1, exemplar)],
        });
        let write = |writer: &mut Writer<'_>| {
            let mut family = writer.family(Kind::Histogram, "h", "", "");
            family.series(&mut [("a", "b")].into_iter(), &reading, Some(1_700_000_000_042));
        };
        let text = written(Format::Text, write);
        let series = "h_bucket{a=\"b\",le=\"1\"} 2\nh_bucket{a=\"b\",le=\"+Inf\"} 3\n\
            h_sum{a=\"b\"} 9\nh_count{a=\"b\"} 3\n";
        assert_eq!(text, format!("# HELP h \n# TYPE h histogram\n{series}"));
        let open = written(Format::OpenMetrics, write);
        let series = "h_bucket{a=\"b\",le=\"1.0\"} 2\nh_bucket{a=\"b\",le=\"+Inf\"} 3 \
            # {connection_key=\"00000000000000ff\"} 7.5 1.042\n\
            h_sum{a=\"b\"} 9\nh_count{a=\"b\"} 3\nh_created{a=\"b\"} 1700000000.042\n";
        assert_eq!(open, format!("# HELP h \n# TYPE h histogram\n{series}# EOF\n"));
    }
}
