//! A collector of OTLP. What it gets it reads with `opentelemetry-proto`, the types that OpenTelemetry's own
//! project generates, behind tonic's server of gRPC or hyper's of HTTP.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1 as logs_service;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics_service;
use opentelemetry_proto::tonic::collector::profiles::v1development as profiles_service;
use opentelemetry_proto::tonic::collector::trace::v1 as trace_service;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tower::ServiceExt;

use crate::certificates::{Authority, Signed};
use crate::patience::wait_for;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// gRPC.
    Grpc,
    /// HTTP with messages as bodies.
    Http,
}

/// What becomes of a request; without any, each is taken.
#[derive(Debug, Clone)]
pub enum Reply {
    /// It is taken but for so many items.
    Partial(i64, &'static str),
    /// It is refused: with this status of HTTP, or this one of gRPC; and told when to come again.
    Refuse(u16, Code, Option<Duration>),
    /// Nobody answers.
    Silence,
}

/// What was taken.
#[derive(Debug, Default)]
pub struct Received {
    /// Requests with metrics, in the order in which they came.
    pub metrics: Vec<metrics_service::ExportMetricsServiceRequest>,
    /// Requests with log records.
    pub logs: Vec<logs_service::ExportLogsServiceRequest>,
    /// Requests with spans.
    pub traces: Vec<trace_service::ExportTraceServiceRequest>,
    /// Requests with profiles.
    pub profiles: Vec<profiles_service::ExportProfilesServiceRequest>,
    /// Headers of all requests, those that were not taken included: names and values.
    pub headers: Vec<Vec<(String, String)>>,
    /// When each of these came.
    pub times: Vec<std::time::Instant>,
}

/// A collector; it is gone when dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Debug, Default)]
struct Shared {
    received: Mutex<Received>,
    replies: Mutex<VecDeque<Reply>>,
}

impl Collector {
    /// On a free port.
    ///
    /// # Panics
    /// When there is none.
    pub fn start(speaks: Speaks) -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), speaks, None)
    }

    /// With a certificate, for clients of this authority alone where one is named.
    ///
    /// # Panics
    /// When the files cannot be used.
    pub fn start_tls(speaks: Speaks, own: &Signed, clients: Option<&Authority>) -> Self {
        let tls = Arc::new(config(speaks, own, clients));
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), speaks, Some(tls))
    }

    /// At this address, where another may have been before.
    ///
    /// # Panics
    /// When it cannot be had.
    pub fn at(address: SocketAddr, speaks: Speaks, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = wait_for("the address", || TcpListener::bind(address).ok());
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = serve(listener, speaks, tls, Arc::clone(&shared));
        runtime.spawn(serving);
        Self { address, shared, runtime: Some(runtime) }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next requests are answered so.
    ///
    /// # Panics
    /// When a request's thread did.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.replies.lock().unwrap().extend(replies);
    }

    /// What it took so far.
    ///
    /// # Panics
    /// When a request's thread did.
    pub fn received<T>(&self, look: impl FnOnce(&Received) -> T) -> T {
        look(&self.shared.received.lock().unwrap())
    }

    /// Waits for what is looked for in what it took.
    ///
    /// # Panics
    /// When it never comes.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut(&Received) -> Option<T>) -> T {
        wait_for(what, || self.received(&mut look))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

impl Received {
    /// All metrics, with the resource they are of, in the order in which they came.
    pub fn all_metrics(&self) -> impl Iterator<Item = (&Resource, &Metric)> {
        let of_resources = self.metrics.iter().flat_map(|request| &request.resource_metrics);
        of_resources.flat_map(|of| {
            let metrics = of.scope_metrics.iter().flat_map(|scope| &scope.metrics);
            metrics.map(|metric| (of.resource.as_ref().unwrap(), metric))
        })
    }

    /// All spans, with the resource they are of, in the order in which they came.
    pub fn all_spans(&self) -> impl Iterator<Item = (&Resource, &Span)> {
        let of_resources = self.traces.iter().flat_map(|request| &request.resource_spans);
        of_resources.flat_map(|of| {
            let spans = of.scope_spans.iter().flat_map(|scope| &scope.spans);
            spans.map(|span| (of.resource.as_ref().unwrap(), span))
        })
    }

