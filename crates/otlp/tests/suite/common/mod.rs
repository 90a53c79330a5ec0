//! What tests of the export begin with: families of metrics, and an export of them that is in a hurry.

use std::time::{Duration, SystemTime};

use chandra_metrics::{Counter, Family, Format, Gauge, Histogram, Registry, Spec, Values, Writer};
use chandra_otlp::{Exporter, Given, Node, Resource, Settings};
use chandra_tests::collector::{Collector, Speaks};

/// A registry with one family of each kind.
pub struct Families {
    pub registry: Registry,
    pub drops: Family<Counter>,
    pub temperature: Family<Gauge>,
    pub waits: Family<Histogram>,
}

pub const BOUNDS: [f64; 3] = [0.001, 0.01, 0.1];

pub fn values(all: &[&str]) -> Values {
    all.iter().copied().collect()
}

impl Families {
    pub fn new(registry: Registry) -> Self {
        let spec = |name, unit, labels: &[&'static str]| Spec {
            name,
            help: "What it is.",
            unit,
            labels: labels.to_vec(),
        };
        Self {
            drops: registry.counter(spec("drops", "", &["reason", "path"])).unwrap(),
            temperature: registry.gauge(spec("temperature", "", &[])).unwrap(),
            waits: registry.histogram(spec("wait_seconds", "seconds", &["pod"]), &BOUNDS).unwrap(),
            registry,
        }
    }

    /// What a scrape of the same says.
    pub fn scraped(&self) -> String {
        let mut text = Vec::new();
        let mut writer = Writer::new(Format::Text, &mut text);
        self.registry.write(&mut writer);
        writer.finish();
        String::from_utf8(text).unwrap()
    }

    /// A number of the scrape.
    pub fn scraped_value(&self, sample: &str) -> f64 {
        let text = self.scraped();
        let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {sample} in {text}")).parse().unwrap()
    }
}

/// As options, for this collector.
pub fn given(collector: &Collector, speaks: Speaks) -> Given {
    let protocol = if speaks == Speaks::Grpc { "grpc" } else { "http/protobuf" };
    Given {
        endpoint: Some(format!("http://{}", collector.address())),
        protocol: Some(protocol.into()),
        ..Given::default()
    }
}

/// The same, in a hurry.
pub fn settings(given: &Given) -> Settings {
    let mut settings = Settings::new(given, &|_| None).unwrap().unwrap();
    settings.interval = Duration::from_millis(50);
    settings.retry.first = Duration::from_millis(20);
    settings.retry.longest = Duration::from_millis(40);
    settings
}

pub fn start(settings: &Settings, registry: &Registry) -> Exporter {
    let registry = registry.clone();
    let node = Node {
        name: "node-1".into(),
        is_of_kubernetes: true,
        host_name: "host-1".into(),
        machine_id: Some("0123".into()),
    };
    let resource = Resource::new(&node, "1.2.3", &settings.attributes);
    let collect = move |out: &mut Writer<'_>| registry.write(out);
    Exporter::start(settings, &resource, SystemTime::now(), collect, |what| eprintln!("{what}"))
        .unwrap()
}
