//! The extra information that runtimes give with a verbose status: JSON of their own, which no
//! contract covers.
//!
//! Invariant: every part of it is optional. What cannot be read is absent, never an error.

use serde::Deserialize;

use crate::api::Entry;
use crate::spec::Spec;

/// Longest answer of network plugins that is kept.
const MAX_NETWORK_JSON_BYTES: usize = 8 * 1024;

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
    #[serde(rename = "cniResult")]
    network: Option<serde_json::Value>,
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

    /// What the runtime made.
    pub fn spec(&self) -> Option<&Spec> {
        self.spec.as_ref()
    }

    /// What network plugins answered, as JSON, unless it is too long.
    pub fn network_json(&self) -> Option<Box<str>> {
        let json = self.network.as_ref().filter(|json| !json.is_null())?.to_string();
        (json.len() <= MAX_NETWORK_JSON_BYTES).then(|| json.into())
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
    fn the_answer_of_network_plugins_is_kept_if_it_is_not_too_long() {
        let info = read(r#"{"cniResult":{"Interfaces":{"eth0":{}}}}"#);
        assert_eq!(info.network_json().as_deref(), Some(r#"{"Interfaces":{"eth0":{}}}"#));
        assert_eq!(read(r#"{"cniResult":null}"#).network_json(), None);
        let long = format!(r#"{{"cniResult":"{}"}}"#, "x".repeat(MAX_NETWORK_JSON_BYTES));
        assert_eq!(read(&long).network_json(), None);
    }

    #[test]
    fn garbage_is_absent() {
        for garbage in ["", "{", "[]", r#"{"pid":"seven"}"#, "\u{0}", &"[".repeat(100_000)] {
            let info = read(garbage);
            assert_eq!((info.pid(), info.privileged()), (None, None));
            assert!(info.spec().is_none() && info.network_json().is_none());
        }
        for pid in ["-1", "0", "4294967296"] {
            assert_eq!(read(&format!("{{\"pid\":{pid}}}")).pid(), None);
        }
    }
}