    /// All log records, in the order in which they came.
    pub fn all_logs(&self) -> impl Iterator<Item = &LogRecord> {
        let of_resources = self.logs.iter().flat_map(|request| &request.resource_logs);
        of_resources.flat_map(|of| &of.scope_logs).flat_map(|scope| &scope.log_records)
    }
}

/// The value of an attribute as text; empty where there is none.
///
/// # Panics
/// When the key comes twice.
pub fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let mut found = attributes.iter().filter(|attribute| attribute.key == key);
    let value = found.next().and_then(|attribute| attribute.value.as_ref()?.value.as_ref());
    assert!(found.next().is_none(), "{key} twice");
    match value {
        None => String::new(),
        Some(value) => text(value),
    }
}

fn text(value: &any_value::Value) -> String {
    match value {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::BoolValue(truth) => truth.to_string(),
        any_value::Value::IntValue(number) => number.to_string(),
        any_value::Value::DoubleValue(number) => number.to_string(),
        any_value::Value::ArrayValue(array) => {
            let values = array.values.iter().filter_map(|value| value.value.as_ref());
            values.map(text).collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    }
}

fn config(speaks: Speaks, own: &Signed, clients: Option<&Authority>) -> ServerConfig {
    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::server::WebPkiClientVerifier;

    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(&authority.file).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let certificate = vec![CertificateDer::from_pem_file(&own.certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&own.key).unwrap();
    let mut config = builder.with_single_cert(certificate, key).unwrap();
    let spoken: &[u8] = if speaks == Speaks::Grpc { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![spoken.to_vec()];
    config
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

async fn serve(
    listener: TcpListener,
    speaks: Speaks,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (connections, incoming) = tokio::sync::mpsc::unbounded_channel();
    if speaks == Speaks::Grpc {
        tokio::spawn(serve_grpc(incoming, Arc::clone(&shared)));
    }
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, shared, connections) = (tls.clone(), Arc::clone(&shared), connections.clone());
        tokio::spawn(async move {
            let io: Box<dyn Io> = match tls {
                None => Box::new(tcp),
                Some(config) => match TlsAcceptor::from(config).accept(tcp).await {
                    Ok(tls) => Box::new(tls),
                    Err(_) => return,
                },
            };
            match speaks {
                Speaks::Http => serve_http(io, shared).await,
                Speaks::Grpc => {
                    // What tonic takes are connections of types that it knows.
                    let (mut near, far) = tokio::io::duplex(64 << 10);
                    drop(connections.send(Ok::<_, std::io::Error>(far)));
                    let mut io = io;
                    drop(tokio::io::copy_bidirectional(&mut near, &mut io).await);
                }
            }
        });
    }
}

async fn serve_grpc(
    mut incoming: tokio::sync::mpsc::UnboundedReceiver<std::io::Result<tokio::io::DuplexStream>>,
    shared: Arc<Shared>,
) {
    use logs_service::logs_service_server::LogsServiceServer;
    use metrics_service::metrics_service_server::MetricsServiceServer;
    use profiles_service::profiles_service_server::ProfilesServiceServer;
    use trace_service::trace_service_server::TraceServiceServer;

    let metrics = MetricsServiceServer::from_arc(Arc::clone(&shared));
    let mut server = tonic::transport::Server::builder().layer(Unpacking);
    let profiles = ProfilesServiceServer::from_arc(Arc::clone(&shared));
    let router = server.add_service(metrics).add_service(profiles);
    let router = router.add_service(TraceServiceServer::from_arc(Arc::clone(&shared)));
    let router = router.add_service(LogsServiceServer::from_arc(shared));
    let incoming = futures_util::stream::poll_fn(move |context| incoming.poll_recv(context));
    router.serve_with_incoming(incoming).await.unwrap();
}

/// Takes compressed messages of gRPC apart before tonic has them: with its own way to do that (its feature
/// `gzip`), every reader of compressed bytes in this tree would be built on another library.
#[derive(Debug, Clone)]
struct Unpacking;

impl<S> tower::Layer<S> for Unpacking {
    type Service = Unpacked<S>;

    fn layer(&self, inner: S) -> Unpacked<S> {
        Unpacked(inner)
    }
}

/// The header `grpc-encoding` of a request whose message was taken apart.
pub const GRPC_ENCODING: &str = "was-grpc-encoding";

#[derive(Debug, Clone)]
struct Unpacked<S>(S);

impl<S> tower::Service<Request<Body>> for Unpacked<S>
where
    S: tower::Service<Request<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { inner.oneshot(unpacked(request).await).await })
    }
}

