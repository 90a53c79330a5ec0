//! Which of the flows that come are shown, where the server could not choose: all that a file has, and
//! what is asked of [details](super::details).
//!
//! A number is one of flows that are shown. So where details are asked for, the server is asked for all
//! flows, and numbers are counted here.

use std::collections::VecDeque;

use chandra_doctor::{Check, Problem};
use chandra_hubble::filter::{Filters, Limits};
use chandra_hubble::proto::flow::Flow;
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use chandra_hubble::proto::observer::{GetFlowsRequest, GetFlowsResponse};
use prost_types::Timestamp;

use super::details::DetailsFilter;
use super::request::ALL;
use super::resume::Resume;

/// The most flows that wait to be the last ones.
const MOST_KEPT: u64 = 1_000_000;

/// What is shown of what comes.
#[derive(Debug, Default)]
pub struct Choice {
    filters: Filters,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    details: DetailsFilter,
    limit: Limit,
    /// Where another stream follows this one, or is followed by it.
    resume: Option<Resume>,
}

/// How many are shown.
#[derive(Debug, Default)]
enum Limit {
    #[default]
    None,
    /// So many more.
    First(u64),
    /// The last ones, known at the end only.
    Last { most: u64, kept: VecDeque<GetFlowsResponse> },
}

/// What becomes of a response.
#[derive(Debug)]
pub enum Taken {
    /// It is shown.
    Shown(GetFlowsResponse),
    /// It is shown, and is the last one.
    Last(GetFlowsResponse),
    /// It is not shown, or not yet.
    NotNow,
}

impl Choice {
    /// What is shown of a file: the server's work is done here.
    pub fn of_file(request: &GetFlowsRequest, details: DetailsFilter) -> Result<Self, Problem> {
        let filters = Filters::compile(&request.whitelist, &request.blacklist, &Limits::default());
        let filters = filters.map_err(|error| {
            Problem::usage(
                Check::FILTERS,
                "cannot filter by that",
                error,
                "correct it; --print-raw-filters shows the filters that flags make",
            )
        })?;
        let (since, until) = (request.since, request.until);
        Ok(Self { filters, since, until, details, limit: Limit::of(request)?, resume: None })
    }

    /// What becomes of a response.
    pub fn take(&mut self, response: GetFlowsResponse) -> Taken {
        let Some(ResponseTypes::Flow(flow)) = &response.response_types else {
            return Taken::Shown(response);
        };
        let is_new = self.resume.as_mut().is_none_or(|resume| resume.is_new(flow));
        if !is_new || !self.fits(flow, response.time.as_ref()) {
            return Taken::NotNow;
        }
        match &mut self.limit {
            Limit::None => Taken::Shown(response),
            Limit::First(left) => {
                *left = left.saturating_sub(1);
                if *left == 0 { Taken::Last(response) } else { Taken::Shown(response) }
            }
            Limit::Last { most, kept } => {
                kept.push_back(response);
                if u64::try_from(kept.len()).is_ok_and(|kept| kept > *most) {
                    kept.pop_front();
                }
                Taken::NotNow
            }
        }
    }

    /// What is shown at the end.
    pub fn rest(&mut self) -> VecDeque<GetFlowsResponse> {
        match &mut self.limit {
            Limit::Last { kept, .. } => std::mem::take(kept),
            _ => VecDeque::new(),
        }
    }

    fn fits(&self, flow: &Flow, time: Option<&Timestamp>) -> bool {
        let order = |time: &Timestamp| (time.seconds, time.nanos);
        let time = flow.time.as_ref().or(time).map(order);
        let is_in_time = |time| {
            self.since.as_ref().is_none_or(|since| order(since) <= time)
                && self.until.as_ref().is_none_or(|until| time <= order(until))
        };
        time.map_or(self.since.is_none() && self.until.is_none(), is_in_time)
            && (self.filters.is_empty() || self.filters.matches(flow))
            && self.details.matches(flow)
    }
}

impl Limit {
    fn of(request: &GetFlowsRequest) -> Result<Self, Problem> {
        Ok(match (request.number, request.first) {
            (0 | ALL, _) => Self::None,
            (number, true) => Self::First(number),
            (most @ ..=MOST_KEPT, false) => Self::Last { most, kept: VecDeque::new() },
            (most, false) => {
                return Err(Problem::usage(
                    Check::FILTERS,
                    format!("cannot use --last {most}"),
                    format!("so many flows would have to be kept here, at most {MOST_KEPT} may"),
                    "for example: --last 1000; all of them: --all",
                ));
            }
        })
    }
}

/// A request, what is shown of its answer, and what is asked then.
#[derive(Debug)]
pub struct Step {
    /// What is asked.
    pub request: GetFlowsRequest,
    /// What is shown of it.
    pub choice: Choice,
    /// What is asked when that has been told.
    pub then: Option<GetFlowsRequest>,
}

