//! The options of what else a server of Hubble's is asked: `chandra status`, `list nodes`,
//! `list namespaces` and `watch peers`.

use chandra_doctor::Problem;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::hubble_server::{ServerArguments, ServerOptions};

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

/// `chandra status`.
#[derive(Debug)]
pub struct StatusOptions {
    /// How it looks.
    pub format: StatusFormat,
    /// Who is asked.
    pub server: ServerOptions,
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
    Arguments::<StatusFormat>::augment_args(Command::new("status"))
        .about("Say whether a Hubble server is well, and how many flows it has")
        .long_about(None)
        .after_help("Exit codes: 0 it is well, 1 it is not, or does not answer, 2 the command line is wrong")
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
            ["status", _] => typed(matches).map(|it| {
                it.map(|(format, server)| Self::Status(StatusOptions { format, server }))
            }),
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
