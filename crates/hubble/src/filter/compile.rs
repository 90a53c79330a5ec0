//! From the message of a filter to its conditions, in the order in which Hubble tries them: what is
//! cheap first.

use regex::Regex;

use super::address::Network;
use super::cel::Expression;
use super::condition::Condition;
use super::glob::{Glob, NodeGlob};
use super::http::StatusCodes;
use super::label::Selector;
use super::limits::Budget;
use super::name::NamePrefix;
use super::protocol::Protocol;
use super::subject::{Address, End};
use super::{Error, Filter, Why, re2};
use crate::flow::{EventType, TcpFlags};
use crate::proto::flow::{EventTypeFilter, FlowFilter};

/// All conditions of a filter.
pub fn filter(asked: &FlowFilter, budget: &mut Budget<'_>) -> Result<Filter, Error> {
    use End::{Destination, Source};
    let mut of = Compiler { conditions: Vec::new(), budget };
    let uuid = |text: &str| Ok((uuid_number(text), text.to_owned()));
    of.texts("uuid", &asked.uuid, uuid, Condition::Uuid)?;
    of.values("event_type", &asked.event_type, Condition::EventType)?;
    of.values("verdict", &asked.verdict, Condition::Verdict)?;
    of.values("drop_reason_desc", &asked.drop_reason_desc, Condition::DropReason)?;
    of.values("reply", &asked.reply, Condition::Reply)?;
    of.values("encrypted", &asked.encrypted, Condition::Encrypted)?;
    let identity = |end| move |values| Condition::Identity(end, values);
    of.values("source_identity", &asked.source_identity, identity(Source))?;
    of.values("destination_identity", &asked.destination_identity, identity(Destination))?;
    of.texts("protocol", &asked.protocol, Protocol::parse, Condition::Protocol)?;
    let address = |which| move |values| Condition::Address(which, values);
    of.texts("source_ip", &asked.source_ip, Network::parse, address(Address::Of(Source)))?;
    let to = address(Address::Of(Destination));
    of.texts("destination_ip", &asked.destination_ip, Network::parse, to)?;
    let xlated = address(Address::SourceXlated);
    of.texts("source_ip_xlated", &asked.source_ip_xlated, Network::parse, xlated)?;
    let pod = |end| move |values| Condition::Pod(end, values);
    of.texts("source_pod", &asked.source_pod, NamePrefix::parse, pod(Source))?;
    of.texts("destination_pod", &asked.destination_pod, NamePrefix::parse, pod(Destination))?;
    let workload = |end| move |values| Condition::Workload(end, values);
    of.values("source_workload", &asked.source_workload, workload(Source))?;
    of.values("destination_workload", &asked.destination_workload, workload(Destination))?;
    let service = |end| move |values| Condition::Service(end, values);
    of.texts("source_service", &asked.source_service, NamePrefix::parse, service(Source))?;
    let to = service(Destination);
    of.texts("destination_service", &asked.destination_service, NamePrefix::parse, to)?;
    let fqdn = |end| move |values| Condition::Fqdn(end, values);
    of.texts("source_fqdn", &asked.source_fqdn, Glob::parse, fqdn(Source))?;
    of.texts("destination_fqdn", &asked.destination_fqdn, Glob::parse, fqdn(Destination))?;
    of.regexes("dns_query", &asked.dns_query, Condition::DnsQuery)?;
    let label = |end| move |values| Condition::Label(end, values);
    of.texts("source_label", &asked.source_label, Selector::parse, label(Source))?;
    of.texts("destination_label", &asked.destination_label, Selector::parse, label(Destination))?;
    of.texts("node_labels", &asked.node_labels, Selector::parse, Condition::NodeLabel)?;
    let port = |end| move |values| Condition::Port(end, values);
    of.texts("source_port", &asked.source_port, parse_port, port(Source))?;
    of.texts("destination_port", &asked.destination_port, parse_port, port(Destination))?;
    http(asked, &mut of)?;
    let flags: Vec<TcpFlags> = asked.tcp_flags.iter().map(TcpFlags::from).collect();
    of.values("tcp_flags", &flags, Condition::TcpFlags)?;
    of.texts("node_name", &asked.node_name, NodeGlob::parse, Condition::NodeName)?;
    let cluster = |end| move |values| Condition::Cluster(end, values);
    of.texts("source_cluster_name", &asked.source_cluster_name, same, cluster(Source))?;
    let to = cluster(Destination);
    of.texts("destination_cluster_name", &asked.destination_cluster_name, same, to)?;
    of.values("ip_version", &asked.ip_version, Condition::IpVersion)?;
    of.texts("trace_id", &asked.trace_id, same, Condition::TraceId)?;
    of.values("traffic_direction", &asked.traffic_direction, Condition::TrafficDirection)?;
    let cel = asked.experimental.as_ref().map(|experimental| &experimental.cel_expression[..]);
    of.cel(cel.unwrap_or_default())?;
    of.values("interface", &asked.interface, Condition::Interface)?;
    of.values("ip_trace_id", &asked.ip_trace_id, Condition::IpTraceId)?;
    Ok(Filter(of.conditions))
}

