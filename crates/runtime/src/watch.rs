//! Following a runtime: a list now and then, a closer look at what is new in it, and events or hints
//! that say where to look before the next list does.
//!
//! Invariants: only a list decides what exists; events and hints only make a look happen sooner, so
//! losing them costs time, not truth. A container is told after its pod. Nothing here waits for a
//! single call: lists and looks are tasks, a bounded number at once.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chandra_identity::description::{Change, ContainerDescription, PodDescription, RuntimeId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::Client;
use crate::describe;
use crate::error::Error;
use crate::inventory::{Inventory, Kind, Listed};
use crate::source::{Counters, Options, greet};

/// Looks at once, and as many again for hints and events, which so do not wait behind calls that hang.
const MAX_LOOKS: usize = 8;
/// Hints and events that wait for their look.
const MAX_URGENT: usize = 4096;
/// After which an id that the runtime does not know yet is tried again. Sandboxes become known when
/// their network is up.
const RETRIES: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1500),
];
/// The longest pause between looks at something that cannot be looked at.
const MAX_LOOK_BACKOFF: Duration = Duration::from_secs(60);
/// The first pause before a lost runtime is tried again.
const MIN_BACKOFF: Duration = Duration::from_millis(50);
/// Pause before events are asked for again after their stream ended.
const REOPEN: Duration = Duration::from_secs(10);

/// What comes from other threads.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub looks: mpsc::Receiver<RuntimeId>,
    pub stopped: watch::Receiver<bool>,
    pub counters: Arc<Counters>,
}

/// Why following ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Stopped,
    /// All has been told, and no more was asked for.
    Fresh,
    Lost(Error),
}

/// Tells what differs from `inventory`, which is kept up. With `once`, ends when all is told.
pub(crate) async fn follow(
    client: &Client,
    options: Options,
    inventory: &mut Inventory,
    inputs: &mut Inputs,
    once: bool,
    tell: &mut dyn FnMut(Change),
) -> Ended {
    let counters = Arc::clone(&inputs.counters);
    let mut follower = Follower::new(client, options, inventory, &counters, tell);
    // Before the first list, so that nothing falls between.
    let mut events = if once { None } else { Some(Events::open(client)) };
    let mut reopen_at = None;
    loop {
        follower.start_looks();
        let wake_at = follower.wake_at().into_iter().chain(reopen_at).min();
        let wake = async {
            match wake_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let event = async {
            match &mut events {
                Some(events) => events.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = inputs.stopped.wait_for(|stopped| *stopped) => return Ended::Stopped,
            Some(id) = inputs.looks.recv() => follower.look_soon(id),
            event = event => match event {
                Ok(id) => follower.note_event(id),
                Err(is_for_good) => {
                    follower.note_end_of_events();
                    events = None;
                    reopen_at = (!is_for_good).then(|| Instant::now() + REOPEN);
                }
            },
            Some(done) = follower.tasks.join_next(), if !follower.tasks.is_empty() => {
                if let Err(error) = follower.finish(done) {
                    return Ended::Lost(error);
                }
            }
            () = wake => {
                follower.start_list();
                if reopen_at.is_some_and(|at| at <= Instant::now()) {
                    (events, reopen_at) = (Some(Events::open(client)), None);
                }
            }
        }
        if follower.become_fresh() && once {
            return Ended::Fresh;
        }
    }
}

/// Tries until the runtime answers again; `None` when stopped.
pub(crate) async fn reconnect(
    socket: &Path,
    options: Options,
    inputs: &mut Inputs,
) -> Option<Client> {
    let mut pause = MIN_BACKOFF;
    loop {
        tokio::select! {
            _ = inputs.stopped.wait_for(|stopped| *stopped) => return None,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(options.max_backoff);
        let greeting = async {
            let (client, _) = greet(socket, options.call_timeout).await?;
            // Some answer Version before they have read what they run.
            client.list_containers().await?;
            Ok::<_, Error>(client)
        };
        tokio::select! {
            _ = inputs.stopped.wait_for(|stopped| *stopped) => return None,
            greeted = greeting => if let Ok(client) = greeted {
                inputs.counters.reconnects.fetch_add(1, Ordering::Relaxed);
                return Some(client);
            }
        }
    }
}

/// The stream of events, read by a task that ends with this.
struct Events {
    ids: mpsc::Receiver<Result<RuntimeId, bool>>,
    _reader: JoinSet<()>,
}

impl Events {
    fn open(client: &Client) -> Self {
        let (to, ids) = mpsc::channel(64);
        let client = client.clone();
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            let mut stream = match client.events().await {
                Ok(stream) => stream,
                Err(error) => {
                    let is_for_good = matches!(error, Error::Refused { .. });
                    drop(to.send(Err(is_for_good)).await);
                    return;
                }
            };
            while let Ok(Some(event)) = stream.message().await {
                if let Some(id) = describe::id(&event.container_id)
                    && to.send(Ok(id)).await.is_err()
                {
                    return;
                }
            }
        });
        Self { ids, _reader: reader }
    }

    /// The next id to look at, or that there will be none and whether that is for good.
    async fn next(&mut self) -> Result<RuntimeId, bool> {
        self.ids.recv().await.unwrap_or(Err(false))
    }
}

/// What is to be looked at.
#[derive(Debug)]
struct Look {
    id: RuntimeId,
    /// What a list says that it is.
    listed: Option<Listed>,
    /// Of [`RETRIES`], those done.
    retries: usize,
}

/// What came of a task.
enum Done {
    Listed { number: u64, took: Duration, result: Result<Vec<Listed>, Error> },
    Looked { look: Look, result: Result<Found, Error> },
}

/// What an id is.
enum Found {
    Container(Box<ContainerDescription>, Option<Box<PodDescription>>),
    Pod(Box<PodDescription>),
}

struct Follower<'a> {
    client: &'a Client,
    options: Options,
    inventory: &'a mut Inventory,
    counters: &'a Counters,
    tell: &'a mut dyn FnMut(Change),
    tasks: JoinSet<Done>,
    looking: usize,
    list_at: Option<Instant>,
    /// Looks that a list asked for, in its order.
    listed: VecDeque<Look>,
    /// Looks that hints and events asked for, by when they are due.
    urgent: BTreeMap<(Instant, u64), Look>,
    urgent_number: u64,
    /// Ids that wait or are looked at; true when something happened to them meanwhile.
    busy: HashMap<RuntimeId, bool>,
    /// Ids that could not be looked at: how often in a row, and when a list may ask for them again.
    failing: HashMap<RuntimeId, (u32, Instant)>,
    /// Ids of the first list that no look has come back for. None before that list.
    unsettled: Option<HashSet<RuntimeId>>,
    is_fresh: bool,
    has_events: bool,
}

