//! Files that say which flow logs there are.

use std::collections::HashSet;
use std::path::Path;

use chandra_flow_export::settings::{MOST_LOGS, parse};

/// As YAML and as TOML: what is taken can be written, and no two logs write to one file.
pub fn flow_log_settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in ["logs.yaml", "logs.toml"] {
        let Ok(logs) = parse(Path::new(name), text) else { continue };
        assert!(logs.len() <= MOST_LOGS);
        let mut targets = HashSet::new();
        for log in logs {
            log.check().expect("a log that can be written");
            assert!(targets.insert(format!("{:?}", log.target)), "{:?} twice", log.target);
        }
    }
}
