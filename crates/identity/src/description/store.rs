//! Descriptions by container id, kept a while after the runtime removed them.
//!
//! Invariants: time is that of events, given by the caller and never read from a clock, so that late
//! events meet what was true for them. Number and bytes have a ceiling: when it is reached, those
//! removed longest ago go first, then exited containers, oldest first; if there are none, the new one
//! is refused. All of it is counted.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Bundle, Change, ContainerDescription, ContainerState, PodDescription, RuntimeId};
use crate::hashing::HashMap;

/// What the store may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Containers, pods and bundles together, with those that linger.
    pub entries: usize,
    /// Bytes of all of them.
    pub bytes: usize,
    /// How long one stays after the runtime removed it, in nanoseconds of event time.
    pub linger_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 8192, bytes: 16 << 20, linger_ns: 30_000_000_000 }
    }
}

/// How many descriptions left before their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Removed by the runtime, and their linger cut short.
    pub lingering: u64,
    /// Exited containers that the runtime still has.
    pub exited: u64,
    /// Not taken: everything else was alive.
    pub refused: u64,
}

/// Everything that the runtime said.
#[derive(Debug, Default)]
pub struct Descriptions {
    limits: Limits,
    containers: HashMap<RuntimeId, Entry<ContainerDescription>>,
    pods: HashMap<RuntimeId, Entry<PodDescription>>,
    bundles: HashMap<RuntimeId, Entry<Bundle>>,
    /// In the order of removal. One that came back has an item here which means nothing any more.
    removed: VecDeque<(u64, Kind, RuntimeId)>,
    bytes: usize,
    dropped: Dropped,
    stale: Option<String>,
}

#[derive(Debug)]
struct Entry<T> {
    description: Arc<T>,
    bytes: usize,
    removed_at_ns: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Container,
    Pod,
    Bundle,
}

/// What an entry takes beside its description: its places in a map and in the list of removed ones.
const ENTRY_BYTES: usize = 160;

impl Descriptions {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes in what a source found out at this time, in nanoseconds of event time.
    pub fn apply(&mut self, change: Change, now_ns: u64) {
        match change {
            Change::PodSeen(pod) => self.put_pod(pod),
            Change::Seen(container) => self.put_container(container),
            Change::Gone(id) => self.remove_container(&id, now_ns),
            Change::PodGone(id) => self.remove_pod(&id, now_ns),
            Change::Found(bundle) => self.put_bundle(*bundle),
            Change::Lost(id) => self.remove_bundle(&id, now_ns),
            Change::NotFound(_) => {}
            Change::Stale(reason) => self.stale = Some(reason),
            Change::Fresh => self.stale = None,
        }
        self.expire(now_ns);
    }

    /// A container by its id.
    pub fn container(&self, id: &str) -> Option<&Arc<ContainerDescription>> {
        self.containers.get(id).map(|entry| &entry.description)
    }

    /// A pod by its sandbox.
    pub fn pod(&self, sandbox_id: &str) -> Option<&Arc<PodDescription>> {
        self.pods.get(sandbox_id).map(|entry| &entry.description)
    }

    /// What a container's bundle says.
    pub fn bundle(&self, id: &str) -> Option<&Arc<Bundle>> {
        self.bundles.get(id).map(|entry| &entry.description)
    }

    /// The pod that this id belongs to, be it a container's or the sandbox's own.
    pub fn pod_of(&self, id: &str) -> Option<&Arc<PodDescription>> {
        let sandbox = self.container(id).and_then(|container| container.sandbox_id.as_ref());
        self.pod(sandbox.map_or(id, RuntimeId::as_str))
    }

    /// Containers that the runtime has, in no order.
    pub fn containers(&self) -> impl Iterator<Item = &Arc<ContainerDescription>> {
        living(&self.containers)
    }

    /// Pods that the runtime has, in no order.
    pub fn pods(&self) -> impl Iterator<Item = &Arc<PodDescription>> {
        living(&self.pods)
    }

