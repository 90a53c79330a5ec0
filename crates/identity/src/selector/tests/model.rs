//! Random selectors and subjects, judged by a naive reading of the rules: where all is known it must
//! agree, and an answer that was given while something was unknown must hold however that turns out.

use super::{pairs, strings};
use crate::description::Pairs;
use crate::selector::{Place, Selector, Subject, Typed, Verdict};

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn some_of<T: Copy>(&mut self, list: &[T]) -> Vec<T> {
        let count = self.one_of(&[0, 0, 1, 1, 2]);
        (0..count).map(|_| self.one_of(list)).collect()
    }
}

/// A word and what it means to somebody who knows all.
type Meaning = (&'static str, fn(&Truth) -> bool);

/// Everything there is to know.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Truth {
    place: Place,
    namespace: &'static str,
    pod: &'static str,
    app: Option<&'static str>,
    tier: Option<&'static str>,
    workload: (&'static str, &'static str),
    container: &'static str,
    id: &'static str,
    node: &'static str,
}

const PLACES: [Place; 3] = [Place::Host, Place::Alone, Place::Pod];
const NAMESPACES: [&str; 2] = ["a", "b"];
const PODS: [&str; 2] = ["web-0", "db-0"];
const LABELS: [Option<&str>; 3] = [None, Some("1"), Some("2")];
const WORKLOADS: [(&str, &str); 3] = [("Deployment", "web"), ("Job", "web"), ("DaemonSet", "log")];
const CONTAINERS: [&str; 2] = ["main", "abcdefabcdef"];
const IDS: [&str; 2] = ["abcdefabcdef0000", "0000abcdefabcdef"];
const NODES: [&str; 2] = ["n1", "n2"];

const BY_NAMESPACE: [Meaning; 2] =
    [("a", |truth| truth.namespace == "a"), ("b", |truth| truth.namespace == "b")];
const BY_POD: [Meaning; 4] = [
    ("web-0", |truth| truth.pod == "web-0"),
    ("web*", |truth| truth.pod == "web-0"),
    ("b/*", |truth| truth.namespace == "b"),
    ("a/db-0", |truth| truth.namespace == "a" && truth.pod == "db-0"),
];
const BY_LABEL: [Meaning; 9] = [
    ("app=1", |truth| truth.app == Some("1")),
    ("app!=1", |truth| truth.app != Some("1")),
    ("app in (1,2),tier", |truth| truth.app.is_some() && truth.tier.is_some()),
    ("app notin (2)", |truth| truth.app != Some("2")),
    ("!tier", |truth| truth.tier.is_none()),
    ("tier>1", |truth| truth.tier == Some("2")),
    ("app,!app", |_| false),
    ("tier<2,app=2", |truth| truth.tier == Some("1") && truth.app == Some("2")),
    ("app==2", |truth| truth.app == Some("2")),
];
const BY_WORKLOAD: [Meaning; 4] = [
    ("web", |truth| truth.workload.1 == "web"),
    ("deploy/web", |truth| truth.workload == ("Deployment", "web")),
    ("DS/log", |truth| truth.workload == ("DaemonSet", "log")),
    ("po/db-0", |truth| truth.pod == "db-0"),
];
const BY_CONTAINER: [Meaning; 3] = [
    ("main", |truth| truth.container == "main"),
    ("abcdefabcdef", |truth| truth.container == "abcdefabcdef" || truth.id == IDS[0]),
    ("docker://0000ABCDEFAB", |truth| truth.id == IDS[1]),
];
const BY_NODE: [Meaning; 2] =
    [("n1", |truth| truth.node == "n1"), ("n2", |truth| truth.node == "n2")];

struct Naive {
    namespaces: Vec<Meaning>,
    pods: Vec<Meaning>,
    labels: Vec<Meaning>,
    workloads: Vec<Meaning>,
    containers: Vec<Meaning>,
    nodes: Vec<Meaning>,
}

fn words(meanings: &[Meaning]) -> Vec<String> {
    strings(&meanings.iter().map(|(word, _)| *word).collect::<Vec<_>>())
}

impl Naive {
    fn random(random: &mut Random) -> Self {
        Self {
            namespaces: random.some_of(&BY_NAMESPACE),
            pods: random.some_of(&BY_POD),
            labels: random.some_of(&BY_LABEL),
            workloads: random.some_of(&BY_WORKLOAD),
            containers: random.some_of(&BY_CONTAINER),
            nodes: random.some_of(&BY_NODE),
        }
    }

    fn selector(&self) -> Selector {
        Selector::parse(&Typed {
            namespaces: &words(&self.namespaces),
            pods: &words(&self.pods),
            labels: &words(&self.labels),
            workloads: &words(&self.workloads),
            containers: &words(&self.containers),
            nodes: &words(&self.nodes),
        })
        .unwrap()
    }

    fn matches(&self, truth: &Truth) -> bool {
        let is_pod = truth.place == Place::Pod;
        let is_container = truth.place != Place::Host;
        let any = |meanings: &[Meaning], can_be: bool| {
            meanings.is_empty() || (can_be && meanings.iter().any(|(_, holds)| holds(truth)))
        };
        any(&self.namespaces, is_pod)
            && any(&self.pods, is_pod)
            && any(&self.workloads, is_pod)
            && any(&self.containers, is_container)
            && any(&self.nodes, true)
            && self.labels.iter().all(|(_, holds)| is_pod && holds(truth))
    }
}

