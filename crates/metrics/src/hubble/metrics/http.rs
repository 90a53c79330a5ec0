//! Requests and responses of HTTP.
//!
//! Of the two ways that Hubble counts them, `http` counts requests and responses as they come, and `httpV2`
//! requests by their response, which has the status; there the ends are those of the request.

use std::fmt::Write;

use chandra_hubble::flow::{self, Flow, L7, L7FlowType, L7Record, TrafficDirection};

use super::super::context::Contexts;
use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use crate::{Counter, Histogram, Registry, SpecError, Values};

/// Those of Prometheus's libraries.
const BOUNDS_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

fn counter(
    name: &'static str,
    help: &'static str,
    own: &[&'static str],
    contexts: &Contexts,
    registry: &Registry,
) -> Result<Contextual<Counter>, SpecError> {
    Contextual::counter(registry, contexts, &Of(name, help, "", own))
}

fn durations(contexts: &Contexts, registry: &Registry) -> Result<Contextual<Histogram>, SpecError> {
    let name = "hubble_http_request_duration_seconds";
    let of = Of(name, "How long requests of HTTP took.", "seconds", &["method", "reporter"]);
    Contextual::histogram(registry, contexts, &of, &BOUNDS_SECONDS)
}

/// As `http`.
#[derive(Debug)]
pub(super) struct Http {
    requests: Contextual<Counter>,
    responses: Contextual<Counter>,
    durations: Contextual<Histogram>,
}

/// As `httpV2`.
#[derive(Debug)]
pub(super) struct HttpV2 {
    requests: Contextual<Counter>,
    durations: Contextual<Histogram>,
}

impl Http {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let contexts = &options.contexts;
        let own = ["method", "protocol", "reporter"];
        let requests =
            counter("hubble_http_requests", "Requests of HTTP.", &own, contexts, registry)?;
        let own = ["method", "protocol", "status", "reporter"];
        let responses =
            counter("hubble_http_responses", "Responses of HTTP.", &own, contexts, registry)?;
        Ok(Self { requests, responses, durations: durations(contexts, registry)? })
    }
}

impl HttpV2 {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let contexts = &options.contexts;
        let own = ["method", "protocol", "status", "reporter"];
        let requests =
            counter("hubble_http_requests", "Requests of HTTP.", &own, contexts, registry)?;
        Ok(Self { requests, durations: durations(contexts, registry)? })
    }
}

impl Metric for Http {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        let Some((l7, http)) = http(flow) else { return };
        match l7.kind {
            L7FlowType::Request => {
                let own = [&http.method, &http.protocol, reporter(flow)];
                self.requests.count(flow, values, &own);
            }
            L7FlowType::Response => {
                count_response(&mut self.responses, flow, http, false, values);
                values.clear();
                observe_duration(&mut self.durations, flow, l7, http, false, values);
            }
            _ => {}
        }
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.requests, &mut self.responses, &mut self.durations]
    }
}

impl Metric for HttpV2 {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        let Some((l7, http)) = http(flow) else { return };
        if l7.kind == L7FlowType::Response {
            count_response(&mut self.requests, flow, http, true, values);
            values.clear();
            observe_duration(&mut self.durations, flow, l7, http, true, values);
        }
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.requests, &mut self.durations]
    }
}

fn count_response(
    family: &mut Contextual<Counter>,
    flow: &Flow,
    http: &flow::Http,
    is_turned: bool,
    values: &mut Values,
) {
    family.push_contexts(flow, is_turned, values);
    values.push(&http.method);
    values.push(&http.protocol);
    let _ = write!(values, "{}", http.code);
    values.end();
    values.push(reporter(flow));
    family.with(values).add(flow.details.stands_for());
}

fn observe_duration(
    family: &mut Contextual<Histogram>,
    flow: &Flow,
    l7: &L7,
    http: &flow::Http,
    is_turned: bool,
    values: &mut Values,
) {
    family.push_contexts(flow, is_turned, values);
    values.push(&http.method);
    values.push(reporter(flow));
    // Exact up to 104 days.
    let seconds = l7.latency_ns as f64 / 1e9;
    family.with(values).observe_with(seconds, flow.details.stands_for(), None);
}

fn http(flow: &Flow) -> Option<(&L7, &flow::Http)> {
    let l7 = flow.l7.as_deref()?;
    match &l7.record {
        L7Record::Http(http) => Some((l7, http)),
        L7Record::Dns(_) => None,
    }
}

/// At which end it was seen.
fn reporter(flow: &Flow) -> &'static str {
    match flow.traffic_direction {
        TrafficDirection::Egress => "client",
        TrafficDirection::Ingress => "server",
        TrafficDirection::Unknown => "unknown",
    }
}
