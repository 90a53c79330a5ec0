//! What every record can do: name its kind, show its fields, and offer itself typed.
//!
//! A record's fields are listed once, with [`record!`](crate::record!); table columns, JSON,
//! filters and docs/reference/events.md are all derived from that list.

use std::net::SocketAddr;

use crate::cgroup::Cgroup;
use crate::cpu_sample::CpuSample;
use crate::dns::Dns;
use crate::drop::Drop;
use crate::file::FileOpen;
use crate::http::HttpRequest;
use crate::icmp::Icmp;
use crate::off_cpu::OffCpu;
use crate::oom::OomKill;
use crate::process::{Exec, Exit, Fork, Process};
use crate::signal::SignalSent;
use crate::socket::Transport;
use crate::system_call::SystemCall;
use crate::tcp::Tcp;
use crate::time::Timestamp;
use crate::udp::Udp;
use crate::unit::Unit;
use crate::value::{Type, Value};

/// Where a field is shown without being asked for by name. JSON always holds every field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// In the default table, the wide table and JSON.
    Table,
    /// In the wide table and JSON.
    Wide,
    /// In JSON only.
    Json,
    /// In both tables and never in JSON: one column for what JSON keeps apart (`10.0.0.1:443`).
    /// Its path names that JSON: `connection.peer` has `address` and `port` below it.
    TableOnly,
}

/// One field of a record's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Path in JSON, `.` between objects, the unit in the name: `process.pid`, `duration_ns`.
    pub path: &'static str,
    /// Column title in tables: `PID`.
    pub column: &'static str,
    /// Column width in characters; the last column of a table takes what is left.
    pub width: usize,
    /// Where it is shown.
    pub shown: Shown,
    /// What its value is, when it has one.
    pub value_type: Type,
    /// One line for docs/reference/events.md.
    pub summary: &'static str,
}

impl Field {
    /// The unit that its path names: nanoseconds for `duration_ns`.
    pub fn unit(&self) -> Option<Unit> {
        Unit::of_path(self.path).filter(|_| self.value_type.is_numeric())
    }

    /// The path of the object it lies in: `process` for `process.pid`, empty at the top.
    pub fn object(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(object, _)| object)
    }
}

/// A kind of record: `exec`, `tcp_close`, …
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The signal that emits it: `process`.
    pub signal: &'static str,
    /// The value of `type` in JSON.
    pub name: &'static str,
    /// One line for docs/reference/events.md.
    pub summary: &'static str,
    /// Its fields, in the order of columns.
    pub fields: &'static [Field],
}

impl Kind {
    /// The field of this path.
    pub fn field(&self, path: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.path == path)
    }

    /// Its records are of connections, with an address at each end.
    pub fn has_connection(&self) -> bool {
        self.field("connection.peer.address").is_some()
    }

    /// What is wrong with the list of fields; for the tests of every crate that lists some.
    ///
    /// JSON is written in one pass, so an object's fields must lie together; a table finds its
    /// columns by title, so that titles are unique.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let json: Vec<&Field> =
            (self.fields.iter()).filter(|field| field.shown != Shown::TableOnly).collect();
        for (index, field) in json.iter().enumerate() {
            let before = json.get(..index).unwrap_or_default();
            if before.iter().any(|other| other.path == field.path) {
                faults.push(format!("{}: {} is listed twice", self.name, field.path));
            }
            let mut object = field.object();
            while !object.is_empty() {
                let inside = |other: &&&Field| {
                    (other.path.strip_prefix(object)).is_some_and(|rest| rest.starts_with('.'))
                };
                let distance = before.iter().rev().position(|other| inside(&other));
                if distance.is_some_and(|distance| distance > 0) {
                    faults.push(format!(
                        "{}: {} is apart from the rest of {object}",
                        self.name, field.path
                    ));
                }
                if json.iter().any(|other| other.path == object) {
                    faults.push(format!("{}: {object} is a field and an object", self.name));
                }
                object = object.rsplit_once('.').map_or("", |(outer, _)| outer);
            }
        }
        for (index, field) in self.fields.iter().enumerate() {
            let before = self.fields.get(..index).unwrap_or_default();
            if before.iter().any(|other| other.column == field.column) {
                faults.push(format!("{}: two columns {}", self.name, field.column));
            }
            if field.summary.is_empty() || field.summary.contains(['|', '\n']) {
                faults.push(format!("{}: summary of {}", self.name, field.path));
            }
        }
        faults
    }
}