    /// Why what is here may be out of date, if it may.
    pub fn stale(&self) -> Option<&str> {
        self.stale.as_deref()
    }

    /// Containers, pods and bundles, with those that linger.
    pub fn len(&self) -> usize {
        self.containers.len() + self.pods.len() + self.bundles.len()
    }

    /// Nothing is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that all of it takes, nearly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What left before its time.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Forgets what was removed longer ago than the linger.
    pub fn expire(&mut self, now_ns: u64) {
        while let Some((removed_at_ns, ..)) = self.removed.front() {
            if removed_at_ns.saturating_add(self.limits.linger_ns) > now_ns {
                break;
            }
            self.forget_removed();
        }
    }

    fn put_container(&mut self, description: Arc<ContainerDescription>) {
        let (id, bytes) = (description.id.clone(), description.bytes() + ENTRY_BYTES);
        self.bytes -= self.containers.remove(&id).map_or(0, |old| old.bytes);
        if self.make_room(bytes) {
            self.bytes += bytes;
            self.containers.insert(id, Entry { description, bytes, removed_at_ns: None });
        }
    }

    fn put_pod(&mut self, description: Arc<PodDescription>) {
        let (id, bytes) = (description.sandbox_id.clone(), description.bytes() + ENTRY_BYTES);
        self.bytes -= self.pods.remove(&id).map_or(0, |old| old.bytes);
        if self.make_room(bytes) {
            self.bytes += bytes;
            self.pods.insert(id, Entry { description, bytes, removed_at_ns: None });
        }
    }

    /// Forgets what a bundle said: of a container whose name another one has now.
    pub fn forget_bundle(&mut self, id: &str) {
        self.bytes -= self.bundles.remove(id).map_or(0, |entry| entry.bytes);
    }

    fn put_bundle(&mut self, bundle: Bundle) {
        let (id, bytes) = (bundle.id.clone(), bundle.bytes() + ENTRY_BYTES);
        self.bytes -= self.bundles.remove(&id).map_or(0, |old| old.bytes);
        if self.make_room(bytes) {
            self.bytes += bytes;
            let description = Arc::new(bundle);
            self.bundles.insert(id, Entry { description, bytes, removed_at_ns: None });
        }
    }

    fn remove_bundle(&mut self, id: &RuntimeId, now_ns: u64) {
        let entry = self.bundles.get_mut(id);
        let newly = entry.is_some_and(|entry| mark(&mut entry.removed_at_ns, now_ns));
        self.note_removal(newly, Kind::Bundle, id, now_ns);
    }

    fn remove_container(&mut self, id: &RuntimeId, now_ns: u64) {
        let entry = self.containers.get_mut(id);
        let newly = entry.is_some_and(|entry| mark(&mut entry.removed_at_ns, now_ns));
        self.note_removal(newly, Kind::Container, id, now_ns);
    }

    fn remove_pod(&mut self, id: &RuntimeId, now_ns: u64) {
        let entry = self.pods.get_mut(id);
        let newly = entry.is_some_and(|entry| mark(&mut entry.removed_at_ns, now_ns));
        self.note_removal(newly, Kind::Pod, id, now_ns);
    }

    fn note_removal(&mut self, newly: bool, kind: Kind, id: &RuntimeId, now_ns: u64) {
        if !newly {
            return;
        }
        // Those that came and went many times leave items without meaning: never more than entries.
        if self.removed.len() > 2 * self.len() {
            let mut removed = std::mem::take(&mut self.removed);
            removed.retain(|(at, kind, id)| self.removed_at(*kind, id) == Some(*at));
            self.removed = removed;
        }
        self.removed.push_back((now_ns, kind, id.clone()));
    }

    /// Makes room for one more of this size; false if that cannot be.
    fn make_room(&mut self, bytes: usize) -> bool {
        let fits = |this: &Self| {
            this.len() < this.limits.entries && this.bytes + bytes <= this.limits.bytes
        };
        while !fits(self) && !self.removed.is_empty() {
            self.dropped.lingering += u64::from(self.forget_removed());
        }
        if !fits(self) {
            self.forget_exited(bytes);
        }
        let fits = fits(self);
        self.dropped.refused += u64::from(!fits);
        fits
    }

