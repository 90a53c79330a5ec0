//! What a person selects: pods by namespace, name and label, workloads, containers and nodes, as
//! kubectl's users type them.
//!
//! Invariants: nothing here does I/O or knows where facts come from. Values of one kind are
//! alternatives and kinds must all agree, but every label selector must hold, as kubectl has it. An
//! answer is [`Verdict::Unknown`] only where a fact that is not known yet could change it: one that
//! contradicts is enough for [`Verdict::No`], whatever else is unknown. What is decided once is decided
//! the same way when more becomes known.

mod error;
mod labels;
mod names;
#[cfg(test)]
mod tests;
mod verdict;

use crate::description::Pairs;

pub use error::{Kind, SelectorError, Why};
pub use labels::{LabelSelector, Operator, Requirement};
pub use names::{ContainerName, PodName, WorkloadName};
pub use verdict::Verdict;

/// What was typed, by kind; an empty list selects everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Typed<'a> {
    /// Namespaces: `shop`.
    pub namespaces: &'a [String],
    /// Pods: `web-0`, `shop/web-0`, `web-*`.
    pub pods: &'a [String],
    /// Label selectors: `app=web,tier in (front,back)`.
    pub labels: &'a [String],
    /// Workloads: `web`, `deploy/web`.
    pub workloads: &'a [String],
    /// Containers: their name in the pod, or at least 12 digits of their id.
    pub containers: &'a [String],
    /// Nodes: `node-1`.
    pub nodes: &'a [String],
}

/// What is selected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    namespaces: Vec<Box<str>>,
    pods: Vec<PodName>,
    labels: Vec<LabelSelector>,
    workloads: Vec<WorkloadName>,
    containers: Vec<ContainerName>,
    nodes: Vec<Box<str>>,
}

/// Where something runs, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// Not known yet.
    #[default]
    Unknown,
    /// In no container: what asks for one, or for a pod, cannot match.
    Host,
    /// In a container that is in no pod: what asks for a pod cannot match.
    Alone,
    /// In a pod. Facts that are absent are not known yet.
    Pod,
}

/// What is known of what may be selected; a fact that is `None` is not known yet, unless the place says
/// that there can be none. A fact of a pod says by itself that it is in one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// Where it runs.
    pub place: Place,
    /// Its pod's namespace.
    pub namespace: Option<&'a str>,
    /// Its pod's name.
    pub pod: Option<&'a str>,
    /// Its pod's labels. Those that were left out of them for want of room are unknown.
    pub labels: Option<&'a Pairs>,
    /// Kind and name of what its pod belongs to: `("Deployment", "web")`.
    pub workload: Option<(&'a str, &'a str)>,
    /// The container's name in its pod.
    pub container_name: Option<&'a str>,
    /// The container's id.
    pub container_id: Option<&'a str>,
    /// The node it runs on.
    pub node: Option<&'a str>,
}

impl Selector {
    /// What the words mean.
    ///
    /// # Errors
    /// The first word that means nothing, with the place in it.
    pub fn parse(typed: &Typed<'_>) -> Result<Self, SelectorError> {
        let mut labels = each(typed.labels, Kind::Label, LabelSelector::parse)?;
        // An empty one asks for nothing.
        labels.retain(|selector| !selector.is_empty());
        Ok(Self {
            namespaces: each(typed.namespaces, Kind::Namespace, names::label)?,
            pods: each(typed.pods, Kind::Pod, PodName::parse)?,
            labels,
            workloads: each(typed.workloads, Kind::Workload, WorkloadName::parse)?,
            containers: each(typed.containers, Kind::Container, ContainerName::parse)?,
            nodes: each(typed.nodes, Kind::Node, names::subdomain)?,
        })
    }

    /// It selects everything.
    pub fn is_empty(&self) -> bool {
        !self.asks_for_container() && self.nodes.is_empty()
    }

    /// It asks for something that only what is in a container has, so that it can be decided for a
    /// container as a whole.
    pub fn asks_for_container(&self) -> bool {
        self.asks_for_pod() || !self.containers.is_empty()
    }

    fn asks_for_pod(&self) -> bool {
        let [namespaces, pods] = [self.namespaces.is_empty(), self.pods.is_empty()];
        !(namespaces && pods && self.labels.is_empty() && self.workloads.is_empty())
    }

    /// Whether this is selected.
    pub fn matches(&self, subject: &Subject<'_>) -> Verdict {
        let cannot = match subject.place {
            Place::Host => self.asks_for_container(),
            Place::Alone => self.asks_for_pod(),
            Place::Unknown | Place::Pod => false,
        };
        if cannot {
            return Verdict::No;
        }
        let names = |wanted: &[Box<str>], known: Option<&str>| {
            any(wanted, |name| Verdict::of(known, |known| known == &**name))
        };
        let labels = self.labels.iter().map(|selector| selector.matches(subject.labels));
        names(&self.namespaces, subject.namespace)
            .and(names(&self.nodes, subject.node))
            .and(any(&self.pods, |name| name.matches(subject)))
            .and(any(&self.workloads, |name| name.matches(subject)))
            .and(any(&self.containers, |name| name.matches(subject)))
            .and(labels.fold(Verdict::Yes, Verdict::and))
    }
}

/// Whether one of the alternatives holds; where there are none, everything does.
fn any<T>(wanted: &[T], matches: impl Fn(&T) -> Verdict) -> Verdict {
    if wanted.is_empty() {
        return Verdict::Yes;
    }
    wanted.iter().map(matches).fold(Verdict::No, Verdict::or)
}

fn each<T>(
    texts: &[String],
    kind: Kind,
    parse: impl Fn(&str) -> Result<T, (usize, Why)>,
) -> Result<Vec<T>, SelectorError> {
    let parse = |text: &String| {
        parse(text).map_err(|(at, why)| SelectorError { kind, text: text.clone(), at, why })
    };
    texts.iter().map(parse).collect()
}
