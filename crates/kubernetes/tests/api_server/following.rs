//! What a server that works is asked, and what is made of its answers.

use std::time::Duration;

use chandra_identity::cluster::{
    Cidr, NodeAddress, NodeAddressKind, Owner, Protocol, Resource, ServicePort,
};
use chandra_identity::description::Text;
use chandra_kubernetes::{Change, Options, RemotePods, VERBS, rule};
use chandra_tests::api_server::{Answer, Cluster};
use serde_json::json;

use crate::watching::{Watching, options};

fn pod(node: &str, ip: &str) -> serde_json::Value {
    json!({"metadata": {"namespace": "shop"}, "spec": {"nodeName": node}, "status": {"podIP": ip}})
}

#[test]
fn objects_come_by_list_and_then_by_watch() {
    let cluster = Cluster::new(100, 0);
    cluster.put("pods", "web", pod("own", "10.0.0.1"));
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Pods);
    watching.wait_for("listed pods");
    cluster.put("pods", "db", pod("other", "10.0.0.2"));
    cluster.put("pods", "web", pod("own", "10.0.0.3"));
    cluster.delete("pods", "db");
    watching.wait_for("pods db gone");
    assert_eq!(
        watching.told,
        ["listing pods", "pods web", "listed pods", "pods db", "pods web", "pods db gone"]
    );
    let Change::Pod(web) = watching.get(Resource::Pods, "web") else { panic!() };
    assert_eq!(web.ips, ["10.0.0.3".parse::<std::net::IpAddr>().unwrap()]);
    let counts = watching.handle.counts();
    assert_eq!((counts.lists, counts.watches, counts.events), (1, 1, 3));
    let asked = server.asked();
    assert_eq!(asked[0].get("resourceVersion"), Some("0"));
    assert_eq!(asked[1].get("resourceVersion"), Some("101"));
    assert_eq!(asked[1].get("allowWatchBookmarks"), Some("true"));
    assert_eq!(asked[0].token.as_deref(), Some("Bearer secret"));
}

#[test]
fn a_long_list_comes_in_pages_of_one_version() {
    let cluster = Cluster::new(7, 10);
    for number in 0..25 {
        cluster.put("services", &format!("s{number:02}"), json!({"metadata": {"namespace": "n"}}));
    }
    let server = cluster.serve();
    let mut watching = Watching::start(server.address, Resource::Services);
    watching.wait_for("listed services");
    assert_eq!(watching.names(Resource::Services).len(), 25);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    let counts = watching.handle.counts();
    assert_eq!((counts.lists, counts.pages), (1, 3));
    let asked = server.asked();
    assert_eq!(asked[1].get("continue"), Some("32/10"));
    assert_eq!(asked[1].get("resourceVersion"), None);
    assert_eq!(asked[3].get("resourceVersion"), Some("32"));
}

#[test]
fn only_the_own_nodes_pods_are_asked_for_when_others_are_not_wanted() {
    let cluster = Cluster::new(1, 0);
    cluster.put("pods", "here", pod("own", "10.0.0.1"));
    cluster.put("pods", "there", pod("other", "10.0.0.2"));
    let server = cluster.serve();
    let mut watching = Watching::with(server.address, |access| Options {
        remote_pods: RemotePods::None,
        ..options(access, Resource::Pods)
    });
    watching.wait_for("listed pods");
    assert_eq!(watching.names(Resource::Pods), ["here"]);
    watching.wait_until("a watch", |counts| counts.watches == 1);
    for asked in server.asked() {
        assert_eq!(asked.get("fieldSelector"), Some("spec.nodeName=own"));
    }
}

#[test]
fn every_resource_is_followed_and_nothing_is_asked_that_no_rule_allows() {
    let cluster = Cluster::new(1, 0);
    for resource in Resource::ALL {
        cluster.put(resource.word(), "one", json!({"metadata": {"namespace": "n"}}));
    }
    let server = cluster.serve();
    let all =
        |access| Options { resources: Resource::ALL.to_vec(), ..options(access, Resource::Pods) };
    let mut watching = Watching::with(server.address, all);
    watching.wait_until("all watches", |counts| counts.watches == 5);
    for resource in Resource::ALL {
        cluster.delete(resource.word(), "one");
    }
    watching.wait_for("pods one gone");
    watching.wait_until("all events", |counts| counts.events == 5);
    let mut paths: Vec<String> = Resource::ALL
        .iter()
        .map(|resource| match rule(*resource) {
            rule if rule.group.is_empty() => format!("/api/v1/{}", rule.resource),
            rule => format!("/apis/{}/v1/{}", rule.group, rule.resource),
        })
        .flat_map(|path| VERBS.map(|verb| format!("{verb} {path}")))
        .collect();
    let mut asked: Vec<String> = server
        .asked()
        .iter()
        .inspect(|asked| assert_eq!(asked.method, "GET"))
        .map(|asked| format!("{} {}", if asked.is_watch() { "watch" } else { "list" }, asked.path))
        .collect();
    paths.sort();
    asked.sort();
    assert_eq!(asked, paths);
}

