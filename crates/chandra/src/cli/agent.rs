//! The options of `chandra agent`: a flag goes before the environment, that before the
//! configuration file, and that before the default. Every key of the file is also a flag and a
//! `CHANDRA_*` variable.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::audit::{AuditArguments, AuditOptions};
use super::budget::budgets;
use super::common::{Format, LoadArguments, bad_value, size_bytes};
use super::config_file::File;
use super::cpu_budget::cpu_budgets;
use super::evaluation::EvaluationArguments;
use super::export::{ExportArguments, ExportOptions};
use super::hubble::{HubbleArguments, HubbleOptions};
use super::identity::{IdentityArguments, IdentityOptions};
use super::metrics::{MetricsArguments, MetricsOptions};
use super::otlp::OtlpArguments;
use super::selection::{SelectionArguments, checked};
use crate::agent::governor::CpuBudgets;
use crate::agent::profiles::HERTZ;
use chandra_doctor::{Check, Problem};
use chandra_identity::selector::Selector;
use chandra_loader::budget::Budget;
use chandra_loader::load::Options;
use chandra_signals::filter::FILTER_VALUES;
use chandra_signals::{SIGNALS, Signal};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

/// Shown below the help of `chandra agent`.
pub const EXAMPLES: &str = "\
Examples:
  chandra agent --print                    watch, and print what happens
  chandra agent --rules default,local.yaml more rules than those that watch out of the box
  chandra agent --http 127.0.0.1:0         a second agent beside the first, on a free port
  hubble observe --server localhost:4244   flows, by Hubble's own command line
  curl -so cpu.pb.gz 'http://127.0.0.1:9965/debug/profile?seconds=60&pod=web-1'
                                           what a pod did, with --signals …,cpu_profile
  chandra agent --otlp-endpoint http://localhost:4318   metrics, alerts and drops, to a collector
  curl -s http://127.0.0.1:9965/signals    what each signal does and costs

Every long option is also a key of the configuration file (ring-size is ring_size there).";

/// Read when it is there and no other file is named.
pub const DEFAULT_FILE: &str = "/etc/chandra/chandra.toml";

/// What the windows of a profile may take when nothing else is said.
const DEFAULT_PROFILE_BYTES: usize = 32 << 20;

/// Where the agent serves when nothing else is said.
pub const DEFAULT_HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9965);

/// The arguments as typed, or as the environment has them.
#[derive(Debug, Args)]
pub struct AgentArguments {
    /// Configuration file [default: /etc/chandra/chandra.toml where it exists]
    #[arg(long, env = "CHANDRA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to serve /healthz, /readyz, /signals, /metrics and /debug/profile on [default: 127.0.0.1:9965]
    #[arg(long, env = "CHANDRA_HTTP", value_name = "ADDRESS")]
    http: Option<String>,
    /// Print events as they come
    #[arg(long, env = "CHANDRA_PRINT", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    print: Option<bool>,
    /// How printed events look [default: table]
    #[arg(short, long, env = "CHANDRA_OUTPUT", value_name = "FORMAT")]
    output: Option<Format>,
    /// Signals to load, by name [default: those that are on by default]
    #[arg(long, env = "CHANDRA_SIGNALS", value_name = "SIGNAL", value_delimiter = ',')]
    signals: Option<Vec<String>>,
    /// Ports that DNS is spoken on [default: 53]
    #[arg(long, env = "CHANDRA_DNS_PORTS", value_name = "PORT", value_delimiter = ',')]
    dns_ports: Option<Vec<u16>>,
    /// Records a second that a cgroup may send of a signal, for all signals or for one as in
    /// file_open=5000, or off; what is beyond is counted [default: what each signal says]
    #[arg(long, env = "CHANDRA_EVENT_BUDGET", value_name = "RATE", value_delimiter = ',')]
    event_budget: Option<Vec<String>>,
    /// What signals may cost, in percent of one core: all together, or one as in file_open=0.5%, or off; what
    /// costs more is sampled, then counted only, then detached [default: 1%, and 10% each for flows: tcp, udp]
    #[arg(long, env = "CHANDRA_CPU_BUDGET", value_name = "PERCENT", value_delimiter = ',')]
    cpu_budget: Option<Vec<String>>,
    /// How often it is looked what signals cost [default: 5s]
    #[arg(long, env = "CHANDRA_CPU_BUDGET_WINDOW", value_name = "SPAN")]
    cpu_budget_window: Option<String>,
    /// What kept profiles (signals cpu_profile, off_cpu) may take in memory, each: bytes, or with k, m or g [default: 32m]
    #[arg(long, env = "CHANDRA_PROFILE_BUFFER_SIZE", value_name = "SIZE")]
    profile_buffer_size: Option<String>,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    identity: IdentityArguments,
    #[command(flatten)]
    hubble: HubbleArguments,
    #[command(flatten)]
    export: ExportArguments,
    #[command(flatten)]
    audit: AuditArguments,
    #[command(flatten)]
    metrics: MetricsArguments,
    #[command(flatten)]
    otlp: OtlpArguments,
    #[command(flatten)]
    load: LoadArguments,
}

