//! Our messages as JSON, by the conventions of protocol buffers (protobuf.dev, "ProtoJSON"): names as in
//! the files, enums by name, numbers of 64 bits as strings, `Any` with its content.

mod lines;
mod transcode;

use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, SerializeOptions};
use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::Value;

use crate::proto::flow::FlowFilter;
use crate::proto::observer::GetFlowsResponse;
use crate::reflect;

pub use lines::{Line, LineError, Lines, MOST_LINE_BYTES, read_line};

/// Why something is no message in JSON, or cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    fn new(why: impl ToString) -> Self {
        Self(why.to_string())
    }
}

/// A response as one line, without its end.
///
/// # Errors
/// It cannot be said; this does not happen with what can be decoded.
pub fn response_line(response: &GetFlowsResponse) -> Result<String, Error> {
    if let Ok(line) = line("observer.GetFlowsResponse", response) {
        return Ok(line);
    }
    // What travels beside a flow may be of a type that we do not know.
    let mut plain = response.clone();
    let foreign = flow_mut(&mut plain).and_then(|flow| flow.extensions.take());
    let line = line("observer.GetFlowsResponse", &plain)?;
    let mut value: Value = serde_json::from_str(&line).map_err(Error::new)?;
    if let (Some(flow), Some(foreign)) = (value.get_mut("flow"), foreign) {
        flow["extensions"] = serde_json::json!({ "@type": foreign.type_url });
    }
    Ok(value.to_string())
}

/// A filter as one line, as Hubble's options take them.
///
/// # Errors
/// It cannot be said.
pub fn filter_line(filter: &FlowFilter) -> Result<String, Error> {
    line("flow.FlowFilter", filter)
}

/// Filters in JSON: one object after another, keys as in the files or in camel case.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn filters(text: &str) -> Result<Vec<FlowFilter>, Error> {
    let objects = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    objects.map(|object| read("flow.FlowFilter", &object.map_err(Error::new)?, true)).collect()
}

/// A message of this full name (`observer.Node`) as one line, without its end.
///
/// # Errors
/// There is no message of that name, or something of a type that we do not know is in it.
pub fn line(name: &str, message: &impl Message) -> Result<String, Error> {
    let encoded = message.encode_to_vec();
    transcode::text(name, &encoded).map_or_else(|| reflected(name, &encoded), Ok)
}

fn flow_mut(response: &mut GetFlowsResponse) -> Option<&mut crate::proto::flow::Flow> {
    match response.response_types.as_mut()? {
        crate::proto::observer::get_flows_response::ResponseTypes::Flow(flow) => Some(flow),
        _ => None,
    }
}

/// An encoded message, whatever is in it.
fn reflected(name: &str, encoded: &[u8]) -> Result<String, Error> {
    let description = reflect::message(name).ok_or_else(|| Error::new("no such message"))?;
    let message = DynamicMessage::decode(description, encoded).map_err(Error::new)?;
    let options = SerializeOptions::new().use_proto_field_name(true);
    let mut out = Vec::with_capacity(1024);
    let mut serializer = serde_json::Serializer::new(&mut out);
    message.serialize_with_options(&mut serializer, &options).map_err(Error::new)?;
    String::from_utf8(out).map_err(Error::new)
}

/// A message of a name from its JSON; strict where an unknown key is an error.
fn read<M: Message + Default>(name: &str, value: &Value, is_strict: bool) -> Result<M, Error> {
    let description = reflect::message(name).ok_or_else(|| Error::new("no such message"))?;
    let message = if is_strict {
        description.deserialize(value)
    } else {
        let options = DeserializeOptions::new().deny_unknown_fields(false);
        DynamicMessage::deserialize_with_options(description, value, &options)
    };
    message.map_err(Error::new)?.transcode_to().map_err(Error::new)
}

