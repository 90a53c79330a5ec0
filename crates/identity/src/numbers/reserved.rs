//! The identities that are no pods, with the numbers and words that Hubble gives them.

/// Who an address belongs to when it is no pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reserved {
    /// Not known (yet).
    Unknown,
    /// This node.
    Host,
    /// Outside of the cluster.
    World,
    /// A pod that is not looked after.
    Unmanaged,
    /// A health check's endpoint.
    Health,
    /// A pod whose labels are not known yet.
    Init,
    /// Another node of the cluster.
    RemoteNode,
    /// A node that serves Kubernetes' API.
    KubeApiserver,
    /// An ingress.
    Ingress,
    /// Outside of the cluster, IPv4, in a cluster that has both.
    WorldIpv4,
    /// Outside of the cluster, IPv6, in a cluster that has both.
    WorldIpv6,
}

impl Reserved {
    /// All of them, in the order of their numbers.
    pub const ALL: [Reserved; 11] = [
        Reserved::Unknown,
        Reserved::Host,
        Reserved::World,
        Reserved::Unmanaged,
        Reserved::Health,
        Reserved::Init,
        Reserved::RemoteNode,
        Reserved::KubeApiserver,
        Reserved::Ingress,
        Reserved::WorldIpv4,
        Reserved::WorldIpv6,
    ];

    /// Its number: 0 to 10.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The one with this number.
    pub fn of_number(number: u32) -> Option<Reserved> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Its word: `remote-node`.
    pub fn word(self) -> &'static str {
        match self {
            Reserved::Unknown => "unknown",
            Reserved::Host => "host",
            Reserved::World => "world",
            Reserved::Unmanaged => "unmanaged",
            Reserved::Health => "health",
            Reserved::Init => "init",
            Reserved::RemoteNode => "remote-node",
            Reserved::KubeApiserver => "kube-apiserver",
            Reserved::Ingress => "ingress",
            Reserved::WorldIpv4 => "world-ipv4",
            Reserved::WorldIpv6 => "world-ipv6",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_are_hubbles() {
        let words: Vec<_> = Reserved::ALL.iter().map(|one| (one.number(), one.word())).collect();
        let hubbles = [
            (0, "unknown"),
            (1, "host"),
            (2, "world"),
            (3, "unmanaged"),
            (4, "health"),
            (5, "init"),
            (6, "remote-node"),
            (7, "kube-apiserver"),
            (8, "ingress"),
            (9, "world-ipv4"),
            (10, "world-ipv6"),
        ];
        assert_eq!(words, hubbles);
        for one in Reserved::ALL {
            assert_eq!(Reserved::of_number(one.number()), Some(one));
        }
        assert_eq!(Reserved::of_number(11), None);
    }
}
