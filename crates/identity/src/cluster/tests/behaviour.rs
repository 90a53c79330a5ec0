use super::*;

const UIDS: [&str; 2] =
    ["6f1e0c5a-3b0d-4c57-9f0e-2a4d8c7b6e11", "11111111-3b0d-4c57-9f0e-2a4d8c7b6e11"];

#[test]
fn a_pod_is_found_by_its_addresses_and_by_its_name() {
    let mut cluster = cluster();
    let mut web = pod("web-7d4b9c6f5d-x2k8q", &["10.0.0.1", "fd00::1", "10.0.0.1"], 1);
    web.uid = Text::new(UIDS[0]);
    web.labels = pairs(&[("app", "web"), ("pod-template-hash", "7d4b9c6f5d")]);
    let (kind, owner) = (Text::new("ReplicaSet"), Text::new("web-7d4b9c6f5d"));
    web.owner = Some(Owner { kind, name: owner });
    tell(&mut cluster, &web, SECOND);
    for address in ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1"] {
        let found = cluster.pod(ip(address)).unwrap();
        assert_eq!((found.namespace(), found.workload_kind()), ("shop", "Deployment"));
        assert!(found.name() == "web-7d4b9c6f5d-x2k8q" && found.workload_name() == "web");
        assert_eq!((found.node(), found.uid().unwrap().as_str()), (Some("node-1"), UIDS[0]));
        assert_eq!(found.created_at_ns(), SECOND);
        let labels: Vec<_> = found.labels().unwrap().iter().map(|one| one.to_string()).collect();
        assert_eq!(labels, ["k8s:app=web", "k8s:io.kubernetes.pod.namespace=shop"]);
        assert_eq!(found.identity(), found.labels().unwrap().number());
        assert_eq!(cluster.labels_of(found.identity()), found.labels());
    }
    let found = cluster.pod_named("shop", "web-7d4b9c6f5d-x2k8q").unwrap();
    let mut addresses: Vec<_> = found.addresses().map(|address| address.ip).collect();
    addresses.sort();
    assert_eq!(addresses, [ip("10.0.0.1"), ip("fd00::1")]);
    assert!(cluster.pod_named("shop", "web-7d4b9c6f5d").is_none());
    assert!(cluster.pod_named("other", "web-7d4b9c6f5d-x2k8q").is_none());
    assert!(cluster.pod_named("sho", "pweb-7d4b9c6f5d-x2k8q").is_none());
}

#[test]
fn a_pod_without_an_owner_is_its_own_workload_and_shares_its_labels() {
    let mut cluster = cluster();
    for number in 0..10 {
        let one = pod(&format!("debug-{number}"), &[&format!("10.0.0.{number}")], 1);
        tell(&mut cluster, &one, SECOND);
    }
    let found = cluster.pod(ip("10.0.0.3")).unwrap();
    assert!(found.workload_kind() == "Pod" && found.workload_name() == "debug-3");
    assert_eq!((cluster.stats().groups, cluster.stats().label_sets), (1, 1));
}

#[test]
fn a_pod_of_the_host_network_is_not_who_is_at_its_address() {
    let mut cluster = cluster();
    let agent = Pod { host_network: true, ..pod("agent", &["192.168.0.1"], 1) };
    tell(&mut cluster, &agent, SECOND);
    assert!(cluster.pod(ip("192.168.0.1")).is_none());
    assert!(cluster.pod_named("shop", "agent").unwrap().is_on_host_network());
    gone(&mut cluster, &agent, 2 * SECOND);
    assert!(cluster.pod_named("shop", "agent").is_none());
    assert!(cluster.is_clean());
}

