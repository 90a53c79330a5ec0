//! An agent whose cluster does not answer for a while, forgets what was asked for, or has something to be
//! warned of: names stay, and it says how far they are to be believed.

use std::collections::HashMap;

use chandra_tests::agent::Agent;
use chandra_tests::api_server::{Pod, Served};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use serde_json::{Value, json};

use crate::cluster_network::{DB, Network, POD, SERVICE, WEB, cluster, db, peer_of, service, web};

fn agent(served: &Served) -> Agent {
    let shown = ["-o", "json", "--signals", "process,tcp"];
    let agent = Agent::start_printing(&[&shown[..], &served.arguments()].concat());
    served.wait_until_watched();
    agent
}

/// What `/signals` says of the cluster, once it says something.
fn figures(agent: &Agent) -> Record {
    wait_for("figures of the cluster", || {
        let all = agent.get("/signals").body;
        all.at("identity.cluster").filter(|it| it.is_object()).cloned().map(Record)
    })
}

/// Waits until the cluster's figures are so; they are of about a second ago.
fn wait_until(agent: &Agent, what: &str, wanted: impl Fn(&Record) -> bool) -> Record {
    wait_for(what, || Some(figures(agent)).filter(&wanted))
}

/// Why each resource that is out of date is.
fn stale(figures: &Record) -> HashMap<&str, &str> {
    let resources = figures.at("resources").unwrap().as_object().unwrap().iter();
    resources.filter_map(|(of, state)| Some((of.as_str(), state["stale"].as_str()?))).collect()
}

fn is_whole(figures: &Record) -> bool {
    let resources = figures.at("resources").unwrap().as_object().unwrap();
    let is_listed = |state: &Value| state["is_listed"] == true;
    resources.len() == 5 && resources.values().all(is_listed) && stale(figures).is_empty()
}

/// What the other end is called by the record of a new connection.
fn name(agent: &Agent, network: &mut Network, to: &str) -> Value {
    let is_it = network.connect(to);
    peer_of(&agent.wait_for(to, is_it))
}

#[test]
fn names_stay_while_the_server_is_away_and_are_put_right_when_it_has_forgotten_what_happened() {
    needs!("root", "ip");
    let (mut served, mut network) = (cluster(), Network::new());
    let agent = agent(&served);
    let (pod, virtual_ip) = (format!("{POD}:8080"), format!("{SERVICE}:80"));
    let http = service("shop", "web", Some("http"));
    let figures = wait_until(&agent, "all of the cluster", is_whole);
    for (figure, expected) in [("pods", 1), ("services", 2), ("nodes", 2), ("backends", 2)] {
        assert_eq!(figures.number(figure), Some(expected), "{figure}");
    }
    for figure in ["evicted", "refused", "collisions"] {
        assert_eq!(figures.number(figure), Some(0), "{figure}");
    }
    assert!(figures.number("bytes") > Some(0));
    assert_eq!(name(&agent, &mut network, &pod), web());

    served.go_away();
    let away = wait_until(&agent, "all of it stale", |figures| stale(figures).len() == 5);
    assert!(stale(&away).values().all(|reason| !reason.is_empty()), "{away:?}");
    assert_eq!(away.number("pods"), Some(1), "what was known is kept");
    assert_eq!(name(&agent, &mut network, &pod), web());
    assert_eq!(name(&agent, &mut network, &virtual_ip), http);

    // Nobody can tell any more how it came to be so: watches get a 410.
    served.cluster.delete("pods", WEB.name);
    served.cluster.put_pod(&DB);
    served.cluster.delete("services", "web");
    served.cluster.compact();
    served.come_back();
    wait_until(&agent, "all of it fresh", is_whole);
    let of_pods = served.asked().into_iter().filter(|asked| asked.resource() == "pods");
    let is_watch: Vec<_> = of_pods.map(|asked| asked.is_watch()).collect();
    assert!(
        is_watch.starts_with(&[true, false]),
        "it goes on, is refused, and lists: {is_watch:?}"
    );
    // Who had the address until then has it no more as soon as somebody else has.
    wait_for("the pod that came", || {
        let name = name(&agent, &mut network, &pod);
        assert!(name == web() || name == db(), "{name}");
        (name == db()).then_some(())
    });
    wait_for("the service gone", || {
        let name = name(&agent, &mut network, &virtual_ip);
        (name == json!({"peer_entity": "world"})).then_some(())
    });
    assert_eq!(name(&agent, &mut network, &pod), db());
    let outcome = agent.stop();
    assert_eq!(outcome.total("lost"), 0);
}

#[test]
fn a_watch_that_is_cut_costs_no_name() {
    needs!("root", "ip");
    let (served, mut network) = (cluster(), Network::new());
    let agent = agent(&served);
    let pod = format!("{POD}:8080");
    assert_eq!(name(&agent, &mut network, &pod), web());
    for _ in 0..3 {
        served.cluster.cut("pods");
        assert_eq!(name(&agent, &mut network, &pod), web());
    }
    // What happens while nobody is told of it is told afterwards.
    served.cluster.put_pod(&DB);
    served.cluster.delete("pods", WEB.name);
    wait_for("the pod that came", || (name(&agent, &mut network, &pod) == db()).then_some(()));
    wait_until(&agent, "a cluster that is whole", is_whole);
    agent.stop();
}

/// The number of a label set, computed by the words of `identity::numbers`.
fn number(labels: [(&str, &str); 2]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in labels.iter().flat_map(|(key, value)| [key, value]) {
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        for byte in length.iter().chain(text.as_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    (1 << 26) + hash % ((1 << 32) - (1 << 26))
}

/// Two values of the label `app` that make the same number of a pod of the namespace `shop`.
fn colliding() -> (u64, [String; 2]) {
    let mut known = HashMap::new();
    let pair = (0..10_000_000_u32).find_map(|count| {
        let app = format!("app-{count}");
        let number = number([("app", &app), ("io.kubernetes.pod.namespace", "shop")]);
        known.insert(number, app.clone()).map(|other| (number, [other, app]))
    });
    pair.unwrap()
}

#[test]
fn two_label_sets_with_one_number_are_warned_of_once() {
    needs!("root");
    let served = cluster();
    let agent = agent(&served);
    let (number, apps) = colliding();
    let pod = |name, app: &str| {
        let labels = [("app", app)];
        served.cluster.put_pod(&Pod { name, uid: name, ip: None, labels: &labels, ..WEB });
    };
    pod("one", &apps[0]);
    wait_until(&agent, "a pod more", |figures| figures.number("pods") == Some(2));
    assert_eq!(figures(&agent).number("collisions"), Some(0));
    pod("two", &apps[1]);
    wait_until(&agent, "a collision", |figures| figures.number("collisions") == Some(1));
    // Whoever looks again has nothing new to say.
    pod("three", &apps[1]);
    wait_until(&agent, "another pod", |figures| figures.number("pods") == Some(4));
    let outcome = agent.stop();
    let is_it = |line: &&String| line.starts_with("warning: identity ");
    let warnings: Vec<_> = outcome.messages.iter().filter(is_it).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains(&number.to_string()), "{warnings:?}");
    assert!(apps.iter().all(|app| warnings[0].contains(&format!("app={app}"))), "{warnings:?}");
}
