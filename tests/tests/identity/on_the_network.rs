//! Who is at the other end of a connection, as a cluster's API tells it. The addresses are those of a
//! network namespace of the test's own, where both ends are; what each is called follows from what the
//! test put into the API, by the order that `identity::names` states.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::api_server::Served;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::trace::Trace;
use serde_json::{Value, json};

use crate::cluster_network::{
    API_SERVER, API_SERVICE, DB, FAR_NODE, NOT_TOLD_YET, Network, OUTSIDE, OWN_NODE, POD, SERVICE,
    WEB, cluster, connect, db, peer_of, service, web,
};

fn trace(served: &Served) -> Trace {
    let trace = Trace::start(&[&["tcp-connect"], &served.arguments()[..]].concat());
    served.wait_until_watched();
    trace
}

#[test]
fn each_address_is_named_by_what_the_api_says() {
    needs!("root", "ip");
    let (served, mut network) = (cluster(), Network::new());
    let mut trace = trace(&served);
    for (address, expected) in [
        (format!("{POD}:8080"), web()),
        (format!("{SERVICE}:80"), service("shop", "web", Some("http"))),
        (format!("{SERVICE}:443"), service("shop", "web", None)),
        (format!("{FAR_NODE}:22"), json!({"peer_node": "far", "peer_entity": "remote-node"})),
        (format!("{OWN_NODE}:22"), json!({"peer_node": "own", "peer_entity": "host"})),
        (format!("{API_SERVER}:6443"), json!({"peer_entity": "kube-apiserver"})),
        (format!("{API_SERVICE}:443"), service("default", "kubernetes", Some("https"))),
        (format!("{NOT_TOLD_YET}:80"), json!({})),
        (format!("{OUTSIDE}:443"), json!({"peer_entity": "world"})),
    ] {
        let is_it = network.connect(&address);
        let record = trace.wait_for(&address, is_it);
        assert_eq!(peer_of(&record), expected, "{address}");
    }
    trace.stop().summary_without_loss();
}

#[test]
fn this_host_is_the_host_by_each_of_its_own_addresses() {
    needs!("root");
    let served = cluster();
    let mut trace = trace(&served);
    let mut actor = Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")));
    let mut addresses = vec!["127.0.0.1".to_owned(), "[::1]".to_owned()];
    // Where it would send from; nothing is sent. A machine without a network has no such address.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect((OUTSIDE, 9)).is_ok() {
        addresses.push(socket.local_addr().unwrap().ip().to_string());
    }
    for address in addresses {
        let Ok(listener) = TcpListener::bind(format!("{address}:0")) else {
            eprintln!("skipped: {}: needs the address {address}", file!());
            continue;
        };
        let is_it = connect(&mut actor, &listener.local_addr().unwrap().to_string());
        let record = trace.wait_for(&address, is_it);
        let expected = json!({"peer_node": "own", "peer_entity": "host"});
        assert_eq!(peer_of(&record), expected, "{address}");
    }
    trace.stop().summary_without_loss();
}

/// Connects again and again until the other end is called this, which was called that until then, and
/// stays so.
fn wait_for_name(
    trace: &mut Trace,
    network: &mut Network,
    to: &str,
    before: &Value,
    after: &Value,
) {
    let mut name = || {
        let is_it = network.connect(to);
        peer_of(&trace.wait_for(to, is_it))
    };
    wait_for("the new name", || {
        let name = name();
        assert!([before, after].contains(&&name), "{name} is neither {before} nor {after}");
        (name == *after).then_some(())
    });
    for _ in 0..3 {
        assert_eq!(name(), *after);
    }
}

#[test]
fn an_address_that_moves_is_its_new_pods_from_then_on() {
    needs!("root", "ip");
    let (served, mut network) = (cluster(), Network::new());
    let mut trace = trace(&served);
    let to = format!("{POD}:8080");
    for _ in 0..3 {
        let is_it = network.connect(&to);
        assert_eq!(peer_of(&trace.wait_for(&to, is_it)), web());
    }
    // Both are told with it for a while, as happens when an address is given anew at once.
    served.cluster.put_pod(&DB);
    wait_for_name(&mut trace, &mut network, &to, &web(), &db());
    served.cluster.delete("pods", WEB.name);
    served.cluster.cut("pods");
    wait_for_name(&mut trace, &mut network, &to, &db(), &db());
    trace.stop().summary_without_loss();
}

#[test]
fn a_service_that_is_deleted_is_named_no_more() {
    needs!("root", "ip");
    let (served, mut network) = (cluster(), Network::new());
    let mut trace = trace(&served);
    let to = format!("{SERVICE}:80");
    let service = service("shop", "web", Some("http"));
    wait_for_name(&mut trace, &mut network, &to, &service, &service);
    served.cluster.delete("services", "web");
    let world = json!({"peer_entity": "world"});
    wait_for_name(&mut trace, &mut network, &to, &service, &world);
    trace.stop().summary_without_loss();
}
