//! `observer.Observer`.

use std::sync::Arc;

use chandra_hubble::proto::observer::{
    GetAgentEventsRequest, GetAgentEventsResponse, GetDebugEventsRequest, GetDebugEventsResponse,
    GetFlowsRequest, GetFlowsResponse, GetNamespacesRequest, GetNamespacesResponse,
    GetNodesRequest, GetNodesResponse, ServerStatusRequest, ServerStatusResponse, observer_server,
};
use tonic::{Request, Response, Status};

use super::stream::{Answers, stream};
use super::{State, agent_events, flows, now_ns};

/// Answers that may wait for a client.
const WAITING: usize = 64;

/// The service.
#[derive(Debug)]
pub struct Observer(Arc<State>);

impl Observer {
    pub fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

#[tonic::async_trait]
impl observer_server::Observer for Observer {
    type GetFlowsStream = Answers<GetFlowsResponse>;
    type GetAgentEventsStream = Answers<GetAgentEventsResponse>;
    type GetDebugEventsStream = Answers<GetDebugEventsResponse>;

    async fn get_flows(
        &self,
        request: Request<GetFlowsRequest>,
    ) -> Result<Response<Self::GetFlowsStream>, Status> {
        let query = flows::query(&request.into_inner())?;
        Ok(stream(&self.0, WAITING, |state, sender| async move {
            flows::tell(&state, query, &sender).await
        }))
    }

    async fn get_agent_events(
        &self,
        request: Request<GetAgentEventsRequest>,
    ) -> Result<Response<Self::GetAgentEventsStream>, Status> {
        let request = request.into_inner();
        refuse_first_and_follow(request.first, request.follow)?;
        Ok(stream(&self.0, WAITING, |state, sender| async move {
            agent_events::tell(&state, &request, &sender).await;
        }))
    }

    /// There are none: what developers want to know of Chandra is on `/signals`.
    async fn get_debug_events(
        &self,
        request: Request<GetDebugEventsRequest>,
    ) -> Result<Response<Self::GetDebugEventsStream>, Status> {
        let request = request.into_inner();
        refuse_first_and_follow(request.first, request.follow)?;
        Ok(stream(&self.0, WAITING, |_, sender| async move {
            if request.follow {
                sender.closed().await;
            }
        }))
    }

    /// Relays know nodes; a node knows itself.
    async fn get_nodes(
        &self,
        _: Request<GetNodesRequest>,
    ) -> Result<Response<GetNodesResponse>, Status> {
        Err(Status::unimplemented("GetNodes not implemented"))
    }

    async fn get_namespaces(
        &self,
        _: Request<GetNamespacesRequest>,
    ) -> Result<Response<GetNamespacesResponse>, Status> {
        Ok(Response::new(GetNamespacesResponse { namespaces: self.0.namespaces.all() }))
    }

    async fn server_status(
        &self,
        _: Request<ServerStatusRequest>,
    ) -> Result<Response<ServerStatusResponse>, Status> {
        let stats = self.0.ring.stats(now_ns());
        let uptime = self.0.started.elapsed().as_nanos();
        Ok(Response::new(ServerStatusResponse {
            num_flows: stats.flows,
            max_flows: stats.flows_at_most,
            seen_flows: stats.seen_flows,
            uptime_ns: u64::try_from(uptime).unwrap_or(u64::MAX),
            version: self.0.version.clone(),
            flows_rate: stats.flows_per_second,
            ..ServerStatusResponse::default()
        }))
    }
}

fn refuse_first_and_follow(first: bool, follow: bool) -> Result<(), Status> {
    match first && follow {
        true => Err(Status::invalid_argument("first cannot be specified with follow")),
        false => Ok(()),
    }
}
