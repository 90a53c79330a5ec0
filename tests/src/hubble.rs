//! A server of Hubble's that says what a test tells it to, and remembers what it was asked.
//!
//! Its messages are those of the crate that is under test, for there is one contract; what is in them,
//! and when, is the test's.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};

use chandra_hubble::proto::observer::observer_server::{Observer, ObserverServer};
use chandra_hubble::proto::observer::{
    GetAgentEventsRequest, GetAgentEventsResponse, GetDebugEventsRequest, GetDebugEventsResponse,
    GetFlowsRequest, GetFlowsResponse, GetNamespacesRequest, GetNamespacesResponse,
    GetNodesRequest, GetNodesResponse, ServerStatusRequest, ServerStatusResponse,
};
use chandra_hubble::proto::peer::peer_server::{Peer, PeerServer};
use chandra_hubble::proto::peer::{ChangeNotification, NotifyRequest};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// The name in its certificate.
pub const TLS_NAME: &str = "relay.test";

/// What is answered.
#[derive(Debug, Default, Clone)]
pub struct Answers {
    /// What is told of flows, one list a request; the last one again and again.
    pub flows: VecDeque<Vec<GetFlowsResponse>>,
    /// What ends every stream of flows that is told, and refuses every other request.
    pub refusal: Option<Status>,
    /// What is told of the agent.
    pub agent_events: Vec<GetAgentEventsResponse>,
    /// What is told of the datapath.
    pub debug_events: Vec<GetDebugEventsResponse>,
    /// The status.
    pub status: ServerStatusResponse,
    /// The nodes; without any, it does not know of nodes.
    pub nodes: GetNodesResponse,
    /// The namespaces.
    pub namespaces: GetNamespacesResponse,
    /// The changes of peers, after which it goes on.
    pub peers: Vec<ChangeNotification>,
    /// It says that it is not well.
    pub is_unwell: bool,
}

/// What was asked.
#[derive(Debug, Default)]
pub struct Asked {
    /// Requests for flows.
    pub flows: Vec<GetFlowsRequest>,
    /// Requests for events of the agent.
    pub agent_events: Vec<GetAgentEventsRequest>,
    /// Who said to be asking, with each request.
    pub authorizations: Vec<Option<String>>,
}

/// A server.
#[derive(Debug)]
pub struct HubbleServer {
    address: String,
    asked: Arc<Mutex<Asked>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

enum Where {
    Tcp(TcpListener),
    Tls(TcpListener, Arc<ServerConfig>),
    Unix(PathBuf),
}

impl HubbleServer {
    /// One on a free port.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self::serve(answers, address, Where::Tcp(listener))
    }

    /// One at this socket.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_at(answers: Answers, socket: &Path) -> Self {
        let address = format!("unix://{}", socket.display());
        Self::serve(answers, address, Where::Unix(socket.to_owned()))
    }

    /// One with TLS, whose certificate, of [`TLS_NAME`], is written to this file.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_tls(answers: Answers, certificate: &Path) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![TLS_NAME.to_owned()]).unwrap();
        let own = params.self_signed(&key).unwrap();
        std::fs::write(certificate, own.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tls://{}", listener.local_addr().unwrap());
        Self::serve(answers, address, Where::Tls(listener, Arc::new(config)))
    }

    fn serve(answers: Answers, address: String, place: Where) -> Self {
        let asked = Arc::new(Mutex::new(Asked::default()));
        let service = Service { answers: Arc::new(Mutex::new(answers)), asked: Arc::clone(&asked) };
        let (end, ended) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(run(service, place, ready, ended));
        });
        is_ready.recv().unwrap();
        Self { address, asked, end: Some(end), thread: Some(thread) }
    }

    /// Where it is, as `--server` takes it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it was asked until now.
    ///
    /// # Panics
    /// When the server panicked.
    pub fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap()
    }
}

impl Drop for HubbleServer {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn run(service: Service, place: Where, ready: Sender<()>, ended: oneshot::Receiver<()>) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let is_unwell = service.answers().is_unwell;
    let status = if is_unwell {
        tonic_health::ServingStatus::NotServing
    } else {
        tonic_health::ServingStatus::Serving
    };
    reporter.set_service_status("hubble.server.Observer", status).await;
    let router = Server::builder()
        .add_service(health)
        .add_service(ObserverServer::new(service.clone()))
        .add_service(PeerServer::new(service));
    let listen = |listener: TcpListener| {
        listener.set_nonblocking(true).unwrap();
        tokio::net::TcpListener::from_std(listener).unwrap()
    };
    match place {
        Where::Unix(path) => {
            let listener = tokio::net::UnixListener::bind(path).unwrap();
            ready.send(()).unwrap();
            let serving = router.serve_with_incoming(UnixListenerStream::new(listener));
            tokio::select! { _ = serving => {}, _ = ended => {} }
        }
        Where::Tcp(listener) => {
            let incoming = TcpListenerStream::new(listen(listener));
            ready.send(()).unwrap();
            tokio::select! { _ = router.serve_with_incoming(incoming) => {}, _ = ended => {} }
        }
        Where::Tls(front, config) => {
            let behind = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = behind.local_addr().unwrap();
            let front = unwrap_tls(listen(front), config, address);
            ready.send(()).unwrap();
            let serving = router.serve_with_incoming(TcpListenerStream::new(behind));
            tokio::select! { _ = serving => {}, _ = front => {}, _ = ended => {} }
        }
    }
}

