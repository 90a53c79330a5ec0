//! `chandra alerts`: a client of an agent's alerts. What is shown is what the agent tells its other receivers,
//! without the secrets.

mod wide;

use std::error::Error;

use chandra_doctor::{Check, Problem};
use chandra_event::text::escape;
use chandra_hubble::proto::chandra::v1::get_alerts_response::Response as Said;
use chandra_hubble::proto::chandra::v1::{Alert, AlertPriority};
use serde::de::IgnoredAny;
use serde_json::json;
use tonic::{Code, Status};

use crate::cli::alerts::{AlertsFormat, AlertsOptions};
use crate::observe::server::Server;
use crate::observe::stream::Until;
use crate::output::{self, Written};

const WHAT: &str = "cannot show alerts";
const PLAIN: &str = "\x1b[0m";

/// Shows alerts until there are no more, or nobody wants more.
pub fn run(options: &AlertsOptions) -> Result<(), Problem> {
    crate::observe::block_on(show(options))
}

async fn show(options: &AlertsOptions) -> Result<(), Problem> {
    let mut until = Until::signals()?;
    let Some(server) = until.stopped(Server::connect(&options.server)).await else {
        return Ok(());
    };
    let server = server?;
    let mut client = server.alerts();
    let Some(answer) = until.stopped(client.get_alerts(options.request.clone())).await else {
        return Ok(());
    };
    let mut alerts = answer.map_err(|status| refusal(&server, &status))?.into_inner();
    let width = terminal_size::terminal_size_of(std::io::stdout());
    let width = width.map(|(width, _)| usize::from(width.0));
    while let Some(came) = until.stopped(alerts.message()).await {
        let came = came.map_err(|status| refusal(&server, &status))?;
        let Some(came) = came else { break };
        let text = match &came.response {
            Some(Said::Alert(alert)) => written(alert, &came.node_name, options, width)?,
            Some(Said::Lost(lost)) => told_of_loss(lost.count, options.format),
            None => continue,
        };
        if output::write(text.as_bytes())? == Written::ReaderGone {
            break;
        }
    }
    Ok(())
}

fn written(
    alert: &Alert,
    node: &str,
    options: &AlertsOptions,
    width: Option<usize>,
) -> Result<String, Problem> {
    Ok(match options.format {
        AlertsFormat::Json => {
            let is_line = !alert.json.contains('\n');
            if !is_line || serde_json::from_str::<IgnoredAny>(&alert.json).is_err() {
                let next = "show it in another format: -o text";
                return Err(Problem::new(Check::ALERTS, WHAT, "the agent sent no JSON", next));
            }
            format!("{}\n", alert.json)
        }
        AlertsFormat::Text => format!("{}\n", line(alert, options.is_colored)),
        AlertsFormat::Wide => {
            let details = wide::details(alert, node, width);
            format!("{}\n{details}", line(alert, options.is_colored))
        }
    })
}

/// The line that Falco prints, its priority in colour.
fn line(alert: &Alert, is_colored: bool) -> String {
    let text = escape(alert.text.as_bytes());
    let color = match alert.priority() {
        AlertPriority::Emergency | AlertPriority::Alert | AlertPriority::Critical => "\x1b[1;31m",
        AlertPriority::Error => "\x1b[31m",
        AlertPriority::Warning => "\x1b[33m",
        AlertPriority::Notice => "\x1b[36m",
        _ => return text,
    };
    let parts = text.split_once(": ").and_then(|(time, rest)| Some((time, rest.split_once(' ')?)));
    match parts {
        Some((time, (priority, rest))) if is_colored => {
            format!("{time}: {color}{priority}{PLAIN} {rest}")
        }
        _ => text,
    }
}

/// Programs read standard output, people what stands beside it.
fn told_of_loss(count: u64, format: AlertsFormat) -> String {
    match format {
        AlertsFormat::Json => format!("{}\n", json!({ "lost": { "count": count } })),
        AlertsFormat::Text | AlertsFormat::Wide => {
            eprintln!(
                "warning: {count} alerts made room for others before they were read here; the agent keeps more \
                 with --alerts-buffer-size"
            );
            String::new()
        }
    }
}

/// What a refusal means.
fn refusal(server: &Server<'_>, status: &Status) -> Problem {
    let address = server.address();
    let said = escape(status.message().as_bytes());
    let (why, next) = match status.code() {
        // What breaks a connection has a reason behind it.
        _ if status.source().is_some() => return server.refusal(WHAT, status),
        Code::FailedPrecondition => (
            format!("{address} has none: {said}"),
            "start the agent with rules, and with room for alerts: chandra agent --rules default",
        ),
        Code::Unimplemented => (
            format!("{address} does not know of alerts: it is an older agent, or not Chandra's"),
            "ask the agent of a node: chandra alerts --server unix:///run/chandra/hubble.sock",
        ),
        Code::InvalidArgument => {
            (format!("{address} refuses what is asked: {said}"), "ask for less")
        }
        _ => return server.refusal(WHAT, status),
    };
    Problem::new(Check::ALERTS, WHAT, why, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_harmless_and_only_its_priority_has_a_colour() {
        let alert = |text: &str, priority: AlertPriority| Alert {
            text: text.to_owned(),
            priority: priority.into(),
            ..Alert::default()
        };
        let text = "16:31:56.746609046: Warning Seen: a\x1b[2J";
        let warning = alert(text, AlertPriority::Warning);
        assert_eq!(line(&warning, false), "16:31:56.746609046: Warning Seen: a\\x1b[2J");
        let colored = "16:31:56.746609046: \x1b[33mWarning\x1b[0m Seen: a\\x1b[2J";
        assert_eq!(line(&warning, true), colored);
        let debug = alert("16:31:56.746609046: Debug Seen", AlertPriority::Debug);
        assert_eq!(line(&debug, true), debug.text);
    }

    #[test]
    fn programs_are_told_of_losses_where_they_read() {
        assert_eq!(told_of_loss(3, AlertsFormat::Json), "{\"lost\":{\"count\":3}}\n");
        assert_eq!(told_of_loss(3, AlertsFormat::Text), "");
    }
}
