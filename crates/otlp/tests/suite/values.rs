//! What a collector reads, with OpenTelemetry's own types, is what a scrape of the same registry says.

use std::time::{Duration, SystemTime};

use chandra_metrics::{Exemplar, ExemplarId, Registry, Settings as RegistrySettings};
use chandra_tests::collector::{self, Collector, Received, Speaks, attribute};

use crate::common::{BOUNDS, Families, given, settings, start, values};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    NumberDataPoint, number_data_point,
};

/// The latest metric of a name.
fn metric(received: &Received, name: &str) -> Option<Metric> {
    let found = received.all_metrics().filter(|(_, metric)| metric.name == name).last();
    found.map(|(_, metric)| metric.clone())
}

fn sums(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => {
            assert!(sum.is_monotonic);
            &sum.data_points
        }
        other => panic!("no sum: {other:?}"),
    }
}

fn exponential(metric: &Metric) -> &[ExponentialHistogramDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::ExponentialHistogram(histogram) => &histogram.data_points,
        other => panic!("not exponential: {other:?}"),
    }
}

fn explicit(metric: &Metric) -> &[HistogramDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::Histogram(histogram) => &histogram.data_points,
        other => panic!("not explicit: {other:?}"),
    }
}

fn number(point: &NumberDataPoint) -> f64 {
    match point.value.unwrap() {
        number_data_point::Value::AsInt(value) => value as f64,
        number_data_point::Value::AsDouble(value) => value,
    }
}

