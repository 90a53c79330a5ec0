//! A cluster in memory that answers lists and watches as an API server does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::server::{Answer, Asked, Piece, Server};

#[derive(Debug, Default)]
struct State {
    version: u64,
    /// Versions up to this are forgotten.
    compacted: u64,
    /// Objects of a page; 0 for all in one.
    page: usize,
    objects: BTreeMap<(String, String), Value>,
    log: Vec<(u64, String, Value)>,
    watches: Vec<(String, mpsc::UnboundedSender<Piece>)>,
}

/// Clones are the same cluster.
#[derive(Debug, Clone, Default)]
pub struct Cluster(Arc<Mutex<State>>);

impl Cluster {
    /// Whose versions begin here, and which sends pages of this size.
    pub fn new(version: u64, page: usize) -> Self {
        let state = State { version, compacted: version, page, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Serves it on some port of loopback.
    pub fn serve(&self) -> Server {
        self.serve_at(([127, 0, 0, 1], 0).into())
    }

    /// Serves it at this address.
    pub fn serve_at(&self, address: SocketAddr) -> Server {
        let cluster = self.clone();
        Server::at(address, None, move |asked| cluster.answer(asked))
    }

    /// Served, but some requests get another answer.
    pub fn but(&self, other: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Server {
        let cluster = self.clone();
        Server::start(move |asked| other(asked).unwrap_or_else(|| cluster.answer(asked)))
    }

    /// Adds or changes an object.
    pub fn put(&self, resource: &str, name: &str, object: Value) {
        self.change(resource, name, Some(object));
    }

    /// Takes an object away.
    pub fn delete(&self, resource: &str, name: &str) {
        self.change(resource, name, None);
    }

    fn change(&self, resource: &str, name: &str, object: Option<Value>) {
        let mut state = self.0.lock().unwrap();
        state.version += 1;
        let version = state.version;
        let key = (resource.to_owned(), name.to_owned());
        let old = state.objects.remove(&key);
        let kind = match (&old, &object) {
            (_, None) => "DELETED",
            (None, _) => "ADDED",
            _ => "MODIFIED",
        };
        let is_kept = object.is_some();
        let mut object = object.or(old).unwrap();
        object["metadata"]["name"] = json!(name);
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        if is_kept {
            state.objects.insert(key, object.clone());
        }
        let event = json!({"type": kind, "object": object});
        state.log.push((version, resource.to_owned(), event.clone()));
        state.send(resource, line(&event));
    }

    /// Forgets how it came to be as it is.
    pub fn compact(&self) {
        let mut state = self.0.lock().unwrap();
        state.version += 1;
        state.compacted = state.version;
        state.log.clear();
    }

    /// Sends a bookmark to all watches of this resource.
    pub fn bookmark(&self, resource: &str) {
        let mut state = self.0.lock().unwrap();
        let version = state.version.to_string();
        let metadata = json!({"resourceVersion": version, "creationTimestamp": null});
        let object = json!({"kind": "Any", "metadata": metadata, "spec": {"containers": null}});
        state.send(resource, line(&json!({"type": "BOOKMARK", "object": object})));
    }

    /// Sends these bytes to all watches of this resource.
    pub fn send(&self, resource: &str, bytes: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().send(resource, bytes.into());
    }

    /// Breaks all watches of this resource off, in the middle of a line.
    pub fn cut(&self, resource: &str) {
        let mut state = self.0.lock().unwrap();
        state.send(resource, b"{\"type\":\"ADDED\",\"obj".to_vec());
        for (_, watch) in state.watches.extract_if(.., |(of, _)| of == resource) {
            drop(watch.send(Piece::Cut));
        }
    }

    /// Ends all watches of this resource as servers do after a while.
    pub fn end(&self, resource: &str) {
        self.0.lock().unwrap().watches.retain(|(of, _)| of != resource);
    }

    /// Its answer to a request.
    pub fn answer(&self, asked: &Asked) -> Answer {
        let mut state = self.0.lock().unwrap();
        if asked.is_watch() { state.watch(asked) } else { state.list(asked) }
    }
}

impl State {
    fn send(&mut self, resource: &str, bytes: Vec<u8>) {
        self.watches.retain(|(_, watch)| !watch.is_closed());
        for (_, watch) in self.watches.iter().filter(|(of, _)| of == resource) {
            drop(watch.send(Piece::Bytes(bytes.clone())));
        }
    }

    fn watch(&mut self, asked: &Asked) -> Answer {
        let from: u64 = asked.get("resourceVersion").unwrap().parse().unwrap();
        if from < self.compacted || from > self.version {
            return expired();
        }
        let (to, pieces) = mpsc::unbounded_channel();
        for (version, resource, event) in &self.log {
            if *version > from && resource == asked.resource() {
                drop(to.send(Piece::Bytes(line(event))));
            }
        }
        self.watches.push((asked.resource().to_owned(), to));
        Answer::Pieces(pieces)
    }

    fn list(&self, asked: &Asked) -> Answer {
        let (version, offset) = match asked.get("continue") {
            None => (self.version, 0),
            Some(page) => {
                let (version, offset) = page.split_once('/').unwrap();
                (version.parse().unwrap(), offset.parse().unwrap())
            }
        };
        if version < self.compacted {
            return expired();
        }
        let node = asked.get("fieldSelector").map(|it| it.strip_prefix("spec.nodeName=").unwrap());
        let all: Vec<&Value> = self
            .objects
            .iter()
            .filter(|((resource, _), _)| resource == asked.resource())
            .map(|(_, object)| object)
            .filter(|object| node.is_none_or(|node| object["spec"]["nodeName"] == node))
            .collect();
        let page = if self.page == 0 { all.len() } else { self.page };
        let items: Vec<_> = all.iter().skip(offset).take(page).collect();
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if offset + items.len() < all.len() {
            metadata["continue"] = json!(format!("{version}/{}", offset + items.len()));
        }
        let list = json!({"kind": "List", "metadata": metadata, "items": items});
        Answer::Whole(200, list.to_string().into_bytes(), None)
    }
}

/// An event as one line of a watch.
pub fn line(event: &Value) -> Vec<u8> {
    format!("{event}\n").into_bytes()
}

/// The status that refuses with this code.
pub fn refusal(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
           "message": message, "reason": reason, "code": code})
}

/// The same as an answer.
pub fn refused(code: u16, reason: &str, message: &str) -> Answer {
    Answer::Whole(code, refusal(code, reason, message).to_string().into_bytes(), None)
}

fn expired() -> Answer {
    refused(410, "Expired", "too old resource version")
}