impl<'a> Follower<'a> {
    fn new(
        client: &'a Client,
        options: Options,
        inventory: &'a mut Inventory,
        counters: &'a Counters,
        tell: &'a mut dyn FnMut(Change),
    ) -> Self {
        Self {
            client,
            options,
            inventory,
            counters,
            tell,
            tasks: JoinSet::new(),
            looking: 0,
            list_at: Some(Instant::now()),
            listed: VecDeque::new(),
            urgent: BTreeMap::new(),
            urgent_number: 0,
            busy: HashMap::new(),
            failing: HashMap::new(),
            unsettled: None,
            is_fresh: false,
            has_events: false,
        }
    }

    /// When there is something to do without anything happening.
    fn wake_at(&self) -> Option<Instant> {
        let urgent = self.urgent.first_key_value().map(|((due, _), _)| *due);
        let urgent = urgent.filter(|_| self.looking < 2 * MAX_LOOKS);
        self.list_at.into_iter().chain(urgent).min()
    }

    fn start_list(&mut self) {
        if self.list_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        self.list_at = None;
        self.counters.lists.fetch_add(1, Ordering::Relaxed);
        let (client, number) = (self.client.clone(), self.inventory.next_list());
        self.tasks.spawn(async move {
            let started = Instant::now();
            let result = list(&client).await;
            Done::Listed { number, took: started.elapsed(), result }
        });
    }

    fn start_looks(&mut self) {
        let now = Instant::now();
        while self.looking < 2 * MAX_LOOKS
            && let Some(first) = self.urgent.first_entry()
            && first.key().0 <= now
        {
            let look = first.remove();
            self.start_look(look);
        }
        while self.looking < MAX_LOOKS
            && let Some(look) = self.listed.pop_front()
        {
            self.start_look(look);
        }
    }

