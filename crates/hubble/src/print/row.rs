//! A flow as its parts, painted and escaped, and how they are put together.

use chandra_event::text::escape;

use super::style::Style;
use super::{Options, name, words};
use crate::flow::EventType;
use crate::proto::flow::{AuthType, Flow, Policy, TrafficDirection, Verdict};

/// What is shown of a flow.
pub(super) struct Row {
    time: String,
    node: Option<String>,
    source: String,
    destination: String,
    source_identity: String,
    destination_identity: String,
    is_reply: Option<bool>,
    flow_type: String,
    verdict: String,
    summary: String,
}

impl Row {
    pub fn of(flow: &Flow, options: &Options) -> Self {
        let (source, destination) = name::hosts(flow, options);
        Self {
            time: options.time_format.write(flow.time.as_ref()),
            node: options.node_name.then(|| escape(flow.node_name.as_bytes())),
            source,
            destination,
            source_identity: name::identity(flow.source.as_ref(), options),
            destination_identity: name::identity(flow.destination.as_ref(), options),
            is_reply: flow.is_reply,
            flow_type: escape(words::flow_type(flow).as_bytes()),
            verdict: verdict(flow, options),
            summary: summary(flow, options),
        }
    }

    /// One line. An answer is shown from right to left.
    pub fn compact(&self) -> String {
        let Row { time, flow_type, verdict, summary, .. } = self;
        let node = self.node.as_ref().map(|node| format!(" [{node}]")).unwrap_or_default();
        let source = (&self.source, &self.source_identity);
        let destination = (&self.destination, &self.destination_identity);
        let (left, arrow, right) = match self.is_reply {
            None => (source, "<>", destination),
            Some(false) => (source, "->", destination),
            Some(true) => (destination, "<-", source),
        };
        format!(
            "{time}{node}: {} {} {arrow} {} {} {flow_type} {verdict} ({summary})",
            left.0, left.1, right.0, right.1
        )
    }

    /// A line for each part.
    pub fn dict(&self) -> String {
        let mut lines = format!("  TIMESTAMP: {}\n", self.time);
        if let Some(node) = &self.node {
            lines.push_str(&format!("       NODE: {node}\n"));
        }
        for (key, value) in [
            ("     SOURCE", &self.source),
            ("DESTINATION", &self.destination),
            ("       TYPE", &self.flow_type),
            ("    VERDICT", &self.verdict),
            ("    SUMMARY", &self.summary),
        ] {
            lines.push_str(&format!("{key}: {value}\n"));
        }
        lines
    }

    /// The cells of a row of the table.
    pub fn cells(self) -> Vec<String> {
        let rest = [self.source, self.destination, self.flow_type, self.verdict, self.summary];
        std::iter::once(self.time).chain(self.node).chain(rest).collect()
    }
}

/// The first row of the table.
pub(super) fn header(options: &Options) -> Vec<String> {
    let node = options.node_name.then_some("NODE");
    let rest = ["SOURCE", "DESTINATION", "TYPE", "VERDICT", "SUMMARY"];
    std::iter::once("TIMESTAMP").chain(node).chain(rest).map(String::from).collect()
}

fn verdict(flow: &Flow, options: &Options) -> String {
    let is_of_policy =
        flow.event_type.as_ref().map(|event| event.r#type) == Some(EventType::POLICY_VERDICT);
    let verdict = flow.verdict();
    let (style, of_policy) = match verdict {
        Verdict::Forwarded | Verdict::Redirected => (Style::Good, Some("ALLOWED")),
        Verdict::Dropped | Verdict::Error => (Style::Bad, Some("DENIED")),
        Verdict::Audit => (Style::Remarkable, Some("AUDITED")),
        Verdict::Traced | Verdict::Translated => (Style::Remarkable, None),
        Verdict::Unknown => (Style::Plain, None),
    };
    let mut text = match of_policy.filter(|_| is_of_policy) {
        Some(word) => word.to_owned(),
        // A number that we have no name for is shown as it is.
        None => match Verdict::try_from(flow.verdict) {
            Ok(verdict) => verdict.as_str_name().to_owned(),
            Err(_) => flow.verdict.to_string(),
        },
    };
    if is_of_policy && of_policy.is_some() && options.policy_names {
        let names: Vec<String> = policies(flow, verdict).iter().map(policy_name).collect();
        if !names.is_empty() {
            text = format!("{text} BY {}", names.join(", "));
        }
    }
    style.paint(&text, options.color)
}

/// The policies that decided.
fn policies(flow: &Flow, verdict: Verdict) -> &[Policy] {
    let is_allowed = matches!(verdict, Verdict::Forwarded | Verdict::Redirected);
    match (flow.traffic_direction(), is_allowed) {
        (TrafficDirection::Ingress, true) => &flow.ingress_allowed_by,
        (TrafficDirection::Ingress, false) => &flow.ingress_denied_by,
        (TrafficDirection::Egress, true) => &flow.egress_allowed_by,
        (TrafficDirection::Egress, false) => &flow.egress_denied_by,
        (TrafficDirection::Unknown, _) => &[],
    }
}

fn policy_name(policy: &Policy) -> String {
    let name = escape(policy.name.as_bytes());
    if policy.kind.is_empty() {
        name
    } else {
        format!("{name} ({})", escape(policy.kind.as_bytes()))
    }
}

#[allow(deprecated, reason = "the summary is what clients show")]
fn summary(flow: &Flow, options: &Options) -> String {
    let trace_id = flow.ip_trace_id.as_ref().map(|id| id.trace_id).filter(|id| *id > 0);
    let trace = trace_id.map(|id| format!("IP Trace ID: {id}; ")).unwrap_or_default();
    let auth = flow.auth_type();
    let style = match auth {
        AuthType::Disabled => None,
        AuthType::TestAlwaysFail => Some(Style::Bad),
        _ => Some(Style::Good),
    };
    let paint = |style: Style| format!("; {}", style.paint(auth.as_str_name(), options.color));
    let auth = style.map(paint).unwrap_or_default();
    format!("{trace}{}{auth}", escape(flow.summary.as_bytes()))
}
