//! What is known of a pod or a service, borrowed from the table.

use std::fmt;
use std::net::IpAddr;

use super::pod_entry::{Group, LASTS, PodEntry, flag};
use super::pods::Pods;
use crate::container::PodUid;
use crate::numbers::LabelSet;
use crate::process::slab::NONE;

/// A name in two pieces, as it is kept: a pod's begins with its workload's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Name<'a> {
    pub(super) head: &'a str,
    pub(super) tail: &'a str,
}

impl Name<'_> {
    /// Its length.
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes it behind what is there.
    pub fn append_to(&self, text: &mut String) {
        text.push_str(self.head);
        text.push_str(self.tail);
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.head)?;
        out.write_str(self.tail)
    }
}

impl PartialEq<str> for Name<'_> {
    fn eq(&self, other: &str) -> bool {
        other.strip_prefix(self.head) == Some(self.tail)
    }
}

impl PartialEq<&str> for Name<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

/// A pod of any node.
#[derive(Clone, Copy)]
pub struct PodView<'a> {
    pods: &'a Pods,
    slot: u32,
    entry: &'a PodEntry,
    group: &'a Group,
}

impl<'a> PodView<'a> {
    pub(super) fn new(pods: &'a Pods, slot: u32) -> Option<Self> {
        let entry = pods.get(slot)?;
        Some(Self { pods, slot, entry, group: pods.group(entry)? })
    }

    /// Its namespace.
    pub fn namespace(&self) -> &'a str {
        self.pods.text(self.group.namespace)
    }

    /// Its name.
    pub fn name(&self) -> Name<'a> {
        let (head, tail) = self.pods.name(self.entry);
        Name { head, tail }
    }

    /// The kind of its workload: `Deployment`, …; `Pod` if it is its own.
    pub fn workload_kind(&self) -> &'a str {
        self.pods.text(self.group.kind)
    }

    /// The name of its workload.
    pub fn workload_name(&self) -> Name<'a> {
        match self.group.workload.as_str() {
            "" => self.name(),
            workload => Name { head: workload, tail: "" },
        }
    }

    /// Its labels, without those of a single instance.
    pub fn labels(&self) -> Option<&'a LabelSet> {
        self.pods.labels().get(self.group.labels)
    }

    /// The number of its labels.
    pub fn identity(&self) -> u32 {
        self.group.identity
    }

    /// Its node; none while it waits for one.
    pub fn node(&self) -> Option<&'a str> {
        (self.entry.node != NONE).then(|| self.pods.text(self.entry.node))
    }

    /// Its UID.
    pub fn uid(&self) -> Option<PodUid> {
        self.entry.uid()
    }

    /// When it was made, in nanoseconds since 1970; 0 if that is not known.
    pub fn created_at_ns(&self) -> u64 {
        self.entry.created_at_ns
    }

    /// Its addresses, with those that it left a while ago; none if it shares its node's.
    pub fn addresses(&self) -> impl Iterator<Item = Address> + 'a {
        self.pods.held_by(self.slot, self.entry).map(|held| Address {
            ip: held.ip(),
            since_ns: held.tenure.since_ns,
            until_ns: Some(held.tenure.until_ns).filter(|until| *until != LASTS),
        })
    }

    /// It shares its node's addresses.
    pub fn is_on_host_network(&self) -> bool {
        self.entry.has(flag::HOST_NETWORK)
    }

    /// All of its containers ended.
    pub fn has_ended(&self) -> bool {
        self.entry.has(flag::ENDED)
    }

    /// It was removed.
    pub fn is_gone(&self) -> bool {
        self.entry.has(flag::GONE)
    }
}

impl fmt::Debug for PodView<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PodView({}/{})", self.namespace(), self.name())
    }
}

/// An address of a pod, and when it had it, in nanoseconds of event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// When it was told of first, or when its predecessor had it.
    pub since_ns: u64,
    /// When it was told to have left it; none while it has it.
    pub until_ns: Option<u64>,
}

/// A service at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceView<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The name of the port; empty if it has none. None if the service has no such port.
    pub port_name: Option<&'a str>,
}
