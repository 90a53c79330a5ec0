use super::*;
use crate::cluster::{
    Change, Cidr, Endpoint, EndpointSlice, Limits, Node, NodeAddress, NodeAddressKind, ObjectName,
    Pod, Service, ServicePort,
};
use crate::description::{Pairs, Text};

const SECOND: u64 = 1_000_000_000;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn name(namespace: &str, name: &str) -> ObjectName {
    ObjectName { namespace: Text::new(namespace), name: Text::new(name) }
}

fn port(port: u16, node_port: u16) -> ServicePort {
    ServicePort { name: Text::new("http"), protocol: Protocol::Tcp, port, node_port }
}

/// Two clusters with the same addresses: a small one, and one with a pod at every address.
struct World {
    clusters: Clusters,
    cluster: ClusterKey,
    other: ClusterKey,
    dns: DnsNames,
    ranges: CidrNames,
}

const HERE: &str = "192.168.0.1";

impl World {
    fn new() -> Self {
        let mut clusters = Clusters::new();
        let cluster = clusters.add("", Limits::default()).unwrap();
        let other = clusters.add("other", Limits::default()).unwrap();
        let pod = |pod: &str, ips: &[&str]| {
            Change::Pod(Pod {
                name: name("shop", pod),
                uid: Text::new(pod),
                node: Text::new("node-2"),
                ips: ips.iter().map(|text| ip(text)).collect(),
                host_network: false,
                has_ended: false,
                labels: Pairs::collect([(b"app".as_slice(), pod.as_bytes())]),
                owner: None,
                created_at_ns: 0,
                containers: Vec::new(),
            })
        };
        let node = |node: &str, address: &str, pods: &str| {
            Change::Node(Node {
                name: Text::new(node),
                addresses: vec![NodeAddress { kind: NodeAddressKind::Internal, ip: ip(address) }],
                pod_cidrs: vec![Cidr { address: ip(pods), prefix_bits: 24 }],
                labels: Pairs::default(),
            })
        };
        let service = |of: ObjectName, address: &str, ports| {
            Change::Service(Service {
                name: of,
                cluster_ips: vec![ip(address)],
                external_ips: Vec::new(),
                ports,
                labels: Pairs::default(),
            })
        };
        let slice = |of: ObjectName, address: &str, port: ServicePort| {
            Change::EndpointSlice(EndpointSlice {
                service: Some(of.name.clone()),
                name: of,
                endpoints: vec![Endpoint {
                    ips: vec![ip(address)],
                    ready: true,
                    pod: None,
                    node: None,
                }],
                ports: vec![port],
            })
        };
        let api = || name("default", "kubernetes");
        for change in [
            pod("web", &["10.0.1.5"]),
            node("node-1", HERE, "10.0.0.0"),
            node("node-2", "192.168.0.2", "10.0.1.0"),
            node("node-3", "192.168.0.3", "10.0.2.0"),
            service(name("shop", "web"), "10.96.0.10", vec![port(80, 30080)]),
            slice(name("shop", "web"), "10.0.1.5", port(8080, 0)),
            service(api(), "10.96.0.1", vec![port(443, 0)]),
            slice(api(), "192.168.0.3", port(6443, 0)),
        ] {
            clusters.apply(cluster, change, SECOND);
        }
        let all = ["10.0.1.6", "192.168.0.2", "10.96.0.10", "203.0.113.1", "10.0.9.9"];
        clusters.apply(other, pod("everywhere", &all), SECOND);
        let mut dns = DnsNames::default();
        let resolved = [ip("203.0.113.1"), ip("10.0.1.5"), ip("192.168.0.2")];
        dns.resolved(Scope::Container(1), b"api.example.com", resolved, 0, SECOND);
        let office = Cidr { address: ip("203.0.113.0"), prefix_bits: 24 };
        let pods = Cidr { address: ip("10.0.0.0"), prefix_bits: 8 };
        let ranges = CidrNames::new([(office, "office"), (pods, "pods")]);
        World { clusters, cluster, other, dns, ranges }
    }

    fn names<'a>(&'a self, own: &'a [IpAddr], dual_stack: bool) -> Names<'a> {
        let here = Here { node: "node-1", addresses: own, dual_stack };
        Names { clusters: &self.clusters, dns: &self.dns, ranges: &self.ranges, here }
    }

    fn question(&self, address: &str, port: u16) -> Question {
        Question {
            cluster: Some(self.cluster),
            ip: ip(address),
            port,
            protocol: Protocol::Tcp,
            scope: Some(Scope::Container(1)),
            time_ns: 2 * SECOND,
        }
    }
}

/// The answer in one line: number or word, pod, node, service, DNS name.
fn line(peer: &Peer<'_>) -> String {
    let who = match (peer.reserved, peer.pod) {
        (_, Some(pod)) => format!("{}/{}", pod.namespace(), pod.name()),
        (Some(reserved), _) => reserved.word().to_owned(),
        _ => peer.identity.to_string(),
    };
    let service = peer.service.map(|service| format!("{}:{:?}", service.name, service.port_name));
    format!("{who} {:?} {service:?} {:?}", peer.node, peer.dns_name)
}

