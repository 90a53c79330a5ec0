//! An alert as one JSON object: Falco's keys, in Falco's order, which is that of the alphabet; then
//! Chandra's own, which what reads Falco's alerts passes over.
//!
//! In the fields of the output numbers are numbers, as Falco has them, also beyond 2^53. In Chandra's
//! own objects, which are shaped as in every other of its outputs, times are RFC 3339.

use std::io::Write;
use std::net::SocketAddr;

use chandra_event::json::write_string;

use super::text::rfc3339;
use super::{Alert, Connection, Container, Context, Fields, Pod, Preceding, Process};
use super::{Folded, Redacted, Value};

impl Redacted {
    /// The object on one line, without its end.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        let mut object = Object::begin(&mut out);
        self.falco(&mut object);
        self.own(&mut object);
        object.end();
        out
    }

    /// The same with nothing but Falco's keys and the id, for where there is little room.
    pub fn short_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let mut object = Object::begin(&mut out);
        self.falco(&mut object);
        object.text("id", &self.id().to_string());
        object.end();
        out
    }

    fn falco(&self, object: &mut Object<'_>) {
        let Alert { hostname, output_fields, priority, rule, source, tags, time_ns, .. } =
            self.alert();
        object.text("hostname", hostname);
        object.text("output", &self.text());
        object.object("output_fields", |inner| inner.fields(output_fields));
        object.text("priority", priority.word());
        object.text("rule", rule);
        object.text("source", source);
        object.array("tags", tags.iter(), |tag, out| write_string(tag.as_bytes(), out));
        object.text("time", &rfc3339(*time_ns));
    }

    fn own(&self, object: &mut Object<'_>) {
        object.text("id", &self.id().to_string());
        if let Some(Folded { count, first_ns }) = self.folded() {
            object.object("folded", |inner| {
                inner.plain("count", count);
                inner.text("first_time", &rfc3339(first_ns));
            });
        }
        let Context { process, ancestors, container, pod, connection, preceding } =
            &self.alert().context;
        if let Some(process) = process {
            object.object("process", |inner| inner.process(process));
        }
        object.objects("ancestors", ancestors, |inner, process| inner.process(process));
        if let Some(Container { id, name, image }) = container {
            object.object("container", |inner| {
                inner.known("id", id);
                inner.known("name", name);
                inner.known("image", image);
            });
        }
        if let Some(pod) = pod {
            object.pod(pod);
        }
        if let Some(connection) = connection {
            object.object("connection", |inner| inner.connection(connection));
        }
        object.objects("preceding", preceding, |inner, Preceding { time_ns, kind, fields }| {
            inner.text("time", &rfc3339(*time_ns));
            inner.text("type", kind);
            inner.fields(fields);
        });
    }
}

