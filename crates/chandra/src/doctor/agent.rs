//! `chandra doctor --server`: how an agent that runs is, by what it says itself: its health, and the verdicts of
//! its signals, which it tells as events of the agent.

use std::collections::BTreeMap;

use chandra_doctor::{Check, Finding, Grade, Problem, Report};
use chandra_hubble::proto::flow::agent_event::Notification;
use chandra_hubble::proto::observer::{
    GetAgentEventsRequest, GetAgentEventsResponse, ServerStatusRequest,
};
use serde_json::Value;
use tonic_health::pb::health_check_response::ServingStatus;

use super::hubble::health;
use crate::cli::hubble_server::ServerOptions;
use crate::observe;
use crate::observe::server::Server;

const WHAT: &str = "cannot ask the agent for its verdicts";
/// More events than an agent keeps.
const EVENTS: u64 = 100_000;
/// The type of events that tell verdicts.
const KIND: &str = "signal_verdict";

/// Asks a server.
pub fn ask(options: &ServerOptions) -> Result<Report, Problem> {
    observe::block_on(async {
        let server = Server::connect(options).await?;
        let mut findings = vec![served(&server).await?];
        findings.push(status(&server).await?);
        findings.extend(verdicts(&server).await);
        Ok(Report { findings })
    })
}

async fn served(server: &Server<'_>) -> Result<Finding, Problem> {
    let address = server.address();
    Ok(match health(server).await? {
        ServingStatus::Serving => {
            Finding::fine(Check::HUBBLE, "server", format!("serves on {address}"))
        }
        other => Finding::new(
            Grade::Failed,
            Check::HUBBLE_NOT_READY,
            "server",
            format!("{address} answers {}", other.as_str_name()),
            format!("chandra list nodes --server {address}"),
        ),
    })
}

async fn status(server: &Server<'_>) -> Result<Finding, Problem> {
    let what = "cannot ask for the server's status";
    let status =
        server.answer(what, server.observer().server_status(ServerStatusRequest {})).await?;
    let version = chandra_event::text::escape(status.version.as_bytes());
    let says = format!(
        "{version}: {} of {} flows kept, {} seen",
        status.num_flows, status.max_flows, status.seen_flows
    );
    Ok(match status.num_unavailable_nodes {
        Some(count @ 1..) => Finding::new(
            Grade::Warning,
            Check::HUBBLE_NOT_READY,
            "flows",
            format!("{says}; {count} nodes are not reached"),
            format!("chandra list nodes --server {}", server.address()),
        ),
        _ => Finding::fine(Check::HUBBLE, "flows", says),
    })
}

/// The latest verdict of each signal. A server that has none (Cilium's, a relay) is no agent of Chandra's.
async fn verdicts(server: &Server<'_>) -> Vec<Finding> {
    let none = |why: String| {
        let says = format!("it tells none: {why}");
        vec![Finding::fine(Check::HUBBLE, "signals", says).as_note()]
    };
    let request = GetAgentEventsRequest { number: EVENTS, ..GetAgentEventsRequest::default() };
    let mut events = match server.observer().get_agent_events(request).await {
        Ok(events) => events.into_inner(),
        Err(status) => return none(server.refusal(WHAT, &status).why),
    };
    let mut latest: BTreeMap<String, Value> = BTreeMap::new();
    loop {
        match events.message().await {
            Ok(Some(event)) => latest.extend(verdict(event)),
            Ok(None) => break,
            Err(status) => return none(server.refusal(WHAT, &status).why),
        }
    }
    if latest.is_empty() {
        return none("it is no agent of Chandra's, or an older one".to_owned());
    }
    latest.iter().map(|(signal, verdict)| judged(signal, verdict)).collect()
}

fn verdict(response: GetAgentEventsResponse) -> Option<(String, Value)> {
    let notification = response.agent_event?.notification?;
    let Notification::Unknown(event) = notification else { return None };
    if event.r#type != KIND {
        return None;
    }
    let verdict: Value = serde_json::from_str(&event.notification).ok()?;
    Some((verdict.get("signal")?.as_str()?.to_owned(), verdict))
}

fn judged(signal: &str, verdict: &Value) -> Finding {
    let text = |value: &Value, key: &str| {
        let text = value.get(key).and_then(Value::as_str).unwrap_or_default();
        chandra_event::text::escape(text.as_bytes())
    };
    let subject = format!("signal {}", chandra_event::text::escape(signal.as_bytes()));
    let hooks = verdict.get("hooks").and_then(Value::as_array).into_iter().flatten();
    let mut grade = Grade::Fine;
    let hooks: Vec<_> = hooks
        .filter(|hook| text(hook, "verdict") != "off")
        .map(|hook| match (text(hook, "verdict").as_str(), text(hook, "hook")) {
            ("active", name) => format!("{name} by {}", text(hook, "rung")),
            (word, name) => {
                grade = Grade::Warning;
                format!("{name} {word} ({})", text(hook, "why"))
            }
        })
        .collect();
    let word = text(verdict, "verdict");
    let why = text(verdict, "why");
    let says = match (hooks.is_empty(), why.is_empty()) {
        (false, _) => format!("{word}: {}", hooks.join(", ")),
        (true, false) => format!("{word}: {why}"),
        (true, true) => word.clone(),
    };
    if word == "failed" {
        grade = Grade::Failed;
    }
    if grade == Grade::Fine {
        return Finding::fine(Check::LADDER, subject, says);
    }
    Finding::new(grade, Check::LADDER, subject, says, "on that node: chandra doctor")
}