/// Takes the encryption off, and hands on.
async fn unwrap_tls(front: tokio::net::TcpListener, config: Arc<ServerConfig>, to: SocketAddr) {
    let acceptor = TlsAcceptor::from(config);
    while let Ok((stream, _)) = front.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut behind = tokio::net::TcpStream::connect(to).await.unwrap();
            drop(tokio::io::copy_bidirectional(&mut stream, &mut behind).await);
        });
    }
}

#[derive(Debug, Clone)]
struct Service {
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Asked>>,
}

type Told<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Some messages; then the refusal, or nothing for ever, or the end.
fn told<T: Send + 'static>(
    messages: Vec<T>,
    refusal: Option<Status>,
    is_endless: bool,
) -> Response<Told<T>> {
    let messages = tokio_stream::iter(messages.into_iter().map(Ok));
    Response::new(match refusal {
        Some(refusal) => Box::pin(messages.chain(tokio_stream::once(Err(refusal)))),
        None if is_endless => Box::pin(messages.chain(tokio_stream::pending())),
        None => Box::pin(messages),
    })
}

impl Service {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap()
    }

    /// Remembers who asks; refuses it, if that is what is wanted.
    fn ask<T>(&self, request: &Request<T>) -> MutexGuard<'_, Asked> {
        let authorization = request.metadata().get("authorization");
        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        let mut asked = self.asked.lock().unwrap();
        asked.authorizations.push(authorization);
        asked
    }

    fn unless_refused<T>(&self, answer: T) -> Result<Response<T>, Status> {
        self.answers().refusal.clone().map_or(Ok(Response::new(answer)), Err)
    }
}

#[tonic::async_trait]
impl Observer for Service {
    type GetFlowsStream = Told<GetFlowsResponse>;
    type GetAgentEventsStream = Told<GetAgentEventsResponse>;
    type GetDebugEventsStream = Told<GetDebugEventsResponse>;

    async fn get_flows(
        &self,
        request: Request<GetFlowsRequest>,
    ) -> Result<Response<Self::GetFlowsStream>, Status> {
        let follow = request.get_ref().follow;
        let mut asked = self.ask(&request);
        asked.flows.push(request.into_inner());
        let mut answers = self.answers();
        let flows = if answers.flows.len() > 1 {
            answers.flows.pop_front()
        } else {
            answers.flows.front().cloned()
        };
        Ok(told(flows.unwrap_or_default(), answers.refusal.clone(), follow))
    }

    async fn get_agent_events(
        &self,
        request: Request<GetAgentEventsRequest>,
    ) -> Result<Response<Self::GetAgentEventsStream>, Status> {
        let mut asked = self.ask(&request);
        asked.agent_events.push(request.into_inner());
        let answers = self.answers();
        Ok(told(answers.agent_events.clone(), answers.refusal.clone(), false))
    }

    async fn get_debug_events(
        &self,
        request: Request<GetDebugEventsRequest>,
    ) -> Result<Response<Self::GetDebugEventsStream>, Status> {
        drop(self.ask(&request));
        let answers = self.answers();
        Ok(told(answers.debug_events.clone(), answers.refusal.clone(), false))
    }

    async fn get_nodes(
        &self,
        request: Request<GetNodesRequest>,
    ) -> Result<Response<GetNodesResponse>, Status> {
        drop(self.ask(&request));
        let nodes = self.answers().nodes.clone();
        if nodes.nodes.is_empty() {
            return Err(Status::unimplemented("GetNodes not implemented"));
        }
        self.unless_refused(nodes)
    }

    async fn get_namespaces(
        &self,
        request: Request<GetNamespacesRequest>,
    ) -> Result<Response<GetNamespacesResponse>, Status> {
        drop(self.ask(&request));
        let namespaces = self.answers().namespaces.clone();
        self.unless_refused(namespaces)
    }

    async fn server_status(
        &self,
        request: Request<ServerStatusRequest>,
    ) -> Result<Response<ServerStatusResponse>, Status> {
        drop(self.ask(&request));
        let status = self.answers().status.clone();
        self.unless_refused(status)
    }
}

#[tonic::async_trait]
impl Peer for Service {
    type NotifyStream = Told<ChangeNotification>;

    async fn notify(
        &self,
        request: Request<NotifyRequest>,
    ) -> Result<Response<Self::NotifyStream>, Status> {
        drop(self.ask(&request));
        let answers = self.answers();
        Ok(told(answers.peers.clone(), answers.refusal.clone(), true))
    }
}
