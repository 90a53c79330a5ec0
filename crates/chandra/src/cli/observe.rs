//! The options of `chandra observe`: those of `hubble observe`, by the same names and with the same
//! meaning, and a few of Chandra's own.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use chandra_doctor::{Check, Problem};
use chandra_hubble::json;
use chandra_hubble::mask::{Mask, TEXT_PATHS};
use chandra_hubble::print::{Format, Options as PrintOptions, TimeFormat};
use chandra_hubble::proto::flow::FlowFilter;
use chandra_hubble::proto::observer::GetFlowsRequest;
use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use jiff::Timestamp;

use super::common::{Color, bad_value, duration};
use super::hubble_config::HubbleConfig;
use super::hubble_server::{ServerArguments, ServerOptions};
use super::observe_filters;
use crate::observe::details::{DetailsFilter, connection_keys};
use crate::observe::filters::{self, Lists};
use crate::observe::request::Selectors;
use crate::observe::{DisplayOptions, Key};

/// Shown below the help of `chandra observe`.
const EXAMPLES: &str = "\
Examples:
  chandra observe -f --verdict DROPPED             what is dropped, as it happens
  chandra observe --from-pod shop/web --to-port 443 --since 5m
  chandra observe -n shop --not --to-fqdn '*.example.com'
  chandra observe --all --aggregate-by src,dst,port    who talks most
  chandra observe --process curl -o wide           with process, bytes and connection
  chandra observe -o json --last 1000 > flows.json
  chandra observe --input-file flows.json --http-status 5+

A flag given twice asks for either value; different flags must all fit. Through a relay, --first and
--last are of each node.";

#[derive(Debug, Args)]
#[command(next_help_heading = "Selectors")]
struct SelectorArguments {
    /// The first N that there are
    #[arg(long, value_name = "N")]
    first: Option<u64>,
    /// The last N that there are [default: 20]
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// All that there are
    #[arg(long)]
    all: bool,
    /// Go on with those that come
    #[arg(short, long)]
    follow: bool,
    /// From this moment on: 5m or 1h30m ago, 2026-01-02, 2026-01-02T15:04:05Z, …
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Until this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Raw filters")]
struct RawFilterArguments {
    /// Show what this filter matches, beside what the flags above do: a FlowFilter as JSON
    #[arg(long, env = "HUBBLE_ALLOWLIST", value_name = "JSON")]
    allowlist: Vec<String>,
    /// Leave out what this filter matches
    #[arg(long, env = "HUBBLE_DENYLIST", value_name = "JSON")]
    denylist: Vec<String>,
    /// Print the filters that would be asked, and ask nobody
    #[arg(long)]
    print_raw_filters: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Chandra's own (of flows of Chandra's agent)")]
struct OwnArguments {
    /// Of this process: its name, its executable, or that file's name
    #[arg(long, value_name = "NAME")]
    process: Vec<String>,
    /// Of the process with this pid
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
    /// Of the connection with this key, which is equal at both ends
    #[arg(long, value_name = "KEY")]
    conn_key: Vec<String>,
    /// What took at least so long: handshakes, requests
    #[arg(long, value_name = "DURATION")]
    min_latency: Option<String>,
    /// Count flows instead of showing them, by: src, dst, port, protocol, verdict, drop-reason, type,
    /// direction, node, process; src-ip, src-namespace, src-workload, and the same with dst
    #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
    aggregate_by: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Formatting")]
struct FormatArguments {
    /// compact, wide (with process, bytes, key), dict, table, json (jsonpb is the same) or yaml
    /// [default: compact]
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Print the node of each flow
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new(),
        hide_possible_values = true
    )]
    print_node_name: Option<bool>,
    /// StampMilli, YearMonthDay, YearMonthDayHour, YearMonthDayHourMinute, RFC3339, RFC3339Milli,
    /// RFC3339Micro, RFC3339Nano or RFC1123Z; not of json
    #[arg(long, value_name = "NAME", default_value = "StampMilli")]
    time_format: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Formatting")]
struct FlowFormatArguments {
    /// Print the policies that decided
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new(),
        hide_possible_values = true
    )]
    print_policy_names: Option<bool>,
    /// Print addresses as they are
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new(),
        hide_possible_values = true
    )]
    numeric: Option<bool>,
    /// Print pods, services and DNS names instead of addresses [default: true]
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new(),
        hide_possible_values = true
    )]
    ip_translation: Option<bool>,
    /// Colours of compact and dict
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: Color,
    /// Ask only for what is printed, unless it is json or yaml [default: true]
    #[arg(
        long, alias = "experimental-use-default-field-masks", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), hide_possible_values = true
    )]
    use_default_field_masks: Option<bool>,
    /// Ask only for these fields; with json or yaml
    #[arg(long, alias = "experimental-field-mask", value_name = "FIELD,…", value_delimiter = ',')]
    field_mask: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Other")]