    fn start_look(&mut self, look: Look) {
        let listed = look.listed.as_ref();
        let is_pod = listed.is_some_and(|listed| listed.kind == Kind::Pod);
        let happened_since = self.busy.get(&look.id).is_some_and(|happened| *happened);
        if is_pod && !happened_since && self.inventory.is_current(&look.id) {
            // A container's look has brought it along.
            self.settle(&look.id);
            self.busy.remove(&look.id);
            return;
        }
        self.looking += 1;
        self.counters.looks.fetch_add(1, Ordering::Relaxed);
        let sandbox = listed.and_then(|listed| listed.sandbox_id.as_ref());
        let wants_pod = !sandbox.is_some_and(|sandbox| self.inventory.knows(sandbox));
        let (client, within) = (self.client.clone(), self.options.call_timeout);
        self.tasks.spawn(async move {
            let looking = look_at(&client, &look, wants_pod);
            // Each call has this time; all calls for one id together get no more than twice that.
            let result = timeout(within.saturating_mul(2), looking).await;
            let result = result.unwrap_or(Err(Error::Slow { call: "describing", within }));
            Done::Looked { look, result }
        });
    }

    /// A hint: somebody wants to know this id now.
    fn look_soon(&mut self, id: RuntimeId) {
        if let Some(again) = self.busy.get_mut(&id) {
            *again = true;
        } else if self.urgent.len() < MAX_URGENT {
            self.busy.insert(id.clone(), false);
            self.queue_urgent(Look { id, listed: None, retries: 0 }, Duration::ZERO);
        } else {
            self.counters.dropped_looks.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn queue_urgent(&mut self, look: Look, pause: Duration) {
        self.urgent_number += 1;
        self.urgent.insert((Instant::now() + pause, self.urgent_number), look);
    }

    fn note_event(&mut self, id: RuntimeId) {
        self.has_events = true;
        self.counters.events.fetch_add(1, Ordering::Relaxed);
        self.look_soon(id);
    }

    /// The next list is not to wait as if there were events.
    fn note_end_of_events(&mut self) {
        self.has_events = false;
        let soon = Instant::now() + self.options.poll;
        self.list_at = self.list_at.map(|at| at.min(soon));
    }

    fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) -> Result<(), Error> {
        match done {
            Ok(Done::Listed { number, took, result }) => self.take_list(number, took, result?),
            Ok(Done::Looked { look, result }) => {
                self.looking -= 1;
                self.take_look(look, result);
            }
            Err(error) => return Err(Error::Local(std::io::Error::other(error))),
        }
        Ok(())
    }

    fn take_list(&mut self, number: u64, took: Duration, lines: Vec<Listed>) {
        let options = &self.options;
        let pause = if self.has_events { options.poll_beside_events } else { options.poll };
        let now = Instant::now();
        // At most a tenth of the runtime's time is spent on lists for us.
        self.list_at = Some(now + pause.max(took.saturating_mul(10)));
        let difference = self.inventory.compare(number, lines);
        self.counters.omitted.store(difference.omitted as u64, Ordering::Relaxed);
        for (kind, id) in difference.gone {
            self.tell_gone(kind, id);
        }
        let wanted: HashSet<&RuntimeId> = difference.look.iter().map(|line| &line.id).collect();
        self.failing.retain(|id, _| wanted.contains(id));
        for line in difference.look {
            let is_failing = self.failing.get(&line.id).is_some_and(|(_, until)| *until > now);
            if is_failing || self.busy.contains_key(&line.id) {
                continue;
            }
            self.busy.insert(line.id.clone(), false);
            self.listed.push_back(Look { id: line.id.clone(), listed: Some(line), retries: 0 });
        }
        if self.unsettled.is_none() {
            self.unsettled = Some(self.listed.iter().map(|look| look.id.clone()).collect());
        }
    }

    fn take_look(&mut self, look: Look, result: Result<Found, Error>) {
        let happened_since = self.busy.remove(&look.id).unwrap_or(false);
        let id = look.id.clone();
        let kind = look.listed.as_ref().map_or(Kind::Container, |listed| listed.kind);
        let mut is_retried = false;
        match result {
            Ok(found) => {
                self.failing.remove(&id);
                self.tell_found(found);
            }
            Err(error) if error.is_not_found() => {
                is_retried =
                    look.listed.is_none() && !self.inventory.knows(&id) && self.retry(look);
                if !is_retried {
                    let kind = self.inventory.forget(&id).unwrap_or(kind);
                    self.tell_gone(kind, id.clone());
                }
            }
            Err(_) => {
                self.counters.failed_looks.fetch_add(1, Ordering::Relaxed);
                if look.listed.is_some() {
                    self.note_failure(&id);
                } else {
                    is_retried = self.retry(look);
                }
            }
        }
        if !is_retried {
            self.settle(&id);
            if happened_since {
                self.look_soon(id);
            }
        }
    }

    /// Looks again a little later; false when that was done often enough.
    fn retry(&mut self, look: Look) -> bool {
        let Some(pause) = RETRIES.get(look.retries) else { return false };
        self.busy.insert(look.id.clone(), false);
        self.queue_urgent(Look { retries: look.retries + 1, ..look }, *pause);
        true
    }

    fn note_failure(&mut self, id: &RuntimeId) {
        let failures = self.failing.get(id).map_or(0, |(failures, _)| *failures);
        let pause = self.options.poll.saturating_mul(1 << failures.min(16)).min(MAX_LOOK_BACKOFF);
        self.failing.insert(id.clone(), (failures + 1, Instant::now() + pause));
    }

    fn tell_found(&mut self, found: Found) {
        let pod = match found {
            Found::Pod(pod) => Some(pod),
            Found::Container(container, pod) => {
                self.tell_pod(pod);
                if self.inventory.note_container(&container) {
                    (self.tell)(Change::Seen(Arc::new(*container)));
                }
                None
            }
        };
        self.tell_pod(pod);
    }

    fn tell_pod(&mut self, pod: Option<Box<PodDescription>>) {
        if let Some(pod) = pod
            && self.inventory.note_pod(&pod)
        {
            (self.tell)(Change::PodSeen(Arc::new(*pod)));
        }
    }

    fn tell_gone(&mut self, kind: Kind, id: RuntimeId) {
        (self.tell)(match kind {
            Kind::Pod => Change::PodGone(id),
            Kind::Container => Change::Gone(id),
        });
    }

    fn settle(&mut self, id: &RuntimeId) {
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.remove(id);
        }
    }

