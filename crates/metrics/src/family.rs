//! A family's series: found by the values of their labels, bounded in number, forgotten when nothing
//! touches them any more.
//!
//! One thread owns the table and writes, so looking up a series takes no lock. What is told to a scraper
//! is a list beside it, whose lock is held only to add or remove a series, or to copy the list for a
//! scrape: no scrape waits for a flow or makes one wait for text to be written.
//!
//! Invariant: a family has at most so many series as its budget, and one more, [`OVERFLOW`], in which
//! what there was no room for is counted, so that totals stay right.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::cell::Cell;
use crate::registry::Settings;
use crate::spec::{Kind, Spec};
use crate::values::{Values, split};
use crate::writer::Writer;

/// The value of all labels of the series that takes what there was no room for.
pub const OVERFLOW: &str = "overflow";

/// A family, for the thread that writes it.
#[derive(Debug)]
pub struct Family<C: Cell> {
    shared: Arc<Shared<C>>,
    table: HashTable<Arc<Series<C>>>,
    hasher: RandomState,
    overflow: Option<Arc<Series<C>>>,
    now_seconds: u32,
    next_sweep_seconds: u32,
}

/// What a scrape reads.
#[derive(Debug)]
pub(crate) struct Shared<C: Cell> {
    spec: Spec,
    shape: C::Shape,
    settings: Settings,
    series: Mutex<Vec<Arc<Series<C>>>>,
    overflowed: AtomicU64,
    forgotten: AtomicU64,
}

#[derive(Debug)]
struct Series<C> {
    key: Box<[u8]>,
    hash: u64,
    created_unix_ms: u64,
    touched_seconds: AtomicU32,
    is_forgotten: AtomicBool,
    cell: C,
}

impl<C: Cell> Family<C> {
    pub(crate) fn new(spec: Spec, shape: C::Shape, settings: Settings) -> (Self, Arc<Shared<C>>) {
        let shared = Arc::new(Shared {
            spec,
            shape,
            settings,
            series: Mutex::default(),
            overflowed: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
        });
        let family = Self {
            shared: Arc::clone(&shared),
            table: HashTable::new(),
            hasher: RandomState::default(),
            overflow: None,
            now_seconds: 0,
            next_sweep_seconds: 0,
        };
        (family, shared)
    }

