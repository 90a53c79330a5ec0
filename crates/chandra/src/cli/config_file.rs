//! The agent's configuration file: its keys, and what to say where it cannot be used.

use std::fmt;
use std::path::PathBuf;

use serde::de::{Error, Visitor, value};
use serde::{Deserialize, Deserializer};

use super::audit::AlertFormat;
use super::common::{Format, RingKind};
use super::evaluation::RuleMatching;
use super::identity::{IdentityKind, RemotePodsKind};

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Address to serve on.
    pub http: Option<String>,
    /// Print events.
    pub print: Option<bool>,
    /// How printed events look.
    pub output: Option<Format>,
    /// Signals to load.
    pub signals: Option<Vec<String>>,
    /// Ports that DNS is spoken on.
    pub dns_ports: Option<Vec<u16>>,
    /// Records a second that a cgroup may send of a signal.
    pub event_budget: Option<Vec<String>>,
    /// What signals may cost.
    pub cpu_budget: Option<Vec<String>>,
    /// How often it is looked what they cost.
    pub cpu_budget_window: Option<String>,
    /// What happens to records whose container is not described yet.
    pub identity: Option<IdentityKind>,
    /// Socket of the container runtime.
    pub cri_socket: Option<PathBuf>,
    /// Where the host's files are.
    pub host_root: Option<PathBuf>,
    /// Cluster to ask.
    pub kubernetes: Option<PathBuf>,
    /// Which pods of other nodes it is asked for.
    pub remote_pods: Option<RemotePodsKind>,
    /// Namespaces that are selected.
    pub namespace: Option<Vec<String>>,
    /// Pods.
    pub pod: Option<Vec<String>>,
    /// Labels.
    pub selector: Option<Vec<String>>,
    /// Workloads.
    pub workload: Option<Vec<String>>,
    /// Containers.
    pub container: Option<Vec<String>>,
    /// Nodes.
    pub node: Option<Vec<String>>,
    /// Name of this node.
    pub node_name: Option<String>,
    /// How records cross.
    pub ring: Option<RingKind>,
    /// Size of a signal's ring.
    pub ring_size: Option<Size>,
    /// BTF of this kernel.
    pub btf: Option<PathBuf>,
    /// How often what goes on is told of.
    pub interval: Option<String>,
    /// Ways on the path of every packet are used, too.
    pub packet_hooks: Option<bool>,
    /// Socket to serve flows on.
    pub hubble_socket_path: Option<String>,
    /// Address to serve flows on.
    pub hubble_listen_address: Option<String>,
    /// Its certificate.
    pub hubble_tls_cert_file: Option<PathBuf>,
    /// The certificate's key.
    pub hubble_tls_key_file: Option<PathBuf>,
    /// Authorities of clients.
    pub hubble_tls_client_ca_files: Option<Vec<PathBuf>>,
    /// Other machines are served without encryption.
    pub insecure: Option<bool>,
    /// What flows may take in memory.
    pub hubble_buffer_size: Option<Size>,
    /// What kept profiles may take in memory.
    pub profile_buffer_size: Option<Size>,
    /// Files of rules.
    pub rules: Option<Vec<PathBuf>>,
    /// Which rules fire of those that match one event.
    pub rule_matching: Option<RuleMatching>,
    /// Rules that are switched off.
    pub rules_disable: Option<Vec<String>>,
    /// Rules that are switched on after that.
    pub rules_enable: Option<Vec<String>>,
    /// Less urgent ones are off.
    pub rules_minimum_priority: Option<String>,
    /// Rules that cannot be answered are left out.
    pub rules_leave_out: Option<bool>,
    /// What is not known makes a rule undecided.
    pub strict_unknown: Option<bool>,
    /// `proc.name` is compared with the name of what really runs, too.
    pub match_real_exe: Option<bool>,
    /// How alerts are printed.
    pub alerts: Option<AlertFormat>,
    /// File to write alerts to.
    pub alerts_file: Option<PathBuf>,
    /// Receiver of syslog.
    pub alerts_syslog: Option<String>,
    /// Receiver of HTTP.
    pub alerts_http: Option<String>,
    /// Where alerts wait for it.
    pub alerts_spool_folder: Option<PathBuf>,
    /// What the latest alerts may take in memory.
    pub alerts_buffer_size: Option<Size>,
    /// Secrets are taken out of alerts.
    pub alerts_redact: Option<bool>,
    /// Name of this cluster.
    pub cluster_name: Option<String>,
    /// File to write flows to.
    pub export_file_path: Option<String>,
    /// Size at which it is set aside.
    pub export_file_max_size_mb: Option<u64>,
    /// Files that are kept beside it.
    pub export_file_max_backups: Option<usize>,
    /// Those are compressed.
    pub export_file_compress: Option<bool>,
    /// Filters of flows that are written.
    pub export_allowlist: Option<String>,
    /// Filters of flows that are not.
    pub export_denylist: Option<String>,
    /// Fields that are written.
    pub export_fieldmask: Option<Vec<String>>,
    /// Fields in which flows are alike that are written as one line.
    pub export_fieldaggregate: Option<Vec<String>>,
    /// Time in which they are counted together.
    pub export_aggregation_interval: Option<String>,
    /// File of more flow logs.
    pub export_config_path: Option<PathBuf>,
    /// Hubble's metrics.
    pub hubble_metrics: Option<String>,
    /// How fine times on the network are told.
    pub metrics_levels: Option<String>,
    /// How fine what the kernel counts is told.
    pub kernel_metrics_levels: Option<String>,
    /// Series that a metric may have.
    pub metrics_max_series: Option<usize>,
    /// How long series stay that do not change.
    pub metrics_expire_after: Option<String>,
    /// How long series of pods stay that are gone.
    pub metrics_pods_expire_after: Option<String>,
    /// Collector to export to.
    pub otlp_endpoint: Option<String>,
    /// What it speaks.
    pub otlp_protocol: Option<String>,
    /// Headers of requests to it.
    pub otlp_headers: Option<String>,
    /// What is exported.
    pub otlp_signals: Option<Vec<String>>,
    /// How often metrics are.
    pub otlp_interval: Option<String>,
    /// How long an answer may take.
    pub otlp_timeout: Option<String>,
    /// How requests are compressed.
    pub otlp_compression: Option<String>,
    /// What counters tell.
    pub otlp_temporality: Option<String>,
    /// What may wait of each signal.
    pub otlp_queue_size: Option<Size>,
    /// Authorities of collectors.
    pub otlp_ca_file: Option<PathBuf>,
    /// The agent's certificate.
    pub otlp_client_cert_file: Option<PathBuf>,
    /// Its key.
    pub otlp_client_key_file: Option<PathBuf>,
}

