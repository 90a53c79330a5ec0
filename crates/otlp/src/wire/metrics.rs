//! Families of metrics as OTLP's messages, in requests that are bounded in size.
//!
//! A family is told under the name that it has everywhere: `chandra_tcp_connect_duration_seconds`, a counter
//! without `_total`, with its unit by UCUM (`s`). Who puts it back into Prometheus's names adds `_total` and
//! finds the unit there already, so a dashboard and an alert are the same whichever way a number came.
//! Labels are attributes under their own names. Those few for which the semantic conventions have names are told
//! under these ([`super::semantic`]).

use chandra_metrics::{Heading, Kind, Reading, Sink};

use super::points::{self, Span};
use super::{ITEM, bytes_field, nested, semantic, text_attribute};
use crate::batch::Packing;
use crate::settings::Temporality;
use crate::temporality::Past;

/// A request is sent off that has so many bytes before it is compressed. Receivers of gRPC take 4 MiB unless
/// they are told otherwise, and a series may be as large as a few KiB.
const REQUEST_BYTES: usize = 1 << 20;

/// Of `Metric`.
const NAME: u32 = 1;
const DESCRIPTION: u32 = 2;
const UNIT: u32 = 3;
/// Of `Gauge`, `Sum`, `Histogram` and `ExponentialHistogram`.
const DATA_POINTS: u32 = 1;

/// What the points of a metric are: the field of `Metric` that has them, and that of their attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Gauge,
    Sum,
    Histogram,
    Exponential,
}

impl Form {
    fn tag(self) -> u32 {
        match self {
            Self::Gauge => 5,
            Self::Sum => 7,
            Self::Histogram => 9,
            Self::Exponential => 10,
        }
    }

    fn attributes(self) -> u32 {
        match self {
            Self::Gauge | Self::Sum => 7,
            Self::Histogram => 9,
            Self::Exponential => 1,
        }
    }
}

/// How metrics are told.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// When the agent began: since then all is counted that does not say when it began.
    pub started_ns: u64,
    /// When this is told.
    pub now_ns: u64,
    /// What numbers that only grow are told as.
    pub temporality: Temporality,
    /// Histograms that have exponential buckets are told in them.
    pub exponential: bool,
}

/// Writes requests, and sends each off when it is large enough.
#[derive(Debug)]
pub struct Metrics<'a> {
    manner: Manner,
    packing: &'a Packing,
    past: &'a mut Past,
    name: String,
    unit: String,
    help: String,
    /// By the conventions, of a family that they know.
    semantic_name: Option<&'static str>,
    kind: Kind,
    form: Form,
    /// Points of the family so far.
    points: Vec<u8>,
    /// One that is being written.
    point: Vec<u8>,
    /// Metrics of the request so far.
    metrics: Vec<u8>,
    items: u64,
}

impl<'a> Metrics<'a> {
    /// Sends requests off to this.
    pub(crate) fn new(manner: Manner, packing: &'a Packing, past: &'a mut Past) -> Self {
        Self {
            manner,
            packing,
            past,
            name: String::new(),
            unit: String::new(),
            help: String::new(),
            semantic_name: None,
            kind: Kind::Gauge,
            form: Form::Gauge,
            points: Vec::new(),
            point: Vec::new(),
            metrics: Vec::new(),
            items: 0,
        }
    }

    /// The family's points become a metric.
    fn end_metric(&mut self) {
        if self.points.is_empty() {
            return;
        }
        let Self { metrics, name, semantic_name, help, unit, points, form, manner, .. } = self;
        let name = semantic_name.unwrap_or(name);
        nested(ITEM, metrics, |out| {
            for (tag, text) in [(NAME, name), (DESCRIPTION, help), (UNIT, unit)] {
                if !text.is_empty() {
                    bytes_field(tag, text.as_bytes(), out);
                }
            }
            nested(form.tag(), out, |out| {
                out.extend_from_slice(points);
                if *form != Form::Gauge {
                    let is_delta = manner.temporality == Temporality::Delta;
                    points::aggregation(is_delta, *form == Form::Sum, out);
                }
            });
        });
        points.clear();
    }

    fn end_request(&mut self) {
        self.end_metric();
        if self.items > 0 {
            self.packing.queue.made(self.items);
            self.packing.pack(&self.metrics, self.items);
            self.metrics.clear();
            self.items = 0;
        }
    }
}

impl Sink for Metrics<'_> {
    fn family(&mut self, heading: &Heading<'_>) {
        self.end_metric();
        let Heading { kind, name, unit, help } = *heading;
        self.kind = kind;
        name.clone_into(&mut self.name);
        self.semantic_name = semantic::metric(name);
        help.clone_into(&mut self.help);
        ucum(unit).clone_into(&mut self.unit);
    }

    fn series<'v>(
        &mut self,
        labels: &mut dyn Iterator<Item = (&'v str, &'v str)>,
        reading: &Reading,
        created_unix_ms: Option<u64>,
    ) {
        let form = match reading {
            Reading::Number(_) if self.kind == Kind::Counter => Form::Sum,
            Reading::Number(_) => Form::Gauge,
            Reading::Histogram(reading)
                if self.manner.exponential && reading.exponential.is_some() =>
            {
                Form::Exponential
            }
            Reading::Histogram(_) => Form::Histogram,
        };
        if form != self.form {
            self.end_metric();
            self.form = form;
        }
        self.point.clear();
        for (name, value) in labels {
            match self.semantic_name {
                Some(_) => semantic::label(form.attributes(), name, value, &mut self.point),
                None => text_attribute(form.attributes(), name, value, &mut self.point),
            }
        }
        let Manner { started_ns, now_ns, temporality, .. } = self.manner;
        let created_ns = created_unix_ms.map(|unix_ms| unix_ms.saturating_mul(1_000_000));
        let start_ns = created_ns.unwrap_or(started_ns);
        let mut span = Span { start_ns: Some(start_ns), time_ns: now_ns };
        let newer = match (form, temporality) {
            (Form::Gauge, _) => {
                span.start_ns = None;
                None
            }
            (_, Temporality::Cumulative) => None,
            (_, Temporality::Delta) => {
                let series = (self.name.as_str(), self.point.as_slice());
                let (begin_ns, newer) = self.past.newer(series, reading, start_ns, now_ns);
                span.start_ns = Some(begin_ns);
                Some(newer)
            }
        };
        match newer.as_ref().unwrap_or(reading) {
            Reading::Number(value) => points::number(*value, span, &mut self.point),
            Reading::Histogram(reading) => match &reading.exponential {
                Some(of) if form == Form::Exponential => {
                    points::exponential(reading, of, span, &mut self.point);
                }
                _ => points::histogram(reading, span, &mut self.point),
            },
        }
        bytes_field(DATA_POINTS, &self.point, &mut self.points);
        self.items += 1;
        if self.metrics.len() + self.points.len() >= REQUEST_BYTES {
            self.end_request();
        }
    }

    fn finish(&mut self) {
        self.end_request();
        self.past.end();
    }

    fn wants_created(&self) -> bool {
        true
    }
}

/// A base unit as UCUM writes it. What counts things has none: `1` would make Prometheus add `_ratio`.
fn ucum(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "By",
        "percent" => "%",
        "ratio" => "1",
        other => other,
    }
}
