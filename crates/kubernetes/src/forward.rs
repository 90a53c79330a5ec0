//! Connections to a pod behind a service, through the API server, as `kubectl port-forward` makes them.
//!
//! For people at a command line, with their own rights: the agent never does that. Each connection is one
//! WebSocket of the API server's to one pod that is ready, chosen anew for each, so that a pod that went is
//! no obstacle.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use k8s_openapi::api::core::v1::Pod;
use kube::client::Body;
use kube::{Api, Client};
use serde::Deserialize;
use tokio::io::DuplexStream;
use tokio::time::timeout;

use crate::access::Access;
use crate::error::{self, innermost, shortened};

/// More than all slices of a service have.
const MOST_BYTES: usize = 4 << 20;

/// Which service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How the API server is found.
    pub access: Access,
    /// A context of the kubeconfig other than its current one.
    pub context: Option<String>,
    /// The service's namespace.
    pub namespace: String,
    /// The service.
    pub service: String,
    /// What each request may take.
    pub within: Duration,
}

/// Why there is no way to a service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No cluster can be asked.
    #[error(transparent)]
    Cluster(#[from] error::Error),
    /// It cannot be the name of anything in a cluster.
    #[error("{0:?} is not a name in a cluster")]
    Name(String),
    /// The server refused or did not answer.
    #[error("cannot {what}: {reason}")]
    Refused {
        /// What it was asked for.
        what: String,
        /// In its words.
        reason: String,
    },
    /// There is no such service, or nothing is behind it.
    #[error("no pod of service {namespace}/{service} is ready")]
    NoPod {
        /// The namespace.
        namespace: String,
        /// The service.
        service: String,
    },
}

/// The way to a service.
#[derive(Clone)]
pub struct Forward {
    client: Client,
    options: Options,
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forward").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Forward {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// No cluster can be asked, or the names are none.
    pub async fn new(options: Options) -> Result<Self, Error> {
        for name in [&options.namespace, &options.service] {
            let fits =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if name.is_empty() || name.len() > 63 || !name.bytes().all(fits) {
                return Err(Error::Name(name.clone()));
            }
        }
        let context = options.context.as_deref();
        let config = options.access.config_in(context, options.within).await?;
        let client = Client::try_from(config);
        let client = client.map_err(|error| error::Error::Client(innermost(&error)))?;
        Ok(Self { client, options })
    }

    /// A connection to one of its pods that are ready, at the service's first port.
    ///
    /// # Errors
    /// The server refuses, or there is no such pod.
    pub async fn connect(&self) -> Result<DuplexStream, Error> {
        let Options { namespace, within, .. } = &self.options;
        let (pod, port) = self.ready_pod().await?;
        let what = || format!("forward to port {port} of pod {namespace}/{pod}");
        let refused = |reason: String| Error::Refused { what: what(), reason };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let forwarded = timeout(*within, pods.portforward(&pod, &[port])).await;
        let mut forwarded = forwarded
            .map_err(|_| refused(format!("no answer within {within:?}")))?
            .map_err(|error| refused(innermost(&error)))?;
        forwarded.take_stream(port).ok_or_else(|| refused("it was not forwarded".to_owned()))
    }

    /// A pod that takes connections, and the port where it does.
    async fn ready_pod(&self) -> Result<(String, u16), Error> {
        let Options { namespace, service, within, .. } = &self.options;
        let path = format!(
            "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices\
             ?labelSelector=kubernetes.io%2Fservice-name%3D{service}"
        );
        let what = format!("list the endpoint slices of service {namespace}/{service}");
        let refused = |reason: String| Error::Refused { what: what.clone(), reason };
        let asked = http::Request::get(path).body(Body::empty());
        let asked = asked.map_err(|error| refused(error.to_string()))?;
        let answered = timeout(*within, async {
            let response = self.client.send(asked).await;
            let response = response.map_err(|error| innermost(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            match status.is_success() {
                true => serde_json::from_slice::<Slices>(&body).map_err(|error| error.to_string()),
                false => Err(shortened(&crate::read::refusal(status.as_u16(), &body).message)),
            }
        });
        let slices = answered.await.map_err(|_| refused(format!("no answer within {within:?}")))?;
        let slices = slices.map_err(refused)?;
        slices
            .ready_pod(namespace, service)
            .ok_or_else(|| Error::NoPod { namespace: namespace.clone(), service: service.clone() })
    }
}

/// What is read of endpoint slices.
#[derive(Debug, Deserialize)]
struct Slices {
    items: Vec<Slice>,
}

#[derive(Debug, Deserialize)]
struct Slice {
    metadata: Metadata,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
    #[serde(default)]
    ports: Vec<Port>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default)]
    conditions: Conditions,
    target_ref: Option<Target>,
}

#[derive(Debug, Default, Deserialize)]
struct Conditions {
    /// Not known counts as ready (EndpointSlice, "conditions").
    ready: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Port {
    port: Option<u16>,
}

impl Slices {
    fn ready_pod(&self, namespace: &str, service: &str) -> Option<(String, u16)> {
        let is_of = |slice: &&Slice| {
            let of = slice.metadata.labels.get("kubernetes.io/service-name");
            slice.metadata.namespace == namespace && of.is_some_and(|of| of == service)
        };
        self.items.iter().filter(is_of).find_map(|slice| {
            let port = slice.ports.iter().find_map(|port| port.port)?;
            let ready = slice.endpoints.iter().filter(|it| it.conditions.ready != Some(false));
            let mut pods = ready.filter_map(|it| it.target_ref.as_ref());
            pods.find(|target| target.kind == "Pod").map(|pod| (pod.name.clone(), port))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pod_that_is_ready_is_chosen_with_the_port_where_it_listens() {
        let text = r#"{"items": [
            {"metadata": {"namespace": "other", "labels": {"kubernetes.io/service-name": "relay"}},
             "endpoints": [{"targetRef": {"kind": "Pod", "name": "foreign"}}], "ports": [{"port": 1}]},
            {"metadata": {"namespace": "ns", "labels": {"kubernetes.io/service-name": "relay"}}},
            {"metadata": {"namespace": "ns", "labels": {"kubernetes.io/service-name": "relay"}},
             "endpoints": [
                {"conditions": {"ready": false}, "targetRef": {"kind": "Pod", "name": "starting"}},
                {"conditions": {"ready": true}, "targetRef": {"kind": "Node", "name": "n"}},
                {"conditions": {"ready": true}},
                {"conditions": {}, "targetRef": {"kind": "Pod", "name": "relay-1"}}],
             "ports": [{"name": "any"}, {"name": "grpc", "port": 4245}]}
        ]}"#;
        let slices: Slices = serde_json::from_str(text).unwrap();
        assert_eq!(slices.ready_pod("ns", "relay"), Some(("relay-1".to_owned(), 4245)));
        assert_eq!(slices.ready_pod("ns", "web"), None);
        assert_eq!(slices.ready_pod("elsewhere", "relay"), None);
    }
}
