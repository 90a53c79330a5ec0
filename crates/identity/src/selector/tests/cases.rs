//! Tables of what matches what.

use super::{ID, known, pairs, selector, strings};
use crate::description::Pairs;
use crate::selector::{LabelSelector, Place, Selector, Subject, Typed, Verdict};

use Verdict::{No, Unknown, Yes};

#[test]
fn what_is_typed_for_each_kind_matches_as_kubectl_has_it() {
    let cases: &[(&str, &[&str], Verdict)] = &[
        ("namespace", &["shop"], Yes),
        ("namespace", &["shops"], No),
        ("namespace", &["other", "shop"], Yes),
        ("pod", &["web-7d4b9-x2x"], Yes),
        ("pod", &["web"], No),
        ("pod", &["web*"], Yes),
        ("pod", &["web-*"], Yes),
        ("pod", &["*"], Yes),
        ("pod", &["shop/*"], Yes),
        ("pod", &["shop/web-7d4b9-x2x"], Yes),
        ("pod", &["bank/web-7d4b9-x2x"], No),
        ("pod", &["bank/web*", "db-*", "shop/web-7*"], Yes),
        ("workload", &["web"], Yes),
        ("workload", &["deploy/web"], Yes),
        ("workload", &["Deployment/web"], Yes),
        ("workload", &["DEPLOYMENTS/web"], Yes),
        ("workload", &["deployment.apps/web"], Yes),
        ("workload", &["deployment.v1.apps/web"], Yes),
        ("workload", &["ds/web"], No),
        ("workload", &["ds/web", "deploy/web"], Yes),
        ("workload", &["deploy/we"], No),
        ("workload", &["rollout/web"], No),
        ("workload", &["po/web-7d4b9-x2x"], Yes),
        ("workload", &["pods/web"], No),
        ("container", &["nginx"], Yes),
        ("container", &["ngin"], No),
        ("container", &["0123456789ab"], Yes),
        ("container", &["0123456789AB"], Yes),
        ("container", &[ID], Yes),
        ("container", &["0123456789ac"], No),
        ("container", &["containerd://0123456789abcdef"], Yes),
        ("container", &["sidecar", "nginx"], Yes),
        ("node", &["node-1.example"], Yes),
        ("node", &["node-1"], No),
        ("node", &["node-2", "node-1.example"], Yes),
    ];
    for (kind, texts, expected) in cases {
        let found = selector(kind, texts).matches(&known());
        assert_eq!(found, *expected, "{kind} {texts:?}");
    }
}

#[test]
fn every_short_name_of_a_kind_is_that_kind() {
    let kinds = [
        ("Deployment", ["deploy", "deployment", "deployments"]),
        ("DaemonSet", ["ds", "daemonset", "daemonsets"]),
        ("StatefulSet", ["sts", "statefulset", "statefulsets"]),
        ("ReplicaSet", ["rs", "replicaset", "replicasets"]),
        ("ReplicationController", ["rc", "replicationcontroller", "replicationcontrollers"]),
        ("CronJob", ["cj", "cronjob", "cronjobs"]),
        ("Job", ["job", "jobs", "Job"]),
        ("Rollout", ["rollout", "Rollout", "ROLLOUT"]),
    ];
    for (kind, short) in kinds {
        for word in short {
            let selector = selector("workload", &[&format!("{word}/x")]);
            let subject = |kind| Subject { workload: Some((kind, "x")), ..known() };
            assert_eq!(selector.matches(&subject(kind)), Yes, "{word}");
            assert_eq!(selector.matches(&subject("Other")), No, "{word}");
        }
    }
}

/// A name of hex digits alone may be an id, and is looked for as both.
#[test]
fn a_container_that_is_named_as_an_id_could_be_is_found_either_way() {
    let selector = selector("container", &["feedfacefeed"]);
    let named = Subject { container_name: Some("feedfacefeed"), ..known() };
    let numbered = Subject { container_id: Some("feedfacefeed0123"), ..known() };
    assert_eq!(
        [&named, &numbered, &known()].map(|subject| selector.matches(subject)),
        [Yes, Yes, No]
    );
    let unnamed = Subject { container_name: None, ..known() };
    assert_eq!(selector.matches(&unnamed), Unknown);
}

