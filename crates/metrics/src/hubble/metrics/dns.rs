//! Questions and answers of DNS.

use std::fmt::Write;

use chandra_hubble::flow::{self, Flow, L7Record, Verdict};

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use crate::{Counter, Registry, SpecError, Values};

use super::super::options::Switch;
use super::super::words;

#[derive(Debug)]
pub(super) struct Dns {
    queries: Contextual<Counter>,
    responses: Contextual<Counter>,
    response_types: Contextual<Counter>,
    query: bool,
    ignore_aaaa: bool,
}

impl Dns {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let query = options.has(Switch::Query);
        let counter = |name, help, own: &[&'static str]| {
            let own = if query { [own, &["query"]].concat() } else { own.to_vec() };
            Contextual::counter(registry, &options.contexts, &Of(name, help, "", &own))
        };
        let own = ["rcode", "qtypes", "ips_returned"];
        Ok(Self {
            queries: counter("hubble_dns_queries", "Questions of DNS.", &own)?,
            responses: counter("hubble_dns_responses", "Answers of DNS.", &own)?,
            response_types: counter(
                "hubble_dns_response_types",
                "Records in answers of DNS, by their type.",
                &["type", "qtypes"],
            )?,
            query,
            ignore_aaaa: options.has(Switch::IgnoreAaaa),
        })
    }
}

impl Metric for Dns {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        let Some(L7Record::Dns(dns)) = flow.l7.as_deref().map(|l7| &l7.record) else { return };
        if self.ignore_aaaa && matches!(dns.qtypes.as_slice(), [only] if only == "AAAA") {
            return;
        }
        let is_response = flow.is_reply == Some(true) && flow.verdict != Verdict::Dropped;
        let (family, rcode) = match flow.verdict {
            Verdict::Dropped => (&mut self.queries, "Policy denied"),
            _ if is_response => (&mut self.responses, words::rcode(dns.rcode)),
            _ => (&mut self.queries, ""),
        };
        let begin = family.push_contexts(flow, false, values);
        values.push(rcode);
        push_types(dns, values);
        let _ = write!(values, "{}", dns.ips.len());
        values.end();
        push_query(self.query, dns, values);
        family.with(values).add(flow.details.stands_for());
        let types = dns.rrtypes.iter().filter(|_| is_response);
        for kind in types {
            values.truncate(&begin);
            values.push(kind);
            push_types(dns, values);
            push_query(self.query, dns, values);
            self.response_types.with(values).add(flow.details.stands_for());
        }
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.queries, &mut self.responses, &mut self.response_types]
    }
}

fn push_types(dns: &flow::Dns, values: &mut Values) {
    for (index, kind) in dns.qtypes.iter().enumerate() {
        values.add(if index > 0 { "," } else { "" });
        values.add(kind);
    }
    values.end();
}

fn push_query(is_wanted: bool, dns: &flow::Dns, values: &mut Values) {
    if is_wanted {
        values.push(&dns.query);
    }
}