/// The agent's configuration.
#[derive(Debug)]
pub struct AgentOptions {
    /// Where to serve.
    pub http: SocketAddr,
    /// Print events.
    pub print: bool,
    /// How printed events look.
    pub format: Format,
    /// Signals that are on.
    pub signals: Vec<&'static Signal>,
    /// Ports that DNS is spoken on; none stands for the probe's own choice.
    pub dns_ports: Vec<u16>,
    /// What signals may cost.
    pub cpu_budgets: CpuBudgets,
    /// What the windows of a profile may take.
    pub profile_bytes: usize,
    /// Of whom records are shown.
    pub selector: Selector,
    /// Who did it.
    pub identity: IdentityOptions,
    /// Flows, and who gets them.
    pub hubble: HubbleOptions,
    /// Flows that are written to files.
    pub export: ExportOptions,
    /// Rules that watch, and where their alerts go.
    pub audit: AuditOptions,
    /// What is counted for Prometheus.
    pub metrics: MetricsOptions,
    /// What is exported by OpenTelemetry's protocol, where anything is.
    pub otlp: Option<chandra_otlp::Settings>,
    /// Options of loading.
    pub load: Options,
}

impl AgentOptions {
    /// Somebody wants flows: to ask for them, or to have them counted or written.
    pub fn makes_flows(&self) -> bool {
        let counts = !self.metrics.hubble.is_empty() || !self.metrics.levels.times_are_off();
        counts || !self.hubble.is_off() || !self.export.is_off()
    }

    /// Log records go to a collector.
    pub fn exports_logs(&self) -> bool {
        let logs = |settings: &chandra_otlp::Settings| {
            settings.destination(chandra_otlp::Signal::Logs).is_some()
        };
        self.otlp.as_ref().is_some_and(logs)
    }

