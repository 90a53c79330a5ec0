//! Data points of metrics: the fields of `NumberDataPoint`, `HistogramDataPoint` and
//! `ExponentialHistogramDataPoint`.

use chandra_metrics::{Exemplar, ExemplarId, Exponential, HistogramReading, Value};
use prost::encoding::encode_varint;

use super::{
    bytes_field, double_field, fixed64_field, nested, sint32_field, text_attribute, varint_field,
};

/// When a point begins and when it is of. Nothing begins after that.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Since when it is counted, nanoseconds since 1970; absent where nothing is.
    pub start_ns: Option<u64>,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
}

impl Span {
    /// Both are fields 2 and 3, whatever the point is of.
    fn write(self, out: &mut Vec<u8>) {
        if let Some(start_ns) = self.start_ns {
            fixed64_field(2, start_ns.min(self.time_ns), out);
        }
        fixed64_field(3, self.time_ns, out);
    }
}

/// A number; its attributes are field 7.
pub fn number(value: Value, span: Span, out: &mut Vec<u8>) {
    span.write(out);
    match value {
        Value::Unsigned(value) => match i64::try_from(value) {
            Ok(value) => fixed64_field(6, value.cast_unsigned(), out),
            // More than there is room for: the nearest number that can be told.
            Err(_) => double_field(4, value as f64, out),
        },
        Value::Signed(value) => fixed64_field(6, value.cast_unsigned(), out),
        Value::Float(value) => double_field(4, value, out),
    }
}

/// In classic buckets; its attributes are field 9.
pub fn histogram(reading: &HistogramReading, span: Span, out: &mut Vec<u8>) {
    span.write(out);
    fixed64_field(4, reading.count, out);
    double_field(5, reading.sum, out);
    let ends = reading.up_to.iter().chain([&reading.count]);
    let counts: Vec<u8> = ends
        .scan(0, |before, up_to| {
            let count = up_to.saturating_sub(*before);
            *before = *up_to;
            Some(count)
        })
        .flat_map(u64::to_le_bytes)
        .collect();
    bytes_field(6, &counts, out);
    let bounds: Vec<u8> = reading.bounds.iter().flat_map(|bound| bound.to_le_bytes()).collect();
    bytes_field(7, &bounds, out);
    reading.exemplars.iter().for_each(|(_, one)| nested(8, out, |out| exemplar(one, out)));
}

/// In exponential buckets; its attributes are field 1.
pub fn exponential(reading: &HistogramReading, of: &Exponential, span: Span, out: &mut Vec<u8>) {
    span.write(out);
    fixed64_field(4, reading.count, out);
    double_field(5, reading.sum, out);
    sint32_field(6, of.schema, out);
    fixed64_field(7, of.zero_count, out);
    if let (Some((first, _)), Some((last, _))) = (of.buckets.first(), of.buckets.last()) {
        nested(8, out, |out| {
            // What Prometheus numbers by its end, OpenTelemetry numbers by its begin.
            sint32_field(1, first - 1, out);
            nested(2, out, |out| {
                let mut filled = of.buckets.iter().peekable();
                for index in *first..=*last {
                    let count = filled.next_if(|(filled, _)| *filled == index);
                    encode_varint(count.map_or(0, |(_, count)| *count), out);
                }
            });
        });
    }
    reading.exemplars.iter().for_each(|(_, one)| nested(11, out, |out| exemplar(one, out)));
    double_field(14, of.zero_threshold, out);
}

fn exemplar(of: &Exemplar, out: &mut Vec<u8>) {
    fixed64_field(2, of.unix_ms.saturating_mul(1_000_000), out);
    double_field(3, of.value, out);
    match of.id {
        ExemplarId::Trace(id) => bytes_field(5, &id.to_be_bytes(), out),
        ExemplarId::Connection(_) => {
            let (name, value) = of.id.label();
            text_attribute(7, name, &value, out);
        }
    }
}

/// What is added up and how: the fields of `Sum`, `Histogram` and `ExponentialHistogram` beside the points.
pub fn aggregation(is_delta: bool, is_monotonic: bool, out: &mut Vec<u8>) {
    const DELTA: u64 = 1;
    const CUMULATIVE: u64 = 2;
    varint_field(2, if is_delta { DELTA } else { CUMULATIVE }, out);
    if is_monotonic {
        varint_field(3, 1, out);
    }
}