/// An object that is being written.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        write_string(name.as_bytes(), self.out);
        self.out.push(b':');
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        write_string(text.as_bytes(), self.out);
    }

    /// A text that is empty where it is not known.
    fn known(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    fn plain(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        // A vector takes everything.
        let _ = write!(self.out, "{value}");
    }

    fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut inner = Object::begin(self.out);
        write(&mut inner);
        inner.end();
    }

    fn array<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(T, &mut Vec<u8>),
    ) {
        self.name(name);
        self.out.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write(item, self.out);
        }
        self.out.push(b']');
    }

    /// Objects, unless there are none.
    fn objects<T>(&mut self, name: &str, items: &[T], write: impl Fn(&mut Object<'_>, &T)) {
        if !items.is_empty() {
            self.array(name, items, |item, out| {
                let mut inner = Object::begin(out);
                write(&mut inner, item);
                inner.end();
            });
        }
    }

    fn fields(&mut self, fields: &Fields) {
        for (name, value) in fields {
            match value {
                Value::Null => self.plain(name, "null"),
                Value::Bool(truth) => self.plain(name, truth),
                Value::Int(number) => self.plain(name, number),
                Value::Uint(number) => self.plain(name, number),
                Value::Float(number) if number.is_finite() => self.plain(name, number),
                Value::Float(_) => self.plain(name, "null"),
                Value::Text(text) => self.text(name, text),
                Value::Texts(texts) => {
                    self.array(name, texts, |text, out| write_string(text.as_bytes(), out));
                }
            }
        }
    }

    fn process(&mut self, process: &Process) {
        let Process { pid, start_time_ns, ppid, uid, comm, exe, argv, cwd, environment } = process;
        self.plain("pid", pid);
        if let Some(time_ns) = start_time_ns {
            self.text("start_time", &rfc3339(*time_ns));
        }
        for (name, number) in [("ppid", ppid), ("uid", uid)] {
            if let Some(number) = number {
                self.plain(name, number);
            }
        }
        self.known("comm", comm);
        self.known("exe", exe);
        for (name, texts) in [("argv", argv), ("environment", environment)] {
            if !texts.is_empty() {
                self.array(name, texts, |text, out| write_string(text, out));
            }
        }
        self.known("cwd", cwd);
    }

    fn pod(&mut self, pod: &Pod) {
        self.object("pod", |inner| {
            inner.known("namespace", &pod.namespace);
            inner.known("name", &pod.name);
            inner.known("uid", &pod.uid);
        });
        if let Some((kind, name)) = &pod.workload {
            self.object("workload", |inner| {
                inner.text("kind", kind);
                inner.text("name", name);
            });
        }
    }

    fn connection(&mut self, connection: &Connection) {
        let Connection { key, protocol, local, peer, role } = connection;
        self.known("key", key.as_deref().unwrap_or_default());
        self.known("protocol", protocol);
        for (name, end) in [("local", local), ("peer", peer)] {
            if let Some(end) = end {
                self.object(name, |inner| inner.end_of_connection(*end));
            }
        }
        self.known("role", role.as_deref().unwrap_or_default());
    }

    fn end_of_connection(&mut self, end: SocketAddr) {
        self.text("address", &end.ip().to_string());
        self.plain("port", end.port());
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn falcos_keys_are_as_falco_writes_them() {
        let redacted = Redacted::new(sample::alert(), None);
        let line = String::from_utf8(redacted.json()).unwrap();
        let expected = concat!(
            r#"{"hostname":"node-1","output":"16:31:56.746609046: Error File below a known binary "#,
            r#"directory opened for writing (user=root command=touch /bin/hack file=/bin/hack)","#,
            r#""output_fields":{"evt.time":1507566716746609046,"fd.name":"/bin/hack","#,
            r#""proc.cmdline":"touch /bin/hack","user.name":"root","user.loginuid":-1,"#,
            r#""container.image":null},"priority":"Error","rule":"Write below binary dir","#,
            r#""source":"syscall","tags":["filesystem","mitre_persistence"],"#,
            r#""time":"2017-10-09T16:31:56.746609046Z","id":"#,
        );
        assert_eq!(line.get(..expected.len()), Some(expected), "{line}");
        assert_eq!(serde_json::from_str::<Json>(&line).unwrap()["id"], redacted.id().to_string());
    }

    #[test]
    fn chandras_own_stands_beside() {
        let alert = Alert { context: sample::context(), ..sample::alert() };
        let folded = Folded { count: 3, first_ns: 1_000_000_000 };
        let json: Json =
            serde_json::from_slice(&Redacted::new(alert, Some(folded)).json()).unwrap();
        let own = |name: &str| json[name].clone();
        assert_eq!(
            own("folded"),
            json!({"count": 3, "first_time": "1970-01-01T00:00:01.000000000Z"})
        );
        assert_eq!(
            own("process"),
            json!({"pid": 42, "start_time": "1970-01-01T00:00:02.000000000Z", "ppid": 1, "uid": 0,
                   "comm": "touch", "exe": "/usr/bin/touch", "argv": ["touch", "/bin/h\\xffck"],
                   "cwd": "/root"})
        );
        assert_eq!(own("ancestors"), json!([{"pid": 1, "comm": "init"}]));
        assert_eq!(own("container"), json!({"id": "ab12", "name": "web", "image": "nginx:1"}));
        assert_eq!(own("pod"), json!({"namespace": "shop", "name": "web-1", "uid": "u-1"}));
        assert_eq!(own("workload"), json!({"kind": "Deployment", "name": "web"}));
        assert_eq!(
            own("connection"),
            json!({"key": "00000000deadbeef", "protocol": "tcp",
                   "local": {"address": "10.0.0.1", "port": 40000},
                   "peer": {"address": "::1", "port": 443}, "role": "client"})
        );
        assert_eq!(
            own("preceding"),
            json!([{"time": "1970-01-01T00:00:01.500000000Z", "type": "exec",
                    "argv": ["sh", "-c"], "pid": 42}])
        );
    }

    #[test]
    fn a_short_one_has_falcos_keys_and_the_id() {
        let alert = Alert { context: sample::context(), ..sample::alert() };
        let json: Json = serde_json::from_slice(&Redacted::new(alert, None).short_json()).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "hostname",
            "output",
            "output_fields",
            "priority",
            "rule",
            "source",
            "tags",
            "time",
            "id",
        ];
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