/// Text as a value of JSON.
fn parse(text: &[u8]) -> Result<Value, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Value::deserialize(&mut deserializer).map_err(Error::new)?;
    deserializer.end().map_err(Error::new)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Actor, Details, Flow, Node, Process, Traffic};
    use crate::proto::flow as proto;
    use crate::proto::observer::get_flows_response::ResponseTypes;
    use std::num::NonZeroU64;
    use std::sync::Arc;

    fn response(flow: proto::Flow) -> GetFlowsResponse {
        GetFlowsResponse { response_types: Some(ResponseTypes::Flow(flow)), ..Default::default() }
    }

    #[test]
    #[allow(deprecated, reason = "clients read the old fields")]
    fn a_flow_is_written_as_hubble_writes_it() {
        let flow = proto::Flow {
            time: Some(prost_types::Timestamp { seconds: 1234, nanos: 567_800_000 }),
            verdict: proto::Verdict::Dropped.into(),
            ip: Some(proto::Ip {
                source: "1.1.1.1".into(),
                ip_version: proto::IpVersion::IPv4.into(),
                ..Default::default()
            }),
            r#type: proto::FlowType::L3L4.into(),
            event_type: Some(proto::CiliumEventType { r#type: 1, sub_type: 133 }),
            ip_trace_id: Some(proto::IpTraceId { trace_id: 1234, ip_option_type: 136 }),
            is_reply: Some(false),
            socket_cookie: u64::MAX,
            summary: "TCP Flags: SYN".into(),
            ..Default::default()
        };
        let expected = concat!(
            r#"{"flow":{"time":"1970-01-01T00:20:34.567800Z","verdict":"DROPPED","#,
            r#""IP":{"source":"1.1.1.1","ipVersion":"IPv4"},"Type":"L3_L4","#,
            r#""event_type":{"type":1,"sub_type":133},"is_reply":false,"#,
            r#""socket_cookie":"18446744073709551615","#,
            r#""ip_trace_id":{"trace_id":"1234","ip_option_type":136},"#,
            r#""Summary":"TCP Flags: SYN"}}"#,
        );
        assert_eq!(response_line(&response(flow)).as_deref(), Ok(expected));
    }

    #[test]
    fn details_are_written_out_and_read_again() {
        let details = Details {
            actor: Some(Arc::new(Actor {
                process: Process { pid: 7, comm: "curl".into(), ..Default::default() },
                ..Default::default()
            })),
            connection_key: NonZeroU64::new(9),
            forward: Traffic { bytes: 10, packets: 2 },
            dns_id: Some(0),
            ..Details::default()
        };
        let flow = Flow { details, ..Flow::default() };
        let flow = flow.to_proto(&Node::new("", "n", vec![]));
        let line = response_line(&response(flow.clone())).expect("a line");
        let expected = concat!(
            r#""extensions":{"@type":"type.googleapis.com/chandra.v1.FlowDetails","#,
            r#""process":{"pid":7,"comm":"curl"},"connection_key":"9","#,
            r#""forward":{"bytes":"10","packets":"2"},"dns_id":0}"#,
        );
        assert!(line.contains(expected), "{line}");
        let read = read_line(line.as_bytes()).expect("a line");
        assert_eq!((read.response, read.warning), (response(flow), None));
    }

    #[test]
    fn what_travels_beside_a_flow_unknown_to_us_keeps_its_type() {
        let extensions = Some(prost_types::Any { type_url: "x.y/Z".into(), value: vec![1] });
        let flow = proto::Flow { uuid: "u".into(), extensions, ..Default::default() };
        let expected = r#"{"flow":{"extensions":{"@type":"x.y/Z"},"uuid":"u"}}"#;
        assert_eq!(response_line(&response(flow)).as_deref(), Ok(expected));
    }

    #[test]
    fn filters_are_objects_one_after_another() {
        let text = r#"{"source_pod":["a/b"],"eventType":[{"type":1}]} {"verdict":["DROPPED"]}"#;
        let [first, second] = &filters(text).expect("filters")[..] else { panic!("two") };
        assert_eq!((first.source_pod.as_slice(), first.event_type.len()), (&["a/b".into()][..], 1));
        assert_eq!(second.verdict, [2]);
        let line = filter_line(second).expect("a line");
        assert_eq!(line, r#"{"verdict":["DROPPED"]}"#);
        for wrong in ["{", r#"{"pod":["x"]}"#, "[]", r#"{"verdict":["NO"]}"#] {
            assert!(filters(wrong).is_err(), "{wrong}");
        }
    }
}
