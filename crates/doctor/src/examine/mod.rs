//! Judges what was gathered of a node: one finding for each thing that was looked at, in the order in which
//! a person would look. Pure, so that nodes that do not exist can be judged, too.

mod bpf;
mod certificates;
mod hooks;
mod hubble;
mod kernel;
mod rights;
mod surroundings;
#[cfg(test)]
mod tests;

use crate::capabilities::Need;
use crate::node::Node;
use crate::{Finding, Report};

/// Everything that is to be said of a node where `needs` are needed.
pub fn examine(node: &Node, needs: &[Need]) -> Report {
    let parts: [Vec<Finding>; 7] = [
        kernel::examine(node),
        rights::examine(node, needs),
        bpf::examine(node),
        hooks::examine(node),
        surroundings::examine(node),
        hubble::examine(node),
        certificates::examine(node),
    ];
    Report { findings: parts.concat() }
}
