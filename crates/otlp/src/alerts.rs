//! Alerts as log records, with attributes by the semantic conventions (1.44): `process.*`, `container.*`,
//! `k8s.*`, `network.*`, `security_rule.*`. What those have no name for is `chandra.*`; fields of a rule's output
//! are `falco.` and their own name, because some of Falco's names are the conventions' with another meaning.

use std::time::SystemTime;

use chandra_alerts::Priority;
use chandra_alerts::alert::{Alert, Connection, Container, Context, Pod, Process, Redacted, Value};
use chandra_alerts::sink::Take;

use crate::exporter::{Logs, unix_ns};
use crate::wire::Any;
use crate::wire::logs::{Attributes, Record, Severity};

/// `event_name` of them.
const EVENT: &str = "chandra.alert";

impl Take for Logs {
    fn take(&self, alert: &Redacted) {
        let Alert { time_ns, priority, output, .. } = alert.alert();
        self.push(&Record {
            time_ns: *time_ns,
            observed_ns: unix_ns(SystemTime::now()),
            severity: severity(*priority),
            severity_text: priority.word(),
            event_name: EVENT,
            body: output,
            attributes: &|out| attributes(alert, out),
        });
    }
}

/// As OpenTelemetry's data model of logs places those of syslog.
fn severity(priority: Priority) -> Severity {
    match priority {
        Priority::Emergency => Severity::Fatal,
        Priority::Alert => Severity::Error3,
        Priority::Critical => Severity::Error2,
        Priority::Error => Severity::Error,
        Priority::Warning => Severity::Warn,
        Priority::Notice => Severity::Info2,
        Priority::Informational => Severity::Info,
        Priority::Debug => Severity::Debug,
    }
}

fn attributes(alert: &Redacted, out: &mut Attributes<'_>) {
    let Alert { rule, source, tags, output_fields, context, .. } = alert.alert();
    out.known("log.record.uid", &alert.id().to_string());
    out.known("security_rule.name", rule);
    out.known("chandra.alert.source", source);
    if !tags.is_empty() {
        out.add("chandra.alert.tags", Any::Texts(tags));
    }
    if let Some(folded) = alert.folded() {
        let count = i64::try_from(folded.count).unwrap_or(i64::MAX);
        out.add("chandra.alert.folded_count", Any::Int(count));
    }
    let Context { process, container, pod, connection, .. } = context;
    process.iter().for_each(|process| of_process(process, out));
    container.iter().for_each(|container| of_container(container, pod.is_some(), out));
    pod.iter().for_each(|pod| of_pod(pod, out));
    connection.iter().for_each(|connection| of_connection(connection, out));
    let mut key = String::new();
    for (index, (name, value)) in output_fields.iter().enumerate() {
        // A field that an output names twice has one value.
        if output_fields.iter().take(index).any(|(before, _)| before == name) {
            continue;
        }
        key.clear();
        key.push_str("falco.");
        key.push_str(name);
        of_field(&key, value, out);
    }
}

fn of_process(process: &Process, out: &mut Attributes<'_>) {
    let Process { pid, ppid, uid, comm, exe, argv, cwd, .. } = process;
    out.add("process.pid", Any::Int((*pid).into()));
    for (key, number) in [("process.parent_pid", ppid), ("process.real_user.id", uid)] {
        if let Some(number) = number {
            out.add(key, Any::Int((*number).into()));
        }
    }
    out.known("chandra.process.comm", comm);
    out.known("process.executable.path", exe);
    out.known("process.executable.name", exe.rsplit('/').next().unwrap_or_default());
    if !argv.is_empty() {
        let argv: Vec<_> = argv.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        out.add("process.command_args", Any::Texts(&argv));
    }
    out.known("process.working_directory", cwd);
}

fn of_container(container: &Container, is_in_pod: bool, out: &mut Attributes<'_>) {
    let Container { id, name, image } = container;
    out.known("container.id", id);
    out.known(if is_in_pod { "k8s.container.name" } else { "container.name" }, name);
    out.known("container.image.name", image);
}

fn of_pod(pod: &Pod, out: &mut Attributes<'_>) {
    let Pod { namespace, name, uid, workload } = pod;
    out.known("k8s.namespace.name", namespace);
    out.known("k8s.pod.name", name);
    out.known("k8s.pod.uid", uid);
    if let Some((kind, name)) = workload
        && let Some(key) = workload_key(kind)
    {
        out.known(key, name);
    }
}

/// The attribute that names a workload of this kind, where the conventions have one.
pub fn workload_key(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Deployment" => "k8s.deployment.name",
        "ReplicaSet" => "k8s.replicaset.name",
        "StatefulSet" => "k8s.statefulset.name",
        "DaemonSet" => "k8s.daemonset.name",
        "Job" => "k8s.job.name",
        "CronJob" => "k8s.cronjob.name",
        _ => return None,
    })
}

fn of_connection(connection: &Connection, out: &mut Attributes<'_>) {
    let Connection { key, protocol, local, peer, .. } = connection;
    out.known("chandra.connection.key", key.as_deref().unwrap_or_default());
    out.known("network.transport", protocol);
    for (address, port, end) in [
        ("network.local.address", "network.local.port", local),
        ("network.peer.address", "network.peer.port", peer),
    ] {
        if let Some(end) = end {
            out.known(address, &end.ip().to_string());
            out.add(port, Any::Int(end.port().into()));
        }
    }
    if let Some(end) = peer.or(*local) {
        out.known("network.type", if end.is_ipv4() { "ipv4" } else { "ipv6" });
    }
}

fn of_field(key: &str, value: &Value, out: &mut Attributes<'_>) {
    match value {
        // Not known: there is no attribute.
        Value::Null => {}
        Value::Bool(truth) => out.add(key, Any::Bool(*truth)),
        Value::Int(number) => out.add(key, Any::Int(*number)),
        Value::Uint(number) => match i64::try_from(*number) {
            Ok(number) => out.add(key, Any::Int(number)),
            // There is no room for it as a number.
            Err(_) => out.known(key, &number.to_string()),
        },
        Value::Float(number) => out.add(key, Any::Double(*number)),
        Value::Text(text) => out.known(key, text),
        Value::Texts(texts) => out.add(key, Any::Texts(texts)),
    }
}
