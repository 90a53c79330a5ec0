//! What was told last of each series, where only what is new is told.
//!
//! Bounded by what it is told of: a series that was not told any more is forgotten with the next telling.

use std::collections::HashMap;

use chandra_metrics::{Exponential, HistogramReading, Reading, Value};

/// Series are forgotten that were not told in so many tellings. One that is away for one (its map could not be
/// read) must not be told from its beginning when it is there again.
const KEPT: u64 = 10;

/// Series by the name of their family and their attributes as they are written.
#[derive(Debug, Default)]
pub(crate) struct Past {
    series: HashMap<Box<[u8]>, Told>,
    telling: u64,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Told {
    reading: Reading,
    /// A series that began anew since counts from nothing.
    created_ns: u64,
    time_ns: u64,
    telling: u64,
}

impl Past {
    /// What is new since the last telling, and since when that is.
    pub fn newer(
        &mut self,
        (family, attributes): (&str, &[u8]),
        reading: &Reading,
        created_ns: u64,
        now_ns: u64,
    ) -> (u64, Reading) {
        let Self { series, telling, key } = self;
        key.clear();
        key.extend_from_slice(family.as_bytes());
        key.push(0);
        key.extend_from_slice(attributes);
        let reading = reading.clone();
        let now = Told { reading: reading.clone(), created_ns, time_ns: now_ns, telling: *telling };
        let Some(told) = series.get_mut(key.as_slice()) else {
            series.insert(key.as_slice().into(), now);
            return (created_ns, reading);
        };
        let before = std::mem::replace(told, now);
        let is_same = before.created_ns == created_ns;
        match is_same.then(|| difference(&reading, &before.reading)).flatten() {
            Some(newer) => (before.time_ns, newer),
            // It began anew, at some time since then.
            None => (created_ns.max(before.time_ns), reading),
        }
    }

    /// All was told.
    pub fn end(&mut self) {
        let telling = self.telling;
        self.series.retain(|_, told| told.telling + KEPT > telling);
        self.telling += 1;
    }
}

/// None where the second is not before the first.
fn difference(now: &Reading, before: &Reading) -> Option<Reading> {
    match (now, before) {
        (Reading::Number(now), Reading::Number(before)) => {
            let value = match (*now, *before) {
                (Value::Unsigned(now), Value::Unsigned(before)) => now.checked_sub(before)?.into(),
                (now, before) if now.as_f64() >= before.as_f64() => {
                    (now.as_f64() - before.as_f64()).into()
                }
                _ => return None,
            };
            Some(Reading::Number(value))
        }
        (Reading::Histogram(now), Reading::Histogram(before)) => {
            histogram(now, before).map(Reading::Histogram)
        }
        _ => None,
    }
}

fn histogram(now: &HistogramReading, before: &HistogramReading) -> Option<HistogramReading> {
    if now.bounds != before.bounds {
        return None;
    }
    let pairs = now.up_to.iter().zip(&before.up_to);
    let up_to = pairs.map(|(now, before)| now.checked_sub(*before));
    let exponential = match (&now.exponential, &before.exponential) {
        (None, _) => None,
        (Some(now), before) => Some(exponential(now, before.as_ref()?)?),
    };
    // Each of them was told once.
    let is_new = |one: &&(usize, _)| !before.exemplars.contains(one);
    Some(HistogramReading {
        bounds: now.bounds.clone(),
        up_to: up_to.collect::<Option<_>>()?,
        count: now.count.checked_sub(before.count)?,
        sum: (now.sum - before.sum).max(0.0),
        exponential,
        exemplars: now.exemplars.iter().filter(is_new).copied().collect(),
    })
}

fn exponential(now: &Exponential, before: &Exponential) -> Option<Exponential> {
    let mut told = before.buckets.iter().peekable();
    let mut buckets = Vec::new();
    for (index, count) in &now.buckets {
        if told.peek().is_some_and(|(of, _)| of < index) {
            // One that is gone.
            return None;
        }
        let before = told.next_if(|(of, _)| of == index).map_or(0, |(_, count)| *count);
        match count.checked_sub(before)? {
            0 => {}
            newer => buckets.push((*index, newer)),
        }
    }
    if told.next().is_some() {
        return None;
    }
    let zero_count = now.zero_count.checked_sub(before.zero_count)?;
    Some(Exponential { zero_count, buckets, ..*now })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: u64) -> Reading {
        Reading::Number(value.into())
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let mut past = Past::default();
        let (one, other) = (("f", &b"a"[..]), ("f", &b"b"[..]));
        assert_eq!(past.newer(one, &number(3), 10, 20), (10, number(3)));
        assert_eq!(past.newer(other, &number(1), 12, 20), (12, number(1)));
        past.end();
        assert_eq!(past.newer(one, &number(7), 10, 30), (20, number(4)));
        past.end();
        // The other was away for a while; this one began anew, then fell.
        assert_eq!(past.newer(other, &number(5), 12, 40), (20, number(4)));
        assert_eq!(past.newer(one, &number(8), 35, 40), (35, number(8)));
        past.end();
        assert_eq!(past.newer(one, &number(2), 35, 50), (40, number(2)));
        let half = Reading::Number(2.5.into());
        assert_eq!(past.newer(one, &half, 35, 60), (50, Reading::Number(0.5.into())));
        (0..=KEPT).for_each(|_| past.end());
        assert_eq!(past.series.len(), 0, "none was told for long");
    }

    #[test]
    fn a_histogram_tells_what_came_into_each_bucket() {
        let reading = |up_to: &[u64], count, zero_count, buckets: &[(i32, u64)]| HistogramReading {
            bounds: [1.0, 2.0].into(),
            up_to: up_to.to_vec(),
            count,
            sum: count as f64,
            exponential: Some(Exponential {
                schema: 3,
                zero_threshold: 0.5,
                zero_count,
                buckets: buckets.to_vec(),
            }),
            exemplars: Vec::new(),
        };
        let before = reading(&[1, 2], 4, 1, &[(1, 1), (5, 2)]);
        let now = reading(&[1, 5], 9, 1, &[(1, 1), (2, 3), (5, 4)]);
        let newer = reading(&[0, 3], 5, 0, &[(2, 3), (5, 2)]);
        assert_eq!(histogram(&now, &before), Some(newer));
        assert_eq!(histogram(&before, &now), None);
        let other = reading(&[1, 5], 9, 1, &[(2, 3), (5, 4)]);
        assert_eq!(histogram(&other, &before), None, "a bucket is gone");
    }
}
