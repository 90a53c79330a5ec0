//! One set of labels with its number, in the smallest form that can still be read.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::cluster::Cidr;
use crate::description::Pairs;
use crate::intern::Heap;
use crate::process::slab::allocation;

/// The label that a pod's namespace is.
const NAMESPACE: &str = "io.kubernetes.pod.namespace";
/// The label that a cluster's name is.
const CLUSTER: &str = "io.cilium.k8s.policy.cluster";

/// Labels that say which one of a workload's pods, or of its versions or runs, a pod is: they would
/// make an identity of each.
const OF_AN_INSTANCE: [&str; 12] = [
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "controller-uid",
    "job-completion-index",
    "job-name",
    "pod-template-generation",
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// The first number of a label set, and how many there are from it on.
const FIRST: u64 = 1 << 26;
const COUNT: u64 = (1 << 32) - FIRST;
/// The first number of a range of addresses, and how many there are.
const FIRST_RANGE: u64 = 1 << 24;
const RANGES: u64 = 1 << 24;

/// The labels by which pods are the same or different, with their namespace and, if it has a name,
/// their cluster.
///
/// Labels of single instances (a template's hash, a pod's index, the name of a job, …) are left out.
/// [`LabelSet::number`] is computed as follows, and stays so for ever. For each label in the order of
/// its key's bytes: length of the key, key, length of the value, value; lengths are 32 bits, little
/// endian. All of that through FNV-1a of 64 bits; the remainder of its division by 2^32 − 2^26, plus
/// 2^26.
#[derive(Debug, Clone)]
pub struct LabelSet {
    /// Keys and values, one behind the other.
    text: Box<str>,
    /// Where each of them ends.
    ends: Box<[u16]>,
    number: u32,
}

impl LabelSet {
    /// The set of a pod in this namespace. The cluster's name is empty if it has none.
    pub fn new(cluster: &str, namespace: &str, labels: &Pairs) -> Self {
        let own = [(CLUSTER, cluster), (NAMESPACE, namespace)];
        let of_pod = labels.iter().map(|(key, value)| (key, value.as_str()));
        // What a pod says of its namespace or its cluster itself is not believed.
        let of_pod = of_pod.filter(|(key, _)| {
            !OF_AN_INSTANCE.contains(key) && *key != NAMESPACE && *key != CLUSTER
        });
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let mut all: Vec<(&str, &str)> = own.chain(of_pod).collect();
        all.sort_unstable_by_key(|(key, _)| *key);

        let bytes = all.iter().map(|(key, value)| key.len() + value.len()).sum();
        let mut text = String::with_capacity(bytes);
        let mut ends = Vec::with_capacity(2 * all.len());
        let mut hash = Fnv::default();
        for (key, value) in all {
            let key_end = u16::try_from(text.len() + key.len());
            let value_end = u16::try_from(text.len() + key.len() + value.len());
            // `Pairs` and `Text` are bounded: only a cluster's name of 40 KiB could be left out here.
            let (Ok(key_end), Ok(value_end)) = (key_end, value_end) else { continue };
            text.push_str(key);
            text.push_str(value);
            ends.extend([key_end, value_end]);
            hash.part(key.as_bytes());
            hash.part(value.as_bytes());
        }
        let number = (FIRST + hash.0 % COUNT) as u32;
        Self { text: text.into(), ends: ends.into(), number }
    }

    /// The number of this set: 2^26 at least.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The labels in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = Label<'_>> {
        let mut start = 0;
        self.ends.chunks_exact(2).filter_map(move |ends| {
            let [key_end, value_end] = *ends else { return None };
            let (key_end, value_end) = (usize::from(key_end), usize::from(value_end));
            let label = Label {
                key: self.text.get(start..key_end)?,
                value: self.text.get(key_end..value_end)?,
            };
            start = value_end;
            Some(label)
        })
    }

    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|label| label.key == key).map(|label| label.value)
    }

    /// The namespace of its pods.
    pub fn namespace(&self) -> &str {
        self.get(NAMESPACE).unwrap_or_default()
    }
}

impl PartialEq for LabelSet {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.ends == other.ends && self.text == other.text
    }
}

impl Eq for LabelSet {}

impl Hash for LabelSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Heap for LabelSet {
    fn heap_bytes(&self) -> usize {
        // Two allocations, each of which may be empty.
        let sizes = [self.text.len(), size_of_val(&*self.ends)];
        sizes.into_iter().filter(|size| *size > 0).map(allocation).sum()
    }
}

/// One label of a pod. Displayed as Hubble writes it: `k8s:key=value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its value.
    pub value: &'a str,
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "k8s:{}={}", self.key, self.value)
    }
}

