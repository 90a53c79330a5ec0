//! Field masks: of a flow, only the fields that were asked for.
//!
//! A mask is a tree of field numbers, and is applied to the encoded flow: what is asked for is copied as
//! it stands, what is not is passed over. So each kind of field, and a oneof, which is copied where the
//! variant is there, are one case.

mod wire;

use std::collections::BTreeMap;

use prost::Message;
use prost_reflect::{Kind, MessageDescriptor};

use crate::proto::flow::Flow;
use crate::reflect;

/// The most paths that one mask may have.
pub const MOST_PATHS: usize = 1024;

/// What clients ask for that print flows as text.
pub const TEXT_PATHS: [&str; 27] = [
    "time",
    "verdict",
    "ethernet",
    "IP",
    "l4",
    "source.identity",
    "source.namespace",
    "source.pod_name",
    "destination.identity",
    "destination.namespace",
    "destination.pod_name",
    "Type",
    "node_name",
    "l7",
    "event_type",
    "source_service",
    "destination_service",
    "is_reply",
    "Summary",
    "ip_trace_id",
    "traffic_direction",
    "policy_match_type",
    "egress_allowed_by",
    "ingress_allowed_by",
    "egress_denied_by",
    "ingress_denied_by",
    "drop_reason_desc",
];

/// The fields of a flow that are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mask(Option<Fields>);

/// Field numbers of a message, each whole or with fields of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Fields(BTreeMap<u32, Asked>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Whole,
    Some(Fields),
}

/// Why a mask is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such field.
    #[error("invalid fieldmask: a flow has no field {0:?}")]
    Unknown(String),
    /// More paths than [`MOST_PATHS`].
    #[error("invalid fieldmask: more than {MOST_PATHS} paths")]
    TooMany,
}

impl Mask {
    /// From paths in the names of the messages: `source.pod_name`, `IP`. None ask for everything.
    ///
    /// # Errors
    /// The first path that a flow does not have.
    pub fn compile<T: AsRef<str>>(paths: &[T]) -> Result<Self, Error> {
        if paths.len() > MOST_PATHS {
            return Err(Error::TooMany);
        }
        if paths.is_empty() {
            return Ok(Self(None));
        }
        let mut fields = Fields::default();
        for path in paths.iter().map(AsRef::as_ref) {
            let unknown = || Error::Unknown(path.chars().take(80).collect());
            let flow = reflect::message("flow.Flow").ok_or_else(unknown)?;
            fields.add(&flow, path).ok_or_else(unknown)?;
        }
        Ok(Self(Some(fields)))
    }

    /// It asks for everything.
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// The same in as few paths as can be, sorted by field number.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        if let (Some(fields), Some(flow)) = (&self.0, reflect::message("flow.Flow")) {
            fields.push_paths(&flow, "", &mut paths);
        }
        paths
    }

    /// Of a flow what is asked for.
    pub fn apply(&self, flow: Flow) -> Flow {
        let Some(fields) = &self.0 else { return flow };
        let bytes = flow.encode_to_vec();
        let mut masked = Vec::with_capacity(bytes.len());
        // What we encoded can be read.
        let _ = wire::copy(&bytes, fields, &mut masked);
        Flow::decode(&masked[..]).unwrap_or_default()
    }
}

