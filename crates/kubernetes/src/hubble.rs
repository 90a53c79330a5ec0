//! How Cilium's Hubble is set up in a cluster, by what its installation left there: the config map
//! `cilium-config`, and the services of relay and peers. For people at a command line, as [`review`](crate::review).

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::time::timeout;

use crate::access::Access;
use crate::error::{Error, innermost, shortened};

/// What each question may take.
const WITHIN: Duration = Duration::from_secs(5);

/// The config map of Cilium's agents.
const CONFIG: &str = "cilium-config";
/// The service of the relay, and that by which it finds the nodes.
const RELAY: &str = "hubble-relay";
const PEERS: &str = "hubble-peer";

/// What a cluster has of a Hubble. What may not be read says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The settings of Cilium's agents that are Hubble's, by their keys; nothing where there is no Cilium.
    pub settings: Result<Option<BTreeMap<String, String>>, String>,
    /// How many pods of the relay are ready; nothing where there is no such service.
    pub relay: Result<Option<usize>, String>,
    /// There is the service by which a relay finds nodes.
    pub has_peers: Result<bool, String>,
}

/// Looks in this namespace, which is `kube-system` mostly.
///
/// # Errors
/// When no cluster can be asked.
pub fn look(access: &Access, namespace: &str) -> Result<Setup, Error> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        let config = access.config(WITHIN).await?;
        let client = Client::try_from(config).map_err(|error| Error::Client(innermost(&error)))?;
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let settings = answer(maps.get_opt(CONFIG)).await;
        let services: Api<Service> = Api::namespaced(client.clone(), namespace);
        let relay = match answer(services.get_opt(RELAY)).await {
            Ok(Some(_)) => ready(&Api::namespaced(client, namespace), RELAY).await.map(Some),
            Ok(None) => Ok(None),
            Err(why) => Err(why),
        };
        let peers = answer(services.get_opt(PEERS)).await;
        Ok(Setup {
            settings: settings.map(|map| map.map(hubbles)),
            relay,
            has_peers: peers.map(|service| service.is_some()),
        })
    })
}

/// What is Hubble's of the settings: the others are many, and nobody's business here.
fn hubbles(map: ConfigMap) -> BTreeMap<String, String> {
    let all = map.data.unwrap_or_default().into_iter();
    all.filter(|(key, _)| key.contains("hubble"))
        .map(|(key, value)| (key, shortened(&value)))
        .collect()
}

/// Endpoints of a service that are ready.
async fn ready(slices: &Api<EndpointSlice>, service: &str) -> Result<usize, String> {
    let of_service = format!("kubernetes.io/service-name={service}");
    let slices = answer(slices.list(&ListParams::default().labels(&of_service))).await?;
    let endpoints = slices.items.into_iter().flat_map(|slice| slice.endpoints);
    // Not said stands for ready (API reference, EndpointConditions).
    let is_ready = |endpoint: &k8s_openapi::api::discovery::v1::Endpoint| {
        endpoint.conditions.as_ref().and_then(|it| it.ready).unwrap_or(true)
    };
    Ok(endpoints.filter(is_ready).count())
}

async fn answer<T>(question: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match timeout(WITHIN, question).await {
        Err(_) => Err(format!("no answer within {WITHIN:?}")),
        Ok(Err(kube::Error::Api(status))) => Err(shortened(&status.message)),
        Ok(Err(error)) => Err(innermost(&error)),
        Ok(Ok(answer)) => Ok(answer),
    }
}
