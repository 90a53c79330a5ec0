//! The options of `chandra doctor`.

use std::path::{Path, PathBuf};

use chandra_doctor::Problem;
use chandra_kubernetes::Access;
use chandra_loader::load::Options;
use chandra_signals::Signal;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::agent;
use super::common::LoadArguments;
use super::hubble_server::{ServerArguments, ServerOptions};
use crate::doctor::certificates::Files;

const EXAMPLES: &str = "\
Examples:
  chandra doctor                                   look at this node
  chandra doctor -o json | jq '.findings[] | select(.grade == \"failed\")'
  chandra doctor --capabilities --signals tcp,dns  what these signals need
  chandra doctor --explain 'unreachable insn 12'   what a message means, also of another tool
  chandra doctor --server unix:///run/chandra/hubble.sock   ask an agent that runs

Exit codes: 0 nothing failed, 1 something did (or a message is not known), 2 the command line is wrong";

/// How findings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DoctorFormat {
    /// A line each, with what to do below.
    #[default]
    Table,
    /// One JSON object.
    Json,
}

#[derive(Debug, Args)]
struct Arguments {
    /// How it looks
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: DoctorFormat,
    /// Say what this message of the kernel, of libbpf, of Hubble or of another tool comes from
    #[arg(long, value_name = "TEXT", conflicts_with = "capabilities")]
    explain: Option<String>,
    /// Say which capabilities are needed, by what, and which are held
    #[arg(long)]
    capabilities: bool,
    /// Signals that are meant to be on [default: those that are on in the agent]
    #[arg(long, value_name = "SIGNAL", value_delimiter = ',')]
    signals: Option<Vec<String>>,
    /// Socket of the container runtime (CRI) [default: the first of the usual ones that answers]
    #[arg(long, env = "CHANDRA_CRI_SOCKET", value_name = "PATH")]
    cri_socket: Option<PathBuf>,
    /// Cluster to ask: auto (the one that this runs in), off, or a kubeconfig file [default: auto]
    #[arg(long, env = "CHANDRA_KUBERNETES", value_name = "CLUSTER")]
    kubernetes: Option<PathBuf>,
    /// Configuration file of the agent, which names its certificates [default: /etc/chandra/chandra.toml
    /// where it exists]
    #[arg(long, env = "CHANDRA_CONFIG", value_name = "FILE")]
    agent_config: Option<PathBuf>,
    #[command(flatten)]
    load: LoadArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// `chandra doctor`.
#[derive(Debug)]
pub struct DoctorOptions {
    /// How it looks.
    pub format: DoctorFormat,
    /// What is asked.
    pub what: What,
}

/// What is asked of the doctor.
#[derive(Debug)]
pub enum What {
    /// What a message comes from.
    Explain(String),
    /// What these signals need.
    Capabilities(Vec<&'static Signal>),
    /// How a running agent is.
    Agent(Box<ServerOptions>),
    /// How this node is.
    Node(Box<NodeOptions>),
}

/// Options of looking at this node.
#[derive(Debug)]
pub struct NodeOptions {
    /// Signals that are meant to be on.
    pub signals: Vec<&'static Signal>,
    /// The runtime's socket, when one is named.
    pub cri_socket: Option<PathBuf>,
    /// The cluster, where there is one to ask.
    pub cluster: Option<Access>,
    /// Where Cilium's Hubble is looked for there.
    pub hubble_namespace: String,
    /// What the agent serves with.
    pub certificates: Files,
    /// Options of loading.
    pub load: Options,
}

impl DoctorOptions {
    /// What was typed.
    pub fn parse(matches: &ArgMatches) -> Result<Result<Self, Problem>, clap::Error> {
        let is_typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        // A server that a variable names for other verbs does not keep this one from looking at the node.
        let asks_server = is_typed("server") || is_typed("port_forward");
        Arguments::from_arg_matches(matches).map(|arguments| arguments.options(asks_server))
    }
}

impl Arguments {
    fn options(self, asks_server: bool) -> Result<DoctorOptions, Problem> {
        let signals = agent::signals(self.signals)?;
        let what = if let Some(text) = self.explain {
            What::Explain(text)
        } else if self.capabilities {
            What::Capabilities(signals)
        } else if asks_server {
            What::Agent(Box::new(self.server.options(&self.server.config()?)?))
        } else {
            let cluster = match self.kubernetes.as_deref().and_then(|path| path.to_str()) {
                Some("off") => None,
                None | Some("auto") => Access::in_cluster(|name| std::env::var(name).ok()).ok(),
                Some(_) => self.kubernetes.map(Access::Kubeconfig),
            };
            What::Node(Box::new(NodeOptions {
                signals,
                cri_socket: self.cri_socket,
                cluster,
                hubble_namespace: self.server.namespace(),
                certificates: certificates(self.agent_config.as_deref())?,
                load: self.load.options(false)?,
            }))
        };
        Ok(DoctorOptions { format: self.output, what })
    }
}

/// The files that the agent serves with, as it would take them but for its flags.
pub(super) fn certificates(config: Option<&Path>) -> Result<Files, Problem> {
    let file = agent::configuration(config)?;
    let variable = |name: &str| std::env::var_os(format!("CHANDRA_HUBBLE_TLS_{name}"));
    let own = variable("CERT_FILE").map(PathBuf::from).or(file.hubble_tls_cert_file);
    let authorities = variable("CLIENT_CA_FILES")
        .map(|files| files.to_string_lossy().split(',').map(PathBuf::from).collect());
    let authorities = authorities.or(file.hubble_tls_client_ca_files).unwrap_or_default();
    Ok(Files { own, authorities })
}

/// The command, for the help.
pub fn command() -> Command {
    Arguments::augment_args(Command::new("doctor"))
        .about("Say what is wrong with a node, or with an agent, and what a message means")
        .long_about(None)
        .after_help(EXAMPLES)
}