/// What HTTP is asked for; impossible where only events are asked for that are no requests.
fn http(asked: &FlowFilter, of: &mut Compiler<'_, '_>) -> Result<(), Error> {
    let fields = [
        ("http_status_code", asked.http_status_code.is_empty()),
        ("http_method", asked.http_method.is_empty()),
        ("http_path", asked.http_path.is_empty()),
        ("http_url", asked.http_url.is_empty()),
        ("http_header", asked.http_header.is_empty()),
    ];
    let is_l7 = |event: &EventTypeFilter| matches!(event.r#type, EventType::L7);
    let has_l7 = asked.event_type.is_empty() || asked.event_type.iter().any(is_l7);
    if let Some((field, _)) = fields.iter().find(|(_, is_empty)| !is_empty && !has_l7) {
        return Err(Error::new(field, "", Why::NeedsL7));
    }
    let codes = &asked.http_status_code;
    of.texts("http_status_code", codes, StatusCodes::parse, Condition::HttpStatus)?;
    of.texts("http_method", &asked.http_method, same, Condition::HttpMethod)?;
    of.regexes("http_path", &asked.http_path, Condition::HttpPath)?;
    of.regexes("http_url", &asked.http_url, Condition::HttpUrl)?;
    of.values("http_header", &asked.http_header, Condition::HttpHeader)
}

/// Conditions as they come, and what is left of the limits.
struct Compiler<'a, 'b> {
    conditions: Vec<Condition>,
    budget: &'a mut Budget<'b>,
}

impl Compiler<'_, '_> {
    /// A field whose values are used as they are.
    fn values<T: Clone>(
        &mut self,
        field: &'static str,
        values: &[T],
        condition: impl FnOnce(Vec<T>) -> Condition,
    ) -> Result<(), Error> {
        if !values.is_empty() {
            self.budget.values(field, values.len())?;
            self.conditions.push(condition(values.to_vec()));
        }
        Ok(())
    }

    /// A field whose values are texts that mean something.
    fn texts<T>(
        &mut self,
        field: &'static str,
        values: &[String],
        parse: impl Fn(&str) -> Result<T, Why>,
        condition: impl FnOnce(Vec<T>) -> Condition,
    ) -> Result<(), Error> {
        if values.is_empty() {
            return Ok(());
        }
        self.budget.values(field, values.len())?;
        let mut parsed = Vec::with_capacity(values.len());
        for value in values {
            self.budget.length(field, value)?;
            parsed.push(parse(value).map_err(|why| Error::new(field, value, why))?);
        }
        self.conditions.push(condition(parsed));
        Ok(())
    }

    /// A field whose values are regular expressions.
    fn regexes(
        &mut self,
        field: &'static str,
        values: &[String],
        condition: impl FnOnce(Vec<Regex>) -> Condition,
    ) -> Result<(), Error> {
        for _ in values {
            self.budget.regex(field)?;
        }
        let most = self.budget.limits.regex_compiled_bytes;
        self.texts(field, values, |text| re2::compile(text, most), condition)
    }

    /// Expressions of CEL.
    fn cel(&mut self, values: &[String]) -> Result<(), Error> {
        const FIELD: &str = "cel_expression";
        for _ in values {
            self.budget.cel(FIELD)?;
        }
        self.texts(FIELD, values, Expression::compile, Condition::Cel)
    }
}

fn same(text: &str) -> Result<String, Why> {
    Ok(text.to_owned())
}

fn parse_port(text: &str) -> Result<u16, Why> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(Why::Port)
}

/// A UUID as people write it; any other text is equal to none that is kept.
fn uuid_number(text: &str) -> Option<u128> {
    let is_canonical = text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        });
    let digits = || text.replace('-', "");
    is_canonical.then(|| u128::from_str_radix(&digits(), 16).ok()).flatten()
}
