//! `chandra observe agent-events` and `debug-events`: what an agent and its datapath say of themselves.

use std::fmt::Write;

use chandra_doctor::Problem;
use chandra_event::text::escape;
use chandra_hubble::json;
use chandra_hubble::print::{Format, Options};
use chandra_hubble::proto::flow::agent_event::Notification;
use chandra_hubble::proto::flow::{AgentEvent, Endpoint};
use chandra_hubble::proto::observer::{
    GetAgentEventsRequest, GetAgentEventsResponse, GetDebugEventsRequest, GetDebugEventsResponse,
};
use prost_types::Timestamp;
use tonic::{Status, Streaming};

use super::columns::Columns;
use super::server::Server;
use super::stream::Until;
use crate::cli::observe::{ObserveOptions, Origin};
use crate::output::{self, Written};

/// What is not known.
const NOT_KNOWN: &str = "N/A";

/// Shows what the agent did.
pub async fn agent(options: &ObserveOptions) -> Result<(), Problem> {
    let request = &options.request;
    let request = GetAgentEventsRequest {
        number: request.number,
        follow: request.follow,
        since: request.since,
        until: request.until,
        first: request.first,
    };
    let print = &options.display.print;
    let what = "cannot observe events of the agent";
    let ask = async |server: &Server<'_>| server.observer().get_agent_events(request).await;
    show(options, what, ask, |response: &GetAgentEventsResponse| agent_row(response, print)).await
}

/// Shows messages of the datapath.
pub async fn debug(options: &ObserveOptions) -> Result<(), Problem> {
    let request = &options.request;
    let request = GetDebugEventsRequest {
        number: request.number,
        follow: request.follow,
        since: request.since,
        until: request.until,
        first: request.first,
    };
    let print = &options.display.print;
    let what = "cannot observe messages of the datapath";
    let ask = async |server: &Server<'_>| server.observer().get_debug_events(request).await;
    show(options, what, ask, |response: &GetDebugEventsResponse| debug_row(response, print)).await
}

