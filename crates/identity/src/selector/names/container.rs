//! Containers by name or id.

use super::super::{Subject, Verdict, Why};
use super::label;

/// Digits of a container's id that are enough: as many as tools show.
const FEWEST_DIGITS: usize = 12;
const MOST_DIGITS: usize = 64;

/// A container by its name in the pod or by the first digits of its id; what could be either is both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerName {
    name: Option<Box<str>>,
    id: Option<Box<str>>,
}

impl ContainerName {
    /// What was typed; an id may have its runtime before it (`containerd://…`), as kubectl shows it.
    ///
    /// # Errors
    /// Where it cannot be one, and why.
    pub fn parse(text: &str) -> Result<Self, (usize, Why)> {
        if let Some((runtime, id)) = text.split_once("://") {
            let at = runtime.len() + "://".len();
            let strange = id.char_indices().find(|(_, found)| !found.is_ascii_hexdigit());
            return match strange {
                Some((place, found)) => {
                    Err((at + place, Why::Character { found, allowed: "ids have hex digits" }))
                }
                None if id.len() < FEWEST_DIGITS => {
                    Err((text.len(), Why::Expected("at least 12 digits of the id")))
                }
                None if id.len() > MOST_DIGITS => {
                    Err((at + MOST_DIGITS, Why::TooLong { most: MOST_DIGITS }))
                }
                None => Ok(Self { name: None, id: Some(id.to_ascii_lowercase().into()) }),
            };
        }
        let is_id = (FEWEST_DIGITS..=MOST_DIGITS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = is_id.then(|| text.to_ascii_lowercase().into());
        match label(text) {
            Ok(name) => Ok(Self { name: Some(name), id }),
            Err(_) if is_id => Ok(Self { name: None, id }),
            Err(fault) => Err(fault),
        }
    }

    /// Whether it is this one's container.
    pub fn matches(&self, subject: &Subject<'_>) -> Verdict {
        let name = self.name.as_ref().map_or(Verdict::No, |wanted| {
            Verdict::of(subject.container_name, |known| known == &**wanted)
        });
        let id = self.id.as_ref().map_or(Verdict::No, |wanted| {
            Verdict::of(subject.container_id, |known| known.starts_with(&**wanted))
        });
        name.or(id)
    }
}
