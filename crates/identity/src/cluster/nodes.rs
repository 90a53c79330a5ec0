//! The nodes of a cluster, by name, by address, and by the ranges that their pods' addresses are from.

use std::net::IpAddr;

use super::claims::{Claims, Key};
use super::objects::{Object, Objects};
use super::{Cidr, Node, ObjectName};
use crate::cidr::Ranges;
use crate::description::Text;
use crate::hashing::RandomState;
use crate::intern::Heap;
use crate::process::slab::{NONE, allocation};

/// Addresses and ranges that are kept of one node.
const MOST: usize = 16;

#[derive(Debug)]
pub(super) struct Known {
    pod_cidrs: Box<[Cidr]>,
    claims: u32,
}

impl Heap for Known {
    fn heap_bytes(&self) -> usize {
        if self.pod_cidrs.is_empty() { 0 } else { allocation(size_of_val(&*self.pod_cidrs)) }
    }
}

#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) nodes: Objects<Known>,
    addresses: Claims<()>,
    ranges: Ranges<u32>,
    keys: RandomState,
}

impl Nodes {
    pub(super) fn new(keys: RandomState) -> Self {
        Self {
            nodes: Objects::new(keys.clone()),
            addresses: Claims::new(keys.clone()),
            ranges: Ranges::new(),
            keys,
        }
    }

    /// The node that has this address.
    pub(super) fn at(&self, key: &Key) -> Option<&Object<Known>> {
        let claim = self.addresses.find(key, |_| true)?;
        self.nodes.get(claim.owner())
    }

    /// The node whose pods' addresses are from around this one.
    pub(super) fn around(&self, key: &Key) -> Option<&Object<Known>> {
        self.nodes.get(*self.ranges.around(key.bits())?)
    }

    /// All nodes that have an address, with the first that each was told with.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        self.nodes.iter().filter_map(|object| {
            let (_, claim) = self.addresses.owned(object.value.claims).last()?;
            Some((object.name(), IpAddr::from(claim.ip).to_canonical()))
        })
    }

    pub(super) fn growth(&self, node: &Node) -> usize {
        let ranges = node.pod_cidrs.len().min(MOST);
        self.nodes.growth(&name(&node.name))
            + self.addresses.growth(node.addresses.len().min(MOST))
            + allocation(ranges * size_of::<Cidr>())
            + self.ranges.growth(ranges)
    }

    /// Takes a node in, new or changed. Gives how much of it was left out.
    pub(super) fn put(&mut self, node: &Node, generation: u8) -> u64 {
        let known = self.nodes.find("", node.name.as_str());
        let slot = known.unwrap_or_else(|| {
            let empty = Known { pod_cidrs: Box::default(), claims: NONE };
            self.nodes.add(&name(&node.name), generation, empty)
        });
        self.withdraw(slot);
        let mut head = NONE;
        for address in node.addresses.iter().take(MOST) {
            self.addresses.add(&Key::new(&self.keys, address.ip), slot, &mut head, ());
        }
        let pod_cidrs: Box<[Cidr]> = node.pod_cidrs.iter().take(MOST).copied().collect();
        for range in &pod_cidrs {
            self.ranges.insert(*range, slot);
        }
        self.nodes.change(slot, |object| {
            object.generation = generation;
            object.value = Known { pod_cidrs, claims: head };
        });
        let beyond = node.addresses.len().saturating_sub(MOST);
        (beyond + node.pod_cidrs.len().saturating_sub(MOST)) as u64
    }

    fn withdraw(&mut self, slot: u32) {
        let Self { nodes, addresses, ranges, .. } = self;
        nodes.change(slot, |object| {
            addresses.clear(&mut object.value.claims);
            for range in &object.value.pod_cidrs {
                ranges.remove(*range, |owner| *owner == slot);
            }
        });
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.withdraw(slot);
        self.nodes.remove(slot);
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.nodes.bytes() + self.addresses.bytes() + self.ranges.bytes()
    }
}

/// Nodes are in no namespace.
fn name(node: &Text) -> ObjectName {
    ObjectName { namespace: Text::default(), name: node.clone() }
}
