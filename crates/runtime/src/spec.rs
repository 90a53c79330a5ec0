//! What an OCI runtime specification (`config.json` of a bundle) says of a container's rights, namespaces and
//! mounts: what the runtime really made, whoever asked for it.
//!
//! Invariant: every part of it is optional. What is not there is not known, never an error of the whole.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use chandra_identity::description::{HostNamespaces, Mount, Propagation, Text};

/// Capabilities that every kernel here has (`linux/capability.h`, up to 37). Those that came later are given only by
/// runtimes that know them.
const CAPABILITIES: [&str; 38] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
];

/// The parts that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    mounts: Option<Vec<SpecMount>>,
    process: Option<Process>,
    linux: Option<Linux>,
    annotations: Option<HashMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Process {
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Capabilities {
    bounding: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Linux {
    namespaces: Option<Vec<Namespace>>,
    seccomp: Option<serde::de::IgnoredAny>,
    #[serde(rename = "maskedPaths")]
    masked_paths: Option<Vec<serde::de::IgnoredAny>>,
    resources: Option<Resources>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
    path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    devices: Option<Vec<Device>>,
}

/// A line of the list of devices; absent parts stand for all.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Device {
    allow: bool,
    #[serde(rename = "type")]
    kind: Option<String>,
    major: Option<i64>,
    minor: Option<i64>,
    access: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SpecMount {
    pub destination: String,
    #[serde(rename = "type")]
    kind: String,
    pub source: String,
    options: Option<Vec<String>>,
}

impl Spec {
    /// Whether it has all rights: each capability, each device, no filter of system calls and nothing of `/proc`
    /// hidden. Nothing if it does not say which capabilities it has.
    pub fn has_all_rights(&self) -> Option<bool> {
        self.has_rights(u64::MAX)
    }

    /// The same on a node that has these capabilities to give, bit n being capability n.
    pub fn has_rights(&self, given: u64) -> Option<bool> {
        let bounding = self.process.as_ref()?.capabilities.as_ref()?.bounding.as_ref()?;
        let bounding: HashSet<&str> = bounding.iter().map(String::as_str).collect();
        let linux = self.linux.as_ref()?;
        let devices = linux.resources.as_ref().and_then(|resources| resources.devices.as_deref());
        Some(
            (CAPABILITIES.iter().enumerate())
                .all(|(bit, name)| given >> bit & 1 == 0 || bounding.contains(name))
                && linux.seccomp.is_none()
                && linux.masked_paths.as_ref().is_none_or(Vec::is_empty)
                && devices.unwrap_or_default().iter().any(Device::allows_all),
        )
    }

    /// Which namespaces are the host's. What was joined by a path may be anybody's.
    pub fn host_namespaces(&self) -> HostNamespaces {
        let namespaces = self.linux.as_ref().and_then(|linux| linux.namespaces.as_deref());
        let is_host = |kind: &str| match namespaces?.iter().find(|one| one.kind == kind) {
            None => Some(true),
            Some(one) if one.path.as_deref().unwrap_or_default().is_empty() => Some(false),
            Some(_) => None,
        };
        HostNamespaces { pid: is_host("pid"), network: is_host("network"), ipc: is_host("ipc") }
    }

    /// What whoever made it wrote down about it, by key.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.annotations.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The annotation of the first of these keys that has one.
    pub fn annotation(&self, keys: &[&str]) -> Option<&str> {
        let annotations = self.annotations.as_ref()?;
        let found = keys.iter().find_map(|key| annotations.get(*key));
        found.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Host paths that the container got, also those that the runtime added; nothing if it does not say.
    pub fn binds(&self) -> Option<impl Iterator<Item = &SpecMount>> {
        Some(self.mounts.as_deref()?.iter().filter(|mount| mount.is_bind()))
    }
}

impl Device {
    fn allows_all(&self) -> bool {
        let all = |number: Option<i64>| number.is_none_or(|number| number < 0);
        let access = self.access.as_deref().unwrap_or("rwm");
        self.allow
            && self.kind.as_deref().is_none_or(|kind| matches!(kind, "" | "a"))
            && all(self.major)
            && all(self.minor)
            && ['r', 'w', 'm'].iter().all(|way| access.contains(*way))
    }
}

impl SpecMount {
    fn has(&self, options: &[&str]) -> bool {
        let given = self.options.as_deref().unwrap_or_default();
        given.iter().any(|option| options.contains(&option.as_str()))
    }

    fn is_bind(&self) -> bool {
        self.kind == "bind" || self.has(&["bind", "rbind"])
    }

    /// The same within its ceilings.
    pub fn to_mount(&self) -> Mount {
        let propagation = if self.has(&["shared", "rshared"]) {
            Propagation::Shared
        } else if self.has(&["slave", "rslave"]) {
            Propagation::Slave
        } else {
            Propagation::Private
        };
        Mount {
            host_path: Text::new(&self.source),
            container_path: Text::new(&self.destination),
            read_only: self.has(&["ro", "rro"]),
            propagation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Spec {
        serde_json::from_str(json).unwrap()
    }

    fn rights(capabilities: &[&str], rest: &str) -> Option<bool> {
        let bounding = serde_json::to_string(capabilities).unwrap();
        read(&format!(
            r#"{{"process":{{"capabilities":{{"bounding":{bounding}}}}},"linux":{{{rest}}}}}"#
        ))
        .has_all_rights()
    }

    #[test]
    fn all_rights_are_all_of_them() {
        let devices = r#""resources":{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"access":"rwm"}]}"#;
        assert_eq!(rights(&CAPABILITIES, devices), Some(true));
        assert_eq!(rights(&[&CAPABILITIES[..], &["CAP_BPF"]].concat(), devices), Some(true));
        assert_eq!(rights(&CAPABILITIES[1..], devices), Some(false));
        // On a node whose own root is not allowed to CAP_CHOWN, nobody is.
        let bounding = serde_json::to_string(&CAPABILITIES[1..]).unwrap();
        let spec = read(&format!(
            r#"{{"process":{{"capabilities":{{"bounding":{bounding}}}}},"linux":{{{devices}}}}}"#
        ));
        assert_eq!([spec.has_rights(!1), spec.has_rights(!2)], [Some(true), Some(false)]);
        for near in
            [r#""seccomp":{"defaultAction":"SCMP_ACT_ERRNO"}"#, r#""maskedPaths":["/proc/kcore"]"#]
        {
            assert_eq!(rights(&CAPABILITIES, &format!("{devices},{near}")), Some(false), "{near}");
        }
        for device in [
            r#"{"allow":false,"access":"rwm"}"#,
            r#"{"allow":true,"access":"rw"}"#,
            r#"{"allow":true,"type":"c","access":"rwm"}"#,
            r#"{"allow":true,"major":1,"access":"rwm"}"#,
        ] {
            let devices = format!(r#""resources":{{"devices":[{device}]}}"#);
            assert_eq!(rights(&CAPABILITIES, &devices), Some(false), "{device}");
        }
        assert_eq!(read("{}").has_all_rights(), None);
    }

    #[test]
    fn a_namespace_that_is_not_named_is_the_host_s() {
        let spec = read(
            r#"{"linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/proc/7/ns/net"}]}}"#,
        );
        let expected = HostNamespaces { pid: Some(false), network: None, ipc: Some(true) };
        assert_eq!(spec.host_namespaces(), expected);
        assert_eq!(read(r#"{"linux":{}}"#).host_namespaces(), HostNamespaces::default());
    }

    #[test]
    fn only_binds_are_host_paths() {
        let spec = read(
            r#"{"mounts":[
                {"destination":"/proc","type":"proc","source":"proc","options":["nosuid"]},
                {"destination":"/d","type":"bind","source":"/h","options":["rbind","ro","rslave"]},
                {"destination":"/e","type":"bind","source":"/i","options":["rbind","rw"]}]}"#,
        );
        let binds: Vec<_> = spec.binds().unwrap().map(SpecMount::to_mount).collect();
        let told = |mount: &Mount| {
            (mount.host_path.as_str().to_owned(), mount.read_only, mount.propagation)
        };
        assert_eq!(
            binds.iter().map(told).collect::<Vec<_>>(),
            [
                ("/h".to_owned(), true, Propagation::Slave),
                ("/i".to_owned(), false, Propagation::Private)
            ]
        );
        assert!(read("{}").binds().is_none());
    }
}
