//! All families of a process, and the answer to a scrape.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cell::{Cell, Counter, Gauge, Seconds};
use crate::family::{Expose, Family, Figures};
use crate::histogram::Histogram;
use crate::powers_of_two::{self, PowersOfTwo};
use crate::spec::{Kind, Spec, SpecError};
use crate::writer::Writer;

/// What holds for all families of a registry.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// So many series a family has at most, one beside for what there is no room for.
    pub max_series: usize,
    /// A series that was not touched for so long is forgotten.
    pub expire_after: Duration,
    /// OpenMetrics tells when each series began. Off: a server that does not know what to do with it keeps a
    /// second series for each, which is what the budget is there to avoid.
    pub tells_created: bool,
    /// When time began.
    pub started: Instant,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_series: 5000,
            expire_after: Duration::from_secs(600),
            tells_created: false,
            started: Instant::now(),
        }
    }
}

/// Families, to be written together. A clone is the same registry.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    families: Arc<Mutex<Vec<Arc<dyn Expose>>>>,
    settings: Settings,
}

impl Registry {
    /// Empty.
    pub fn new(settings: Settings) -> Self {
        Self { families: Arc::default(), settings }
    }

    /// What holds for all families.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// A family of counters.
    ///
    /// # Errors
    /// When it cannot be named so.
    pub fn counter(&self, spec: Spec) -> Result<Family<Counter>, SpecError> {
        self.family(spec, ())
    }

    /// A family of counters of time.
    ///
    /// # Errors
    /// When it cannot be named so.
    pub fn seconds(&self, spec: Spec) -> Result<Family<Seconds>, SpecError> {
        self.family(spec, ())
    }

    /// A family of histograms that are counted elsewhere, by powers of two of nanoseconds.
    ///
    /// # Errors
    /// When it cannot be named so.
    pub fn powers_of_two(&self, spec: Spec) -> Result<Family<PowersOfTwo>, SpecError> {
        self.family(spec, powers_of_two::TOLD.map(powers_of_two::bound_seconds).collect())
    }

    /// A family of gauges.
    ///
    /// # Errors
    /// When it cannot be named so.
    pub fn gauge(&self, spec: Spec) -> Result<Family<Gauge>, SpecError> {
        self.family(spec, ())
    }

    /// A family of histograms with these bounds; one without a bound is added.
    ///
    /// # Errors
    /// When it cannot be named so, or the bounds do not grow.
    pub fn histogram(&self, spec: Spec, bounds: &[f64]) -> Result<Family<Histogram>, SpecError> {
        let grows = bounds.windows(2).all(|pair| matches!(pair, [low, high] if low < high));
        if bounds.is_empty() || !grows || !bounds.iter().all(|bound| bound.is_finite()) {
            return Err(SpecError::Bounds(spec.name));
        }
        self.family(spec, bounds.into())
    }

    fn family<C: Cell>(&self, spec: Spec, shape: C::Shape) -> Result<Family<C>, SpecError> {
        spec.check(C::KIND)?;
        let mut families = self.families();
        if families.iter().any(|other| other.spec().collides(&spec)) {
            return Err(SpecError::NameTwice(spec.name));
        }
        let (family, shared) = Family::new(spec, shape, self.settings);
        families.push(shared);
        Ok(family)
    }

    fn families(&self) -> MutexGuard<'_, Vec<Arc<dyn Expose>>> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All families, with or without series.
    pub fn specs(&self) -> Vec<(Kind, Spec)> {
        self.families().iter().map(|family| (family.kind(), family.spec().clone())).collect()
    }