struct OtherArguments {
    /// Say nothing of nodes and lines that cannot be read
    #[arg(short, long)]
    silent_errors: bool,
    /// Say also of nodes that are well
    #[arg(
        short = 'D', long, env = "HUBBLE_DEBUG", value_name = "BOOL", num_args = 0..=1,
        require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), hide_possible_values = true
    )]
    debug: Option<bool>,
}

/// What events have.
#[derive(Debug, Args)]
struct EventArguments {
    #[command(flatten)]
    selectors: SelectorArguments,
    #[command(flatten)]
    format: FormatArguments,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    other: OtherArguments,
}

/// What flows have beside the filters.
#[derive(Debug, Args)]
struct FlowArguments {
    #[command(flatten)]
    own: OwnArguments,
    #[command(flatten)]
    raw: RawFilterArguments,
    #[command(flatten)]
    format: FlowFormatArguments,
    /// Read flows from this file of JSON lines instead of a server; - is standard input
    #[arg(long, value_name = "FILE", help_heading = "Other")]
    input_file: Option<PathBuf>,
}

/// What is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Flows.
    Flows,
    /// What an agent did.
    AgentEvents,
    /// Messages of the datapath.
    DebugEvents,
}

/// Where it comes from.
#[derive(Debug)]
pub enum Origin {
    /// A server.
    Server(Box<ServerOptions>),
    /// A file of JSON lines; `-` is standard input.
    File(PathBuf),
}

/// What is observed, and how it is shown.
#[derive(Debug)]
pub struct ObserveOptions {
    /// What.
    pub what: What,
    /// From where.
    pub origin: Origin,
    /// Which, as a server is asked; of events only numbers and times.
    pub request: GetFlowsRequest,
    /// Which of these.
    pub details: DetailsFilter,
    /// How.
    pub display: DisplayOptions,
}

/// What comes of the arguments.
#[derive(Debug)]
pub enum Observe {
    /// Something is observed.
    Run(Box<ObserveOptions>),
    /// A text is printed.
    Text(String),
}

/// `chandra observe`.
pub fn command() -> Command {
    // So many flags are found sooner in one line each.
    let help =
        || Arg::new("help").short('h').long("help").help("Print help").action(ArgAction::HelpShort);
    let events = |name, about| {
        // What switches clap's own flag off is in force for verbs below, too.
        let command = EventArguments::augment_args(Command::new(name)).arg(help());
        command.about(about).long_about(None)
    };
    let flows = |name, about| {
        let command = SelectorArguments::augment_args(Command::new(name));
        let command = observe_filters::add(command);
        let command = FlowArguments::augment_args(command);
        let command = FormatArguments::augment_args(command);
        let command = ServerArguments::augment_args(command);
        let command = OtherArguments::augment_args(command);
        let command = command.disable_help_flag(true).arg(help());
        command.about(about).long_about(None).after_help(EXAMPLES)
    };
    flows("observe", "Show flows of a Hubble server: Chandra's agent, Cilium's, or a relay")
        .args_conflicts_with_subcommands(true)
        .subcommand(flows("flows", "Show flows, which is what is done without any of these"))
        .subcommand(events("agent-events", "Show what an agent did"))
        .subcommand(events("debug-events", "Show messages of the datapath for its developers"))
}

/// What was typed.
pub fn parse(matches: &ArgMatches) -> Result<Result<Observe, Problem>, clap::Error> {
    let (what, matches) = match matches.subcommand() {
        Some(("agent-events", matches)) => (What::AgentEvents, matches),
        Some(("debug-events", matches)) => (What::DebugEvents, matches),
        Some((_, matches)) => (What::Flows, matches),
        None => (What::Flows, matches),
    };
    let events = EventArguments::from_arg_matches(matches)?;
    if what != What::Flows {
        return Ok(events.observe(what).map(|options| Observe::Run(Box::new(options))));
    }
    let flows = FlowArguments::from_arg_matches(matches)?;
    let given = observe_filters::given(matches);
    Ok(filters::build(&given)
        .map_err(|error| error.problem())
        .and_then(|lists| flows.observe(&events, lists)))
}