impl Fields {
    /// Adds a path. A field that is asked for whole stays so.
    fn add(&mut self, message: &MessageDescriptor, path: &str) -> Option<()> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
        let field = message.get_field_by_name(name)?;
        let number = field.number();
        let Some(rest) = rest else {
            self.0.insert(number, Asked::Whole);
            return Some(());
        };
        // What is repeated has no fields that a path could name.
        let Kind::Message(inner) = field.kind() else { return None };
        if field.is_list() || field.is_map() {
            return None;
        }
        match self.0.get_mut(&number) {
            Some(Asked::Whole) => Fields::default().add(&inner, rest),
            Some(Asked::Some(fields)) => fields.add(&inner, rest),
            None => {
                let mut fields = Fields::default();
                fields.add(&inner, rest)?;
                self.0.insert(number, Asked::Some(fields));
                Some(())
            }
        }
    }

    fn push_paths(&self, message: &MessageDescriptor, before: &str, paths: &mut Vec<String>) {
        for (number, asked) in &self.0 {
            let Some(field) = message.get_field(*number) else { continue };
            let path = format!("{before}{}", field.name());
            match (asked, field.kind()) {
                (Asked::Some(fields), Kind::Message(inner)) => {
                    fields.push_paths(&inner, &format!("{path}."), paths);
                }
                _ => paths.push(path),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::flow::layer4::Protocol;
    use crate::proto::flow::{Endpoint, Ip, Layer4, Policy, Tcp, TcpFlags, Verdict};

    fn flow() -> Flow {
        Flow {
            verdict: Verdict::Dropped.into(),
            is_reply: Some(false),
            uuid: "u".into(),
            ip: Some(Ip {
                source: "1.2.3.4".into(),
                destination: "5.6.7.8".into(),
                ..Ip::default()
            }),
            l4: Some(Layer4 {
                protocol: Some(Protocol::Tcp(Tcp {
                    source_port: 1,
                    destination_port: 2,
                    flags: Some(TcpFlags { syn: true, ack: true, ..TcpFlags::default() }),
                })),
            }),
            source: Some(Endpoint {
                identity: 7,
                pod_name: "web".into(),
                labels: vec!["a".into(), "b".into()],
                ..Endpoint::default()
            }),
            source_names: vec!["x".into(), "y".into()],
            egress_allowed_by: vec![Policy { name: "p".into(), ..Policy::default() }],
            ..Flow::default()
        }
    }

    fn masked(paths: &[&str]) -> Flow {
        Mask::compile(paths).expect("a mask").apply(flow())
    }

    #[test]
    fn only_what_is_asked_for_is_left() {
        assert_eq!(masked(&[]), flow());
        let names = Flow { source_names: flow().source_names, ..Flow::default() };
        assert_eq!(masked(&["source_names"]), names);
        let some = Flow { verdict: flow().verdict, is_reply: Some(false), ..Flow::default() };
        assert_eq!(masked(&["is_reply", "verdict"]), some);
        let policies = Flow { egress_allowed_by: flow().egress_allowed_by, ..Flow::default() };
        assert_eq!(masked(&["egress_allowed_by"]), policies);
        assert_eq!(masked(&["node_name", "destination.labels"]), Flow::default());
    }

    #[test]
    fn nested_fields_are_copied_alone() {
        let source = |endpoint| Flow { source: Some(endpoint), ..Flow::default() };
        let identity = Endpoint { identity: 7, ..Endpoint::default() };
        assert_eq!(masked(&["source.identity"]), source(identity.clone()));
        let with_labels = Endpoint { labels: vec!["a".into(), "b".into()], ..identity };
        assert_eq!(masked(&["source.labels", "source.identity"]), source(with_labels));
        let flags = masked(&["l4.TCP.flags.SYN"]);
        let expected =
            Tcp { flags: Some(TcpFlags { syn: true, ..TcpFlags::default() }), ..Tcp::default() };
        let l4 = Layer4 { protocol: Some(Protocol::Tcp(expected)) };
        assert_eq!(flags, Flow { l4: Some(l4), ..Flow::default() });
    }

    #[test]
    fn a_variant_is_copied_where_it_is_the_one() {
        let none = Flow { l4: Some(Layer4 { protocol: None }), ..Flow::default() };
        assert_eq!(masked(&["l4.UDP"]), none);
        assert_eq!(masked(&["l4.UDP", "l4.TCP"]).l4, flow().l4);
    }

    #[test]
    fn a_mask_has_as_few_paths_as_can_be() {
        let paths = |paths: &[&str]| Mask::compile(paths).expect("a mask").paths();
        let source = ["source.namespace", "source", "source.identity", "verdict", "verdict"];
        assert_eq!(paths(&source), ["verdict", "source"]);
        assert_eq!(paths(&["l4.TCP.flags", "IP", "l4.TCP"]), ["IP", "l4.TCP"]);
        assert_eq!(paths(&TEXT_PATHS).len(), TEXT_PATHS.len());
    }

    #[test]
    fn a_path_that_a_flow_does_not_have_is_refused() {
        for path in [
            "",
            ".",
            "nothing",
            "ip",
            "summary",
            "verdict.x",
            "source.",
            "source..labels",
            "egress_allowed_by.name",
            "source_names.x",
            "l4.protocol",
            "source.pod_name.x",
        ] {
            assert_eq!(Mask::compile(&[path]), Err(Error::Unknown(path.into())), "{path}");
            // Also below a field that is asked for whole.
            assert!(Mask::compile(&["source", "l4", "verdict", path]).is_err(), "{path}");
        }
        assert!(Mask::compile(&["IP", "Type", "Summary", "time.seconds"]).is_ok());
        assert_eq!(Mask::compile(&["IP"; MOST_PATHS + 1]), Err(Error::TooMany));
    }
}
