//! What pods belong to, by kind and name.

use super::super::{Subject, Verdict, Why};
use super::{MOST_OF_LABEL, MOST_OF_SUBDOMAIN, check, subdomain, within};

/// `[KIND/]NAME` of what a pod belongs to; `pod/NAME` is a pod itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadName {
    /// In lower case.
    kind: Option<Box<str>>,
    name: Box<str>,
}

/// What is typed for the kinds of Kubernetes, all in lower case, beside the kinds themselves.
const KINDS: &[(&str, &[&str])] = &[
    ("deployment", &["deploy", "deployments"]),
    ("daemonset", &["ds", "daemonsets"]),
    ("statefulset", &["sts", "statefulsets"]),
    ("replicaset", &["rs", "replicasets"]),
    ("replicationcontroller", &["rc", "replicationcontrollers"]),
    ("cronjob", &["cj", "cronjobs"]),
    ("job", &["jobs"]),
    (POD, &["po", "pods"]),
];
const POD: &str = "pod";
const KIND: &str = "kinds have letters and digits";

impl WorkloadName {
    /// What was typed. Kinds that Kubernetes does not have of itself are taken as they are, and a group
    /// behind the kind (`deployment.apps/web`) is left out.
    ///
    /// # Errors
    /// Where it cannot be one, and why.
    pub fn parse(text: &str) -> Result<Self, (usize, Why)> {
        let Some((typed, name)) = text.split_once('/') else {
            return Ok(Self { kind: None, name: subdomain(text)? });
        };
        let (kind, group) = typed.split_once('.').unwrap_or((typed, ""));
        let strange = kind.char_indices().find(|(_, found)| !found.is_ascii_alphanumeric());
        if let Some((at, found)) = strange {
            return Err((at, Why::Character { found, allowed: KIND }));
        }
        if kind.is_empty() {
            return Err((0, Why::Expected("a kind, as in deploy/web")));
        }
        if kind.len() > MOST_OF_LABEL {
            return Err((MOST_OF_LABEL, Why::TooLong { most: MOST_OF_LABEL }));
        }
        if kind.len() < typed.len() {
            within(kind.len() + 1, check(group, true, MOST_OF_SUBDOMAIN))?;
        }
        let kind = kind.to_ascii_lowercase();
        let known = KINDS.iter().find(|(_, short)| short.contains(&&*kind));
        let name = within(typed.len() + 1, subdomain(name))?;
        Ok(Self { kind: Some(known.map_or(&*kind, |(long, _)| *long).into()), name })
    }

    /// Whether this one's pod belongs to it.
    pub fn matches(&self, subject: &Subject<'_>) -> Verdict {
        match &self.kind {
            Some(kind) if &**kind == POD => Verdict::of(subject.pod, |pod| pod == &*self.name),
            Some(wanted) => Verdict::of(subject.workload, |(kind, name)| {
                kind.eq_ignore_ascii_case(wanted) && name == &*self.name
            }),
            None => Verdict::of(subject.workload, |(_, name)| name == &*self.name),
        }
    }
}
