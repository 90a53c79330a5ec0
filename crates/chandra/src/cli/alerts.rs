//! The options of `chandra alerts`.

use std::io::{self, IsTerminal};

use chandra_doctor::{Check, Problem};
use chandra_hubble::proto::chandra::v1::{AlertFilter, AlertPriority, GetAlertsRequest};
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use jiff::Timestamp;
use prost_types::Timestamp as Moment;

use super::common::Color;
use super::evaluation::priority;
use super::hubble_server::{ServerArguments, ServerOptions};
use crate::observe::moment;

const EXAMPLES: &str = "\
Examples:
  chandra alerts                                the latest 20 that the agent keeps
  chandra alerts -f --priority warning          those, and what comes
  chandra alerts -n shop --since 10m -o wide    with who did it, and from where
  chandra alerts --all -o json | jq .output_fields
A flag given twice asks for either value; different flags must all fit. In names * stands for anything.";

/// So many are shown if nothing else is said.
const USUAL: u64 = 20;

/// How alerts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AlertsFormat {
    /// A line as Falco prints it.
    #[default]
    Text,
    /// With the rule, the process and its ancestors, the pod, the connection, and what came before.
    Wide,
    /// One JSON object a line, with Falco's keys.
    Json,
}

#[derive(Debug, Args)]
struct Arguments {
    /// Go on with those that come
    #[arg(short, long)]
    follow: bool,
    /// The last N that there are [default: 20]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    last: Option<u64>,
    /// All that the agent keeps
    #[arg(long)]
    all: bool,
    /// From this moment on: 5m or 1h30m ago, 2026-01-02, 2026-01-02T15:04:05Z, …
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Of rules of this name
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// At least so urgent: emergency, alert, critical, error, warning, notice, informational or debug
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<String>,
    /// Of rules with this tag
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tag: Vec<String>,
    /// Of pods in this namespace
    #[arg(short, long, value_name = "NAMESPACE", value_delimiter = ',')]
    namespace: Vec<String>,
    /// Of this pod: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "POD", value_delimiter = ',')]
    pod: Vec<String>,
    /// Of this container: its name in the pod, or at least 12 digits of its id
    #[arg(long, value_name = "CONTAINER", value_delimiter = ',')]
    container: Vec<String>,
    /// How they are shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: AlertsFormat,
    /// Colours of text and wide
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: Color,
    #[command(flatten)]
    server: ServerArguments,
}

/// `chandra alerts`, checked.
#[derive(Debug)]
pub struct AlertsOptions {
    /// What is asked.
    pub request: GetAlertsRequest,
    /// How it is shown.
    pub format: AlertsFormat,
    /// With colours.
    pub is_colored: bool,
    /// Who is asked.
    pub server: ServerOptions,
}

impl AlertsOptions {
    /// What was typed.
    pub fn parse(matches: &ArgMatches) -> Result<Result<Self, Problem>, clap::Error> {
        let arguments = Arguments::from_arg_matches(matches)?;
        Ok(arguments.options())
    }
}

impl Arguments {
    fn options(self) -> Result<AlertsOptions, Problem> {
        let server = self.server.config().and_then(|config| self.server.options(&config))?;
        let (format, color) = (self.output, self.color);
        let is_colored = format != AlertsFormat::Json && color.is_on(io::stdout().is_terminal());
        Ok(AlertsOptions { request: self.request(Timestamp::now())?, format, is_colored, server })
    }

    fn request(self, now: Timestamp) -> Result<GetAlertsRequest, Problem> {
        let since = self.since.as_deref().map(|text| moment::parse(text, now));
        let since = since.transpose().map_err(|error| {
            let next = "for example: chandra alerts --since 5m";
            Problem::usage(Check::FILTERS, "cannot use --since", error, next)
        })?;
        let last = match (self.last, self.all || since.is_some()) {
            (Some(last), _) => Some(last),
            (None, true) => None,
            (None, false) => Some(USUAL),
        };
        let minimum = self.priority.as_deref().map(|word| priority("--priority", word));
        // Theirs have a first value that stands for none.
        let minimum = minimum.transpose()?.map(|priority| i32::from(priority.severity()) + 1);
        let filter = AlertFilter {
            rules: self.rule,
            minimum_priority: minimum.unwrap_or(AlertPriority::Unspecified.into()),
            tags: self.tag,
            namespaces: self.namespace,
            pods: self.pod,
            containers: self.container,
        };
        let since = since
            .map(|since| Moment { seconds: since.as_second(), nanos: since.subsec_nanosecond() });
        Ok(GetAlertsRequest { last, follow: self.follow, since, filter: Some(filter) })
    }
}

/// `chandra alerts`.
pub fn command() -> Command {
    Arguments::augment_args(Command::new("alerts"))
        .about("Show alerts of the security audit: the latest that an agent keeps, and those that come")
        .long_about(None)
        .after_help(EXAMPLES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(typed: &[&str]) -> Result<GetAlertsRequest, Problem> {
        let typed = ["alerts"].iter().chain(typed);
        let matches = command().try_get_matches_from(typed).unwrap();
        Arguments::from_arg_matches(&matches).unwrap().request(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_last_twenty_are_asked_for_unless_something_else_is_said() {
        let last = |typed: &[&str]| request(typed).unwrap().last;
        assert_eq!(last(&[]), Some(20));
        assert_eq!(last(&["-f"]), Some(20));
        assert_eq!(last(&["--all"]), None);
        assert_eq!(last(&["--since", "2026-01-02"]), None);
        assert_eq!(last(&["--since", "2026-01-02", "--last", "3"]), Some(3));
    }

    #[test]
    fn priorities_are_those_of_the_wire() {
        let minimum = |word| {
            let filter = request(&["--priority", word]).unwrap().filter.unwrap();
            filter.minimum_priority()
        };
        assert_eq!(minimum("emergency"), AlertPriority::Emergency);
        assert_eq!(minimum("Warning"), AlertPriority::Warning);
        assert_eq!(minimum("debug"), AlertPriority::Debug);
        assert!(request(&["--priority", "loud"]).unwrap_err().is_usage);
        assert!(request(&["--since", "soon"]).unwrap_err().is_usage);
    }
}