#[test]
fn a_pod_that_ended_gives_up_its_address_but_not_its_name() {
    let mut cluster = cluster();
    let mut job = pod("job", &["10.0.0.1"], 1);
    tell(&mut cluster, &job, SECOND);
    job.has_ended = true;
    tell(&mut cluster, &job, 10 * SECOND);
    assert_eq!(at(&cluster, "10.0.0.1", 5 * SECOND).as_deref(), Some("job"), "it lingers");
    let next = pod("next", &["10.0.0.1"], 12);
    tell(&mut cluster, &next, 12 * SECOND);
    assert_eq!(at(&cluster, "10.0.0.1", 11 * SECOND).as_deref(), Some("job"));
    assert_eq!(at(&cluster, "10.0.0.1", 12 * SECOND).as_deref(), Some("next"));
    cluster.advance(10 * SECOND + LINGER);
    assert_eq!(at(&cluster, "10.0.0.1", 11 * SECOND).as_deref(), Some("next"));
    assert!(cluster.pod_named("shop", "job").unwrap().has_ended());
    gone(&mut cluster, &job, 60 * SECOND);
    assert!(cluster.pod_named("shop", "job").is_none());
}

#[test]
fn what_was_removed_lingers_in_event_time() {
    let mut cluster = cluster();
    let web = pod("web", &["10.0.0.1"], 1);
    tell(&mut cluster, &web, SECOND);
    gone(&mut cluster, &web, 10 * SECOND);
    let found = cluster.pod(ip("10.0.0.1")).unwrap();
    assert!(found.is_gone());
    let address = found.addresses().next().unwrap();
    assert_eq!((address.since_ns, address.until_ns), (SECOND, Some(10 * SECOND)));
    cluster.advance(10 * SECOND + LINGER - 1);
    assert!(cluster.pod(ip("10.0.0.1")).is_some());
    cluster.advance(10 * SECOND + LINGER);
    assert!(cluster.pod(ip("10.0.0.1")).is_none() && cluster.pod_named("shop", "web").is_none());
    assert!(cluster.is_clean());
}

#[test]
fn a_new_owner_of_an_address_outlives_the_late_removal_of_the_old_one() {
    let mut cluster = cluster();
    let (old, new) = (pod("old", &["10.0.0.1"], 1), pod("new", &["10.0.0.1"], 20));
    tell(&mut cluster, &old, SECOND);
    tell(&mut cluster, &new, 20 * SECOND);
    assert_eq!(cluster.stats().taken_over, 1);
    // The old one changes once more, then goes.
    tell(&mut cluster, &old, 21 * SECOND);
    gone(&mut cluster, &old, 22 * SECOND);
    for (time, expected) in [(0, "old"), (1, "old"), (19, "old"), (20, "new"), (25, "new")] {
        assert_eq!(at(&cluster, "10.0.0.1", time * SECOND).as_deref(), Some(expected));
    }
    cluster.advance(22 * SECOND + LINGER);
    assert_eq!(at(&cluster, "10.0.0.1", 25 * SECOND).as_deref(), Some("new"));
    assert_eq!(cluster.stats().pods, 1);
}

#[test]
fn an_old_pod_that_is_told_late_takes_nothing_over() {
    let mut cluster = cluster();
    let (old, new) = (pod("old", &["10.0.0.1"], 1), pod("new", &["10.0.0.1"], 20));
    tell(&mut cluster, &new, 30 * SECOND);
    tell(&mut cluster, &old, 40 * SECOND);
    assert_eq!(at(&cluster, "10.0.0.1", 50 * SECOND).as_deref(), Some("new"));
    assert_eq!(at(&cluster, "10.0.0.1", 10 * SECOND).as_deref(), Some("new"));
    gone(&mut cluster, &new, 60 * SECOND);
    cluster.advance(60 * SECOND + LINGER);
    assert_eq!(at(&cluster, "10.0.0.1", 50 * SECOND).as_deref(), Some("old"));
}

#[test]
fn a_name_that_is_used_again_is_another_pod() {
    let mut cluster = cluster();
    let (first, second) = (pod("db-0", &["10.0.0.1"], 1), pod("db-0", &["10.0.0.2"], 20));
    tell(&mut cluster, &first, SECOND);
    // Its removal was not told.
    tell(&mut cluster, &second, 20 * SECOND);
    let created = |cluster: &Cluster, address| {
        cluster.pod(ip(address)).map(|pod| (pod.created_at_ns() / SECOND, pod.is_gone()))
    };
    assert_eq!(created(&cluster, "10.0.0.1"), Some((1, true)));
    assert_eq!(created(&cluster, "10.0.0.2"), Some((20, false)));
    assert_eq!(cluster.pod_named("shop", "db-0").unwrap().created_at_ns(), 20 * SECOND);
    cluster.advance(20 * SECOND + LINGER);
    assert_eq!(created(&cluster, "10.0.0.1"), None);
    assert_eq!(created(&cluster, "10.0.0.2"), Some((20, false)));
    assert!(cluster.pod_named("shop", "db-0").is_some());
}

