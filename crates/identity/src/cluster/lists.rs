//! How far the source is with each resource: what was listed, what is stale, and what a new list has
//! still to be compared with.

use super::Resource;

/// Bytes that are kept of a reason.
const REASON_BYTES: usize = 256;

/// A resource that is not told of any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Why.
    pub reason: Box<str>,
    /// Since when, in nanoseconds of event time.
    pub since_ns: u64,
}

/// How far a source is with a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceState {
    /// When all of it had been told the last time.
    pub listed_at_ns: Option<u64>,
    /// What is known of it may be out of date.
    pub stale: Option<Stale>,
    /// Objects told now bear this.
    pub(super) generation: u8,
    /// Where the search for what a list did not tell goes on.
    pub(super) sweep: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Lists([ResourceState; Resource::ALL.len()]);

impl Lists {
    pub(super) fn of(&self, resource: Resource) -> &ResourceState {
        let [pods, services, slices, nodes, namespaces] = &self.0;
        match resource {
            Resource::Pods => pods,
            Resource::Services => services,
            Resource::EndpointSlices => slices,
            Resource::Nodes => nodes,
            Resource::Namespaces => namespaces,
        }
    }

    pub(super) fn of_mut(&mut self, resource: Resource) -> &mut ResourceState {
        let [pods, services, slices, nodes, namespaces] = &mut self.0;
        match resource {
            Resource::Pods => pods,
            Resource::Services => services,
            Resource::EndpointSlices => slices,
            Resource::Nodes => nodes,
            Resource::Namespaces => namespaces,
        }
    }

    /// All of it follows. What was being searched for is found by the next search.
    pub(super) fn listing(&mut self, resource: Resource) {
        let state = self.of_mut(resource);
        state.generation = state.generation.wrapping_add(1);
        state.sweep = None;
    }

    /// All of it was told: what bears another generation is gone.
    pub(super) fn listed(&mut self, resource: Resource, now_ns: u64) {
        let state = self.of_mut(resource);
        state.listed_at_ns = Some(now_ns);
        state.stale = None;
        state.sweep = Some(0);
    }

    pub(super) fn stale(&mut self, resource: Resource, reason: &str, now_ns: u64) {
        let reason = reason.get(..reason.floor_char_boundary(REASON_BYTES)).unwrap_or_default();
        let state = self.of_mut(resource);
        // The reason may change while it lasts; when it began does not.
        let since_ns = state.stale.as_ref().map_or(now_ns, |stale| stale.since_ns);
        state.stale = Some(Stale { reason: reason.into(), since_ns });
    }
}
