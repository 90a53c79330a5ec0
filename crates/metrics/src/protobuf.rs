//! Writing families in Prometheus's protobuf format: messages `MetricFamily` of `io.prometheus.client`, each
//! after its length. It is the only one of the formats that has native histograms.
//!
//! Families are put together from their fields: a message is its fields one after the other, whoever
//! wrote them, so a family of any size costs no copy of its labels.

mod messages;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::reading::{Exemplar, HistogramReading, Reading};
use crate::spec::Kind;
use crate::writer::{Heading, Sink};
use messages as proto;

/// Of the message `MetricFamily`.
const METRIC: u32 = 4;
/// Of the message `Metric`.
const LABEL: u32 = 1;
/// Of the message `LabelPair`.
const NAME: u32 = 1;
const VALUE: u32 = 2;

/// Writes messages.
#[derive(Debug)]
pub struct Protobuf<'a> {
    out: &'a mut Vec<u8>,
    kind: Kind,
    /// The family so far: its length goes before it.
    family: Vec<u8>,
    metric: Vec<u8>,
}

impl<'a> Protobuf<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, kind: Kind::Gauge, family: Vec::new(), metric: Vec::new() }
    }
}

impl Sink for Protobuf<'_> {
    fn family(&mut self, heading: &Heading<'_>) {
        self.finish();
        let Heading { kind, name, unit, help } = *heading;
        self.kind = kind;
        let (kind, end) = match kind {
            Kind::Counter => (proto::COUNTER, "_total"),
            Kind::Gauge => (proto::GAUGE, ""),
            Kind::Histogram => (proto::HISTOGRAM, ""),
        };
        let family = proto::MetricFamily {
            name: format!("{name}{end}"),
            help: help.to_owned(),
            kind,
            unit: unit.to_owned(),
        };
        append(&family, &mut self.family);
    }

    fn series<'v>(
        &mut self,
        labels: &mut dyn Iterator<Item = (&'v str, &'v str)>,
        reading: &Reading,
        created_unix_ms: Option<u64>,
    ) {
        let Self { kind, family, metric, .. } = self;
        metric.clear();
        for (name, value) in labels {
            let length = field_length(NAME, name) + field_length(VALUE, value);
            encode_key(LABEL, WireType::LengthDelimited, metric);
            encode_varint(length as u64, metric);
            for (tag, text) in [(NAME, name), (VALUE, value)] {
                append_field(tag, text.as_bytes(), metric);
            }
        }
        let created = created_unix_ms.map(timestamp);
        let value = match reading {
            Reading::Number(value) if *kind == Kind::Counter => proto::Metric {
                counter: Some(proto::Counter { value: value.as_f64(), created }),
                ..proto::Metric::default()
            },
            Reading::Number(value) => proto::Metric {
                gauge: Some(proto::Gauge { value: value.as_f64() }),
                ..proto::Metric::default()
            },
            Reading::Histogram(reading) => proto::Metric {
                histogram: Some(histogram(reading, created)),
                ..proto::Metric::default()
            },
        };
        append(&value, metric);
        append_field(METRIC, metric, family);
    }

    fn finish(&mut self) {
        if !self.family.is_empty() {
            encode_varint(self.family.len() as u64, self.out);
            self.out.append(&mut self.family);
        }
    }
}

/// Writing to memory fails only where there is not enough of it to say so.
fn append(message: &impl Message, out: &mut Vec<u8>) {
    let _ = message.encode(out);
}

fn append_field(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn field_length(tag: u32, text: &str) -> usize {
    key_len(tag) + encoded_len_varint(text.len() as u64) + text.len()
}

fn timestamp(unix_ms: u64) -> proto::Timestamp {
    let nanos = i32::try_from(unix_ms % 1000).unwrap_or_default() * 1_000_000;
    proto::Timestamp { seconds: i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX), nanos }
}

fn exemplar(exemplar: &Exemplar) -> proto::Exemplar {
    let (name, value) = exemplar.id.label();
    proto::Exemplar {
        label: vec![proto::LabelPair { name: name.to_owned(), value }],
        value: exemplar.value,
        timestamp: Some(timestamp(exemplar.unix_ms)),
    }
}

fn histogram(reading: &HistogramReading, created: Option<proto::Timestamp>) -> proto::Histogram {
    let ends = reading.bounds.iter().copied().chain([f64::INFINITY]);
    let counts = reading.up_to.iter().copied().chain([reading.count]);
    let buckets = ends.zip(counts).enumerate().map(|(index, (upper_bound, cumulative_count))| {
        let exemplar = reading.exemplar(index).map(exemplar);
        proto::Bucket { cumulative_count, upper_bound, exemplar }
    });
    let mut message = proto::Histogram {
        sample_count: reading.count,
        sample_sum: reading.sum,
        bucket: buckets.collect(),
        created,
        ..proto::Histogram::default()
    };
    if let Some(exponential) = &reading.exponential {
        message.schema = exponential.schema;
        message.zero_threshold = exponential.zero_threshold;
        message.zero_count = exponential.zero_count;
        (message.positive_span, message.positive_delta) = spans(&exponential.buckets);
        message.exemplars = reading.exemplars.iter().map(|(_, one)| exemplar(one)).collect();
    }
    message
}

/// Buckets as runs without a gap, and of each how many more it has than the one before.
fn spans(buckets: &[(i32, u64)]) -> (Vec<proto::BucketSpan>, Vec<i64>) {
    let (mut spans, mut deltas) = (Vec::<proto::BucketSpan>::new(), Vec::new());
    let (mut next, mut before) = (0, 0_u64);
    for (index, count) in buckets {
        match spans.last_mut() {
            Some(span) if *index == next => span.length += 1,
            // The first is counted from bucket 0, the others from the end of the run before.
            _ => spans.push(proto::BucketSpan { offset: index - next, length: 1 }),
        }
        // Right for all counts, as two's complement has it.
        deltas.push(count.wrapping_sub(before).cast_signed());
        (next, before) = (index + 1, *count);
    }
    (spans, deltas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_runs_and_differences() {
        let span = |offset, length| proto::BucketSpan { offset, length };
        assert_eq!(spans(&[]), (vec![], vec![]));
        let (spans, deltas) = spans(&[(-5, 3), (-4, 1), (-1, 7), (8, 7)]);
        assert_eq!(spans, [span(-5, 2), span(2, 1), span(8, 1)]);
        assert_eq!(deltas, [3, -2, 6, 0]);
    }
}
