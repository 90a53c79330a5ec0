//! A small cluster, and a network namespace that has its addresses, with somebody in it who connects.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::api_server::{Cluster, Pod, Served};
use chandra_tests::namespaces::Namespace;
use chandra_tests::record::Record;
use chandra_tests::wall_clock;
use serde_json::{Map, Value, json};

/// A pod of the node `far`, its service, the pods of that node, and what has none of these.
pub const POD: &str = "10.77.1.5";
pub const SERVICE: &str = "10.96.0.10";
pub const NOT_TOLD_YET: &str = "10.77.1.99";
pub const FAR_NODE: &str = "10.78.0.2";
pub const OWN_NODE: &str = "10.78.0.1";
pub const API_SERVER: &str = "10.79.0.1";
pub const API_SERVICE: &str = "10.96.0.1";
pub const OUTSIDE: &str = "198.51.100.7";

pub const HASH: (&str, &str) = ("pod-template-hash", "7d4b9c6f5");
pub const WEB: Pod<'_> = Pod {
    namespace: "shop",
    name: "web-7d4b9c6f5-x7k2p",
    uid: "6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e21",
    node: "far",
    ip: Some(POD),
    labels: &[("app", "web"), HASH],
    owner: Some(("ReplicaSet", "web-7d4b9c6f5")),
    containers: &[],
};
pub const DB: Pod<'_> = Pod {
    name: "db-0",
    uid: "6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e22",
    labels: &[("app", "db")],
    owner: Some(("StatefulSet", "db")),
    ..WEB
};

pub fn cluster() -> Served {
    let cluster = Cluster::new(1, 0);
    cluster.put_node("own", OWN_NODE, "10.77.0.0/24");
    cluster.put_node("far", FAR_NODE, "10.77.1.0/24");
    cluster.put_pod(&WEB);
    cluster.put_service("shop", "web", SERVICE, ("http", 80));
    cluster.put_endpoint("shop", "web", POD, ("http", 8080));
    cluster.put_service("default", "kubernetes", API_SERVICE, ("https", 443));
    cluster.put_endpoint("default", "kubernetes", API_SERVER, ("https", 6443));
    Served::new(cluster)
}

/// A namespace that has the addresses, with somebody in it who connects to them.
pub struct Network {
    actor: Actor,
    listeners: Vec<TcpListener>,
    _namespace: Namespace,
}

impl Network {
    pub fn new() -> Self {
        let namespace = Namespace::new("cluster");
        namespace.add_addresses(&[POD, SERVICE, NOT_TOLD_YET, FAR_NODE, OWN_NODE]);
        namespace.add_addresses(&[API_SERVER, API_SERVICE, OUTSIDE]);
        let listen = |port: &u16| {
            let listener = TcpListener::bind(("0.0.0.0", *port)).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        };
        let listeners = namespace.enter(|| [22, 80, 443, 6443, 8080].iter().map(listen).collect());
        let mut command = Command::new(env!("CARGO_BIN_EXE_actor"));
        namespace.start_in(&mut command);
        let actor = Actor::start(&mut command);
        Self { actor, listeners, _namespace: namespace }
    }

    /// Connects, and returns what tells that record from all others.
    pub fn connect(&mut self, to: &str) -> impl Fn(&Record) -> bool + use<> {
        let is_it = connect(&mut self.actor, to);
        // Nobody else takes them: a queue that is full would take no more.
        for listener in &self.listeners {
            while listener.accept().is_ok() {}
        }
        is_it
    }
}

/// Lets an actor connect and close, and returns what tells the record of that from all others.
pub fn connect(actor: &mut Actor, to: &str) -> impl Fn(&Record) -> bool + use<> {
    let before = wall_clock::now();
    let ends = actor.ask(&format!("connect {to}"));
    let ends = ends.split_once(' ').filter(|(local, _)| *local != "error");
    let (local, peer) = ends.unwrap_or_else(|| panic!("cannot connect to {to}"));
    let [local, peer]: [SocketAddr; 2] = [local, peer].map(|end| end.parse().unwrap());
    let pid = actor.pid();
    actor.ask("close");
    move |record| {
        let port = |end: &str| record.number(&format!("connection.{end}.port"));
        // Ports come again.
        let is_later = |time| wall_clock::parse(time).is_some_and(|time| time >= before);
        record.is("tcp_established", pid)
            && record.text("time").is_some_and(is_later)
            && port("local") == Some(local.port().into())
            && port("peer") == Some(peer.port().into())
            && record.text("connection.peer.address") == Some(&peer.ip().to_string())
    }
}

/// Everything that a record says of the other end.
pub fn peer_of(record: &Record) -> Value {
    let fields = record.0.as_object().unwrap().iter();
    let fields = fields.filter(|(name, _)| name.starts_with("peer_"));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

pub fn web() -> Value {
    json!({
        "peer_pod": {"namespace": "shop", "name": WEB.name},
        "peer_workload": {"kind": "Deployment", "name": "web"},
        "peer_node": "far",
    })
}

pub fn db() -> Value {
    json!({
        "peer_pod": {"namespace": "shop", "name": "db-0"},
        "peer_workload": {"kind": "StatefulSet", "name": "db"},
        "peer_node": "far",
    })
}

pub fn service(namespace: &str, name: &str, port: Option<&str>) -> Value {
    let mut service = json!({"namespace": namespace, "name": name});
    if let Some(port) = port {
        service["port"] = json!(port);
    }
    json!({"peer_service": service})
}
