//! Telling flows to one client, as fast as it takes them.
//!
//! Invariant: a client that reads slowly falls behind in the ring, by itself: what it missed it is told
//! as a number. Looking for flows yields after each batch, so that a search through everything holds up
//! nobody else.

use std::time::Duration;

use chandra_hubble::filter::Limits;
use chandra_hubble::proto::observer::{GetFlowsRequest, GetFlowsResponse};
use chandra_hubble::query::{Query, Step};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tonic::Status;

use super::{State, now_ns};

/// Wakes those who wait for flows.
#[derive(Debug, Default)]
pub struct FlowNotifier(watch::Sender<()>);

impl FlowNotifier {
    /// There are new flows. Costs next to nothing where nobody waits.
    pub fn wake(&self) {
        if self.0.receiver_count() > 0 {
            self.0.send_replace(());
        }
    }
}

/// A request, understood.
pub fn query(request: &GetFlowsRequest) -> Result<Query, Status> {
    let wrong = |error: chandra_hubble::query::Error| Status::invalid_argument(error.to_string());
    Query::new(request, &Limits::default()).map_err(wrong)
}

/// Tells a client what it asked for, to the end.
pub async fn tell(
    state: &State,
    mut query: Query,
    sender: &mpsc::Sender<Result<GetFlowsResponse, Status>>,
) {
    let mut wakes = state.flow_notifier.0.subscribe();
    let mut responses = Vec::new();
    loop {
        let step = query.step(&state.ring, &state.node, now_ns(), &mut responses);
        for response in responses.drain(..) {
            if sender.send(Ok(response)).await.is_err() {
                return;
            }
        }
        match step {
            Step::Done => return,
            Step::More => tokio::task::yield_now().await,
            Step::Wait { next, until_ns } => {
                let there = async {
                    // What came before this was subscribed to is seen in the number.
                    while state.ring.next() == next && wakes.changed().await.is_ok() {}
                };
                match until_ns {
                    None => there.await,
                    Some(until_ns) => {
                        let left = Duration::from_nanos(until_ns.saturating_sub(now_ns()));
                        let _ = timeout(left, there).await;
                    }
                }
            }
        }
    }
}
