//! Who an address belongs to, borrowed from what knows it.

use std::fmt;

use crate::cidr::CidrName;
use crate::cluster::{PodView, ServiceView};
use crate::numbers::{Label, LabelSet, Reserved};

/// Who is at an address.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// The number of its labels, of its range, or of its reserved identity.
    pub identity: u32,
    /// What it is if it is no pod; of a range, which part of the world it is in.
    pub reserved: Option<Reserved>,
    /// The pod.
    pub pod: Option<PodView<'a>>,
    /// The node that it is, or that the pod is on.
    pub node: Option<&'a str>,
    /// The service that the address and the port are of.
    pub service: Option<ServiceView<'a>>,
    /// The name that it was resolved from.
    pub dns_name: Option<&'a str>,
    /// The range that was given a name.
    pub range: Option<&'a CidrName>,
}

impl<'a> Peer<'a> {
    pub(super) fn new(identity: u32) -> Self {
        Self {
            identity,
            reserved: None,
            pod: None,
            node: None,
            service: None,
            dns_name: None,
            range: None,
        }
    }

    pub(super) fn reserved(reserved: Reserved) -> Self {
        Self { reserved: Some(reserved), ..Self::new(reserved.number()) }
    }

    /// Its labels as Hubble has them.
    pub fn labels(&self) -> impl Iterator<Item = PeerLabel<'a>> {
        let of_pod = self.pod.and_then(|pod| pod.labels()).into_iter().flat_map(LabelSet::iter);
        let range = self.range.into_iter().map(PeerLabel::Range);
        let reserved = self.reserved.into_iter().map(PeerLabel::Reserved);
        of_pod.map(PeerLabel::Pod).chain(range).chain(reserved)
    }
}

/// One label. Displayed as Hubble writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerLabel<'a> {
    /// `k8s:key=value`
    Pod(Label<'a>),
    /// `cidr:10.0.0.0/8=`
    Range(&'a CidrName),
    /// `reserved:world`
    Reserved(Reserved),
}

impl fmt::Display for PeerLabel<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerLabel::Pod(label) => label.fmt(out),
            PeerLabel::Range(range) => range.fmt(out),
            PeerLabel::Reserved(reserved) => write!(out, "reserved:{}", reserved.word()),
        }
    }
}
