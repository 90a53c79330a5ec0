//! A cluster to ask: found, and followed on a thread of the caller's.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chandra_identity::cluster::{Change, Resource};
use tokio::sync::watch;

use crate::access::Access;
use crate::client::Client;
use crate::error::{Error, innermost};
use crate::follow::Follower;

/// Which pods are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemotePods {
    /// Those of every node: each address of a pod has a name.
    #[default]
    All,
    /// Only those of the own node: the server sends nothing of the others.
    None,
}

/// How a cluster is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the server is found.
    pub access: Access,
    /// The name of the own node. Nothing is asked about it where all pods are wanted.
    pub node: String,
    /// Which pods are wanted.
    pub remote_pods: RemotePods,
    /// What is wanted at all.
    pub resources: Vec<Resource>,
    /// What connecting, the beginning of an answer, and each object of a list may take.
    pub call_timeout: Duration,
    /// A watch that brings neither an event nor a bookmark for so long is taken for dead and opened
    /// again. Servers send a bookmark each minute.
    pub silence: Duration,
    /// The longest pause before a server that does not answer is tried again.
    pub max_backoff: Duration,
    /// The pause where the server does not allow it: somebody may, later.
    pub denied_pause: Duration,
    /// The longest object that is read.
    pub max_object_bytes: usize,
}

impl Options {
    /// Everything, with ceilings that do for any cluster.
    pub fn new(access: Access, node: impl Into<String>) -> Self {
        Self {
            access,
            node: node.into(),
            remote_pods: RemotePods::All,
            resources: Resource::ALL.to_vec(),
            call_timeout: Duration::from_secs(15),
            silence: Duration::from_secs(150),
            max_backoff: Duration::from_secs(30),
            denied_pause: Duration::from_secs(60),
            max_object_bytes: 4 << 20,
        }
    }
}

/// One cluster.
pub struct Source {
    tokio: tokio::runtime::Runtime,
    client: Client,
    server: String,
    options: Options,
    handle: Handle,
    stopped: watch::Receiver<bool>,
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Source {
    /// Reads what is needed to ask the cluster. It is not asked yet: a server that is away is waited
    /// for by [`Source::watch`].
    ///
    /// # Errors
    /// When the credentials are not there or cannot be used.
    pub fn connect(options: Options) -> Result<Self, Error> {
        if options.remote_pods == RemotePods::None && !is_name(&options.node) {
            return Err(Error::Node(options.node));
        }
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let config = tokio.block_on(options.access.config(options.call_timeout))?;
        let server = config.cluster_url.to_string();
        let kube = {
            let _entered = tokio.enter();
            kube::Client::try_from(config).map_err(|error| Error::Client(innermost(&error)))?
        };
        let client = Client::new(kube, options.call_timeout);
        let (stop, stopped) = watch::channel(false);
        let handle = Handle { stop: Arc::new(stop), counters: Arc::default() };
        Ok(Self { tokio, client, server, options, handle, stopped })
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// To steer [`Source::watch`] from other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Tells all objects that are wanted, then every change, until [`Handle::stop`]. Returns only then:
    /// a server that is lost is waited for.
    ///
    /// Each resource is told of on its own. A `Listing` before the `Listed` of the one before it means
    /// that the list broke off and begins again; until then nothing is gone.
    ///
    /// `tell` runs between reads: what it does slowly makes the server wait. Nothing is queued here.
    pub fn watch(&mut self, mut tell: impl FnMut(Change)) {
        let Self { tokio, client, options, handle, stopped, .. } = self;
        let tell: RefCell<&mut dyn FnMut(Change)> = RefCell::new(&mut tell);
        let follow = async |resource: Resource| {
            if options.resources.contains(&resource) {
                let counters = handle.counters.of(resource);
                Follower::new(resource, client, options, counters, &tell).follow().await;
            }
        };
        tokio.block_on(async {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => {}
                () = async {
                    tokio::join!(
                        follow(Resource::Namespaces),
                        follow(Resource::Nodes),
                        follow(Resource::Services),
                        follow(Resource::EndpointSlices),
                        follow(Resource::Pods),
                    );
                    // None was wanted.
                    std::future::pending().await
                } => {}
            }
        });
    }
}

/// The API allows these in the name of a node; others would say something else in a selector.
fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    !name.is_empty() && name.len() <= 253 && name.bytes().all(is_allowed)
}

/// Steers a watch from elsewhere. Clones steer the same.
#[derive(Debug, Clone)]
pub struct Handle {
    stop: Arc<watch::Sender<bool>>,
    counters: Arc<AllCounters>,
}

impl Handle {
    /// Ends the watch, now and for good.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// What all resources have cost and missed so far.
    pub fn counts(&self) -> Counts {
        Resource::ALL.iter().fold(Counts::default(), |sum, one| sum + self.counts_of(*one))
    }

    /// What this resource has cost and missed so far.
    pub fn counts_of(&self, resource: Resource) -> Counts {
        let counters = self.counters.of(resource);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            lists: read(&counters.lists),
            pages: read(&counters.pages),
            watches: read(&counters.watches),
            events: read(&counters.events),
            bookmarks: read(&counters.bookmarks),
            expired: read(&counters.expired),
            cuts: read(&counters.cuts),
            silences: read(&counters.silences),
            refused: read(&counters.refused),
            unreachable: read(&counters.unreachable),
            malformed: read(&counters.malformed),
            too_long: read(&counters.too_long),
            omitted: read(&counters.omitted),
        }
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a source has done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl std::ops::Add for Counts {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self { $($name: self.$name + other.$name,)* }
            }
        }

        /// The same while it goes on.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub $name: AtomicU64,)* }
    };
}

counts! {
    /// Lists that began: one at the start, and one whenever a watch could not go on where it was.
    lists,
    /// Pages of them.
    pages,
    /// Watches that the server began to answer.
    watches,
    /// Events that the server sent.
    events,
    /// Bookmarks that it sent.
    bookmarks,
    /// Times that what was known was too old for the server.
    expired,
    /// Answers that broke off.
    cuts,
    /// Watches that were given up because they brought nothing.
    silences,
    /// Requests that the server refused.
    refused,
    /// Requests that had no answer.
    unreachable,
    /// Objects and lines that were not what the API says, and were passed over.
    malformed,
    /// Objects and lines that were too long, and were passed over.
    too_long,
    /// Addresses, ports and endpoints beyond what is kept of one object.
    omitted,
}

/// Those of each resource.
#[derive(Debug, Default)]
struct AllCounters {
    pods: Counters,
    services: Counters,
    slices: Counters,
    nodes: Counters,
    namespaces: Counters,
}

impl AllCounters {
    fn of(&self, resource: Resource) -> &Counters {
        match resource {
            Resource::Pods => &self.pods,
            Resource::Services => &self.services,
            Resource::EndpointSlices => &self.slices,
            Resource::Nodes => &self.nodes,
            Resource::Namespaces => &self.namespaces,
        }
    }
}