/// A message comes after whether it is compressed and its length in four bytes.
async fn unpacked(request: Request<Body>) -> Request<Body> {
    let (mut head, body) = request.into_parts();
    let Some(encoding) = head.headers.remove("grpc-encoding") else {
        return Request::from_parts(head, body);
    };
    assert_eq!(encoding, "gzip");
    head.headers.insert(GRPC_ENCODING, encoding);
    let bytes = body.collect().await.unwrap().to_bytes();
    let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap());
    assert_eq!((bytes[0], length as usize), (1, bytes.len() - 5));
    let plain = gunzip(&bytes[5..]);
    let length = u32::try_from(plain.len()).unwrap().to_be_bytes();
    let body = [&[0][..], &length, &plain].concat();
    Request::from_parts(head, Body::new(Full::new(Bytes::from(body))))
}

fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    bytes
}

impl Shared {
    fn note(&self, headers: Vec<(String, String)>) -> Option<Reply> {
        let mut received = self.received.lock().unwrap();
        received.headers.push(headers);
        received.times.push(std::time::Instant::now());
        self.replies.lock().unwrap().pop_front()
    }

    async fn note_call(&self, metadata: &MetadataMap) -> Result<Option<(i64, String)>, Status> {
        let headers = metadata.clone().into_headers();
        match self.note(pairs(&headers)) {
            None => Ok(None),
            Some(Reply::Partial(rejected, why)) => Ok(Some((rejected, why.to_owned()))),
            Some(Reply::Refuse(_, code, after)) => Err(refusal(code, after)),
            Some(Reply::Silence) => std::future::pending().await,
        }
    }
}

/// `google.rpc.Status` with a `google.rpc.RetryInfo`, by prost's own `Any` and `Duration`.
fn refusal(code: Code, after: Option<Duration>) -> Status {
    #[derive(Clone, PartialEq, Message)]
    struct RpcStatus {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<prost_types::Any>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        retry_delay: Option<prost_types::Duration>,
    }
    let message = "not now: ä";
    let Some(after) = after else { return Status::new(code, message) };
    let value = RetryInfo { retry_delay: after.try_into().ok() }.encode_to_vec();
    let type_url = "type.googleapis.com/google.rpc.RetryInfo".to_owned();
    let details = vec![prost_types::Any { type_url, value }];
    let status = RpcStatus { code: code as i32, message: message.into(), details };
    Status::with_details(code, message, status.encode_to_vec().into())
}

