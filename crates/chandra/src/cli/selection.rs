//! Options that say of whom records are shown, with kubectl's habits; every verb that shows records has
//! them.

use chandra_doctor::{Check, Problem};
use chandra_identity::selector::{Selector, Typed};
use clap::Args;

use super::identity::IdentityKind;

/// Options that select.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArguments {
    /// Only pods in these namespaces
    #[arg(short, long, env = "CHANDRA_NAMESPACE", value_name = "NAMESPACE", value_delimiter = ',')]
    pub namespace: Option<Vec<String>>,
    /// Only these pods: NAME, NAMESPACE/NAME, or a beginning with * behind it
    #[arg(long, env = "CHANDRA_POD", value_name = "POD", value_delimiter = ',')]
    pub pod: Option<Vec<String>>,
    /// Only pods with these labels: app=web,tier!=db,env in (a,b),!canary
    #[arg(short = 'l', long, env = "CHANDRA_SELECTOR", value_name = "LABELS")]
    pub selector: Option<Vec<String>>,
    /// Only pods of these workloads: NAME or KIND/NAME
    #[arg(long, env = "CHANDRA_WORKLOAD", value_name = "WORKLOAD", value_delimiter = ',')]
    pub workload: Option<Vec<String>>,
    /// Only these containers: name in the pod, or the beginning of an id
    #[arg(long, env = "CHANDRA_CONTAINER", value_name = "CONTAINER", value_delimiter = ',')]
    pub container: Option<Vec<String>>,
    /// Only on these nodes
    #[arg(long, env = "CHANDRA_NODE", value_name = "NODE", value_delimiter = ',')]
    pub node: Option<Vec<String>>,
}

impl SelectionArguments {
    /// These, and where one is not given that of `others`.
    pub fn or(self, others: Self) -> Self {
        Self {
            namespace: self.namespace.or(others.namespace),
            pod: self.pod.or(others.pod),
            selector: self.selector.or(others.selector),
            workload: self.workload.or(others.workload),
            container: self.container.or(others.container),
            node: self.node.or(others.node),
        }
    }

    /// What they mean.
    pub fn selector(&self) -> Result<Selector, Problem> {
        let words = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
        let [namespaces, pods, labels] = [&self.namespace, &self.pod, &self.selector].map(words);
        let [workloads, containers, nodes] =
            [&self.workload, &self.container, &self.node].map(words);
        let typed = Typed {
            namespaces: &namespaces,
            pods: &pods,
            labels: &labels,
            workloads: &workloads,
            containers: &containers,
            nodes: &nodes,
        };
        Selector::parse(&typed).map_err(|error| {
            Problem::usage(
                Check::FILTERS,
                "cannot select by that",
                error,
                "for example: -n shop --workload deploy/web -l 'tier in (front,back),!canary'",
            )
        })
    }
}

/// A selector needs to know who did what.
pub fn checked(selector: Selector, identity: Option<IdentityKind>) -> Result<Selector, Problem> {
    if selector.is_empty() || identity != Some(IdentityKind::Off) {
        return Ok(selector);
    }
    Err(Problem::usage(
        Check::FILTERS,
        "cannot select without asking who did what",
        "--identity off and a selection exclude each other",
        "leave --identity out",
    ))
}