fn temporality(metric: &Metric) -> AggregationTemporality {
    let number = match metric.data.as_ref().unwrap() {
        Data::Sum(of) => of.aggregation_temporality,
        Data::Histogram(of) => of.aggregation_temporality,
        Data::ExponentialHistogram(of) => of.aggregation_temporality,
        other => panic!("nothing is added up: {other:?}"),
    };
    number.try_into().unwrap()
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

/// Both ways, compressed and not.
#[test]
fn a_collector_reads_what_a_scrape_says() {
    for (speaks, compression) in [
        (Speaks::Grpc, "gzip"),
        (Speaks::Grpc, "none"),
        (Speaks::Http, "gzip"),
        (Speaks::Http, "none"),
    ] {
        let mut families = Families::new(Registry::default());
        let collector = Collector::start(speaks);
        let mut given = given(&collector, speaks);
        given.compression = Some(compression.into());
        let before_ns = unix_ns();
        let exporter = start(&settings(&given), &families.registry);
        families.drops.with(&values(&["no_socket", ""])).add(u64::from(u32::MAX) + 7);
        families.drops.with(&values(&["ä\"", "/x"])).increment();
        families.temperature.with(&values(&[])).set(-2.5);
        // From zero over several magnitudes.
        let observed = [0.0, 0.00042, 0.0031, 0.0032, 0.05, 0.05, 7.0];
        let id = ExemplarId::Connection(0xfeed);
        for value in observed {
            let exemplar = Some(Exemplar { id, value, unix_ms: 1_700_000_000_042 });
            families.waits.with(&values(&["web-0"])).observe_with(value, 1, exemplar);
        }
        let all_there = |received: &Received| {
            let drops = metric(received, "drops")?;
            let waits = metric(received, "wait_seconds")?;
            let done = sums(&drops).len() == 2 && exponential(&waits)[0].count == 7;
            done.then_some((drops, waits, metric(received, "temperature")?))
        };
        let (drops, waits, temperature) = collector.wait("all metrics", all_there);
        let after_ns = unix_ns();

        for point in sums(&drops) {
            let [reason, path] = ["reason", "path"].map(|key| attribute(&point.attributes, key));
            let sample = format!(
                "drops_total{{reason=\"{}\",path=\"{path}\"}}",
                reason.replace('"', "\\\"")
            );
            assert_eq!(number(point), families.scraped_value(&sample));
            // A series began with its first count, to the millisecond, before it was told.
            let began = before_ns - 1_000_000..=point.time_unix_nano;
            assert!(began.contains(&point.start_time_unix_nano), "{point:?}");
            assert!(point.time_unix_nano <= after_ns);
        }
        assert_eq!(temporality(&drops), AggregationTemporality::Cumulative);
        assert_eq!((drops.description.as_str(), drops.unit.as_str()), ("What it is.", ""));
        let Some(Data::Gauge(gauge)) = &temperature.data else { panic!("{temperature:?}") };
        assert_eq!(number(&gauge.data_points[0]), families.scraped_value("temperature"));
        assert_eq!(gauge.data_points[0].start_time_unix_nano, 0);

        assert_eq!(
            (waits.unit.as_str(), temporality(&waits)),
            ("s", AggregationTemporality::Cumulative)
        );
        let [point] = exponential(&waits) else { panic!("not one series: {waits:?}") };
        assert_eq!(attribute(&point.attributes, "pod"), "web-0");
        let sum = families.scraped_value("wait_seconds_sum{pod=\"web-0\"}");
        assert_eq!((point.count, point.sum, point.zero_count), (7, Some(sum), 1));
        assert!(point.zero_threshold > 0.0 && point.zero_threshold < 1e-8);
        // By the protocol's own words: bucket i is above base^i and up to base^(i + 1).
        let base = 2_f64.powf(2_f64.powi(-point.scale));
        let buckets = point.positive.as_ref().unwrap();
        let mut found = Vec::new();
        for (index, count) in (buckets.offset..).zip(&buckets.bucket_counts) {
            let (low, high) = (base.powi(index), base.powi(index + 1));
            let within = observed.iter().filter(|value| low < **value && **value <= high);
            assert_eq!(within.count() as u64, *count, "({low}, {high}]");
            found.push(*count);
        }
        assert_eq!(found.iter().sum::<u64>(), 6);
        let exemplar = point.exemplars.last().unwrap();
        assert_eq!(attribute(&exemplar.filtered_attributes, "connection_key"), "000000000000feed");
        assert_eq!(exemplar.time_unix_nano, 1_700_000_000_042_000_000);

        collector.received(|received| {
            let (resource, _) = received.all_metrics().next().unwrap();
            let of = |key| attribute(&resource.attributes, key);
            assert_eq!(of("k8s.node.name"), "node-1");
            assert_eq!((of("host.name"), of("host.id")), ("host-1".into(), "0123".into()));
            assert_eq!(
                (of("service.name"), of("service.version")),
                ("chandra".into(), "1.2.3".into())
            );
            assert_eq!(of("os.type"), "linux");
            let scope = received.metrics[0].resource_metrics[0].scope_metrics[0].scope.as_ref();
            assert_eq!(scope.unwrap().name, "chandra");
            let encoding =
                if speaks == Speaks::Grpc { collector::GRPC_ENCODING } else { "content-encoding" };
            let is_gzip = received.headers[0].contains(&(encoding.into(), "gzip".into()));
            assert_eq!(is_gzip, compression == "gzip");
        });
        let [figures] = &exporter.stop(Duration::from_secs(60))[..1] else { panic!("no figures") };
        let points = collector.received(|received| received.all_metrics().map(points).sum::<u64>());
        assert_eq!((figures.made, figures.sent, figures.queued), (points, points, 0));
    }
}

fn points((_, metric): (&opentelemetry_proto::tonic::resource::v1::Resource, &Metric)) -> u64 {
    let points = match metric.data.as_ref().unwrap() {
        Data::Gauge(of) => of.data_points.len(),
        Data::Sum(of) => of.data_points.len(),
        Data::Histogram(of) => of.data_points.len(),
        Data::ExponentialHistogram(of) => of.data_points.len(),
        other => panic!("{other:?}"),
    };
    points as u64
}

#[test]
fn histograms_have_the_buckets_of_a_scrape_where_that_is_asked_for() {
    let mut families = Families::new(Registry::default());
    let collector = Collector::start(Speaks::Http);
    let mut settings = settings(&given(&collector, Speaks::Http));
    settings.exponential = false;
    for value in [0.0005, 0.001, 0.05, 3.0, 4.0] {
        families.waits.with(&values(&["a"])).observe(value);
    }
    let _exporter = start(&settings, &families.registry);
    let waits = collector.wait("the histogram", |received| metric(received, "wait_seconds"));
    let point = &explicit(&waits)[0];
    assert_eq!(point.explicit_bounds, BOUNDS);
    assert_eq!(point.bucket_counts, [2, 0, 1, 2]);
    let mut up_to = 0;
    for (bound, count) in ["0.001", "0.01", "0.1", "+Inf"].into_iter().zip(&point.bucket_counts) {
        up_to += count;
        let sample = format!("wait_seconds_bucket{{pod=\"a\",le=\"{bound}\"}}");
        assert_eq!(up_to as f64, families.scraped_value(&sample));
    }
}

#[test]
fn what_is_new_adds_up_to_all_there_was() {
    let mut families = Families::new(Registry::default());
    let collector = Collector::start(Speaks::Grpc);
    let mut given = given(&collector, Speaks::Grpc);
    given.temporality = Some("delta".into());
    let exporter = start(&settings(&given), &families.registry);
    for _ in 0..100 {
        families.drops.with(&values(&["a", "b"])).add(3);
        families.waits.with(&values(&["a"])).observe(0.02);
        std::thread::sleep(Duration::from_millis(3));
    }
    exporter.stop(Duration::from_secs(60));
    collector.received(|received| {
        let named = |name: &'static str| {
            received.all_metrics().map(|(_, metric)| metric).filter(move |it| it.name == name)
        };
        let told: Vec<_> = named("drops").map(|metric| sums(metric)[0].clone()).collect();
        assert!(told.len() > 1, "told in one go");
        assert_eq!(told.iter().map(number).sum::<f64>(), 300.0);
        // One begins where the one before ended.
        let follows =
            |pair: &[NumberDataPoint]| pair[1].start_time_unix_nano == pair[0].time_unix_nano;
        assert!(told.windows(2).all(follows), "{told:?}");
        let waits: Vec<_> = named("wait_seconds").collect();
        assert!(waits.iter().all(|it| temporality(it) == AggregationTemporality::Delta));
        let counts = waits.iter().map(|metric| exponential(metric)[0].count);
        assert_eq!(counts.sum::<u64>(), 100);
        let in_buckets = waits.iter().flat_map(|metric| exponential(metric)[0].positive.clone());
        assert_eq!(in_buckets.flat_map(|it| it.bucket_counts).sum::<u64>(), 100);
    });
}

