//! A runtime to ask: found, connected, and followed on a thread of the caller's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chandra_identity::description::{Change, RuntimeId, Text};
use tokio::sync::{mpsc, watch};

use crate::client::Client;
use crate::error::Error;
use crate::inventory::Inventory;
use crate::places;
use crate::watch::{Ended, Inputs, follow, reconnect};

/// Ids that wait to be looked at; more are found by the next list.
const MAX_WAITING_LOOKS: usize = 1024;

/// How a runtime is asked.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Between two lists, where the runtime sends no events. A list that took long is waited for longer.
    pub poll: Duration,
    /// Between two lists, where it does.
    pub poll_beside_events: Duration,
    /// What a call may take.
    pub call_timeout: Duration,
    /// The longest pause before a runtime that does not answer is tried again.
    pub max_backoff: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            poll_beside_events: Duration::from_secs(10),
            call_timeout: Duration::from_secs(5),
            max_backoff: Duration::from_secs(5),
        }
    }
}

/// What the runtime says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// `containerd`, `cri-o`.
    pub name: Text,
    /// Its own version.
    pub version: Text,
    /// The version of CRI: `v1`.
    pub api: Text,
}

/// A connection to one runtime.
#[derive(Debug)]
pub struct Source {
    tokio: tokio::runtime::Runtime,
    client: Client,
    version: Version,
    socket: PathBuf,
    options: Options,
    handle: Handle,
    inputs: Inputs,
}

impl Source {
    /// Connects to the runtime at this socket, named as a path or as `unix:///path`.
    ///
    /// # Errors
    /// When nobody listens there or it does not speak CRI v1.
    pub fn connect(socket: &Path, options: Options) -> Result<Self, Error> {
        let socket = places::path_of(socket);
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (client, version) = tokio.block_on(greet(socket, options.call_timeout))?;
        let (looks, waiting_looks) = mpsc::channel(MAX_WAITING_LOOKS);
        let (stop, stopped) = watch::channel(false);
        let counters = Arc::new(Counters::default());
        let handle = Handle { looks, stop: Arc::new(stop), counters: Arc::clone(&counters) };
        let inputs = Inputs { looks: waiting_looks, stopped, counters };
        let socket = socket.to_owned();
        Ok(Self { tokio, client, version, socket, options, handle, inputs })
    }

    /// Connects to the first runtime that answers in the usual places below `root`.
    ///
    /// # Errors
    /// When none answers: each socket with its reason.
    pub fn find(root: &Path, options: Options) -> Result<Self, Error> {
        let mut tried = Vec::new();
        for socket in places::usual(root).filter(|place| places::is_socket(place)) {
            match Self::connect(&socket, options) {
                Ok(source) => return Ok(source),
                Err(error) => tried.push((socket, error.to_string())),
            }
        }
        Err(Error::NotFound { tried })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Which runtime it was when it was connected to.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// To steer [`Source::watch`] from other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Everything that the runtime has now: pods before their containers.
    ///
    /// # Errors
    /// When the runtime did not answer.
    pub fn snapshot(&mut self) -> Result<Vec<Change>, Error> {
        let mut inventory = Inventory::default();
        let mut changes = Vec::new();
        let mut tell = |change| changes.push(change);
        let (client, inputs) = (&self.client, &mut self.inputs);
        let following = follow(client, self.options, &mut inventory, inputs, true, &mut tell);
        match self.tokio.block_on(following) {
            Ended::Lost(error) => Err(error),
            Ended::Fresh | Ended::Stopped => {
                changes.retain(|change| !matches!(change, Change::Fresh));
                Ok(changes)
            }
        }
    }

    /// Tells everything that the runtime has, then every change, until [`Handle::stop`]. Returns only
    /// then: a runtime that is lost is waited for.
    ///
    /// `tell` runs between calls: what it does slowly makes the source slow, never wrong.
    pub fn watch(&mut self, mut tell: impl FnMut(Change)) {
        let Self { tokio, client, socket, options, inputs, .. } = self;
        let mut inventory = Inventory::default();
        tokio.block_on(async {
            loop {
                let ended =
                    follow(client, *options, &mut inventory, inputs, false, &mut tell).await;
                let Ended::Lost(error) = ended else { return };
                tell(Change::Stale(error.to_string()));
                match reconnect(socket, *options, inputs).await {
                    Some(connected) => *client = connected,
                    None => return,
                }
            }
        });
    }
}

/// Connects, and sees that CRI v1 is spoken there.
pub(crate) async fn greet(socket: &Path, within: Duration) -> Result<(Client, Version), Error> {
    let client = Client::connect(socket, within).await?;
    let answer = client.version().await?;
    let version = Version {
        name: Text::lossy(&answer.runtime_name),
        version: Text::lossy(&answer.runtime_version),
        api: Text::lossy(&answer.runtime_api_version),
    };
    Ok((client, version))
}

/// Steers a watch from elsewhere. Clones steer the same.
#[derive(Debug, Clone)]
pub struct Handle {
    looks: mpsc::Sender<RuntimeId>,
    stop: Arc<watch::Sender<bool>>,
    counters: Arc<Counters>,
}

impl Handle {
    /// Asks for this container or sandbox now instead of at the next list: for whoever sees its cgroup
    /// appear. It is answered by `Seen`, by `PodSeen`, or by `Gone` when the runtime does not come to
    /// know it within two seconds. Never waits; false when too many are waiting.
    pub fn look(&self, id: RuntimeId) -> bool {
        let taken = self.looks.try_send(id).is_ok();
        if !taken {
            self.counters.dropped_looks.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Ends the watch, now and for good.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// What it has cost and missed so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            lists: read(&self.counters.lists),
            looks: read(&self.counters.looks),
            failed_looks: read(&self.counters.failed_looks),
            dropped_looks: read(&self.counters.dropped_looks),
            events: read(&self.counters.events),
            reconnects: read(&self.counters.reconnects),
            omitted: read(&self.counters.omitted),
        }
    }
}

/// What a source has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Lists asked for.
    pub lists: u64,
    /// Containers and sandboxes looked at.
    pub looks: u64,
    /// Looks that the runtime answered with an error or not in time.
    pub failed_looks: u64,
    /// Looks asked for while too many were waiting.
    pub dropped_looks: u64,
    /// Events that the runtime sent.
    pub events: u64,
    /// Times it was lost and found again.
    pub reconnects: u64,
    /// Containers and sandboxes that the last list had beyond what is followed.
    pub omitted: u64,
}

/// The same while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub lists: AtomicU64,
    pub looks: AtomicU64,
    pub failed_looks: AtomicU64,
    pub dropped_looks: AtomicU64,
    pub events: AtomicU64,
    pub reconnects: AtomicU64,
    pub omitted: AtomicU64,
}