impl EventArguments {
    fn observe(&self, what: What) -> Result<ObserveOptions, Problem> {
        let format = self.format.format()?;
        if matches!(format, Format::Wide | Format::Yaml) {
            return Err(bad_output(self.format.output.as_deref(), "compact, dict, table and json"));
        }
        self.follow_fits(format)?;
        let range = self.selectors.range(false)?;
        let server = self.server.options(&self.server.config()?)?;
        Ok(ObserveOptions {
            what,
            origin: Origin::Server(Box::new(server)),
            request: range.request(Lists::default(), None),
            details: DetailsFilter::default(),
            display: DisplayOptions {
                print: self.print(format)?,
                aggregate_by: Vec::new(),
                is_refreshed: false,
                is_silent: self.other.silent_errors,
            },
        })
    }

    /// Columns are as wide as what is in them, which is known at the end.
    fn follow_fits(&self, format: Format) -> Result<(), Problem> {
        if format == Format::Table && self.selectors.follow {
            return Err(Problem::usage(
                Check::USAGE,
                "cannot show a table of what is to come",
                "-o table and --follow exclude each other: columns are as wide as all that is in them",
                "for example: chandra observe -f -o compact",
            ));
        }
        Ok(())
    }

    fn print(&self, format: Format) -> Result<PrintOptions, Problem> {
        let name = &self.format.time_format;
        let time_format: TimeFormat = name.parse().map_err(|()| {
            bad_value("--time-format", name, "no format of times", "--time-format RFC3339Nano")
        })?;
        Ok(PrintOptions {
            format,
            time_format,
            node_name: self.format.print_node_name.unwrap_or_default(),
            debug: self.other.debug.unwrap_or_default(),
            ..PrintOptions::default()
        })
    }
}

impl FormatArguments {
    fn format(&self) -> Result<Format, Problem> {
        let name = self.output.as_deref().unwrap_or("compact");
        name.parse().map_err(|()| {
            bad_output(Some(name), "compact, wide, dict, table, json, jsonpb and yaml")
        })
    }
}

fn bad_output(name: Option<&str>, there_are: &str) -> Problem {
    let why = format!("no format here; there are {there_are}");
    bad_value("--output", name.unwrap_or_default(), &why, "-o json")
}

impl SelectorArguments {
    fn range(&self, is_all_usual: bool) -> Result<crate::observe::request::Range, Problem> {
        let selectors = Selectors {
            first: self.first,
            last: self.last,
            all: self.all,
            follow: self.follow,
            since: self.since.clone(),
            until: self.until.clone(),
        };
        selectors.range(Timestamp::now(), is_all_usual).map_err(|error| {
            Problem::usage(
                Check::FILTERS,
                "cannot select that",
                error,
                "for example: chandra observe --since 5m, or --last 100 -f",
            )
        })
    }
}

impl FlowArguments {
    fn observe(&self, events: &EventArguments, mut lists: Lists) -> Result<Observe, Problem> {
        let config = events.server.config()?;
        lists.allow.extend(self.raw.read("allowlist", &self.raw.allowlist, &config)?);
        lists.deny.extend(self.raw.read("denylist", &self.raw.denylist, &config)?);
        if self.raw.print_raw_filters {
            return raw_filters(&lists).map(Observe::Text);
        }
        let aggregate_by = self.own.keys()?;
        let (is_counted, is_file) = (!aggregate_by.is_empty(), self.input_file.is_some());
        let format = self.own.format(&events.format)?;
        if !is_counted {
            events.follow_fits(format)?;
        }
        let details = self.own.details()?;
        let is_terminal = io::stdout().is_terminal();
        let mask = self.mask(format, is_counted, !details.is_empty())?;
        let request = events.selectors.range(is_counted || is_file)?.request(lists, mask);
        let numeric = self.format.numeric.unwrap_or_default();
        let print = PrintOptions {
            color: self.format.color.is_on(is_terminal),
            policy_names: self.format.print_policy_names.unwrap_or_default(),
            ip_translation: self.format.ip_translation.unwrap_or(true) && !numeric,
            ..events.print(format)?
        };
        let origin = match &self.input_file {
            Some(path) => Origin::File(path.clone()),
            None => Origin::Server(Box::new(events.server.options(&config)?)),
        };
        let is_refreshed = is_counted && request.follow && is_terminal && format == Format::Table;
        let is_silent = events.other.silent_errors;
        let display = DisplayOptions { print, aggregate_by, is_refreshed, is_silent };
        Ok(Observe::Run(Box::new(ObserveOptions {
            what: What::Flows,
            origin,
            request,
            details,
            display,
        })))
    }

