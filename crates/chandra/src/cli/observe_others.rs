//! The options of what else a server of Hubble's is asked: `chandra status`, `list nodes`,
//! `list namespaces` and `watch peers`.

use std::net::SocketAddr;

use chandra_doctor::Problem;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::agent;
use super::common::bad_value;
use super::hubble_server::{ServerArguments, ServerOptions};

const STATUS_EXAMPLES: &str = "\
Examples:
  chandra status                                    this machine's agent, on one screen
  chandra status -o json | jq .agent.warnings       what it lacks
  chandra status --server relay.example:80          any server of Hubble's

Exit codes: 0 it is well, 1 it is not, or does not answer, 2 the command line is wrong";

/// How a status looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum StatusFormat {
    /// A few lines.
    #[default]
    Compact,
    /// A value a line.
    Dict,
    /// One JSON object.
    #[value(alias = "jsonpb")]
    Json,
    /// Columns.
    #[value(alias = "tab")]
    Table,
}

/// How a list looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum InventoryFormat {
    /// Columns.
    #[default]
    Table,
    /// More columns.
    Wide,
    /// A JSON array.
    Json,
}

/// How changes of peers look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PeersFormat {
    /// A line each.
    #[default]
    Compact,
    /// One JSON object a line.
    Json,
}

/// `-o` with these formats, and the server.
#[derive(Debug, Args)]
struct Arguments<F: ValueEnum + Clone + Send + Sync + 'static> {
    /// How it looks [default: the first of these]
    // Not as a default of clap's, which would be one for all formats.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<F>,
    #[command(flatten)]
    server: ServerArguments,
}

/// What `chandra status` has beside these.
#[derive(Debug, Args)]
struct StatusArguments {
    #[command(flatten)]
    common: Arguments<StatusFormat>,
    /// Address of this machine's agent, which is asked what it sees, loses and costs [default:
    /// 127.0.0.1:9965, where no server is named]
    #[arg(long, env = "CHANDRA_HTTP", value_name = "ADDRESS")]
    http: Option<String>,
}

/// Whether the agent of this machine is asked, over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// Another server was named.
    NotMeant,
    /// Where it usually is, if it is there.
    Usual(SocketAddr),
    /// There, as somebody said.
    Named(SocketAddr),
}

/// `chandra status`.
#[derive(Debug)]
pub struct StatusOptions {
    /// How it looks.
    pub format: StatusFormat,
    /// Who is asked.
    pub server: ServerOptions,
    /// Whether the agent is asked, too.
    pub agent: Agent,
}

impl StatusArguments {
    fn options(self) -> Result<StatusOptions, Problem> {
        let server = self.common.server.options(&self.common.server.config()?)?;
        let agent = match self.http {
            Some(text) => Agent::Named(text.parse().map_err(|_| {
                bad_value("--http", &text, "no address and port", "--http 127.0.0.1:9965")
            })?),
            None if server.is_usual => Agent::Usual(agent::DEFAULT_HTTP),
            None => Agent::NotMeant,
        };
        Ok(StatusOptions { format: self.common.output.unwrap_or_default(), server, agent })
    }
}

/// `chandra list nodes`, `chandra list namespaces`.
#[derive(Debug)]
pub struct InventoryOptions {
    /// How it looks.
    pub format: InventoryFormat,
    /// Who is asked.
    pub server: ServerOptions,
}

/// `chandra watch peers`.
#[derive(Debug)]
pub struct PeersOptions {
    /// How it looks.
    pub format: PeersFormat,
    /// Who is asked.
    pub server: ServerOptions,
}

/// What is asked.
#[derive(Debug)]
pub enum OtherOptions {
    /// Whether the server is well.
    Status(StatusOptions),
    /// Its nodes.
    Nodes(InventoryOptions),
    /// Its namespaces.
    Namespaces(InventoryOptions),
    /// Changes of its peers.
    Peers(PeersOptions),
}

/// `chandra status`.
pub fn status_command() -> Command {
    StatusArguments::augment_args(Command::new("status"))
        .about("Say whether this machine's agent, or a Hubble server, is well, and what it sees")
        .long_about(None)
        .after_help(STATUS_EXAMPLES)
}

/// What is listed of a server, beside what is listed of this machine.
pub fn list_commands() -> [Command; 2] {
    let command = |name, about| {
        let command = Arguments::<InventoryFormat>::augment_args(Command::new(name));
        command.about(about).long_about(None)
    };
    [
        command("nodes", "Nodes that a Hubble relay knows, and how it stands to them")
            .visible_alias("node"),
        command("namespaces", "Namespaces that a Hubble server saw flows of lately"),
    ]
}

/// `chandra watch`.
pub fn watch_command() -> Command {
    let peers = Arguments::<PeersFormat>::augment_args(Command::new("peers"))
        .alias("peer")
        .about("Show which nodes a Hubble server knows, as they come and go")
        .long_about(None);
    Command::new("watch")
        .about("Watch what a Hubble server knows")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(peers)
}

impl OtherOptions {
    /// What was typed; nothing if `path` is none of these.
    pub fn parse(
        path: [&str; 2],
        matches: &ArgMatches,
    ) -> Option<Result<Result<Self, Problem>, clap::Error>> {
        let options = match path {
            ["status", _] => StatusArguments::from_arg_matches(matches)
                .map(|arguments| arguments.options().map(Self::Status)),
            ["list", "nodes"] => typed(matches).map(|it| {
                it.map(|(format, server)| Self::Nodes(InventoryOptions { format, server }))
            }),
            ["list", "namespaces"] => typed(matches).map(|it| {
                it.map(|(format, server)| Self::Namespaces(InventoryOptions { format, server }))
            }),
            ["watch", _] => typed(matches)
                .map(|it| it.map(|(format, server)| Self::Peers(PeersOptions { format, server }))),
            _ => return None,
        };
        Some(options)
    }
}

type Typed<F> = Result<Result<(F, ServerOptions), Problem>, clap::Error>;

fn typed<F: ValueEnum + Default + Clone + Send + Sync + 'static>(matches: &ArgMatches) -> Typed<F> {
    let arguments = Arguments::<F>::from_arg_matches(matches)?;
    let server = arguments.server.config().and_then(|config| arguments.server.options(&config));
    Ok(server.map(|server| (arguments.output.unwrap_or_default(), server)))
}
