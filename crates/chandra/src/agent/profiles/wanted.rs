//! Of whom a profile is that a client asks for: the filters and the selection of `chandra profile`, decided for each
//! sample where everything is known of whom it is of.

use std::time::Duration;

use chandra_event::cpu_sample::CpuSample;
use chandra_event::record::Event;
use chandra_hubble::proto::chandra::v1::{ProfileFilter, ProfileQuestion};
use chandra_identity::selector::{Selector, Typed, Verdict};
use chandra_identity::{Identity, subject};
use chandra_profile::filter::Filter;

use crate::cgroup;
use crate::follow::Told;

/// Values that a filter may have.
const MOST_VALUES: usize = 64;
/// Bytes of each.
const MOST_VALUE_BYTES: usize = 512;

/// See the [module](self).
#[derive(Debug)]
pub struct Wanted {
    pids: Vec<u32>,
    comms: Vec<String>,
    uids: Vec<u32>,
    /// By hierarchy and id; those below are wanted, too.
    cgroups: Vec<(u32, u64)>,
    selector: Selector,
    shortest_ns: u64,
    node: String,
}

impl Wanted {
    /// What a question says.
    ///
    /// # Errors
    /// In words: what is not understood.
    pub fn new(question: &ProfileQuestion, node: &str) -> Result<Self, String> {
        let filter = question.filter.clone().unwrap_or_default();
        check(&filter)?;
        let ProfileFilter { pids, comms, uids, cgroups, .. } = filter;
        let ProfileFilter { namespaces, pods, labels, workloads, containers, nodes, .. } = filter;
        let typed = Typed {
            namespaces: &namespaces,
            pods: &pods,
            labels: &labels,
            workloads: &workloads,
            containers: &containers,
            nodes: &nodes,
        };
        let selector = Selector::parse(&typed).map_err(|error| error.to_string())?;
        // Why a path is none would tell what there is on the node.
        let find = |text: &String| {
            cgroup::find(text).map_err(|_| format!("there is no cgroup {text:?} on this node"))
        };
        let shortest = question.min_duration.map(Duration::try_from).transpose();
        let shortest = shortest.map_err(|_| "a duration is never negative")?.unwrap_or_default();
        Ok(Self {
            cgroups: cgroups.iter().map(find).collect::<Result<_, _>>()?,
            shortest_ns: u64::try_from(shortest.as_nanos()).unwrap_or(u64::MAX),
            node: node.to_owned(),
            pids,
            comms,
            uids,
            selector,
        })
    }

    /// Whether a sample is of whom it is asked.
    pub fn has(&self, told: &Told<'_>) -> bool {
        let (sample, weight_ns) = match told.known.record.event() {
            Event::CpuSample(sample) => (sample, u64::MAX),
            Event::OffCpu(wait) => (&wait.sample, wait.sample.weight_ns),
            _ => return false,
        };
        let process = &sample.process;
        let comm = process.comm.as_bytes();
        weight_ns >= self.shortest_ns
            && is_any(&self.pids, |pid| *pid == process.pid)
            && is_any(&self.comms, |name| name.as_bytes() == comm)
            && is_any(&self.uids, |uid| *uid == process.uid)
            && is_any(&self.cgroups, |cgroup| is_below(*cgroup, sample, told.identity))
            && self.selector.matches(&subject(told.known.who, false, &self.node)) == Verdict::Yes
    }
}

/// Whether one of these holds; where there are none, everything does.
fn is_any<T>(wanted: &[T], holds: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(holds)
}

/// It ran in this cgroup, or in one below.
fn is_below((hierarchy, id): (u32, u64), sample: &CpuSample<'_>, identity: &Identity) -> bool {
    let process = &sample.process;
    if process.cgroup_hierarchy != hierarchy {
        return false;
    }
    if process.cgroup_id == id {
        return true;
    }
    let cgroups = &identity.cgroups;
    let own = cgroups.get(hierarchy, process.cgroup_id);
    let Some((own, above)) = own.zip(cgroups.get(hierarchy, id)) else { return false };
    let below = own.path.strip_prefix(above.path);
    below.is_some_and(|below| above.path == b"/" || below.starts_with(b"/"))
}

