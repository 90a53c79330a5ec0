//! Pods and services by namespace and the beginning of their name.

use super::Why;

/// `namespace/prefix`, `namespace/` for all of a namespace, `/prefix` in any namespace; without a slash
/// in the namespace `default`.
#[derive(Debug, PartialEq, Eq)]
pub struct NamePrefix {
    namespace: Option<Box<str>>,
    prefix: Box<str>,
}

impl NamePrefix {
    /// What was typed.
    pub fn parse(text: &str) -> Result<Self, Why> {
        if text.is_empty() {
            return Err(Why::Name);
        }
        let (namespace, prefix) = text.split_once('/').unwrap_or(("default", text));
        let namespace = (!namespace.is_empty()).then(|| namespace.into());
        Ok(Self { namespace, prefix: prefix.into() })
    }

    /// Whether something with this namespace and name is meant. What has neither never is.
    pub fn matches(&self, namespace: &str, name: &str) -> bool {
        (!namespace.is_empty() || !name.is_empty())
            && self.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
            && name.starts_with(&*self.prefix)
    }
}