#[test]
fn label_selectors_mean_what_they_mean_in_kubernetes() {
    let labels = [("app", "web"), ("tier", "front"), ("empty", ""), ("n", "10"), ("a.b/c", "d")];
    let yes = [
        "",
        "  ",
        "app",
        "app=web",
        "app==web",
        " app = web ",
        "app!=db",
        "app in (web)",
        "app in (db,web)",
        "app in ( db , web )",
        "app notin (db)",
        "app notin (db,)",
        "empty",
        "empty=",
        "empty in (,)",
        "empty in (a,)",
        "empty==",
        "!absent",
        "! absent",
        "absent!=x",
        "absent notin (x,y)",
        "absent notin (,)",
        "absent!=",
        "app,tier=front,!absent",
        "n>9",
        "n<11",
        "n > 9,n < 11",
        "a.b/c=d",
        "a.b/c in (d)",
        "app=web,app!=db",
        "app\tin\n(web)",
    ];
    let no = [
        "absent",
        "app=db",
        "app==Web",
        "app!=web",
        "app in (db)",
        "app notin (web,db)",
        "!app",
        "absent=",
        "absent in (,)",
        "absent in (x)",
        "empty!=",
        "app=",
        "app=web,absent",
        "n>10",
        "n<10",
        "app>1",
        "absent>1",
        "absent<1",
        "c=d",
        "app=web,app=db",
    ];
    for (texts, expected) in [(&yes[..], Yes), (&no[..], No)] {
        for text in texts {
            let selector = LabelSelector::parse(text).unwrap();
            assert_eq!(selector.matches(Some(&pairs(&labels))), expected, "{text:?}");
            let written = selector.to_string();
            assert_eq!(LabelSelector::parse(&written), Ok(selector), "{text:?} as {written:?}");
        }
    }
}

#[test]
fn words_of_the_language_may_be_keys_and_values() {
    let labels = pairs(&[("in", "notin"), ("notin", "in")]);
    for text in
        ["in", "notin", "in in (notin)", "notin notin (a)", "in=notin", "notin=in", "in,notin"]
    {
        assert_eq!(LabelSelector::parse(text).unwrap().matches(Some(&labels)), Yes, "{text}");
    }
    for text in ["!in", "!notin", "in notin (notin)"] {
        assert_eq!(LabelSelector::parse(text).unwrap().matches(Some(&labels)), No, "{text}");
    }
}

#[test]
fn several_label_selectors_must_all_hold() {
    let labels = pairs(&[("app", "web"), ("tier", "front")]);
    let subject = Subject { labels: Some(&labels), ..known() };
    assert_eq!(selector("label", &["app=web", "tier=front"]).matches(&subject), Yes);
    assert_eq!(selector("label", &["app=web", "tier=back"]).matches(&subject), No);
    assert!(selector("label", &["", " "]).is_empty());
}

/// A label that found no room may be any.
#[test]
fn labels_that_were_left_out_are_not_known() {
    let long = "x".repeat(Pairs::MAX_KEY_BYTES + 1);
    let labels = pairs(&[("app", "web"), (&long, "y")]);
    assert_eq!(labels.omitted(), 1);
    let cases = [("app=web", Yes), ("app=db", No), ("other", Unknown), ("!other", Unknown)];
    for (text, expected) in cases {
        let found = LabelSelector::parse(text).unwrap().matches(Some(&labels));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn all_kinds_must_agree_and_one_that_contradicts_is_enough() {
    let (namespaces, pods, nodes) = (strings(&["shop"]), strings(&["web-*"]), strings(&["n1"]));
    let typed = Typed { namespaces: &namespaces, pods: &pods, nodes: &nodes, ..Typed::default() };
    let selector = Selector::parse(&typed).unwrap();
    let all = Subject {
        namespace: Some("shop"),
        pod: Some("web-0"),
        node: Some("n1"),
        ..Subject::default()
    };
    assert_eq!(selector.matches(&all), Yes);
    assert_eq!(selector.matches(&Subject { pod: None, ..all }), Unknown);
    assert_eq!(selector.matches(&Subject { node: Some("n2"), ..Subject::default() }), No);
    assert_eq!(selector.matches(&Subject { namespace: Some("x"), ..Subject::default() }), No);
    assert_eq!(selector.matches(&Subject { namespace: None, pod: Some("db-0"), ..all }), No);
    assert_eq!(selector.matches(&Subject::default()), Unknown);
}

#[test]
fn what_is_in_no_container_is_in_no_pod() {
    let at = |place| Subject { place, node: Some("n1"), ..Subject::default() };
    for (kind, word) in
        [("namespace", "a"), ("pod", "a"), ("label", "!a"), ("workload", "a"), ("container", "a")]
    {
        let selector = selector(kind, &[word]);
        assert!(selector.asks_for_container() && !selector.is_empty());
        assert_eq!(selector.matches(&at(Place::Host)), No, "{kind}");
        assert_eq!(selector.matches(&at(Place::Unknown)), Unknown, "{kind}");
        assert_eq!(selector.matches(&at(Place::Pod)), Unknown, "{kind}");
        let alone = if kind == "container" { Unknown } else { No };
        assert_eq!(selector.matches(&at(Place::Alone)), alone, "{kind}");
    }
    let node = selector("node", &["n1"]);
    assert!(!node.asks_for_container() && !node.is_empty());
    assert_eq!(node.matches(&at(Place::Host)), Yes);
}

#[test]
fn nothing_typed_selects_everything() {
    let everything = Selector::parse(&Typed::default()).unwrap();
    assert!(everything.is_empty());
    for place in [Place::Unknown, Place::Host, Place::Alone, Place::Pod] {
        assert_eq!(everything.matches(&Subject { place, ..Subject::default() }), Yes);
    }
}
