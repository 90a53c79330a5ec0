//! Containers by cgroup: which container a cgroup's path names ([`parse`]), and which container a
//! cgroup belongs to ([`Cgroups`]), so that a process is placed by what the kernel says of it.
//!
//! A path is chosen by whoever may make cgroups, a container with rights to its own included, so it
//! is never trusted: a name that is not exactly of a known form is no container, and a container that
//! seems to be within another stays marked as such.

mod cgroups;
mod path;
mod pod_uid;
#[cfg(test)]
mod tests;

pub use cgroups::{Cgroup, Cgroups, Container, Counts, Limits, Number, Tasks};
pub use path::{ContainerPath, Runtime, enclosing, parse};
pub use pod_uid::PodUid;
