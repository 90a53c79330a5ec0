//! The options of `chandra top`.

use std::net::SocketAddr;
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_identity::selector::Selector;
use chandra_loader::load::Options;
use chandra_top::View;
use chandra_top::table::Sort;
use chandra_top::views::flows::By;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::agent::DEFAULT_HTTP;
use super::common::{Format, LoadArguments, bad_value};
use super::hubble_server::{ServerArguments, ServerOptions};
use super::identity::{IdentityArguments, IdentityOptions};
use super::selection::{SelectionArguments, checked};

const EXAMPLES: &str = "\
Examples:
  chandra top                                 this machine, by its agent or else by itself; ? helps
  chandra top processes -n shop               who of these pods does what
  chandra top --once --by connection          one interval as a table, for scripts
  chandra top -o json --interval 10s | jq .flows.rows[0]";

/// Rows of a table that are kept if nothing else is said.
const USUAL_ROWS: usize = 1000;
/// And at most: a row is about half a kibibyte.
const MOST_ROWS: usize = 65_536;
/// How long an interval is if nothing else is said.
const USUAL_INTERVAL: Duration = Duration::from_secs(1);

/// The views by their names.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ViewName {
    /// Who talks to whom, and how much.
    Flows,
    /// Pods, containers, and the host's processes together.
    Workloads,
    /// Processes.
    Processes,
    /// Packets that the kernel dropped, by why and whose.
    Drops,
    /// What watching costs.
    Signals,
}

/// Which connections count together.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ByName {
    /// Those of two addresses to one port.
    #[default]
    Pair,
    /// None: each is a row.
    Connection,
}

#[derive(Debug, Args)]
struct Arguments {
    /// What is shown first; with --once and -o json what is shown at all [default: flows, in JSON all]
    #[arg(value_enum)]
    view: Option<ViewName>,
    /// Show one interval as a table, and end
    #[arg(long)]
    once: bool,
    /// With --once a table, or one JSON object for each interval
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// Whether the connections of two addresses to one port are one row, or each is one
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: ByName,
    /// Column of the view that rows are sorted by, by its heading
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// Only rows with this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Rows of each table that are kept, the largest; what falls out is summed up [default: 1000]
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// Watch UDP, too: that puts a program on the path of every packet
    #[arg(long)]
    udp: bool,
    /// Watch by probes of its own, also where an agent runs
    #[arg(long, conflicts_with_all = ["server", "port_forward", "http"])]
    local: bool,
    /// Address of the agent's HTTP, which says what its signals cost [default: 127.0.0.1:9965, where no
    /// server is named]
    #[arg(long, env = "CHANDRA_HTTP", value_name = "ADDRESS")]
    http: Option<String>,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    identity: IdentityArguments,
    #[command(flatten)]
    load: LoadArguments,
}

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// On the terminal, with keys.
    Screen,
    /// One table.
    Page {
        /// All columns, however wide that is.
        is_wide: bool,
    },
    /// An object a line; one, or one for each interval.
    Json {
        /// One.
        is_once: bool,
    },
}

/// Where figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// An agent, which was named or is meant by name.
    Agent,
    /// This node's agent where one answers, else probes of its own.
    AgentIfThere,
    /// Probes of its own.
    Kernel,
}

/// `chandra top`, checked.
#[derive(Debug)]
pub struct TopOptions {
    /// How it is shown.
    pub shape: Shape,
    /// The view that is shown, or is shown first; of JSON none stands for all.
    pub view: Option<View>,
    /// How it is sorted, where somebody said so.
    pub sort: Option<Sort>,
    /// Which rows are shown.
    pub filter: String,
    /// Which connections count together.
    pub by: By,
    /// Rows that are kept of each table.
    pub rows: usize,
    /// How long an interval is.
    pub interval: Duration,
    /// UDP is watched.
    pub udp: bool,
    /// Where figures come from.
    pub from: From,
    /// Where the agent says what its signals cost, if that is to be asked.
    pub http: Option<SocketAddr>,
    /// Whose figures.
    pub selector: Selector,
    /// The agent.
    pub server: ServerOptions,
    /// Who did it.
    pub identity: IdentityOptions,
    /// Options of loading.
    pub load: Options,
}

