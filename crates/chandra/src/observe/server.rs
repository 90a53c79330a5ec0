//! A server of Hubble's that is being asked, and what its refusals mean.

use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chandra_doctor::{Check, Problem};
use chandra_hubble::proto::chandra::v1::alerts_client::AlertsClient;
use chandra_hubble::proto::chandra::v1::profiles_client::ProfilesClient;
use chandra_hubble::proto::observer::observer_client::ObserverClient;
use chandra_hubble::proto::peer::peer_client::PeerClient;
use chandra_hubble_grpc::client::{self, Address, Connected, Io, Way};
use chandra_hubble_grpc::tls::Failure;
use chandra_kubernetes::forward::{self, Forward};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;

use crate::cli::hubble_server::{BasicAuth, ServerOptions};

/// The connection, with who asks.
pub type Connection = InterceptedService<Channel, Authorization>;

/// Says with every request who asks.
#[derive(Debug, Clone)]
pub struct Authorization(Option<MetadataValue<Ascii>>);

impl Authorization {
    fn new(auth: Option<&BasicAuth>) -> Self {
        let value = auth.and_then(|BasicAuth { username, password }| {
            let encoded = STANDARD.encode(format!("{username}:{password}"));
            let mut value: MetadataValue<Ascii> = format!("Basic {encoded}").parse().ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Self(value)
    }
}

impl Interceptor for Authorization {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A server that answers.
#[derive(Debug)]
pub struct Server<'a> {
    options: &'a ServerOptions,
    connected: Connected,
    connection: Connection,
}

impl<'a> Server<'a> {
    /// Connects.
    pub async fn connect(options: &'a ServerOptions) -> Result<Self, Problem> {
        let way = match &options.forward {
            None => None,
            Some(forward) => Some(way(forward).await?),
        };
        let connect = client::Options { way, ..options.connect.clone() };
        let connected =
            client::connect(&connect).await.map_err(|error| unreachable(options, &error))?;
        let authorization = Authorization::new(options.basic_auth.as_ref());
        let connection = InterceptedService::new(connected.channel.clone(), authorization);
        Ok(Self { options, connected, connection })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.options.connect.address
    }

    /// The service for flows.
    pub fn observer(&self) -> ObserverClient<Connection> {
        ObserverClient::new(self.connection.clone())
    }

    /// The service for alerts.
    pub fn alerts(&self) -> AlertsClient<Connection> {
        AlertsClient::new(self.connection.clone())
    }

    /// The service for profiles.
    pub fn profiles(&self) -> ProfilesClient<Connection> {
        ProfilesClient::new(self.connection.clone())
    }

    /// The service for peers.
    pub fn peer(&self) -> PeerClient<Connection> {
        PeerClient::new(self.connection.clone())
    }

    /// The service for health.
    pub fn health(&self) -> HealthClient<Connection> {
        HealthClient::new(self.connection.clone())
    }

    /// The answer to a request, within the time that it may take.
    pub async fn answer<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Problem> {
        let limit = self.options.request_timeout;
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.refusal(what, &status)),
            Err(_) => Err(Problem::new(
                Check::HUBBLE,
                what,
                format!("{} did not answer within {limit:?}", self.address()),
                "try again, or give it more time: --request-timeout 60s",
            )),
        }
    }

    /// What a refusal means.
    pub fn refusal(&self, what: &str, status: &Status) -> Problem {
        let address = self.address();
        let broke = status.source().filter(|source| source.is::<tonic::transport::Error>());
        let (code, said) = match broke {
            Some(error) => (Code::Unavailable, client::innermost(error)),
            None => (status.code(), status.message().to_owned()),
        };
        if let Some(failure) = self.connected.tls_failure() {
            let why = format!("{address}: {}", failure.words());
            return Problem::new(Check::HUBBLE, what, why, after_failure(failure, address));
        }
        let said = chandra_event::text::escape(said.as_bytes());
        let status_command = match address {
            Address::Named { .. } => "chandra status --port-forward".to_owned(),
            _ => format!("chandra status --server {address}"),
        };
        let (why, next) = match code {
            Code::InvalidArgument | Code::Unknown | Code::OutOfRange => (
                format!("{address} refuses what is asked: {said}"),
                "correct it; chandra observe --print-raw-filters shows the filters that are asked"
                    .to_owned(),
            ),
            Code::Unimplemented => (
                format!("{address} does not know of it: {said}"),
                "ask another server: a relay knows of nodes, a node of its own events".to_owned(),
            ),
            Code::Unauthenticated | Code::PermissionDenied => (
                format!("{address} does not let you: {said}"),
                "say who you are: --basic-auth-username, or --tls-client-cert-file".to_owned(),
            ),
            Code::ResourceExhausted => (
                format!("{address} cannot give so much: {said}"),
                "ask for less, or later".to_owned(),
            ),
            Code::DeadlineExceeded => (format!("{address} took too long: {said}"), status_command),
            Code::Unavailable | Code::Cancelled | Code::Aborted | Code::DataLoss => {
                let next = match address {
                    address if !address.is_tls() && !matches!(address, Address::Unix(_)) => {
                        format!("{status_command}; where it wants TLS: --tls")
                    }
                    _ => status_command,
                };
                (format!("the connection to {address} broke: {said}"), next)
            }
            _ => (format!("{address} failed: {said}"), status_command),
        };
        Problem::new(Check::HUBBLE, what, why, next)
    }
}