    /// Forgets the one removed longest ago; false if it had come back since.
    fn forget_removed(&mut self) -> bool {
        let Some((at, kind, id)) = self.removed.pop_front() else { return false };
        let still = self.removed_at(kind, &id) == Some(at);
        if still {
            self.bytes -= match kind {
                Kind::Container => self.containers.remove(&id).map_or(0, |entry| entry.bytes),
                Kind::Pod => self.pods.remove(&id).map_or(0, |entry| entry.bytes),
                Kind::Bundle => self.bundles.remove(&id).map_or(0, |entry| entry.bytes),
            };
        }
        still
    }

    /// Forgets exited containers, oldest first: more than is needed, so that it is seldom done.
    fn forget_exited(&mut self, bytes: usize) {
        let exited = self.containers.values().map(|entry| &entry.description);
        let exited = exited.filter(|container| container.state == ContainerState::Exited);
        let mut exited: Vec<_> =
            exited.map(|container| (container.created_at_ns, container.id.clone())).collect();
        exited.sort_unstable();
        let (entries, room) = (self.limits.entries, self.limits.bytes);
        for (_, id) in exited {
            let enough = self.len() <= entries - entries / 16
                && self.bytes.saturating_add(bytes) <= room - room / 16;
            if enough && self.len() < entries {
                break;
            }
            self.bytes -= self.containers.remove(&id).map_or(0, |entry| entry.bytes);
            self.dropped.exited += 1;
        }
    }

    fn removed_at(&self, kind: Kind, id: &RuntimeId) -> Option<u64> {
        match kind {
            Kind::Container => self.containers.get(id)?.removed_at_ns,
            Kind::Pod => self.pods.get(id)?.removed_at_ns,
            Kind::Bundle => self.bundles.get(id)?.removed_at_ns,
        }
    }
}

/// Marks an entry as removed; false if it was.
fn mark(removed_at_ns: &mut Option<u64>, now_ns: u64) -> bool {
    let newly = removed_at_ns.is_none();
    removed_at_ns.get_or_insert(now_ns);
    newly
}

