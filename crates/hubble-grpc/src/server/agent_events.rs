//! What the agent itself did: the last of it, for who asks.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chandra_hubble::flow::timestamp;
use chandra_hubble::proto::flow::agent_event::Notification;
use chandra_hubble::proto::flow::{
    AgentEvent, AgentEventType, AgentEventUnknown, TimeNotification,
};
use chandra_hubble::proto::observer::{GetAgentEventsRequest, GetAgentEventsResponse};
use prost_types::Timestamp;
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::{State, now_ns};

/// Events that are kept.
const MOST: usize = 1024;

/// The last events, numbered from the first one on.
#[derive(Debug, Default)]
pub struct AgentEvents {
    kept: Mutex<Kept>,
    /// The number of the next event.
    next: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<(Timestamp, AgentEvent)>,
    /// The number of the oldest that is kept.
    first: u64,
}

impl AgentEvents {
    /// The agent began.
    pub fn started(&self) {
        let time = timestamp(now_ns());
        let notification = Notification::AgentStart(TimeNotification { time: Some(time) });
        self.add(time, AgentEventType::AgentStarted, notification);
    }

    /// Something happened that Hubble has no type for; a word, and JSON that says more.
    pub fn happened(&self, kind: &str, notification: String) {
        let unknown = AgentEventUnknown { r#type: kind.to_owned(), notification };
        self.add(
            timestamp(now_ns()),
            AgentEventType::AgentEventUnknown,
            Notification::Unknown(unknown),
        );
    }

    fn add(&self, time: Timestamp, kind: AgentEventType, notification: Notification) {
        let event = AgentEvent { r#type: kind.into(), notification: Some(notification) };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.events.len() >= MOST {
            kept.events.pop_front();
            kept.first += 1;
        }
        kept.events.push_back((time, event));
        self.next.send_replace(kept.first + kept.events.len() as u64);
    }

    /// Those with this number and later, and the number of the next.
    fn from(&self, number: u64) -> (Vec<(Timestamp, AgentEvent)>, u64) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = usize::try_from(number.saturating_sub(kept.first)).unwrap_or(usize::MAX);
        let events = kept.events.iter().skip(skipped).cloned().collect();
        (events, kept.first + kept.events.len() as u64)
    }

    /// Ready once there is an event of this number.
    async fn reached(&self, number: u64) {
        let _ = self.next.subscribe().wait_for(|next| *next > number).await;
    }
}

/// Tells what a request asks for, and then, if it follows, whatever comes.
pub(super) async fn tell(
    state: &State,
    request: &GetAgentEventsRequest,
    sender: &mpsc::Sender<Result<GetAgentEventsResponse, Status>>,
) {
    let node_name = state.node.name.as_str();
    let (events, mut next) = state.agent_events.from(0);
    for response in asked(events, request, node_name) {
        if sender.send(Ok(response)).await.is_err() {
            return;
        }
    }
    if !request.follow {
        return;
    }
    loop {
        state.agent_events.reached(next).await;
        let (events, later) = state.agent_events.from(next);
        next = later;
        for event in events {
            if sender.send(Ok(response(event, node_name))).await.is_err() {
                return;
            }
        }
    }
}

/// Those of the events that are there which a request asks for.
fn asked(
    events: Vec<(Timestamp, AgentEvent)>,
    request: &GetAgentEventsRequest,
    node_name: &str,
) -> Vec<GetAgentEventsResponse> {
    let key = |time: &Timestamp| (time.seconds, time.nanos);
    let is_in = |(time, _): &(Timestamp, AgentEvent)| {
        let since = request.since.as_ref().is_none_or(|since| key(time) >= key(since));
        since && request.until.as_ref().is_none_or(|until| key(time) <= key(until))
    };
    let mut events: Vec<_> = events.into_iter().filter(is_in).collect();
    let wanted = usize::try_from(request.number).unwrap_or(usize::MAX);
    match (request.number, request.first, request.follow && request.since.is_none()) {
        // Following alone begins with what comes.
        (0, _, true) => events.clear(),
        (0, ..) => {}
        (_, true, _) => events.truncate(wanted),
        (_, false, _) => drop(events.drain(..events.len().saturating_sub(wanted))),
    }
    events.into_iter().map(|event| response(event, node_name)).collect()
}

fn response((time, event): (Timestamp, AgentEvent), node_name: &str) -> GetAgentEventsResponse {
    let (agent_event, node_name) = (Some(event), node_name.to_owned());
    GetAgentEventsResponse { agent_event, node_name, time: Some(time) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn words(responses: Vec<GetAgentEventsResponse>) -> Vec<String> {
        let word = |response: GetAgentEventsResponse| match response
            .agent_event
            .unwrap()
            .notification
            .unwrap()
        {
            Notification::Unknown(unknown) => unknown.r#type,
            _ => "start".to_owned(),
        };
        responses.into_iter().map(word).collect()
    }

    #[test]
    fn first_last_and_follow_say_where_to_begin() {
        let events = AgentEvents::default();
        events.started();
        for kind in ["one", "two"] {
            events.happened(kind, String::new());
        }
        let ask = |number, first, follow| {
            let request = GetAgentEventsRequest { number, first, follow, ..Default::default() };
            words(asked(events.from(0).0, &request, "node"))
        };
        assert_eq!(ask(0, false, false), ["start", "one", "two"]);
        assert_eq!(ask(2, false, false), ["one", "two"]);
        assert_eq!(ask(2, true, false), ["start", "one"]);
        assert_eq!(ask(1, false, true), ["two"]);
        assert!(ask(0, false, true).is_empty());
    }

    #[test]
    fn the_oldest_go_and_numbers_stay() {
        let events = AgentEvents::default();
        for number in 0..MOST + 10 {
            events.happened(&number.to_string(), String::new());
        }
        let (kept, next) = events.from(0);
        assert_eq!((kept.len(), next), (MOST, (MOST + 10) as u64));
        assert_eq!(events.from(next - 1).0.len(), 1);
        assert!(events.from(next).0.is_empty());
    }
}
