//! Pods by name.

use super::super::{Place, Subject, Verdict, Why};
use super::{MOST_OF_SUBDOMAIN, characters, label, subdomain, within};

/// `[NAMESPACE/]NAME`, and `NAME*` for all whose names begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodName {
    namespace: Option<Box<str>>,
    name: Box<str>,
    is_prefix: bool,
}

impl PodName {
    /// What was typed.
    ///
    /// # Errors
    /// Where it cannot be one, and why.
    pub fn parse(text: &str) -> Result<Self, (usize, Why)> {
        let (namespace, at, rest) = match text.split_once('/') {
            Some((namespace, rest)) => (Some(label(namespace)?), namespace.len() + 1, rest),
            None => (None, 0, text),
        };
        let Some(prefix) = rest.strip_suffix('*') else {
            let name = within(at, subdomain(rest))?;
            return Ok(Self { namespace, name, is_prefix: false });
        };
        // It may end in the middle of a part, so only its characters and its beginning count.
        within(at, characters(prefix, true, MOST_OF_SUBDOMAIN))?;
        if prefix.starts_with(['-', '.']) {
            return Err((at, Why::Expected("a letter or a digit")));
        }
        Ok(Self { namespace, name: prefix.into(), is_prefix: true })
    }

    /// Whether it is this one's pod.
    pub fn matches(&self, subject: &Subject<'_>) -> Verdict {
        let name = match subject.pod {
            // `*` is every pod, whatever its name turns out to be.
            None if self.is_prefix && self.name.is_empty() && is_in_pod(subject) => Verdict::Yes,
            known => Verdict::of(known, |pod| {
                if self.is_prefix { pod.starts_with(&*self.name) } else { pod == &*self.name }
            }),
        };
        match &self.namespace {
            Some(wanted) => name.and(Verdict::of(subject.namespace, |known| known == &**wanted)),
            None => name,
        }
    }
}

fn is_in_pod(subject: &Subject<'_>) -> bool {
    subject.place == Place::Pod || subject.namespace.is_some()
}
