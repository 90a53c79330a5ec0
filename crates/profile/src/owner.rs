//! Whose a sample is, from the thread up to the node.

use std::fmt::Write as _;

use crate::text::{TextId, Texts};

/// An owner of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OwnerId(pub(crate) u32);

impl OwnerId {
    /// Nobody knows.
    pub const UNKNOWN: Self = Self(0);
}

/// Whose a sample is; what is not known is empty, or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Owner {
    /// Thread-group id.
    pub pid: u32,
    /// When the process started, in ns since boot: with it a pid is a process, also when pids come again.
    pub start_boottime_ns: u64,
    /// The process's name (of its first thread).
    pub process: TextId,
    /// Thread id.
    pub tid: u32,
    /// The thread's name.
    pub thread: TextId,
    /// The container's name, or its id.
    pub container: TextId,
    /// The pod's name.
    pub pod: TextId,
    /// The pod's namespace.
    pub namespace: TextId,
    /// The node's name.
    pub node: TextId,
}

/// What stacks are grouped by: the first frame of each is then whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Grouping {
    /// All together.
    #[default]
    None,
    /// By thread.
    Thread,
    /// By process.
    Process,
    /// By container, with its pod.
    Container,
    /// By pod, with its namespace.
    Pod,
    /// By namespace.
    Namespace,
    /// By node.
    Node,
}

impl Grouping {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Thread,
        Self::Process,
        Self::Container,
        Self::Pod,
        Self::Namespace,
        Self::Node,
    ];

    /// Its name: `thread`.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Thread => "thread",
            Self::Process => "process",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Namespace => "namespace",
            Self::Node => "node",
        }
    }

    /// The group of an owner: `nginx (77)`, `shop/web-1`; `[no pod]` where there is none.
    pub fn name(self, owner: &Owner, texts: &Texts) -> String {
        let numbered = |name: TextId, number: u32| match (texts.get(name), number) {
            ("", 0) => String::new(),
            ("", number) => number.to_string(),
            (name, 0) => name.to_owned(),
            (name, number) => format!("{name} ({number})"),
        };
        let mut name = String::new();
        match self {
            Self::None => name.push_str("all"),
            Self::Thread => name = numbered(owner.thread, owner.tid),
            Self::Process => name = numbered(owner.process, owner.pid),
            Self::Container => {
                let container = texts.get(owner.container);
                if !container.is_empty() {
                    name = path(&[texts.get(owner.namespace), texts.get(owner.pod), container]);
                }
            }
            Self::Pod => {
                let pod = texts.get(owner.pod);
                if !pod.is_empty() {
                    name = path(&[texts.get(owner.namespace), pod]);
                }
            }
            Self::Namespace => name.push_str(texts.get(owner.namespace)),
            Self::Node => name.push_str(texts.get(owner.node)),
        }
        if name.is_empty() {
            let _ = write!(name, "[no {}]", self.word());
        }
        name
    }

    /// The fields of an owner that make its group: others do not matter to it.
    pub(crate) fn key(self, owner: &Owner) -> Owner {
        let Owner { pid, start_boottime_ns, process, tid, thread, container, pod, namespace, node } =
            *owner;
        let nobody = Owner::default();
        match self {
            Self::None => nobody,
            Self::Thread => Owner { pid, start_boottime_ns, tid, thread, ..nobody },
            Self::Process => Owner { pid, start_boottime_ns, process, ..nobody },
            Self::Container => Owner { container, pod, namespace, ..nobody },
            Self::Pod => Owner { pod, namespace, ..nobody },
            Self::Namespace => Owner { namespace, ..nobody },
            Self::Node => Owner { node, ..nobody },
        }
    }
}

fn path(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::{Grouping, Owner};
    use crate::text::Texts;

    #[test]
    fn groups_are_named_after_what_is_known() {
        let mut texts = Texts::default();
        let mut id = |text| texts.intern(text, 1000).unwrap();
        let owner = Owner {
            pid: 77,
            process: id("nginx"),
            tid: 78,
            container: id("server"),
            pod: id("web-1"),
            namespace: id("shop"),
            ..Owner::default()
        };
        let name = |grouping: Grouping| grouping.name(&owner, &texts);
        assert_eq!(name(Grouping::Process), "nginx (77)");
        assert_eq!(name(Grouping::Thread), "78");
        assert_eq!(name(Grouping::Container), "shop/web-1/server");
        assert_eq!(name(Grouping::Pod), "shop/web-1");
        assert_eq!(name(Grouping::Node), "[no node]");
    }
}