fn living<T>(entries: &HashMap<RuntimeId, Entry<T>>) -> impl Iterator<Item = &Arc<T>> {
    let living = entries.values().filter(|entry| entry.removed_at_ns.is_none());
    living.map(|entry| &entry.description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::Text;

    const SECOND: u64 = 1_000_000_000;

    fn id(number: usize) -> RuntimeId {
        RuntimeId::new(&format!("{number:064x}")).unwrap()
    }

    fn pod(number: usize) -> Change {
        let name = Text::new(&format!("pod-{number}"));
        Change::PodSeen(Arc::new(PodDescription { name, ..PodDescription::new(id(number)) }))
    }

    fn container(number: usize, pod: usize, state: ContainerState) -> Change {
        Change::Seen(Arc::new(ContainerDescription {
            sandbox_id: Some(id(pod)),
            state,
            created_at_ns: number as u64,
            ..ContainerDescription::new(id(number))
        }))
    }

    fn with(entries: usize, bytes: usize) -> Descriptions {
        Descriptions::new(Limits { entries, bytes, linger_ns: 10 * SECOND })
    }

    #[test]
    fn a_pod_is_found_by_its_containers_and_by_its_sandbox() {
        let mut store = with(100, 1 << 20);
        store.apply(pod(1), 0);
        store.apply(container(2, 1, ContainerState::Running), 0);
        for known in [1, 2] {
            assert_eq!(store.pod_of(id(known).as_str()).unwrap().name.as_str(), "pod-1");
        }
        assert!(store.pod_of(id(3).as_str()).is_none());
    }

    #[test]
    fn what_was_removed_lingers_in_event_time() {
        let mut store = with(100, 1 << 20);
        store.apply(pod(1), 0);
        store.apply(container(2, 1, ContainerState::Running), 0);
        store.apply(Change::Gone(id(2)), 5 * SECOND);
        store.apply(Change::PodGone(id(1)), 5 * SECOND);
        assert_eq!((store.containers().count(), store.pods().count()), (0, 0));
        store.expire(15 * SECOND - 1);
        assert!(store.pod_of(id(2).as_str()).is_some());
        store.expire(15 * SECOND);
        assert!(store.is_empty());
        assert_eq!((store.bytes(), store.dropped()), (0, Dropped::default()));
    }

    #[test]
    fn what_a_bundle_said_lingers_like_the_rest_and_balances() {
        let mut store = with(2, 1 << 20);
        let bundle = |number| {
            let container = Some(Arc::new(ContainerDescription::new(id(number))));
            let (pod, is_of_kubernetes) = (None, false);
            Change::Found(Box::new(Bundle { id: id(number), container, pod, is_of_kubernetes }))
        };
        store.apply(bundle(1), 0);
        store.apply(bundle(2), 0);
        store.apply(bundle(3), 0);
        assert_eq!((store.len(), store.dropped().refused), (2, 1));
        store.apply(Change::Lost(id(1)), 5 * SECOND);
        store.expire(15 * SECOND - 1);
        assert!(store.bundle(id(1).as_str()).is_some());
        store.expire(15 * SECOND);
        assert!(store.bundle(id(1).as_str()).is_none());
        store.forget_bundle(id(2).as_str());
        store.apply(Change::Lost(id(2)), 15 * SECOND);
        assert_eq!((store.len(), store.bytes()), (0, 0));
    }

    #[test]
    fn what_came_back_stays() {
        let mut store = with(100, 1 << 20);
        for round in 0..1000 {
            store.apply(container(2, 1, ContainerState::Running), round);
            store.apply(Change::Gone(id(2)), round);
        }
        assert!(store.removed.len() < 10, "{}", store.removed.len());
        store.apply(container(2, 1, ContainerState::Running), 1000);
        store.expire(u64::MAX);
        assert_eq!(store.containers().count(), 1);
    }

    #[test]
    fn it_is_full_of_the_living_and_says_what_it_refuses() {
        let mut store = with(10, 1 << 20);
        store.apply(container(0, 1, ContainerState::Running), 0);
        store.apply(Change::Gone(id(0)), 0);
        for number in 1..10 {
            store.apply(container(number, 1, ContainerState::Exited), 1);
        }
        store.apply(container(10, 1, ContainerState::Running), 1);
        assert_eq!(store.dropped(), Dropped { lingering: 1, exited: 0, refused: 0 });
        for number in 11..30 {
            store.apply(container(number, 1, ContainerState::Running), 1);
        }
        assert_eq!(store.dropped(), Dropped { lingering: 1, exited: 9, refused: 10 });
        assert_eq!(store.containers().count(), 10);
    }

    #[test]
    fn the_bytes_stay_under_the_ceiling_and_balance() {
        let mut store = with(100_000, 64 << 10);
        for number in 0..10_000 {
            store.apply(container(number, 1, ContainerState::Running), number as u64);
            store.apply(Change::Gone(id(number)), number as u64);
            assert!(store.bytes() <= 64 << 10);
        }
        assert!(store.dropped().lingering > 9_000);
        assert_eq!(store.dropped().refused, 0);
        let sum: usize = store.containers.values().map(|entry| entry.bytes).sum();
        assert_eq!(store.bytes(), sum);
    }

    #[test]
    fn stale_data_is_kept_and_marked() {
        let mut store = with(100, 1 << 20);
        store.apply(container(2, 1, ContainerState::Running), 0);
        store.apply(Change::Stale("connection refused".to_owned()), 1);
        assert_eq!(store.stale(), Some("connection refused"));
        assert!(store.container(id(2).as_str()).is_some());
        store.apply(Change::Fresh, 2);
        assert_eq!(store.stale(), None);
    }
}
