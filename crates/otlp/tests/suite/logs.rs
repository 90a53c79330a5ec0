//! Alerts as a collector reads them, with OpenTelemetry's own types.

use std::collections::HashSet;
use std::time::Duration;

use chandra_alerts::alert::{
    Alert, Connection, Container, Context, Folded, Pod, Priority, Process, Value,
};
use chandra_alerts::redact::Redactor;
use chandra_alerts::sink::Take;
use chandra_otlp::figures::Cause;
use chandra_tests::collector::{Collector, Reply, Speaks, attribute};
use chandra_tests::patience::PATIENCE;

use crate::common::{Families, given, settings, start};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use tonic::Code;

fn alert(priority: Priority) -> Alert {
    let text = |text: &str| Value::Text(text.into());
    Alert {
        time_ns: 1_507_566_716_746_609_046,
        rule: "Write below binary dir".into(),
        priority,
        source: "syscall".into(),
        hostname: "node-1".into(),
        tags: ["filesystem".into(), "mitre".into()].into(),
        output: "File opened for writing (file=/bin/hack)".into(),
        output_fields: vec![
            ("fd.name".into(), text("/bin/hack")),
            ("fd.name".into(), text("/bin/hack")),
            ("container.id".into(), text("ab1234567890")),
            ("user.loginuid".into(), Value::Int(-1)),
            ("evt.is_open_write".into(), Value::Bool(true)),
            ("evt.rawtime".into(), Value::Uint(u64::MAX)),
            ("container.image".into(), Value::Null),
        ],
        context: Context {
            process: Some(Process {
                pid: 42,
                ppid: Some(1),
                uid: Some(0),
                comm: "touch".into(),
                exe: "/usr/bin/touch".into(),
                argv: vec![b"touch".to_vec(), b"/bin/h\xffck".to_vec()],
                cwd: "/root".into(),
                ..Process::default()
            }),
            container: Some(Container {
                id: "ab12".into(),
                name: "web".into(),
                image: "nginx:1".into(),
            }),
            pod: Some(Pod {
                namespace: "shop".into(),
                name: "web-1".into(),
                uid: "u-1".into(),
                workload: Some(("StatefulSet".into(), "web".into())),
            }),
            connection: Some(Connection {
                key: Some("00000000deadbeef".into()),
                protocol: "tcp".into(),
                local: Some("[fd00::1]:40000".parse().unwrap()),
                peer: Some("[::1]:443".parse().unwrap()),
                role: Some("client".into()),
            }),
            ..Context::default()
        },
    }
}

#[test]
fn an_alert_has_the_attributes_that_the_conventions_name() {
    let collector = Collector::start(Speaks::Http);
    let mut settings = settings(&given(&collector, Speaks::Http));
    settings.destinations.retain(|it| it.signal.word() == "logs");
    let exporter = start(&settings, &Families::new(chandra_metrics::Registry::default()).registry);
    let logs = exporter.logs().unwrap();
    let redactor = Redactor::default();
    let folded = Folded { count: 3, first_ns: 1 };
    logs.take(&redactor.alert(alert(Priority::Error), Some(folded)));
    for priority in Priority::ALL {
        logs.take(&redactor.alert(alert(priority), None));
    }
    let figures = exporter.stop(PATIENCE);
    assert_eq!((figures.len(), figures[0].sent), (1, 9));
    collector.received(|received| {
        let all: Vec<_> = received.all_logs().collect();
        let log = all[0];
        assert_eq!(log.time_unix_nano, 1_507_566_716_746_609_046);
        assert!(log.observed_time_unix_nano > log.time_unix_nano);
        let body = log.body.as_ref().and_then(|body| body.value.clone());
        let output = "File opened for writing (file=/bin/hack)".to_owned();
        assert_eq!(body, Some(AnyValue::StringValue(output)));
        for (key, expected) in [
            ("security_rule.name", "Write below binary dir"),
            ("chandra.alert.source", "syscall"),
            ("chandra.alert.tags", "filesystem mitre"),
            ("chandra.alert.folded_count", "3"),
            ("process.pid", "42"),
            ("process.parent_pid", "1"),
            ("process.real_user.id", "0"),
            ("process.executable.name", "touch"),
            ("process.executable.path", "/usr/bin/touch"),
            ("process.command_args", "touch /bin/h\u{fffd}ck"),
            ("process.working_directory", "/root"),
            ("container.id", "ab12"),
            ("container.image.name", "nginx:1"),
            ("k8s.container.name", "web"),
            ("k8s.namespace.name", "shop"),
            ("k8s.pod.name", "web-1"),
            ("k8s.pod.uid", "u-1"),
            ("k8s.statefulset.name", "web"),
            ("network.transport", "tcp"),
            ("network.type", "ipv6"),
            ("network.local.address", "fd00::1"),
            ("network.peer.port", "443"),
            ("chandra.connection.key", "00000000deadbeef"),
            ("falco.fd.name", "/bin/hack"),
            ("falco.user.loginuid", "-1"),
            ("falco.evt.is_open_write", "true"),
            ("falco.evt.rawtime", "18446744073709551615"),
            ("falco.container.image", ""),
        ] {
            assert_eq!(attribute(&log.attributes, key), expected, "{key}");
        }
        let keys: HashSet<_> = log.attributes.iter().map(|attribute| &attribute.key).collect();
        assert_eq!(keys.len(), log.attributes.len(), "each key once");
        let severities: Vec<_> = all[1..].iter().map(|log| log.severity_number).collect();
        assert_eq!(severities, [21, 19, 18, 17, 13, 10, 9, 5]);
    });
}

/// While nobody takes them, they take no more memory than they may, and whoever hands them over is not held up.
#[test]
fn a_flood_of_log_records_is_told_or_counted() {
    const RECORDS: u64 = 30_000;
    let collector = Collector::start(Speaks::Grpc);
    collector.reply([Reply::Refuse(0, Code::Unavailable, Some(Duration::from_secs(2)))]);
    let mut settings = settings(&given(&collector, Speaks::Grpc));
    settings.queue_bytes = 32 << 10;
    settings.destinations.retain(|it| it.signal.word() == "logs");
    let exporter = start(&settings, &Families::new(chandra_metrics::Registry::default()).registry);
    let logs = exporter.logs().unwrap();
    let alert = Redactor::default().alert(alert(Priority::Notice), None);
    for _ in 0..RECORDS {
        logs.take(&alert);
    }
    let figures = exporter.stop(PATIENCE).remove(0);
    let [(Cause::QueueFull, dropped)] = figures.drops[..] else { panic!("{figures:?}") };
    assert_eq!((figures.made, figures.sent + dropped), (RECORDS, RECORDS));
    let told = collector.received(|received| received.all_logs().count() as u64);
    assert!(told > 0 && told == figures.sent, "{told} of {figures:?}");
}