    /// Says once that all has been told.
    fn become_fresh(&mut self) -> bool {
        let newly = !self.is_fresh && self.unsettled.as_ref().is_some_and(HashSet::is_empty);
        if newly {
            self.is_fresh = true;
            (self.tell)(Change::Fresh);
        }
        newly
    }
}

/// Containers first: looking at them brings most pods along.
async fn list(client: &Client) -> Result<Vec<Listed>, Error> {
    let pods = client.list_pods().await?;
    let containers = client.list_containers().await?;
    let containers = containers.containers.into_iter().filter_map(|line| {
        let sandbox_id = describe::id(&line.pod_sandbox_id);
        let id = describe::id(&line.id)?;
        Some(Listed { id, kind: Kind::Container, state: line.state, sandbox_id })
    });
    let pods = pods.items.into_iter().filter_map(|line| {
        let id = describe::id(&line.id)?;
        Some(Listed { id, kind: Kind::Pod, state: line.state, sandbox_id: None })
    });
    Ok(containers.chain(pods).collect())
}

async fn look_at(client: &Client, look: &Look, wants_pod: bool) -> Result<Found, Error> {
    let kind = look.listed.as_ref().map(|listed| listed.kind);
    if kind != Some(Kind::Pod) {
        match look_at_container(client, look, wants_pod).await {
            Err(error) if kind.is_none() && error.is_not_found() => {}
            result => return result,
        }
    }
    let answer = client.pod_status(look.id.as_str()).await?;
    let pod = describe::pod(answer).ok_or_else(|| empty("PodSandboxStatus"))?;
    Ok(Found::Pod(Box::new(pod)))
}

async fn look_at_container(client: &Client, look: &Look, wants_pod: bool) -> Result<Found, Error> {
    let answer = client.container_status(look.id.as_str()).await?;
    let mut container = describe::container(answer).ok_or_else(|| empty("ContainerStatus"))?;
    let listed = look.listed.as_ref().and_then(|listed| listed.sandbox_id.clone());
    container.sandbox_id = listed.or(container.sandbox_id);
    if container.sandbox_id.is_none() {
        let list = client.list_container(container.id.as_str()).await?;
        let own = |line: &&crate::api::Container| line.id == container.id.as_str().as_bytes();
        let line = list.containers.iter().find(own);
        container.sandbox_id = line.and_then(|line| describe::id(&line.pod_sandbox_id));
    }
    let pod = match container.sandbox_id.as_ref().filter(|_| wants_pod) {
        // Without it the container is told alone; the next list asks for the pod.
        Some(id) => client.pod_status(id.as_str()).await.ok().and_then(describe::pod),
        None => None,
    };
    Ok(Found::Container(Box::new(container), pod.map(Box::new)))
}

fn empty(call: &'static str) -> Error {
    let message = "the answer has no status with an id".to_owned();
    Error::Refused { call, code: tonic::Code::DataLoss, message }
}
