//! Patterns of DNS names and of nodes, where `*` stands for some characters of a name.

use super::Why;

/// A pattern: `*.example.com`. Lower case, without a dot at the end.
#[derive(Debug, PartialEq, Eq)]
pub struct Glob(Box<[u8]>);

/// What a star can stand for.
fn is_of_star(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z')
}

impl Glob {
    /// What was typed.
    pub fn parse(text: &str) -> Result<Self, Why> {
        let text = text.trim();
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if text.is_empty() {
            return Err(Why::Pattern("it is empty"));
        }
        if text.ends_with('.') {
            return Err(Why::Pattern("it has several dots at the end"));
        }
        let is_of_pattern = |byte: u8| is_of_star(byte) || matches!(byte, b'*' | b'_');
        if !text.bytes().all(is_of_pattern) {
            return Err(Why::Pattern("it may have a-z, 0-9, -, _, . and *"));
        }
        Ok(Self(text.into_bytes().into()))
    }

    /// Whether a name is as the pattern says, from its first character to the last.
    ///
    /// The last star that was seen may take more, which never helps an earlier one: at most
    /// `name × pattern` steps.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (&*self.0, name.as_bytes());
        let (mut at, mut place) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(&byte) = name.get(place) {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, place));
                    at += 1;
                }
                Some(&wanted) if wanted == byte => {
                    at += 1;
                    place += 1;
                }
                _ => {
                    let Some((of_star, taken)) = star else { return false };
                    if !name.get(taken).is_some_and(|byte| is_of_star(*byte)) {
                        return false;
                    }
                    star = Some((of_star, taken + 1));
                    at = of_star + 1;
                    place = taken + 1;
                }
            }
        }
        pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
    }
}

/// A pattern of nodes: `cluster/node`; what is left out, or empty, is any.
#[derive(Debug, PartialEq, Eq)]
pub struct NodeGlob {
    cluster: Option<Glob>,
    node: Option<Glob>,
}

/// The cluster of a node that names none.
const DEFAULT_CLUSTER: &str = "default";

impl NodeGlob {
    /// What was typed.
    pub fn parse(text: &str) -> Result<Self, Why> {
        if text.is_empty() {
            return Err(Why::Pattern("it is empty"));
        }
        let (cluster, node) = text.split_once('/').unwrap_or(("", text));
        if node.contains('/') {
            return Err(Why::Pattern("it has several slashes"));
        }
        let part = |text: &str| (!text.is_empty()).then(|| Glob::parse(text)).transpose();
        Ok(Self { cluster: part(cluster)?, node: part(node)? })
    }

    /// Whether a node, `cluster/node` or `node`, is meant.
    pub fn matches(&self, name: &str) -> bool {
        let (cluster, node) = name.split_once('/').unwrap_or((DEFAULT_CLUSTER, name));
        let fits = |glob: &Option<Glob>, name: &str| match glob {
            Some(glob) => glob.matches(name),
            None => !name.is_empty(),
        };
        !name.is_empty() && fits(&self.cluster, cluster) && fits(&self.node, node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters_of_a_name() {
        for (pattern, name, expected) in [
            ("example.com", "example.com", true),
            ("Example.COM.", "example.com", true),
            ("example.com", "www.example.com", false),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*", "", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("*ab", "aab", true),
            ("a*a*a", "aaa", true),
            ("a*a*a", "aa", false),
            ("*.com", "a_b.com", false),
            ("a_*.com", "a_b.com", true),
            ("*", "A", false),
        ] {
            assert_eq!(
                Glob::parse(pattern).expect(pattern).matches(name),
                expected,
                "{pattern} {name}"
            );
        }
        for pattern in ["", ".", "a..", "a b", "é", "a/b", "a[b]"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern:?}");
        }
    }

    #[test]
    fn a_node_is_of_any_cluster_unless_one_is_named() {
        for (pattern, name, expected) in [
            ("n1", "n1", true),
            ("n1", "east/n1", true),
            ("n*", "east/n1", true),
            ("n1", "east/n12", false),
            ("east/n1", "east/n1", true),
            ("east/n1", "n1", false),
            ("default/n1", "n1", true),
            ("e*/", "east/n1", true),
            ("/n1", "west/n1", true),
            ("n1", "", false),
        ] {
            let glob = NodeGlob::parse(pattern).expect(pattern);
            assert_eq!(glob.matches(name), expected, "{pattern} {name}");
        }
        for pattern in ["", "a/b/c", "a b", "a../b"] {
            assert!(NodeGlob::parse(pattern).is_err(), "{pattern:?}");
        }
    }
}