/// A server of gRPC takes messages of 4 MiB; tonic's is one.
#[test]
fn many_series_go_in_requests_that_a_collector_takes() {
    const SERIES: usize = 60_000;
    let settings_of_registry = RegistrySettings { max_series: SERIES, ..Default::default() };
    let mut families = Families::new(Registry::new(settings_of_registry));
    let long = "x".repeat(80);
    for number in 0..SERIES {
        families.drops.with(&values(&[&number.to_string(), &long])).add(number as u64);
    }
    let collector = Collector::start(Speaks::Grpc);
    let mut settings = settings(&given(&collector, Speaks::Grpc));
    settings.interval = Duration::from_secs(3600);
    let exporter = start(&settings, &families.registry);
    let figures = exporter.stop(Duration::from_secs(60));
    assert_eq!(figures[0].sent, figures[0].made);
    collector.received(|received| {
        assert!(received.metrics.len() > 4, "{} requests", received.metrics.len());
        let drops = received.all_metrics().filter(|(_, metric)| metric.name == "drops");
        let points: Vec<_> = drops.flat_map(|(_, metric)| sums(metric)).collect();
        assert_eq!(points.len(), SERIES);
        let of_series = |point: &&NumberDataPoint| {
            attribute(&point.attributes, "reason") == format!("{}", number(point))
        };
        assert!(points.iter().all(of_series));
    });
}
