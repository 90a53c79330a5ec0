//! A number for who somebody is: 32 bits per set of labels, the same on every node.
//!
//! Nobody hands these numbers out, so that nodes need not agree on anything: a number is computed from
//! the labels ([`LabelSet`]), and two sets that happen to get the same one are found and reported
//! ([`LabelSets`]); both go on working, because nothing but what is shown depends on the number.
//!
//! The ranges, so that what reads Hubble's flows is not misled:
//!
//! | numbers | who |
//! |---|---|
//! | 0 to 255 | Hubble's reserved ones ([`Reserved`]), which `hubble observe` shows by word |
//! | 256 to 2^24 − 1 | none: Cilium's control plane hands these out |
//! | 2^24 to 2^25 − 1 | ranges of addresses, where Cilium's are too: their readers look at the bits |
//! | 2^25 to 2^26 − 1 | none: Cilium's remote nodes |
//! | 2^26 to 2^32 − 1 | pods, by their labels: shown as `(ID:n)` and taken for nothing else |
//!
//! Why not the numbers of Cilium's pods: 16 bits are too few to be computed, where a thousand label
//! sets would collide almost surely. In ours, of 10,000 sets two are the same once in 85 clusters.

mod label_set;
mod label_sets;
mod reserved;

pub use label_set::{Label, LabelSet, number_of_range};
pub use label_sets::{Collision, LabelSets};
pub use reserved::Reserved;
