//! A record as `-o json` prints it, read back for rules.
//!
//! What JSON does not hold is not known: of ancestors the parent's name and executable, unless what the ancestors
//! did was recorded as well. Bytes that are not UTF-8 were written visibly (`\xff`), and stay so.

mod calls;
mod connections;
mod processes;
mod values;
mod who;

use chandra_event::bounded::Pairs;
use chandra_event::process::Exec;
use chandra_event::record::Record;
use chandra_event::tcp::Happened;
use chandra_event::who::Who;
use serde_json::Value;

/// A record and who did it.
pub(super) struct Recorded {
    object: Value,
    argv: Vec<u8>,
    argv_tail: Vec<u8>,
    environment: Vec<u8>,
    labels: Option<Pairs>,
    /// The node that told of it.
    pub node: Option<String>,
}

impl Recorded {
    /// A line of JSON; an error says why it is no record.
    #[cfg(test)]
    pub fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| format!("no JSON: {error}")).and_then(Self::new)
    }

    /// A record, of a JSON object; an error says why it is none.
    pub fn new(object: Value) -> Result<Self, String> {
        if object.get("type").and_then(Value::as_str).is_none() {
            return Err("it has no \"type\": it is no record of chandra's".to_owned());
        }
        let words = |path: &str| -> Vec<u8> {
            let words = object.pointer(path).and_then(Value::as_array).into_iter().flatten();
            words.filter_map(Value::as_str).flat_map(|word| word.bytes().chain([0])).collect()
        };
        let labels = object.pointer("/pod/labels").and_then(Value::as_object).map(|labels| {
            let pairs = labels
                .iter()
                .filter_map(|(key, value)| Some((key.as_bytes(), value.as_str()?.as_bytes())));
            Pairs::collect(pairs)
        });
        let (argv, argv_tail) = (words("/process/argv"), words("/process/argv_tail"));
        let environment = words("/process/environment");
        let node = object.get("node").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { argv, argv_tail, environment, labels, node, object })
    }

    /// The known program that the executable was found to be a copy of, empty for none.
    pub fn copy_of(&self) -> Option<&[u8]> {
        self.text("/process/exe_copy_of").map(str::as_bytes)
    }

    /// The id of its container.
    pub fn container(&self) -> Option<&str> {
        self.text("/container/id")
    }

    /// Calls `with` with the record and who did it; with one of a running process, which is no event of rules, if
    /// it is of another type.
    pub fn with<T>(&self, with: &mut dyn FnMut(&dyn Record, &Who<'_>) -> T) -> T {
        let who = self.who();
        let connect = || self.tcp(Happened::Connect);
        let accept = || self.tcp(Happened::Accept { queued_ns: self.number("/queued_ns") });
        let mut told = |record: Option<&dyn Record>| match record {
            Some(record) => with(record, &who),
            None => with(&Exec { running: true, ..self.exec() }, &who),
        };
        match self.text("/type") {
            Some("exec") => told(Some(&self.exec())),
            Some("fork") => told(Some(&self.fork())),
            Some("exit") => told(Some(&self.exit())),
            Some("file_open") => told(Some(&self.open())),
            Some("system_call") => told(Some(&self.call())),
            Some("udp_open") => told(self.udp().as_ref().map(|udp| udp as _)),
            Some("tcp_connect") => told(connect().as_ref().map(|tcp| tcp as _)),
            Some("tcp_accept") => told(accept().as_ref().map(|tcp| tcp as _)),
            _ => told(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use chandra_event::json;
    use chandra_event::process::{Comm, Process};
    use chandra_event::who::Known;

    use super::*;

    fn line(record: &dyn Record) -> String {
        let mut out = Vec::new();
        json::write_line(&Known { record, who: &Who::default() }, None, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    pub(super) fn comes_back(record: &dyn Record) {
        let written = line(record);
        let again = Recorded::parse(&written).unwrap().with(&mut |read, _| line(read));
        assert_eq!(again, written);
    }

    pub(super) fn process() -> Process {
        let comm = Comm(*b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        Process { pid: 99, ppid: 1, start_boottime_ns: 1 << 60, comm, ..Process::default() }
    }
}