/// A typed view of a record, for consumers that need more than its fields as text.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A program was executed, or was found running at start.
    Exec(&'a Exec<'a>),
    /// A process was created.
    Fork(&'a Fork),
    /// A process ended.
    Exit(&'a Exit),
    /// A cgroup was made, removed or renamed, or was found at start.
    Cgroup(&'a Cgroup<'a>),
    /// Something happened to a TCP connection.
    Tcp(&'a Tcp),
    /// The kernel dropped a packet.
    Drop(&'a Drop),
    /// A DNS message was sent or received.
    Dns(&'a Dns<'a>),
    /// A file was opened, or could not be.
    FileOpen(&'a FileOpen<'a>),
    /// A system call was done.
    SystemCall(&'a SystemCall<'a>),
    /// Something happened to a UDP conversation.
    Udp(&'a Udp),
    /// A request over HTTP was answered, or was not.
    HttpRequest(&'a HttpRequest<'a>),
    /// A message of ICMP was sent or received.
    Icmp(&'a Icmp),
    /// A clock ticked while something ran.
    CpuSample(&'a CpuSample<'a>),
    /// A thread came back to a CPU after a wait.
    OffCpu(&'a OffCpu<'a>),
    /// The kernel killed a process for want of memory.
    OomKill(&'a OomKill),
    /// A signal was sent.
    SignalSent(&'a SignalSent),
    /// A record of a signal that this crate has no type for.
    Other,
}

/// A decoded record. It may borrow from the kernel's ring, so it lives as long as the callback.
pub trait Record {
    /// The record's kind.
    fn kind(&self) -> &'static Kind;
    /// When it happened.
    fn time(&self) -> Timestamp;
    /// Calls `each` for every field in the order of [`Kind::fields`].
    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>));
    /// The record itself, typed.
    fn event(&self) -> Event<'_> {
        Event::Other
    }
    /// The address at the other end, where there is one.
    fn peer(&self) -> Option<SocketAddr> {
        match self.event() {
            Event::Tcp(tcp) => Some(tcp.connection.peer),
            Event::Drop(drop) => drop.peer(),
            Event::Dns(dns) => Some(dns.ends.peer),
            Event::Udp(udp) => Some(udp.ends.peer),
            Event::HttpRequest(http) => Some(http.ends.peer),
            Event::Icmp(icmp) => icmp.peer(),
            _ => None,
        }
    }
    /// What carries the data to and from there.
    fn transport(&self) -> Transport {
        match self.event() {
            Event::Dns(dns) => dns.ends.transport,
            Event::Udp(udp) => udp.ends.transport,
            _ => Transport::Tcp,
        }
    }
    /// Whose doing it is, where a process did it; a record of a type of its own says so itself.
    fn process(&self) -> Option<&Process> {
        match self.event() {
            Event::Exec(exec) => Some(&exec.process),
            Event::Fork(fork) => Some(&fork.process),
            Event::Exit(exit) => Some(&exit.process),
            Event::Cgroup(cgroup) => cgroup.process.as_ref(),
            Event::Tcp(tcp) => tcp.process.as_ref(),
            Event::Drop(drop) => drop.process.as_ref(),
            Event::Dns(dns) => dns.process.as_ref(),
            Event::FileOpen(open) => Some(&open.process),
            Event::SystemCall(call) => Some(&call.process),
            Event::Udp(udp) => udp.process.as_ref(),
            Event::HttpRequest(http) => http.process.as_ref(),
            Event::Icmp(icmp) => icmp.process.as_ref(),
            Event::CpuSample(sample) => Some(&sample.process),
            Event::OffCpu(wait) => Some(&wait.sample.process),
            Event::OomKill(kill) => kill.victim.as_ref().map(|victim| &victim.process),
            Event::SignalSent(sent) => sent.process.as_ref(),
            Event::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KINDS;

    #[test]
    fn the_fields_of_an_object_lie_together_and_titles_are_unique() {
        for kind in KINDS {
            assert_eq!(kind.faults(), Vec::<String>::new());
        }
    }

    #[test]
    fn faults_are_found() {
        const fn field(path: &'static str, column: &'static str) -> Field {
            let (width, shown, value_type) = (1, Shown::Table, Type::Number);
            let summary = "A field";
            Field { path, column, width, shown, value_type, summary }
        }
        static FIELDS: [Field; 4] =
            [field("a.b", "B"), field("c", "B"), field("a.d", "D"), field("a.d.e", "E")];
        let kind = Kind { signal: "s", name: "k", summary: "A kind", fields: &FIELDS };
        assert_eq!(
            kind.faults(),
            [
                "k: a.d is apart from the rest of a",
                "k: a.d is a field and an object",
                "k: two columns B"
            ]
        );
    }

    #[test]
    fn a_column_of_one_title_holds_one_type_in_every_kind() {
        let all = || KINDS.iter().flat_map(|kind| kind.fields);
        for field in all() {
            for other in all().filter(|other| other.column == field.column) {
                assert_eq!(field.value_type, other.value_type, "{}", field.column);
                assert_eq!(field.unit(), other.unit(), "{}", field.column);
            }
        }
    }
}
