//! What an alert tells beside the words of its rule: who did it and where it comes from, its container and
//! pod, its connection.

use chandra_alerts::alert::{Connection, Container, Context, Pod, Process, Value};
use chandra_event::record::{Event, Record};
use chandra_event::tcp::{Role, Tcp};
use chandra_event::who::Who;
use chandra_rules::adapter::Program;
use serde_json::Value as Json;

use super::lineage::ProcessLineage;
use crate::follow::Told;

/// Ancestors that an alert names at most.
const ANCESTORS: usize = 16;

/// That of a record.
pub fn of(told: &Told<'_>, lineage: &ProcessLineage<'_>) -> Context {
    let who = told.known.who;
    let record = told.known.record;
    Context {
        process: lineage.acting().map(|program| Process {
            ppid: record.process().map(|process| process.ppid),
            uid: record.process().map(|process| process.uid),
            ..process(&program)
        }),
        ancestors: lineage.ancestors().take(ANCESTORS).map(|program| process(&program)).collect(),
        container: container(who),
        pod: pod(who),
        connection: connection(record),
        preceding: Vec::new(),
    }
}

/// The value of a field of a rule's output.
pub fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Bool(yes),
        Json::Number(number) => {
            let signed = number.as_i64().map(Value::Int);
            let unsigned = || number.as_u64().map(Value::Uint);
            signed
                .or_else(unsigned)
                .or_else(|| number.as_f64().map(Value::Float))
                .unwrap_or_default()
        }
        Json::String(text) => Value::Text(text),
        Json::Array(values) => Value::Texts(values.into_iter().map(text).collect()),
        Json::Object(_) => Value::Text(json.to_string()),
    }
}

fn text(json: Json) -> String {
    match json {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

fn process(program: &Program<'_>) -> Process {
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let arguments = program.arguments.iter().flat_map(|arguments| arguments.head());
    Process {
        pid: program.pid,
        start_time_ns: program.start_time.map(|time| time.0),
        ppid: None,
        uid: None,
        comm: words(program.comm),
        exe: program.executable.map(|file| words(file.path)).unwrap_or_default(),
        argv: arguments.map(<[u8]>::to_vec).collect(),
        cwd: program.cwd.map(words).unwrap_or_default(),
        environment: Vec::new(),
    }
}

fn container(who: &Who<'_>) -> Option<Container> {
    let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
    who.container.map(|container| Container {
        id: container.id.to_owned(),
        name: owned(container.name),
        image: owned(container.image),
    })
}

fn pod(who: &Who<'_>) -> Option<Pod> {
    let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let pod = who.pod?;
    Some(Pod {
        namespace: owned(pod.namespace),
        name: owned(pod.name),
        uid: owned(pod.uid),
        workload: who.workload.map(|it| (it.kind.to_owned(), it.name.to_owned())),
    })
}

fn connection(record: &dyn Record) -> Option<Connection> {
    let Event::Tcp(Tcp { connection, .. }) = record.event() else { return None };
    Some(Connection {
        key: connection.key.ok().map(|key| format!("{key:016x}")),
        protocol: "tcp".to_owned(),
        // A connection that begins has no port of its own yet.
        local: Some(connection.local).filter(|local| local.port() != 0),
        peer: Some(connection.peer),
        role: connection.role.map(|role| match role {
            Role::Opener => "client".to_owned(),
            Role::Acceptor => "server".to_owned(),
        }),
    })
}
