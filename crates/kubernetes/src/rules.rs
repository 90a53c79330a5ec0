//! What is asked for, as RBAC names it. Paths are made from it, and `docs/reference/rbac.md` is
//! compared with it.

use chandra_identity::cluster::Resource;

/// All that is ever done with any resource.
pub const VERBS: [&str; 2] = ["list", "watch"];

/// A resource as a ClusterRole names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resource in it.
    pub resource: &'static str,
}

/// What a role must allow, with [`VERBS`], so that this resource is told of.
pub fn rule(resource: Resource) -> Rule {
    let group = match resource {
        Resource::EndpointSlices => "discovery.k8s.io",
        Resource::Pods | Resource::Services | Resource::Nodes | Resource::Namespaces => "",
    };
    Rule { group, resource: resource.word() }
}

impl Rule {
    /// Where the resource of all namespaces is. All of them are in version 1 of their group.
    pub(crate) fn path(self) -> String {
        match self.group {
            "" => format!("/api/v1/{}", self.resource),
            group => format!("/apis/{group}/v1/{}", self.resource),
        }
    }
}
