//! The agent's flows: made from records, kept in the ring that is served.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chandra_alerts::recent::Recent;
use chandra_doctor::{Check, Problem};
use chandra_hubble::flow::Node;
use chandra_hubble::ring::Ring;
use chandra_hubble_grpc::server::{Bound, PeerNode, State};
use chandra_identity::Identity;
use chandra_metrics::hubble::HubbleMetrics;
use chandra_metrics::network::NetworkMetrics;

use super::export::Exporting;
use super::losses::Losses;
use super::pods::Pods;
use super::profiles::Making;
use crate::cli::agent::AgentOptions;
use crate::cli::hubble::HubbleOptions;
use crate::flows::Maker;
use crate::follow::Told;

/// Namespaces are told anew so often.
const MINUTE: Duration = Duration::from_secs(60);

/// Takes the places to serve at. One that nobody asked for and that cannot be had is said and left out.
pub fn bind(options: &HubbleOptions) -> Result<Bound, Problem> {
    let mut bound = Bound::default();
    if let Some(place) = &options.socket {
        let listening = bound.listen_at(&place.at);
        let option = "--hubble-socket-path";
        listening.or_else(|error| excuse(error, place.is_asked_for, option))?;
    }
    if let Some(place) = &options.address {
        let listening = bound.listen_on(place.at, options.files.clone());
        let option = "--hubble-listen-address";
        listening.or_else(|error| excuse(error, place.is_asked_for, option))?;
    }
    Ok(bound)
}

fn excuse(error: impl std::fmt::Display, is_asked_for: bool, option: &str) -> Result<(), Problem> {
    if is_asked_for {
        let next = format!("free it, or name another: {option} …, or {option} off");
        return Err(Problem::new(Check::PORT, "cannot serve flows", error, next));
    }
    eprintln!("warning: flows are not served there: {error} ({option} names another place)");
    Ok(())
}

/// What is served, with nothing in it yet but the latest alerts, and who makes profiles.
pub fn state(
    options: &HubbleOptions,
    node: &str,
    alerts: Option<Arc<Recent>>,
    profiling: Making,
) -> State {
    let node = Node::new(&options.cluster_name, node, Vec::new());
    let version = format!("chandra v{}", env!("CARGO_PKG_VERSION"));
    let mut state = State::new(node, Arc::new(Ring::new(options.buffer_bytes)), version);
    state.alerts = alerts;
    state.profiling = Some(Arc::new(profiling));
    state.agent_events.started();
    state
}

/// Where records become flows.
#[derive(Debug)]
pub struct Flowing {
    state: Arc<State>,
    maker: Maker,
    metrics: HubbleMetrics,
    network: NetworkMetrics,
    /// Pods that metrics name, where they name any.
    pods: Option<Pods>,
    losses: Losses,
    exporting: Option<Exporting>,
    /// Somebody may ask for flows.
    is_served: bool,
    /// The cluster's name.
    cluster: String,
    /// This node, for who asks only it.
    own: PeerNode,
    port: u16,
    /// Namespaces that were seen in this minute.
    seen: HashSet<Box<str>>,
    since: Instant,
    has_new: bool,
}

impl Flowing {
    /// Flows of this node go there.
    pub fn new(
        state: Arc<State>,
        options: &AgentOptions,
        bound: &Bound,
        (metrics, network, exporting): (HubbleMetrics, NetworkMetrics, Option<Exporting>),
    ) -> Self {
        let (options, node, linger) =
            (&options.hubble, &options.identity.node, options.metrics.pods_expire_after);
        let address = bound.address().map(|address| address.to_string()).unwrap_or_default();
        let is_default = matches!(options.cluster_name.as_str(), "" | "default");
        let name = match is_default {
            true => node.clone(),
            false => format!("{}/{node}", options.cluster_name),
        };
        let cluster = if is_default { "default" } else { options.cluster_name.as_str() };
        let certificate = format!("{}.{cluster}.hubble-grpc.cilium.io", node.replace('.', "-"));
        let server_name = bound.is_encrypted().then_some(certificate);
        let own = PeerNode { name, address, server_name };
        state.peers.send_replace(vec![own.clone()]);
        Self {
            state,
            maker: Maker::default(),
            pods: (metrics.name_pods() || network.name_pods()).then(|| Pods::new(linger)),
            metrics,
            network,
            losses: Losses::default(),
            exporting,
            is_served: !options.is_off(),
            cluster: options.cluster_name.clone(),
            own,
            port: bound.address().map_or(0, |address| address.port()),
            seen: HashSet::new(),
            since: Instant::now(),
            has_new: false,
        }
    }

