//! Families of metrics whose numbers the kernel keeps: read from the probes' maps when somebody asks.
//!
//! Those that are told by pods are not here, but in `leveled`. How many series there are is bounded by the maps. A map is read once for all families of its signal, so
//! that they agree.

use std::collections::BTreeMap;

use chandra_event::histogram::Histogram;
use chandra_loader::abi::GroupKey;
use chandra_metrics::network::Level;
use chandra_metrics::powers_of_two::{TOLD, bound_seconds};
use chandra_metrics::{FamilyWriter, Kind, Writer};
use chandra_signals::{Context, Metric, MetricKind, Signal};

use super::state::SignalState;
use crate::counts;

const NANOSECONDS: f64 = 1e9;

/// Writes the families of all signals that are on and work.
pub fn write(signals: &[SignalState], out: &mut Writer<'_>) {
    for state in signals
        .iter()
        .filter(|state| state.is_on && state.level == Level::Node && state.verdict().is_active())
    {
        let read = |kind| state.signal.metrics.iter().any(|metric| metric.kind == kind);
        let histograms = read(MetricKind::Histogram).then(|| state.with_loaded(counts::histograms));
        let histograms = histograms.flatten().and_then(Result::ok).unwrap_or_default();
        let sums = read(MetricKind::Counter).then(|| state.with_loaded(counts::groups));
        let sums = sums.flatten().and_then(Result::ok).unwrap_or_default();
        for metric in state.signal.metrics {
            match metric.kind {
                MetricKind::Histogram => {
                    let mut family =
                        out.family(Kind::Histogram, metric.name, metric.unit, metric.help);
                    let add = |all: &mut Histogram, more: &Histogram| all.merge(more);
                    for (labels, histogram) in series(state.signal, metric, &histograms, add) {
                        write_histogram(&mut family, &labels, &histogram);
                    }
                }
                MetricKind::Counter => {
                    let mut family =
                        out.family(Kind::Counter, metric.name, metric.unit, metric.help);
                    let add = |all: &mut u64, more: &u64| *all += more;
                    for (labels, sum) in series(state.signal, metric, &sums, add) {
                        family.sample(&borrowed(&labels), sum);
                    }
                }
            }
        }
    }
}

/// Labels with their values.
pub type Labels = Vec<(&'static str, String)>;

/// What has the same labels is one series.
fn series<T: Default>(
    signal: &Signal,
    metric: &Metric,
    groups: &[(GroupKey, T)],
    add: impl Fn(&mut T, &T),
) -> BTreeMap<Labels, T> {
    let mut all = BTreeMap::new();
    for (key, value) in groups {
        add(all.entry(own_labels(signal, metric, key)).or_default(), value);
    }
    all
}

/// What a family tells apart by itself.
pub fn own_labels(signal: &Signal, metric: &Metric, key: &GroupKey) -> Labels {
    let operation = (!metric.operations.is_empty()).then(|| {
        let code = usize::try_from(key.code).ok();
        let name = code.and_then(|code| metric.operations.get(code)).unwrap_or(&"unknown");
        ("operation", (*name).to_owned())
    });
    let fields = counts::fields(signal, metric.labels, key, &Context::default());
    let fields = fields.into_iter().map(|(name, value)| {
        (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    });
    operation.into_iter().chain(fields).collect()
}

fn borrowed(labels: &Labels) -> Vec<(&'static str, &str)> {
    labels.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds to 52 bits")]
fn write_histogram(family: &mut FamilyWriter<'_>, labels: &Labels, histogram: &Histogram) {
    let mut up_to = 0_u64;
    let buckets = histogram.buckets.iter().enumerate().filter_map(|(index, count)| {
        up_to += count;
        TOLD.contains(&index).then_some((bound_seconds(index), up_to))
    });
    let all = (histogram.count(), histogram.sum as f64 / NANOSECONDS);
    family.histogram(&borrowed(labels), buckets, all);
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_metrics::Format;

    #[test]
    fn a_histogram_of_nanoseconds_is_told_in_seconds() {
        let mut histogram = Histogram::default();
        for nanoseconds in [0, 1, 1023, 1024, 3_000_000_000, u64::from(u32::MAX) * 4] {
            histogram.record(nanoseconds);
        }
        let mut text = Vec::new();
        let mut out = Writer::new(Format::Text, &mut text);
        let mut family = out.family(Kind::Histogram, "h_seconds", "seconds", "");
        write_histogram(&mut family, &Vec::new(), &histogram);
        drop(out);
        let text = String::from_utf8(text).unwrap();
        let value = |sample: &str| {
            text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')).unwrap()
        };
        let buckets = text.lines().filter(|line| line.starts_with("h_seconds_bucket")).count();
        assert_eq!(buckets, TOLD.count() + 1, "{text}");
        assert_eq!(value("h_seconds_bucket{le=\"0.000001024\"}"), "3");
        assert_eq!(value("h_seconds_bucket{le=\"0.000002048\"}"), "4");
        assert_eq!(value("h_seconds_bucket{le=\"8.589934592\"}"), "5");
        assert_eq!(value("h_seconds_bucket{le=\"+Inf\"}"), "6");
        assert_eq!((value("h_seconds_count"), value("h_seconds_sum")), ("6", "20.179871228"));
    }
}