#[test]
fn each_address_is_who_hubble_would_show() {
    let world = World::new();
    let own = [ip(HERE)];
    let names = world.names(&own, false);
    let web = r#"Some("web:Some(\"http\")")"#;
    for (address, port, expected) in [
        ("10.0.1.5", 8080, r#"shop/web Some("node-2") None None"#.to_owned()),
        ("::ffff:10.0.1.5", 8080, r#"shop/web Some("node-2") None None"#.to_owned()),
        (HERE, 22, r#"host Some("node-1") None None"#.to_owned()),
        (HERE, 30080, format!(r#"host Some("node-1") {web} None"#)),
        ("127.0.0.1", 22, r#"host Some("node-1") None None"#.to_owned()),
        ("::1", 22, r#"host Some("node-1") None None"#.to_owned()),
        ("192.168.0.2", 22, r#"remote-node Some("node-2") None None"#.to_owned()),
        ("192.168.0.2", 30080, format!(r#"remote-node Some("node-2") {web} None"#)),
        ("192.168.0.3", 22, r#"kube-apiserver Some("node-3") None None"#.to_owned()),
        ("10.96.0.10", 80, format!("unknown None {web} None")),
        ("10.96.0.10", 81, r#"unknown None Some("web:None") None"#.to_owned()),
        ("10.0.1.6", 80, "unknown None None None".to_owned()),
        ("203.0.113.1", 443, r#"world None None Some("api.example.com")"#.to_owned()),
        ("198.51.100.1", 443, "world None None None".to_owned()),
        ("2001:db8::1", 443, "world None None None".to_owned()),
        ("0.0.0.0", 0, "unknown None None None".to_owned()),
    ] {
        assert_eq!(line(&names.peer(&world.question(address, port))), expected, "{address}:{port}");
    }
}

#[test]
fn this_node_is_the_host_also_by_an_address_that_only_the_cluster_knows_of_it() {
    let world = World::new();
    let names = world.names(&[], false);
    let told = |names: &Names<'_>| line(&names.peer(&world.question(HERE, 22)));
    assert_eq!(told(&names), r#"host Some("node-1") None None"#);
    let nameless = Names { here: Here::default(), ..names };
    assert_eq!(told(&nameless), r#"remote-node Some("node-1") None None"#);
}

#[test]
fn labels_and_numbers_are_hubbles() {
    let world = World::new();
    let own = [ip(HERE)];
    let names = world.names(&own, true);
    let told = |address: &str| {
        let peer = names.peer(&world.question(address, 0));
        let labels: Vec<String> = peer.labels().map(|label| label.to_string()).collect();
        (peer.identity, labels.join(","))
    };
    let labels = "k8s:app=web,k8s:io.kubernetes.pod.namespace=shop";
    let number = names.peer(&world.question("10.0.1.5", 0)).pod.unwrap().identity();
    assert!(number >= 1 << 26);
    assert_eq!(told("10.0.1.5"), (number, labels.to_owned()));
    assert_eq!(told(HERE), (1, "reserved:host".to_owned()));
    assert_eq!(told("192.168.0.2"), (6, "reserved:remote-node".to_owned()));
    assert_eq!(told("192.168.0.3"), (7, "reserved:kube-apiserver".to_owned()));
    assert_eq!(told("198.51.100.1"), (9, "reserved:world-ipv4".to_owned()));
    assert_eq!(told("2001:db8::1"), (10, "reserved:world-ipv6".to_owned()));
    let (number, labels) = told("203.0.113.7");
    assert_eq!(number >> 24, 1);
    assert_eq!(labels, "cidr:203.0.113.0/24=,reserved:world-ipv4");
}

#[test]
fn what_was_dialled_and_what_was_reached_are_both_answered() {
    let world = World::new();
    let names = world.names(&[], false);
    let dialled = names.dialled(&world.question("10.96.0.10", 80)).unwrap();
    let reached = names.answering(&world.question("10.0.1.5", 8080)).unwrap();
    assert_eq!((dialled.name, dialled), ("web", reached));
    assert_eq!(names.dialled(&world.question("10.0.1.5", 8080)), None);
    assert_eq!(names.answering(&world.question("10.0.1.5", 80)), None);
}

#[test]
fn another_cluster_is_never_asked() {
    let world = World::new();
    let names = world.names(&[], false);
    let mut question = world.question("10.0.9.9", 80);
    let who = |question: &Question| line(&names.peer(question));
    assert_eq!(who(&question), "world None None None");
    question.cluster = Some(world.other);
    assert_eq!(who(&question), r#"shop/everywhere Some("node-2") None None"#);
    question.cluster = None;
    assert_eq!(who(&question), "world None None None");
    assert_eq!(names.dialled(&Question { ip: ip("10.96.0.10"), ..question }), None);
}

#[test]
fn a_name_is_that_of_the_asker_or_of_nobody() {
    let world = World::new();
    let names = world.names(&[], false);
    let mut question = world.question("203.0.113.1", 443);
    question.scope = Some(Scope::Container(2));
    assert_eq!(names.peer(&question).dns_name, Some("api.example.com"), "anybody's here");
    question.scope = None;
    assert_eq!(names.peer(&question).dns_name, None);
    question.scope = Some(Scope::Container(1));
    question.time_ns = 0;
    assert_eq!(names.peer(&question).dns_name, None, "it was resolved later");
}
