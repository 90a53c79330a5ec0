//! Telling families, in whatever format they are asked for in.

use std::fmt;

use crate::format::Format;
use crate::protobuf::Protobuf;
use crate::reading::{HistogramReading, Reading, Value};
use crate::spec::{Kind, Spec};
use crate::text::Text;

/// What a family is, as it is told.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// What it counts or shows.
    pub kind: Kind,
    /// Its name; that of a counter without `_total`.
    pub name: &'a str,
    /// Its base unit, or empty.
    pub unit: &'a str,
    /// What it is.
    pub help: &'a str,
}

/// Who is told families: first the heading of one, then each of its series.
pub trait Sink: fmt::Debug {
    /// A family begins.
    fn family(&mut self, heading: &Heading<'_>);

    /// A series of it, by names and values of its labels. `created_unix_ms` says when it began, where that is
    /// to be told.
    fn series<'v>(
        &mut self,
        labels: &mut dyn Iterator<Item = (&'v str, &'v str)>,
        reading: &Reading,
        created_unix_ms: Option<u64>,
    );

    /// That was all.
    fn finish(&mut self);

    /// It is told when each series began, also where a registry does not tell that otherwise.
    fn wants_created(&self) -> bool {
        false
    }
}

/// Tells one answer to a scrape, family by family.
#[derive(Debug)]
pub struct Writer<'a>(Box<dyn Sink + 'a>);

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(format: Format, out: &'a mut Vec<u8>) -> Self {
        match format {
            Format::Text => Self::to(Text::new(false, out)),
            Format::OpenMetrics => Self::to(Text::new(true, out)),
            Format::Protobuf => Self::to(Protobuf::new(out)),
        }
    }

    /// Tells this one.
    pub fn to(sink: impl Sink + 'a) -> Self {
        Self(Box::new(sink))
    }

    /// Begins a family; its series follow. The caller sees to it that no name comes twice.
    pub fn family(&mut self, kind: Kind, name: &str, unit: &str, help: &str) -> FamilyWriter<'_> {
        self.0.family(&Heading { kind, name, unit, help });
        FamilyWriter(&mut *self.0)
    }

    /// The same, of a spec.
    pub(crate) fn family_of(&mut self, kind: Kind, spec: &Spec) -> FamilyWriter<'_> {
        self.family(kind, spec.name, spec.unit, spec.help)
    }

    /// Whoever is told wants to know when each series began.
    pub(crate) fn wants_created(&self) -> bool {
        self.0.wants_created()
    }

    /// Ends the answer.
    pub fn finish(mut self) {
        self.0.finish();
    }
}

/// Tells the series of a family.
#[derive(Debug)]
pub struct FamilyWriter<'a>(&'a mut (dyn Sink + 'a));

impl FamilyWriter<'_> {
    /// The sample of a counter or gauge.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        self.series(&mut labels.iter().copied(), &Reading::Number(value.into()), None);
    }

    /// A histogram that was kept elsewhere: how many values were up to each bound, the bounds growing, then how
    /// many there were in all, and their sum.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: impl IntoIterator<Item = (f64, u64)>,
        (count, sum): (u64, f64),
    ) {
        let (bounds, up_to): (Vec<f64>, Vec<u64>) = buckets.into_iter().unzip();
        let (bounds, exemplars) = (bounds.into(), Vec::new());
        let reading = HistogramReading { bounds, up_to, count, sum, exponential: None, exemplars };
        self.series(&mut labels.iter().copied(), &Reading::Histogram(reading), None);
    }

    /// A series.
    pub fn series<'v>(
        &mut self,
        labels: &mut dyn Iterator<Item = (&'v str, &'v str)>,
        reading: &Reading,
        created_unix_ms: Option<u64>,
    ) {
        self.0.series(labels, reading, created_unix_ms);
    }
}
