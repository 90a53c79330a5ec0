//! What is not a flow: losses, and what a relay says of its nodes.

use std::io::{self, Write};

use chandra_event::text::escape;

use super::{Format, Options};
use crate::json;
use crate::proto::flow::{LostEvent, LostEventSource};
use crate::proto::observer::GetFlowsResponse;
use crate::proto::relay::{NodeState, NodeStatusEvent};

/// Between two flows of a dictionary.
pub(super) const DICT_SEPARATOR: &str = "------------\n";

/// Names of nodes are told up to so many characters.
const MOST_NAMES: usize = 50;

fn source(lost: &LostEvent) -> &'static str {
    LostEventSource::try_from(lost.source).unwrap_or_default().as_str_name()
}

/// Events that are missing, among flows.
pub(super) fn lost(
    lost: &LostEvent,
    options: &Options,
    is_first: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let (source, count, cpu) = (source(lost), lost.num_events_lost, lost.cpu.unwrap_or_default());
    if options.format != Format::Dict {
        return writeln!(out, "EVENTS LOST: {source} CPU({cpu}) {count}");
    }
    let separator = if is_first { "" } else { DICT_SEPARATOR };
    let node = if options.node_name { "       NODE: \n" } else { "" };
    write!(
        out,
        "{separator}  TIMESTAMP: \n{node}     SOURCE: {source}\n       TYPE: EVENTS LOST\n    \
         VERDICT: \n    SUMMARY: CPU({cpu}) - {count}\n"
    )
}

/// The same as a row of the table.
pub(super) fn lost_cells(lost: &LostEvent, options: &Options) -> Vec<String> {
    let summary = format!("CPU({}) - {}", lost.cpu.unwrap_or_default(), lost.num_events_lost);
    let node = options.node_name.then(String::new);
    let rest = [source(lost).into(), String::new(), "EVENTS LOST".into(), String::new(), summary];
    std::iter::once(String::new()).chain(node).chain(rest).collect()
}

/// What became of nodes. What is as it should be is only told when asked for.
pub(super) fn node_status(
    response: &GetFlowsResponse,
    status: &NodeStatusEvent,
    options: &Options,
    out: &mut impl Write,
) -> io::Result<()> {
    let state = status.state_change();
    let is_bad = matches!(state, NodeState::NodeError | NodeState::NodeUnavailable);
    if !is_bad && !options.debug {
        return Ok(());
    }
    if matches!(options.format, Format::Json | Format::Yaml) {
        let line = json::response_line(response).map_err(io::Error::other)?;
        return writeln!(out, "{line}");
    }
    let time = options.time_format.write(response.time.as_ref());
    let names = names(&status.node_names);
    let message = escape(status.message.as_bytes());
    if options.format == Format::Dict {
        let message = if message.is_empty() { "N/A".into() } else { format!("\"{message}\"") };
        let state = state.as_str_name();
        return write!(
            out,
            "{DICT_SEPARATOR}  TIMESTAMP: {time}\n      STATE: {state}\n      NODES: {names}\n    \
             MESSAGE: {message}\n"
        );
    }
    let (node, count) = (escape(response.node_name.as_bytes()), status.node_names.len());
    let what = match state {
        NodeState::NodeConnected => format!("Receiving flows from {count} nodes: {names}"),
        NodeState::NodeUnavailable => format!("{count} nodes are unavailable: {names}"),
        NodeState::NodeGone => format!("{count} nodes removed from cluster: {names}"),
        NodeState::NodeError => format!("Error \"{message}\" on {count} nodes: {names}"),
        NodeState::UnknownNodeState => format!("unknown state of {count} nodes: {names}"),
    };
    writeln!(out, "{time} [{node}]: {what}")
}

/// Some names; how many more there are.
fn names(all: &[String]) -> String {
    let mut length = 0;
    let fitting = all.iter().take_while(|name| {
        let is_first = length == 0;
        length += name.len() + 2;
        is_first || length <= MOST_NAMES
    });
    let shown: Vec<String> = fitting.map(|name| escape(name.as_bytes())).collect();
    let omitted = all.len() - shown.len();
    let joined = shown.join(", ");
    if omitted == 0 { joined } else { format!("{joined} (and {omitted} more)") }
}
