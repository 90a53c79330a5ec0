//! `peer.Peer`: which nodes there are, for a relay that asks all of them.
//!
//! Invariant: a slow client is never told too late of too much: it is told how the nodes are now against
//! what it was told last, and what was between is left out.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use chandra_hubble::proto::peer::{
    ChangeNotification, ChangeNotificationType, NotifyRequest, Tls, peer_server,
};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::State;

/// Changes that may wait for a client.
const WAITING: usize = 64;

/// A node that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerNode {
    /// `node`, or `cluster/node` in a cluster that has a name other than `default`.
    pub name: String,
    /// `ip:port`.
    pub address: String,
    /// The name in its certificate, where it is encrypted.
    pub server_name: Option<String>,
}

/// The service.
#[derive(Debug)]
pub struct Peers(Arc<State>);

impl Peers {
    pub fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

type Answer = Pin<Box<dyn Stream<Item = Result<ChangeNotification, Status>> + Send>>;

#[tonic::async_trait]
impl peer_server::Peer for Peers {
    type NotifyStream = Answer;

    async fn notify(&self, _: Request<NotifyRequest>) -> Result<Response<Answer>, Status> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let state = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::select! {
                () = tell(&state, &sender) => {}
                () = state.over() => {}
                () = sender.closed() => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// Tells all nodes, then each change.
async fn tell(state: &State, sender: &mpsc::Sender<Result<ChangeNotification, Status>>) {
    let mut peers = state.peers.subscribe();
    let mut told = BTreeMap::new();
    loop {
        let now = peers.borrow_and_update().clone();
        for change in changes(&mut told, now) {
            if sender.send(Ok(change)).await.is_err() {
                return;
            }
        }
        if peers.changed().await.is_err() {
            return;
        }
    }
}

/// What is to be told to somebody who was told that, so that it is told all of these.
fn changes(told: &mut BTreeMap<String, PeerNode>, now: Vec<PeerNode>) -> Vec<ChangeNotification> {
    let now: BTreeMap<String, PeerNode> =
        now.into_iter().map(|node| (node.name.clone(), node)).collect();
    let gone = told.iter().filter(|(name, _)| !now.contains_key(*name));
    let gone = gone.map(|(_, node)| change(node, ChangeNotificationType::PeerDeleted));
    let new = now.values().filter_map(|node| match told.get(&node.name) {
        None => Some(change(node, ChangeNotificationType::PeerAdded)),
        Some(before) if before != node => Some(change(node, ChangeNotificationType::PeerUpdated)),
        Some(_) => None,
    });
    let changes = gone.chain(new).collect();
    *told = now;
    changes
}

fn change(node: &PeerNode, kind: ChangeNotificationType) -> ChangeNotification {
    ChangeNotification {
        name: node.name.clone(),
        address: node.address.clone(),
        r#type: kind.into(),
        tls: node.server_name.clone().map(|server_name| Tls { server_name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, address: &str) -> PeerNode {
        PeerNode { name: name.into(), address: address.into(), server_name: None }
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut told = BTreeMap::new();
        let mut tell = |nodes: &[PeerNode]| {
            let changes = changes(&mut told, nodes.to_vec()).into_iter();
            changes.map(|it| (it.r#type().as_str_name(), it.name)).collect::<Vec<_>>()
        };
        let (one, two) = (node("one", "10.0.0.1:4244"), node("two", "10.0.0.2:4244"));
        let added = |name: &str| ("PEER_ADDED", name.to_owned());
        assert_eq!(tell(&[one.clone(), two.clone()]), [added("one"), added("two")]);
        assert_eq!(tell(&[two.clone(), one.clone()]), []);
        let moved = node("two", "10.0.0.3:4244");
        assert_eq!(
            tell(std::slice::from_ref(&moved)),
            [("PEER_DELETED", "one".to_owned()), ("PEER_UPDATED", "two".to_owned()),]
        );
        assert_eq!(tell(&[moved, one]), [added("one")]);
    }
}
