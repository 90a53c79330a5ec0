//! Calls of CRI v1, each with a ceiling in bytes and in time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::api;
use crate::error::Error;

/// The longest answer; runtimes and the kubelet have the same limit.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// How much of a refusal is kept.
const MAX_REASON_BYTES: usize = 300;

/// One connection to a runtime. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    grpc: Grpc<Channel>,
    socket: PathBuf,
    within: Duration,
}

impl Client {
    /// Connects and gives every call this time.
    pub async fn connect(socket: &Path, within: Duration) -> Result<Self, Error> {
        let bad_path = || Error::Path(socket.to_owned());
        if !socket.is_absolute() {
            return Err(bad_path());
        }
        let name = socket.to_str().ok_or_else(bad_path)?;
        let endpoint = Endpoint::from_shared(format!("unix://{name}")).map_err(|_| bad_path())?;
        let connected = tokio::time::timeout(within, endpoint.connect()).await;
        let channel = match connected {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => {
                let (socket, reason) = (socket.to_owned(), innermost(&error));
                return Err(Error::Connection { socket, reason });
            }
            Err(_) => return Err(Error::Slow { call: "connecting", within }),
        };
        let grpc = Grpc::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Ok(Self { grpc, socket: socket.to_owned(), within })
    }

    pub async fn version(&self) -> Result<api::VersionResponse, Error> {
        self.call("Version", api::VersionRequest { version: "v1".to_owned() }).await
    }

    pub async fn list_pods(&self) -> Result<api::ListPodSandboxResponse, Error> {
        self.call("ListPodSandbox", api::ListRequest {}).await
    }

    pub async fn list_containers(&self) -> Result<api::ListContainersResponse, Error> {
        self.call("ListContainers", api::ListRequest {}).await
    }

    /// The list of one container, which says what its status does not: its sandbox.
    pub async fn list_container(&self, id: &str) -> Result<api::ListContainersResponse, Error> {
        let filter = Some(api::ContainerFilter { id: id.to_owned() });
        self.call("ListContainers", api::ListContainersRequest { filter }).await
    }

    pub async fn pod_status(&self, id: &str) -> Result<api::PodSandboxStatusResponse, Error> {
        let request = api::StatusRequest { id: id.to_owned(), verbose: true };
        self.call("PodSandboxStatus", request).await
    }

    pub async fn container_status(&self, id: &str) -> Result<api::ContainerStatusResponse, Error> {
        let request = api::StatusRequest { id: id.to_owned(), verbose: true };
        self.call("ContainerStatus", request).await
    }

    /// A container of any namespace of containerd.
    pub async fn container_of_containerd(
        &self,
        namespace: &str,
        id: &str,
    ) -> Result<api::GetContainerResponse, Error> {
        let mut request = Request::new(api::GetContainerRequest { id: id.to_owned() });
        if let Ok(namespace) = namespace.parse() {
            request.metadata_mut().insert("containerd-namespace", namespace);
        }
        let call = "/containerd.services.containers.v1.Containers/Get";
        self.ask("Get", PathAndQuery::from_static(call), request).await
    }

    /// Events as they happen. Runtimes may hold back even the beginning of the answer until there is
    /// an event, so this has no ceiling in time.
    pub async fn events(&self) -> Result<Streaming<api::ContainerEventResponse>, Error> {
        let call = "GetContainerEvents";
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| self.lost(innermost(&error)))?;
        let request = Request::new(api::EventsRequest {});
        let codec: ProstCodec<_, api::ContainerEventResponse> = ProstCodec::new();
        let answer = grpc.server_streaming(request, path(call), codec).await;
        Ok(answer.map_err(|status| self.refused(call, &status))?.into_inner())
    }

    async fn call<Q, A>(&self, call: &'static str, request: Q) -> Result<A, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.ask(call, path(call), Request::new(request)).await
    }

    async fn ask<Q, A>(
        &self,
        call: &'static str,
        path: PathAndQuery,
        request: Request<Q>,
    ) -> Result<A, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.grpc.clone();
        let answer = async {
            grpc.ready().await.map_err(|error| self.lost(innermost(&error)))?;
            let codec: ProstCodec<Q, A> = ProstCodec::new();
            let answer = grpc.unary(request, path, codec).await;
            answer.map_err(|status| self.refused(call, &status))
        };
        match tokio::time::timeout(self.within, answer).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Error::Slow { call, within: self.within }),
        }
    }

    fn lost(&self, reason: String) -> Error {
        Error::Connection { socket: self.socket.clone(), reason }
    }

    fn refused(&self, call: &'static str, status: &Status) -> Error {
        // A status with a cause was made here, not by the runtime: the connection broke.
        match std::error::Error::source(status) {
            Some(cause) if status.code() != Code::OutOfRange => self.lost(innermost(cause)),
            _ => {
                let message = shortened(status.message());
                Error::Refused { call, code: status.code(), message }
            }
        }
    }
}

fn path(call: &str) -> PathAndQuery {
    let path = PathAndQuery::try_from(format!("/runtime.v1.RuntimeService/{call}"));
    // Names of calls are words; a root path would be refused by every runtime.
    path.unwrap_or_else(|_| PathAndQuery::from_static("/"))
}

/// The cause that says most: layers above it say "transport error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    shortened(&error.to_string())
}

fn shortened(text: &str) -> String {
    let kept = &text[..text.floor_char_boundary(MAX_REASON_BYTES)];
    if kept.len() < text.len() { format!("{kept}…") } else { kept.to_owned() }
}