#[test]
fn a_pod_that_changes_is_answered_as_it_is_now() {
    let mut cluster = cluster();
    let mut web = pod("web", &[], 1);
    web.node = Text::default();
    tell(&mut cluster, &web, SECOND);
    assert_eq!(cluster.pod_named("shop", "web").unwrap().node(), None);
    web.node = Text::new("node-2");
    web.ips = vec![ip("10.0.0.1")];
    web.labels = pairs(&[("app", "shop")]);
    tell(&mut cluster, &web, 2 * SECOND);
    let found = cluster.pod(ip("10.0.0.1")).unwrap();
    assert_eq!((found.node(), found.labels().unwrap().get("app")), (Some("node-2"), Some("shop")));
    assert_eq!((cluster.stats().groups, cluster.stats().label_sets), (1, 1));
    gone(&mut cluster, &web, 3 * SECOND);
    // It was a mistake: it is told again, and stays.
    tell(&mut cluster, &web, 4 * SECOND);
    cluster.advance(100 * SECOND);
    assert!(!cluster.pod(ip("10.0.0.1")).unwrap().is_gone());
}

#[test]
fn a_list_drops_what_it_did_not_tell_in_small_steps() {
    let mut cluster = cluster();
    let all: Vec<Pod> = (0..1000)
        .map(|number| {
            let address = format!("10.0.{}.{}", number / 256, number % 256);
            pod(&format!("web-{number}"), &[&address], 1)
        })
        .collect();
    cluster.apply(Change::Listing(Resource::Pods), SECOND);
    all.iter().for_each(|pod| tell(&mut cluster, pod, SECOND));
    cluster.apply(Change::Listed(Resource::Pods), SECOND);
    cluster.apply(Change::Listing(Resource::Pods), 2 * SECOND);
    all.iter().step_by(2).for_each(|pod| tell(&mut cluster, pod, 2 * SECOND));
    assert!(!cluster.pod(ip("10.0.0.1")).unwrap().is_gone(), "the list is not through");
    cluster.apply(Change::Listed(Resource::Pods), 2 * SECOND);
    let (mut steps, mut swept) = (0, 0);
    while cluster.advance(2 * SECOND) {
        steps += 1;
        let now = cluster.stats().swept;
        assert!(now - swept <= 64, "{}", now - swept);
        swept = now;
    }
    assert!(steps >= 1000 / 64, "{steps}");
    assert_eq!(swept, 500);
    for (number, pod) in all.iter().enumerate() {
        let is_gone = cluster.pod_named("shop", pod.name.name.as_str()).unwrap().is_gone();
        assert_eq!(is_gone, number % 2 == 1);
    }
    while cluster.advance(2 * SECOND + LINGER) {}
    assert_eq!(cluster.stats().pods, 500);
}

#[test]
fn a_list_drops_services_slices_and_nodes_too() {
    let mut cluster = cluster();
    cluster.apply(Change::Service(service("web", "10.96.0.1", vec![port("", 80, 0)])), 0);
    let backends = slice(name("shop", "web-x"), "web", &["10.0.0.1"], vec![port("", 8080, 0)]);
    cluster.apply(Change::EndpointSlice(backends), 0);
    cluster.apply(Change::Node(node("node-1", "192.168.0.1", Some(("10.0.0.0", 24)))), 0);
    for resource in Resource::ALL {
        cluster.apply(Change::Listing(resource), SECOND);
        cluster.apply(Change::Listed(resource), SECOND);
    }
    while cluster.advance(SECOND) {}
    let stats = cluster.stats();
    assert_eq!((stats.services, stats.endpoint_slices, stats.backends, stats.nodes), (0, 0, 0, 0));
    assert!(cluster.service(ip("10.96.0.1"), 80, Protocol::Tcp).is_none());
    assert!(cluster.node(ip("192.168.0.1")).is_none());
}

