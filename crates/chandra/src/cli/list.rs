//! The options of `chandra list`.

use std::path::PathBuf;

use chandra_doctor::Problem;
use chandra_identity::selector::Selector;
use chandra_loader::load::Options;
use clap::{Args, ValueEnum};

use super::common::LoadArguments;
use super::identity::{host_root, node_name};
use super::selection::SelectionArguments;

/// Shown below the help of `chandra list`.
pub const EXAMPLES: &str = "\
Examples:
  chandra list processes -o tree       who started whom, and in which container
  chandra list processes -o json | jq 'select(.container)'
  chandra list containers -n shop -l app=web
  chandra list pods";

/// What can be listed, with one line of help.
pub const KINDS: [(&str, &str); 3] = [
    ("pods", "Pods that the container runtime knows, with their addresses and containers"),
    ("processes", "Processes that run, with their real executable and their container"),
    (
        "containers",
        "Containers that have a cgroup, with name, image and pod where a runtime answers",
    ),
];

/// How a list looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ListFormat {
    /// Columns.
    #[default]
    Table,
    /// Processes below their parents.
    Tree,
    /// One JSON object a line.
    Json,
}

/// The arguments as typed.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// How the list looks
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: ListFormat,
    /// Socket of the container runtime (CRI) [default: the first of the usual ones that answers]
    #[arg(long, env = "CHANDRA_CRI_SOCKET", value_name = "PATH")]
    cri_socket: Option<PathBuf>,
    /// Where the host's files are, in which runtimes keep what they know of containers that CRI does not describe
    /// [default: /proc/1/root, or / where one may not look there]
    #[arg(long, env = "CHANDRA_HOST_ROOT", value_name = "FOLDER")]
    host_root: Option<PathBuf>,
    /// Name of this node [default: $NODE_NAME, or else the host's name]
    #[arg(long, env = "CHANDRA_NODE_NAME", value_name = "NAME")]
    node_name: Option<String>,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    load: LoadArguments,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// Processes.
    Processes,
    /// Containers.
    Containers,
    /// Pods.
    Pods,
}

/// What is listed.
#[derive(Debug)]
pub struct ListOptions {
    /// What.
    pub kind: ListKind,
    /// How it looks.
    pub format: ListFormat,
    /// The runtime's socket, when one is named.
    pub cri_socket: Option<PathBuf>,
    /// Where the host's files are.
    pub host_root: PathBuf,
    /// What is selected of it.
    pub selector: Selector,
    /// This node.
    pub node: String,
    /// Options of loading.
    pub load: Options,
}

impl ListOptions {
    /// Checks the arguments of `chandra list KIND`.
    pub fn new(kind: &str, arguments: &ListArguments) -> Result<Self, Problem> {
        let kind = match kind {
            "pods" => ListKind::Pods,
            "containers" => ListKind::Containers,
            _ => ListKind::Processes,
        };
        let (format, cri_socket) = (arguments.output, arguments.cri_socket.clone());
        let (selector, node) =
            (arguments.selection.selector()?, node_name(arguments.node_name.as_ref()));
        let host_root = arguments.host_root.clone().unwrap_or_else(host_root);
        let load = arguments.load.options(false)?;
        Ok(Self { kind, format, cri_socket, host_root, selector, node, load })
    }
}