/// The same of what is kept, which knows less.
///
/// # Errors
/// In words: what it does not know.
pub fn of_kept(filter: &ProfileFilter) -> Result<Filter, String> {
    check(filter)?;
    let ProfileFilter { pids, comms, containers, pods, namespaces, .. } = filter;
    let others = [&filter.cgroups, &filter.labels, &filter.workloads, &filter.nodes];
    if !filter.uids.is_empty() || others.iter().any(|it| !it.is_empty()) {
        return Err("what is kept is told apart by pid, comm, container, pod and namespace only; what comes \
                    from now on (without --last) by all filters"
            .into());
    }
    let one = |name, values: &[String]| match values {
        [] => Ok(None),
        [value] => Ok(Some(value.clone())),
        _ => Err(format!("what is kept is asked for one {name} at a time")),
    };
    if pids.len() > 1 {
        return Err("what is kept is asked for one pid at a time".into());
    }
    let (mut namespace, mut pod) = (one("namespace", namespaces)?, one("pod", pods)?);
    if let Some((of_pod, name)) = pod.as_ref().and_then(|pod| pod.split_once('/')) {
        if namespace.as_ref().is_some_and(|namespace| namespace != of_pod) {
            return Err(format!("{of_pod}/{name} is in another namespace than is asked for"));
        }
        (namespace, pod) = (Some(of_pod.to_owned()), Some(name.to_owned()));
    }
    if pod.as_ref().is_some_and(|pod| pod.ends_with('*')) {
        return Err("what is kept is asked for by the whole name of a pod".into());
    }
    Ok(Filter {
        pid: pids.first().copied(),
        process: one("comm", comms)?,
        container: one("container", containers)?,
        pod,
        namespace,
        ..Filter::default()
    })
}

/// It asks for no more than may be asked for.
fn check(filter: &ProfileFilter) -> Result<(), String> {
    let ProfileFilter { pids, uids, comms, cgroups, .. } = filter;
    let ProfileFilter { namespaces, pods, labels, workloads, containers, nodes, .. } = filter;
    let texts = [comms, cgroups, namespaces, pods, labels, workloads, containers, nodes];
    let most = texts.iter().map(|values| values.len()).chain([pids.len(), uids.len()]).max();
    if most.unwrap_or_default() > MOST_VALUES {
        return Err(format!("more than {MOST_VALUES} values of one filter"));
    }
    if texts.into_iter().flatten().any(|value| value.len() > MOST_VALUE_BYTES) {
        return Err(format!("a value of a filter has more than {MOST_VALUE_BYTES} bytes"));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn wanted(filter: ProfileFilter) -> Result<Wanted, String> {
        Wanted::new(&ProfileQuestion { filter: Some(filter), ..Default::default() }, "node-1")
    }

    #[test]
    fn a_question_that_asks_for_too_much_or_for_what_is_not_there_is_refused() {
        let many = vec![1; MOST_VALUES + 1];
        assert!(wanted(ProfileFilter { pids: many, ..Default::default() }).is_err());
        let long = vec!["x".repeat(MOST_VALUE_BYTES + 1)];
        assert!(wanted(ProfileFilter { comms: long, ..Default::default() }).is_err());
        let labels = vec!["app in web".to_owned()];
        assert!(wanted(ProfileFilter { labels, ..Default::default() }).is_err());
        for path in ["/no/such/cgroup", "/etc", "/etc/passwd"] {
            let cgroups = vec![path.to_owned()];
            let why = wanted(ProfileFilter { cgroups, ..Default::default() }).unwrap_err();
            assert_eq!(why, format!("there is no cgroup {path:?} on this node"));
        }
        assert!(wanted(ProfileFilter::default()).is_ok());
    }

    #[test]
    fn what_is_kept_is_asked_for_by_what_it_knows() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let filter = of_kept(&ProfileFilter { pods: texts(&["shop/web-1"]), ..Default::default() });
        let filter = filter.unwrap();
        assert_eq!(
            (filter.namespace.as_deref(), filter.pod.as_deref()),
            (Some("shop"), Some("web-1"))
        );
        for wrong in [
            ProfileFilter { labels: texts(&["app=web"]), ..Default::default() },
            ProfileFilter { uids: vec![0], ..Default::default() },
            ProfileFilter { comms: texts(&["a", "b"]), ..Default::default() },
            ProfileFilter { pods: texts(&["web-*"]), ..Default::default() },
            ProfileFilter {
                pods: texts(&["shop/web-1"]),
                namespaces: texts(&["other"]),
                ..Default::default()
            },
        ] {
            assert!(of_kept(&wrong).is_err(), "{wrong:?}");
        }
    }
}
