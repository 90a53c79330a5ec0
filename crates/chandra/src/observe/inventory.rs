//! `chandra list nodes` and `chandra list namespaces`: what a server knows.

use std::time::Duration;

use chandra_doctor::Problem;
use chandra_event::text::escape;
use chandra_hubble::json;
use chandra_hubble::proto::observer::{GetNamespacesRequest, GetNodesRequest, Namespace, Node};
use chandra_hubble::proto::relay::NodeState;
use prost::Message;

use super::columns::Columns;
use super::server::Server;
use super::status::{as_f64, go_duration, percent};
use crate::cli::observe_others::{InventoryFormat, InventoryOptions};
use crate::output;

/// What a server does not say.
const NOT_KNOWN: &str = "N/A";

/// The nodes of a relay, by name.
pub async fn nodes(options: &InventoryOptions) -> Result<(), Problem> {
    let server = Server::connect(&options.server).await?;
    let mut observer = server.observer();
    let answer = observer.get_nodes(GetNodesRequest {});
    let mut nodes = server.answer("cannot list nodes", answer).await?.nodes;
    nodes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let text = match options.format {
        InventoryFormat::Json => array("observer.Node", &nodes)?,
        format => nodes_table(&nodes, format == InventoryFormat::Wide),
    };
    output::write(text.as_bytes()).map(drop)
}

/// The namespaces that flows were seen in.
pub async fn namespaces(options: &InventoryOptions) -> Result<(), Problem> {
    let server = Server::connect(&options.server).await?;
    let mut observer = server.observer();
    let answer = observer.get_namespaces(GetNamespacesRequest {});
    let namespaces = server.answer("cannot list namespaces", answer).await?.namespaces;
    let text = match options.format {
        InventoryFormat::Json => array("observer.Namespace", &namespaces)?,
        format => namespaces_table(&namespaces, format == InventoryFormat::Wide),
    };
    output::write(text.as_bytes()).map(drop)
}

/// Messages as an array of JSON, one on each line.
fn array(name: &str, messages: &[impl Message]) -> Result<String, Problem> {
    let lines = messages.iter().map(|message| json::line(name, message));
    let lines: Vec<_> =
        lines.collect::<Result<_, _>>().map_err(|error| super::unprintable(&error))?;
    Ok(format!("[{}]\n", lines.join(",\n")))
}

fn nodes_table(nodes: &[Node], is_wide: bool) -> String {
    let headings = ["NAME", "STATUS", "AGE", "FLOWS/S", "CURRENT/MAX-FLOWS"];
    let wide = ["VERSION", "ADDRESS", "TLS"];
    let wide = wide.iter().filter(|_| is_wide);
    let mut columns =
        Columns::new(headings.iter().chain(wide).map(|heading| (*heading).to_owned()));
    for node in nodes {
        let uptime = (Duration::from_nanos(node.uptime_ns) + Duration::from_millis(500)).as_secs();
        let known = |is_known: bool, text: String| if is_known { text } else { NOT_KNOWN.into() };
        let mut cells = vec![
            escape(node.name.as_bytes()),
            state(node.state()).to_owned(),
            known(uptime > 0, go_duration(Duration::from_secs(uptime))),
            known(uptime > 0, format!("{:.2}", as_f64(node.seen_flows) / as_f64(uptime.max(1)))),
            known(
                node.max_flows > 0,
                format!(
                    "{}/{} ({:6.2}%)",
                    node.num_flows,
                    node.max_flows,
                    percent(node.num_flows, node.max_flows.max(1))
                ),
            ),
        ];
        if is_wide {
            let tls = node.tls.as_ref().map(|tls| if tls.enabled { "Enabled" } else { "Disabled" });
            cells.push(known(!node.version.is_empty(), escape(node.version.as_bytes())));
            cells.push(escape(node.address.as_bytes()));
            cells.push(tls.unwrap_or(NOT_KNOWN).to_owned());
        }
        columns.add(cells);
    }
    columns.to_string()
}

fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::NodeConnected => "Connected",
        NodeState::NodeUnavailable => "Unavailable",
        NodeState::NodeGone => "Gone",
        NodeState::NodeError => "Error",
        NodeState::UnknownNodeState => "Unknown",
    }
}

fn namespaces_table(namespaces: &[Namespace], is_wide: bool) -> String {
    let headings = ["NAMESPACE", "CLUSTER"];
    let shown = if is_wide { 2 } else { 1 };
    let mut columns = Columns::new(headings.iter().take(shown).map(|it| (*it).to_owned()));
    for namespace in namespaces {
        let cells = [&namespace.namespace, &namespace.cluster].map(|it| escape(it.as_bytes()));
        columns.add(cells.into_iter().take(shown));
    }
    columns.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_hubble::proto::observer::Tls;

    #[test]
    fn nodes_are_shown_with_what_is_known_of_them() {
        let known = Node {
            name: "west/a".into(),
            version: "v1.2".into(),
            address: "10.0.0.1:4244".into(),
            state: NodeState::NodeConnected.into(),
            tls: Some(Tls { enabled: true, server_name: "a".into() }),
            uptime_ns: 9_999_600_000_000,
            num_flows: 4095,
            max_flows: 8190,
            seen_flows: 20_000,
        };
        let gone = Node {
            name: "b".into(),
            state: NodeState::NodeUnavailable.into(),
            ..Default::default()
        };
        assert_eq!(
            nodes_table(&[known.clone(), gone.clone()], false),
            "NAME     STATUS        AGE        FLOWS/S   CURRENT/MAX-FLOWS\n\
             west/a   Connected     2h46m40s   2.00      4095/8190 ( 50.00%)\n\
             b        Unavailable   N/A        N/A       N/A\n"
        );
        let wide = nodes_table(&[known, gone], true);
        let last = |line: usize| {
            wide.lines().nth(line).unwrap().split_whitespace().rev().take(3).collect::<Vec<_>>()
        };
        assert_eq!(last(0), ["TLS", "ADDRESS", "VERSION"]);
        assert_eq!(last(1), ["Enabled", "10.0.0.1:4244", "v1.2"]);
    }
}