    /// Writes all families that have series, and how they stand to their budget.
    pub fn write(&self, out: &mut Writer<'_>) {
        let families = self.families().clone();
        for family in &families {
            family.write(out);
        }
        if families.is_empty() {
            return;
        }
        let mut own = |kind, name, help, value: &dyn Fn(&Figures) -> u64| {
            let mut writer = out.family(kind, name, "", help);
            for family in &families {
                writer.sample(&[("family", family.spec().name)], value(&family.figures()));
            }
        };
        own(Kind::Gauge, "chandra_metrics_series", "Series of a family of metrics.", &|figures| {
            figures.series as u64
        });
        own(
            Kind::Counter,
            "chandra_metrics_overflowed_observations",
            "Observations for which a family had no room, counted in its series \"overflow\".",
            &|figures| figures.overflowed,
        );
        own(
            Kind::Counter,
            "chandra_metrics_forgotten_series",
            "Series that a family forgot because nothing touched them any more.",
            &|figures| figures.forgotten,
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{Format, Heading, Reading, Sink, Values};

    fn spec(name: &'static str, labels: &[&'static str]) -> Spec {
        Spec { name, help: "Help.", unit: "", labels: labels.to_vec() }
    }

    #[test]
    fn a_name_is_taken_once() {
        let registry = Registry::default();
        registry.counter(spec("a", &[])).unwrap();
        let twice = registry.gauge(spec("a", &["b"])).unwrap_err();
        assert_eq!(twice, SpecError::NameTwice("a"));
        assert_eq!(registry.gauge(spec("1", &[])).unwrap_err(), SpecError::Name("1"));
    }

    /// Asks another thread for something, and waits until that is done, in the middle of a scrape.
    #[derive(Debug)]
    struct Middle {
        ask: mpsc::Sender<()>,
        done: mpsc::Receiver<()>,
        asked: bool,
    }

    impl Sink for &mut Middle {
        fn family(&mut self, _: &Heading<'_>) {}

        fn series<'v>(
            &mut self,
            _: &mut dyn Iterator<Item = (&'v str, &'v str)>,
            _: &Reading,
            _: Option<u64>,
        ) {
            if !std::mem::replace(&mut self.asked, true) {
                self.ask.send(()).unwrap();
                self.done.recv_timeout(Duration::from_secs(60)).expect("it waits for the scrape");
            }
        }

        fn finish(&mut self) {}
    }

    #[test]
    fn a_scrape_holds_back_nobody() {
        let registry = Registry::new(Settings { max_series: 100_001, ..Settings::default() });
        let mut family = registry.counter(spec("f", &["number"])).unwrap();
        let values = |number: u32| [number.to_string().as_str()].into_iter().collect::<Values>();
        (0..100_000).for_each(|number| family.with(&values(number)).increment());
        let ((ask, asked), (tell, done)) = (mpsc::channel(), mpsc::channel());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                asked.recv().unwrap();
                // What is known is counted, what is new is made, and what is old is forgotten.
                family.with(&values(7)).increment();
                family.with(&values(100_000)).increment();
                assert_eq!(family.remove_where(|values| values.next() == Some("8")), 1);
                tell.send(()).unwrap();
            });
            let mut middle = Middle { ask, done, asked: false };
            registry.write(&mut Writer::to(&mut middle));
            assert!(middle.asked);
        });
    }

    #[test]
    fn bounds_of_a_histogram_grow() {
        let registry = Registry::default();
        for bounds in [&[][..], &[1.0, 1.0], &[2.0, 1.0], &[f64::NAN], &[1.0, f64::INFINITY]] {
            let refused = registry.histogram(spec("h", &[]), bounds).unwrap_err();
            assert_eq!(refused, SpecError::Bounds("h"), "{bounds:?}");
        }
    }

    #[test]
    fn a_histogram_tells_how_many_were_up_to_each_bound() {
        let tells_created = true;
        let registry = Registry::new(Settings { tells_created, ..Settings::default() });
        let mut family = registry.histogram(spec("h", &["a"]), &[0.5, 1.0]).unwrap();
        let mut gauges = registry.gauge(spec("g", &[])).unwrap();
        let values: Values = ["x"].into_iter().collect();
        for value in [0.25, 0.5, 0.75, 1.0, 7.0, f64::NAN] {
            family.with(&values).observe(value);
        }
        gauges.with(&Values::default()).set(-2.5);
        let written = |format| {
            let mut text = Vec::new();
            registry.write(&mut Writer::new(format, &mut text));
            let text = String::from_utf8(text).unwrap();
            let families = text.split("# HELP chandra_metrics_series").next();
            families.unwrap_or_default().to_owned()
        };
        let text = "# HELP h Help.\n# TYPE h histogram\n\
            h_bucket{a=\"x\",le=\"0.5\"} 2\nh_bucket{a=\"x\",le=\"1\"} 4\n\
            h_bucket{a=\"x\",le=\"+Inf\"} 5\nh_sum{a=\"x\"} 9.5\nh_count{a=\"x\"} 5\n\
            # HELP g Help.\n# TYPE g gauge\ng -2.5\n";
        assert_eq!(written(Format::Text), text);
        // When a series began is told of what only grows.
        let open = written(Format::OpenMetrics);
        assert!(open.contains("h_created{a=\"x\"} 1") && !open.contains("g_created"), "{open}");
    }
}
