//! What clients of Hubble's API send, and what files and servers give to ours.

use chandra_hubble::filter::{Filters, Limits, Subject};
use chandra_hubble::flow::{Flow, Node};
use chandra_hubble::mask::{Mask, TEXT_PATHS};
use chandra_hubble::print::{Format, Options, Printer};
use chandra_hubble::proto::flow::{self as proto, FlowFilter};
use chandra_hubble::proto::observer::GetFlowsResponse;
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use chandra_hubble::{json, query};
use prost::Message;

/// A request for flows, encoded; or filters in JSON.
pub fn hubble_filter(bytes: &[u8]) {
    if let Ok(request) = Message::decode(bytes)
        && let Err(error) = query::Query::new(&request, &Limits::default())
    {
        assert!(!error.to_string().is_empty());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(filters) = json::filters(text) else { return };
    for filter in filters {
        check_filter(&filter);
    }
}

fn check_filter(filter: &FlowFilter) {
    let written = json::filter_line(filter).expect("a filter can be written");
    let read = json::filters(&written).expect("what was written can be read");
    assert_eq!(read.as_slice(), std::slice::from_ref(filter), "{written}");
    let one = std::slice::from_ref(filter);
    match Filters::compile(one, &[], &Limits::default()) {
        Ok(allow) => {
            let deny = Filters::compile(&[], one, &Limits::default()).expect("it is the same");
            let (flow, node) = (Flow::default(), Node::new("", "node", vec![]));
            let subject = Subject::Kept { flow: &flow, node: &node };
            assert_ne!(allow.matches(subject), deny.matches(subject), "{written}");
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
}

/// A certificate, encoded by DER. Its end is a time that can be written with four digits of a year.
pub fn certificate(bytes: &[u8]) {
    if let Some(end) = chandra_hubble_grpc::tls::validity::end(bytes) {
        assert!((-62_167_219_200..=253_402_300_799).contains(&end), "{end}");
    }
}

/// A flow, encoded: looked at by filters, masked, and printed in each format.
pub fn hubble_flow(bytes: &[u8]) {
    let Ok(flow) = proto::Flow::decode(bytes) else { return };
    let everything = FlowFilter {
        source_ip: vec!["::/0".into(), "0.0.0.0/0".into()],
        destination_label: vec!["a!=b".into()],
        destination_port: vec!["0".into()],
        http_path: vec!["x".into()],
        node_name: vec!["*".into()],
        ..FlowFilter::default()
    };
    let filters = Filters::compile(&[everything], &[], &Limits::default()).expect("filters");
    filters.matches(&flow);
    let masked = Mask::compile(&TEXT_PATHS).expect("a mask").apply(flow.clone());
    assert!(masked.uuid.is_empty() && masked.verdict == flow.verdict);
    check_print(&GetFlowsResponse {
        response_types: Some(ResponseTypes::Flow(flow)),
        ..GetFlowsResponse::default()
    });
}

fn check_print(response: &GetFlowsResponse) {
    let formats =
        [Format::Compact, Format::Wide, Format::Dict, Format::Table, Format::Json, Format::Yaml];
    for format in formats {
        let (mut out, mut notices) = (Vec::new(), Vec::new());
        let options = Options { format, node_name: true, policy_names: true, ..Options::default() };
        let mut printer = Printer::new(options);
        // A moment outside of what can be written is no panic, and no line.
        if printer.write(response, &mut out, &mut notices).is_err() {
            continue;
        }
        printer.finish(&mut out).expect("memory takes all");
        let text = String::from_utf8(out).expect("UTF-8");
        if format != Format::Json {
            let is_fine = |found: char| found == '\n' || !found.is_control();
            assert!(text.chars().all(is_fine), "{text:?}");
        }
    }
}

/// A line of a file of flows: what is read can be written, and is read alike.
pub fn hubble_json_line(bytes: &[u8]) {
    let Ok(line) = json::read_line(bytes) else { return };
    check_print(&line.response);
    let Ok(written) = json::response_line(&line.response) else { return };
    let again = json::read_line(written.as_bytes()).expect("what was written can be read");
    assert_eq!(again.response, line.response, "{written}");
}
