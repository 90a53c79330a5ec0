//! `--port-forward`: a relay in a cluster is asked through the cluster's API server.

use std::net::SocketAddr;
use std::process::Command;

use chandra_tests::api_server::{Answer, Cluster, Server, refused, write_kubeconfig};
use chandra_tests::failure::fails;
use chandra_tests::hubble::{Answers, HubbleServer, TLS_NAME};
use chandra_tests::observe::{command, printed};
use chandra_tests::scratch::Scratch;
use serde_json::json;

const NAMESPACE: &str = "kube-system";

fn flows(count: usize) -> Answers {
    use chandra_hubble::proto::flow::Flow;
    use chandra_hubble::proto::observer::GetFlowsResponse;
    use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
    let flow = |number: usize| GetFlowsResponse {
        response_types: Some(ResponseTypes::Flow(Flow {
            uuid: format!("flow {number}"),
            ..Flow::default()
        })),
        ..GetFlowsResponse::default()
    };
    Answers { flows: [(0..count).map(flow).collect()].into(), ..Answers::default() }
}

/// A cluster with a relay that is ready, and others that are not.
fn cluster(namespace: &str) -> Cluster {
    let cluster = Cluster::new(1, 0);
    let target = |name: &str| json!({"kind": "Pod", "name": name, "namespace": namespace});
    cluster.put(
        "endpointslices",
        "hubble-relay-x7k2p",
        json!({
            "metadata": {
                "namespace": namespace, "labels": {"kubernetes.io/service-name": "hubble-relay"},
            },
            "endpoints": [
                {"addresses": ["10.0.0.7"], "conditions": {"ready": false}, "targetRef": target("starting")},
                {"addresses": ["10.0.0.8"], "conditions": {"ready": true}, "targetRef": target("relay-1")},
            ],
            "ports": [{"name": "grpc", "protocol": "TCP", "port": 4245}],
        }),
    );
    cluster
}

/// An API server that forwards to where this server is, and the folder with the kubeconfig.
struct Forwarding {
    api: Server,
    folder: Scratch,
}

impl Forwarding {
    fn to(cluster: &Cluster, relay: &HubbleServer) -> Self {
        let to: SocketAddr = relay.address().trim_start_matches("tls://").parse().unwrap();
        let api = cluster
            .but(move |asked| asked.path.ends_with("/portforward").then_some(Answer::Forward(to)));
        let folder = Scratch::new();
        write_kubeconfig(&folder, &format!("http://{}", api.address), "");
        Self { api, folder }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = command(words);
        command.env("KUBECONFIG", self.folder.at("kubeconfig"));
        command
    }

    /// Whose ports were forwarded, and as whom.
    fn forwarded(&self) -> Vec<(String, Option<String>)> {
        let asked = self.api.asked().into_iter();
        let forwarded = asked.filter(|it| it.path.ends_with("/portforward"));
        forwarded.map(|it| (it.path, it.token)).collect()
    }
}

#[test]
fn a_relay_of_a_cluster_is_asked_through_its_api_server() {
    let relay = HubbleServer::start(flows(3000));
    let forwarding = Forwarding::to(&cluster(NAMESPACE), &relay);
    let shown = printed(&mut forwarding.command(&["observe", "--all", "-P", "-o", "json"]));
    assert_eq!(shown.lines().count(), 3000);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/relay-1/portforward");
    assert_eq!(forwarding.forwarded(), [(path, Some("Bearer secret".to_owned()))]);
    assert_eq!(relay.asked().flows.len(), 1);
    // By a variable, as of Hubble's own command line; for every verb.
    let mut status = forwarding.command(&["status"]);
    printed(status.env("HUBBLE_PORT_FORWARD", "true"));
}

#[test]
fn the_way_may_lead_to_another_namespace_and_be_encrypted_to_its_end() {
    let folder = Scratch::new();
    let certificate = folder.at("ca.crt");
    let relay = HubbleServer::start_tls(flows(1), &certificate);
    let forwarding = Forwarding::to(&cluster("observability"), &relay);
    let words =
        ["observe", "--all", "--port-forward", "--kube-namespace", "observability", "--tls"];
    let mut observe = forwarding.command(&[&words[..], &["--tls-server-name", TLS_NAME]].concat());
    let shown = printed(observe.arg("--tls-ca-cert-files").arg(&certificate).args(["-o", "json"]));
    assert!(shown.contains("flow 0"), "{shown}");
    // Without another name it is that of the service.
    let mut observe = forwarding.command(&words);
    let told = ["is for another name", "hubble-relay.observability.svc", "--tls-server-name"];
    fails(observe.arg("--tls-ca-cert-files").arg(&certificate), 1, "hubble", &told);
}

#[test]
fn what_stands_in_the_way_is_told() {
    let relay = HubbleServer::start(flows(1));
    let none = Forwarding::to(&Cluster::new(1, 0), &relay);
    let told = ["no pod of service kube-system/hubble-relay is ready", "--kube-namespace"];
    fails(&mut none.command(&["observe", "-P"]), 1, "hubble", &told);
    // Who may not do that.
    let folder = Scratch::new();
    let api = cluster(NAMESPACE).but(|asked| {
        asked.path.ends_with("/portforward").then(|| refused(403, "Forbidden", "pods is forbidden"))
    });
    let kubeconfig = write_kubeconfig(&folder, &format!("http://{}", api.address), "");
    let mut forbidden = command(&["observe", "-P", "--kubeconfig", kubeconfig.to_str().unwrap()]);
    let told = ["port 4245 of pod kube-system/relay-1", "pods is forbidden", "pods/portforward"];
    fails(&mut forbidden, 1, "hubble", &told);
    let mut nowhere = command(&["observe", "-P", "--kubeconfig", "/nowhere/config"]);
    fails(&mut nowhere, 1, "hubble", &["no usable kubeconfig"]);
    let mut name = none.command(&["observe", "-P", "--kube-namespace", "../pods"]);
    fails(&mut name, 1, "hubble", &["is not a name in a cluster"]);
    // A pod whose port nobody has.
    let gone = HubbleServer::start(flows(1));
    let dead = Forwarding::to(&cluster(NAMESPACE), &gone);
    drop(gone);
    fails(&mut dead.command(&["status", "-P"]), 1, "hubble", &["service kube-system/hubble-relay"]);
}
