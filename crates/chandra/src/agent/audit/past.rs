//! What each process did lately, for the alert that it may cause: nobody knows beforehand which that is, so
//! everything that rules are asked about is noted, in few bytes and in memory that is used again. Words are made of it
//! for an alert only.

use std::net::SocketAddr;

use chandra_alerts::alert::{Preceding, Value};
use chandra_alerts::preceding::{Ring, WINDOW_NS};
use chandra_event::process::{Arguments, strings};
use chandra_event::record::{Event, Record};
use chandra_identity::process::ProcessId;

/// Events that are remembered, of all processes together. With their texts 5 MiB at most.
const CAPACITY: usize = 8192;
/// Bytes that are kept of what an event says.
const TEXT_BYTES: usize = 512;
/// Events that one alert tells at most, the latest ones.
const TOLD: usize = 32;

/// The latest events.
#[derive(Debug)]
pub struct Past {
    ring: Ring<ProcessId, Noted>,
    /// Memory of an event that had to go.
    spare: Vec<u8>,
}

/// What is kept of an event.
#[derive(Debug)]
struct Noted {
    kind: &'static str,
    about: About,
    /// What it is about, where that is a text.
    text: Vec<u8>,
}

/// What an event is about.
#[derive(Debug, Clone, Copy)]
enum About {
    Arguments,
    Path,
    Peer(Option<SocketAddr>),
}

impl Default for Past {
    fn default() -> Self {
        Self { ring: Ring::new(CAPACITY), spare: Vec::new() }
    }
}

impl Past {
    /// Notes an event of a process.
    pub fn note(&mut self, record: &dyn Record) {
        let Some(process) = record.process() else { return };
        let mut text = std::mem::take(&mut self.spare);
        text.clear();
        let about = write(record, &mut text);
        text.truncate(TEXT_BYTES);
        let noted = Noted { kind: record.kind().name, about, text };
        if let Some(gone) = self.ring.push(ProcessId::of(process), record.time().0, noted) {
            self.spare = gone.text;
        }
    }

    /// What the process of a record did in the half minute before it, oldest first.
    pub fn before(&self, record: &dyn Record) -> Vec<Preceding> {
        let Some(process) = record.process() else { return Vec::new() };
        let since_ns = record.time().0.saturating_sub(WINDOW_NS);
        let all = self.ring.of(ProcessId::of(process), since_ns);
        let mut preceding: Vec<_> = all.take(TOLD).map(|(time_ns, it)| told(time_ns, it)).collect();
        preceding.reverse();
        preceding
    }
}

/// Says what an event is about, and writes it where that is a text.
fn write(record: &dyn Record, text: &mut Vec<u8>) -> About {
    match record.event() {
        Event::Exec(exec) => {
            let Arguments { head, .. } = exec.arguments;
            text.extend_from_slice(head.get(..TEXT_BYTES).unwrap_or(head));
            About::Arguments
        }
        Event::FileOpen(open) => {
            text.extend_from_slice(open.path);
            About::Path
        }
        Event::SystemCall(call) => {
            text.extend_from_slice(
                call.path.map(|path| path.path).or(call.descriptor_path).unwrap_or_default(),
            );
            About::Path
        }
        _ => About::Peer(record.peer()),
    }
}

fn told(time_ns: u64, noted: &Noted) -> Preceding {
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let field = match noted.about {
        About::Peer(peer) => peer.map(|peer| ("peer", Value::Text(peer.to_string()))),
        _ if noted.text.is_empty() => None,
        About::Arguments => {
            Some(("arguments", Value::Texts(strings(&noted.text).map(words).collect())))
        }
        About::Path => Some(("path", Value::Text(words(&noted.text)))),
    };
    let fields = field.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Preceding { time_ns, kind: noted.kind.to_owned(), fields }
}
