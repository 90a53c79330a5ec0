//! The first and the last line of a recording: what is the same for all that lies between, and how much of it
//! is missing.

use std::collections::HashMap;

use chandra_event::process::Namespaces;
use chandra_event::time::{Clock, Timestamp};
use chandra_rules::adapter::{Names, Node};
use serde_json::{Map, Value, json};

/// The type of the first line.
pub const RECORDING: &str = "recording";
/// The type of the last.
pub const RECORDING_END: &str = "recording_end";
/// What recordings look like that this program writes and reads.
const VERSION: u64 = 1;

/// What a recording begins with.
#[derive(Debug)]
pub struct Heading {
    /// The node.
    pub node: Node,
    /// By which the times of processes became times of day.
    pub clock: Clock,
}

/// A line that is no heading of a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It was written by another version.
    #[error("it is a recording of version {0}, and only version {VERSION} can be read")]
    Version(u64),
    /// Something is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
}

impl Heading {
    /// The line, with its end.
    pub fn line(&self, time: Timestamp) -> String {
        let Node { hostname, names: known, namespaces, .. } = &self.node;
        let names = |names: &HashMap<u32, String>| -> Map<String, Value> {
            names.iter().map(|(number, name)| (number.to_string(), name.as_str().into())).collect()
        };
        let namespaces = namespaces.map(|Namespaces { pid, mnt, net, user, cgroup }| {
            json!({ "pid": pid, "mnt": mnt, "net": net, "user": user, "cgroup": cgroup })
        });
        let object = json!({
            "type": RECORDING,
            "version": VERSION,
            "time": time.to_string(),
            "node": hostname,
            "clock": {
                "start_offset_ns": self.clock.start_offset_ns.to_string(),
                "offset_ns": self.clock.offset_ns.to_string(),
            },
            "users": names(&known.users),
            "groups": names(&known.groups),
            "namespaces": namespaces,
        });
        format!("{object}\n")
    }

    /// What a line says that is of type [`RECORDING`].
    pub fn of(object: &Value) -> Result<Self, Unusable> {
        match object.get("version").and_then(Value::as_u64).unwrap_or_default() {
            VERSION => {}
            other => return Err(Unusable::Version(other)),
        }
        let big = |path: &'static str| {
            let text = object.pointer(path).and_then(Value::as_str);
            text.and_then(|text| text.parse().ok()).ok_or(Unusable::Missing(path))
        };
        let names = |key: &str| -> HashMap<u32, String> {
            let names = object.get(key).and_then(Value::as_object).into_iter().flatten();
            names
                .filter_map(|(number, name)| {
                    Some((number.parse().ok()?, name.as_str()?.to_owned()))
                })
                .collect()
        };
        let inode = |name: &str| {
            let inode = object.get("namespaces")?.get(name)?.as_u64()?;
            u32::try_from(inode).ok()
        };
        let hostname = object.get("node").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self {
            node: Node {
                hostname,
                names: Names { users: names("users"), groups: names("groups") },
                namespaces: Namespaces::by_name(inode),
                by_name_only: false,
            },
            clock: Clock {
                start_offset_ns: big("/clock/start_offset_ns")?,
                offset_ns: big("/clock/offset_ns")?,
            },
        })
    }
}

/// The last line, with its end.
pub fn last_line(time: Timestamp, records: u64, lost: u64) -> String {
    let object = json!({
        "type": RECORDING_END,
        "time": time.to_string(),
        "records": records,
        "lost": lost,
    });
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_comes_back_as_it_was_written() {
        let names = |number, name: &str| HashMap::from([(number, name.to_owned())]);
        let heading = Heading {
            node: Node {
                hostname: "node-1".into(),
                names: Names { users: names(0, "root"), groups: names(27, "sudo") },
                namespaces: Some(Namespaces { pid: 1, mnt: 2, net: 3, user: 4, cgroup: 5 }),
                by_name_only: false,
            },
            clock: Clock { start_offset_ns: u64::MAX, offset_ns: 1 << 60 },
        };
        let line = heading.line(Timestamp(1_795_338_611_123_456_789));
        let object: Value = serde_json::from_str(&line).unwrap();
        let again = Heading::of(&object).unwrap();
        assert_eq!(again.line(Timestamp(1_795_338_611_123_456_789)), line);
        assert_eq!(again.node.names.users[&0], "root");
        assert_eq!(again.clock, heading.clock);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let of = |object: Value| Heading::of(&object).unwrap_err();
        assert_eq!(of(json!({ "version": 2 })), Unusable::Version(2));
        let missing = of(json!({ "version": 1, "clock": { "offset_ns": 5 } }));
        assert_eq!(missing, Unusable::Missing("/clock/start_offset_ns"));
    }
}
