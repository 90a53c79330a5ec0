//! The configuration file of Hubble's command line, so that one file serves both: `config.yaml`, a flat
//! list of keys that are named as flags are.
//!
//! Of YAML that is what such files have: `key: value`, lists in brackets or below their key, quotes and
//! comments. What is below a key and is no list (Hubble has none) is passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chandra_doctor::{Check, Problem};

/// Keys with their values; one that is no list has one value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HubbleConfig(BTreeMap<String, Vec<String>>);

/// Longer files are no configuration.
const MOST_BYTES: u64 = 1 << 20;

/// Where it is unless it is said.
fn usual_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let base = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(base.join("hubble").join("config.yaml"))
}

impl HubbleConfig {
    /// The file that is named, which must be there, or the usual one, if it is there.
    pub fn read(named: Option<&Path>) -> Result<Self, Problem> {
        let Some(path) = named.map(Path::to_owned).or_else(usual_path) else {
            return Ok(Self::default());
        };
        let length = std::fs::metadata(&path).map(|file| file.len());
        let text = match length {
            Ok(length) if length > MOST_BYTES => Err("it is larger than 1 MiB".to_owned()),
            Err(_) if named.is_none() => return Ok(Self::default()),
            _ => std::fs::read_to_string(&path).map_err(|error| error.to_string()),
        };
        text.and_then(|text| Self::parse(&text)).map_err(|why| {
            Problem::usage(
                Check::CONFIG,
                format!("cannot use the configuration file {}", path.display()),
                why,
                "correct it, or name another one: --config FILE",
            )
        })
    }

    /// From its text; an error has the number of its line.
    fn parse(text: &str) -> Result<Self, String> {
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut current: Option<String> = None;
        for (line, number) in text.lines().zip(1..) {
            let wrong = |why: &str| format!("line {number}: {why}");
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with('#') || matches!(bare, "---" | "...") {
                continue;
            }
            if let Some(item) = bare.strip_prefix("- ") {
                let key = current.clone().ok_or_else(|| wrong("a list without a key"))?;
                let value = scalar(item.trim()).map_err(|why| wrong(&why))?;
                keys.entry(key).or_default().push(value);
                continue;
            }
            if line.starts_with([' ', '\t']) {
                continue;
            }
            let (key, value) = line.split_once(':').ok_or_else(|| wrong("it is no key: value"))?;
            let key = key.trim().trim_matches(['"', '\'']).to_owned();
            let values = values(value.trim()).map_err(|why| wrong(&why))?;
            keys.insert(key.clone(), values);
            current = Some(key);
        }
        Ok(Self(keys))
    }

    /// The value of a key, if it has one.
    pub fn text(&self, key: &str) -> Option<String> {
        self.0.get(key)?.first().filter(|value| !value.is_empty()).cloned()
    }

    /// All values of a key.
    pub fn list(&self, key: &str) -> Vec<String> {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// Whether a key is on.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.text(key)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }
}

/// What is behind a key: nothing, a list in brackets, or one value.
fn values(text: &str) -> Result<Vec<String>, String> {
    let Some(inner) = text.strip_prefix('[') else {
        let value = scalar(text)?;
        return Ok(if value.is_empty() { Vec::new() } else { vec![value] });
    };
    let inner = without_comment(inner).strip_suffix(']').ok_or("a list without its bracket")?;
    let items = inner.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(scalar).collect()
}

/// One value, with or without quotes.
fn scalar(text: &str) -> Result<String, String> {
    let unquoted = |quote: char| {
        let inner = text.strip_prefix(quote)?;
        Some(without_comment(inner).strip_suffix(quote).ok_or("a text without its quote"))
    };
    if let Some(inner) = unquoted('\'') {
        return Ok(inner?.replace("''", "'"));
    }
    if let Some(inner) = unquoted('"') {
        return serde_json::from_str(&format!("\"{}\"", inner?)).map_err(|error| error.to_string());
    }
    let bare = without_comment(text);
    Ok(if matches!(bare, "null" | "~" | "\"\"") { String::new() } else { bare.to_owned() })
}

fn without_comment(text: &str) -> &str {
    text.split(" #").next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_hubbles_is_read() {
        let text = "\
# mine
---
server: tls://relay.example:443 # the relay
tls: true
timeout: 10s
tls-ca-cert-files:
  - /etc/a.pem
  - \"/etc/b \\u00e9.pem\"
tls-server-name: 'it''s'
basic-auth-username: \"\"
allowlist:
    - '{\"source_pod\":[\"kube-system/\"]}'
denylist: [ 'a', b ]
kube:
  nested: x
port-forward: false
";
        let config = HubbleConfig::parse(text).unwrap();
        assert_eq!(config.text("server").as_deref(), Some("tls://relay.example:443"));
        assert_eq!((config.flag("tls"), config.flag("port-forward")), (Some(true), Some(false)));
        assert_eq!(config.text("timeout").as_deref(), Some("10s"));
        assert_eq!(config.list("tls-ca-cert-files"), ["/etc/a.pem", "/etc/b é.pem"]);
        assert_eq!(config.text("tls-server-name").as_deref(), Some("it's"));
        assert_eq!(config.text("basic-auth-username"), None);
        assert_eq!(config.list("allowlist"), [r#"{"source_pod":["kube-system/"]}"#]);
        assert_eq!(config.list("denylist"), ["a", "b"]);
        assert_eq!((config.text("nested"), config.text("nowhere")), (None, None));
    }

    #[test]
    fn what_is_no_configuration_is_said_with_its_line() {
        for (text, line) in [
            ("server", "line 1: "),
            ("# x\n- a", "line 2: "),
            ("a: [b", "line 1: "),
            ("a: 'b", "line 1: "),
            ("a: \"\\x\"", "line 1: "),
        ] {
            let error = HubbleConfig::parse(text).unwrap_err();
            assert!(error.starts_with(line), "{text:?}: {error}");
        }
    }
}
