use super::*;

fn settings(given: &Given, variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
    let environment = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::new(given, &environment).map_err(|error| error.to_string())
}

fn places(settings: &Settings) -> Vec<(Signal, String)> {
    let all = settings.destinations.iter();
    all.map(|it| (it.signal, format!("{}{}", it.endpoint.authority, it.endpoint.path))).collect()
}

#[test]
fn nothing_is_exported_where_no_collector_is_named() {
    assert!(settings(&Given::default(), &[]).unwrap().is_none());
    let empty = [("OTEL_EXPORTER_OTLP_ENDPOINT", " ")];
    assert!(settings(&Given::default(), &empty).unwrap().is_none());
    let off = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"), ("OTEL_SDK_DISABLED", "true")];
    assert!(settings(&Given::default(), &off).unwrap().is_none());
    let given = Given { protocol: Some("grpc".into()), ..Given::default() };
    assert!(settings(&given, &[]).unwrap_err().contains("--otlp-endpoint: no collector"));
}

#[test]
fn options_go_before_variables_and_a_signals_own_before_those_of_all() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318/base"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:1"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "500"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "700"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
    ];
    let of_variables = settings(&Given::default(), &variables).unwrap().unwrap();
    let expected =
        [(Signal::Metrics, "all:4318/base/v1/metrics".into()), (Signal::Logs, "logs:1/".into())];
    assert_eq!(places(&of_variables), expected);
    let [metrics, logs] = &of_variables.destinations[..] else { panic!("not two") };
    let milliseconds = |destination: &Destination| destination.timeout.as_millis();
    assert_eq!((milliseconds(metrics), milliseconds(logs)), (500, 700));
    assert!(!metrics.gzip && metrics.protocol == Protocol::Http && metrics.headers["a"] == "b");
    assert_eq!(of_variables.interval, Duration::from_secs(5));
    assert_eq!(of_variables.temporality, Temporality::Delta);
    let given = Given {
        endpoint: Some("http://given:4317".into()),
        protocol: Some("grpc".into()),
        headers: Some("c=d".into()),
        signals: Some(vec!["logs".into(), "logs".into()]),
        timeout: Some(Duration::from_secs(3)),
        compression: Some("gzip".into()),
        temporality: Some("cumulative".into()),
        interval: Some(Duration::from_secs(7)),
        ..Given::default()
    };
    let given = settings(&given, &variables).unwrap().unwrap();
    assert_eq!(places(&given), [(Signal::Logs, format!("given:4317{}", Signal::Logs.grpc_path()))]);
    let logs = given.destination(Signal::Logs).unwrap();
    assert!(logs.gzip && logs.headers.get("a").is_none() && logs.timeout.as_secs() == 3);
    assert_eq!((given.interval.as_secs(), given.temporality), (7, Temporality::Cumulative));
}

#[test]
fn exporters_of_others_switch_signals_off() {
    let with = |exporter| {
        let variables =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), ("OTEL_METRICS_EXPORTER", exporter)];
        settings(&Given::default(), &variables).unwrap().unwrap().destinations.len()
    };
    assert_eq!((with("none"), with("prometheus"), with("console, otlp")), (1, 1, 2));
}

#[test]
fn the_service_has_the_name_that_is_said_last() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=test%20bed"),
        ("OTEL_SERVICE_NAME", "b"),
    ];
    let attributes = settings(&Given::default(), &variables).unwrap().unwrap().attributes;
    let expected = [
        ("deployment.environment.name".into(), "test bed".into()),
        ("service.name".into(), "b".into()),
    ];
    assert_eq!(attributes, expected);
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a");
    for (variable, value, told) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "a:4317", "\"a:4317\" is no endpoint"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "ftp://a", "neither http://"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "none of grpc, http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,c", "at character 5"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret", "no header is named \"a b\""),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%0a", "a value like that of a"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "grpc-timeout=1", "not for you"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "no number of milliseconds"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd", "none of gzip, none"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "lowmemory", "none of cumulative"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "999", "shorter than 1s"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%", "at character 3"),
    ] {
        let error = settings(&Given::default(), &[(variable, value), endpoint]).unwrap_err();
        assert!(error.starts_with(&format!("{variable}: ")) && error.contains(told), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let secure = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a");
    for (variable, told) in [
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "its certificate is not named"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", "its key is not named"),
    ] {
        let error =
            settings(&Given::default(), &[(variable, "/no/such/file"), secure]).unwrap_err();
        assert!(error.starts_with(&format!("{variable}: ")) && error.contains(told), "{error}");
    }
    let given = Given { signals: Some(vec!["metric".into()]), ..Given::default() };
    let error = settings(&given, &[endpoint]).unwrap_err();
    assert!(error.starts_with("--otlp-signals: \"metric\" is no signal"), "{error}");
}
