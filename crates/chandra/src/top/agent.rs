//! Figures from an agent: the flows that it tells from now on, and over HTTP what its signals cost.
//!
//! An agent tells what went over a connection when that ends, and now and then before, so figures come later
//! than from own probes. Programs that are executed are no flows: an agent does not tell of them here.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use chandra_hubble::proto::observer::{GetFlowsRequest, GetFlowsResponse};
use chandra_hubble_grpc::client::Address;
use chandra_top::views::signals::Signal;
use jiff::Timestamp;

use super::flow_facts::Facts;
use super::{Feed, Source, display};
use crate::cli::top::TopOptions;
use crate::observe::block_on;
use crate::observe::server::Server;
use crate::status::http;
use crate::status::said::{self, Signals};
use crate::stop::Stop;

const WHAT: &str = "cannot watch flows";
/// How long who waits for flows, or for the first of them, sleeps before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

/// Whether this node's agent answers.
pub fn answers(options: &TopOptions) -> bool {
    let is_own = matches!(options.server.connect.address, Address::Unix(_));
    is_own && block_on(Server::connect(&options.server)).is_ok()
}

/// Shows what an agent tells.
pub fn run(options: &TopOptions, feed: &Feed, stop: &Stop) -> Result<(), Problem> {
    let over = AtomicBool::new(false);
    let (is_ready, ready) = channel();
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let followed = block_on(follow(options, feed, &over, is_ready));
            over.store(true, Ordering::Relaxed);
            followed
        });
        while ready.recv_timeout(LOOK).is_err() {
            if follower.is_finished() || stop.is_asked() {
                break;
            }
        }
        let mut agent = Agent {
            name: format!("agent {}", options.server.connect.address),
            http: options.http,
            over: &over,
            before: options.http.and_then(ask).unwrap_or_default(),
        };
        let shown = match follower.is_finished() {
            true => Ok(()),
            false => display::show(options, &mut agent, feed, stop),
        };
        over.store(true, Ordering::Relaxed);
        follower.join().unwrap_or(Ok(())).and(shown)
    })
}

/// Takes flows as they come, until it is over.
async fn follow(
    options: &TopOptions,
    feed: &Feed,
    over: &AtomicBool,
    is_ready: Sender<()>,
) -> Result<(), Problem> {
    let server = Server::connect(&options.server).await?;
    let began = Timestamp::now();
    let request = GetFlowsRequest {
        follow: true,
        since: Some(prost_types::Timestamp {
            seconds: began.as_second(),
            nanos: began.subsec_nanosecond(),
        }),
        ..GetFlowsRequest::default()
    };
    let answer = server.observer().get_flows(request).await;
    let mut flows = answer.map_err(|status| server.refusal(WHAT, &status))?.into_inner();
    let mut facts = Facts::new(&options.selector, began);
    let _ = is_ready.send(());
    while !over.load(Ordering::Relaxed) {
        let Ok(came) = tokio::time::timeout(LOOK, flows.message()).await else { continue };
        match came.map_err(|status| server.refusal(WHAT, &status))? {
            Some(response) => take(&response, &mut facts, feed),
            None => {
                let why = format!("{} ended the stream of flows", server.address());
                let next = "see whether it is well: chandra status";
                return Err(Problem::new(Check::HUBBLE, WHAT, why, next));
            }
        }
    }
    Ok(())
}

fn take(response: &GetFlowsResponse, facts: &mut Facts<'_>, feed: &Feed) {
    match &response.response_types {
        Some(ResponseTypes::Flow(flow)) => {
            facts.of(flow, &mut |fact| feed.lock().take(fact));
        }
        Some(ResponseTypes::LostEvents(lost)) => feed.lock().lose(lost.num_events_lost),
        Some(ResponseTypes::NodeStatus(_)) | None => {}
    }
}

/// See the [module](self).
struct Agent<'a> {
    name: String,
    http: Option<SocketAddr>,
    over: &'a AtomicBool,
    /// What it said of its signals the last time.
    before: Signals,
}

/// What an agent says of its signals; nothing where it does not answer.
fn ask(http: SocketAddr) -> Option<Signals> {
    http::json(http, "/signals").ok()
}

impl Source for Agent<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "kind": "agent", "address": self.name.trim_start_matches("agent ") })
    }

    /// Flows come when they come.
    fn settle(&mut self, _feed: &Feed) {}

    fn signals(&mut self, _length: Duration) -> Vec<Signal> {
        let Some(now) = self.http.and_then(ask) else { return Vec::new() };
        let before = std::mem::replace(&mut self.before, now);
        let rows = self.before.signals.iter().map(|signal| {
            let known = before.signals.iter().find(|known| known.signal == signal.signal);
            row(signal, known)
        });
        rows.collect()
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// What its books say of the time since; what its programs cost is told for as long as the agent runs.
fn row(now: &said::Signal, before: Option<&said::Signal>) -> Signal {
    let since = |of: fn(&said::Ledger) -> u64| {
        of(&now.ledger).saturating_sub(before.map_or(0, |before| of(&before.ledger)))
    };
    let costs = now.programs.iter().filter_map(|program| program.percent_of_one_core);
    Signal {
        name: now.signal.clone(),
        verdict: now.verdict.clone(),
        seen: since(|it| it.seen),
        lost: since(|it| it.lost + it.decode_errors + it.shed.slow_reader),
        left_out: since(|it| it.sampled_out + it.rate_limited),
        percent_of_one_core: costs.reduce(|sum, cost| sum + cost),
        ..Signal::default()
    }
}
