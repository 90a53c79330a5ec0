//! The options of `chandra doctor`.

use std::path::PathBuf;

use chandra_doctor::Problem;
use chandra_kubernetes::Access;
use chandra_loader::load::Options;
use chandra_signals::Signal;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::agent;
use super::common::LoadArguments;
use super::hubble_server::{ServerArguments, ServerOptions};

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
                load: self.load.options(false)?,
            }))
        };
        Ok(DoctorOptions { format: self.output, what })
    }
}

/// The command, for the help.
pub fn command() -> Command {
    Arguments::augment_args(Command::new("doctor"))
        .about("Say what is wrong with a node, or with an agent, and what a message means")
        .long_about(None)
        .after_help(EXAMPLES)
}
