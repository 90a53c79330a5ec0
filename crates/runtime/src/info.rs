//! The extra information that runtimes give with a verbose status: JSON of their own, which no
//! contract covers.
//!
//! Invariant: every part of it is optional. What cannot be read is absent, never an error.

use serde::Deserialize;

use crate::api::Entry;

/// What containerd and CRI-O agree on, by their names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Info {
    pub pid: Option<i64>,
    #[serde(rename = "sandboxID")]
    pub sandbox_id: Option<String>,
    /// CRI-O says it here, containerd in the configuration.
    privileged: Option<bool>,
    config: Option<Config>,
    #[serde(rename = "runtimeSpec")]
    spec: Option<Spec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    linux: Option<Linux>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Linux {
    security_context: Option<SecurityContext>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SecurityContext {
    privileged: Option<bool>,
}

/// The OCI runtime specification of the container.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    mounts: Option<Vec<SpecMount>>,
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

impl Info {
    /// Reads the one entry that runtimes put all of it in.
    pub fn read(entries: &[Entry]) -> Self {
        let entry = entries.iter().find(|entry| entry.key == b"info");
        entry.and_then(|entry| serde_json::from_slice(&entry.value).ok()).unwrap_or_default()
    }

    /// The first process, if there is one.
    pub fn pid(&self) -> Option<u32> {
        self.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)
    }

    /// Whether the container was asked to be privileged. containerd leaves out what is false, so a
    /// configuration that does not say yes says no.
    pub fn privileged(&self) -> Option<bool> {
        let config = self.config.as_ref().map(|config| {
            let context = config.linux.as_ref().and_then(|linux| linux.security_context.as_ref());
            context.and_then(|context| context.privileged).unwrap_or(false)
        });
        self.privileged.or(config)
    }

    /// Host paths that the container got, also those that the runtime added.
    pub fn binds(&self) -> impl Iterator<Item = &SpecMount> {
        let mounts = self.spec.as_ref().and_then(|spec| spec.mounts.as_deref());
        mounts.unwrap_or_default().iter().filter(|mount| mount.is_bind())
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

    /// The container cannot write there.
    pub fn is_read_only(&self) -> bool {
        self.has(&["ro", "rro"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Info {
        Info::read(&[Entry { key: b"info".to_vec(), value: json.as_bytes().to_vec() }])
    }

    #[test]
    fn containerd_says_privileged_in_its_configuration() {
        let yes = r#"{"config":{"linux":{"security_context":{"privileged":true}}}}"#;
        assert_eq!(read(yes).privileged(), Some(true));
        assert_eq!(
            read(r#"{"config":{"linux":{"security_context":{}}}}"#).privileged(),
            Some(false)
        );
        assert_eq!(read(r#"{"pid":7}"#).privileged(), None);
    }

    #[test]
    fn crio_says_privileged_itself() {
        assert_eq!(read(r#"{"sandboxID":"s","pid":9,"privileged":true}"#).privileged(), Some(true));
    }

    #[test]
    fn only_binds_are_host_paths() {
        let info = read(
            r#"{"runtimeSpec":{"mounts":[
                {"destination":"/proc","type":"proc","source":"proc","options":["nosuid"]},
                {"destination":"/d","type":"bind","source":"/h","options":["rbind","ro"]},
                {"destination":"/e","type":"bind","source":"/i","options":["rbind","rw"]}]}}"#,
        );
        let binds: Vec<_> =
            info.binds().map(|mount| (mount.source.as_str(), mount.is_read_only())).collect();
        assert_eq!(binds, [("/h", true), ("/i", false)]);
    }

    #[test]
    fn garbage_is_absent() {
        for garbage in ["", "{", "[]", r#"{"pid":"seven"}"#, "\u{0}", &"[".repeat(100_000)] {
            let info = read(garbage);
            assert_eq!((info.pid(), info.privileged(), info.binds().count()), (None, None, 0));
        }
        for pid in ["-1", "0", "4294967296"] {
            assert_eq!(read(&format!("{{\"pid\":{pid}}}")).pid(), None);
        }
    }
}
