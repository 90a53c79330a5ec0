//! What a node serves: `observer.Observer`, `peer.Peer`, `chandra.v1.Alerts`, `chandra.v1.Profiles`, health and
//! reflection, on a Unix socket and on TCP, there encrypted where certificates are given.
//!
//! Invariants: whoever reads slowly holds back nobody, because each reader has a place of its own in the
//! ring of flows or alerts and a small queue; connections, streams and messages have ceilings. A stream ends when
//! the server does.

mod agent_events;
mod alerts;
mod bind;
mod flows;
mod listen;
mod namespaces;
mod observer;
mod peers;
mod profiles;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chandra_alerts::recent::Recent;
use chandra_hubble::flow::Node;
use chandra_hubble::proto::FILE_DESCRIPTOR_SET;
use chandra_hubble::proto::chandra::v1::alerts_server::AlertsServer;
use chandra_hubble::proto::chandra::v1::profiles_server::ProfilesServer;
use chandra_hubble::proto::observer::observer_server::ObserverServer;
use chandra_hubble::proto::peer::peer_server::PeerServer;
use chandra_hubble::ring::Ring;
use tokio::sync::watch;
use tonic::transport::Server as Transport;
use tonic_health::ServingStatus;

pub use agent_events::AgentEvents;
pub use bind::{Bound, Error};
pub use flows::FlowNotifier;
pub use namespaces::Namespaces;
pub use peers::PeerNode;
pub use profiles::{Counts as ProfileCounts, MOST as MOST_PROFILES, Profiling, Session};

/// The name that health is asked for by.
const HEALTH_NAME: &str = "hubble.server.Observer";
/// Streams that one connection may have open.
const MOST_STREAMS: u32 = 128;
/// A request that is longer is refused.
const MOST_REQUEST_BYTES: usize = 4 << 20;
/// A connection that is silent for so long is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long streams may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is served.
#[derive(Debug)]
pub struct State {
    /// This node.
    pub node: Node,
    /// Its flows.
    pub ring: Arc<Ring>,
    /// Wakes those who wait for flows.
    pub flow_notifier: FlowNotifier,
    /// What the agent itself did.
    pub agent_events: AgentEvents,
    /// Namespaces that flows were of.
    pub namespaces: Namespaces,
    /// The latest alerts; none where no rules watch.
    pub alerts: Option<Arc<Recent>>,
    /// What makes profiles; none where nothing does.
    pub profiling: Option<Arc<dyn Profiling>>,
    /// The nodes of the cluster.
    pub peers: watch::Sender<Vec<PeerNode>>,
    /// The version that is told.
    pub version: String,
    started: Instant,
    is_over: watch::Sender<bool>,
}

impl State {
    /// What a node with this ring serves.
    pub fn new(node: Node, ring: Arc<Ring>, version: String) -> Self {
        Self {
            node,
            ring,
            flow_notifier: FlowNotifier::default(),
            agent_events: AgentEvents::default(),
            namespaces: Namespaces::default(),
            alerts: None,
            profiling: None,
            peers: watch::Sender::new(Vec::new()),
            version,
            started: Instant::now(),
            is_over: watch::Sender::new(false),
        }
    }

    /// Ends all streams and the server.
    pub fn stop(&self) {
        self.is_over.send_replace(true);
    }

    /// Becomes ready when the server ends.
    async fn over(&self) {
        let _ = self.is_over.subscribe().wait_for(|is_over| *is_over).await;
    }
}

/// Serves until the state is [stopped](State::stop). Blocks this thread, and has two of its own.
///
/// # Errors
/// When there can be no threads, or the listeners cannot be used.
pub fn serve(mut bound: Bound, state: &Arc<State>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("hubble")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let incoming = listen::incoming(&mut bound)?;
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_service_status(HEALTH_NAME, ServingStatus::Serving).await;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let unusable = |error: tonic_reflection::server::Error| std::io::Error::other(error);
        let observer = ObserverServer::new(observer::Observer::new(Arc::clone(state)));
        let peer = PeerServer::new(peers::Peers::new(Arc::clone(state)));
        let alerts = AlertsServer::new(alerts::Alerts::new(Arc::clone(state)));
        let profiles = ProfilesServer::new(profiles::Profiles::new(Arc::clone(state)));
        let serving = Transport::builder()
            .max_concurrent_streams(MOST_STREAMS)
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .add_service(observer.max_decoding_message_size(MOST_REQUEST_BYTES))
            .add_service(peer)
            .add_service(alerts.max_decoding_message_size(MOST_REQUEST_BYTES))
            .add_service(profiles.max_decoding_message_size(MOST_REQUEST_BYTES))
            .add_service(health_service)
            .add_service(reflection().build_v1().map_err(unusable)?)
            .add_service(reflection().build_v1alpha().map_err(unusable)?)
            .serve_with_incoming_shutdown(incoming, state.over());
        tokio::select! {
            served = serving => served.map_err(std::io::Error::other),
            () = async { state.over().await; tokio::time::sleep(PATIENCE).await } => Ok(()),
        }
    })
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}