    /// The fields that are asked for; nothing is all of them.
    fn mask(
        &self,
        format: Format,
        is_counted: bool,
        has_details: bool,
    ) -> Result<Option<Vec<String>>, Problem> {
        let is_document = matches!(format, Format::Json | Format::Yaml) && !is_counted;
        let wrong = |why: String| {
            let next =
                "for example: chandra observe -o json --field-mask time,source.pod_name,verdict";
            Problem::usage(Check::FILTERS, "cannot use --field-mask", why, next)
        };
        let asked = &self.format.field_mask;
        if !asked.is_empty() {
            if !is_document {
                return Err(wrong("the other formats ask for the fields that they print".into()));
            }
            let mut paths = asked.clone();
            if has_details {
                paths.extend(NEEDED.map(str::to_owned));
            }
            Mask::compile(&paths).map_err(|error| wrong(error.to_string()))?;
            return Ok(Some(paths));
        }
        if is_document || !self.format.use_default_field_masks.unwrap_or(true) {
            return Ok(None);
        }
        // What Chandra tells beside a flow names drops that Hubble has no number for.
        let mut paths: Vec<_> = TEXT_PATHS.iter().chain(&["extensions"]).copied().collect();
        let needed = NEEDED.iter().filter(|_| has_details);
        for path in needed.chain(COUNTED.iter().filter(|_| is_counted)) {
            if !paths.contains(path) {
                paths.push(path);
            }
        }
        Ok(Some(paths.into_iter().map(str::to_owned).collect()))
    }
}

/// What is looked at here where details are asked for.
const NEEDED: [&str; 4] = ["extensions", "time", "uuid", "l7"];
/// What is counted by, beside what is printed.
const COUNTED: [&str; 4] =
    ["source.workloads", "destination.workloads", "source_names", "destination_names"];

impl OwnArguments {
    fn keys(&self) -> Result<Vec<Key>, Problem> {
        let key = |text: &String| {
            text.trim().parse().map_err(|why: String| {
                bad_value("--aggregate-by", text, &why, "--aggregate-by src,dst,port")
            })
        };
        self.aggregate_by.iter().map(key).collect()
    }

    /// Counts are a table, or JSON.
    fn format(&self, arguments: &FormatArguments) -> Result<Format, Problem> {
        let format = arguments.format()?;
        match (self.aggregate_by.is_empty(), &arguments.output, format) {
            (true, ..) | (false, _, Format::Table | Format::Json) => Ok(format),
            (false, None, _) => Ok(Format::Table),
            (false, Some(name), _) => Err(bad_output(Some(name), "table and json")),
        }
    }

    fn details(&self) -> Result<DetailsFilter, Problem> {
        let mut keys = Vec::new();
        for text in &self.conn_key {
            let meant = connection_keys(text);
            if meant.is_empty() {
                let example = "--conn-key 9f3c21d07b5e44aa";
                let why = "no key: 16 hexadecimal digits, or a number";
                return Err(bad_value("--conn-key", text, why, example));
            }
            keys.extend(meant);
        }
        let latency = self.min_latency.as_ref().map(|text| duration("--min-latency", text));
        Ok(DetailsFilter {
            processes: self.process.clone(),
            pids: self.pid.clone(),
            connection_keys: keys,
            latency: latency.transpose()?,
        })
    }
}

impl RawFilterArguments {
    fn read(
        &self,
        name: &str,
        given: &[String],
        config: &HubbleConfig,
    ) -> Result<Vec<FlowFilter>, Problem> {
        let texts = if given.is_empty() { config.list(name) } else { given.to_vec() };
        let mut filters = Vec::new();
        for text in texts {
            filters.extend(json::filters(&text).map_err(|error| {
                let example = format!(r#"--{name} '{{"source_pod":["kube-system/"]}}'"#);
                bad_value(&format!("--{name}"), &text, &format!("no filter: {error}"), &example)
            })?);
        }
        Ok(filters)
    }
}

/// Filters as Hubble's configuration file takes them.
fn raw_filters(lists: &Lists) -> Result<String, Problem> {
    let mut text = String::new();
    for (name, filters) in [("allowlist", &lists.allow), ("denylist", &lists.deny)] {
        if filters.is_empty() {
            continue;
        }
        text.push_str(name);
        text.push_str(":\n");
        for filter in filters {
            let line = json::filter_line(filter).map_err(|error| {
                Problem::new(Check::FILTERS, "cannot print the filters", error, "ask with them")
            })?;
            text.push_str(&format!("    - '{}'\n", line.replace('\'', "''")));
        }
    }
    Ok(if text.is_empty() { "{}\n".to_owned() } else { text })
}