#[test]
fn stale_data_is_kept_and_marked() {
    let mut cluster = cluster();
    let pods = |cluster: &Cluster| cluster.resource(Resource::Pods).clone();
    assert_eq!(pods(&cluster).listed_at_ns, None);
    tell(&mut cluster, &pod("web", &["10.0.0.1"], 1), SECOND);
    cluster.apply(Change::Listed(Resource::Pods), SECOND);
    let stale = |reason: &str| Change::Stale(Resource::Pods, reason.to_owned());
    cluster.apply(stale("connection refused"), 2 * SECOND);
    cluster.apply(stale(&"x".repeat(1 << 20)), 3 * SECOND);
    assert!(cluster.pod(ip("10.0.0.1")).is_some());
    let marked = pods(&cluster).stale.unwrap();
    assert_eq!((marked.since_ns, marked.reason.len()), (2 * SECOND, 256));
    assert_eq!(cluster.resource(Resource::Nodes).stale, None);
    cluster.apply(Change::Fresh(Resource::Pods), 4 * SECOND);
    assert_eq!((pods(&cluster).stale, pods(&cluster).listed_at_ns), (None, Some(SECOND)));
}

#[test]
fn overlapping_addresses_of_two_clusters_never_mix() {
    let mut clusters = Clusters::new();
    let keys = ["east", "west"].map(|name| clusters.add(name, Limits::default()).unwrap());
    for (key, uid) in keys.into_iter().zip(UIDS) {
        clusters.apply(key, kube_system(uid), SECOND);
    }
    clusters.apply(keys[0], Change::Pod(pod("web", &["10.0.0.1"], 1)), SECOND);
    clusters.apply(keys[1], Change::Pod(pod("other", &["10.0.0.1"], 9)), SECOND);
    clusters.apply(keys[0], Change::Pod(pod("lone", &["10.0.0.2"], 1)), SECOND);
    let by_uid = |uid: &str| {
        clusters.get(clusters.by_uid(ClusterUid::parse(uid.as_bytes()).unwrap()).unwrap()).unwrap()
    };
    let (east, west) = (by_uid(UIDS[0]), by_uid(UIDS[1]));
    assert_eq!(at(east, "10.0.0.1", SECOND).as_deref(), Some("web"));
    assert_eq!(at(west, "10.0.0.1", SECOND).as_deref(), Some("other"));
    assert_eq!(at(west, "10.0.0.2", SECOND), None);
    let number = |cluster: &Cluster| cluster.pod(ip("10.0.0.1")).unwrap().identity();
    assert_ne!(number(east), number(west), "the name of a cluster is a label");
}

#[test]
fn a_cluster_gets_its_uid_once_and_another_one_is_another_cluster() {
    let mut clusters = Clusters::new();
    let key = clusters.add("", Limits::default()).unwrap();
    let uid = |text: &str| ClusterUid::parse(text.as_bytes()).unwrap();
    clusters.apply(key, Change::Pod(pod("web", &["10.0.0.1"], 1)), SECOND);
    assert_eq!(clusters.by_uid(uid(UIDS[0])), None);
    for change in [kube_system(UIDS[0]), kube_system(UIDS[0]), kube_system(""), kube_system("?")] {
        clusters.apply(key, change, SECOND);
    }
    assert_eq!(clusters.by_uid(uid(UIDS[0])), Some(key));
    assert!(clusters.get(key).unwrap().pod(ip("10.0.0.1")).is_some());
    clusters.apply(key, kube_system(UIDS[1]), SECOND);
    assert_eq!((clusters.by_uid(uid(UIDS[0])), clusters.by_uid(uid(UIDS[1]))), (None, Some(key)));
    assert!(clusters.get(key).unwrap().pod(ip("10.0.0.1")).is_none());
    assert_eq!(clusters.get(key).unwrap().stats().replaced, 1);
}

