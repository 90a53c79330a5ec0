//! How tables hash what every record asks for: quickly, and with keys of this process's own, so that who
//! chooses names and addresses cannot choose what collides.

use std::collections;

pub(crate) use foldhash::quality::RandomState;

/// A map that hashes so.
pub(crate) type HashMap<K, V> = collections::HashMap<K, V, RandomState>;
