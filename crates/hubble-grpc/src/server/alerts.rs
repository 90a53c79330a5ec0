//! `chandra.v1.Alerts`: alerts for one client, as fast as it takes them.
//!
//! Invariant: a client that reads slowly falls behind in the ring of alerts, by itself: what it missed it is
//! told as a number. Of what is kept only references are held for it, and of those as many as wait to be sent.

use std::ops::Range;
use std::sync::Arc;

use chandra_alerts::Priority;
use chandra_alerts::recent::{Kept, Recent};
use chandra_alerts::wanted::Wanted;
use chandra_hubble::flow::timestamp;
use chandra_hubble::proto::chandra::v1::get_alerts_response::Response as Said;
use chandra_hubble::proto::chandra::v1::{
    Alert, AlertFilter, AlertPriority, GetAlertsRequest, GetAlertsResponse, LostAlerts,
    alerts_server,
};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

use super::State;
use super::stream::{Answers, stream};

/// Answers that may wait for a client: an alert is larger than a flow.
const WAITING: usize = 8;
/// Patterns that a request may have of each kind.
const MOST_PATTERNS: usize = 64;
/// Bytes of each.
const MOST_PATTERN_BYTES: usize = 512;

/// The service.
#[derive(Debug)]
pub struct Alerts(Arc<State>);

impl Alerts {
    pub fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

#[tonic::async_trait]
impl alerts_server::Alerts for Alerts {
    type GetAlertsStream = Answers<GetAlertsResponse>;

    async fn get_alerts(
        &self,
        request: Request<GetAlertsRequest>,
    ) -> Result<Response<Self::GetAlertsStream>, Status> {
        let request = request.into_inner();
        let wanted = wanted(&request)?;
        let Some(recent) = self.0.alerts.clone() else {
            return Err(Status::failed_precondition("no rules watch on this node"));
        };
        // Known before anybody waits, so that nothing is told twice or left out.
        let mut numbers = recent.numbers(request.last, &wanted);
        if request.follow {
            numbers.end = u64::MAX;
        }
        Ok(stream(&self.0, WAITING, |state, sender| async move {
            tell(&recent, &wanted, numbers, &state.node.name, &sender).await;
        }))
    }
}

/// Tells the alerts with these numbers that are wanted; waits for those that are not there yet.
async fn tell(
    recent: &Recent,
    wanted: &Wanted,
    mut numbers: Range<u64>,
    node_name: &str,
    sender: &mpsc::Sender<Result<GetAlertsResponse, Status>>,
) {
    let mut next = recent.subscribe();
    while !numbers.is_empty() {
        let batch = recent.read(numbers.clone(), wanted);
        let lost = (batch.missed > 0).then_some(Said::Lost(LostAlerts { count: batch.missed }));
        let alerts = batch.alerts.iter().map(|kept| Said::Alert(alert(kept)));
        for said in lost.into_iter().chain(alerts) {
            let node_name = node_name.to_owned();
            let response = GetAlertsResponse { node_name, response: Some(said) };
            if sender.send(Ok(response)).await.is_err() {
                return;
            }
        }
        let has_moved = batch.next > numbers.start;
        numbers.start = batch.next;
        let begin = numbers.start;
        if has_moved {
            tokio::task::yield_now().await;
        } else if next.wait_for(|next| *next > begin).await.is_err() {
            return;
        }
    }
}

fn alert(kept: &Kept) -> Alert {
    Alert {
        id: kept.id.to_string(),
        time: Some(timestamp(kept.time_ns)),
        rule: kept.rule.to_string(),
        priority: of_priority(kept.priority).into(),
        tags: kept.tags.to_vec(),
        text: kept.text.to_string(),
        namespace: kept.namespace.to_string(),
        pod_name: kept.pod.to_string(),
        container_name: kept.container.to_string(),
        container_id: kept.container_id.to_string(),
        json: String::from_utf8_lossy(&kept.json).into_owned(),
    }
}

fn of_priority(priority: Priority) -> AlertPriority {
    match priority {
        Priority::Emergency => AlertPriority::Emergency,
        Priority::Alert => AlertPriority::Alert,
        Priority::Critical => AlertPriority::Critical,
        Priority::Error => AlertPriority::Error,
        Priority::Warning => AlertPriority::Warning,
        Priority::Notice => AlertPriority::Notice,
        Priority::Informational => AlertPriority::Informational,
        Priority::Debug => AlertPriority::Debug,
    }
}

/// A request, understood.
fn wanted(request: &GetAlertsRequest) -> Result<Wanted, Status> {
    let filter = request.filter.clone().unwrap_or_default();
    let minimum = AlertPriority::try_from(filter.minimum_priority);
    let minimum = minimum.map_err(|_| Status::invalid_argument("there is no such priority"))?;
    let is_it = |priority: &Priority| of_priority(*priority) == minimum;
    let AlertFilter { rules, tags, namespaces, pods, containers, .. } = filter;
    for patterns in [&rules, &tags, &namespaces, &pods, &containers] {
        if patterns.len() > MOST_PATTERNS {
            let why = format!("more than {MOST_PATTERNS} values of one filter");
            return Err(Status::invalid_argument(why));
        }
        if patterns.iter().any(|pattern| pattern.len() > MOST_PATTERN_BYTES) {
            let why = format!("a value of a filter has more than {MOST_PATTERN_BYTES} bytes");
            return Err(Status::invalid_argument(why));
        }
    }
    let since_ns = request.since.map_or(0, |since| {
        let seconds = u64::try_from(since.seconds).unwrap_or(0);
        let ns = u64::try_from(since.nanos).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(ns)
    });
    let minimum_priority = Priority::ALL.into_iter().find(is_it);
    Ok(Wanted { rules, minimum_priority, tags, namespaces, pods, containers, since_ns })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_asks_for_too_much_is_refused() {
        let ask = |filter| wanted(&GetAlertsRequest { filter: Some(filter), ..Default::default() });
        let many = vec!["x".to_owned(); MOST_PATTERNS + 1];
        assert!(ask(AlertFilter { rules: many, ..Default::default() }).is_err());
        let long = vec!["x".repeat(MOST_PATTERN_BYTES + 1)];
        assert!(ask(AlertFilter { pods: long, ..Default::default() }).is_err());
        assert!(ask(AlertFilter { minimum_priority: 99, ..Default::default() }).is_err());
        let all = ask(AlertFilter::default()).unwrap();
        assert_eq!(all, Wanted::default());
        let minimum_priority = AlertPriority::Notice.into();
        let notice = ask(AlertFilter { minimum_priority, ..Default::default() }).unwrap();
        assert_eq!(notice.minimum_priority, Some(Priority::Notice));
    }

    #[test]
    fn a_moment_is_in_nanoseconds_and_never_before_1970() {
        let since = |seconds, nanos| {
            let since = Some(prost_types::Timestamp { seconds, nanos });
            wanted(&GetAlertsRequest { since, ..Default::default() }).unwrap().since_ns
        };
        assert_eq!(since(1, 5), 1_000_000_005);
        assert_eq!(since(-5, 0), 0);
        assert_eq!(since(i64::MAX, 0), u64::MAX);
    }
}