impl Step {
    /// What a server is asked first.
    pub fn first(mut request: GetFlowsRequest, details: DetailsFilter) -> Result<Self, Problem> {
        if details.is_empty() || matches!(request.number, 0 | ALL) {
            let choice = Choice { details, ..Choice::default() };
            return Ok(Self { request, choice, then: None });
        }
        let limit = Limit::of(&request)?;
        let is_open = request.since.is_none() && request.until.is_none();
        request.number = if is_open || request.first { ALL } else { 0 };
        if !request.follow {
            let choice = Choice { details, limit, ..Choice::default() };
            return Ok(Self { request, choice, then: None });
        }
        // What there is has an end, so that the last of it can be told; then what comes.
        let then = GetFlowsRequest { number: 0, ..request.clone() };
        request.follow = false;
        let resume = Some(Resume::default());
        let choice = Choice { details, limit, resume, ..Choice::default() };
        Ok(Self { request, choice, then: Some(then) })
    }

    /// What is asked of it when that has been told.
    pub fn next(self) -> Option<Self> {
        let mut request = self.then?;
        let choice = Choice { limit: Limit::None, ..self.choice };
        match choice.resume.as_ref().and_then(Resume::since) {
            Some(since) => request.since = Some(since),
            // There was nothing yet: all that there is now has come since.
            None if request.since.is_none() => request.number = ALL,
            None => {}
        }
        Some(Self { request, choice, then: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(seconds: i64, uuid: &str) -> GetFlowsResponse {
        let time = Some(Timestamp { seconds, nanos: 0 });
        let flow = Flow { time, uuid: uuid.into(), ..Flow::default() };
        let response_types = Some(ResponseTypes::Flow(flow));
        GetFlowsResponse { response_types, time, ..GetFlowsResponse::default() }
    }

    /// The times of what is shown of flows one second apart.
    fn shown(choice: &mut Choice, seconds: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut shown = Vec::new();
        for second in seconds {
            match choice.take(response(second, &second.to_string())) {
                Taken::Shown(response) => shown.push(response),
                Taken::Last(response) => {
                    shown.push(response);
                    break;
                }
                Taken::NotNow => {}
            }
        }
        shown.extend(choice.rest());
        shown.iter().map(|response| response.time.unwrap().seconds).collect()
    }

    #[test]
    fn a_file_is_asked_as_a_server_is() {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let usual = GetFlowsRequest::default;
        for (request, expected) in [
            (usual(), vec![1, 2, 3, 4, 5]),
            (GetFlowsRequest { number: 2, ..usual() }, vec![4, 5]),
            (GetFlowsRequest { number: 2, first: true, ..usual() }, vec![1, 2]),
            (GetFlowsRequest { number: ALL, ..usual() }, vec![1, 2, 3, 4, 5]),
            (GetFlowsRequest { since: at(2), until: at(4), ..usual() }, vec![2, 3, 4]),
            (GetFlowsRequest { since: at(2), number: 2, ..usual() }, vec![4, 5]),
            (GetFlowsRequest { until: at(4), number: 2, ..usual() }, vec![3, 4]),
        ] {
            let mut choice = Choice::of_file(&request, DetailsFilter::default()).unwrap();
            assert_eq!(shown(&mut choice, 1..6), expected, "{request:?}");
        }
        let request = GetFlowsRequest { number: MOST_KEPT + 1, ..usual() };
        assert!(Choice::of_file(&request, DetailsFilter::default()).unwrap_err().is_usage);
    }

    #[test]
    fn numbers_are_counted_here_where_details_are_asked_for() {
        let details = || DetailsFilter { pids: vec![1], ..DetailsFilter::default() };
        let request = GetFlowsRequest { number: 3, ..GetFlowsRequest::default() };
        let step = Step::first(request.clone(), DetailsFilter::default()).unwrap();
        assert_eq!((step.request.number, step.next().is_none()), (3, true));
        let step = Step::first(request.clone(), details()).unwrap();
        assert_eq!((step.request.number, step.next().is_none()), (ALL, true));
        let since = GetFlowsRequest { since: Some(Timestamp::default()), ..request.clone() };
        assert_eq!(Step::first(since, details()).unwrap().request.number, 0);

        let follow = GetFlowsRequest { follow: true, ..request };
        let step = Step::first(follow, details()).unwrap();
        assert_eq!((step.request.number, step.request.follow), (ALL, false));
        let next = step.next().unwrap();
        assert_eq!((next.request.number, next.request.follow), (ALL, true));
    }

    #[test]
    fn what_comes_is_told_once() {
        let follow = GetFlowsRequest { follow: true, number: 1, ..GetFlowsRequest::default() };
        let details = DetailsFilter { pids: vec![1], ..DetailsFilter::default() };
        let mut step = Step::first(follow, details).unwrap();
        step.choice.details = DetailsFilter::default();
        assert_eq!(shown(&mut step.choice, 1..100), [99]);
        let mut next = step.next().unwrap();
        let since = next.request.since.unwrap().seconds;
        assert!(next.request.follow && (80..99).contains(&since), "{since}");
        assert_eq!(shown(&mut next.choice, since..102), [100, 101]);
    }
}
