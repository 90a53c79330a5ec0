//! What is written is read by parsers that are not ours, those of Prometheus's Python library and of
//! `promtool`, and they find in it what was counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test states what it expects by stopping"
)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use chandra_metrics::{Format, Registry, Settings, Spec, Values, Writer};
use chandra_tests::prometheus;
use serde_json::{Value, json};

/// Reads text in the format that its argument names, and tells families and samples as JSON.
const READ: &str = r#"
import importlib, json, sys
parser = importlib.import_module(sys.argv[1])
for family in parser.text_string_to_metric_families(sys.stdin.buffer.read().decode()):
    samples = [[s.name, s.labels, repr(float(s.value))] for s in family.samples]
    print(json.dumps([family.name, [family.type, family.unit, family.documentation], samples]))
"#;

/// What nobody expects in a label, and a pod's owner or a name server may still put there.
const HOSTILE: [&str; 8] = [
    "",
    "\"",
    "\\",
    "\n",
    "\\n",
    "a\"} 1\nf_total 2\n# EOF\n",
    "\u{0}\r\t\u{7f}\u{85}\u{2028}",
    "ü€😀",
];

/// A Python that has the library: the user's, or that of the distribution's package.
fn python() -> Option<&'static str> {
    let has_library = |python: &&str| {
        let mut command = Command::new(python);
        let command = command.args(["-c", "import prometheus_client"]);
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_library)
}

fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let piped = Stdio::piped;
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(piped()).stdout(piped()).stderr(piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn families(python: &str, format: Format, text: &str) -> Vec<Value> {
    let parser = match format {
        Format::Text => "prometheus_client.parser",
        Format::OpenMetrics => "prometheus_client.openmetrics.parser",
        Format::Protobuf => unreachable!("no text"),
    };
    let output = run(python, &["-c", READ, parser], text);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}\n{text}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A registry with one family of each kind, one of them over its budget.
fn registry(tells_created: bool) -> Registry {
    let registry = Registry::new(Settings { max_series: 10, tells_created, ..Settings::default() });
    let spec = |name, unit, labels: &[&'static str]| Spec {
        name,
        help: "What \"it\" is\\was,\nin two lines.",
        unit,
        labels: labels.to_vec(),
    };
    let mut counters = registry.counter(spec("test_sent_bytes", "bytes", &["a", "le"])).unwrap();
    for (number, hostile) in (1..).zip(HOSTILE) {
        counters.with(&[hostile, "x"].into_iter().collect()).add(number);
    }
    for number in 0..5 {
        counters.with(&[number.to_string().as_str(), "y"].into_iter().collect()).increment();
    }
    let mut gauges = registry.gauge(spec("test_level", "", &[])).unwrap();
    gauges.with(&Values::default()).set(-0.125);
    let bounds = [0.001, 1.0, 1e9];
    let spec = spec("test_duration_seconds", "seconds", &["a"]);
    let mut histograms = registry.histogram(spec, &bounds).unwrap();
    for value in [0.0, 0.001, 0.5, 7.0, 1e12] {
        histograms.with(&["\"\n"].into_iter().collect()).observe(value);
    }
    registry
}

fn written(registry: &Registry, format: Format) -> String {
    let mut text = Vec::new();
    let mut writer = Writer::new(format, &mut text);
    registry.write(&mut writer);
    writer.finish();
    String::from_utf8(text).unwrap()
}

/// The family of this name as a parser tells it.
fn find<'a>(families: &'a [Value], name: &str) -> &'a Value {
    families.iter().find(|family| family[0] == name).expect(name)
}