fn pairs(headers: &hyper::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[tonic::async_trait]
impl metrics_service::metrics_service_server::MetricsService for Shared {
    async fn export(
        &self,
        request: tonic::Request<metrics_service::ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<metrics_service::ExportMetricsServiceResponse>, Status> {
        let partial = self.note_call(request.metadata()).await?;
        self.received.lock().unwrap().metrics.push(request.into_inner());
        let partial_success = partial.map(|(rejected_data_points, error_message)| {
            metrics_service::ExportMetricsPartialSuccess { rejected_data_points, error_message }
        });
        Ok(tonic::Response::new(metrics_service::ExportMetricsServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl logs_service::logs_service_server::LogsService for Shared {
    async fn export(
        &self,
        request: tonic::Request<logs_service::ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<logs_service::ExportLogsServiceResponse>, Status> {
        let partial = self.note_call(request.metadata()).await?;
        self.received.lock().unwrap().logs.push(request.into_inner());
        let partial_success = partial.map(|(rejected_log_records, error_message)| {
            logs_service::ExportLogsPartialSuccess { rejected_log_records, error_message }
        });
        Ok(tonic::Response::new(logs_service::ExportLogsServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl trace_service::trace_service_server::TraceService for Shared {
    async fn export(
        &self,
        request: tonic::Request<trace_service::ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<trace_service::ExportTraceServiceResponse>, Status> {
        let partial = self.note_call(request.metadata()).await?;
        self.received.lock().unwrap().traces.push(request.into_inner());
        let partial_success = partial.map(|(rejected_spans, error_message)| {
            trace_service::ExportTracePartialSuccess { rejected_spans, error_message }
        });
        Ok(tonic::Response::new(trace_service::ExportTraceServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl profiles_service::profiles_service_server::ProfilesService for Shared {
    async fn export(
        &self,
        request: tonic::Request<profiles_service::ExportProfilesServiceRequest>,
    ) -> Result<tonic::Response<profiles_service::ExportProfilesServiceResponse>, Status> {
        let partial = self.note_call(request.metadata()).await?;
        self.received.lock().unwrap().profiles.push(request.into_inner());
        let partial_success = partial.map(|(rejected_profiles, error_message)| {
            profiles_service::ExportProfilesPartialSuccess { rejected_profiles, error_message }
        });
        Ok(tonic::Response::new(profiles_service::ExportProfilesServiceResponse {
            partial_success,
        }))
    }
}

async fn serve_http(io: Box<dyn Io>, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(io), service);
    // It ends when the client has gone.
    drop(connection.await);
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let status = |status: u16| Response::builder().status(status);
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return status(400).body(Full::default()).unwrap();
    };
    let reply = shared.note(pairs(&head.headers));
    let rejected = match reply {
        None => None,
        Some(Reply::Partial(rejected, why)) => Some((rejected, why.to_owned())),
        Some(Reply::Silence) => std::future::pending().await,
        Some(Reply::Refuse(code, _, after)) => {
            let mut answer = status(code);
            if let Some(after) = after {
                answer = answer.header("retry-after", after.as_secs());
            }
            return answer.body(Full::from("not now")).unwrap();
        }
    };
    let body = body.to_bytes();
    let bytes = match head.headers.get("content-encoding").map(|it| it.to_str().unwrap()) {
        None => body.to_vec(),
        Some("gzip") => gunzip(&body),
        Some(_) => return status(415).body(Full::default()).unwrap(),
    };
    assert_eq!(head.headers["content-type"], "application/x-protobuf");
    let answer = match head.uri.path() {
        "/v1/metrics" => {
            let request = metrics_service::ExportMetricsServiceRequest::decode(&*bytes).unwrap();
            shared.received.lock().unwrap().metrics.push(request);
            let partial_success = rejected.map(|(rejected_data_points, error_message)| {
                metrics_service::ExportMetricsPartialSuccess { rejected_data_points, error_message }
            });
            metrics_service::ExportMetricsServiceResponse { partial_success }.encode_to_vec()
        }
        "/v1/logs" => {
            let request = logs_service::ExportLogsServiceRequest::decode(&*bytes).unwrap();
            shared.received.lock().unwrap().logs.push(request);
            let partial_success = rejected.map(|(rejected_log_records, error_message)| {
                logs_service::ExportLogsPartialSuccess { rejected_log_records, error_message }
            });
            logs_service::ExportLogsServiceResponse { partial_success }.encode_to_vec()
        }
        "/v1/traces" => {
            let request = trace_service::ExportTraceServiceRequest::decode(&*bytes).unwrap();
            shared.received.lock().unwrap().traces.push(request);
            let partial_success = rejected.map(|(rejected_spans, error_message)| {
                trace_service::ExportTracePartialSuccess { rejected_spans, error_message }
            });
            trace_service::ExportTraceServiceResponse { partial_success }.encode_to_vec()
        }
        "/v1development/profiles" => {
            let request = profiles_service::ExportProfilesServiceRequest::decode(&*bytes).unwrap();
            shared.received.lock().unwrap().profiles.push(request);
            let partial_success = rejected.map(|(rejected_profiles, error_message)| {
                profiles_service::ExportProfilesPartialSuccess { rejected_profiles, error_message }
            });
            profiles_service::ExportProfilesServiceResponse { partial_success }.encode_to_vec()
        }
        _ => return status(404).body(Full::default()).unwrap(),
    };
    let answer_of = status(200).header("content-type", "application/x-protobuf");
    answer_of.body(Full::from(answer)).unwrap()
}
