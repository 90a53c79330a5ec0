//! The first and the last line of a recording: what is the same for all that lies between, and how much of it
//! is missing; and lines with users and groups of containers, which the first has of the node.

use std::collections::HashMap;

use chandra_event::process::Namespaces;
use chandra_event::time::{Clock, Timestamp};
use chandra_rules::adapter::{Account, Names, Node, Services};
use serde_json::{Map, Value, json};

use crate::agent::audit::Place;

/// The type of the first line.
pub const RECORDING: &str = "recording";
/// The type of the last.
pub const RECORDING_END: &str = "recording_end";
/// What recordings look like that this program writes and reads.
const VERSION: u64 = 2;

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
        let Node { hostname, names: known, services, namespaces, .. } = &self.node;
        let ports = |ports: &HashMap<u16, String>| -> Map<String, Value> {
            ports.iter().map(|(port, name)| (port.to_string(), name.as_str().into())).collect()
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
            "users": users_json(known),
            "groups": groups_json(known),
            "services": { "tcp": ports(&services.tcp), "udp": ports(&services.udp) },
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
        let ports = |protocol: &str| -> HashMap<u16, String> {
            let ports = object.get("services").and_then(|it| it.get(protocol)?.as_object());
            let port = |(port, name): (&String, &Value)| {
                Some((port.parse().ok()?, name.as_str()?.to_owned()))
            };
            ports.into_iter().flatten().filter_map(port).collect()
        };
        let inode = |name: &str| {
            let inode = object.get("namespaces")?.get(name)?.as_u64()?;
            u32::try_from(inode).ok()
        };
        let hostname = object.get("node").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self {
            node: Node {
                hostname,
                names: names_of(object),
                services: Services { tcp: ports("tcp"), udp: ports("udp") },
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

/// The type of a line with users and groups of a container.
pub const ACCOUNTS: &str = "accounts";

/// A line with those, with its end.
pub fn accounts_line(place: Place, names: &Names) -> String {
    let object = json!({
        "type": ACCOUNTS,
        "mnt_namespace": place.mnt,
        "user_namespace": place.user,
        "users": users_json(names),
        "groups": groups_json(names),
    });
    format!("{object}\n")
}

/// What a line says that is of type [`ACCOUNTS`].
pub fn accounts_of(object: &Value) -> Option<(Place, Names)> {
    let inode = |name: &str| u32::try_from(object.get(name)?.as_u64()?).ok();
    let place = Place { mnt: inode("mnt_namespace")?, user: inode("user_namespace")? };
    Some((place, names_of(object)))
}

fn users_json(names: &Names) -> Map<String, Value> {
    let user = |(number, user): (&u32, &Account)| {
        let Account { name, home, shell } = user;
        (number.to_string(), json!({ "name": name, "home": home, "shell": shell }))
    };
    names.users.iter().map(user).collect()
}

fn groups_json(names: &Names) -> Map<String, Value> {
    let group = |(number, name): (&u32, &String)| (number.to_string(), name.as_str().into());
    names.groups.iter().map(group).collect()
}

fn names_of(object: &Value) -> Names {
    let all = |key: &str| object.get(key).and_then(Value::as_object).into_iter().flatten();
    let user = |(number, user): (&String, &Value)| {
        let text = |key: &str| user.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let account = Account { name: text("name"), home: text("home"), shell: text("shell") };
        Some((number.parse().ok()?, account))
    };
    let group =
        |(number, name): (&String, &Value)| Some((number.parse().ok()?, name.as_str()?.to_owned()));
    Names {
        users: all("users").filter_map(user).collect(),
        groups: all("groups").filter_map(group).collect(),
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
        let text = |text: &str| text.to_owned();
        let root = Account { name: text("root"), home: text("/root"), shell: text("/bin/sh") };
        let names = Names {
            users: HashMap::from([(0, root.clone())]),
            groups: HashMap::from([(27, text("sudo"))]),
        };
        let services =
            Services { tcp: HashMap::from([(443, text("https"))]), udp: HashMap::default() };
        let heading = Heading {
            node: Node {
                hostname: "node-1".into(),
                names: names.clone(),
                services: services.clone(),
                namespaces: Some(Namespaces { pid: 1, mnt: 2, net: 3, user: 4, cgroup: 5 }),
                by_name_only: false,
            },
            clock: Clock { start_offset_ns: u64::MAX, offset_ns: 1 << 60 },
        };
        let line = heading.line(Timestamp(1_795_338_611_123_456_789));
        let object: Value = serde_json::from_str(&line).unwrap();
        let again = Heading::of(&object).unwrap();
        assert_eq!(again.line(Timestamp(1_795_338_611_123_456_789)), line);
        assert_eq!((&again.node.names, &again.node.services), (&names, &services));
        assert_eq!(again.clock, heading.clock);
        let place = Place { mnt: 7, user: 8 };
        let object = serde_json::from_str(&accounts_line(place, &names)).unwrap();
        assert_eq!(accounts_of(&object), Some((place, names)));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let of = |object: Value| Heading::of(&object).unwrap_err();
        assert_eq!(of(json!({ "version": 1 })), Unusable::Version(1));
        let missing = of(json!({ "version": 2, "clock": { "offset_ns": 5 } }));
        assert_eq!(missing, Unusable::Missing("/clock/start_offset_ns"));
    }
}
