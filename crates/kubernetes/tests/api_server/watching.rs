//! A source that is followed in a thread, and what is known by what it has told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chandra_kubernetes::{Access, Change, Handle, Options, Resource, Source};
use chandra_tests::api_server::write_kubeconfig;
use chandra_tests::patience::PATIENCE;
use chandra_tests::scratch::Scratch;

/// A kubeconfig for a server without TLS.
pub fn kubeconfig(folder: &Scratch, server: SocketAddr) -> PathBuf {
    write_kubeconfig(folder, &format!("http://{server}"), "")
}

/// Of this resource only, and impatient.
pub fn options(access: Access, resource: Resource) -> Options {
    Options {
        resources: vec![resource],
        call_timeout: Duration::from_secs(2),
        max_backoff: Duration::from_millis(100),
        denied_pause: Duration::from_millis(100),
        ..Options::new(access, "own")
    }
}

pub struct Watching {
    pub handle: Handle,
    /// Everything told, in words.
    pub told: Vec<String>,
    /// Each object that is known, by resource and name, as it was told last.
    pub known: BTreeMap<(Resource, String), Change>,
    pub stale: BTreeMap<Resource, String>,
    listing: BTreeMap<Resource, BTreeSet<String>>,
    changes: mpsc::Receiver<Change>,
    thread: Option<JoinHandle<()>>,
    _folder: Scratch,
}

impl Watching {
    pub fn start(server: SocketAddr, resource: Resource) -> Self {
        Self::with(server, |access| options(access, resource))
    }

    pub fn with(server: SocketAddr, options: impl FnOnce(Access) -> Options) -> Self {
        let folder = Scratch::new();
        let access = Access::Kubeconfig(kubeconfig(&folder, server));
        Self::of(options(access), folder)
    }

    pub fn of(options: Options, folder: Scratch) -> Self {
        let mut source = Source::connect(options).unwrap();
        let handle = source.handle();
        let (to, changes) = mpsc::channel();
        let thread = std::thread::spawn(move || source.watch(|change| drop(to.send(change))));
        Self {
            handle,
            told: Vec::new(),
            known: BTreeMap::new(),
            stale: BTreeMap::new(),
            listing: BTreeMap::new(),
            changes,
            thread: Some(thread),
            _folder: folder,
        }
    }

    /// Takes in changes until one is told in these words.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let change = self.changes.recv_timeout(until.saturating_duration_since(Instant::now()));
            let Ok(change) = change else { panic!("waited for {words:?}, got {:?}", self.told) };
            let told = self.take(change);
            self.told.push(told.clone());
            if told == words {
                return;
            }
        }
    }

    /// Waits until the counts are so.
    #[track_caller]
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&chandra_kubernetes::Counts) -> bool) {
        chandra_tests::patience::wait_for(what, || wanted(&self.handle.counts()).then_some(()));
    }

    pub fn names(&self, resource: Resource) -> Vec<&str> {
        self.known.keys().filter(|(of, _)| *of == resource).map(|(_, name)| &**name).collect()
    }

    #[track_caller]
    pub fn get(&self, resource: Resource, name: &str) -> &Change {
        &self.known[&(resource, name.to_owned())]
    }

    fn take(&mut self, change: Change) -> String {
        let (resource, name) = match &change {
            Change::Pod(pod) => (Resource::Pods, &pod.name.name),
            Change::Service(service) => (Resource::Services, &service.name.name),
            Change::EndpointSlice(slice) => (Resource::EndpointSlices, &slice.name.name),
            Change::Node(node) => (Resource::Nodes, &node.name),
            Change::Namespace(namespace) => (Resource::Namespaces, &namespace.name),
            Change::PodGone(name) => return self.forget(Resource::Pods, name.name.as_str()),
            Change::ServiceGone(name) => {
                return self.forget(Resource::Services, name.name.as_str());
            }
            Change::EndpointSliceGone(name) => {
                return self.forget(Resource::EndpointSlices, name.name.as_str());
            }
            Change::NodeGone(name) => return self.forget(Resource::Nodes, name.as_str()),
            Change::NamespaceGone(name) => return self.forget(Resource::Namespaces, name.as_str()),
            Change::Listing(resource) => {
                self.listing.insert(*resource, BTreeSet::new());
                return format!("listing {}", resource.word());
            }
            Change::Listed(resource) => {
                let listed = self.listing.remove(resource).expect("a list that begins");
                self.known.retain(|(of, name), _| of != resource || listed.contains(name));
                self.stale.remove(resource);
                return format!("listed {}", resource.word());
            }
            Change::Stale(resource, reason) => {
                let before = self.stale.insert(*resource, reason.clone());
                assert_eq!(before, None, "told twice");
                return format!("stale {}", resource.word());
            }
            Change::Fresh(resource) => {
                assert!(self.stale.remove(resource).is_some(), "was not stale");
                return format!("fresh {}", resource.word());
            }
        };
        let name = name.as_str().to_owned();
        if let Some(listed) = self.listing.get_mut(&resource) {
            listed.insert(name.clone());
        }
        let told = format!("{} {name}", resource.word());
        self.known.insert((resource, name), change);
        told
    }

    fn forget(&mut self, resource: Resource, name: &str) -> String {
        self.known.remove(&(resource, name.to_owned()));
        format!("{} {name} gone", resource.word())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}
