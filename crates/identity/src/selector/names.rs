//! Names of pods, workloads and containers, as they are typed.
//!
//! Invariant: a name that no object can have is refused, so that a mistyped one is told of instead of
//! selecting nothing.

mod container;
mod pod;
mod workload;

pub use container::ContainerName;
pub use pod::PodName;
pub use workload::WorkloadName;

use super::Why;

/// Where in a text, and why.
type Fault = (usize, Why);

const SUBDOMAIN: &str = "names have lower-case letters, digits, - and .";
const LABEL: &str = "names have lower-case letters, digits and -";
const MOST_OF_SUBDOMAIN: usize = 253;
const MOST_OF_LABEL: usize = 63;

/// A name as namespaces and containers have it: RFC 1123's label.
pub fn label(text: &str) -> Result<Box<str>, Fault> {
    check(text, false, MOST_OF_LABEL)?;
    Ok(text.into())
}

/// A name as most objects have it: labels with dots between.
pub fn subdomain(text: &str) -> Result<Box<str>, Fault> {
    check(text, true, MOST_OF_SUBDOMAIN)?;
    Ok(text.into())
}

fn check(text: &str, dots: bool, most: usize) -> Result<(), Fault> {
    characters(text, dots, most)?;
    for (at, part) in parts(text) {
        if part.is_empty() || part.starts_with('-') {
            return Err((at, Why::Expected("a letter or a digit")));
        }
        if part.ends_with('-') {
            return Err((at + part.len(), Why::Expected("a letter or a digit")));
        }
    }
    Ok(())
}

fn characters(text: &str, dots: bool, most: usize) -> Result<(), Fault> {
    let allowed = |found: char| {
        let is_dot = dots && found == '.';
        found.is_ascii_lowercase() || found.is_ascii_digit() || found == '-' || is_dot
    };
    let strange = text.char_indices().find(|(_, found)| !allowed(*found));
    match strange {
        Some((at, found)) => {
            let allowed = if dots { SUBDOMAIN } else { LABEL };
            Err((at, Why::Character { found, allowed }))
        }
        None if text.len() > most => Err((most, Why::TooLong { most })),
        None => Ok(()),
    }
}

/// What is between dots, each with its place.
fn parts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('.').scan(0, |next, part| {
        let at = *next;
        *next += part.len() + 1;
        Some((at, part))
    })
}

/// Moves faults of a part to their place in the whole.
fn within<T>(at: usize, result: Result<T, Fault>) -> Result<T, Fault> {
    result.map_err(|(place, why)| (at + place, why))
}
