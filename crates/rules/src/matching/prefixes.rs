//! Paths that another may lie below (`pmatch`), as a tree of their components.

use std::collections::HashMap;

use super::Glob;

#[derive(Debug, Clone, Default)]
struct Node {
    named: HashMap<Box<[u8]>, u32>,
    /// Components with wildcards.
    patterns: Vec<(Glob, u32)>,
    /// A path ends here, so that all below is below it.
    ends: bool,
}

/// A set of paths. Wildcards stand for parts of one component.
#[derive(Debug, Clone)]
pub(crate) struct Prefixes {
    nodes: Vec<Node>,
}

impl Prefixes {
    pub fn new<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        let mut prefixes = Self { nodes: vec![Node::default()] };
        paths.into_iter().for_each(|path| prefixes.add(path));
        prefixes
    }

    fn add(&mut self, path: &str) {
        let mut at = 0;
        for component in components(path.as_bytes()) {
            let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
            let Some(node) = self.nodes.get_mut(at) else { return };
            let is_pattern = component.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
            let child = if is_pattern {
                let glob = Glob::new(&String::from_utf8_lossy(component), false);
                match node.patterns.iter().find(|(known, _)| *known == glob) {
                    Some((_, child)) => *child,
                    None => {
                        node.patterns.push((glob, next));
                        next
                    }
                }
            } else {
                *node.named.entry(component.into()).or_insert(next)
            };
            if child == next {
                self.nodes.push(Node::default());
            }
            at = child as usize;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.ends = true;
        }
    }

    /// What an absolute path without doubled slashes begins with that is one of them or lies below one.
    pub fn beginnings(&self) -> Vec<Vec<u8>> {
        let (mut found, mut waiting) = (Vec::new(), vec![(0, Vec::new())]);
        while let Some((at, path)) = waiting.pop() {
            let Some(node) = self.nodes.get(at) else { continue };
            if node.ends {
                found.push(path);
                continue;
            }
            let below = [&path[..], b"/"].concat();
            if !node.patterns.is_empty() {
                found.push(below.clone());
            }
            let named = node.named.iter();
            waiting
                .extend(named.map(|(name, child)| (*child as usize, [&below[..], name].concat())));
        }
        found
    }

    /// Whether a path is one of them or lies below one.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.matches_from(0, path)
    }

    fn matches_from(&self, at: u32, path: &[u8]) -> bool {
        let Some(node) = self.nodes.get(at as usize) else { return false };
        if node.ends {
            return true;
        }
        let mut rest = components(path);
        let Some(first) = rest.next() else { return false };
        let after = rest.rest;
        let named = node.named.get(first).copied();
        let patterns = node.patterns.iter().filter(|(glob, _)| glob.matches(first));
        let mut children = named.into_iter().chain(patterns.map(|(_, child)| *child));
        children.any(|child| self.matches_from(child, after))
    }
}

struct Components<'p> {
    rest: &'p [u8],
}

/// The parts of a path, slashes that follow each other being one.
fn components(path: &[u8]) -> Components<'_> {
    Components { rest: path }
}

impl<'p> Iterator for Components<'p> {
    type Item = &'p [u8];

    fn next(&mut self) -> Option<&'p [u8]> {
        let start = self.rest.iter().position(|byte| *byte != b'/')?;
        let rest = self.rest.get(start..)?;
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        let (component, after) = rest.split_at(end);
        self.rest = after;
        Some(component)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_below_whole_components() {
        let prefixes = Prefixes::new(["/var/run/", "/etc", "/home/*/.ssh", "/a/b/c"]);
        for path in
            ["/var/run", "/var/run/docker.sock", "/etc", "/etc/x/y", "/home/ann/.ssh/id", "//etc"]
        {
            assert!(prefixes.matches(path.as_bytes()), "{path}");
        }
        for path in ["/var/runner", "/var", "/", "", "/home/.ssh", "/home/a/b/.ssh", "/a/b"] {
            assert!(!prefixes.matches(path.as_bytes()), "{path}");
        }
        assert!(Prefixes::new(["/"]).matches(b"/x"));
        assert!(!Prefixes::new([]).matches(b"/x"));
    }

    #[test]
    fn beginnings_end_where_a_wildcard_is() {
        let prefixes = Prefixes::new(["/var/run/", "/home/*/.ssh", "/home/ann", "/etc", "/etc/x"]);
        let mut found = prefixes.beginnings();
        found.sort();
        assert_eq!(found, [&b"/etc"[..], b"/home/", b"/home/ann", b"/var/run"]);
        assert_eq!(Prefixes::new(["/"]).beginnings(), [b""]);
        assert!(Prefixes::new([]).beginnings().is_empty());
    }

    /// What the tree says is what comparing with each path says.
    #[test]
    fn the_tree_agrees_with_one_path_after_another() {
        let words = ["a", "b", "a*", "??"];
        let mut paths = vec![String::new()];
        for _ in 0..3 {
            let longer = paths.iter().flat_map(|path| words.map(|word| format!("{path}/{word}")));
            paths = longer.collect();
        }
        for step in [1, 5, 7] {
            let chosen: Vec<&str> = paths.iter().step_by(step).map(String::as_str).collect();
            let together = Prefixes::new(chosen.iter().copied());
            for path in ["/a/b/a/x", "/aa/bb/ab", "/b/b/b", "/a/b", "/ab/a/aa/b"] {
                let one = chosen.iter().any(|one| Prefixes::new([*one]).matches(path.as_bytes()));
                assert_eq!(together.matches(path.as_bytes()), one, "{path}");
            }
        }
    }
}