#[test]
fn what_an_object_says_is_kept_and_no_more() {
    let cluster = Cluster::new(1, 0);
    cluster.put(
        "pods",
        "web",
        json!({
            "metadata": {
                "namespace": "shop", "uid": "u-1", "labels": {"app": "web"},
                "annotations": {"note": "x".repeat(1 << 20)}, "managedFields": [{"fieldsV1": {}}],
                "creationTimestamp": "2024-02-29T12:00:00Z",
                "ownerReferences": [
                    {"kind": "Node", "name": "n"},
                    {"kind": "ReplicaSet", "name": "web-7d4", "controller": true},
                ],
            },
            "spec": {"nodeName": "own", "hostNetwork": true, "containers": [{"name": "c"}]},
            "status": {"phase": "Failed", "podIP": "10.0.0.1",
                       "initContainerStatuses": [{"name": "waits", "containerID": ""}],
                       "containerStatuses": [{"name": "c", "image": "img:1",
                                              "containerID": "containerd://c0ffee"}],
                       "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}, {"ip": "nonsense"}]},
        }),
    );
    let service = json!({
        "metadata": {"namespace": "shop"},
        "spec": {
            "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd00::9"], "externalIPs": ["1.2.3.4"],
            "ports": [{"name": "dns", "protocol": "UDP", "port": 53, "targetPort": "dns",
                       "nodePort": 30053}, {"port": 80}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "5.6.7.8"}, {"hostname": "lb.example"}]}},
    });
    cluster.put("services", "web", service);
    let headless = json!({"metadata": {"namespace": "shop"},
                          "spec": {"clusterIP": "None", "clusterIPs": ["None"], "ports": null}});
    cluster.put("services", "headless", headless);
    let slice = json!({
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": null}, "nodeName": "own",
             "targetRef": {"kind": "Pod", "name": "web-1"}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false},
             "targetRef": {"kind": "VirtualMachine", "name": "vm"}},
        ],
        "ports": [{"name": "", "protocol": "TCP", "port": 8080}, {"port": null}],
    });
    cluster.put("endpointslices", "web-abc", slice);
    cluster.put(
        "endpointslices",
        "empty",
        json!({"metadata": {}, "endpoints": null, "ports": null}),
    );
    let node = json!({
        "metadata": {},
        "spec": {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24", "fd00::/64", "10.0.0.0/33"]},
        "status": {"addresses": [
            {"type": "InternalIP", "address": "192.168.0.1"}, {"type": "Hostname", "address": "own"},
            {"type": "ExternalIP", "address": "9.9.9.9"}], "images": [{"names": ["a", "b"]}]},
    });
    cluster.put("nodes", "own", node);
    cluster.put("namespaces", "kube-system", json!({"metadata": {"uid": "the-cluster"}}));
    let server = cluster.serve();
    let mut watching = Watching::with(server.address, |access| Options {
        resources: Resource::ALL.to_vec(),
        ..options(access, Resource::Pods)
    });
    for resource in Resource::ALL {
        if !watching.told.contains(&format!("listed {}", resource.word())) {
            watching.wait_for(&format!("listed {}", resource.word()));
        }
    }

    let Change::Pod(pod) = watching.get(Resource::Pods, "web") else { panic!() };
    assert_eq!((pod.uid.as_str(), pod.node.as_str()), ("u-1", "own"));
    assert_eq!((pod.host_network, pod.has_ended, pod.ips.len()), (true, true, 2));
    let (kind, name) = (Text::new("ReplicaSet"), Text::new("web-7d4"));
    assert_eq!(pod.owner, Some(Owner { kind, name }));
    let [container] = &pod.containers[..] else { panic!("{:?}", pod.containers) };
    assert_eq!((container.id.as_str(), container.name.as_str()), ("c0ffee", "c"));
    assert_eq!(container.image.as_str(), "img:1");
    assert_eq!(pod.labels.get("app").unwrap().as_str(), "web");
    assert_eq!(pod.created_at_ns, 1_709_208_000 * 1_000_000_000);

    let Change::Service(service) = watching.get(Resource::Services, "web") else { panic!() };
    assert_eq!((service.cluster_ips.len(), service.external_ips.len()), (2, 2));
    let dns =
        ServicePort { name: Text::new("dns"), protocol: Protocol::Udp, port: 53, node_port: 30053 };
    assert_eq!((&service.ports[0], service.ports[1].protocol), (&dns, Protocol::Tcp));
    let Change::Service(headless) = watching.get(Resource::Services, "headless") else { panic!() };
    assert!(headless.cluster_ips.is_empty() && headless.ports.is_empty());

    let Change::EndpointSlice(slice) = watching.get(Resource::EndpointSlices, "web-abc") else {
        panic!()
    };
    assert_eq!(slice.service.as_ref().unwrap().as_str(), "web");
    let [first, second] = slice.endpoints.as_slice() else { panic!() };
    assert_eq!((first.ready, first.pod.as_ref().unwrap().as_str()), (true, "web-1"));
    assert_eq!((second.ready, &second.pod, &second.node), (false, &None, &None));
    assert_eq!((slice.ports[0].port, slice.ports[1].port), (8080, 0));

    let Change::Node(node) = watching.get(Resource::Nodes, "own") else { panic!() };
    let external = NodeAddress { kind: NodeAddressKind::External, ip: [9, 9, 9, 9].into() };
    assert_eq!((node.addresses.len(), node.addresses[1]), (2, external));
    let range = Cidr { address: [10, 0, 0, 0].into(), prefix_bits: 24 };
    assert_eq!((node.pod_cidrs.len(), node.pod_cidrs[0]), (2, range));
    let Change::Namespace(namespace) = watching.get(Resource::Namespaces, "kube-system") else {
        panic!()
    };
    assert_eq!(namespace.uid.as_str(), "the-cluster");
    assert_eq!(watching.handle.counts().malformed, 0);
}

#[test]
fn it_stops_at_once_whatever_is_waited_for() {
    let cluster = Cluster::new(1, 0);
    let server = cluster.but(|asked| (!asked.is_watch()).then_some(Answer::Silence));
    let watching = Watching::with(server.address, |access| Options {
        call_timeout: Duration::from_secs(3600),
        ..options(access, Resource::Pods)
    });
    chandra_tests::patience::wait_for("a request", || server.asked().pop());
    let started = std::time::Instant::now();
    drop(watching);
    assert!(started.elapsed() < Duration::from_secs(2));
}
