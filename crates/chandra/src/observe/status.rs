//! `chandra status`: whether a server is well, and how many flows it has; and where it is this machine's
//! agent, what that sees, loses and costs.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_hubble::json;
use chandra_hubble::proto::observer::{ServerStatusRequest, ServerStatusResponse};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use super::columns::Columns;
use super::server::Server;
use crate::cli::observe_others::{Agent, StatusFormat, StatusOptions};
use crate::output;
use crate::status::{self, Overview};

/// The service whose health is asked for.
const SERVICE: &str = "hubble.server.Observer";
const WHAT: &str = "cannot ask for the server's status";

/// Asks the server, and the agent of this machine where that is meant, and prints. The code is 1 when the
/// agent is not well.
pub fn run(options: &StatusOptions) -> Result<ExitCode, Problem> {
    let overview = match (options.agent, options.format) {
        (_, StatusFormat::Dict | StatusFormat::Table) | (Agent::NotMeant, _) => None,
        (Agent::Named(address), _) => Some(Overview::ask(address).map_err(|why| {
            let next = "start it: sudo chandra agent; or say where it is: --http ADDRESS";
            Problem::new(
                Check::PORT,
                format!("cannot ask the agent at http://{address}"),
                why,
                next,
            )
        })?),
        (Agent::Usual(address), _) => Overview::ask(address).ok(),
    };
    let served = super::block_on(served(options, overview.is_some()))?;
    let text = match (&overview, options.format) {
        (None, _) => served.unwrap_or_default(),
        (Some(overview), StatusFormat::Json) => with_agent(served.as_deref(), overview),
        (Some(overview), _) => {
            let above = served.unwrap_or_else(|| {
                format!("Healthcheck (via {}): no answer\n", options.server.connect.address)
            });
            let lines = above.lines().count();
            above + &status::text(overview, lines)
        }
    };
    output::print(&text)?;
    let is_well = overview.is_none_or(|overview| overview.failures.is_empty());
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a server says; nothing where the usual one is not there and that `can_miss`.
async fn served(options: &StatusOptions, can_miss: bool) -> Result<Option<String>, Problem> {
    let server = match Server::connect(&options.server).await {
        Ok(server) => server,
        Err(_) if can_miss && options.server.is_usual => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let request = HealthCheckRequest { service: SERVICE.into() };
    let health = server.answer(WHAT, server.health().check(request)).await?.status();
    let is_well = health == ServingStatus::Serving;
    let mut text = String::new();
    if options.format == StatusFormat::Compact {
        let word = if is_well { "Ok" } else { health.as_str_name() };
        let _ = writeln!(text, "Healthcheck (via {}): {word}", server.address());
    }
    if !is_well {
        output::print(&text)?;
        return Err(Problem::new(
            Check::HUBBLE,
            format!("the server {} is not healthy", server.address()),
            format!("it says {}, as a relay does while no node answers it", health.as_str_name()),
            format!("see its nodes: chandra list nodes --server {}", server.address()),
        ));
    }
    let status =
        server.answer(WHAT, server.observer().server_status(ServerStatusRequest {})).await?;
    text += &match options.format {
        StatusFormat::Compact => compact(&status),
        StatusFormat::Dict => dict(&status),
        StatusFormat::Table => table(&status),
        StatusFormat::Json => json_line(&status)?,
    };
    Ok(Some(text))
}

/// What a server said as an object, with the agent as one more of its keys.
fn with_agent(served: Option<&str>, overview: &Overview) -> String {
    let mut agent = serde_json::json!(overview);
    agent["verdict"] = overview.verdict().into();
    let served = served.unwrap_or("{}").trim_end();
    let served = served.strip_suffix('}').unwrap_or(served);
    let comma = if served == "{" { "" } else { "," };
    format!("{served}{comma}\"agent\":{agent}}}\n")
}

fn json_line(status: &ServerStatusResponse) -> Result<String, Problem> {
    let line = json::line("observer.ServerStatusResponse", status);
    line.map(|line| line + "\n").map_err(|error| super::unprintable(&error))
}

/// As Hubble's: the ring, the rate and, of a relay, its nodes.
fn compact(status: &ServerStatusResponse) -> String {
    let mut text = String::new();
    let ratio = match status.max_flows {
        0 => String::new(),
        most => format!(" ({:.2}%)", percent(status.num_flows, most)),
    };
    let (flows, most) = (grouped(status.num_flows), grouped(status.max_flows));
    let _ = writeln!(text, "Current/Max Flows: {flows}/{most}{ratio}");
    let uptime = Duration::from_nanos(status.uptime_ns).as_secs_f64();
    let rate = match rate(status) {
        Some(rate) => rate,
        None if uptime > 0.0 => format!("{:.2}", as_f64(status.seen_flows) / uptime),
        None => NOT_KNOWN.to_owned(),
    };
    let _ = writeln!(text, "Flows/s: {rate}");
    let unavailable = status.num_unavailable_nodes;
    if let Some(connected) = status.num_connected_nodes {
        let all =
            unavailable.map(|unavailable| format!("/{}", connected.saturating_add(unavailable)));
        let _ = writeln!(text, "Connected Nodes: {connected}{}", all.unwrap_or_default());
    }
    if let Some(count @ 1..) = unavailable {
        let _ = writeln!(text, "Unavailable Nodes: {count}");
        let mut names = status.unavailable_nodes.clone();
        names.sort_unstable();
        for name in &names {
            let _ = writeln!(text, "  - {}", chandra_event::text::escape(name.as_bytes()));
        }
        let told = u32::try_from(names.len()).unwrap_or(u32::MAX);
        if let (Some(more @ 1..), 1..) = (count.checked_sub(told), told) {
            let _ = writeln!(text, "  - and {more} more...");
        }
    }
    text
}

/// Names of values as the dictionary has them, and values.
fn rows(status: &ServerStatusResponse) -> [(&'static str, &'static str, String); 8] {
    let count = |count: Option<u32>| count.map_or(NOT_KNOWN.to_owned(), |count| count.to_string());
    let uptime = Duration::from_secs(Duration::from_nanos(status.uptime_ns).as_secs());
    [
        ("NUM FLOWS", "NUM FLOWS", grouped(status.num_flows)),
        ("MAX FLOWS", "MAX FLOWS", grouped(status.max_flows)),
        ("SEEN FLOWS", "SEEN FLOWS", grouped(status.seen_flows)),
        ("FLOWS PER SECOND", "FLOWS PER SECOND", rate(status).unwrap_or(NOT_KNOWN.into())),
        ("UPTIME", "UPTIME", go_duration(uptime)),
        ("NUM CONNECTED NODES", "NUM CONNECTED NODES", count(status.num_connected_nodes)),
        ("NUM UNAVAIL. NODES", "NUM UNAVAILABLE NODES", count(status.num_unavailable_nodes)),
        ("VERSION", "VERSION", chandra_event::text::escape(status.version.as_bytes())),
    ]
}

fn dict(status: &ServerStatusResponse) -> String {
    rows(status).map(|(name, _, value)| format!("{name:>19}: {value}\n")).concat()
}

fn table(status: &ServerStatusResponse) -> String {
    let rows = rows(status);
    let mut columns = Columns::new(rows.each_ref().map(|(_, name, _)| (*name).to_owned()));
    columns.add(rows.map(|(.., value)| value));
    columns.to_string()
}

/// What a server does not say.
const NOT_KNOWN: &str = "N/A";

fn rate(status: &ServerStatusResponse) -> Option<String> {
    (status.flows_rate > 0.0).then(|| format!("{:.2}", status.flows_rate))
}

/// `12,345,678`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let ahead = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == ahead {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How much of a whole.
pub fn percent(part: u64, whole: u64) -> f64 {
    as_f64(part) / as_f64(whole) * 100.0
}

/// A count for arithmetic that is printed with two digits behind the point.
#[allow(clippy::cast_precision_loss, reason = "counts beyond 2^53 are printed rounded")]
pub fn as_f64(number: u64) -> f64 {
    number as f64
}

/// Seconds as Go writes them: `1h2m3s`.
pub fn go_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_tells_of_its_nodes() {
        let status = ServerStatusResponse {
            num_flows: 1_234_567,
            max_flows: 8_190_000,
            seen_flows: 500,
            uptime_ns: 3_723_000_000_000,
            num_connected_nodes: Some(2),
            num_unavailable_nodes: Some(3),
            unavailable_nodes: vec!["b\x1b[31m".into(), "a".into()],
            version: "v1".into(),
            flows_rate: 12.345,
        };
        assert_eq!(
            compact(&status),
            "Current/Max Flows: 1,234,567/8,190,000 (15.07%)\nFlows/s: 12.35\nConnected Nodes: 2/5\n\
             Unavailable Nodes: 3\n  - a\n  - b\\x1b[31m\n  - and 1 more...\n"
        );
        let text = dict(&status);
        assert!(text.starts_with("          NUM FLOWS: 1,234,567\n"), "{text}");
        assert!(text.contains(
            "             UPTIME: 1h2m3s\nNUM CONNECTED NODES: 2\n NUM UNAVAIL. NODES: 3\n"
        ));
        assert!(
            table(&status).lines().nth(1).unwrap().starts_with("1,234,567   8,190,000   500  ")
        );
    }

    #[test]
    fn a_node_tells_of_itself_only() {
        let status =
            ServerStatusResponse { seen_flows: 5, uptime_ns: 2_000_000_000, ..Default::default() };
        assert_eq!(compact(&status), "Current/Max Flows: 0/0\nFlows/s: 2.50\n");
        let text = dict(&status);
        assert!(
            text.contains("FLOWS PER SECOND: N/A\n") && text.contains("CONNECTED NODES: N/A\n")
        );
    }
}