fn truth(random: &mut Random) -> Truth {
    Truth {
        place: random.one_of(&PLACES),
        namespace: random.one_of(&NAMESPACES),
        pod: random.one_of(&PODS),
        app: random.one_of(&LABELS),
        tier: random.one_of(&LABELS),
        workload: random.one_of(&WORKLOADS),
        container: random.one_of(&CONTAINERS),
        id: random.one_of(&IDS),
        node: random.one_of(&NODES),
    }
}

/// Which facts somebody has who does not know those of these bits: what is not in a pod has none of
/// one, what is in no container none of that.
fn facts(truth: &Truth, hidden: usize) -> impl Fn(usize) -> bool {
    let place = truth.place;
    move |bit| {
        let exists = match bit {
            1..=4 => place == Place::Pod,
            5 | 6 => place != Place::Host,
            _ => true,
        };
        exists && hidden >> bit & 1 == 0
    }
}

/// What else may be true for all that they know.
fn otherwise(random: &mut Random, truth: &Truth, hidden: usize) -> Truth {
    let other = self::truth(random);
    let has = facts(truth, hidden);
    let in_pod = (1..=4).any(&has);
    let in_container = in_pod || (5..=6).any(&has);
    let fits = match other.place {
        Place::Host => !in_container,
        Place::Alone => !in_pod,
        _ => true,
    };
    Truth {
        place: if has(0) || !fits { truth.place } else { other.place },
        namespace: if has(1) { truth.namespace } else { other.namespace },
        pod: if has(2) { truth.pod } else { other.pod },
        app: if has(3) { truth.app } else { other.app },
        tier: if has(3) { truth.tier } else { other.tier },
        workload: if has(4) { truth.workload } else { other.workload },
        container: if has(5) { truth.container } else { other.container },
        id: if has(6) { truth.id } else { other.id },
        node: if has(7) { truth.node } else { other.node },
    }
}

fn labels(truth: &Truth) -> Pairs {
    let list = [("app", truth.app), ("tier", truth.tier)];
    pairs(&list.iter().filter_map(|(key, value)| Some((*key, (*value)?))).collect::<Vec<_>>())
}

fn subject<'a>(truth: &Truth, labels: &'a Pairs, hidden: usize) -> Subject<'a> {
    let has = facts(truth, hidden);
    Subject {
        place: if has(0) { truth.place } else { Place::Unknown },
        namespace: has(1).then_some(truth.namespace),
        pod: has(2).then_some(truth.pod),
        labels: has(3).then_some(labels),
        workload: has(4).then_some(truth.workload),
        container_name: has(5).then_some(truth.container),
        container_id: has(6).then_some(truth.id),
        node: has(7).then_some(truth.node),
    }
}

#[test]
fn who_knows_all_decides_as_the_naive_reading_does() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut counts = [0; 2];
    for _ in 0..20_000 {
        let naive = Naive::random(&mut random);
        let truth = truth(&mut random);
        let expected = naive.matches(&truth);
        let found = naive.selector().matches(&subject(&truth, &labels(&truth), 0));
        assert_eq!(found, Verdict::from(expected), "{:?} {truth:?}", naive.selector());
        counts[usize::from(expected)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 500), "{counts:?}");
}

#[test]
fn an_answer_holds_whatever_the_unknown_turns_out_to_be() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut counts = [0; 3];
    for _ in 0..20_000 {
        let naive = Naive::random(&mut random);
        let truth = truth(&mut random);
        let hidden = random.below(256);
        let verdict = naive.selector().matches(&subject(&truth, &labels(&truth), hidden));
        for _ in 0..20 {
            let other = otherwise(&mut random, &truth, hidden);
            let found = Verdict::from(naive.matches(&other));
            let holds = verdict == Verdict::Unknown || verdict == found;
            assert!(holds, "{verdict:?}: {:?} {hidden:08b} {other:?}", naive.selector());
        }
        let place = [Verdict::Yes, Verdict::No, Verdict::Unknown];
        counts[place.iter().position(|one| *one == verdict).unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}

/// Hiding one fact, with one word of each kind and none that asks twice of the same fact, leaves an
/// answer open only where that fact could change it.
#[test]
fn an_answer_is_open_only_where_it_could_be_another() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut open = 0;
    for _ in 0..20_000 {
        let mut naive = Naive::random(&mut random);
        naive.labels.retain(|(word, _)| *word != "app,!app");
        let Naive { namespaces, pods, labels: label, workloads, containers, nodes } = &mut naive;
        for list in [&mut *namespaces, pods, label, workloads, containers, nodes] {
            list.truncate(1);
        }
        if !pods.is_empty() {
            namespaces.clear();
            workloads.retain(|(word, _)| !word.starts_with("po/"));
        }
        let truth = truth(&mut random);
        let hidden = 1 << random.below(8);
        let verdict = naive.selector().matches(&subject(&truth, &labels(&truth), hidden));
        if verdict != Verdict::Unknown {
            continue;
        }
        open += 1;
        let mut others = (0..10_000).map(|_| otherwise(&mut random, &truth, hidden));
        let first = naive.matches(&truth);
        let changes = others.any(|other| naive.matches(&other) != first);
        assert!(changes, "{:?} {hidden:08b} {truth:?}", naive.selector());
    }
    assert!(open > 100, "{open}");
}