#[test]
fn a_service_is_found_where_it_is_dialled_and_where_it_answers() {
    let mut cluster = cluster();
    let mut web = service("web", "10.96.0.1", vec![port("http", 80, 30080), port("dns", 53, 0)]);
    web.external_ips = vec![ip("203.0.113.1")];
    cluster.apply(Change::Service(web), 0);
    let mut mail = service("mail", "10.96.0.2", vec![port("", 25, 0)]);
    mail.external_ips = vec![ip("203.0.113.1")];
    cluster.apply(Change::Service(mail), 0);
    cluster.apply(Change::Node(node("node-1", "192.168.0.1", None)), 0);
    let dialled = |cluster: &Cluster, address, port| {
        let found = cluster.service(ip(address), port, Protocol::Tcp);
        found.map(|found| (found.name.to_owned(), found.port_name.map(str::to_owned)))
    };
    let expect = |name: &str, port: Option<&str>| Some((name.to_owned(), port.map(str::to_owned)));
    assert_eq!(dialled(&cluster, "10.96.0.1", 80), expect("web", Some("http")));
    assert_eq!(dialled(&cluster, "10.96.0.1", 53), expect("web", Some("dns")));
    assert_eq!(dialled(&cluster, "10.96.0.1", 81), expect("web", None));
    assert_eq!(cluster.service(ip("10.96.0.1"), 80, Protocol::Udp).unwrap().port_name, None);
    assert_eq!(dialled(&cluster, "203.0.113.1", 80), expect("web", Some("http")));
    assert_eq!(dialled(&cluster, "203.0.113.1", 25), expect("mail", Some("")));
    assert_eq!(dialled(&cluster, "203.0.113.1", 26), None, "it is shared port by port");
    assert_eq!(dialled(&cluster, "192.168.0.1", 30080), expect("web", Some("http")));
    assert_eq!(dialled(&cluster, "192.168.0.1", 80), None);
    assert_eq!(dialled(&cluster, "192.168.0.2", 30080), None, "that is no node");

    let ports = || vec![port("http", 8080, 0)];
    for (of, service) in [("web-1", "web"), ("zeb-1", "zeb")] {
        let backends = slice(name("shop", of), service, &["10.0.0.1", "10.0.0.2"], ports());
        cluster.apply(Change::EndpointSlice(backends), 0);
    }
    let found = cluster.backend(ip("10.0.0.2"), 8080, Protocol::Tcp).unwrap();
    assert_eq!((found.namespace, found.name, found.port_name), ("shop", "web", Some("http")));
    assert!(cluster.backend(ip("10.0.0.2"), 8081, Protocol::Tcp).is_none());
    let mut all = Vec::new();
    let address = ip("10.0.0.1");
    cluster.each_backend(address, 8080, Protocol::Tcp, |found| all.push(found.name.to_owned()));
    all.sort();
    assert_eq!(all, ["web", "zeb"]);

    // It changes, and goes.
    cluster.apply(Change::Service(service("web", "10.96.0.9", vec![port("http", 80, 0)])), 0);
    assert_eq!(dialled(&cluster, "10.96.0.1", 80), None);
    assert_eq!(dialled(&cluster, "192.168.0.1", 30080), None);
    let backends = slice(name("shop", "web-1"), "web", &["10.0.0.3"], ports());
    cluster.apply(Change::EndpointSlice(backends), 0);
    assert_eq!(cluster.backend(ip("10.0.0.2"), 8080, Protocol::Tcp).unwrap().name, "zeb");
    cluster.apply(Change::EndpointSliceGone(name("shop", "web-1")), 0);
    assert!(cluster.backend(ip("10.0.0.3"), 8080, Protocol::Tcp).is_none());
    cluster.apply(Change::ServiceGone(name("shop", "web")), 0);
    assert_eq!(dialled(&cluster, "10.96.0.9", 80), None);
    cluster.apply(Change::NodeGone(Text::new("node-1")), 0);
    assert!(cluster.node(ip("192.168.0.1")).is_none());
}