    /// Merges flags, environment, file and defaults.
    pub fn new(arguments: AgentArguments) -> Result<Self, Problem> {
        let file = configuration(arguments.config.as_deref())?;
        let load = LoadArguments {
            ring: arguments.load.ring.or(file.ring),
            ring_size: arguments.load.ring_size.or(file.ring_size.map(|size| size.to_string())),
            btf: arguments.load.btf.or(file.btf),
            interval: arguments.load.interval.or(file.interval),
            packet_hooks: arguments.load.packet_hooks.or(file.packet_hooks),
        };
        let identity = IdentityArguments {
            identity: arguments.identity.identity.or(file.identity),
            cri_socket: arguments.identity.cri_socket.or(file.cri_socket),
            host_root: arguments.identity.host_root.or(file.host_root),
            kubernetes: arguments.identity.kubernetes.or(file.kubernetes),
            remote_pods: arguments.identity.remote_pods.or(file.remote_pods),
            node_name: arguments.identity.node_name.or(file.node_name),
        };
        let selection = arguments.selection.or(SelectionArguments {
            namespace: file.namespace,
            pod: file.pod,
            selector: file.selector,
            workload: file.workload,
            container: file.container,
            node: file.node,
        });
        let hubble = arguments.hubble.or(HubbleArguments {
            hubble_socket_path: file.hubble_socket_path,
            hubble_listen_address: file.hubble_listen_address,
            hubble_tls_cert_file: file.hubble_tls_cert_file,
            hubble_tls_key_file: file.hubble_tls_key_file,
            hubble_tls_client_ca_files: file.hubble_tls_client_ca_files,
            insecure: file.insecure,
            hubble_buffer_size: file.hubble_buffer_size.map(|size| size.to_string()),
            cluster_name: file.cluster_name,
        });
        let export = arguments.export.or(ExportArguments {
            export_file_path: file.export_file_path,
            export_file_max_size_mb: file.export_file_max_size_mb,
            export_file_max_backups: file.export_file_max_backups,
            export_file_compress: file.export_file_compress,
            export_allowlist: file.export_allowlist,
            export_denylist: file.export_denylist,
            export_fieldmask: file.export_fieldmask,
            export_fieldaggregate: file.export_fieldaggregate,
            export_aggregation_interval: file.export_aggregation_interval,
            export_config_path: file.export_config_path,
        });
        let metrics = arguments.metrics.or(MetricsArguments {
            hubble_metrics: file.hubble_metrics,
            metrics_levels: file.metrics_levels,
            kernel_metrics_levels: file.kernel_metrics_levels,
            metrics_max_series: file.metrics_max_series,
            metrics_expire_after: file.metrics_expire_after,
            metrics_pods_expire_after: file.metrics_pods_expire_after,
        });
        let otlp = arguments.otlp.or(OtlpArguments {
            otlp_endpoint: file.otlp_endpoint,
            otlp_protocol: file.otlp_protocol,
            otlp_headers: file.otlp_headers,
            otlp_signals: file.otlp_signals,
            otlp_interval: file.otlp_interval,
            otlp_timeout: file.otlp_timeout,
            otlp_compression: file.otlp_compression,
            otlp_temporality: file.otlp_temporality,
            otlp_queue_size: file.otlp_queue_size.map(|size| size.to_string()),
            otlp_ca_file: file.otlp_ca_file,
            otlp_client_cert_file: file.otlp_client_cert_file,
            otlp_client_key_file: file.otlp_client_key_file,
        });
        let audit = arguments.audit.or(AuditArguments {
            rules: file.rules,
            rules_leave_out: file.rules_leave_out,
            evaluation: EvaluationArguments {
                rule_matching: file.rule_matching,
                rules_disable: file.rules_disable,
                rules_enable: file.rules_enable,
                rules_minimum_priority: file.rules_minimum_priority,
                strict_unknown: file.strict_unknown,
                match_real_exe: file.match_real_exe,
            },
            alerts: file.alerts,
            alerts_file: file.alerts_file,
            alerts_syslog: file.alerts_syslog,
            alerts_http: file.alerts_http,
            alerts_spool_folder: file.alerts_spool_folder,
            alerts_buffer_size: file.alerts_buffer_size.map(|size| size.to_string()),
            alerts_redact: file.alerts_redact,
        });
        let http = arguments.http.or(file.http);
        let is_insecure = hubble.insecure.unwrap_or(false);
        let print = arguments.print.or(file.print).unwrap_or(false);
        let event_budget = arguments.event_budget.or(file.event_budget).unwrap_or_default();
        let budgets = budgets(&event_budget, Budget::Own)?;
        let format = arguments.output.or(file.output).unwrap_or_default();
        let export = export.options()?;
        let prints_json = print && format == Format::Json || export.writes_to_stdout();
        Ok(Self {
            http: http.as_deref().map_or(Ok(DEFAULT_HTTP), |text| address(text, is_insecure))?,
            print,
            format,
            signals: signals(arguments.signals.or(file.signals))?,
            dns_ports: dns_ports(arguments.dns_ports.or(file.dns_ports))?,
            cpu_budgets: cpu_budgets(
                &arguments.cpu_budget.or(file.cpu_budget).unwrap_or_default(),
                arguments.cpu_budget_window.or(file.cpu_budget_window).as_deref(),
            )?,
            profile_bytes: profile_bytes(
                arguments
                    .profile_buffer_size
                    .or(file.profile_buffer_size.map(|size| size.to_string())),
            )?,
            selector: checked(selection.selector()?, identity.identity)?,
            identity: identity.options(),
            hubble: hubble.options()?,
            export,
            audit: audit.options(prints_json)?,
            metrics: metrics.options()?,
            otlp: otlp.options()?,
            load: Options { budgets, sample_hertz: Some(HERTZ), ..load.options(false)? },
        })
    }
}

