//! What a cluster's API says of pods, services and nodes, as plain values, and the tables that are made
//! of it to answer who is at an address.
//!
//! Whoever asks the API (`chandra-kubernetes`) and whoever names addresses meet here, so that neither
//! knows the other.
//!
//! Files: `change` (what is told), `table` (one cluster), `clusters` (several), `pods` with `pod_entry`,
//! `services`, `nodes` (what is known), `views` (what is answered), `lists` (what a new list means),
//! `claims` and `objects` (memory).

mod change;
mod claims;
mod clusters;
mod lists;
mod nodes;
mod objects;
mod pod_entry;
mod pods;
mod services;
mod stats;
mod table;
#[cfg(test)]
mod tests;
mod views;

pub use change::{
    Change, Cidr, Endpoint, EndpointSlice, Namespace, Node, NodeAddress, NodeAddressKind,
    ObjectName, Owner, Pod, PodContainer, Protocol, Resource, Service, ServicePort,
};
pub use clusters::{ClusterKey, Clusters};
pub use lists::{ResourceState, Stale};
pub use stats::{Limits, Stats};
pub use table::{Cluster, ClusterUid};
pub use views::{Address, Name, PodView, ServiceView};
