//! Where a server of Hubble's may be on this node, and what each says; and how Cilium's is set up in the cluster.

use std::time::Duration;

use chandra_doctor::node::{HubbleServer, HubbleSettings, HubbleSetup, HubbleState};
use chandra_hubble_grpc::client::{Address, Options};
use chandra_hubble_grpc::tls::ClientFiles;
use chandra_kubernetes::{Access, hubble};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::cli::hubble_server::ServerOptions;
use crate::observe;
use crate::observe::server::Server;

const PLACES: [(&str, &str); 4] = [
    ("unix:///run/chandra/hubble.sock", "the agent of this node"),
    ("unix:///var/run/cilium/hubble.sock", "Cilium's"),
    ("127.0.0.1:4244", "a node's"),
    ("127.0.0.1:4245", "a relay's"),
];
/// All of them are on this machine.
pub const WITHIN: Duration = Duration::from_secs(2);
/// The service whose health is asked for.
const SERVICE: &str = "hubble.server.Observer";

/// Looks in every place.
pub fn look() -> Vec<HubbleServer> {
    PLACES
        .iter()
        .filter_map(|(address, whose)| {
            let parsed: Address = address.parse().ok()?;
            let state = absent(&parsed).map_or_else(|| ask(parsed), HubbleState::Absent);
            Some(HubbleServer { address: (*address).to_owned(), whose, state })
        })
        .collect()
}

/// Why nothing is there.
fn absent(address: &Address) -> Option<String> {
    let connected = match address {
        Address::Unix(path) => std::os::unix::net::UnixStream::connect(path).map(drop),
        address => std::net::TcpStream::connect(address.to_string()).map(drop),
    };
    connected.err().map(|error| error.to_string())
}

fn ask(address: Address) -> HubbleState {
    let connect = Options {
        address,
        way: None,
        files: ClientFiles::default(),
        server_name: None,
        timeout: WITHIN,
    };
    let options = ServerOptions {
        connect,
        forward: None,
        request_timeout: WITHIN,
        basic_auth: None,
        is_usual: false,
    };
    let health = observe::block_on(async {
        let server = Server::connect(&options).await?;
        health(&server).await
    });
    match health {
        Ok(ServingStatus::Serving) => HubbleState::Serving,
        Ok(other) => HubbleState::NotServing(other.as_str_name().to_owned()),
        Err(problem) => HubbleState::Refused { why: problem.why, next: problem.next },
    }
}

/// What the cluster has of a Hubble in this namespace.
pub fn setup(access: &Access, namespace: &str) -> HubbleSetup {
    let unknown = |why: String| HubbleSetup::Unknown {
        why,
        next: format!(
            "name a kubeconfig that may read config maps of {namespace}: --kubernetes ~/.kube/config"
        ),
    };
    let setup = match hubble::look(access, namespace) {
        Ok(setup) => setup,
        Err(error) => return unknown(error.to_string()),
    };
    match setup.settings {
        Err(why) => unknown(why),
        Ok(None) => HubbleSetup::NoCilium { namespace: namespace.to_owned() },
        Ok(Some(settings)) => {
            let text =
                |key: &str| settings.get(key).map(|text| text.trim()).filter(|it| !it.is_empty());
            let settings = HubbleSettings {
                is_enabled: text("enable-hubble") == Some("true"),
                listens: text("hubble-listen-address").is_some(),
                has_tls: text("hubble-disable-tls") != Some("true"),
                metrics: text("hubble-metrics")
                    .map(|text| chandra_event::text::escape(text.as_bytes())),
                relay: setup.relay,
                has_peers: setup.has_peers,
            };
            HubbleSetup::Installed { namespace: namespace.to_owned(), settings }
        }
    }
}

/// How a server says that it is.
pub async fn health(server: &Server<'_>) -> Result<ServingStatus, chandra_doctor::Problem> {
    let request = HealthCheckRequest { service: SERVICE.into() };
    let what = "cannot ask for the server's health";
    Ok(server.answer(what, server.health().check(request)).await?.status())
}