    /// Counts, writes and keeps the flows that a record tells of. Whether it told of any.
    pub fn take(&mut self, told: &Told<'_>) -> bool {
        let mut tells = false;
        let Self {
            state,
            maker,
            metrics,
            network,
            pods,
            exporting,
            is_served,
            cluster,
            seen,
            has_new,
            ..
        } = self;
        maker.make(told, &mut |flow| {
            tells = true;
            metrics.observe(&flow);
            network.observe(&flow);
            let ends = [&flow.source, &flow.destination].into_iter().flatten();
            if let Some(pods) = pods {
                ends.clone().for_each(|end| pods.saw(&end.namespace, &end.pod_name));
            }
            if let Some(exporting) = exporting {
                exporting.take(&flow);
            }
            if !*is_served {
                return;
            }
            for endpoint in ends {
                let namespace = endpoint.namespace.as_str();
                if !namespace.is_empty() && !seen.contains(namespace) {
                    seen.insert(namespace.into());
                    state.namespaces.saw(cluster, namespace);
                }
            }
            state.ring.push(flow);
            *has_new = true;
        });
        tells
    }

    /// All that was there for now has been taken: whoever waits for flows is woken, once for all.
    pub fn flush(&mut self) {
        if let Some(exporting) = &mut self.exporting {
            exporting.flush();
        }
        if std::mem::take(&mut self.has_new) {
            self.state.flow_notifier.wake();
        }
    }

    /// About once a second. Says how many records were lost in the kernel, of which flows would have been
    /// made.
    pub fn look(&mut self, identity: &Identity, lost_in_kernel: u64) {
        let Self { state, metrics, network, pods, losses, .. } = self;
        let now = Instant::now();
        metrics.tick(now);
        network.tick(now);
        self.has_new |= losses.tell(lost_in_kernel, now_ns(), &state.ring, metrics);
        if let Some(pods) = pods {
            let is_known = |namespace: &str, name: &str| identity.knows_pod(namespace, name);
            pods.look(now, is_known, |namespace, name| {
                metrics.forget_pod(namespace, name);
                network.forget_pod(namespace, name);
            });
        }
        if let Some(exporting) = &mut self.exporting {
            exporting.look();
        }
        if self.since.elapsed() >= MINUTE {
            self.since = Instant::now();
            self.seen.clear();
        }
        let nodes = self.nodes(identity);
        self.state.peers.send_if_modified(|known| {
            let is_new = *known != nodes;
            if is_new {
                *known = nodes;
            }
            is_new
        });
    }

    /// The nodes of the cluster, at the port where this one serves; this node alone where there is none.
    fn nodes(&self, identity: &Identity) -> Vec<PeerNode> {
        let Some(cluster) = identity.asked_cluster() else { return vec![self.own.clone()] };
        let address = |ip: IpAddr| std::net::SocketAddr::new(ip, self.port).to_string();
        let nodes: Vec<_> = cluster
            .nodes()
            .map(|(name, ip)| PeerNode {
                name: name.to_owned(),
                address: address(ip),
                ..self.own.clone()
            })
            .collect();
        if nodes.is_empty() { vec![self.own.clone()] } else { nodes }
    }
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}