/// A number of bytes, bare or as text with a unit.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// `65536`.
    Bytes(u64),
    /// `"64k"`.
    Text(String),
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => bytes.fmt(out),
            Self::Text(text) => text.fmt(out),
        }
    }
}

/// Why a file cannot be used, and what to do.
#[derive(Debug)]
pub struct Unusable {
    /// Where and what.
    pub why: String,
    /// What to do.
    pub next: String,
}

impl File {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is no TOML, or has another key or value than these.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        toml::from_str(text).map_err(|error| {
            let next = match unknown_key(error.message()) {
                Some(key) => format!(
                    "perhaps you meant {:?}; the keys are: {}",
                    nearest_key(key),
                    keys().join(", ")
                ),
                None => "correct the file at the place shown".to_owned(),
            };
            Unusable { why: error.to_string().trim_end().to_owned(), next }
        })
    }
}

/// Its keys, as the code says them that reads it.
pub(super) fn keys() -> &'static [&'static str] {
    let mut keys: &[_] = &[];
    // It has no value to give, so it says no; by then it was told the names.
    drop(File::deserialize(Names(&mut keys)));
    keys
}

/// Reads nothing, and keeps the names of fields that it was asked for.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(value::Error::custom("names alone"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn unknown_key(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

fn nearest_key(key: &str) -> &'static str {
    let distance = |known: &&&str| strsim::damerau_levenshtein(key, known);
    keys().iter().min_by_key(distance).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named() {
        let error = toml::from_str::<File>("no_such_key = 1").unwrap_err();
        assert_eq!(unknown_key(error.message()), Some("no_such_key"));
        assert_eq!(nearest_key("rign_size"), "ring_size");
        assert_eq!(nearest_key("htpp"), "http");
        assert_eq!(nearest_key("cpu_bugdet"), "cpu_budget");
    }
}
