//! Histograms by powers of two, as probes count them in the kernel: 64 numbers say where the
//! values of any measure lie, to within a factor of two, and they add up.

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::RangeInclusive;

use crate::text;
use crate::unit::{Unit, push_count};

/// How many values lie in each power of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket i counts values v with floor(log2(v)) = i; bucket 0 counts 0 as well.
    pub buckets: [u64; 64],
    /// Sum of the values; it stays at its largest when it would pass it.
    pub sum: u64,
}

/// One bucket's bounds and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Smallest value that it counts.
    pub lower: u64,
    /// Largest value that it counts.
    pub at_most: u64,
    /// How many it counted.
    pub count: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: [0; 64], sum: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        let index = value.max(1).ilog2() as usize;
        if let Some(count) = self.buckets.get_mut(index) {
            *count = count.saturating_add(1);
        }
        self.sum = self.sum.saturating_add(value);
    }

    /// Adds what another histogram of the same measure counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count = count.saturating_add(*more);
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The buckets from the first that is not empty to the last.
    pub fn range(&self) -> impl Iterator<Item = Bucket> {
        let filled = |count: &u64| *count > 0;
        let first = self.buckets.iter().position(filled).unwrap_or(64);
        let end = self.buckets.iter().rposition(filled).map_or(0, |last| last + 1);
        let buckets = self.buckets.iter().enumerate().take(end).skip(first);
        buckets.map(|(index, count)| Bucket {
            lower: *bounds(index).start(),
            at_most: *bounds(index).end(),
            count: *count,
        })
    }

    /// A value that at least `percent` of 100 values do not pass: the largest of the bucket in
    /// which the percentile lies, so at most twice the true one. `None` when nothing was counted.
    pub fn percentile_at_most(&self, percent: u8) -> Option<u64> {
        let rank = (u128::from(self.count()) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0;
        self.range().find_map(|bucket| {
            seen += u128::from(bucket.count);
            (seen >= rank).then_some(bucket.at_most)
        })
    }

    /// Appends a JSON object: `count`, `sum_ns` (a string, for it may pass 2^53), `p50_at_most_ns`,
    /// `p90_at_most_ns`, `p99_at_most_ns`, and `buckets` with `lower_ns`, `upper_ns` (exclusive)
    /// and `count`. Without a unit, names end before it: `lower`.
    ///
    /// The very last bucket's upper bound is 2^64-1 and counted, since 2^64 is not a `u64`.
    pub fn write_json(&self, unit: Option<Unit>, out: &mut Vec<u8>) {
        let (line, word) = unit.map_or(("", ""), |unit| ("_", unit.word()));
        let _ = write!(out, r#"{{"count":{},"sum{line}{word}":"{}""#, self.count(), self.sum);
        for percent in [50, 90, 99] {
            if let Some(value) = self.percentile_at_most(percent) {
                let _ = write!(out, r#","p{percent}_at_most{line}{word}":{value}"#);
            }
        }
        out.extend_from_slice(br#","buckets":["#);
        for (index, bucket) in self.range().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let (lower, upper) = (bucket.lower, bucket.at_most.saturating_add(1));
            let _ = write!(
                out,
                r#"{comma}{{"lower{line}{word}":{lower},"upper{line}{word}":{upper},"count":{}}}"#,
                bucket.count
            );
        }
        out.extend_from_slice(b"]}");
    }

    /// Draws it, one line for each bucket, no line wider than `width` columns.
    ///
    /// The longest bar is the fullest bucket's; a bucket that is not empty has at least one `@`.
    pub fn draw(&self, title: &str, unit: Option<Unit>, width: usize) -> String {
        const LONGEST_BAR: usize = 40;

        let rows: Vec<(String, Bucket)> =
            self.range().map(|bucket| (bounds_label(&bucket, unit), bucket)).collect();
        let fullest = rows.iter().map(|(_, bucket)| bucket.count).max().unwrap_or(0);
        let widest_label = rows.iter().map(|(label, _)| text::width(label)).max().unwrap_or(0);
        let labels = widest_label.max(text::width(title));
        let counts = decimal_digits(fullest).max("count".len());
        // Two spaces before each of count and bar, and the bar's two borders.
        let room = width.saturating_sub(labels + counts + 6);
        let longest = if room < 4 { 0 } else { room.min(LONGEST_BAR) };

        let mut drawing = String::new();
        let mut line = String::new();
        let mut add = |line: &mut String| {
            text::cut(line, width);
            drawing.push_str(line);
            drawing.push('\n');
            line.clear();
        };
        if rows.is_empty() {
            let _ = write!(line, "{title}: nothing counted");
            add(&mut line);
            return drawing;
        }
        let heading = if longest >= "distribution".len() { "  distribution" } else { "" };
        let indent = labels - text::width(title);
        let _ = write!(line, "{title}{:indent$}  {:>counts$}{heading}", "", "count");
        add(&mut line);
        for (label, bucket) in &rows {
            let indent = labels - text::width(label);
            let _ = write!(line, "{:indent$}{label}  {:>counts$}", "", bucket.count);
            if longest > 0 {
                let bar = bar_length(bucket.count, fullest, longest);
                let _ = write!(line, "  |{:<longest$}|", "@".repeat(bar));
            }
            add(&mut line);
        }
        drawing
    }
}

/// The values that the bucket counts.
fn bounds(index: usize) -> RangeInclusive<u64> {
    let lower = if index == 0 { 0 } else { 1 << index };
    lower..=u64::MAX >> (63 - index.min(63))
}

/// `[1µs, 2µs)`; the bounds are powers of two, rounded to be read.
fn bounds_label(bucket: &Bucket, unit: Option<Unit>) -> String {
    let push = |value, out: &mut String| match unit {
        Some(unit) => unit.push_scaled(value, out),
        None => push_count(value, out),
    };
    let mut label = String::from("[");
    push(bucket.lower, &mut label);
    label.push_str(", ");
    push(bucket.at_most.saturating_add(1), &mut label);
    label.push(')');
    label
}

/// In proportion to the fullest bucket, rounded up.
fn bar_length(count: u64, fullest: u64, longest: usize) -> usize {
    let length = (u128::from(count) * longest as u128).div_ceil(u128::from(fullest.max(1)));
    usize::try_from(length).unwrap_or(longest)
}

fn decimal_digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |digits| digits as usize + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fuzz::Random;

    fn random_histogram(random: &mut Random) -> (Histogram, Vec<u64>) {
        let values: Vec<u64> =
            (0..random.below(200) + 1).map(|_| random.next() >> random.below(64)).collect();
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        (histogram, values)
    }

    #[test]
    fn every_value_lies_within_the_bounds_of_its_bucket() {
        let mut random = Random::new(1);
        let edges = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in edges.chain([u64::MAX]).chain((0..1000).map(|_| random.next())) {
            let mut histogram = Histogram::default();
            histogram.record(value);
            let buckets: Vec<Bucket> = histogram.range().collect();
            assert_eq!(buckets.len(), 1);
            assert!((buckets[0].lower..=buckets[0].at_most).contains(&value), "{value}");
        }
    }

    #[test]
    fn buckets_leave_no_gap_and_do_not_overlap() {
        assert_eq!(bounds(0), 0..=1);
        for index in 1..64 {
            assert_eq!(bounds(index - 1).end() + 1, *bounds(index).start());
        }
        assert_eq!(*bounds(63).end(), u64::MAX);
    }

    #[test]
    fn merging_is_the_same_as_counting_together() {
        let mut random = Random::new(2);
        for _ in 0..100 {
            let (mut one, values) = random_histogram(&mut random);
            let (other, more) = random_histogram(&mut random);
            let mut together = Histogram::default();
            values.iter().chain(&more).for_each(|value| together.record(*value));
            one.merge(&other);
            assert_eq!(one, together);
            assert_eq!(one.count(), (values.len() + more.len()) as u64);
        }
    }

    #[test]
    fn a_percentile_is_never_too_low_and_less_than_twice_too_high() {
        let mut random = Random::new(3);
        for _ in 0..200 {
            let (histogram, mut values) = random_histogram(&mut random);
            values.sort_unstable();
            for percent in [1_u8, 50, 90, 99, 100] {
                let rank = (values.len() * usize::from(percent)).div_ceil(100).max(1);
                let exact = values[rank - 1];
                let at_most = histogram.percentile_at_most(percent).unwrap();
                assert!(at_most >= exact);
                assert!(at_most / 2 <= exact, "{at_most} {exact}");
            }
        }
        assert_eq!(Histogram::default().percentile_at_most(50), None);
    }

    #[test]
    fn a_full_histogram_stays_at_its_largest() {
        let mut full = Histogram { buckets: [u64::MAX; 64], sum: u64::MAX };
        full.merge(&full.clone());
        assert_eq!((full.count(), full.sum), (u64::MAX, u64::MAX));
        assert!(full.percentile_at_most(99).is_some());
        full.draw("everything", None, 80);
    }

    #[test]
    fn a_drawing_is_as_wide_as_the_terminal_at_most() {
        let mut random = Random::new(4);
        for width in 0..100 {
            let (histogram, _) = random_histogram(&mut random);
            for unit in [None, Some(Unit::Nanoseconds), Some(Unit::Bytes)] {
                for line in histogram.draw("connect latency", unit, width).lines() {
                    assert!(text::width(line) <= width, "{line}");
                }
            }
        }
    }

    #[test]
    fn bounds_are_shown_in_their_unit() {
        let mut histogram = Histogram::default();
        for (value, times) in [(600, 3), (1_500, 40), (3_000, 1), (10_000, 17)] {
            (0..times).for_each(|_| histogram.record(value));
        }
        let drawing = histogram.draw("latency", Some(Unit::Nanoseconds), 50);
        assert_eq!(format!("\n{drawing}"), DRAWN_NS);
        let drawing = histogram.draw("values", None, 26);
        assert_eq!(format!("\n{drawing}"), DRAWN_NARROW);
        let drawing = Histogram::default().draw("latency", Some(Unit::Nanoseconds), 50);
        assert_eq!(drawing, "latency: nothing counted\n");
    }

    const DRAWN_NS: &str = "
latency         count  distribution
  [512ns, 1µs)      3  |@@                       |
    [1µs, 2µs)     40  |@@@@@@@@@@@@@@@@@@@@@@@@@|
  [2µs, 4.1µs)      1  |@                        |
[4.1µs, 8.2µs)      0  |                         |
 [8.2µs, 16µs)     17  |@@@@@@@@@@@              |
";
    const DRAWN_NARROW: &str = "
values     count
[512, 1K)      3  |@     |
 [1K, 2K)     40  |@@@@@@|
 [2K, 4K)      1  |@     |
 [4K, 8K)      0  |      |
[8K, 16K)     17  |@@@   |
";

    #[test]
    fn json_has_the_buckets_between_the_first_and_the_last_that_counted() {
        let mut histogram = Histogram::default();
        [5, 6, 20, u64::MAX].iter().for_each(|value| histogram.record(*value));
        histogram.buckets[63] = 0;
        let mut json = Vec::new();
        histogram.write_json(Some(Unit::Nanoseconds), &mut json);
        assert_eq!(
            String::from_utf8(json).unwrap(),
            concat!(
                r#"{"count":3,"sum_ns":"18446744073709551615","p50_at_most_ns":7,"#,
                r#""p90_at_most_ns":31,"p99_at_most_ns":31,"buckets":["#,
                r#"{"lower_ns":4,"upper_ns":8,"count":2},{"lower_ns":8,"upper_ns":16,"count":0},"#,
                r#"{"lower_ns":16,"upper_ns":32,"count":1}]}"#
            )
        );
        let mut json = Vec::new();
        Histogram::default().write_json(None, &mut json);
        assert_eq!(json, br#"{"count":0,"sum":"0","buckets":[]}"#);
    }
}