fn unreachable(options: &ServerOptions, error: &client::Error) -> Problem {
    let address = &options.connect.address;
    let next = match (error, address) {
        (client::Error::Tls(_) | client::Error::ServerName(_), _) => {
            "name files that fit: --tls-ca-cert-files ca.crt --tls-server-name NAME".to_owned()
        }
        (client::Error::Unreachable { .. }, _) if options.is_usual => {
            "start the agent here: chandra agent; or say which server: --server HOST:PORT"
                .to_owned()
        }
        (client::Error::Handshake { failure, .. }, _) => after_failure(*failure, address),
        (_, Address::Unix(path)) => format!("see whether it is there: ls -l {}", path.display()),
        (_, Address::Tcp { tls: false, .. }) => {
            "see whether it listens there, and whether it wants TLS: --tls".to_owned()
        }
        (_, Address::Named { .. }) => "see whether its pods are ready, and what you may do there: \
             kubectl auth can-i create pods/portforward"
            .to_owned(),
        (_, Address::Tcp { tls: true, .. }) => "see whether it listens there, with TLS".to_owned(),
    };
    Problem::new(Check::HUBBLE, format!("cannot reach the server {address}"), error, next)
}

/// The way to a service of a cluster. It is gone once, so that what does not work is told with its reason.
async fn way(options: &forward::Options) -> Result<Way, Problem> {
    let forward::Options { namespace, service, .. } = options;
    let problem = |error: forward::Error| {
        let next = match &error {
            forward::Error::Cluster(error) => error.next().to_owned(),
            forward::Error::NoPod { .. } => format!(
                "see where it is: kubectl get services -A | grep {service}; and say so: \
                 --kube-namespace NAMESPACE"
            ),
            _ => format!(
                "see what you may do there: kubectl -n {namespace} auth can-i create \
                 pods/portforward, and list endpointslices"
            ),
        };
        let what = format!("cannot forward to service {namespace}/{service}");
        Problem::new(Check::HUBBLE, what, error, next)
    };
    let forward = Forward::new(options.clone()).await.map_err(problem)?;
    let first = forward.connect().await.map_err(problem)?;
    let first = Arc::new(Mutex::new(Some(first)));
    Ok(Way::new(move || {
        let (forward, first) = (forward.clone(), Arc::clone(&first));
        async move {
            let first = first.lock().ok().and_then(|mut first| first.take());
            let stream = match first {
                Some(stream) => stream,
                None => forward.connect().await.map_err(io::Error::other)?,
            };
            Ok(Box::new(stream) as Box<dyn Io>)
        }
    }))
}

/// What to do where TLS fails so.
fn after_failure(failure: Failure, address: &Address) -> String {
    match failure {
        Failure::ServerUnknown | Failure::Other => {
            "say what to trust: --tls-ca-cert-files ca.crt".to_owned()
        }
        Failure::ServerName => {
            "say which of its names it has to have: --tls-server-name NAME".to_owned()
        }
        Failure::ServerTime => format!(
            "compare the clocks (date), or renew the server's certificate; it is valid: openssl \
             s_client -connect {} </dev/null | openssl x509 -noout -dates",
            address.to_string().trim_start_matches("tls://")
        ),
        Failure::NoTls => "leave tls:// and --tls out, or name the port that has TLS".to_owned(),
        Failure::ClientMissing => "show one: --tls-client-cert-file client.crt \
             --tls-client-key-file client.key"
            .to_owned(),
        Failure::ClientUnknown => "show one of an authority that the server trusts (an agent: \
             --hubble-tls-client-ca-files): --tls-client-cert-file client.crt"
            .to_owned(),
        Failure::ClientTime => "renew it, or compare the clocks (date); it is valid: openssl x509 \
             -noout -dates -in client.crt"
            .to_owned(),
    }
}