impl TopOptions {
    /// What was typed.
    pub fn parse(matches: &ArgMatches) -> Result<Result<Self, Problem>, clap::Error> {
        Arguments::from_arg_matches(matches).map(Arguments::options)
    }

    /// The view that is shown, or is shown first.
    pub fn first_view(&self) -> View {
        self.view.unwrap_or_default()
    }
}

impl Arguments {
    fn options(self) -> Result<TopOptions, Problem> {
        let view = self.view.map(View::from);
        let shape = match (self.output, self.once) {
            (Format::Json, is_once) => Shape::Json { is_once },
            (format, true) => Shape::Page { is_wide: format == Format::Wide },
            (Format::Table, false) => Shape::Screen,
            (Format::Wide, false) => {
                return Err(Problem::usage(
                    Check::USAGE,
                    "a screen cannot be wider than the terminal",
                    "-o wide is a table of all columns",
                    "chandra top --once -o wide",
                ));
            }
        };
        let sort = self.sort.as_deref().map(|title| sort(view.unwrap_or_default(), title));
        let rows = self.rows.unwrap_or(USUAL_ROWS);
        if !(1..=MOST_ROWS).contains(&rows) {
            let why = format!("not a number from 1 to {MOST_ROWS}");
            return Err(bad_value("--rows", &rows.to_string(), &why, "--rows 100"));
        }
        let server = self.server.options(&self.server.config()?)?;
        let from = match (self.local, server.is_usual && self.http.is_none()) {
            (true, _) => From::Kernel,
            (false, true) => From::AgentIfThere,
            (false, false) => From::Agent,
        };
        let http = self.http.map(|text| {
            text.parse().map_err(|_| {
                bad_value("--http", &text, "no address and port", "--http 127.0.0.1:9965")
            })
        });
        let http = http.transpose()?.or_else(|| server.is_usual.then_some(DEFAULT_HTTP));
        let load = self.load.options(true)?;
        Ok(TopOptions {
            shape,
            view,
            sort: sort.transpose()?,
            filter: self.filter.unwrap_or_default(),
            by: self.by.into(),
            rows,
            interval: load.interval.unwrap_or(USUAL_INTERVAL),
            udp: self.udp,
            from,
            http,
            selector: checked(self.selection.selector()?, self.identity.identity)?,
            server,
            identity: self.identity.options(),
            load,
        })
    }
}

impl std::convert::From<ViewName> for View {
    fn from(name: ViewName) -> Self {
        match name {
            ViewName::Flows => Self::Flows,
            ViewName::Workloads => Self::Workloads,
            ViewName::Processes => Self::Processes,
            ViewName::Drops => Self::Drops,
            ViewName::Signals => Self::Signals,
        }
    }
}

impl std::convert::From<ByName> for By {
    fn from(name: ByName) -> Self {
        match name {
            ByName::Pair => Self::Pair,
            ByName::Connection => Self::Connection,
        }
    }
}

/// Sorted by the column with this heading: names from the first letter on, figures from the largest.
fn sort(view: View, title: &str) -> Result<Sort, Problem> {
    view.sort_by(title).ok_or_else(|| {
        let titles = view.columns().iter().filter(|column| column.is_shown());
        let titles: Vec<_> = titles.map(|column| column.title.to_lowercase()).collect();
        let why = format!("no column of {}; there are: {}", view.name(), titles.join(", "));
        bad_value("--sort", title, &why, &format!("--sort {}", titles.first().map_or("", |it| it)))
    })
}

/// `chandra top`.
pub fn command() -> Command {
    Arguments::augment_args(Command::new("top"))
        .about("Show who talks, runs and loses packets right now, sorted, on one screen")
        .long_about(None)
        .mut_arg("interval", |argument| argument.help("How long an interval is [default: 1s]"))
        .after_help(EXAMPLES)
}