#[test]
fn what_was_counted_is_what_another_parser_reads() {
    let Some(python) = python() else {
        eprintln!("skipped: needs Python's prometheus_client (python3-prometheus-client)");
        return;
    };
    for (format, tells_created) in
        [(Format::Text, false), (Format::OpenMetrics, false), (Format::OpenMetrics, true)]
    {
        let is_open = format == Format::OpenMetrics;
        let families = families(python, format, &written(&registry(tells_created), format));
        let help = "What \"it\" is\\was,\nin two lines.";
        let unit = |unit| if is_open { unit } else { "" };
        let without_created = |family: &Value| {
            let samples = family[2].as_array().unwrap().iter();
            let is_created = |sample: &&Value| sample[0].as_str().unwrap().ends_with("_created");
            let (created, rest): (Vec<_>, Vec<_>) = samples.partition(is_created);
            assert_eq!(!created.is_empty(), tells_created && family[1][0] != "gauge", "{family}");
            rest.into_iter().cloned().collect::<Vec<_>>()
        };

        let counter = find(&families, "test_sent_bytes");
        assert_eq!(counter[1], json!(["counter", unit("bytes"), help]));
        let sample = |a: &str, le: &str, value: f64| json!(["test_sent_bytes_total", { "a": a, "le": le }, format!("{value:?}")]);
        let mut expected: Vec<_> = (1..)
            .zip(HOSTILE)
            .map(|(number, hostile)| sample(hostile, "x", f64::from(number)))
            .collect();
        expected.extend([sample("0", "y", 1.0), sample("1", "y", 1.0)]);
        expected.push(sample("overflow", "overflow", 3.0));
        assert_eq!(without_created(counter), expected);

        let gauge = find(&families, "test_level");
        assert_eq!(gauge[1], json!(["gauge", "", help]));
        assert_eq!(without_created(gauge), [json!(["test_level", {}, "-0.125"])]);

        let histogram = find(&families, "test_duration_seconds");
        assert_eq!(histogram[1], json!(["histogram", unit("seconds"), help]));
        let bounds =
            if is_open { ["0.001", "1.0", "1000000000.0"] } else { ["0.001", "1", "1000000000"] };
        let name = |suffix| format!("test_duration_seconds_{suffix}");
        let bucket =
            |le: &str, count: &str| json!([name("bucket"), { "a": "\"\n", "le": le }, count]);
        let expected = [
            bucket(bounds[0], "2.0"),
            bucket(bounds[1], "3.0"),
            bucket(bounds[2], "4.0"),
            bucket("+Inf", "5.0"),
            json!([name("sum"), { "a": "\"\n" }, "1000000000007.501"]),
            json!([name("count"), { "a": "\"\n" }, "5.0"]),
        ];
        assert_eq!(without_created(histogram), expected);

        let overflowed = find(&families, "chandra_metrics_overflowed_observations");
        let of_counter = json!([
            "chandra_metrics_overflowed_observations_total", { "family": "test_sent_bytes" }, "3.0"
        ]);
        assert_eq!(overflowed[2][0], of_counter);
    }
}

#[test]
fn a_parser_that_is_strict_finds_fault_where_there_is_one() {
    let Some(python) = python() else {
        eprintln!("skipped: needs Python's prometheus_client (python3-prometheus-client)");
        return;
    };
    let text = written(&registry(false), Format::OpenMetrics);
    for (right, wrong) in [("# EOF\n", ""), ("bytes_total{", "bytes{"), ("le=\"1.0\"", "le=\"0\"")]
    {
        assert!(text.contains(right), "{right}");
        let output = run(
            python,
            &["-c", READ, "prometheus_client.openmetrics.parser"],
            &text.replace(right, wrong),
        );
        assert!(!output.status.success(), "it takes {wrong:?} for {right:?}");
    }
}

#[test]
fn promtool_finds_no_fault() {
    let Some(promtool) = prometheus::program("promtool") else {
        eprintln!("skipped: needs promtool (tests/prometheus/fetch)");
        return;
    };
    let registry = Registry::default();
    let spec = |name, unit| Spec { name, help: "Help.", unit, labels: vec!["a"] };
    let mut counters = registry.counter(spec("test_sent_bytes", "bytes")).unwrap();
    let mut histograms =
        registry.histogram(spec("test_duration_seconds", "seconds"), &[1.0]).unwrap();
    for hostile in HOSTILE {
        counters.with(&[hostile].into_iter().collect()).increment();
        histograms.with(&[hostile].into_iter().collect()).observe(0.5);
    }
    let output =
        run(promtool.to_str().unwrap(), &["check", "metrics"], &written(&registry, Format::Text));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