/// An event in every form.
struct Row {
    compact: String,
    json: Result<String, json::Error>,
    /// Headings of the dictionary and values.
    dict: Vec<(&'static str, String)>,
    /// Headings of the table and values.
    cells: Vec<(&'static str, String)>,
}

async fn show<T: Default + prost::Message + 'static>(
    options: &ObserveOptions,
    what: &str,
    ask: impl AsyncFnOnce(&Server<'_>) -> Result<tonic::Response<Streaming<T>>, Status>,
    row: impl Fn(&T) -> Row,
) -> Result<(), Problem> {
    let Origin::Server(origin) = &options.origin else { return Ok(()) };
    let mut until = Until::signals()?;
    let Some(server) = until.stopped(Server::connect(origin)).await else { return Ok(()) };
    let server = server?;
    let Some(answer) = until.stopped(ask(&server)).await else { return Ok(()) };
    let mut events = answer.map_err(|status| server.refusal(what, &status))?.into_inner();
    let format = options.display.print.format;
    let mut table: Option<Columns> = None;
    let mut is_first = true;
    while let Some(event) = until.stopped(events.message()).await {
        let event = event.map_err(|status| server.refusal(what, &status))?;
        let Some(event) = event else { break };
        let row = row(&event);
        let text = match format {
            Format::Json => row.json.map_err(|error| super::unprintable(&error))? + "\n",
            Format::Dict => dict(&row.dict, is_first),
            Format::Table => {
                let headings = row.cells.iter().map(|(heading, _)| (*heading).to_owned());
                let table = table.get_or_insert_with(|| Columns::new(headings));
                table.add(row.cells.into_iter().map(|(_, cell)| cell));
                continue;
            }
            _ => row.compact + "\n",
        };
        is_first = false;
        if output::write(text.as_bytes())? == Written::ReaderGone {
            break;
        }
    }
    table.map_or(Ok(()), |table| output::write(table.to_string().as_bytes()).map(drop))
}

fn dict(rows: &[(&'static str, String)], is_first: bool) -> String {
    let mut text = if is_first { String::new() } else { "------------\n".to_owned() };
    for (heading, value) in rows {
        let _ = writeln!(text, "{heading:>11}: {value}");
    }
    text
}

/// Time and node, as all forms begin.
struct Head {
    time: String,
    node: Option<String>,
}

impl Head {
    fn new(time: Option<&Timestamp>, node: &str, options: &Options) -> Self {
        let node = options.node_name.then(|| escape(node.as_bytes()));
        Self { time: options.time_format.write(time), node }
    }

    fn compact(&self) -> String {
        let node = self.node.as_ref().map(|node| format!(" [{node}]")).unwrap_or_default();
        format!("{}{node}: ", self.time)
    }

    fn cells(&self) -> Vec<(&'static str, String)> {
        let node = self.node.clone().map(|node| ("NODE", node));
        [("TIMESTAMP", self.time.clone())].into_iter().chain(node).collect()
    }
}

fn agent_row(response: &GetAgentEventsResponse, options: &Options) -> Row {
    let head = Head::new(response.time.as_ref(), &response.node_name, options);
    let nothing = AgentEvent::default();
    let event = response.agent_event.as_ref().unwrap_or(&nothing);
    let kind = event.r#type().as_str_name();
    let details = agent_details(event, options);
    let values = [("TYPE", kind.to_owned()), ("DETAILS", details.clone())];
    let cells: Vec<_> = head.cells().into_iter().chain(values).collect();
    Row {
        compact: format!("{}{kind} ({details})", head.compact()),
        json: json::line("observer.GetAgentEventsResponse", response),
        dict: cells.clone(),
        cells,
    }
}

fn agent_details(event: &AgentEvent, options: &Options) -> String {
    let text = |text: &str| escape(text.as_bytes());
    let labels = |labels: &[String]| text(&labels.join(","));
    let optional = |name: &str, value: &str| match value {
        "" => String::new(),
        _ => format!(", {name}: {}", text(value)),
    };
    let address = |ip: &str, port: u32| {
        if ip.contains(':') {
            text(&format!("[{ip}]:{port}"))
        } else {
            text(&format!("{ip}:{port}"))
        }
    };
    #[allow(deprecated, reason = "an older server still sends them")]
    match &event.notification {
        None => "UNKNOWN".to_owned(),
        Some(Notification::Unknown(it)) => {
            format!("type: {}, notification: {}", text(&it.r#type), text(&it.notification))
        }
        Some(Notification::AgentStart(it)) => {
            format!("start time: {}", options.time_format.write(it.time.as_ref()))
        }
        Some(Notification::PolicyUpdate(it)) => {
            let (revision, count) = (it.revision, it.rule_count);
            format!("labels: [{}], revision: {revision}, count: {count}", labels(&it.labels))
        }
        Some(Notification::EndpointRegenerate(it)) => {
            let error = optional("error", &it.error);
            format!("id: {}, labels: [{}]{error}", it.id, labels(&it.labels))
        }
        Some(Notification::EndpointUpdate(it)) => {
            let namespace = optional("namespace", &it.namespace);
            format!("id: {}{namespace}{}", it.id, optional("pod name", &it.pod_name))
        }
        Some(Notification::IpcacheUpdate(it)) => {
            let old = it.old_identity.map(|old| format!(", old identity: {old}"));
            let hosts =
                optional("host ip", &it.host_ip) + &optional("old host ip", &it.old_host_ip);
            let (cidr, old) = (text(&it.cidr), old.unwrap_or_default());
            let (identity, key) = (it.identity, it.encrypt_key);
            format!("cidr: {cidr}, identity: {identity}{old}{hosts}, encrypt key: {key}")
        }
        Some(Notification::ServiceUpsert(it)) => {
            let frontend = it.frontend_address.as_ref();
            let frontend = frontend.map(|it| format!(", frontend: {}", address(&it.ip, it.port)));
            let backends = it.backend_addresses.iter().map(|it| address(&it.ip, it.port));
            let backends: Vec<_> = backends.collect();
            let backends = match backends.as_slice() {
                [] => String::new(),
                all => format!(", backends: [{}]", all.join(",")),
            };
            let rest = optional("type", &it.r#type)
                + &optional("traffic policy", &it.traffic_policy)
                + &optional("namespace", &it.namespace)
                + &optional("name", &it.name);
            format!("id: {}{}{backends}{rest}", it.id, frontend.unwrap_or_default())
        }
        Some(Notification::ServiceDelete(it)) => format!("id: {}", it.id),
    }
}

fn debug_row(response: &GetDebugEventsResponse, options: &Options) -> Row {
    let head = Head::new(response.time.as_ref(), &response.node_name, options);
    let event = response.debug_event.clone().unwrap_or_default();
    let from = event.source.as_ref().map_or(NOT_KNOWN.to_owned(), endpoint);
    let mark = event.hash.map_or(NOT_KNOWN.to_owned(), |hash| format!("{hash:#x}"));
    let cpu = event.cpu.map_or(NOT_KNOWN.to_owned(), |cpu| format!("{cpu:02}"));
    let kind = event.r#type().as_str_name().to_owned();
    let message = escape(event.message.as_bytes());
    let compact = format!("{}{from} {kind} MARK: {mark} CPU: {cpu} ({message})", head.compact());
    let cells = [
        ("FROM", from.clone()),
        ("TYPE", kind.clone()),
        ("CPU/MARK", format!("{cpu} {mark}")),
        ("MESSAGE", message.clone()),
    ];
    let dict = [("TYPE", kind), ("FROM", from), ("MARK", mark), ("CPU", cpu), ("MESSAGE", message)];
    Row {
        compact,
        json: json::line("observer.GetDebugEventsResponse", response),
        dict: head.cells().into_iter().chain(dict).collect(),
        cells: head.cells().into_iter().chain(cells).collect(),
    }
}

fn endpoint(endpoint: &Endpoint) -> String {
    let (id, namespace, pod) = (endpoint.id, &endpoint.namespace, &endpoint.pod_name);
    let name = match endpoint.labels.as_slice() {
        _ if !namespace.is_empty() && !pod.is_empty() => format!("{namespace}/{pod}"),
        [label] if label.starts_with("reserved:") => label.clone(),
        _ => return format!("ID: {id}"),
    };
    format!("{} (ID: {id})", escape(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_hubble::proto::flow::{
        AgentEventType, DebugEvent, DebugEventType, EndpointUpdateNotification,
    };

    fn moment() -> Option<Timestamp> {
        Some(Timestamp { seconds: 1_136_214_245, nanos: 120_000_000 })
    }

    #[test]
    fn an_event_of_the_agent_is_shown_in_each_form() {
        let update = EndpointUpdateNotification {
            id: 5,
            namespace: "shop".into(),
            pod_name: "web\n".into(),
            ..Default::default()
        };
        let event = AgentEvent {
            r#type: AgentEventType::EndpointCreated.into(),
            notification: Some(Notification::EndpointUpdate(update)),
        };
        let response = GetAgentEventsResponse {
            agent_event: Some(event),
            node_name: "n".into(),
            time: moment(),
        };
        let row = agent_row(&response, &Options { node_name: true, ..Options::default() });
        assert_eq!(
            row.compact,
            "Jan  2 15:04:05.120 [n]: ENDPOINT_CREATED (id: 5, namespace: shop, pod name: web\\n)"
        );
        assert_eq!(
            dict(&row.dict, false),
            "------------\n  TIMESTAMP: Jan  2 15:04:05.120\n       NODE: n\n       TYPE: \
             ENDPOINT_CREATED\n    DETAILS: id: 5, namespace: shop, pod name: web\\n\n"
        );
        let line = row.json.unwrap();
        assert!(line.contains(r#""endpoint_update":{"id":"5","pod_name":"web\n""#), "{line}");
    }

    #[test]
    fn a_message_of_the_datapath_is_shown_in_each_form() {
        let source = Endpoint { id: 7, labels: vec!["reserved:host".into()], ..Default::default() };
        let event = DebugEvent {
            r#type: DebugEventType::DbgCtVerdict.into(),
            source: Some(source),
            hash: Some(255),
            cpu: Some(3),
            message: "CT verdict".into(),
            ..Default::default()
        };
        let response = GetDebugEventsResponse {
            debug_event: Some(event),
            node_name: String::new(),
            time: moment(),
        };
        let row = debug_row(&response, &Options::default());
        assert_eq!(
            row.compact,
            "Jan  2 15:04:05.120: reserved:host (ID: 7) DBG_CT_VERDICT MARK: 0xff CPU: 03 (CT verdict)"
        );
        let cells: Vec<_> = row.cells.iter().map(|(_, cell)| cell.as_str()).collect();
        assert_eq!(
            cells[1..],
            ["reserved:host (ID: 7)", "DBG_CT_VERDICT", "03 0xff", "CT verdict"]
        );
    }
}
