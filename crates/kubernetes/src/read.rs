//! From the API's JSON to [`Change`]s: pure, for any bytes.
//!
//! Invariants: an object becomes a change within ceilings, or is malformed as a whole; an address or a
//! range in it that is none is left out.

mod objects;

use chandra_identity::cluster::{Change, Resource};
use serde::de::DeserializeOwned;

use crate::items::{Items, Part};
use crate::wire;

/// The longest `resourceVersion`; real ones have some twenty digits.
const MAX_VERSION_BYTES: usize = 256;
/// The longest `continue`; real ones have some hundred bytes.
const MAX_PAGE_BYTES: usize = 16 << 10;

/// One line of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchLine {
    /// An object is new, has changed, or is gone; and the version that this made. With it the number of
    /// addresses, ports and endpoints that are beyond the ceilings.
    Change(Box<Change>, String, u64),
    /// Nothing has changed until this version.
    Bookmark(String),
    /// The watch has ended.
    Refused(Refusal),
}

/// The API's words for what it does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code of HTTP; 0 if it was not told.
    pub code: u16,
    /// `Expired`, `Forbidden`, …
    pub reason: String,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// The version that was asked for is too old: a new list is needed.
    pub fn is_expired(&self) -> bool {
        self.code == 410 || self.reason == "Expired" || self.reason == "Gone"
    }
}

/// The bytes are not what the API says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Reads a line of a watch of this resource.
///
/// # Errors
/// When it is not such a line, or has an object without a name or a version.
pub fn watch_line(resource: Resource, line: &[u8]) -> Result<WatchLine, Malformed> {
    let head: wire::Head = parse(line)?;
    let is_gone = match head.kind.as_str() {
        "ADDED" | "MODIFIED" => false,
        "DELETED" => true,
        "BOOKMARK" => {
            let object: wire::Event<wire::Object> = parse(line)?;
            return Ok(WatchLine::Bookmark(version(object.object.metadata.resource_version)?));
        }
        "ERROR" => {
            let event: wire::Event<wire::Refusal> = parse(line)?;
            return Ok(WatchLine::Refused(event.object.into()));
        }
        _ => return Err(Malformed),
    };
    let mut omitted = 0;
    let (change, version) = match resource {
        Resource::Pods if is_gone => gone(line, |object| Ok(Change::PodGone(object.named()?))),
        Resource::Services if is_gone => gone(line, |it| Ok(Change::ServiceGone(it.named()?))),
        Resource::EndpointSlices if is_gone => {
            gone(line, |it| Ok(Change::EndpointSliceGone(it.named()?)))
        }
        Resource::Nodes if is_gone => gone(line, |it| Ok(Change::NodeGone(it.own_name()?))),
        Resource::Namespaces if is_gone => {
            gone(line, |it| Ok(Change::NamespaceGone(it.own_name()?)))
        }
        Resource::Pods => seen(line, &mut omitted, |it: &wire::Pod| &it.metadata, objects::pod),
        Resource::Services => {
            seen(line, &mut omitted, |it: &wire::Service| &it.metadata, objects::service)
        }
        Resource::EndpointSlices => {
            seen(line, &mut omitted, |it: &wire::EndpointSlice| &it.metadata, objects::slice)
        }
        Resource::Nodes => seen(line, &mut omitted, |it: &wire::Node| &it.metadata, objects::node),
        Resource::Namespaces => seen(
            line,
            &mut omitted,
            |it: &wire::Namespace| &it.metadata,
            |it, _| objects::namespace(it),
        ),
    }?;
    Ok(WatchLine::Change(Box::new(change), version, omitted))
}

/// Reads an object of a list of this resource; what is beyond the ceilings is added to `omitted`.
///
/// # Errors
/// When it is not such an object, or has no name.
pub(crate) fn item(
    resource: Resource,
    item: &[u8],
    omitted: &mut u64,
) -> Result<Change, Malformed> {
    match resource {
        Resource::Pods => objects::pod(&parse(item)?, omitted),
        Resource::Services => objects::service(&parse(item)?, omitted),
        Resource::EndpointSlices => objects::slice(&parse(item)?, omitted),
        Resource::Nodes => objects::node(&parse(item)?, omitted),
        Resource::Namespaces => objects::namespace(&parse(item)?),
    }
}

/// Reads a list of this resource that comes in these pieces, and gives each of its objects; what is
/// malformed is passed over. Gives the list's version, and where its next page is.
///
/// # Errors
/// When it is cut or no list.
pub fn page<'a>(
    resource: Resource,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut take: impl FnMut(Change),
) -> Result<(String, Option<String>), Malformed> {
    let mut items = Items::new(usize::MAX);
    let mut metadata = Err(Malformed);
    for piece in pieces {
        items.feed(piece, |part| {
            match part {
                Part::Metadata(bytes) => metadata = list_metadata(bytes),
                Part::Item(bytes) => item(resource, bytes, &mut 0).into_iter().for_each(&mut take),
                Part::TooLong => {}
            }
            Ok::<_, Malformed>(())
        })?;
    }
    if items.is_whole() { metadata } else { Err(Malformed) }
}

/// Reads the metadata of a list: its version, and where its next page is.
pub(crate) fn list_metadata(bytes: &[u8]) -> Result<(String, Option<String>), Malformed> {
    let metadata: wire::ListMetadata = parse(bytes)?;
    let next = metadata.next_page.filter(|page| !page.is_empty());
    if next.as_ref().is_some_and(|page| page.len() > MAX_PAGE_BYTES) {
        return Err(Malformed);
    }
    Ok((version(metadata.resource_version)?, next))
}

/// Reads the body of an answer that is not the one asked for.
pub(crate) fn refusal(code: u16, body: &[u8]) -> Refusal {
    let told: wire::Refusal = parse(body).unwrap_or_default();
    let refusal = Refusal::from(told);
    // What is between may answer in its own words, and the status line says what happened.
    Refusal { code, ..refusal }
}

impl From<wire::Refusal> for Refusal {
    fn from(told: wire::Refusal) -> Self {
        let code = told.code.unwrap_or(0);
        let reason = told.reason.unwrap_or_default();
        Self { code, reason, message: told.message.unwrap_or_default() }
    }
}

fn seen<T: DeserializeOwned>(
    line: &[u8],
    omitted: &mut u64,
    metadata: impl FnOnce(&T) -> &wire::Metadata,
    read: impl FnOnce(&T, &mut u64) -> Result<Change, Malformed>,
) -> Result<(Change, String), Malformed> {
    let object = parse::<wire::Event<T>>(line)?.object;
    let version = version(metadata(&object).resource_version.clone())?;
    Ok((read(&object, omitted)?, version))
}

fn gone(
    line: &[u8],
    read: impl FnOnce(&wire::Metadata) -> Result<Change, Malformed>,
) -> Result<(Change, String), Malformed> {
    let metadata = parse::<wire::Event<wire::Object>>(line)?.object.metadata;
    Ok((read(&metadata)?, version(metadata.resource_version)?))
}

fn version(told: Option<String>) -> Result<String, Malformed> {
    told.filter(|told| !told.is_empty() && told.len() <= MAX_VERSION_BYTES).ok_or(Malformed)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(bytes).map_err(|_| Malformed)
}
