//! What one field of a filter asks.

use regex::Regex;

use super::address::Network;
use super::cel::Expression;
use super::glob::{Glob, NodeGlob};
use super::http::{self, StatusCodes};
use super::label::Selector;
use super::name::NamePrefix;
use super::protocol::Protocol;
use super::subject::{Address, End, Subject};
use crate::flow::{TcpFlags, Verdict};
use crate::proto::flow::{EventTypeFilter, HttpHeader, NetworkInterface, Workload};

/// A field with its values, of which one must fit.
#[derive(Debug)]
pub enum Condition {
    /// As text, and as a number where it is one.
    Uuid(Vec<(Option<u128>, String)>),
    EventType(Vec<EventTypeFilter>),
    Verdict(Vec<i32>),
    DropReason(Vec<i32>),
    Reply(Vec<bool>),
    Encrypted(Vec<bool>),
    Identity(End, Vec<u32>),
    Protocol(Vec<Protocol>),
    Address(Address, Vec<Network>),
    Pod(End, Vec<NamePrefix>),
    Workload(End, Vec<Workload>),
    Service(End, Vec<NamePrefix>),
    Fqdn(End, Vec<Glob>),
    DnsQuery(Vec<Regex>),
    Label(End, Vec<Selector>),
    NodeLabel(Vec<Selector>),
    Port(End, Vec<u16>),
    HttpStatus(Vec<StatusCodes>),
    HttpMethod(Vec<String>),
    HttpPath(Vec<Regex>),
    HttpUrl(Vec<Regex>),
    HttpHeader(Vec<HttpHeader>),
    TcpFlags(Vec<TcpFlags>),
    NodeName(Vec<NodeGlob>),
    Cluster(End, Vec<String>),
    IpVersion(Vec<i32>),
    TraceId(Vec<String>),
    TrafficDirection(Vec<i32>),
    Cel(Vec<Expression>),
    Interface(Vec<NetworkInterface>),
    IpTraceId(Vec<u64>),
}

impl Condition {
    /// Whether one of the values fits.
    pub fn holds(&self, flow: Subject<'_>) -> bool {
        match self {
            Condition::Uuid(values) => {
                values.iter().any(|(number, text)| flow.uuid_is(*number, text))
            }
            Condition::EventType(values) => flow.event_type().is_some_and(|(number, sub_type)| {
                values.iter().any(|wanted| {
                    (wanted.r#type == 0 || wanted.r#type == number)
                        && (!wanted.match_sub_type || wanted.sub_type == sub_type)
                })
            }),
            Condition::Verdict(values) => values.contains(&flow.verdict()),
            Condition::DropReason(values) => {
                flow.verdict() == Verdict::Dropped as i32 && values.contains(&flow.drop_reason())
            }
            Condition::Reply(values) => {
                let is_reply = match flow.is_reply() {
                    None if flow.verdict() == Verdict::Dropped as i32 => Some(false),
                    known => known,
                };
                is_reply.is_some_and(|is_reply| values.contains(&is_reply))
            }
            Condition::Encrypted(values) => {
                flow.is_encrypted().is_some_and(|is_encrypted| values.contains(&is_encrypted))
            }
            Condition::Identity(end, values) => {
                flow.endpoint(*end).is_some_and(|endpoint| values.contains(&endpoint.identity))
            }
            Condition::Protocol(values) => values.iter().any(|protocol| protocol.matches(flow)),
            Condition::Address(which, values) => flow
                .address(*which)
                .is_some_and(|address| values.iter().any(|network| network.contains(address))),
            Condition::Pod(end, values) => flow.endpoint(*end).is_some_and(|endpoint| {
                let (namespace, name) = (&endpoint.namespace, &endpoint.pod_name);
                values.iter().any(|wanted| wanted.matches(namespace, name))
            }),
            Condition::Workload(end, values) => flow.endpoint(*end).is_some_and(|endpoint| {
                endpoint.workloads.iter().any(|workload| is_one_of(workload, values))
            }),
            Condition::Service(end, values) => flow.service(*end).is_some_and(|service| {
                let (namespace, name) = (&service.namespace, &service.name);
                values.iter().any(|wanted| wanted.matches(namespace, name))
            }),
            Condition::Fqdn(end, values) => {
                let mut names = flow.names(*end).iter();
                names.any(|name| values.iter().any(|glob| glob.matches(name)))
            }
            Condition::DnsQuery(values) => {
                flow.dns().is_some_and(|dns| one_matches(values, &dns.query))
            }
            Condition::Label(end, values) => {
                let labels = flow.endpoint(*end).map(|endpoint| endpoint.labels.as_slice());
                values.iter().any(|selector| selector.matches(labels.unwrap_or_default()))
            }
            Condition::NodeLabel(values) => {
                values.iter().any(|selector| selector.matches(flow.node_labels()))
            }
            Condition::Port(end, values) => flow.l4().ports().is_some_and(|(from, to)| {
                values.contains(if *end == End::Source { &from } else { &to })
            }),
            Condition::TcpFlags(values) => flow
                .l4()
                .tcp_flags()
                .is_some_and(|flags| values.iter().any(|wanted| flags.contains(*wanted))),
            Condition::NodeName(values) => values.iter().any(|glob| glob.matches(flow.node_name())),
            Condition::Cluster(end, values) => {
                flow.endpoint(*end).is_some_and(|endpoint| values.contains(&endpoint.cluster_name))
            }
            Condition::IpVersion(values) => values.contains(&flow.ip_version()),
            Condition::TraceId(values) => flow
                .trace_id()
                .is_some_and(|id| !id.is_empty() && values.iter().any(|wanted| wanted == id)),
            Condition::TrafficDirection(values) => values.contains(&flow.traffic_direction()),
            Condition::Cel(values) => {
                let message = flow.message();
                values.iter().any(|expression| expression.holds(&message))
            }
            Condition::Interface(values) => flow.interface().is_some_and(|interface| {
                values.iter().any(|wanted| {
                    (wanted.index == 0 || wanted.index == interface.index)
                        && (wanted.name.is_empty() || wanted.name == interface.name)
                })
            }),
            Condition::IpTraceId(values) => {
                flow.ip_trace_id().is_some_and(|id| values.contains(&id))
            }
            Condition::HttpStatus(_)
            | Condition::HttpMethod(_)
            | Condition::HttpPath(_)
            | Condition::HttpUrl(_)
            | Condition::HttpHeader(_) => self.holds_of_http(flow),
        }
    }

    fn holds_of_http(&self, flow: Subject<'_>) -> bool {
        let Some(http) = flow.http() else { return false };
        match self {
            Condition::HttpStatus(values) => values.iter().any(|codes| codes.matches(http.code)),
            Condition::HttpMethod(values) => {
                values.iter().any(|method| method.eq_ignore_ascii_case(&http.method))
            }
            Condition::HttpPath(values) => {
                http::path(&http.url).is_some_and(|path| one_matches(values, &path))
            }
            Condition::HttpUrl(values) => !http.url.is_empty() && one_matches(values, &http.url),
            Condition::HttpHeader(values) => {
                http.headers.iter().any(|header| values.contains(header))
            }
            _ => false,
        }
    }
}

fn one_matches(regexes: &[Regex], text: &str) -> bool {
    regexes.iter().any(|regex| regex.is_match(text))
}

fn is_one_of(workload: &Workload, values: &[Workload]) -> bool {
    values.iter().any(|wanted| {
        (wanted.name.is_empty() || wanted.name == workload.name)
            && (wanted.kind.is_empty() || wanted.kind == workload.kind)
    })
}