/// An address that only this machine can reach, unless somebody took it on himself: there is no TLS and no
/// password yet.
fn address(text: &str, is_insecure: bool) -> Result<SocketAddr, Problem> {
    let why = "no address and port";
    let address: SocketAddr =
        text.parse().map_err(|_| bad_value("--http", text, why, "--http 127.0.0.1:9965"))?;
    if !address.ip().is_loopback() && !is_insecure {
        let why = "reachable from other machines, and what is served there is not protected";
        let next = format!("--http 127.0.0.1:9965, or --http {text} --insecure");
        return Err(bad_value("--http", text, why, &next));
    }
    Ok(address)
}

fn profile_bytes(size: Option<String>) -> Result<usize, Problem> {
    let Some(text) = size else { return Ok(DEFAULT_PROFILE_BYTES) };
    let why = "not a size from 64k to 16g";
    let bad = || bad_value("--profile-buffer-size", &text, why, "--profile-buffer-size 32m");
    let bounds = 64 << 10..=16 << 30;
    size_bytes(&text).filter(|bytes| bounds.contains(bytes)).ok_or_else(bad)
}

fn dns_ports(ports: Option<Vec<u16>>) -> Result<Vec<u16>, Problem> {
    let ports = ports.unwrap_or_default();
    let refused = match ports.as_slice() {
        ports if ports.contains(&0) => Some("no name server has port 0"),
        ports if ports.len() > FILTER_VALUES => Some("a probe compares with eight at most"),
        _ => None,
    };
    let said = || ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    match refused {
        Some(why) => Err(bad_value("--dns-ports", &said(), why, "--dns-ports 53,5353")),
        None => Ok(ports),
    }
}

pub(crate) fn signals(names: Option<Vec<String>>) -> Result<Vec<&'static Signal>, Problem> {
    let Some(names) = names else {
        return Ok(SIGNALS.iter().filter(|signal| signal.default).collect());
    };
    if names.is_empty() {
        return Err(bad_value("--signals", "(none)", "nothing to watch", "--signals process,tcp"));
    }
    let find = |name: &String| {
        SIGNALS.iter().find(|signal| signal.spec.name == name).ok_or_else(|| {
            let known: Vec<_> = SIGNALS.iter().map(|signal| signal.spec.name).collect();
            let why = format!("no signal; there are: {}", known.join(", "));
            bad_value("--signals", name, &why, "--signals process,tcp")
        })
    };
    names.iter().map(find).collect()
}

/// What the file says that is named, or else the usual one where it is there.
pub(crate) fn configuration(named: Option<&Path>) -> Result<File, Problem> {
    match named {
        Some(path) => read_file(path),
        None if Path::new(DEFAULT_FILE).exists() => read_file(Path::new(DEFAULT_FILE)),
        None => Ok(File::default()),
    }
}

fn read_file(path: &Path) -> Result<File, Problem> {
    let what = format!("cannot use the configuration file {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| {
        Problem::usage(Check::CONFIG, what.clone(), error, "name another file: --config FILE")
    })?;
    File::parse(&text)
        .map_err(|unusable| Problem::usage(Check::CONFIG, what, unusable.why, unusable.next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_served_unless_others_are_meant() {
        let safe = |text| address(text, false);
        assert!(safe("127.0.0.1:0").is_ok() && safe("[::1]:9965").is_ok());
        assert!(safe("0.0.0.0:9965").is_err() && safe("9965").is_err());
        assert!(address("0.0.0.0:9965", true).is_ok() && address("9965", true).is_err());
    }
}