    /// The series of these values, made if there is none. Where there is no room for it, or the values
    /// are not as many as the labels, it is the one that takes all that.
    pub fn with(&mut self, values: &Values) -> &C {
        let Self { shared, table, hasher, overflow, now_seconds, .. } = self;
        let key = values.key();
        let hash = hasher.hash_one(key);
        let fits = values.len() == shared.spec.labels.len();
        let has_room = table.len() < shared.settings.max_series;
        let series = match table.entry(hash, |series| *series.key == *key, |series| series.hash) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) if fits && has_room => {
                place.insert(shared.add(key, hash)).into_mut()
            }
            Entry::Vacant(_) => {
                shared.overflowed.fetch_add(1, Ordering::Relaxed);
                overflow.get_or_insert_with(|| {
                    let values: Values = shared.spec.labels.iter().map(|_| OVERFLOW).collect();
                    shared.add(values.key(), 0)
                })
            }
        };
        series.touched_seconds.store(*now_seconds, Ordering::Relaxed);
        &series.cell
    }

    /// Tells it the time, about once a second, and forgets what was not touched for too long.
    pub fn tick(&mut self, now: Instant) {
        let Settings { started, expire_after, .. } = self.shared.settings;
        let seconds = now.saturating_duration_since(started).as_secs();
        self.now_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let expire_seconds = u32::try_from(expire_after.as_secs()).unwrap_or(u32::MAX);
        if self.now_seconds < self.next_sweep_seconds {
            return;
        }
        // Looking at all of them ten times as often as they expire is seldom and early enough.
        self.next_sweep_seconds = self.now_seconds.saturating_add((expire_seconds / 10).max(1));
        let oldest = self.now_seconds.saturating_sub(expire_seconds);
        let is_old = |series: &Series<C>| series.touched_seconds.load(Ordering::Relaxed) < oldest;
        self.remove(is_old);
    }

    /// Forgets the series whose values are so; says how many.
    pub fn remove_where(
        &mut self,
        mut is_gone: impl FnMut(&mut dyn Iterator<Item = &str>) -> bool,
    ) -> usize {
        self.remove(|series| is_gone(&mut split(&series.key)))
    }

    fn remove(&mut self, mut is_gone: impl FnMut(&Series<C>) -> bool) -> usize {
        let mut removed = 0;
        let mut forget = |series: Arc<Series<C>>| {
            series.is_forgotten.store(true, Ordering::Relaxed);
            removed += 1;
        };
        self.table.extract_if(|series| is_gone(series)).for_each(&mut forget);
        self.overflow.take_if(|series| is_gone(series)).into_iter().for_each(&mut forget);
        if removed > 0 {
            self.shared.forget(removed);
        }
        removed
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.table.len() + usize::from(self.overflow.is_some())
    }

    /// There are no series.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<C: Cell> Shared<C> {
    fn list(&self) -> MutexGuard<'_, Vec<Arc<Series<C>>>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: &[u8], hash: u64) -> Arc<Series<C>> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let series = Arc::new(Series {
            key: key.into(),
            hash,
            created_unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            touched_seconds: AtomicU32::new(0),
            is_forgotten: AtomicBool::new(false),
            cell: C::new(&self.shape),
        });
        self.list().push(Arc::clone(&series));
        series
    }

    fn forget(&self, count: usize) {
        self.list().retain(|series| !series.is_forgotten.load(Ordering::Relaxed));
        self.forgotten.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// What a registry knows of a family.
pub(crate) trait Expose: fmt::Debug + Send + Sync {
    fn spec(&self) -> &Spec;
    fn kind(&self) -> Kind;
    /// Writes it; nothing where it has no series.
    fn write(&self, out: &mut Writer<'_>);
    fn figures(&self) -> Figures;
}

/// How a family stands to its budget.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub series: usize,
    pub overflowed: u64,
    pub forgotten: u64,
}

impl<C: Cell> Expose for Shared<C> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn kind(&self) -> Kind {
        C::KIND
    }

    fn write(&self, out: &mut Writer<'_>) {
        let all = self.list().clone();
        if all.is_empty() {
            return;
        }
        let tells_created = self.settings.tells_created || out.wants_created();
        let tells_created = tells_created && C::KIND != Kind::Gauge;
        let mut family = out.family_of(C::KIND, &self.spec);
        for series in all {
            let mut labels = self.spec.labels.iter().copied().zip(split(&series.key));
            let created = tells_created.then_some(series.created_unix_ms);
            family.series(&mut labels, &series.cell.read(), created);
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            series: self.list().len(),
            overflowed: self.overflowed.load(Ordering::Relaxed),
            forgotten: self.forgotten.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Counter, Format, Registry};

    const EXPIRE: Duration = Duration::from_secs(60);

    fn registry(max_series: usize) -> Registry {
        Registry::new(Settings { max_series, expire_after: EXPIRE, ..Settings::default() })
    }

    fn family(registry: &Registry, labels: &[&'static str]) -> Family<Counter> {
        let spec = Spec { name: "f", help: "", unit: "", labels: labels.to_vec() };
        registry.counter(spec).unwrap()
    }

    fn values(values: &[&str]) -> Values {
        values.iter().copied().collect()
    }

    /// The samples of `f`, and of what the registry says of it.
    fn told(registry: &Registry) -> Vec<String> {
        let mut text = Vec::new();
        let mut writer = Writer::new(Format::Text, &mut text);
        registry.write(&mut writer);
        writer.finish();
        let text = String::from_utf8(text).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    fn books(series: usize, overflowed: u64, forgotten: u64) -> Vec<String> {
        vec![
            format!("chandra_metrics_series{{family=\"f\"}} {series}"),
            format!("chandra_metrics_overflowed_observations_total{{family=\"f\"}} {overflowed}"),
            format!("chandra_metrics_forgotten_series_total{{family=\"f\"}} {forgotten}"),
        ]
    }

    fn lines(samples: &[&str], books: Vec<String>) -> Vec<String> {
        samples.iter().map(|line| (*line).to_owned()).chain(books).collect()
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_in_one_series() {
        let registry = registry(2);
        let mut family = family(&registry, &["a", "b"]);
        for (a, b) in [("1", "x"), ("2", "x"), ("3", "x"), ("4", "x"), ("1", "x"), ("2", "y")] {
            family.with(&values(&[a, b])).increment();
        }
        assert_eq!(family.len(), 3);
        let samples = [
            "f_total{a=\"1\",b=\"x\"} 2",
            "f_total{a=\"2\",b=\"x\"} 1",
            "f_total{a=\"overflow\",b=\"overflow\"} 3",
        ];
        assert_eq!(told(&registry), lines(&samples, books(3, 3, 0)));
    }

    #[test]
    fn values_that_do_not_fit_the_labels_never_make_a_series() {
        let registry = registry(10);
        let mut family = family(&registry, &["a", "b"]);
        family.with(&values(&["1"])).increment();
        family.with(&values(&["1", "2", "3"])).increment();
        let samples = ["f_total{a=\"overflow\",b=\"overflow\"} 2"];
        assert_eq!(told(&registry), lines(&samples, books(1, 2, 0)));
    }

    #[test]
    fn a_family_without_labels_has_one_series() {
        let registry = registry(10);
        let mut family = family(&registry, &[]);
        assert_eq!(told(&registry), books(0, 0, 0));
        family.with(&Values::default()).add(7);
        assert_eq!(told(&registry), lines(&["f_total 7"], books(1, 0, 0)));
    }

    #[test]
    fn what_is_not_touched_is_forgotten_and_makes_room() {
        let registry = registry(2);
        let mut family = family(&registry, &["a"]);
        let at = |seconds| registry.settings().started + Duration::from_secs(seconds);
        family.tick(at(1));
        for a in ["1", "2", "3"] {
            family.with(&values(&[a])).increment();
        }
        family.tick(at(30));
        family.with(&values(&["2"])).increment();
        // 1 second and 60 seconds later is not longer than 60 seconds ago.
        family.tick(at(61));
        assert_eq!(family.len(), 3);
        // Looked at again a tenth of that later.
        family.tick(at(62));
        assert_eq!(family.len(), 3);
        family.tick(at(67));
        assert_eq!(told(&registry), lines(&["f_total{a=\"2\"} 2"], books(1, 1, 2)));
        // One that comes back begins anew.
        family.with(&values(&["1"])).increment();
        let samples = ["f_total{a=\"2\"} 2", "f_total{a=\"1\"} 1"];
        assert_eq!(told(&registry), lines(&samples, books(2, 1, 2)));
        family.tick(at(10_000));
        assert!(family.is_empty());
        assert_eq!(told(&registry), books(0, 1, 4));
    }

    #[test]
    fn series_of_who_is_gone_are_forgotten_at_once() {
        let registry = registry(10);
        let mut family = family(&registry, &["a", "b"]);
        for (a, b) in [("1", "x"), ("1", "y"), ("2", "x"), ("x", "1")] {
            family.with(&values(&[a, b])).increment();
        }
        assert_eq!(family.remove_where(|values| values.next() == Some("1")), 2);
        assert_eq!(family.remove_where(|values| values.next() == Some("1")), 0);
        let samples = ["f_total{a=\"2\",b=\"x\"} 1", "f_total{a=\"x\",b=\"1\"} 1"];
        assert_eq!(told(&registry), lines(&samples, books(2, 0, 2)));
    }

    #[test]
    fn a_scrape_while_series_come_and_go_sees_whole_series() {
        let registry = registry(50);
        let mut family = family(&registry, &["a", "b"]);
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                for number in 0..300_000_u32 {
                    let text = (number % 70).to_string();
                    family.with(&values(&[&text, &text])).increment();
                    if number % 97 == 0 {
                        family.remove_where(|values| values.next() == Some(&text));
                    }
                }
            });
            while !writing.is_finished() {
                for line in told(&registry).iter().filter(|line| line.starts_with("f_total")) {
                    let (labels, count) = line.split_once(' ').unwrap();
                    let parts: Vec<_> = labels.split('"').collect();
                    assert_eq!(parts[1], parts[3], "{line}");
                    assert!(count.parse::<u64>().is_ok(), "{line}");
                }
            }
        });
    }
}
