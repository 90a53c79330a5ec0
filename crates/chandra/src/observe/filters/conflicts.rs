//! Flags that exclude each other, as Hubble has them: most of them because the two filters of a flag of
//! either end would each ask something else than what was meant.

use super::Error;

/// Of each of these at most one flag may be used, as often as one likes.
const EXCLUSIVE: &[&[&str]] = &[
    &[
        "from-fqdn",
        "from-ip",
        "ip",
        "fqdn",
        "from-namespace",
        "namespace",
        "from-all-namespaces",
        "all-namespaces",
    ],
    &["from-fqdn", "from-ip", "ip", "fqdn", "from-pod", "pod"],
    &[
        "to-fqdn",
        "to-ip",
        "ip",
        "fqdn",
        "to-namespace",
        "namespace",
        "to-all-namespaces",
        "all-namespaces",
    ],
    &["to-fqdn", "to-ip", "ip", "fqdn", "to-pod", "pod"],
    &["to-pod", "namespace", "all-namespaces"],
    &["from-pod", "namespace", "all-namespaces"],
    &["to-service", "namespace", "all-namespaces"],
    &["from-service", "namespace", "all-namespaces"],
    &["label", "from-label"],
    &["label", "to-label"],
    &["service", "from-service"],
    &["service", "to-service"],
    &["port", "from-port"],
    &["port", "to-port"],
    &["identity", "from-identity"],
    &["identity", "to-identity"],
    &["workload", "from-workload"],
    &["workload", "to-workload"],
    &["encrypted", "unencrypted"],
    &["reply", "not-reply"],
];

/// Whether these may stand together.
pub fn check(used: &[&'static str]) -> Result<(), Error> {
    for group in EXCLUSIVE {
        let mut of_group = used.iter().filter(|flag| group.contains(flag));
        if let (Some(first), Some(second)) = (of_group.next(), of_group.next()) {
            return Err(Error::Conflict(first, second));
        }
    }
    Ok(())
}
