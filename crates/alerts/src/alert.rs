//! An alert: what a rule says of an event, and what Chandra knows of who did it.
//!
//! An [`Alert`] holds what was seen, secrets and all, and therefore cannot be written anywhere. What can
//! is a [`Redacted`] one, and only the [redactor](crate::redact::Redactor) makes those.

mod json;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;

pub use chandra_event::priority::Priority;
use uuid::Uuid;

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// There is none. Falco writes `null`.
    #[default]
    Null,
    /// A truth.
    Bool(bool),
    /// A number below zero, or any that is signed.
    Int(i64),
    /// A number.
    Uint(u64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(String),
    /// Several texts, such as the arguments of a program.
    Texts(Vec<String>),
}

/// Fields in the order in which they are told.
pub type Fields = Vec<(Arc<str>, Value)>;

/// What a rule says of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// When the event was, in nanoseconds since 1970 (UTC).
    pub time_ns: u64,
    /// The rule's name.
    pub rule: Arc<str>,
    /// The rule's priority.
    pub priority: Priority,
    /// Where the event is from: `syscall`.
    pub source: Arc<str>,
    /// The machine that saw it.
    pub hostname: Arc<str>,
    /// The rule's tags.
    pub tags: Arc<[String]>,
    /// The rule's output with its fields filled in; without time and priority.
    pub output: String,
    /// The fields that the output names.
    pub output_fields: Fields,
    /// What Chandra adds.
    pub context: Context,
}

/// What Chandra knows beyond the rule's own fields. Absent means not known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Context {
    /// Who did it.
    pub process: Option<Process>,
    /// Its parent, that one's parent, and so on.
    pub ancestors: Vec<Process>,
    /// Where it runs.
    pub container: Option<Container>,
    /// The same, in Kubernetes' terms.
    pub pod: Option<Pod>,
    /// The connection that the event is about.
    pub connection: Option<Connection>,
    /// What the process did before, oldest first.
    pub preceding: Vec<Preceding>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// Its id, as the host has it.
    pub pid: u32,
    /// When it began, in nanoseconds since 1970; with the pid it names one process.
    pub start_time_ns: Option<u64>,
    /// Its parent's id.
    pub ppid: Option<u32>,
    /// Its real user.
    pub uid: Option<u32>,
    /// The name that the kernel has for it.
    pub comm: String,
    /// The program's path.
    pub exe: String,
    /// Its arguments, the first being its own name for itself; any bytes.
    pub argv: Vec<Vec<u8>>,
    /// Where it worked.
    pub cwd: String,
    /// What it was started with, `NAME=value`; any bytes.
    pub environment: Vec<Vec<u8>>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Container {
    /// Its id, whole.
    pub id: String,
    /// Its name in the pod.
    pub name: String,
    /// Its image.
    pub image: String,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Kind and name of what made it: `Deployment`, `web`.
    pub workload: Option<(String, String)>,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// Equal at both ends, whatever lies between; sixteen hexadecimal digits.
    pub key: Option<String>,
    /// `tcp`, `udp`
    pub protocol: String,
    /// This end.
    pub local: Option<SocketAddr>,
    /// The other end.
    pub peer: Option<SocketAddr>,
    /// `client` or `server`
    pub role: Option<String>,
}

/// Something that the process did before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preceding {
    /// When, in nanoseconds since 1970.
    pub time_ns: u64,
    /// Its type: `exec`, `tcp_close`.
    pub kind: String,
    /// What is known of it. A value of several texts is taken for arguments.
    pub fields: Fields,
}

/// Alerts that were the same as one that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folded {
    /// So many, the one that this is told by included.
    pub count: u64,
    /// The time of the first of them, in nanoseconds since 1970.
    pub first_ns: u64,
}

/// An alert that may leave: nothing known to be secret is left in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Redacted {
    alert: Alert,
    folded: Option<Folded>,
    id: Uuid,
}

impl Redacted {
    /// For the redactor alone.
    pub(crate) fn new(alert: Alert, folded: Option<Folded>) -> Self {
        Self { alert, folded, id: Uuid::now_v7() }
    }

    /// Names this alert, wherever and however often it arrives.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What is told.
    pub fn alert(&self) -> &Alert {
        &self.alert
    }

    /// The alerts that this one tells of, when there are several.
    pub fn folded(&self) -> Option<Folded> {
        self.folded
    }
}

#[cfg(test)]
pub(crate) mod sample;