/// The number of a range of addresses: the lowest 24 bits of FNV-1a, of 64 bits, of the 16 bytes of
/// its first address (IPv4 as `::ffff:a.b.c.d`) and one with the bits of its prefix (IPv4's with 96
/// more), plus 2^24.
pub fn number_of_range(range: Cidr) -> u32 {
    let (address, bits) = range.mapped();
    let mut hash = Fnv::default();
    hash.bytes(&address.to_be_bytes());
    hash.bytes(&[bits]);
    (FIRST_RANGE + hash.0 % RANGES) as u32
}

/// FNV-1a of 64 bits: simple enough to be computed by anybody, anywhere.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn part(&mut self, part: &[u8]) {
        self.bytes(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cluster: &str, namespace: &str, labels: &[(&str, &str)]) -> LabelSet {
        let pairs = labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        LabelSet::new(cluster, namespace, &Pairs::collect(pairs))
    }

    fn texts(set: &LabelSet) -> Vec<String> {
        set.iter().map(|label| label.to_string()).collect()
    }

    fn range(address: &str, prefix_bits: u8) -> Cidr {
        Cidr { address: address.parse().unwrap(), prefix_bits }
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // Values that its authors publish.
        for (text, value) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            let mut hash = Fnv::default();
            hash.bytes(text.as_bytes());
            assert_eq!(hash.0, value);
        }
    }

    #[test]
    fn numbers_stay_the_same_for_ever() {
        // Computed by another program from the description of `LabelSet`. Never to be changed.
        assert_eq!(set("", "", &[]).number(), GOLDEN[0]);
        assert_eq!(set("", "default", &[("app", "web")]).number(), GOLDEN[1]);
        let dns = [("k8s-app", "kube-dns"), ("pod-template-hash", "7d4b9c6f5d")];
        assert_eq!(set("", "kube-system", &dns).number(), GOLDEN[2]);
        assert_eq!(set("east", "default", &[("app", "web"), ("tier", "")]).number(), GOLDEN[3]);
        assert_eq!(number_of_range(range("10.0.0.0", 8)), GOLDEN[4]);
        assert_eq!(number_of_range(range("2001:db8::", 32)), GOLDEN[5]);
    }

    const GOLDEN: [u32; 6] =
        [3_156_353_829, 3_094_432_269, 839_722_152, 699_926_475, 26_574_107, 17_616_773];

    #[test]
    fn labels_are_hubbles_texts_without_those_of_an_instance() {
        let labels = [("app", "web"), ("pod-template-hash", "7d4b9c6f5d"), ("zone", "")];
        let set = set("east", "shop", &labels);
        let expected = [
            "k8s:app=web",
            "k8s:io.cilium.k8s.policy.cluster=east",
            "k8s:io.kubernetes.pod.namespace=shop",
            "k8s:zone=",
        ];
        assert_eq!(texts(&set), expected);
        assert_eq!((set.get("app"), set.get("pod-template-hash")), (Some("web"), None));
        assert_eq!(set.namespace(), "shop");
    }

    #[test]
    fn every_label_of_an_instance_leaves_the_number_as_it_is() {
        let plain = set("", "shop", &[("app", "web")]);
        for key in OF_AN_INSTANCE {
            assert_eq!(set("", "shop", &[("app", "web"), (key, "x")]), plain);
        }
    }

    #[test]
    fn a_pod_cannot_say_that_it_is_elsewhere() {
        let labels = [(NAMESPACE, "kube-system"), (CLUSTER, "west")];
        assert_eq!(set("", "shop", &labels), set("", "shop", &[]));
    }

    #[test]
    fn no_two_sets_are_written_alike() {
        let sets = [
            set("", "n", &[("a", "bc")]),
            set("", "n", &[("ab", "c")]),
            set("", "n", &[("a", "b"), ("c", "")]),
            set("", "n", &[("a=b", "c")]),
            set("", "na", &[("", "bc")]),
        ];
        for (at, one) in sets.iter().enumerate() {
            for other in sets.iter().skip(at + 1) {
                assert_ne!(one, other);
                assert_ne!(one.number(), other.number());
            }
        }
    }

    #[test]
    fn numbers_keep_out_of_the_ranges_of_others() {
        for number in 0..10_000 {
            assert!(set("", &number.to_string(), &[]).number() >= 1 << 26);
            let range =
                number_of_range(range(&format!("10.0.{}.{}", number / 256, number % 256), 32));
            assert_eq!(range >> 24, 1);
        }
    }

    #[test]
    fn hostile_labels_are_kept_as_they_are() {
        let huge = "v".repeat(1 << 20);
        let many: Vec<String> = (0..1000).map(|number| format!("key-{number}")).collect();
        let mut labels: Vec<(&str, &str)> =
            many.iter().map(|key| (key.as_str(), huge.as_str())).collect();
        labels.push(("a\0b\x1b[2J=", "\n\u{fffd}"));
        let set = set(&huge, &huge[..1024], &labels);
        assert_eq!(texts(&set)[0], "k8s:a\0b\x1b[2J==\n\u{fffd}");
        assert!(set.heap_bytes() < 32 << 10);
        assert_eq!(set.namespace().len(), 1024);
    }
}
